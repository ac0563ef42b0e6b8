#include "worker/executor.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/flow_records.h"

#define LANE_TOPIC_MAX       256
#define EXECUTOR_TAKE_MAX    1024
#define EXECUTOR_IDLE_MS     1000
#define EXECUTOR_COMMIT_MS   5000
#define EXECUTOR_CACHE_BYTES (8u << 20)
#define EXECUTOR_BATCH_MAX   2000
#define EXECUTOR_SMALL       64
#define EXECUTOR_DISTANCE_US 5000

struct order { /* from the group's thread */
    struct leat_executor_start start;
    struct order *next;
};

struct leat_executor {
    struct leat_released released; /* first: what flow_records.h takes for `arg` */
    struct leat_executor_config c;
    pthread_t thread;
    int wake_fd;
    struct leat_flow *flow;
    struct leat_store *store;
    struct leat_arena *arena; /* replies and loads, one batch */
    struct leat_group *group; /* as last seen by the thread */
    size_t *group_lane;       /* flow lane -> lane of the group */
    size_t group_lane_cap;
    int64_t commit_due_ms, retry_at_ms, tail_due_ms;
    int32_t failures;
    int64_t batch_us; /* when the last batch began */
    bool small;       /* it was */
    bool started;     /* a first record was seen */
    bool more;        /* a lane had more than was taken: do not wait */

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    struct leat_group *next_group;
    struct order *orders, **orders_end;
    bool stop, stopped, quit, ended;
    struct lane_stop {
        size_t lane;
        char why[200];
    } lane_stop;
    bool lane_stop_set;
    struct leat_worker_figures figures;
};

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
                    LEAT_LOG_FIELDS(LEAT_LOG_INT("lane", lane)), "%s",
                    leat_flow_lane_stopped(e->flow, lane));
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

static void give_back_lost(struct leat_executor *e)
{
    for (int32_t k = leat_flow_lost(e->flow); k >= 0; k = leat_flow_lost(e->flow))
        e->c.lost(e->c.arg, k);
}

/* The store is away or a call's outcome is unknown: nothing is dead-lettered; the ks are acquired
 * again, which settles what the call did. */
static void store_trouble(struct leat_executor *e, const struct leat_error *err)
{
    leat_log_error(LEAT_LOG_WARN, "worker", "store-trouble", err);
    leat_flow_unknown(e->flow);
    give_back_lost(e);
    int64_t wait = 50LL << (e->failures < 5 ? e->failures : 5);
    e->failures++;
    e->retry_at_ms = leat_now_ms() + wait;
}

static bool connected(struct leat_executor *e)
{
    struct leat_error err = {0};
    if (leat_store_connected(e->store))
        return true;
    if (leat_store_reconnect(e->store, &err) == LEAT_OK)
        return true;
    store_trouble(e, &err);
    return false;
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
        int64_t until_ms = 0;
        const char *why = leat_flow_held(e->flow, i, now_ms, &until_ms);
        if (why != NULL)
            leat_log_limited_kv(LEAT_LOG_WARN, "worker", "lane-held",
                                LEAT_LOG_FIELDS(LEAT_LOG_INT("lane", e->group_lane[i]),
                                                LEAT_LOG_INT("for_ms", until_ms - now_ms)),
                                "a message answered retry and holds its lane: %s", why);
    }
}

static void publish_figures(struct leat_executor *e)
{
    const struct leat_flow_figures *f = leat_flow_figures(e->flow);
    struct leat_store_counts counts = leat_store_counts(e->store);
    (void)pthread_mutex_lock(&e->mutex);
    struct leat_worker_figures *p = &e->figures;
    p->batches = f->batches;
    p->commands = f->commands;
    p->events = f->events;
    p->accepted = f->accepted;
    p->rejected = f->rejected;
    p->dead = f->dead;
    p->forwarded = f->forwarded;
    p->duplicates = f->duplicates;
    p->conflicts = f->conflicts;
    p->retries = f->retries;
    p->fenced = f->fenced;
    p->foreign_partition = f->foreign_partition;
    p->folded = f->folded;
    p->snapshots = f->snapshots;
    p->snapshots_damaged = f->snapshots_damaged;
    p->lanes_stopped = 0;
    for (size_t i = 0; i < leat_flow_lane_count(e->flow); i++) {
        const char *why = leat_flow_lane_stopped(e->flow, i);
        if (why != NULL && p->lanes_stopped++ == 0)
            (void)snprintf(p->why, sizeof p->why, "%s[%d]: %s", leat_flow_lane(e->flow, i)->topic,
                           leat_flow_lane(e->flow, i)->k, why);
    }
    if (p->lanes_stopped == 0)
        p->why[0] = '\0';
    p->write_trips = counts.write_trips;
    p->read_trips = counts.read_trips;
    (void)pthread_mutex_unlock(&e->mutex);
}

static leat_status append(struct leat_executor *e, const struct leat_batch *batch,
                          struct leat_error *err)
{
    struct leat_reply reply = {0};
    LEAT_TRY(leat_store_append(e->store, batch, e->arena, &reply, err), err, "append");
    if (e->c.worker->appended != NULL)
        e->c.worker->appended(e->c.worker->arg, batch, &reply);
    leat_flow_replied(e->flow, &reply, leat_now_ms());
    e->failures = 0;
    return LEAT_OK;
}

static void run_batch(struct leat_executor *e, bool locked)
{
    struct leat_error err = {0};
    if (!connected(e))
        return;
    leat_arena_reset(e->arena);
    leat_status status = load(e, locked, &err);
    if (status == LEAT_OK) {
        int64_t now_ms = leat_now_ms();
        const struct leat_batch *batch = leat_flow_decide(e->flow, now_ms);
        log_held(e, now_ms);
        if (batch == NULL && locked)
            leat_store_abort(e->store);
        e->batch_us = leat_mono_us();
        e->small = batch != NULL && batch->command_count < EXECUTOR_SMALL;
        if (batch != NULL)
            status = append(e, batch, &err);
    }
    if (status != LEAT_OK)
        store_trouble(e, &err);
    give_back_lost(e);
    leat_released_free(&e->released);
    publish_figures(e);
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
        if (!connected(e))
            return false;
        if (fill_hole(e, lane, from, to, &err) != LEAT_OK) {
            store_trouble(e, &err);
            return false;
        }
    }
    return true;
}

/* At an idle end nobody sees that a record is missing: ask how far the slices are published. */
static void check_tails(struct leat_executor *e)
{
    struct leat_error err = {0};
    int64_t now_ms = leat_now_ms();
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

/* ---- orders from the group's thread ---- */

static void lane_slot(struct leat_executor *e, size_t flow_lane, size_t group_lane)
{
    if (flow_lane >= e->group_lane_cap) {
        e->group_lane_cap = (flow_lane + 1) * 2;
        e->group_lane = realloc(e->group_lane, e->group_lane_cap * sizeof *e->group_lane);
        leat_assert(e->group_lane != NULL);
    }
    e->group_lane[flow_lane] = group_lane;
}

const char *leat_lane_topic(const struct leat_flow_lane *l, char *room, int32_t partitions,
                            int32_t *ret_partition)
{
    const char *mark = strchr(l->topic, '#');
    *ret_partition = l->k;
    if (mark == NULL)
        return l->topic;
    *ret_partition += (int32_t)strtol(mark + 1, NULL, 10) * partitions;
    (void)snprintf(room, LANE_TOPIC_MAX, "%.*s", (int)(mark - l->topic), l->topic);
    return room;
}

static bool seek_lanes(struct leat_executor *e, const struct leat_executor_start *s)
{
    struct leat_error err = {0};
    for (size_t i = 0; i < s->n; i++) {
        const struct leat_flow_lane *l = &s->lanes[i];
        char room[LANE_TOPIC_MAX];
        bool verify = l->fingerprint != 0 && l->next_offset > 0;
        struct leat_position at = {.offset = verify ? l->next_offset - 1 : l->next_offset};
        at.topic = leat_lane_topic(l, room, e->c.worker->topology->partitions, &at.partition);
        if (leat_group_seek(e->group, &at, &err) == LEAT_OK)
            continue;
        leat_log_error(LEAT_LOG_WARN, "worker", "seek-failed", &err);
        return false;
    }
    return true;
}

static void obey_start(struct leat_executor *e, const struct leat_executor_start *s)
{
    leat_flow_stop(e->flow, s->k);
    if (s->seek && !seek_lanes(e, s)) {
        e->c.lost(e->c.arg, s->k);
        return;
    }
    size_t first = leat_flow_start(e->flow, s->k, s->epoch, s->head_seq, s->lanes, s->n);
    for (size_t i = 0; i < s->n; i++)
        lane_slot(e, first + i, s->first_lane + i);
    e->more = true;
}

static void order_free(struct order *o)
{
    free(o->start.lanes);
    free(o);
}

static void drop_orders(struct leat_executor *e) /* mutex held */
{
    while (e->orders != NULL) {
        struct order *o = e->orders;
        e->orders = o->next;
        order_free(o);
    }
    e->orders_end = &e->orders;
}

/* Orders on hand are younger than the stop (leat_executor_stop_all dropped the older ones): when
 * the drain took too long, the next assignment's orders may be here already. */
static void obey_stop(struct leat_executor *e)
{
    leat_flow_stop_all(e->flow);
    leat_released_free(&e->released);
    (void)pthread_mutex_lock(&e->mutex);
    e->stop = false;
    e->stopped = e->orders == NULL;
    (void)pthread_cond_broadcast(&e->changed);
    (void)pthread_mutex_unlock(&e->mutex);
}

static void obey_lane_stop(struct leat_executor *e)
{
    (void)pthread_mutex_lock(&e->mutex);
    struct lane_stop stop = e->lane_stop;
    bool set = e->lane_stop_set;
    e->lane_stop_set = false;
    (void)pthread_mutex_unlock(&e->mutex);
    for (size_t i = 0; set && i < leat_flow_lane_count(e->flow); i++)
        if (e->group_lane[i] == stop.lane)
            leat_flow_lane_stop(e->flow, i, stop.why);
}

static struct order *next_order(struct leat_executor *e, bool *ret_stop, bool *ret_quit)
{
    (void)pthread_mutex_lock(&e->mutex);
    struct order *o = e->stop ? NULL : e->orders;
    if (o != NULL) {
        e->orders = o->next;
        if (e->orders == NULL)
            e->orders_end = &e->orders;
    }
    e->group = e->next_group;
    *ret_stop = e->stop;
    *ret_quit = e->quit;
    (void)pthread_mutex_unlock(&e->mutex);
    return o;
}

static bool obey(struct leat_executor *e)
{
    bool stop = false, quit = false;
    do {
        for (struct order *o = next_order(e, &stop, &quit); o != NULL;
             o = next_order(e, &stop, &quit)) {
            obey_start(e, &o->start);
            order_free(o);
        }
        if (stop)
            obey_stop(e);
    } while (stop);
    obey_lane_stop(e);
    return !quit;
}

/* ---- the thread ---- */

static void commit_offsets(struct leat_executor *e)
{
    int64_t now_ms = leat_now_ms();
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
    int64_t now_ms = leat_now_ms(), due = leat_flow_due_ms(e->flow);
    if (e->retry_at_ms > now_ms)
        due = e->retry_at_ms;
    int64_t wait = due - now_ms;
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
    while (obey(e)) {
        bool locked = false;
        if (e->group == NULL || leat_now_ms() < e->retry_at_ms) {
            wait_for_work(e);
            clear_wake(e);
            continue;
        }
        bool again = leat_flow_again(e->flow, &locked);
        if (!again) {
            keep_distance(e);
            clear_wake(e);
            take_all(e);
        }
        if (!fill_holes(e))
            continue;
        if (again || leat_flow_ready(e->flow, leat_now_ms()))
            run_batch(e, locked);
        else if (!e->more) {
            check_tails(e);
            publish_figures(e);
            wait_for_work(e);
        }
        commit_offsets(e);
    }
    obey_stop(e);
    (void)pthread_mutex_lock(&e->mutex);
    e->ended = true;
    (void)pthread_cond_broadcast(&e->changed);
    (void)pthread_mutex_unlock(&e->mutex);
    return NULL;
}

static void wake(struct leat_executor *e)
{
    uint64_t one = 1;
    ssize_t n = write(e->wake_fd, &one, sizeof one);
    (void)n; /* full: it is awake */
}

/* ---- called by the group's thread ---- */

int leat_executor_wake_fd(const struct leat_executor *e)
{
    return e->wake_fd;
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

static void executor_done(struct leat_executor *e)
{
    drop_orders(e);
    leat_flow_free(e->flow);
    leat_released_free(&e->released);
    leat_store_close(e->store);
    leat_arena_free(e->arena);
    free(e->group_lane);
    if (e->wake_fd >= 0)
        (void)close(e->wake_fd);
    (void)pthread_cond_destroy(&e->changed);
    (void)pthread_mutex_destroy(&e->mutex);
    free(e);
}

static void init_sync(struct leat_executor *e)
{
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&e->mutex, NULL);
    (void)pthread_cond_init(&e->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    e->orders_end = &e->orders;
}

leat_status leat_executor_new(const struct leat_executor_config *c, struct leat_executor **ret,
                              struct leat_error *err)
{
    struct leat_executor *e = calloc(1, sizeof *e);
    leat_assert(e != NULL);
    e->c = *c;
    e->stopped = true;
    init_sync(e);
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
        .release = leat_record_of_flow_release,
        .refresh_schemas = refresh_schemas,
        .arg = e};
    e->flow = leat_flow_new(&fc);
    leat_status status = leat_store_open(c->worker->store, &e->store, err);
    if (status == LEAT_OK && pthread_create(&e->thread, NULL, executor_main, e) != 0)
        status = leat_fail(err, LEAT_FATAL, "could not start a thread: %s", strerror(errno));
    if (status != LEAT_OK) {
        executor_done(e);
        return status;
    }
    *ret = e;
    return LEAT_OK;
}

void leat_executor_group(struct leat_executor *e, struct leat_group *group)
{
    (void)pthread_mutex_lock(&e->mutex);
    e->next_group = group;
    (void)pthread_mutex_unlock(&e->mutex);
}

void leat_executor_start(struct leat_executor *e, const struct leat_executor_start *s)
{
    struct order *o = calloc(1, sizeof *o);
    leat_assert(o != NULL);
    o->start = *s;
    o->start.lanes = malloc((s->n + 1) * sizeof *s->lanes);
    leat_assert(o->start.lanes != NULL);
    memcpy(o->start.lanes, s->lanes, s->n * sizeof *s->lanes);
    (void)pthread_mutex_lock(&e->mutex);
    *e->orders_end = o;
    e->orders_end = &o->next;
    e->stopped = false;
    (void)pthread_mutex_unlock(&e->mutex);
    wake(e);
}

static struct timespec deadline(int timeout_ms)
{
    int64_t at_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
    return (struct timespec){.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};
}

bool leat_executor_stop_all(struct leat_executor *e, int timeout_ms)
{
    struct timespec until = deadline(timeout_ms);
    (void)pthread_mutex_lock(&e->mutex);
    if (!e->stopped) {
        drop_orders(e);
        e->stop = true;
    }
    wake(e);
    while (!e->stopped && pthread_cond_timedwait(&e->changed, &e->mutex, &until) == 0)
        ;
    bool stopped = e->stopped;
    (void)pthread_mutex_unlock(&e->mutex);
    return stopped;
}

void leat_executor_stop_lane(struct leat_executor *e, size_t lane, const char *why)
{
    (void)pthread_mutex_lock(&e->mutex);
    e->lane_stop.lane = lane;
    (void)snprintf(e->lane_stop.why, sizeof e->lane_stop.why, "%s", why);
    e->lane_stop_set = true;
    (void)pthread_mutex_unlock(&e->mutex);
    wake(e);
}

void leat_executor_free(struct leat_executor *e, int timeout_ms)
{
    if (e == NULL)
        return;
    struct timespec until = deadline(timeout_ms);
    (void)pthread_mutex_lock(&e->mutex);
    e->quit = true;
    wake(e);
    while (!e->ended && pthread_cond_timedwait(&e->changed, &e->mutex, &until) == 0)
        ;
    bool ended = e->ended;
    (void)pthread_mutex_unlock(&e->mutex);
    if (!ended) {
        /* Stuck in a handler: the process is about to end; freeing under its feet would crash it.
         */
        leat_log(LEAT_LOG_ERROR, "worker", "executor-stuck", "executor %d did not end in %d ms",
                 e->c.number, timeout_ms);
        (void)pthread_detach(e->thread);
        return;
    }
    (void)pthread_join(e->thread, NULL);
    executor_done(e);
}

void leat_executor_figures(struct leat_executor *e, struct leat_worker_figures *add)
{
    (void)pthread_mutex_lock(&e->mutex);
    const struct leat_worker_figures f = e->figures;
    (void)pthread_mutex_unlock(&e->mutex);
    add->batches += f.batches;
    add->commands += f.commands;
    add->events += f.events;
    add->accepted += f.accepted;
    add->rejected += f.rejected;
    add->dead += f.dead;
    add->forwarded += f.forwarded;
    add->duplicates += f.duplicates;
    add->conflicts += f.conflicts;
    add->retries += f.retries;
    add->fenced += f.fenced;
    add->foreign_partition += f.foreign_partition;
    add->folded += f.folded;
    add->snapshots += f.snapshots;
    add->snapshots_damaged += f.snapshots_damaged;
    add->write_trips += f.write_trips;
    add->read_trips += f.read_trips;
    add->lanes_stopped += f.lanes_stopped;
    if (add->why[0] == '\0')
        memcpy(add->why, f.why, sizeof add->why);
}
