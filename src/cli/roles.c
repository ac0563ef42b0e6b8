#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "cli/http_get.h"
#include "cli/roles_internal.h"
#include "projection/projection.h"
#include "query/query.h"
#include "relay/relay.h"
#include "worker/registry.h"
#include "worker/worker.h"

#define ROLES_CACHE_BYTES (24u << 20)
#define DOOR_TIMEOUT_MS   2000

/* From executors, also from one that was stuck in a handler and comes back when the
 * relay is gone. */
static void on_appended(void *arg, const struct leat_batch *batch, const struct leat_reply *reply)
{
    struct leat_roles *r = arg;
    (void)pthread_rwlock_rdlock(&r->relay_lock);
    if (r->relay != NULL)
        leat_relay_offer(r->relay, batch, reply);
    (void)pthread_rwlock_unlock(&r->relay_lock);
}

static struct leat_relay *take_relay(struct leat_roles *r)
{
    (void)pthread_rwlock_wrlock(&r->relay_lock);
    struct leat_relay *relay = LEAT_TAKE(r->relay);
    (void)pthread_rwlock_unlock(&r->relay_lock);
    return relay;
}

/* ---- names ---- */

static const struct {
    const char *name;
    unsigned bit;
} role_names[] = {{"worker", LEAT_ROLE_WORKER},
                  {"relay", LEAT_ROLE_RELAY},
                  {"projector", LEAT_ROLE_PROJECTOR},
                  {"http", LEAT_ROLE_HTTP}};
#define ROLE_NAMES (sizeof role_names / sizeof role_names[0])

unsigned leat_role_of(struct leat_str name)
{
    for (size_t i = 0; i < ROLE_NAMES; i++) {
        if (leat_str_eq(leat_str_of(role_names[i].name), name))
            return role_names[i].bit;
    }
    return 0;
}

void leat_roles_names(unsigned roles, char *ret, size_t room)
{
    size_t n = 0;
    ret[0] = 0;
    for (size_t i = 0; i < ROLE_NAMES; i++) {
        if ((roles & role_names[i].bit) != 0 && n < room)
            n += (size_t)snprintf(ret + n, room - n, "%s%s", n > 0 ? "," : "", role_names[i].name);
    }
}

/* ---- start and stop ---- */

static bool chosen(const struct leat_roles *r, struct leat_str name)
{
    for (size_t i = 0; i < r->c.n_processors; i++) {
        if (leat_str_eq(r->c.processors[i], name))
            return true;
    }
    return r->c.n_processors == 0;
}

/* The states kept by all executors of a process share one budget. */
static size_t cache_bytes(const struct leat_roles *r)
{
    int64_t executors = 0;
    for (uint32_t i = 0; i < r->c.topology->n_processors; i++) {
        if (chosen(r, r->c.topology->processors[i].name)) {
            executors +=
                leat_worker_executors(r->c.topology, &r->c.topology->processors[i], r->c.threads);
        }
    }
    return ROLES_CACHE_BYTES / (size_t)(executors > 0 ? executors : 1);
}

static leat_status start_workers(struct leat_roles *r, struct leat_error *err)
{
    const struct leat_topology *t = r->c.topology;
    LEAT_TRY(leat_modules_load(t, r->c.processors, r->c.n_processors, err), err, "modules");
    for (uint32_t i = 0; i < t->n_processors && r->worker_count < ROLES_WORKERS_MAX; i++) {
        if (!chosen(r, t->processors[i].name))
            continue;
        struct leat_worker_config wc = {.topology = t,
                                        .processor = &t->processors[i],
                                        .store = &r->c.store,
                                        .schemas = r->c.schemas,
                                        .instance_id = r->c.instance_id,
                                        .session_timeout_ms = r->c.session_timeout_ms,
                                        .threads = r->c.threads,
                                        .cache_bytes = cache_bytes(r),
                                        .only_k = r->c.only_k,
                                        .appended = r->relay == NULL ? NULL : on_appended,
                                        .arg = r};
        leat_status status = leat_worker_start(&wc, &r->workers[r->worker_count], err);
        if (status != LEAT_OK)
            return status;
        r->processors[r->worker_count++] = wc.processor;
    }
    return LEAT_OK;
}

static leat_status start_relay(struct leat_roles *r, struct leat_error *err)
{
    struct leat_relay_config rc = {.topology = r->c.topology,
                                   .store = &r->c.store,
                                   .instance_id = r->c.instance_id,
                                   .session_timeout_ms = r->c.session_timeout_ms};
    return leat_relay_start(&rc, &r->relay, err);
}

static leat_status start_projector(struct leat_roles *r, struct leat_error *err)
{
    struct leat_projector_config pc = {.topology = r->c.topology,
                                       .store = &r->c.store,
                                       .schemas = r->c.schemas,
                                       .data_dir = r->c.data_dir,
                                       .instance_id = r->c.instance_id,
                                       .session_timeout_ms = r->c.session_timeout_ms};
    return leat_projector_start(&pc, &r->projector, err);
}

/* Processes of one topology share its address, as the workers of one `leat run` do. Another
 * topology's would take half of each other's requests. */
static leat_status check_door(const struct leat_roles *r, struct leat_error *err)
{
    static const char label[] = "leat_build_info{topology=\"";
    const char *listen = r->c.listen != NULL                  ? r->c.listen
                         : r->c.topology->http.listen != NULL ? r->c.topology->http.listen
                                                              : LEAT_LISTEN_DEFAULT;
    struct leat_address at;
    struct leat_http_answer answer = {0};
    struct leat_error ignored = {0};
    struct leat_arena *arena = leat_arena_new(16 * 1024, 0);
    leat_status status = LEAT_OK;
    if (leat_address_parse(listen, &at, &ignored) == LEAT_OK &&
        leat_http_get(&at, "/metrics", DOOR_TIMEOUT_MS, arena, &answer, &ignored) == LEAT_OK) {
        const char *text = leat_arena_cstr(arena, answer.body), *name = strstr(text, label);
        size_t len = 0;
        if (name != NULL) {
            name += sizeof label - 1;
            len = strcspn(name, "\"");
        }
        if (len > 0 && !leat_str_eq((struct leat_str){name, (uint32_t)len}, r->c.topology->name)) {
            status = leat_fail(err, LEAT_INVALID, "'%s' is where leat answers for topology '%.*s'",
                               listen, (int)len, name);
            leat_error_hint(err, "Choose another address: --listen, or `listen` in the section "
                                 "http of the topology.");
        }
    }
    leat_arena_free(arena);
    return status;
}

static leat_status start_http(struct leat_roles *r, struct leat_error *err)
{
    LEAT_TRY(check_door(r, err), err, "listen");
    struct leat_http_config hc = {.topology = r->c.topology,
                                  .store = &r->c.store,
                                  .schemas = r->c.schemas,
                                  .data_dir = r->c.data_dir,
                                  .listen = r->c.listen,
                                  .metrics = leat_roles_metrics,
                                  .ready = leat_roles_ready,
                                  .details = leat_roles_details,
                                  .arg = r};
    return leat_http_start(&hc, &r->http, err);
}

static leat_status start_all(struct leat_roles *r, struct leat_error *err)
{
    /* Whoever takes something off another starts before it. */
    if (r->c.roles & LEAT_ROLE_RELAY)
        LEAT_TRY(start_relay(r, err), err, "relay");
    if (r->c.roles & LEAT_ROLE_PROJECTOR)
        LEAT_TRY(start_projector(r, err), err, "projector");
    if (r->c.roles & LEAT_ROLE_WORKER)
        LEAT_TRY(start_workers(r, err), err, "worker");
    if (r->c.roles & LEAT_ROLE_HTTP)
        LEAT_TRY(start_http(r, err), err, "http");
    return LEAT_OK;
}

leat_status leat_roles_start(const struct leat_roles_config *c, struct leat_roles **ret,
                             struct leat_error *err)
{
    struct leat_roles *r = calloc(1, sizeof *r);
    leat_assert(r != NULL);
    r->c = *c;
    r->started_ms = leat_now_ms();
    (void)pthread_rwlock_init(&r->relay_lock, NULL);
    leat_status status = start_all(r, err);
    if (status != LEAT_OK) {
        (void)leat_roles_stop(r);
        return status;
    }
    *ret = r;
    return LEAT_OK;
}

bool leat_roles_stop(struct leat_roles *r)
{
    if (r == NULL)
        return true;
    bool ended = true;
    leat_http_stop(r->http, r->c.stop_timeout_ms);
    for (size_t i = 0; i < r->worker_count; i++)
        ended &= leat_worker_stop(r->workers[i], r->c.stop_timeout_ms);
    leat_relay_stop(take_relay(r), r->c.stop_timeout_ms);
    leat_projector_stop(r->projector, r->c.stop_timeout_ms);
    if (!ended)
        return false;
    (void)pthread_rwlock_destroy(&r->relay_lock);
    free(r);
    return true;
}

int leat_roles_port(const struct leat_roles *r)
{
    return r->http == NULL ? 0 : leat_http_port(r->http);
}
