#include "cli/roles.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "cli/circuits.h"
#include "projection/projection.h"
#include "query/query.h"
#include "relay/relay.h"
#include "worker/registry.h"
#include "worker/worker.h"

#define ROLES_WORKERS_MAX 64
#define ROLES_CACHE_BYTES (24u << 20)

struct leat_roles {
    struct leat_roles_config c;
    struct leat_relay *relay;
    struct leat_projector *projector;
    struct leat_worker *workers[ROLES_WORKERS_MAX];
    const struct leat_processor *processors[ROLES_WORKERS_MAX];
    size_t worker_count;
    struct leat_http *http;
    int64_t started_ms;
};

static void on_appended(void *arg, const struct leat_batch *batch, const struct leat_reply *reply)
{
    struct leat_roles *r = arg;
    leat_relay_offer(r->relay, batch, reply);
}

/* ---- metrics and readiness ---- */

struct metric {
    const char *name, *type, *help;
    size_t offset; /* uint64_t in leat_worker_figures */
};

#define FIGURE(field) offsetof(struct leat_worker_figures, field)
static const struct metric worker_metrics[] = {
    {"leat_commands_total", "counter", "Commands settled", FIGURE(commands)},
    {"leat_accepted_total", "counter", "Commands accepted", FIGURE(accepted)},
    {"leat_rejected_total", "counter", "Commands rejected by a handler", FIGURE(rejected)},
    {"leat_dead_total", "counter", "Messages that can never be handled", FIGURE(dead)},
    {"leat_forwarded_total", "counter", "Records forwarded to their partition", FIGURE(forwarded)},
    {"leat_duplicates_total", "counter", "Commands already known", FIGURE(duplicates)},
    {"leat_conflicts_total", "counter", "Commands decided again", FIGURE(conflicts)},
    {"leat_retries_total", "counter", "Answers retry: the lane was held", FIGURE(retries)},
    {"leat_fenced_total", "counter", "Commands left to another owner", FIGURE(fenced)},
    {"leat_events_total", "counter", "Events appended", FIGURE(events)},
    {"leat_batches_total", "counter", "Batches decided", FIGURE(batches)},
    {"leat_folded_total", "counter", "Events read to load states", FIGURE(folded)},
    {"leat_snapshots_total", "counter", "States kept as snapshots", FIGURE(snapshots)},
    {"leat_snapshots_damaged_total", "counter", "Snapshots that could not be used",
     FIGURE(snapshots_damaged)},
    {"leat_store_write_trips_total", "counter", "Write round trips to Postgres",
     FIGURE(write_trips)},
    {"leat_store_read_trips_total", "counter", "Read round trips to Postgres", FIGURE(read_trips)},
};

static void put_value(struct leat_buf *out, const char *topology, const char *metric,
                      const char *label, const char *value, int64_t number)
{
    leat_buf_printf(out, "%s{topology=\"%s\"", metric, topology);
    if (label != NULL)
        leat_buf_printf(out, ",%s=\"%s\"", label, value);
    leat_buf_printf(out, "} %lld\n", (long long)number);
}

static void put_head(struct leat_buf *out, const char *name, const char *type, const char *help)
{
    leat_buf_printf(out, "# HELP %s %s.\n# TYPE %s %s\n", name, help, name, type);
}

static void put_workers(struct leat_roles *r, struct leat_buf *out)
{
    struct leat_worker_figures f[ROLES_WORKERS_MAX];
    const char *topology = r->c.topology->name.at;
    for (size_t i = 0; i < r->worker_count; i++)
        leat_worker_figures(r->workers[i], &f[i]);
    for (size_t m = 0; m < sizeof worker_metrics / sizeof worker_metrics[0]; m++) {
        const struct metric *metric = &worker_metrics[m];
        put_head(out, metric->name, metric->type, metric->help);
        for (size_t i = 0; i < r->worker_count; i++) {
            uint64_t value;
            memcpy(&value, (const char *)&f[i] + metric->offset, sizeof value);
            put_value(out, topology, metric->name, "processor", r->processors[i]->name.at,
                      (int64_t)value);
        }
    }
    put_head(out, "leat_partitions_owned", "gauge", "Partitions this process may write");
    for (size_t i = 0; i < r->worker_count; i++) {
        put_value(out, topology, "leat_partitions_owned", "processor", r->processors[i]->name.at,
                  f[i].ks_owned);
    }
    put_head(out, "leat_lanes_stopped", "gauge", "Lanes that do not flow until somebody looks");
    for (size_t i = 0; i < r->worker_count; i++) {
        put_value(out, topology, "leat_lanes_stopped", "processor", r->processors[i]->name.at,
                  f[i].lanes_stopped);
    }
    put_head(out, "leat_lanes_held", "gauge", "Lanes held by a message that answered retry");
    for (size_t i = 0; i < r->worker_count; i++) {
        put_value(out, topology, "leat_lanes_held", "processor", r->processors[i]->name.at,
                  f[i].lanes_held);
    }
}

static void put_one(struct leat_roles *r, struct leat_buf *out, const struct metric *m,
                    int64_t value)
{
    put_head(out, m->name, m->type, m->help);
    put_value(out, r->c.topology->name.at, m->name, NULL, NULL, value);
}

static void put_relay(struct leat_roles *r, struct leat_buf *out)
{
    struct leat_relay_figures f = {0};
    leat_relay_figures(r->relay, &f);
    put_one(r, out, &(struct metric){"leat_relay_events_total", "counter", "Events published", 0},
            (int64_t)f.events);
    put_one(r, out,
            &(struct metric){"leat_relay_commands_total", "counter", "Outbox records published", 0},
            (int64_t)f.commands);
    put_one(r, out,
            &(struct metric){"leat_relay_store_reads_total", "counter", "Reads of the store", 0},
            (int64_t)f.store_reads);
    put_one(r, out, &(struct metric){"leat_relay_slices", "gauge", "Slices published here", 0},
            f.slices_owned);
}

static void put_projector(struct leat_roles *r, struct leat_buf *out)
{
    struct leat_projector_figures f = {0};
    leat_projector_figures(r->projector, &f);
    put_one(r, out,
            &(struct metric){"leat_projected_total", "counter", "Events applied to read models", 0},
            (int64_t)f.applied);
    put_one(
        r, out,
        &(struct metric){"leat_projection_dropped_total", "counter", "Copies dropped by seq", 0},
        (int64_t)f.dropped);
    put_one(r, out,
            &(struct metric){"leat_projection_repaired_total", "counter",
                             "Events taken from the store instead of the topic", 0},
            (int64_t)f.repaired);
    put_one(r, out,
            &(struct metric){"leat_projection_lag", "gauge", "Published, not yet applied", 0},
            f.lag);
}

static void put_label(struct leat_buf *out, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\')
            leat_buf_putc(out, '\\');
        leat_buf_put(out, *text == '\n' ? " " : text, 1);
    }
}

static void put_one_stopped(struct leat_roles *r, struct leat_buf *out, const char *who,
                            const char *why)
{
    leat_buf_printf(out, "leat_stopped{topology=\"%s\",who=\"%s\",why=\"", r->c.topology->name.at,
                    who);
    put_label(out, why);
    leat_buf_puts(out, "\"} 1\n");
}

/* Nothing when all flows: the reason is a label. */
static void put_stopped(struct leat_roles *r, struct leat_buf *out)
{
    struct leat_relay_figures rf = {0};
    put_head(out, "leat_stopped", "gauge", "What does not flow until somebody looks, and why");
    for (size_t i = 0; i < r->worker_count; i++) {
        struct leat_worker_figures f;
        leat_worker_figures(r->workers[i], &f);
        if (f.why[0] != 0)
            put_one_stopped(r, out, r->processors[i]->name.at, f.why);
    }
    if (r->relay != NULL)
        leat_relay_figures(r->relay, &rf);
    if (rf.stopped != NULL)
        put_one_stopped(r, out, "relay", rf.stopped);
}

/* Each processor's longest held lane; the value is for how long. */
static void put_held(struct leat_roles *r, struct leat_buf *out)
{
    put_head(out, "leat_held_seconds", "gauge", "A message that answered retry holds its lane");
    for (size_t i = 0; i < r->worker_count; i++) {
        struct leat_worker_figures f;
        leat_worker_figures(r->workers[i], &f);
        if (f.lanes_held == 0)
            continue;
        leat_buf_printf(out, "leat_held_seconds{topology=\"%s\",who=\"%s\",what=\"",
                        r->c.topology->name.at, r->processors[i]->name.at);
        put_label(out, f.held);
        leat_buf_puts(out, "\",why=\"");
        put_label(out, f.held_text);
        leat_buf_printf(out, "\"} %lld\n", (long long)(leat_now_ms() - f.held_since_ms) / 1000);
    }
}

static void put_build(struct leat_roles *r, struct leat_buf *out)
{
    put_head(out, "leat_build_info", "gauge", "The version that runs");
    leat_buf_printf(out, "leat_build_info{topology=\"%s\",version=\"%s\"} 1\n",
                    r->c.topology->name.at, leat_build_version());
}

static void metrics(void *arg, struct leat_buf *out)
{
    struct leat_roles *r = arg;
    put_build(r, out);
    put_stopped(r, out);
    put_held(r, out);
    if (r->worker_count > 0)
        put_workers(r, out);
    leat_circuits_metrics(r->c.topology, r->workers, r->processors, r->worker_count, out);
    if (r->relay != NULL)
        put_relay(r, out);
    if (r->projector != NULL)
        put_projector(r, out);
    put_one(r, out, &(struct metric){"leat_uptime_seconds", "gauge", "Since the start", 0},
            (leat_now_ms() - r->started_ms) / 1000);
}

static const char *ready(void *arg)
{
    struct leat_roles *r = arg;
    struct leat_relay_figures rf = {0};
    struct leat_projector_figures pf = {0};
    if (r->relay != NULL) {
        leat_relay_figures(r->relay, &rf);
        if (rf.stopped != NULL)
            return rf.stopped;
        if (!rf.joined || rf.slices_acquiring > 0)
            return "the relay is acquiring its slices";
    }
    if (r->projector != NULL && r->c.topology->n_projections > 0) {
        leat_projector_figures(r->projector, &pf);
        if (pf.lag < 0)
            return "the projector has not yet compared itself with the store";
    }
    for (size_t i = 0; i < r->worker_count; i++) {
        struct leat_worker_figures f;
        leat_worker_figures(r->workers[i], &f);
        if (f.lanes_stopped > 0) {
            static _Thread_local char why[400];
            (void)snprintf(why, sizeof why, "processor '%s': %s", r->processors[i]->name.at,
                           f.why[0] != 0 ? f.why : "a lane is stopped: see the log and leat lag");
            return why;
        }
        if (!f.joined || f.ks_acquiring > 0)
            return "a processor is acquiring its partitions";
    }
    return NULL;
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
                                       .data_dir = r->c.data_dir};
    return leat_projector_start(&pc, &r->projector, err);
}

static leat_status start_http(struct leat_roles *r, struct leat_error *err)
{
    struct leat_http_config hc = {.topology = r->c.topology,
                                  .store = &r->c.store,
                                  .schemas = r->c.schemas,
                                  .data_dir = r->c.data_dir,
                                  .listen = r->c.listen,
                                  .metrics = metrics,
                                  .ready = ready,
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
    leat_status status = start_all(r, err);
    if (status != LEAT_OK) {
        leat_roles_stop(r);
        return status;
    }
    *ret = r;
    return LEAT_OK;
}

void leat_roles_stop(struct leat_roles *r)
{
    if (r == NULL)
        return;
    leat_http_stop(r->http, r->c.stop_timeout_ms);
    for (size_t i = 0; i < r->worker_count; i++)
        leat_worker_stop(r->workers[i], r->c.stop_timeout_ms);
    leat_relay_stop(r->relay, r->c.stop_timeout_ms);
    leat_projector_stop(r->projector, r->c.stop_timeout_ms);
    free(r);
}

int leat_roles_port(const struct leat_roles *r)
{
    return r->http == NULL ? 0 : leat_http_port(r->http);
}

void leat_roles_line(struct leat_roles *r, char *ret, size_t room)
{
    struct leat_worker_figures sum = {0};
    struct leat_relay_figures rf = {0};
    struct leat_projector_figures pf = {0};
    for (size_t i = 0; i < r->worker_count; i++) {
        struct leat_worker_figures f;
        leat_worker_figures(r->workers[i], &f);
        sum.commands += f.commands;
        sum.events += f.events;
        sum.dead += f.dead;
    }
    if (r->relay != NULL)
        leat_relay_figures(r->relay, &rf);
    if (r->projector != NULL)
        leat_projector_figures(r->projector, &pf);
    (void)snprintf(ret, room,
                   "commands %llu, events %llu, dead %llu, published %llu, projected %llu",
                   (unsigned long long)sum.commands, (unsigned long long)sum.events,
                   (unsigned long long)sum.dead, (unsigned long long)rf.events,
                   (unsigned long long)pf.applied);
}
