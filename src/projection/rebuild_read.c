#include "projection/rebuild_read.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "projection/stored.h"
#include "store/bulk.h"

#define READERS_MAX  16
#define CHUNK_EVENTS 50000 /* of one statement: it is over within seconds */
#define TRIES_MAX    60
#define TRY_AGAIN_MS 500
#define BLOCK_BYTES  ((size_t)1 << 20)
#define BLOCK_KEEP   ((size_t)4 << 20)
#define REASON_BYTES 512

struct reader {
    struct leat_rebuild_readers *all;
    pthread_t thread;
    bool running;
    struct leat_store *store;
    struct leat_rules *rules; /* its own: they keep pickers */
};

struct leat_rebuild_readers {
    struct leat_rebuild_reader_config c;
    struct reader at[READERS_MAX];
    struct leat_rebuild_block *blocks;
    pthread_mutex_t lock;
    pthread_cond_t for_readers, for_writer;
    /* under the lock */
    struct leat_rebuild_block *free, *full, **full_end;
    const struct leat_rebuild_range *ranges;
    size_t n_ranges, next_range, open_ranges;
    bool stop, paused, failed;
    struct leat_error error;
};

/* ---- blocks ---- */

static void wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int timeout_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    (void)pthread_cond_timedwait(cond, lock, &until);
}

/* NULL: asked to stop. */
static struct leat_rebuild_block *take_free(struct leat_rebuild_readers *r)
{
    (void)pthread_mutex_lock(&r->lock);
    while (r->free == NULL && !r->stop)
        (void)pthread_cond_wait(&r->for_readers, &r->lock);
    struct leat_rebuild_block *b = r->stop ? NULL : r->free;
    if (b != NULL)
        r->free = b->next;
    (void)pthread_mutex_unlock(&r->lock);
    return b;
}

static void put_full(struct leat_rebuild_readers *r, struct leat_rebuild_block *b)
{
    (void)pthread_mutex_lock(&r->lock);
    b->next = NULL;
    *r->full_end = b;
    r->full_end = &b->next;
    (void)pthread_cond_signal(&r->for_writer);
    (void)pthread_mutex_unlock(&r->lock);
}

void leat_rebuild_readers_give(struct leat_rebuild_readers *r, struct leat_rebuild_block *block)
{
    (void)pthread_mutex_lock(&r->lock);
    block->next = r->free;
    r->free = block;
    (void)pthread_cond_broadcast(&r->for_readers); /* they wait for different things */
    (void)pthread_mutex_unlock(&r->lock);
}

leat_status leat_rebuild_readers_take(struct leat_rebuild_readers *r, int timeout_ms,
                                      struct leat_rebuild_block **ret, struct leat_error *err)
{
    leat_status status = LEAT_OK;
    (void)pthread_mutex_lock(&r->lock);
    if (r->full == NULL && !r->failed && r->open_ranges > 0)
        wait_until(&r->for_writer, &r->lock, timeout_ms);
    struct leat_rebuild_block *b = r->full;
    if (b != NULL) {
        r->full = b->next;
        if (r->full == NULL)
            r->full_end = &r->full;
    } else if (r->failed) {
        *err = r->error;
        status = err->status;
    } else if (r->open_ranges == 0) {
        status = LEAT_ABSENT;
    }
    (void)pthread_mutex_unlock(&r->lock);
    *ret = b;
    return status;
}

void leat_rebuild_readers_pause(struct leat_rebuild_readers *r, bool pause)
{
    (void)pthread_mutex_lock(&r->lock);
    r->paused = pause;
    (void)pthread_cond_broadcast(&r->for_readers);
    (void)pthread_mutex_unlock(&r->lock);
}

/* ---- decoding ---- */

/* On a connection for that alone: the other one is within its statement. */
static leat_status learn_schemas(const struct reader *t, struct leat_arena *arena,
                                 struct leat_error *err)
{
    struct leat_schema_row *rows = NULL;
    struct leat_store *store = NULL;
    size_t n = 0;
    LEAT_TRY(leat_store_open(t->all->c.store, &store, err), err, "schemas");
    leat_status status = leat_store_schemas(store, arena, &rows, &n, err);
    leat_store_close(store);
    LEAT_TRY(status, err, "schemas");
    for (size_t i = 0; i < n; i++) {
        LEAT_TRY(
            leat_schemas_put(t->all->c.schemas, rows[i].id, rows[i].subject, rows[i].text, err),
            err, "schema %d", (int)rows[i].id);
    }
    return LEAT_OK;
}

static bool schemas_known(const struct reader *t, const struct leat_rebuild_block *b)
{
    int32_t id = 0, known = 0;
    struct leat_str body;
    for (size_t i = 0; i < b->events; i++) {
        if (!leat_framing_split(b->stored[i].payload, &id, &body) || id == known)
            continue;
        if (leat_schemas_by_id(t->all->c.schemas, id) == NULL)
            return false;
        known = id;
    }
    return true;
}

static void skip_event(struct leat_rebuild_block *b, const struct leat_fold_event *e,
                       const char *reason)
{
    char text[REASON_BYTES];
    int n = snprintf(text, sizeof text, "%.*s%c%s", (int)(e->meta.type.len & 0xff), e->meta.type.at,
                     0, reason);
    uint32_t len = n < (int)sizeof text ? (uint32_t)n : (uint32_t)sizeof text - 1;
    b->skips[b->n_skips++] =
        (struct leat_fold_skip){.slice = e->slice,
                                .seq = e->at.seq,
                                .text = leat_arena_copy(b->arena, (struct leat_str){text, len})};
}

static void decode_event(struct reader *t, struct leat_rebuild_block *b,
                         const struct leat_stored_event *stored)
{
    if (stored->recorded_at_us / 1000 > b->at.time_ms)
        b->at.time_ms = stored->recorded_at_us / 1000;
    struct leat_rule *rule = leat_rules_find(t->rules, stored->type);
    const struct leat_value *picked = NULL;
    struct leat_error why = {0};
    if (rule == NULL)
        return;
    struct leat_fold_event e = leat_fold_event_stored(stored, &b->at.store_id, b->arena);
    if (leat_rule_pick(rule, t->all->c.schemas, e.payload, b->arena, &picked, &why) != LEAT_OK) {
        skip_event(b, &e, why.msg);
        return;
    }
    const struct leat_rules *own = t->all->c.fold->rules;
    b->changes[b->n_changes++] = (struct leat_fold_change){.slice = e.slice,
                                                           .rule = &own->at[rule - t->rules->at],
                                                           .picked = picked,
                                                           .meta = e.meta,
                                                           .clock_ms = b->at.time_ms};
}

/* Arrays for all it may hold, so that a block grows nothing. */
static void decode_block(struct reader *t, struct leat_rebuild_block *b)
{
    b->changes = leat_arena_alloc(b->arena, b->events * sizeof *b->changes);
    b->skips = leat_arena_alloc(b->arena, b->events * sizeof *b->skips);
    b->n_changes = b->n_skips = 0;
    for (size_t i = 0; i < b->events; i++)
        decode_event(t, b, &b->stored[i]);
}

/* ---- reading ---- */

static leat_status check_dense(const struct leat_rebuild_block *b, struct leat_error *err)
{
    for (size_t i = 0; i < b->events; i++) {
        b->stored[i].slice = b->slice;
        if (b->stored[i].seq != b->before + 1 + (int64_t)i) {
            return leat_fail(err, LEAT_FATAL, "the store has no event %lld of slice %d",
                             (long long)(b->before + 1 + (int64_t)i), (int)b->slice);
        }
    }
    return LEAT_OK;
}

static leat_status fill_block(struct reader *t, struct leat_rebuild_range *left,
                              struct leat_rebuild_block *b, struct leat_error *err)
{
    leat_arena_reset(b->arena);
    b->slice = left->slice;
    b->before = left->after;
    b->stored = leat_arena_alloc(b->arena, LEAT_REBUILD_BLOCK * sizeof *b->stored);
    LEAT_TRY(
        leat_store_bulk_next(t->store, b->arena, b->stored, LEAT_REBUILD_BLOCK, &b->events, err),
        err, "slice %d", (int)left->slice);
    if (b->events == 0)
        return LEAT_OK;
    LEAT_TRY(check_dense(b, err), err, "read");
    const struct leat_stored_event *last = &b->stored[b->events - 1];
    b->at = (struct leat_checkpoint){
        .store_id = left->store_id, .event_id = last->id, .seq = last->seq};
    return schemas_known(t, b) ? LEAT_OK : learn_schemas(t, b->arena, err);
}

/* One statement's events. What has come is not asked for again after an error. */
static leat_status read_chunk(struct reader *t, struct leat_rebuild_range *left,
                              struct leat_error *err)
{
    int64_t upto =
        left->after + CHUNK_EVENTS < left->upto ? left->after + CHUNK_EVENTS : left->upto;
    struct leat_bulk_range range = {left->slice, left->after, upto};
    LEAT_TRY(leat_store_bulk_begin(t->store, &range, err), err, "read");
    for (size_t n = LEAT_REBUILD_BLOCK; n == LEAT_REBUILD_BLOCK && left->after < upto;) {
        struct leat_rebuild_block *b = take_free(t->all);
        if (b == NULL)
            return leat_fail(err, LEAT_RETRY, "stopped");
        leat_status status = fill_block(t, left, b, err);
        if (status != LEAT_OK || b->events == 0) {
            leat_rebuild_readers_give(t->all, b);
            return status;
        }
        n = b->events;
        left->after = b->at.seq;
        decode_block(t, b);
        put_full(t->all, b);
    }
    return LEAT_OK;
}

static bool go_on(struct leat_rebuild_readers *r)
{
    (void)pthread_mutex_lock(&r->lock);
    while (r->paused && !r->stop)
        (void)pthread_cond_wait(&r->for_readers, &r->lock);
    bool stop = r->stop;
    (void)pthread_mutex_unlock(&r->lock);
    return !stop;
}

static leat_status connect(struct reader *t, struct leat_error *err)
{
    if (t->store == NULL)
        return leat_store_open(t->all->c.store, &t->store, err);
    return leat_store_connected(t->store) ? LEAT_OK : leat_store_reconnect(t->store, err);
}

static bool try_again(struct leat_rebuild_readers *r)
{
    (void)pthread_mutex_lock(&r->lock);
    if (!r->stop)
        wait_until(&r->for_readers, &r->lock, TRY_AGAIN_MS);
    bool stop = r->stop;
    (void)pthread_mutex_unlock(&r->lock);
    return !stop;
}

static leat_status read_range(struct reader *t, struct leat_rebuild_range left,
                              struct leat_error *err)
{
    int tries = 0;
    while (left.after < left.upto && go_on(t->all)) {
        int64_t before = left.after;
        leat_status status = connect(t, err);
        if (status == LEAT_OK)
            status = read_chunk(t, &left, err);
        tries = left.after > before ? 0 : tries + 1;
        if (status == LEAT_OK && left.after == before) {
            return leat_fail(err, LEAT_FATAL, "the store has no event %lld of slice %d",
                             (long long)before + 1, (int)left.slice);
        }
        if (status != LEAT_OK && t->store != NULL)
            leat_store_bulk_stop(t->store);
        if (status != LEAT_OK && (status != LEAT_RETRY || tries > TRIES_MAX))
            return status;
        if (status == LEAT_RETRY && !try_again(t->all))
            break;
    }
    return LEAT_OK;
}

/* Waits for a range; NULL: asked to stop. */
static const struct leat_rebuild_range *next_range(struct leat_rebuild_readers *r)
{
    (void)pthread_mutex_lock(&r->lock);
    while (r->next_range == r->n_ranges && !r->stop)
        (void)pthread_cond_wait(&r->for_readers, &r->lock);
    const struct leat_rebuild_range *range = r->stop ? NULL : &r->ranges[r->next_range++];
    (void)pthread_mutex_unlock(&r->lock);
    return range;
}

static void range_done(struct leat_rebuild_readers *r, leat_status status,
                       const struct leat_error *err)
{
    (void)pthread_mutex_lock(&r->lock);
    r->open_ranges--;
    if (status != LEAT_OK && !r->failed) {
        r->failed = true;
        r->error = *err;
    }
    (void)pthread_cond_signal(&r->for_writer);
    (void)pthread_mutex_unlock(&r->lock);
}

static void *reader_main(void *arg)
{
    struct reader *t = arg;
    const struct leat_rebuild_range *range = NULL;
    (void)pthread_setname_np(pthread_self(), "rebuild-read");
    while ((range = next_range(t->all)) != NULL) {
        struct leat_error err = {0};
        leat_status status = read_range(t, *range, &err);
        range_done(t->all, status, &err);
    }
    return NULL;
}

/* ---- life ---- */

void leat_rebuild_readers_start(struct leat_rebuild_readers *r,
                                const struct leat_rebuild_range *ranges, size_t n)
{
    (void)pthread_mutex_lock(&r->lock);
    leat_assert(r->open_ranges == 0);
    r->ranges = ranges;
    r->n_ranges = r->open_ranges = n;
    r->next_range = 0;
    (void)pthread_cond_broadcast(&r->for_readers);
    (void)pthread_mutex_unlock(&r->lock);
}

static void free_block(struct leat_rebuild_block *b)
{
    if (b->arena != NULL)
        leat_arena_free(b->arena);
}

void leat_rebuild_readers_free(struct leat_rebuild_readers *r)
{
    if (r == NULL)
        return;
    (void)pthread_mutex_lock(&r->lock);
    r->stop = true;
    (void)pthread_cond_broadcast(&r->for_readers);
    (void)pthread_mutex_unlock(&r->lock);
    for (int i = 0; i < r->c.readers; i++) {
        if (r->at[i].running)
            (void)pthread_join(r->at[i].thread, NULL);
        leat_store_close(r->at[i].store);
        leat_rules_free(r->at[i].rules);
    }
    for (size_t i = 0; i < r->c.blocks; i++)
        free_block(&r->blocks[i]);
    (void)pthread_mutex_destroy(&r->lock);
    (void)pthread_cond_destroy(&r->for_readers);
    (void)pthread_cond_destroy(&r->for_writer);
    free(r->blocks);
    free(r);
}

static void readers_freep(struct leat_rebuild_readers **r)
{
    leat_rebuild_readers_free(*r);
}

static struct leat_rebuild_readers *readers_alloc(const struct leat_rebuild_reader_config *c)
{
    struct leat_rebuild_readers *r = calloc(1, sizeof *r);
    leat_assert(r != NULL && c->readers >= 1 && c->readers <= READERS_MAX);
    r->c = *c;
    r->full_end = &r->full;
    r->blocks = calloc(c->blocks, sizeof *r->blocks);
    leat_assert(r->blocks != NULL);
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&r->lock, NULL);
    (void)pthread_cond_init(&r->for_readers, &attr);
    (void)pthread_cond_init(&r->for_writer, &attr);
    (void)pthread_condattr_destroy(&attr);
    for (size_t i = 0; i < c->blocks; i++) {
        r->blocks[i].arena = leat_arena_new(BLOCK_BYTES, BLOCK_KEEP);
        r->blocks[i].next = r->free;
        r->free = &r->blocks[i];
    }
    return r;
}

leat_status leat_rebuild_readers_new(const struct leat_rebuild_reader_config *c,
                                     struct leat_rebuild_readers **ret, struct leat_error *err)
{
    LEAT_AUTO(readers_freep) struct leat_rebuild_readers *r = readers_alloc(c);
    for (int i = 0; i < c->readers; i++) {
        struct reader *t = &r->at[i];
        t->all = r;
        LEAT_TRY(leat_rules_new(c->fold->projection, &t->rules, err), err, "rebuild");
        int rc = pthread_create(&t->thread, NULL, reader_main, t);
        if (rc != 0)
            return leat_fail(err, LEAT_FATAL, "could not start a thread: %s", strerror(rc));
        t->running = true;
    }
    *ret = LEAT_TAKE(r);
    return LEAT_OK;
}
