#include "projection/redis_rebuild.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "projection/rebuild_take.h"
#include "projection/redis_fold.h"

#define READERS       2
#define BATCH_BLOCKS  4 /* of one script per slice: 16,384 events */
#define SPARE_BLOCKS  6
#define JOIN_EVENTS   1000 /* left to whoever feeds the models */
#define ROUNDS_MAX    100
#define WAIT_MS       200
#define TELL_EVERY_US 500000
#define ARENA_BYTES   16384

struct rebuild {
    const struct leat_rebuild_config *c;
    struct leat_redis_model model;
    bool locked;
    struct leat_store *store;
    struct leat_fold *fold;
    struct leat_rebuild_readers *readers;
    struct leat_arena *arena; /* of a round */
    int32_t *ks;              /* all slices */
    struct leat_rebuild_block *held[BATCH_BLOCKS];
    size_t n_held;
    struct leat_rebuild_result result;
    struct leat_build_state state;
    int64_t started_us, told_us, paced_from_us, paced_events;
    int32_t partitions;
};

/* ---- what is told, and asked of it ---- */

static leat_status tell(struct rebuild *r, bool always, struct leat_error *err)
{
    int64_t now_us = leat_mono_us(), spent_us = now_us - r->started_us;
    if (!always && now_us - r->told_us < TELL_EVERY_US)
        return LEAT_OK;
    struct leat_build_state before = r->state;
    r->told_us = now_us;
    r->state.told_ms = leat_now_ms();
    r->state.done = r->result.resumed + (int64_t)r->result.events;
    r->state.per_s =
        spent_us > 0 ? (int64_t)((double)r->result.events * 1e6 / (double)spent_us) : 0;
    LEAT_TRY(leat_redis_build_tell(&r->model, r->c->version, &r->state, err), err, "rebuild");
    if (r->state.pace_per_s == 0)
        r->state.pace_per_s = r->c->pace_per_s;
    if (r->readers != NULL && r->state.paused != before.paused)
        leat_rebuild_readers_pause(r->readers, r->state.paused);
    if (r->state.pace_per_s != before.pace_per_s || r->state.paused != before.paused) {
        r->paced_from_us = now_us;
        r->paced_events = 0;
    }
    if (r->c->tell != NULL)
        r->c->tell(r->c->arg, &r->state);
    return LEAT_OK;
}

static bool is_stopped(const struct rebuild *r)
{
    return r->c->stop != NULL && atomic_load(r->c->stop);
}

static leat_status keep_pace(struct rebuild *r, size_t events, struct leat_error *err)
{
    r->paced_events += (int64_t)events;
    for (;;) {
        LEAT_TRY(tell(r, false, err), err, "pace");
        int64_t due_us = r->state.pace_per_s == 0
                             ? 0
                             : r->paced_from_us + (int64_t)((double)r->paced_events * 1e6 /
                                                            (double)r->state.pace_per_s);
        int64_t left_us = due_us - leat_mono_us();
        if (left_us <= 0 || is_stopped(r))
            return LEAT_OK;
        (void)poll(NULL, 0, (int)(left_us / 1000 < WAIT_MS ? left_us / 1000 + 1 : WAIT_MS));
    }
}

/* ---- folding ---- */

static leat_status commit(struct rebuild *r, struct leat_error *err)
{
    leat_status status = leat_fold_commit(r->fold, err);
    for (size_t i = 0; i < r->n_held; i++)
        leat_rebuild_readers_give(r->readers, r->held[i]);
    r->n_held = 0;
    if (status == LEAT_OK && r->fold->figures.adopted + r->fold->figures.rewound > 0)
        status = leat_fail(err, LEAT_RETRY,
                           "what was written is not there any more, or another "
                           "process writes to the version being built");
    return status;
}

static leat_status take_block(struct rebuild *r, struct leat_rebuild_block *b,
                              struct leat_error *err)
{
    r->held[r->n_held++] = b;
    LEAT_TRY(leat_fold_take_block(r->fold, b, err), err, "fold");
    r->result.events += b->events;
    LEAT_TRY(keep_pace(r, b->events, err), err, "fold");
    return r->n_held == BATCH_BLOCKS ? commit(r, err) : LEAT_OK;
}

static leat_status fold_ranges(struct rebuild *r, const struct leat_rebuild_range *ranges, size_t n,
                               struct leat_error *err)
{
    leat_status status = LEAT_OK;
    leat_rebuild_readers_start(r->readers, ranges, n);
    while (status == LEAT_OK) {
        struct leat_rebuild_block *b = NULL;
        if (is_stopped(r))
            return leat_fail(err, LEAT_RETRY, "stopped");
        status = leat_rebuild_readers_take(r->readers, WAIT_MS, &b, err);
        if (status == LEAT_OK && b != NULL)
            status = take_block(r, b, err);
        if (status == LEAT_OK)
            status = tell(r, false, err);
    }
    return status == LEAT_ABSENT && err->msg[0] == 0 ? commit(r, err) : status;
}

/* ---- rounds ---- */

static leat_status published(struct rebuild *r, struct leat_published **ret, struct leat_error *err)
{
    leat_arena_reset(r->arena);
    if (!leat_store_connected(r->store))
        LEAT_TRY(leat_store_reconnect(r->store, err), err, "published");
    return leat_store_published(r->store, r->ks, (size_t)r->partitions, r->arena, ret, err);
}

static leat_status find_ranges(struct rebuild *r, struct leat_rebuild_range **ret, size_t *ret_n,
                               int64_t *ret_left, struct leat_error *err)
{
    static const struct leat_uuid none;
    struct leat_published *p = NULL;
    LEAT_TRY(published(r, &p, err), err, "rebuild");
    *ret = leat_arena_alloc(r->arena, (size_t)r->partitions * sizeof **ret);
    *ret_n = 0;
    *ret_left = 0;
    for (int32_t i = 0; i < r->partitions; i++) {
        int32_t k = p[i].slice;
        const struct leat_checkpoint *seen = &r->fold->seen[k];
        if (leat_uuid_eq(&seen->store_id, &none))
            leat_fold_set_store(r->fold, k, &p[i].store_id);
        if (!leat_uuid_eq(&seen->store_id, &p[i].store_id))
            return leat_fail(err, LEAT_RETRY, "slice %d has forked meanwhile", (int)k);
        if (p[i].seq <= seen->seq)
            continue;
        (*ret)[(*ret_n)++] = (struct leat_rebuild_range){
            .slice = k, .after = seen->seq, .upto = p[i].seq, .store_id = p[i].store_id};
        *ret_left += p[i].seq - seen->seq;
    }
    return LEAT_OK;
}

static leat_status fold_rounds(struct rebuild *r, struct leat_error *err)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        struct leat_rebuild_range *ranges = NULL;
        size_t n = 0;
        int64_t left = 0;
        LEAT_TRY(find_ranges(r, &ranges, &n, &left, err), err, "rebuild");
        r->state.total = r->result.resumed + (int64_t)r->result.events + left;
        LEAT_TRY(tell(r, round == 0, err), err, "rebuild");
        if (left == 0 || (round > 0 && left <= JOIN_EVENTS))
            return LEAT_OK;
        LEAT_TRY(fold_ranges(r, ranges, n, err), err, "rebuild");
    }
    return LEAT_OK; /* it is written faster than we read: the rest is the feeder's */
}

/* ---- life ---- */

/* A slice whose checkpoint is no event of this store is folded again. */
static leat_status keep_same_history(struct rebuild *r, struct leat_error *err)
{
    struct leat_published *p = NULL;
    LEAT_TRY(published(r, &p, err), err, "rebuild");
    for (int32_t i = 0; i < r->partitions; i++) {
        int32_t k = p[i].slice;
        const struct leat_checkpoint *at = &r->fold->seen[k];
        struct leat_store_page page = {
            .slice = k, .after = at->seq - 1, .upto = at->seq, .limit = 1};
        struct leat_stored_event *found = NULL;
        size_t n = 0;
        if (at->seq == 0)
            continue;
        LEAT_TRY(leat_store_slice(r->store, &page, r->arena, &found, &n, err), err, "rebuild");
        if (leat_uuid_eq(&at->store_id, &p[i].store_id) && n == 1 &&
            leat_uuid_eq(&found[0].id, &at->event_id)) {
            r->result.resumed += at->seq;
            continue;
        }
        LEAT_TRY(leat_redis_fold_clear(r->fold, k, err), err, "rebuild");
        LEAT_TRY(leat_redis_fold_load(r->fold, &k, 1, err), err, "rebuild");
    }
    return LEAT_OK;
}

static leat_status open_fold(struct rebuild *r, struct leat_error *err)
{
    int64_t *none_ms = leat_arena_zalloc(r->arena, (size_t)r->partitions, sizeof *none_ms);
    struct leat_redis_fold_config fc = {.topology = r->c->topology,
                                        .projection = r->c->projection,
                                        .version = r->c->version,
                                        .declaration =
                                            leat_redis_declaration_text(&r->model, r->arena),
                                        .cache_bytes = (size_t)r->c->topology->redis.cache_bytes};
    LEAT_TRY(leat_redis_fold_open(&fc, &r->fold, err), err, "rebuild");
    LEAT_TRY(leat_redis_fold_load(r->fold, r->ks, (size_t)r->partitions, err), err, "rebuild");
    return leat_redis_fold_look(r->fold, r->ks, (size_t)r->partitions, none_ms, err);
}

static leat_status prepare(struct rebuild *r, struct leat_error *err)
{
    const struct leat_rebuild_config *c = r->c;
    LEAT_TRY(leat_redis_build_lock(&r->model, c->version, err), err, "rebuild");
    r->locked = true;
    LEAT_TRY(tell(r, true, err), err, "rebuild");
    LEAT_TRY(leat_store_open(c->store, &r->store, err), err, "rebuild");
    LEAT_TRY(open_fold(r, err), err, "rebuild");
    LEAT_TRY(keep_same_history(r, err), err, "rebuild");
    r->fold->figures.adopted = r->fold->figures.rewound = 0; /* of finding what is there */
    struct leat_rebuild_reader_config rc = {.store = c->store,
                                            .schemas = c->schemas,
                                            .fold = r->fold,
                                            .readers = c->readers == 0 ? READERS : c->readers,
                                            .blocks = BATCH_BLOCKS + SPARE_BLOCKS};
    return leat_rebuild_readers_new(&rc, &r->readers, err);
}

/* The last batch's answers are looked at too. */
static leat_status finish(struct rebuild *r, struct leat_error *err)
{
    int64_t *none_ms = leat_arena_zalloc(r->arena, (size_t)r->partitions, sizeof *none_ms);
    LEAT_TRY(commit(r, err), err, "rebuild");
    LEAT_TRY(leat_redis_fold_look(r->fold, r->ks, (size_t)r->partitions, none_ms, err), err,
             "rebuild");
    LEAT_TRY(commit(r, err), err, "rebuild");
    LEAT_TRY(tell(r, true, err), err, "rebuild");
    return leat_redis_build_done(&r->model, r->c->version, err);
}

static void rebuild_done(struct rebuild *r)
{
    leat_rebuild_readers_free(r->readers);
    leat_fold_close(r->fold);
    leat_store_close(r->store);
    leat_arena_free(r->arena);
    if (r->locked)
        leat_redis_build_unlock(&r->model, r->c->version);
    free(r->ks);
    free(r);
}

leat_status leat_redis_rebuild(const struct leat_rebuild_config *c, struct leat_rebuild_result *ret,
                               struct leat_error *err)
{
    struct rebuild *r = calloc(1, sizeof *r);
    leat_assert(r != NULL);
    r->c = c;
    r->model = (struct leat_redis_model){c->topology, c->projection};
    r->partitions = c->topology->partitions;
    r->arena = leat_arena_new(ARENA_BYTES, 0);
    r->ks = calloc((size_t)r->partitions, sizeof *r->ks);
    leat_assert(r->ks != NULL);
    for (int32_t k = 0; k < r->partitions; k++)
        r->ks[k] = k;
    r->started_us = r->paced_from_us = leat_mono_us();
    r->state.started_ms = leat_now_ms();
    r->state.pid = (int64_t)getpid();
    leat_status status = prepare(r, err);
    if (status == LEAT_OK)
        status = fold_rounds(r, err);
    if (status == LEAT_OK)
        status = finish(r, err);
    if (status == LEAT_OK) {
        r->result.rows_put = r->fold->figures.rows_put;
        r->result.transactions = r->fold->figures.transactions;
        r->result.took_ms = (leat_mono_us() - r->started_us) / 1000;
        *ret = r->result;
    }
    rebuild_done(r);
    return status;
}
