#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "worker/executor_internal.h"

#define EXECUTOR_IDLE_MS     1000
#define EXECUTOR_COMMIT_MS   5000
#define EXECUTOR_CACHE_BYTES (8u << 20)
#define EXECUTOR_BATCH_MAX   2000
#define EXECUTOR_SMALL       64
#define EXECUTOR_DISTANCE_US 5000

/* For distances in time: the wall clock may step. */
static int64_t mono_ms(void)
{
    return leat_mono_us() / 1000;
}

/* ---- intake ---- */

static size_t take_lane(struct leat_executor *e, size_t lane, int64_t now_ms)
{
    struct leat_record records[EXECUTOR_TAKE_MAX];
    struct leat_incoming in[EXECUTOR_TAKE_MAX];
    int32_t quota = leat_flow_quota(e->flow, lane, now_ms);
    if (quota <= 0)
        return 0;
    size_t max = (size_t)quota < EXECUTOR_TAKE_MAX ? (size_t)quota : EXECUTOR_TAKE_MAX;
    size_t n = leat_group_take(e->group, e->group_lane[lane], records, max);
    for (size_t i = 0; i < n; i++)
        in[i] = (struct leat_incoming){.offset = records[i].offset,
                                       .timestamp_ms = records[i].timestamp_ms,
                                       .key = records[i].key,
                                       .value = records[i].value,
                                       .key_null = records[i].key_null,
                                       .value_null = records[i].value_null,
                                       .handle = records[i].handle};
    if (n == max)
        e->more = true;
    if (n > 0 && !e->started) {
        e->started = true;
        leat_log_kv(LEAT_LOG_INFO, "worker", "first-record",
                    LEAT_LOG_FIELDS(LEAT_LOG_INT("mono_us", leat_mono_us()),
                                    LEAT_LOG_INT("executor", e->c.number)),
                    "first record taken");
    }
    if (n > 0 && !leat_flow_offer(e->flow, lane, in, n, now_ms))
        leat_log_kv(LEAT_LOG_ERROR, "worker", "lane-stopped",
                    LEAT_LOG_FIELDS(LEAT_LOG_CSTR("topic", leat_flow_lane(e->flow, lane)->topic),
                                    LEAT_LOG_INT("k", leat_flow_lane(e->flow, lane)->k)),
                    "%s", leat_flow_lane_stopped(e->flow, lane));
    return n;
}

static void take_all(struct leat_executor *e)
{
    int64_t now_ms = leat_now_ms();
    e->more = false;
    for (size_t i = 0; i < leat_flow_lane_count(e->flow); i++)
        (void)take_lane(e, i, now_ms);
}

/* ---- one batch ---- */

void leat_executor_give_back_lost(struct leat_executor *e)
{
    int64_t epoch = 0;
    for (int32_t k = leat_flow_lost(e->flow, &epoch); k >= 0; k = leat_flow_lost(e->flow, &epoch))
        e->c.lost(e->c.arg, k, epoch);
}

/* The store is away or a call's outcome is unknown: nothing is dead-lettered; the ks are acquired
 * again, which settles what the call did. */
static void store_trouble(struct leat_executor *e, const struct leat_error *err)
{
    leat_log_error(LEAT_LOG_WARN, "worker", "store-trouble", err);
    leat_executor_trouble(e, err);
    leat_flow_unknown(e->flow);
    leat_executor_give_back_lost(e);
    int64_t wait = 50LL << (e->failures < 5 ? e->failures : 5);
    e->failures++;
    e->retry_at_ms = mono_ms() + wait;
}

/* A server that answers now may lack the last commits of the one before, and its heads and versions
 * with them: nothing that is kept of it can be believed. */
void leat_executor_start_over(struct leat_executor *e)
{
    for (int32_t k = 0; k < e->c.worker->topology->partitions; k++)
        if (leat_flow_epoch(e->flow, k) > 0)
            leat_flow_lose(e->flow, k);
    leat_executor_give_back_lost(e);
}

bool leat_executor_connected(struct leat_executor *e)
{
    struct leat_error err = {0};
    if (leat_store_connected(e->store))
        return true;
    leat_executor_doing(e, LEAT_DOING_STORE);
    bool there = leat_store_reconnect(e->store, &err) == LEAT_OK;
    leat_executor_away(e, !there);
    leat_executor_doing(e, there ? LEAT_DOING_NOTHING : LEAT_DOING_STORE);
    if (there)
        leat_executor_start_over(e);
    else
        store_trouble(e, &err);
    return false; /* either way there is nothing to go on with */
}

static leat_status load(struct leat_executor *e, bool locked, struct leat_error *err)
{
    const struct leat_stream_want *wants = NULL;
    size_t n = 0;
    leat_flow_wants(e->flow, leat_now_ms(), &wants, &n);
    if (locked)
        LEAT_TRY(leat_store_lock(e->store, leat_flow_locks(e->flow), err), err, "lock");
    while (n > 0) {
        struct leat_loaded loaded = {0};
        LEAT_TRY(leat_store_load(e->store, wants, n, e->arena, &loaded, err), err, "load");
        leat_flow_loaded(e->flow, &loaded);
        leat_flow_wants_again(e->flow, &wants, &n);
        for (size_t i = 0; i < n; i++)
            leat_log_limited_kv(LEAT_LOG_WARN, "worker", "snapshot-damaged",
                                LEAT_LOG_FIELDS(LEAT_LOG_STR("stream", wants[i].stream),
                                                LEAT_LOG_INT("slice", wants[i].k)),
                                "its snapshot can not be used: the stream is folded from its "
                                "events");
    }
    return LEAT_OK;
}

static void log_held(struct leat_executor *e, int64_t now_ms)
{
    for (size_t i = 0; i < leat_flow_lane_count(e->flow); i++) {
        const struct leat_flow_lane *lane = leat_flow_lane(e->flow, i);
        const struct leat_flow_hold *h = leat_flow_held(e->flow, i);
        char id[LEAT_UUID_TEXT], room[256];
        int32_t partition = 0;
        if (h == NULL || h->until_ms <= now_ms)
            continue;
        leat_uuid_format(&h->id, id);
        const char *topic =
            leat_lane_topic(lane, room, e->c.worker->topology->partitions, &partition);
        leat_log_limited_kv(
            LEAT_LOG_WARN, "worker", "lane-held",
            LEAT_LOG_FIELDS(LEAT_LOG_STR("processor", e->c.worker->processor->name),
                            LEAT_LOG_CSTR("topic", topic), LEAT_LOG_INT("partition", partition),
                            LEAT_LOG_INT("offset", h->offset), LEAT_LOG_CSTR("key", h->key),
                            LEAT_LOG_CSTR("id", id), LEAT_LOG_INT("attempt", h->attempt),
                            LEAT_LOG_INT("held_ms", now_ms - h->since_ms),
                            LEAT_LOG_INT("again_in_ms", h->until_ms - now_ms)),
            "a message that can not be handled now holds its lane: %s", h->text);
    }
}

/* What a handler said who answered retry; the store shows the last of it, too. */
static void log_retries(const struct leat_batch *batch, int64_t now_ms)
{
    for (size_t i = 0; i < batch->wait_count; i++) {
        const struct leat_waiting_row *row = &batch->waits[i].row;
        char id[LEAT_UUID_TEXT];
        bool waits = batch->waits[i].op == LEAT_WAIT_PUT || batch->waits[i].op == LEAT_WAIT_AGAIN;
        if (!waits || row->reason != LEAT_WAIT_RETRY)
            continue;
        leat_uuid_format(&row->id, id);
        leat_log_limited_kv(LEAT_LOG_WARN, "worker", "retry",
                            LEAT_LOG_FIELDS(LEAT_LOG_STR("processor", batch->processor),
                                            LEAT_LOG_STR("type", row->type),
                                            LEAT_LOG_STR("key", row->key), LEAT_LOG_CSTR("id", id),
                                            LEAT_LOG_INT("attempt", row->attempt),
                                            LEAT_LOG_INT("again_in_ms", row->due_ms - now_ms)),
                            "%.*s", LEAT_STR_FMT(row->error));
    }
}

static leat_status append(struct leat_executor *e, const struct leat_batch *batch,
                          struct leat_error *err)
{
    struct leat_reply reply = {0};
    LEAT_TRY(leat_store_append(e->store, batch, e->arena, &reply, err), err, "append");
    if (e->c.worker->appended != NULL)
        e->c.worker->appended(e->c.worker->arg, batch, &reply);
    int64_t now_ms = leat_now_ms();
    log_retries(batch, now_ms); /* before the records are let go */
    leat_flow_replied(e->flow, &reply, now_ms);
    leat_executor_trouble(e, NULL);
    leat_executor_acquit(e);
    e->failures = 0;
    return LEAT_OK;
}

static void run_batch(struct leat_executor *e, bool locked)
{
    struct leat_error err = {0};
    leat_executor_watch(e);
    if (!leat_executor_connected(e))
        return;
    leat_arena_reset(e->arena);
    leat_executor_doing(e, LEAT_DOING_STORE);
    leat_status status = load(e, locked, &err);
    if (status == LEAT_OK) {
        int64_t now_ms = leat_now_ms();
        leat_executor_doing(e, LEAT_DOING_HANDLERS);
        const struct leat_batch *batch = leat_flow_decide(e->flow, now_ms);
        log_held(e, now_ms);
        if (batch == NULL && locked)
            leat_store_abort(e->store);
        e->batch_us = leat_mono_us();
        e->small = batch != NULL && batch->command_count < EXECUTOR_SMALL;
        leat_executor_doing(e, batch != NULL ? LEAT_DOING_STORE : LEAT_DOING_NOTHING);
        if (batch != NULL)
            status = append(e, batch, &err);
    }
    if (status != LEAT_OK)
        store_trouble(e, &err);
    leat_executor_give_back_lost(e);
    leat_released_free(&e->released);
    leat_executor_publish(e);
}

/* ---- events lanes: what the topic lacks comes from the store ---- */

static leat_status fill_hole(struct leat_executor *e, size_t lane, int64_t from, int64_t to,
                             struct leat_error *err)
{
    struct leat_stored_event *events = NULL;
    size_t n = 0;
    leat_arena_reset(e->arena);
    struct leat_store_page page = {.slice = leat_flow_lane(e->flow, lane)->k,
                                   .after = from - 1,
                                   .upto = to,
                                   .limit = EXECUTOR_TAKE_MAX};
    LEAT_TRY(leat_store_slice(e->store, &page, e->arena, &events, &n, err), err, "missing events");
    if (n == 0)
        return leat_fail(err, LEAT_RETRY, "the store has no event with seq %lld yet",
                         (long long)from);
    struct leat_incoming *in = leat_arena_alloc(e->arena, n * sizeof *in);
    for (size_t i = 0; i < n; i++)
        in[i] = leat_fetched_new(&events[i]);
    leat_flow_fill(e->flow, lane, in, n);
    return LEAT_OK;
}

static bool fill_holes(struct leat_executor *e)
{
    struct leat_error err = {0};
    size_t lane;
    int64_t from, to;
    while (leat_flow_hole(e->flow, &lane, &from, &to)) {
        if (!leat_executor_connected(e))
            return false;
        leat_executor_doing(e, LEAT_DOING_STORE);
        if (fill_hole(e, lane, from, to, &err) != LEAT_OK) {
            store_trouble(e, &err);
            return false;
        }
        leat_executor_doing(e, LEAT_DOING_NOTHING);
    }
    return true;
}

/* ---- the waiting room: what is due comes from the store, too ---- */

static leat_status fetch(struct leat_executor *e, const struct leat_waiting_ref *due, size_t n,
                         struct leat_error *err)
{
    struct leat_waiting_rows rows = {0};
    leat_arena_reset(e->arena);
    leat_executor_doing(e, LEAT_DOING_STORE);
    struct leat_waiting_ask ask = {.processor = e->c.worker->processor->name, .refs = due, .n = n};
    LEAT_TRY(leat_store_waiting_rows(e->store, &ask, e->arena, &rows, err), err,
             "waiting messages");
    leat_executor_doing(e, LEAT_DOING_NOTHING);
    struct leat_flow_waiter *found = leat_arena_alloc(e->arena, (rows.n + 1) * sizeof *found);
    for (size_t i = 0; i < rows.n; i++)
        found[i] = leat_waiter_new(&rows.at[i], rows.asked[i]);
    leat_flow_fetched(e->flow, due, n, found, rows.n);
    return LEAT_OK;
}

static bool fetch_due(struct leat_executor *e)
{
    struct leat_error err = {0};
    size_t n = leat_flow_due(e->flow, leat_now_ms(), e->due, EXECUTOR_TAKE_MAX);
    if (n == 0)
        return true;
    if (leat_executor_connected(e) && fetch(e, e->due, n, &err) == LEAT_OK)
        return true;
    /* What is on hand has not come: as if its ks were new. */
    for (size_t i = 0; i < n; i++)
        leat_flow_lose(e->flow, e->due[i].k);
    if (err.status != LEAT_OK)
        store_trouble(e, &err);
    leat_executor_give_back_lost(e);
    return false;
}

/* At an idle end nobody sees that a record is missing: ask how far the slices are published. */
static void check_tails(struct leat_executor *e)
{
    struct leat_error err = {0};
    int64_t now_ms = mono_ms();
    if (now_ms < e->tail_due_ms || !leat_store_connected(e->store))
        return;
    e->tail_due_ms = now_ms + EXECUTOR_IDLE_MS;
    leat_arena_reset(e->arena);
    size_t lanes = leat_flow_lane_count(e->flow), n = 0;
    int32_t *ks = leat_arena_alloc(e->arena, (lanes + 1) * sizeof *ks);
    size_t *lane = leat_arena_alloc(e->arena, (lanes + 1) * sizeof *lane);
    for (size_t i = 0; i < lanes; i++) {
        const struct leat_flow_lane *l = leat_flow_lane(e->flow, i);
        if (l == NULL || l->kind != LEAT_LANE_EVENTS)
            continue;
        ks[n] = l->k;
        lane[n++] = i;
    }
    struct leat_published *published = NULL;
    if (n == 0)
        return;
    if (leat_store_published(e->store, ks, n, e->arena, &published, &err) != LEAT_OK) {
        leat_log_limited(LEAT_LOG_WARN, "worker", "tail-check", "%s", err.msg);
        return;
    }
    for (size_t i = 0; i < n; i++)
        leat_flow_tail(e->flow, lane[i], published[i].seq);
}

/* ---- the thread ---- */

static void commit_offsets(struct leat_executor *e)
{
    int64_t now_ms = mono_ms();
    if (now_ms < e->commit_due_ms || e->group == NULL)
        return;
    e->commit_due_ms = now_ms + EXECUTOR_COMMIT_MS;
    size_t lanes = leat_flow_lane_count(e->flow), n = 0;
    leat_arena_reset(e->arena);
    struct leat_position *at = leat_arena_alloc(e->arena, (lanes + 1) * sizeof *at);
    for (size_t i = 0; i < lanes; i++) {
        const struct leat_flow_lane *l = leat_flow_lane(e->flow, i);
        if (l == NULL)
            continue;
        char *room = leat_arena_alloc(e->arena, LANE_TOPIC_MAX);
        at[n].topic = leat_lane_topic(l, room, e->c.worker->topology->partitions, &at[n].partition);
        at[n++].offset = leat_flow_committed(e->flow, i);
    }
    if (n > 0)
        leat_group_commit_async(e->group, at, n);
}

static void wait_for_work(struct leat_executor *e)
{
    int64_t due = leat_flow_due_ms(e->flow), retry_in_ms = e->retry_at_ms - mono_ms();
    int64_t wait = retry_in_ms > 0 ? retry_in_ms : due - leat_now_ms();
    wait = wait < 0 ? 0 : wait > EXECUTOR_IDLE_MS ? EXECUTOR_IDLE_MS : wait;
    struct pollfd fd = {.fd = e->wake_fd, .events = POLLIN};
    (void)poll(&fd, 1, (int)wait);
}

static void clear_wake(struct leat_executor *e)
{
    uint64_t count;
    ssize_t n = read(e->wake_fd, &count, sizeof count);
    (void)n; /* EAGAIN: nobody had rung */
}

/* A batch of two costs Postgres and its disk as much as one of twenty: small ones keep a distance,
 * so that at a moderate rate commits are shared. A command that comes alone does not wait. */
static void keep_distance(struct leat_executor *e)
{
    int64_t since_us = leat_mono_us() - e->batch_us;
    if (e->small && since_us < EXECUTOR_DISTANCE_US)
        (void)poll(NULL, 0, (int)((EXECUTOR_DISTANCE_US - since_us + 999) / 1000));
}

static void *executor_main(void *arg)
{
    struct leat_executor *e = arg;
    char name[16];
    (void)snprintf(name, sizeof name, "exec-%d", e->c.number);
    (void)pthread_setname_np(pthread_self(), name);
    for (;;) {
        bool locked = false;
        clear_wake(e); /* first: who rings after we have looked must be heard */
        if (!leat_executor_obey(e))
            break;
        if (e->group == NULL || mono_ms() < e->retry_at_ms) {
            wait_for_work(e);
            continue;
        }
        leat_executor_standing(e);
        bool again = leat_flow_again(e->flow, &locked);
        if (!again) {
            keep_distance(e);
            take_all(e);
        }
        if (!fill_holes(e) || !fetch_due(e))
            continue;
        if (again || leat_flow_ready(e->flow, leat_now_ms()))
            run_batch(e, locked);
        else if (!e->more) {
            check_tails(e);
            leat_executor_publish(e);
            wait_for_work(e);
        }
        commit_offsets(e);
    }
    leat_executor_obey_stop(e);
    (void)pthread_mutex_lock(&e->mutex);
    e->ended = true;
    (void)pthread_cond_broadcast(&e->changed);
    (void)pthread_mutex_unlock(&e->mutex);
    return NULL;
}

/* Somebody registered a schema since this process started. */
static leat_status refresh_schemas(void *arg)
{
    struct leat_executor *e = arg;
    struct leat_error err = {0};
    struct leat_schema_row *rows = NULL;
    struct leat_arena *arena = leat_arena_new(64 * 1024, 0);
    size_t n = 0;
    leat_status status = leat_store_schemas(e->store, arena, &rows, &n, &err);
    for (size_t i = 0; status == LEAT_OK && i < n; i++)
        status =
            leat_schemas_put(e->c.worker->schemas, rows[i].id, rows[i].subject, rows[i].text, &err);
    leat_arena_free(arena);
    if (status != LEAT_OK)
        leat_log_error(LEAT_LOG_WARN, "worker", "schemas-refresh", &err);
    return status;
}

static void run_all(void *arg, size_t jobs, leat_flow_job job, void *ctx)
{
    struct leat_executor *e = arg;
    leat_pool_run(e->pool, jobs, job, ctx);
}

void leat_executor_done(struct leat_executor *e)
{
    leat_pool_free(e->pool);
    leat_executor_drop_orders(e);
    leat_flow_free(e->flow);
    leat_released_free(&e->released);
    leat_store_close(e->store);
    leat_lineage_done(&e->lineage);
    leat_arena_free(e->arena);
    free(e->group_lane);
    leat_executor_watch_done(e);
    free(e->running);
    if (e->wake_fd >= 0)
        (void)close(e->wake_fd);
    (void)pthread_cond_destroy(&e->changed);
    (void)pthread_mutex_destroy(&e->mutex);
    free(e);
}

leat_status leat_executor_new(const struct leat_executor_config *c, struct leat_executor **ret,
                              struct leat_error *err)
{
    struct leat_executor *e = calloc(1, sizeof *e);
    leat_assert(e != NULL);
    e->c = *c;
    e->stopped = true;
    leat_sync_init(&e->mutex, &e->changed);
    e->orders_end = &e->orders;
    e->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    leat_assert(e->wake_fd >= 0);
    e->arena = leat_arena_new(256 * 1024, 1024 * 1024);
    struct leat_flow_config fc = {
        .dispatch = c->dispatch,
        .partitions = c->worker->topology->partitions,
        .batch_max = c->worker->batch_max > 0 ? c->worker->batch_max : EXECUTOR_BATCH_MAX,
        .cache_bytes = c->worker->cache_bytes > 0 ? c->worker->cache_bytes : EXECUTOR_CACHE_BYTES,
        .header = leat_record_of_flow_header,
        .headers_pack = leat_record_of_flow_pack,
        .is_void = leat_executor_is_void,
        .release = leat_record_of_flow_release,
        .refresh_schemas = refresh_schemas,
        .run_all = c->worker->processor->concurrency > 1 ? run_all : NULL,
        .runners = (int32_t)c->worker->processor->concurrency,
        .arg = e};
    leat_executor_watched(e, &fc);
    e->flow = leat_flow_new(&fc);
    leat_status status = leat_store_open(c->worker->store, &e->store, err);
    if (status == LEAT_OK && fc.run_all != NULL)
        status = leat_pool_new(fc.runners, &e->pool, err);
    if (status == LEAT_OK)
        status = leat_thread_start(&e->thread, executor_main, e, err);
    if (status != LEAT_OK) {
        leat_executor_done(e);
        return status;
    }
    *ret = e;
    return LEAT_OK;
}
