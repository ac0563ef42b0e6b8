#include "projection/rebuild.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "projection/rebuild_take.h"
#include "topology/declaration.h"

#define READERS       2
#define BATCH_BLOCKS  16 /* of one transaction: 65,536 events */
#define SPARE_BLOCKS  6
#define JOIN_EVENTS   1000 /* left to whoever feeds the models */
#define ROUNDS_MAX    100
#define WAIT_MS       200
#define TELL_EVERY_US 500000
#define ARENA_BYTES   16384

struct rebuild {
    const struct leat_rebuild_config *c;
    char dir[LEAT_MODEL_PATH_BYTES];
    int fd; /* of the mark */
    struct leat_store *store;
    struct leat_fold *fold;
    struct leat_rebuild_readers *readers;
    struct leat_arena *arena;
    struct leat_rebuild_block *held[BATCH_BLOCKS]; /* taken since the last commit */
    size_t n_held;
    struct leat_checkpoint *current; /* per slice, of the version readers use; NULL: none */
    struct leat_rebuild_result result;
    struct leat_build_state state;
    int64_t started_us, told_us;
    int64_t paced_from_us, paced_events; /* since the pace was last set */
    int32_t partitions;
};

/* ---- what is asked of it ---- */

static bool is_stopped(const struct rebuild *r)
{
    return r->c->stop != NULL && atomic_load(r->c->stop);
}

static void tell(struct rebuild *r, bool always)
{
    int64_t now_us = leat_mono_us();
    if (!always && now_us - r->told_us < TELL_EVERY_US)
        return;
    int64_t spent_us = now_us - r->started_us;
    r->told_us = now_us;
    r->state.told_ms = leat_now_ms();
    r->state.done = r->result.resumed + (int64_t)r->result.events;
    r->state.per_s =
        spent_us > 0 ? (int64_t)((double)r->result.events * 1e6 / (double)spent_us) : 0;
    leat_build_tell(r->fd, &r->state);
    if (r->c->tell != NULL)
        r->c->tell(r->c->arg, &r->state);
}

static void read_wishes(struct rebuild *r)
{
    bool paused = false;
    int64_t pace = 0;
    leat_build_asked(r->dir, &paused, &pace);
    if (pace == 0)
        pace = r->c->pace_per_s;
    if (paused != r->state.paused)
        leat_rebuild_readers_pause(r->readers, paused);
    if (pace != r->state.pace_per_s || paused != r->state.paused) {
        r->paced_from_us = leat_mono_us();
        r->paced_events = 0;
    }
    r->state.paused = paused;
    r->state.pace_per_s = pace;
}

/* Waits until as many events are due; wishes may change meanwhile. */
static void keep_pace(struct rebuild *r, size_t events)
{
    r->paced_events += (int64_t)events;
    read_wishes(r);
    while (r->state.pace_per_s > 0 && !is_stopped(r)) {
        int64_t due_us = r->paced_from_us +
                         (int64_t)((double)r->paced_events * 1e6 / (double)r->state.pace_per_s);
        int64_t left_us = due_us - leat_mono_us();
        if (left_us <= 0)
            break;
        (void)poll(NULL, 0, (int)(left_us / 1000 < WAIT_MS ? left_us / 1000 + 1 : WAIT_MS));
        tell(r, false);
        read_wishes(r);
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
        status = leat_fail(err, LEAT_FATAL, "somebody else writes to the version being built");
    return status;
}

static leat_status take_block(struct rebuild *r, struct leat_rebuild_block *b,
                              struct leat_error *err)
{
    r->held[r->n_held++] = b;
    LEAT_TRY(leat_fold_take_block(r->fold, b, err), err, "fold");
    r->result.events += b->events;
    keep_pace(r, b->events);
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
        if (b == NULL)
            read_wishes(r);
        tell(r, false);
    }
    if (status != LEAT_ABSENT)
        return status;
    return commit(r, err);
}

/* ---- rounds ---- */

static bool is_zero(const struct leat_uuid *id)
{
    static const struct leat_uuid zero;
    return leat_uuid_eq(id, &zero);
}

/* Where the version that readers use stands: the new one has to get there too. */
static leat_status read_current(struct rebuild *r, struct leat_error *err)
{
    char version[LEAT_VERSION_BYTES], dir[LEAT_MODEL_PATH_BYTES];
    const struct leat_str name = r->c->projection->name;
    struct leat_env *env = NULL;
    struct leat_env_txn t;
    struct leat_error absent = {0};
    r->current = NULL;
    if (leat_version_current(r->c->data_dir, name, version, &absent) != LEAT_OK ||
        strcmp(version, r->c->version) == 0 ||
        leat_version_dir(r->c->data_dir, name, version, dir, &absent) != LEAT_OK ||
        leat_env_open(dir, false, 0, &env, &absent) != LEAT_OK)
        return LEAT_OK;
    leat_status status = leat_env_read_begin(env, &t, err);
    if (status == LEAT_OK) {
        r->current = leat_arena_zalloc(r->arena, (size_t)r->partitions, sizeof *r->current);
        status = leat_checkpoints_read(&t, r->partitions, r->current, err);
        leat_env_read_end(&t);
    }
    leat_env_close(env);
    return status;
}

/* Up to what the store has published, and at least as far as readers have come. */
static int64_t goal(const struct rebuild *r, const struct leat_published *p)
{
    int64_t seq = p->seq;
    if (r->current != NULL && leat_uuid_eq(&r->current[p->slice].store_id, &p->store_id) &&
        r->current[p->slice].seq > seq && r->current[p->slice].seq <= p->head_seq)
        seq = r->current[p->slice].seq;
    return seq;
}

static leat_status published(struct rebuild *r, struct leat_published **ret, struct leat_error *err)
{
    int32_t *ks = leat_arena_alloc(r->arena, (size_t)r->partitions * sizeof *ks);
    for (int32_t k = 0; k < r->partitions; k++)
        ks[k] = k;
    if (!leat_store_connected(r->store))
        LEAT_TRY(leat_store_reconnect(r->store, err), err, "published");
    return leat_store_published(r->store, ks, (size_t)r->partitions, r->arena, ret, err);
}

/* *ret_left: events of the ranges. */
static leat_status find_ranges(struct rebuild *r, struct leat_rebuild_range **ret, size_t *ret_n,
                               int64_t *ret_left, struct leat_error *err)
{
    struct leat_published *p = NULL;
    leat_arena_reset(r->arena);
    LEAT_TRY(read_current(r, err), err, "current version");
    LEAT_TRY(published(r, &p, err), err, "rebuild");
    struct leat_rebuild_range *ranges =
        leat_arena_alloc(r->arena, (size_t)r->partitions * sizeof *ranges);
    size_t n = 0;
    int64_t left = 0;
    for (int32_t i = 0; i < r->partitions; i++) {
        const struct leat_checkpoint *seen = &r->fold->seen[p[i].slice];
        int64_t upto = goal(r, &p[i]);
        if (is_zero(&seen->store_id))
            leat_fold_set_store(r->fold, p[i].slice, &p[i].store_id);
        if (!leat_uuid_eq(&seen->store_id, &p[i].store_id)) /* the next run looks how much holds */
            return leat_fail(err, LEAT_RETRY, "slice %d has forked meanwhile", (int)p[i].slice);
        if (upto <= seen->seq)
            continue;
        ranges[n++] = (struct leat_rebuild_range){
            .slice = p[i].slice, .after = seen->seq, .upto = upto, .store_id = p[i].store_id};
        left += upto - seen->seq;
    }
    *ret = ranges;
    *ret_n = n;
    *ret_left = left;
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
        tell(r, round == 0);
        if (left == 0 || (round > 0 && left <= JOIN_EVENTS))
            return LEAT_OK;
        LEAT_TRY(fold_ranges(r, ranges, n, err), err, "rebuild");
    }
    return LEAT_OK; /* it writes faster than we read: the rest is the feeder's */
}

/* Where to go on reading in Kafka: not behind where the version in use goes on, if that has come no
 * further. Only a hint: the seq rule sees to the rest. */
static void take_hints(struct rebuild *r)
{
    for (int32_t k = 0; r->current != NULL && k < r->partitions; k++) {
        const struct leat_checkpoint *c = &r->current[k];
        struct leat_checkpoint *seen = &r->fold->seen[k];
        if (leat_uuid_eq(&c->store_id, &seen->store_id) && c->seq <= seen->seq &&
            c->next_offset > seen->next_offset)
            seen->next_offset = c->next_offset;
    }
}

static leat_status finish(struct rebuild *r, struct leat_error *err)
{
    take_hints(r);
    LEAT_TRY(leat_fold_commit(r->fold, err), err, "rebuild");
    LEAT_TRY(leat_env_lazy(r->fold->env, false, err), err, "rebuild");
    tell(r, true);
    int fd = r->fd;
    r->fd = -1;
    return leat_build_done(r->dir, fd, err);
}

/* ---- going on with what a former run has left ---- */

/* *ret_same: every checkpoint is still an event of this store. */
static leat_status same_history(struct rebuild *r, bool *ret_same, struct leat_error *err)
{
    struct leat_published *p = NULL;
    leat_arena_reset(r->arena);
    LEAT_TRY(published(r, &p, err), err, "rebuild");
    *ret_same = true;
    for (int32_t i = 0; i < r->partitions && *ret_same; i++) {
        const struct leat_checkpoint *at = &r->fold->seen[p[i].slice];
        struct leat_store_page page = {
            .slice = p[i].slice, .after = at->seq - 1, .upto = at->seq, .limit = 1};
        struct leat_stored_event *found = NULL;
        size_t n = 0;
        if (at->seq == 0)
            continue;
        LEAT_TRY(leat_store_slice(r->store, &page, r->arena, &found, &n, err), err, "rebuild");
        *ret_same = leat_uuid_eq(&at->store_id, &p[i].store_id) && n == 1 &&
                    leat_uuid_eq(&found[0].id, &at->event_id);
        r->result.resumed += at->seq;
    }
    return LEAT_OK;
}

static leat_status open_fold(struct rebuild *r, struct leat_error *err)
{
    LEAT_TRY(leat_fold_open(r->c->projection, r->partitions, r->dir, 0, &r->fold, err), err,
             "rebuild");
    return leat_env_lazy(r->fold->env, true, err);
}

static leat_status start_over(struct rebuild *r, struct leat_error *err)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[LEAT_MODEL_PATH_BYTES + 16];
    leat_fold_close(r->fold);
    r->fold = NULL;
    r->result.resumed = 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", r->dir, files[i]);
        (void)unlink(path);
    }
    return open_fold(r, err);
}

/* ---- life ---- */

static void rebuild_done(struct rebuild *r)
{
    leat_rebuild_readers_free(r->readers);
    leat_fold_close(r->fold);
    leat_store_close(r->store);
    leat_arena_free(r->arena);
    leat_build_unlock(r->fd);
}

static leat_status prepare(struct rebuild *r, struct leat_error *err)
{
    const struct leat_rebuild_config *c = r->c;
    bool over = false, same = false;
    LEAT_TRY(leat_version_dir(c->data_dir, c->projection->name, c->version, r->dir, err), err,
             "rebuild");
    LEAT_TRY(leat_build_lock(r->dir, &r->fd, &over, err), err, "version %s", c->version);
    LEAT_TRY(leat_store_open(c->store, &r->store, err), err, "rebuild");
    LEAT_TRY(open_fold(r, err), err, "rebuild");
    LEAT_TRY(same_history(r, &same, err), err, "rebuild");
    if (!same)
        LEAT_TRY(start_over(r, err), err, "rebuild");
    struct leat_rebuild_reader_config rc = {.store = c->store,
                                            .schemas = c->schemas,
                                            .fold = r->fold,
                                            .readers = c->readers == 0 ? READERS : c->readers,
                                            .blocks = BATCH_BLOCKS + SPARE_BLOCKS};
    return leat_rebuild_readers_new(&rc, &r->readers, err);
}

leat_status leat_rebuild_run(const struct leat_rebuild_config *c, struct leat_rebuild_result *ret,
                             struct leat_error *err)
{
    struct rebuild *r = calloc(1, sizeof *r);
    leat_assert(r != NULL);
    r->c = c;
    r->fd = -1;
    r->partitions = c->topology->partitions;
    r->arena = leat_arena_new(ARENA_BYTES, 0);
    r->started_us = r->paced_from_us = leat_mono_us();
    r->state.started_ms = leat_now_ms();
    r->state.pid = (int64_t)getpid();
    leat_status status = prepare(r, err);
    if (status == LEAT_OK) {
        status = fold_rounds(r, err);
        if (status == LEAT_OK)
            status = finish(r, err);
        r->result.rows_put = r->fold->figures.rows_put;
        r->result.transactions = r->fold->figures.transactions;
        r->result.took_ms = (leat_mono_us() - r->started_us) / 1000;
        *ret = r->result;
    }
    rebuild_done(r);
    free(r);
    return status;
}

static leat_status write_declaration(const char *dir, const struct leat_topology *topology,
                                     const struct leat_projection *projection,
                                     struct leat_error *err)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, LEAT_DECLARATION_BYTES_MAX);
    leat_declaration_text(topology, projection, &text);
    if (text.overflow)
        return leat_fail(err, LEAT_INVALID, "the declaration is too long");
    return leat_version_write(dir, "declaration", leat_buf_str(&text), err);
}

leat_status leat_rebuild_declare(const char *dir, const struct leat_topology *topology,
                                 const struct leat_projection *projection, struct leat_error *err)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf have;
    struct leat_error absent = {0};
    leat_buf_init(&have, LEAT_DECLARATION_BYTES_MAX);
    if (leat_version_read(dir, "declaration", 1, &have, &absent) == LEAT_OK)
        return LEAT_OK;
    return write_declaration(dir, topology, projection, err);
}

leat_status leat_rebuild_make(const char *data_dir, const struct leat_topology *topology,
                              const struct leat_projection *projection,
                              char ret_version[LEAT_VERSION_BYTES], struct leat_error *err)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    int fd = -1;
    bool over = false;
    LEAT_TRY(leat_version_prepare(data_dir, dir, err), err, "new version");
    leat_status status = write_declaration(dir, topology, projection, err);
    if (status == LEAT_OK)
        status = leat_build_lock(dir, &fd, &over, err);
    if (status == LEAT_OK) {
        struct leat_build_state none = {.started_ms = leat_now_ms()};
        leat_build_tell(fd, &none);
        status =
            leat_version_add(data_dir, projection->name, projection->hash, dir, ret_version, err);
    }
    leat_build_unlock(fd);
    if (status != LEAT_OK)
        leat_version_discard(dir);
    return status;
}
