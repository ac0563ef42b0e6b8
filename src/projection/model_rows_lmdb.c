/* Rows of a model in LMDB. A snapshot is a read transaction: every read of it is of one state. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "projection/model.h"
#include "projection/model_rows.h"
#include "projection/model_rows_redis.h"

struct version {
    struct leat_rows_version public;
    struct leat_env *env;
    int fresh_fd;
    _Atomic(int64_t) complete_ms, read_ms; /* as read last, and when */
};
struct snapshot {
    struct leat_rows_snapshot public;
    struct leat_env_txn txn;
};
struct leat_rows_walk {
    struct snapshot *snapshot;
    struct leat_rows_range range;
    const struct leat_shape_index *index; /* NULL: by key */
    MDB_cursor *cursor;
    struct leat_cell *cells;
    bool started;
};

static struct version *version_of(struct leat_rows_snapshot *s)
{
    return (struct version *)s->version;
}

static struct leat_env_txn *txn_of(struct leat_rows_snapshot *s)
{
    return &((struct snapshot *)s)->txn;
}

/* ---- versions ---- */

static leat_status current(const struct leat_rows_place *place,
                           char ret_version[LEAT_VERSION_BYTES], struct leat_error *err)
{
    return leat_version_current(place->data_dir, place->declared->name, ret_version, err);
}

static leat_status former(const struct leat_rows_place *place, const char *version,
                          char ret_version[LEAT_VERSION_BYTES], struct leat_error *err)
{
    LEAT_AUTO(leat_versions_free) struct leat_versions all = {0};
    struct leat_str name = place->declared->name;
    LEAT_TRY(leat_versions_list(place->data_dir, name, &all, err), err, "read model '%.*s'",
             LEAT_STR_FMT(name));
    const struct leat_version *v = leat_versions_newest(&all, leat_version_hash(version), true);
    if (v == NULL || !v->has_data)
        return leat_fail(err, LEAT_ABSENT, "version '%s' is not there", version);
    memcpy(ret_version, v->name, LEAT_VERSION_BYTES);
    return LEAT_OK;
}

static void version_close(struct leat_rows_version *public)
{
    struct version *v = (struct version *)public;
    if (v == NULL)
        return;
    if (v->fresh_fd >= 0)
        (void)close(v->fresh_fd);
    leat_shape_free(v->public.shape);
    leat_env_close(v->env);
    free(v);
}

static void version_freep(struct version **v)
{
    if (*v != NULL)
        version_close(&(*v)->public);
}

static leat_status read_shape(struct version *v, struct leat_error *err)
{
    struct leat_env_txn t;
    LEAT_TRY(leat_env_read_begin(v->env, &t, err), err, "read model");
    leat_status status = leat_shape_read(&t, &v->public.shape, err);
    leat_env_read_end(&t);
    return status;
}

static leat_status version_open(const struct leat_rows_place *place, const char *version,
                                struct leat_rows_version **ret, struct leat_error *err)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    struct leat_error ignored = {0};
    struct leat_str name = place->declared->name;
    LEAT_AUTO(version_freep) struct version *v = calloc(1, sizeof *v);
    leat_assert(v != NULL && strlen(version) < sizeof v->public.version);
    v->fresh_fd = -1;
    v->public.backend = &leat_rows_lmdb;
    v->public.declared = place->declared;
    memcpy(v->public.version, version, strlen(version) + 1);
    LEAT_TRY(leat_version_dir(place->data_dir, name, version, dir, err), err, "open");
    LEAT_TRY(leat_env_open(dir, false, 0, &v->env, err), err, "model '%.*s'", LEAT_STR_FMT(name));
    LEAT_TRY(read_shape(v, err), err, "model '%.*s'", LEAT_STR_FMT(name));
    if (leat_fresh_open(dir, false, &v->fresh_fd, &ignored) != LEAT_OK)
        v->fresh_fd = -1; /* its age is then unknown */
    *ret = &LEAT_TAKE(v)->public;
    return LEAT_OK;
}

/* ---- snapshots ---- */

static leat_status begin(struct leat_rows_version *v, struct leat_arena *arena,
                         struct leat_rows_snapshot **ret, struct leat_error *err)
{
    struct snapshot *s = leat_arena_alloc(arena, sizeof *s);
    s->public = (struct leat_rows_snapshot){v, arena};
    LEAT_TRY(leat_env_read_begin(((struct version *)v)->env, &s->txn, err), err, "read a model");
    *ret = &s->public;
    return LEAT_OK;
}

static void end(struct leat_rows_snapshot *s)
{
    leat_env_read_end(txn_of(s));
}

static uint64_t state(struct leat_rows_snapshot *s)
{
    return mdb_txn_id(txn_of(s)->txn);
}

/* Read again each millisecond: it is a time in them. */
static int64_t complete_ms(struct leat_rows_snapshot *s)
{
    struct version *v = version_of(s);
    int64_t now_ms = leat_now_ms();
    if (atomic_load_explicit(&v->read_ms, memory_order_acquire) == now_ms)
        return atomic_load_explicit(&v->complete_ms, memory_order_relaxed);
    int64_t at = leat_fresh_read(v->fresh_fd);
    atomic_store_explicit(&v->complete_ms, at, memory_order_relaxed);
    atomic_store_explicit(&v->read_ms, now_ms, memory_order_release);
    return at;
}

static leat_status position(struct leat_rows_snapshot *s, struct leat_rows_position *ret,
                            struct leat_error *err)
{
    int32_t n = s->version->shape->partitions;
    struct leat_checkpoint *at = leat_arena_zalloc(s->arena, (size_t)n, sizeof *at);
    int64_t *seqs = leat_arena_zalloc(s->arena, (size_t)n, sizeof *seqs);
    struct leat_uuid *stores = leat_arena_zalloc(s->arena, (size_t)n, sizeof *stores);
    LEAT_TRY(leat_checkpoints_read(txn_of(s), n, at, err), err, "position");
    for (int32_t k = 0; k < n; k++) {
        seqs[k] = at[k].seq;
        stores[k] = at[k].store_id;
    }
    *ret = (struct leat_rows_position){n, seqs, stores, complete_ms(s)};
    return LEAT_OK;
}

static leat_status kinds(struct leat_rows_snapshot *s, struct leat_column_kinds *ret,
                         struct leat_error *err)
{
    return leat_column_kinds_read(txn_of(s), ret, err);
}

static leat_status count(struct leat_rows_snapshot *s, uint64_t *ret_rows, struct leat_error *err)
{
    MDB_stat stat;
    int rc = mdb_stat(txn_of(s)->txn, txn_of(s)->dbi[LEAT_DB_ROWS], &stat);
    if (rc != 0)
        return leat_env_fail(NULL, rc, err, "count rows");
    *ret_rows = stat.ms_entries;
    return LEAT_OK;
}

/* ---- rows ---- */

static leat_status decode(const struct leat_rows_snapshot *s, struct leat_str db_key,
                          struct leat_str bytes, struct leat_cell *cells,
                          struct leat_model_row *ret, struct leat_error *err)
{
    struct leat_str kept = {NULL, 0};
    LEAT_TRY(leat_row_decode(bytes, cells, s->version->shape->n_fields, &kept, err), err, "row");
    ret->key = kept.len > 0 ? kept : db_key;
    ret->cells = cells;
    return LEAT_OK;
}

static leat_status get(struct leat_rows_snapshot *s, const struct leat_str *keys, uint32_t n,
                       struct leat_model_row *rows, struct leat_error *err)
{
    uint8_t scratch[LEAT_ROW_KEY_MAX];
    struct leat_str bytes;
    bool shortened = false;
    for (uint32_t i = 0; i < n; i++) {
        rows[i] = (struct leat_model_row){.key = keys[i]};
        struct leat_str db_key = leat_row_key(keys[i], scratch, &shortened);
        leat_status status = leat_env_get(txn_of(s), LEAT_DB_ROWS, db_key, &bytes, err);
        if (status == LEAT_ABSENT)
            continue;
        if (status != LEAT_OK)
            return status;
        struct leat_cell *cells =
            leat_arena_alloc(s->arena, (s->version->shape->n_fields + (size_t)1) * sizeof *cells);
        LEAT_TRY(decode(s, keys[i], bytes, cells, &rows[i], err), err, "read a row");
    }
    return LEAT_OK;
}

/* ---- walks ---- */

static void walk_close(struct leat_rows_walk *w)
{
    if (w != NULL && w->cursor != NULL)
        mdb_cursor_close(w->cursor);
    if (w != NULL)
        w->cursor = NULL;
}

static leat_status walk(struct leat_rows_snapshot *s, const struct leat_rows_range *range,
                        struct leat_rows_walk **ret, struct leat_error *err)
{
    const struct leat_shape *shape = s->version->shape;
    struct leat_rows_walk *w = leat_arena_alloc(s->arena, sizeof *w);
    leat_env_db db = range->index < 0 ? LEAT_DB_ROWS : LEAT_DB_INDEX;
    *w = (struct leat_rows_walk){.snapshot = (struct snapshot *)s, .range = *range};
    w->index = range->index < 0 ? NULL : &shape->indexes[range->index];
    w->cells = leat_arena_alloc(s->arena, (shape->n_fields + (size_t)1) * sizeof *w->cells);
    int rc = mdb_cursor_open(txn_of(s)->txn, txn_of(s)->dbi[db], &w->cursor);
    if (rc != 0)
        return leat_env_fail(NULL, rc, err, "list a model");
    *ret = w;
    return LEAT_OK;
}

static int compare_bytes(const void *a, size_t n_a, const void *b, size_t n_b)
{
    int order = memcmp(a, b, n_a < n_b ? n_a : n_b);
    return order != 0 ? order : (n_a > n_b) - (n_a < n_b);
}

static int compare(const MDB_val *k, const struct leat_index_key *with)
{
    return compare_bytes(k->mv_data, k->mv_size, with->bytes, with->len);
}

static int compare_bounds(const struct leat_index_key *a, const struct leat_index_key *b)
{
    return compare_bytes(a->bytes, a->len, b->bytes, b->len);
}

static bool starts_with(const MDB_val *k, const struct leat_index_key *prefix)
{
    return k->mv_size >= prefix->len && memcmp(k->mv_data, prefix->bytes, prefix->len) == 0;
}

static int seek(MDB_cursor *cursor, const struct leat_index_key *at, MDB_val *k, MDB_val *d)
{
    k->mv_size = at->len;
    k->mv_data = (void *)(uintptr_t)at->bytes;
    return mdb_cursor_get(cursor, k, d, MDB_SET_RANGE);
}

static int first_ascending(const struct leat_rows_walk *w, MDB_val *k, MDB_val *d)
{
    const struct leat_rows_range *r = &w->range;
    const struct leat_index_key *at = &r->prefix;
    if (compare_bounds(&r->from, at) > 0)
        at = &r->from;
    if (r->after.len > 0)
        at = &r->after;
    if (at->len == 0)
        return mdb_cursor_get(w->cursor, k, d, MDB_FIRST);
    int rc = seek(w->cursor, at, k, d);
    if (rc == 0 && r->after.len > 0 && compare(k, &r->after) == 0)
        rc = mdb_cursor_get(w->cursor, k, d, MDB_NEXT);
    return rc;
}

/* The least bytes greater than all that start with these; false: there are none. */
static bool behind(const struct leat_index_key *prefix, struct leat_index_key *ret)
{
    *ret = *prefix;
    while (ret->len > 0 && ret->bytes[ret->len - 1] == 0xff)
        ret->len--;
    if (ret->len == 0)
        return false;
    ret->bytes[ret->len - 1]++;
    return true;
}

static int first_descending(const struct leat_rows_walk *w, MDB_val *k, MDB_val *d)
{
    const struct leat_rows_range *r = &w->range;
    struct leat_index_key bound, of_to;
    bool bounded = behind(&r->prefix, &bound);
    if (r->to.len > 0 && behind(&r->to, &of_to)) {
        if (!bounded || compare_bounds(&of_to, &bound) < 0)
            bound = of_to;
        bounded = true;
    }
    if (r->after.len > 0) {
        bound = r->after;
        bounded = true;
    }
    int rc = bounded ? seek(w->cursor, &bound, k, d) : MDB_NOTFOUND;
    if (rc == MDB_NOTFOUND)
        return mdb_cursor_get(w->cursor, k, d, MDB_LAST);
    return rc == 0 ? mdb_cursor_get(w->cursor, k, d, MDB_PREV) : rc;
}

static bool is_past(const struct leat_rows_range *r, const MDB_val *k)
{
    if (!starts_with(k, &r->prefix))
        return true;
    if (r->descending)
        return r->from.len > 0 && compare(k, &r->from) < 0;
    return r->to.len > 0 && compare(k, &r->to) > 0 && !starts_with(k, &r->to);
}

static int step(struct leat_rows_walk *w, MDB_val *k, MDB_val *d)
{
    bool down = w->range.descending;
    if (w->started)
        return mdb_cursor_get(w->cursor, k, d, down ? MDB_PREV : MDB_NEXT);
    w->started = true;
    return down ? first_descending(w, k, d) : first_ascending(w, k, d);
}

static leat_status row_of_entry(struct leat_rows_walk *w, const MDB_val *d,
                                struct leat_model_row *ret, struct leat_error *err)
{
    struct leat_rows_snapshot *s = &w->snapshot->public;
    struct leat_str db_key = ret->entry;
    struct leat_str row = {d->mv_data, (uint32_t)d->mv_size};
    if (w->index != NULL &&
        !leat_index_key_row(ret->entry, w->index->columns, w->index->n_columns, &db_key)) {
        return leat_fail(err, LEAT_FATAL, "index '%.*s' is damaged", LEAT_STR_FMT(w->index->name));
    }
    ret->key = db_key;
    /* A key as long as shortened ones may be one: the full one is in the row. */
    if (w->range.keys_only && db_key.len < LEAT_ROW_KEY_MAX)
        return LEAT_OK;
    if (w->index != NULL)
        LEAT_TRY(leat_env_get(txn_of(s), LEAT_DB_ROWS, db_key, &row, err), err,
                 "index without row");
    return decode(s, db_key, row, w->cells, ret, err);
}

static leat_status next(struct leat_rows_walk *w, struct leat_model_row *ret,
                        struct leat_error *err)
{
    MDB_val k, d;
    int rc = step(w, &k, &d);
    if (rc == MDB_NOTFOUND || (rc == 0 && is_past(&w->range, &k)))
        return LEAT_ABSENT;
    if (rc != 0)
        return leat_env_fail(NULL, rc, err, "list a model");
    *ret = (struct leat_model_row){.entry = {k.mv_data, (uint32_t)k.mv_size}};
    return row_of_entry(w, &d, ret, err);
}

/* ---- events that could not be applied ---- */

static leat_status skipped(struct leat_rows_snapshot *s, int32_t limit, struct leat_json_writer *w,
                           struct leat_error *err)
{
    MDB_cursor *cursor = NULL;
    MDB_val k, d;
    int rc = mdb_cursor_open(txn_of(s)->txn, txn_of(s)->dbi[LEAT_DB_SKIPPED], &cursor);
    for (int32_t i = 0; rc == 0 && i < limit; i++) {
        rc = mdb_cursor_get(cursor, &k, &d, i == 0 ? MDB_FIRST : MDB_NEXT);
        if (rc != 0 || k.mv_size != LEAT_SKIP_KEY_BYTES)
            break;
        leat_model_skip_json(k.mv_data, (struct leat_str){d.mv_data, (uint32_t)d.mv_size}, w);
    }
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    return rc == 0 || rc == MDB_NOTFOUND ? LEAT_OK
                                         : leat_env_fail(NULL, rc, err, "read skipped events");
}

const struct leat_rows_backend leat_rows_lmdb = {
    .name = "lmdb",
    .current = current,
    .former = former,
    .open = version_open,
    .close = version_close,
    .begin = begin,
    .end = end,
    .state = state,
    .position = position,
    .complete_ms = complete_ms,
    .kinds = kinds,
    .count = count,
    .get = get,
    .walk = walk,
    .next = next,
    .walk_close = walk_close,
    .skipped = skipped,
};

const struct leat_rows_backend *leat_rows_backend_of(leat_model_store store)
{
    switch (store) {
    case LEAT_MODEL_LMDB:
        return &leat_rows_lmdb;
    case LEAT_MODEL_REDIS:
        return &leat_rows_redis;
    }
    return NULL;
}
