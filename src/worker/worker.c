#include "worker/worker.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "worker/worker_internal.h"

#define WORKER_JOIN_AGAIN_MS 500
#define WORKER_END_MS        2000 /* for an executor that was told to, and is not in a batch */

/* ---- callbacks on the group's thread ---- */

static bool stop_executors(struct leat_worker *w, int timeout_ms)
{
    bool all = true;
    int64_t until_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
    for (int32_t i = 0; i < w->executor_count; i++)
        (void)leat_executor_stop_all(w->executors[i], 0); /* all at once, then wait for each */
    for (int32_t i = 0; i < w->executor_count; i++) {
        int64_t left_ms = (until_us - leat_mono_us()) / 1000;
        if (leat_executor_stop_all(w->executors[i], left_ms < 1 ? 1 : (int)left_ms))
            continue;
        all = false;
        leat_log(LEAT_LOG_WARN, "worker", "drain-late",
                 "%s: executor %d did not finish its batch in time; the fence decides",
                 w->c.processor->name.at, i);
    }
    return all;
}

/* Of the ks assigned, those to be worked on. */
static const int32_t *wanted(const struct leat_worker *w, const int32_t *ks, size_t *n)
{
    if (w->c.only_k == NULL)
        return ks;
    size_t i = 0;
    while (i < *n && ks[i] != *w->c.only_k)
        i++;
    *n = i < *n ? 1 : 0;
    return ks + (*n == 1 ? i : 0);
}

static void on_assigned(void *arg, const int32_t *ks, size_t n)
{
    struct leat_worker *w = arg;
    ks = wanted(w, ks, &n);
    leat_log_kv(LEAT_LOG_INFO, "worker", "assigned",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("processor", w->c.processor->name),
                                LEAT_LOG_INT("partitions", n)),
                "Kafka assigned partitions");
    (void)pthread_mutex_lock(&w->mutex);
    leat_ownership_assigned(&w->ownership, ks, n);
    leat_worker_watch_assigned(w);
    w->joined = true;
    (void)pthread_mutex_unlock(&w->mutex);
    w->fresh = true;
}

static void on_revoked(void *arg, const int32_t *ks, size_t n, bool lost)
{
    struct leat_worker *w = arg;
    /* Well inside the session: a drain that takes longer is cut by the fence. */
    (void)stop_executors(w, lost ? 200 : w->session_timeout_ms / 2);
    (void)pthread_mutex_lock(&w->mutex);
    leat_ownership_revoked(&w->ownership, ks, n);
    (void)pthread_mutex_unlock(&w->mutex);
    leat_log_kv(LEAT_LOG_INFO, "worker", lost ? "lost" : "revoked",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("processor", w->c.processor->name),
                                LEAT_LOG_INT("partitions", n)),
                "Kafka took partitions away");
}

static void on_partition_error(void *arg, const char *topic, int32_t partition, const char *what)
{
    struct leat_worker *w = arg;
    leat_log_kv(LEAT_LOG_ERROR, "worker", "lane-stopped",
                LEAT_LOG_FIELDS(LEAT_LOG_CSTR("topic", topic), LEAT_LOG_INT("k", partition)),
                "reading can not go on: %s", what);
    for (size_t i = 0; i < w->lane_count; i++) {
        int32_t p;
        char room[256];
        const struct leat_flow_lane *l = &w->lanes[i];
        if (strcmp(leat_lane_topic(l, room, w->c.topology->partitions, &p), topic) == 0 &&
            p == partition)
            leat_executor_stop_lane(w->executors[l->k % w->executor_count], i, what);
    }
}

/* From executor threads: the group's thread looks after it at its next turn. */
static void on_lost(void *arg, int32_t k, int64_t epoch)
{
    struct leat_worker *w = arg;
    (void)pthread_mutex_lock(&w->mutex);
    leat_ownership_lost(&w->ownership, k, epoch);
    (void)pthread_mutex_unlock(&w->mutex);
}

/* ---- the group's thread ---- */

static leat_status join_group(struct leat_worker *w, struct leat_error *err)
{
    struct leat_group_config gc = {.kafka = w->kafka,
                                   .group = w->c.processor->group,
                                   .instance_id = w->c.instance_id,
                                   .anchor = w->anchor,
                                   .partitions = w->c.topology->partitions,
                                   .session_timeout_ms = w->session_timeout_ms};
    struct leat_group_events events = {on_assigned, on_revoked, on_partition_error, w};
    LEAT_TRY(leat_group_new(&gc, &events, &w->group, err), err, "processor '%s'",
             w->c.processor->name.at);
    for (int32_t i = 0; i < w->executor_count; i++)
        leat_executor_group(w->executors[i], w->group);
    return LEAT_OK;
}

/* False: an executor is still busy with records of the group, which therefore
 * can't be freed yet. */
static bool leave_group(struct leat_worker *w, bool leave, int timeout_ms)
{
    if (w->group == NULL)
        return true;
    if (!stop_executors(w, timeout_ms / 2 + 1))
        return false;
    for (int32_t i = 0; i < w->executor_count; i++)
        leat_executor_group(w->executors[i], NULL);
    leat_group_free(LEAT_TAKE(w->group), leave, timeout_ms);
    return true;
}

void leat_worker_rejoin(struct leat_worker *w)
{
    struct leat_error err = {0};
    if (!leave_group(w, true, w->session_timeout_ms))
        return; /* tried again at the next turn */
    (void)pthread_mutex_lock(&w->mutex);
    leat_ownership_rejoined(&w->ownership);
    (void)pthread_mutex_unlock(&w->mutex);
    leat_log(LEAT_LOG_WARN, "worker", "rejoin", "%s: the coordinator refuses us: joining anew",
             w->c.processor->name.at);
    if (join_group(w, &err) != LEAT_OK)
        leat_log_error(LEAT_LOG_ERROR, "worker", "rejoin-failed", &err);
}

/* The member is dead. Where another process has taken our instance id (both started with it, or it
 * is our replacement and we were only paused) two would end each other for ever: we go on without
 * one, and share the partitions. */
static void replace_member(struct leat_worker *w, const struct leat_error *why)
{
    leat_log_error(LEAT_LOG_ERROR, "worker", "member-ended", why);
    bool replaced = leat_group_replaced(w->group);
    if (!leave_group(w, false, w->session_timeout_ms))
        return; /* tried again at the next turn */
    if (replaced)
        w->c.instance_id = NULL;
    (void)pthread_mutex_lock(&w->mutex);
    leat_ownership_rejoined(&w->ownership);
    (void)pthread_mutex_unlock(&w->mutex);
}

static bool quitting(struct leat_worker *w)
{
    (void)pthread_mutex_lock(&w->mutex);
    bool quit = w->quit;
    (void)pthread_mutex_unlock(&w->mutex);
    return quit;
}

static void pause_before_next(struct leat_worker *w, int timeout_ms)
{
    struct timespec until = leat_sync_deadline(timeout_ms);
    (void)pthread_mutex_lock(&w->mutex);
    while (!w->quit && pthread_cond_timedwait(&w->changed, &w->mutex, &until) == 0)
        ;
    (void)pthread_mutex_unlock(&w->mutex);
}

static void *group_main(void *arg)
{
    struct leat_worker *w = arg;
    (void)pthread_setname_np(pthread_self(), "group");
    while (!quitting(w)) {
        struct leat_error err = {0};
        if (w->group == NULL && join_group(w, &err) != LEAT_OK) {
            leat_log_limited(LEAT_LOG_ERROR, "worker", "join-failed", "%s", err.msg);
            pause_before_next(w, WORKER_JOIN_AGAIN_MS);
            continue;
        }
        leat_status status = leat_group_poll(w->group, WORKER_POLL_MS, &err);
        if (status == LEAT_FATAL) {
            replace_member(w, &err);
            continue;
        }
        if (status != LEAT_OK)
            leat_log_limited(LEAT_LOG_WARN, "worker", "group", "%s", err.msg);
        leat_worker_acquire(w);
        leat_worker_clean(w);
        leat_worker_trim(w);
        leat_worker_watch(w);
    }
    if (!leave_group(w, true, w->stop_timeout_ms))
        leat_log(LEAT_LOG_ERROR, "worker", "stop-late", "%s: an executor is stuck",
                 w->c.processor->name.at);
    (void)pthread_mutex_lock(&w->mutex);
    w->ended = true;
    (void)pthread_cond_broadcast(&w->changed);
    (void)pthread_mutex_unlock(&w->mutex);
    return NULL;
}

/* ---- start and stop ---- */

/* False: an executor lives on, and all that it uses. */
static bool worker_done(struct leat_worker *w)
{
    bool ended = true;
    for (int32_t i = 0; i < w->executor_count; i++)
        ended &= leat_executor_free(w->executors[i], WORKER_END_MS);
    if (!ended)
        return false;
    leat_worker_clean_done(w);
    leat_worker_watch_done(w);
    leat_dispatch_free(w->dispatch);
    leat_keeper_free(w->keeper);
    leat_store_close(w->store);
    leat_admin_free(w->admin);
    leat_arena_free(w->arena);
    for (size_t i = 0; i < w->feed_count; i++)
        free(w->feeds[i].name);
    free(w->feeds);
    free(w->lanes);
    free(w->places);
    free(w->held);
    free(w->fence_of_k);
    free((void *)(uintptr_t)w->kafka.props);
    free(w->client_id);
    (void)pthread_cond_destroy(&w->changed);
    (void)pthread_mutex_destroy(&w->mutex);
    free(w);
    return true;
}

static void init_kafka(struct leat_worker *w)
{
    const struct leat_kafka_section *k = &w->c.topology->kafka;
    size_t n = (size_t)k->common.n + k->consumer.n;
    struct leat_kafka_prop *props = calloc(n + 1, sizeof *props);
    leat_assert(props != NULL);
    for (size_t i = 0; i < n; i++) {
        const struct leat_prop *p =
            i < k->common.n ? &k->common.at[i] : &k->consumer.at[i - k->common.n];
        props[i] = (struct leat_kafka_prop){p->name, p->value};
    }
    const char *who = w->c.instance_id == NULL ? "dynamic" : w->c.instance_id;
    if (asprintf(&w->client_id, "%s@%s", w->c.processor->group, who) < 0)
        w->client_id = NULL;
    w->kafka = (struct leat_kafka_config){props, n, w->client_id};
}

/* One waits for Postgres while another decides, so there are two at least; more than processors
 * make the batches smaller and nothing faster. */
int32_t leat_worker_executors(const struct leat_topology *t, const struct leat_processor *p,
                              int32_t asked)
{
    int64_t n = asked > 0 ? asked : p->threads;
    if (n <= 0) {
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        n = cpus < 2 ? 2 : cpus > 4 ? 4 : cpus;
    }
    n = n < t->partitions ? n : t->partitions;
    return (int32_t)(n < WORKER_EXECUTORS_MAX ? n : WORKER_EXECUTORS_MAX);
}

static leat_status start_executors(struct leat_worker *w, struct leat_error *err)
{
    int32_t n = leat_worker_executors(w->c.topology, w->c.processor, w->c.threads);
    for (int32_t i = 0; i < n; i++) {
        struct leat_executor_config ec = {
            .worker = &w->c, .dispatch = w->dispatch, .number = i, .lost = on_lost, .arg = w};
        LEAT_TRY(leat_executor_new(&ec, &w->executors[i], err), err, "executor %d", i);
        w->executor_count = i + 1;
    }
    return LEAT_OK;
}

static void on_circuit(void *arg, const struct leat_external_call *service,
                       const struct leat_breaker_change *change, int64_t now_ms)
{
    const struct leat_worker *w = arg;
    struct leat_log_field fields[] = {
        LEAT_LOG_STR("processor", w->c.processor->name),
        LEAT_LOG_STR("call", service->name),
        LEAT_LOG_CSTR("from", leat_breaker_state_name(change->from)),
        LEAT_LOG_CSTR("to", leat_breaker_state_name(change->to)),
        LEAT_LOG_INT("failures_in_a_row", change->in_a_row),
        LEAT_LOG_INT("failures_in_window", change->failures_in),
        LEAT_LOG_INT("calls_in_window", change->calls_in),
        LEAT_LOG_INT("again_in_ms", change->until_ms > now_ms ? change->until_ms - now_ms : 0),
        LEAT_LOG_END};
    leat_log_kv(change->to == LEAT_BREAKER_OPEN ? LEAT_LOG_WARN : LEAT_LOG_INFO, "worker",
                "circuit", fields, "the circuit of '%s' is %s: %s", service->name.at,
                leat_breaker_state_name(change->to),
                change->to == LEAT_BREAKER_OPEN
                    ? (change->from == LEAT_BREAKER_HALF_OPEN
                           ? "a trial failed"
                           : "its calls fail; what needs them waits, and nothing is dead for it")
                : change->to == LEAT_BREAKER_CLOSED ? "it works again"
                                                    : "a few calls are let through to see");
}

static void keep_effects(struct leat_worker *w)
{
    const struct leat_processor *p = w->c.processor;
    bool any = false;
    for (uint32_t i = 0; i < p->n_calls; i++)
        any = any || p->calls[i].effects == LEAT_EFFECTS_CLAIM;
    if (!any)
        return;
    struct leat_keeper_config c = {
        .store = w->c.store,
        .processor = p->name,
        .connections = leat_worker_executors(w->c.topology, p, w->c.threads) * (int)p->concurrency};
    w->keeper = leat_keeper_new(&c);
    struct leat_effect_keeper functions = leat_keeper_functions(w->keeper);
    leat_dispatch_keep_effects(w->dispatch, &functions);
}

static leat_status init(struct leat_worker *w, struct leat_error *err)
{
    size_t n = (size_t)w->c.topology->partitions;
    w->held = calloc(n, sizeof *w->held);
    w->fence_of_k = calloc(n, sizeof *w->fence_of_k);
    leat_assert(w->held != NULL && w->fence_of_k != NULL);
    leat_buf_init(&w->cleaning.after, WORKER_STREAM_MAX);
    leat_ownership_init(&w->ownership, w->held, w->c.topology->partitions);
    leat_worker_watch_new(w);
    w->arena = leat_arena_new(64 * 1024, 1024 * 1024);
    w->session_timeout_ms = w->c.session_timeout_ms > 0 ? w->c.session_timeout_ms : 6000;
    init_kafka(w);
    LEAT_TRY(leat_dispatch_new(w->c.topology, w->c.processor, w->c.schemas, &w->dispatch, err), err,
             "start");
    leat_dispatch_on_circuit(w->dispatch, on_circuit, w);
    keep_effects(w);
    LEAT_TRY(leat_store_open(w->c.store, &w->store, err), err, "store");
    LEAT_TRY(leat_admin_new(&w->kafka, &w->admin, err), err, "Kafka");
    LEAT_TRY(leat_worker_feeds(w, err), err, "processor '%s'", w->c.processor->name.at);
    leat_admin_free(LEAT_TAKE(w->admin)); /* three threads that would idle */
    w->places = calloc(w->feed_count * n + 1, sizeof *w->places);
    leat_assert(w->places != NULL);
    return start_executors(w, err);
}

leat_status leat_worker_start(const struct leat_worker_config *c, struct leat_worker **ret,
                              struct leat_error *err)
{
    struct leat_worker *w = calloc(1, sizeof *w);
    leat_assert(w != NULL);
    w->c = *c;
    leat_sync_init(&w->mutex, &w->changed);
    leat_status status = init(w, err);
    if (status == LEAT_OK)
        status = leat_thread_start(&w->thread, group_main, w, err);
    if (status != LEAT_OK) {
        (void)worker_done(w); /* no handler has run yet */
        return status;
    }
    *ret = w;
    return LEAT_OK;
}

bool leat_worker_stop(struct leat_worker *w, int timeout_ms)
{
    if (w == NULL)
        return true;
    struct timespec until = leat_sync_deadline(timeout_ms + 1000);
    (void)pthread_mutex_lock(&w->mutex);
    w->stop_timeout_ms = timeout_ms;
    w->quit = true;
    (void)pthread_cond_broadcast(&w->changed);
    while (!w->ended && pthread_cond_timedwait(&w->changed, &w->mutex, &until) == 0)
        ;
    bool ended = w->ended;
    (void)pthread_mutex_unlock(&w->mutex);
    if (!ended) {
        leat_log(LEAT_LOG_ERROR, "worker", "stop-late", "%s did not stop in %d ms",
                 w->c.processor->name.at, timeout_ms);
        (void)pthread_detach(w->thread);
        return false;
    }
    (void)pthread_join(w->thread, NULL);
    return worker_done(w);
}

void leat_worker_figures(struct leat_worker *w, struct leat_worker_figures *ret)
{
    *ret = (struct leat_worker_figures){0};
    for (int32_t i = 0; i < w->executor_count; i++)
        leat_executor_figures(w->executors[i], ret);
    (void)pthread_mutex_lock(&w->mutex);
    for (int32_t k = 0; k < w->c.topology->partitions; k++) {
        ret->ks_owned += w->held[k].hold == LEAT_HOLD_OWNED;
    }
    ret->joined = w->joined;
    (void)pthread_mutex_unlock(&w->mutex);
    leat_worker_stalled(w, ret);
}

void leat_worker_circuit(struct leat_worker *w, uint32_t call, struct leat_breaker_figures *ret)
{
    leat_dispatch_circuit(w->dispatch, call, ret);
}
