#include "projection/redis_copy.h"

#include <stdlib.h>
#include <string.h>

#include "projection/model_rows_redis.h"
#include "projection/redis_pool.h"

#define SLICE_TRIES 20

struct copy {
    struct leat_redis_version *version;
    struct leat_redis_snapshot snapshot; /* gives the connection to those who read rows */
    struct leat_arena *arena;            /* of a slice */
    struct leat_env_txn *txn;
    int32_t slice;
    struct leat_checkpoint *at;
    struct leat_column_kinds kinds;
    struct leat_buf packed;
};

leat_status leat_redis_current(const struct leat_topology *t, const struct leat_projection *p,
                               char ret_version[LEAT_VERSION_BYTES], struct leat_error *err)
{
    const struct leat_rows_place place = {.topology = t, .declared = p};
    return leat_rows_redis.current(&place, ret_version, err);
}

/* ---- rows ---- */

static leat_status merge_kept(struct copy *c, struct leat_str db_key, struct leat_cell *cells,
                              struct leat_error *err)
{
    uint32_t n = c->version->names.n;
    struct leat_str bytes;
    leat_status status = leat_env_get(c->txn, LEAT_DB_ROWS, db_key, &bytes, err);
    if (status != LEAT_OK)
        return status == LEAT_ABSENT ? LEAT_OK : status;
    struct leat_cell *kept = leat_arena_alloc(c->arena, (n + (size_t)1) * sizeof *kept);
    LEAT_TRY(leat_row_decode(leat_arena_copy(c->arena, bytes), kept, n, NULL, err), err, "row");
    leat_redis_join(&c->version->form, n, kept, cells, c->arena);
    memcpy(cells, kept, n * sizeof *cells);
    return LEAT_OK;
}

static leat_status copy_row(struct copy *c, struct leat_str db_key, struct leat_str text,
                            struct leat_error *err)
{
    uint32_t n = c->version->names.n;
    struct leat_row_own own;
    struct leat_cell *cells = leat_arena_alloc(c->arena, (n + (size_t)1) * sizeof *cells);
    LEAT_TRY(leat_row_of_text(&c->version->names, text, c->arena, cells, &own, err), err,
             "row '%.*s'", (int)(db_key.len & 0xff), db_key.at);
    if (!c->version->form.by_stream)
        LEAT_TRY(merge_kept(c, db_key, cells, err), err, "merge");
    leat_buf_clear(&c->packed);
    leat_row_encode_until(cells, n, own.key, own.until_ms, &c->packed);
    return leat_env_put(c->txn, LEAT_DB_ROWS, db_key, leat_buf_str(&c->packed), err);
}

/* Fields and values of the slice's hash; *ret_at = the checkpoint among them. */
static leat_status copy_rows(struct copy *c, const struct leat_redis_reply *hash,
                             struct leat_str *ret_at, struct leat_error *err)
{
    *ret_at = (struct leat_str){NULL, 0};
    for (size_t i = 0; i + 1 < leat_redis_count(hash); i += 2) {
        struct leat_str field = leat_redis_text(leat_redis_item(hash, i));
        struct leat_str value = leat_redis_text(leat_redis_item(hash, i + 1));
        if (field.len == 0) {
            *ret_at = leat_arena_copy(c->arena, value);
        } else {
            LEAT_TRY(copy_row(c, field, value, err), err, "copy");
        }
    }
    return LEAT_OK;
}

/* ---- a slice: first what tells whether it stood still, then the rest ---- */

static void send_slice(struct copy *c)
{
    const struct leat_redis_slice_keys *keys = &c->version->keys.slices[c->slice];
    struct leat_redis *r = c->snapshot.redis;
    for (uint32_t i = 0; i < c->version->keys.n_indexes; i++) {
        leat_redis_command(r, 4);
        leat_redis_arg(r, LEAT_STR("ZRANGE"));
        leat_redis_arg(r, keys->indexes[i]);
        leat_redis_arg_int(r, 0);
        leat_redis_arg_int(r, -1);
    }
    leat_redis_command(r, 2);
    leat_redis_arg(r, LEAT_STR("HGETALL"));
    leat_redis_arg(r, keys->rows);
}

static leat_status read_entries(struct copy *c, struct leat_str **ret, size_t *ret_n,
                                struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    size_t n = 0, cap = 0;
    struct leat_str *all = NULL;
    for (uint32_t i = 0; i < c->version->keys.n_indexes; i++) {
        LEAT_TRY(leat_redis_reply(c->snapshot.redis, &reply, err), err, "index");
        all = leat_arena_grow(c->arena, all, sizeof *all, &cap, n + leat_redis_count(reply));
        for (size_t j = 0; j < leat_redis_count(reply); j++)
            all[n++] = leat_arena_copy(c->arena, leat_redis_text(leat_redis_item(reply, j)));
    }
    *ret = all;
    *ret_n = n;
    return LEAT_OK;
}

/* A change between the indexes and the rows shows in the checkpoint, which is read before both. */
static leat_status copy_slice(struct copy *c, bool *ret_still, struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct leat_str *entries = NULL, before, after;
    size_t n = 0;
    leat_arena_reset(c->arena);
    leat_redis_send_row(&c->snapshot, c->slice, LEAT_STR(""));
    send_slice(c);
    LEAT_TRY(leat_redis_reply(c->snapshot.redis, &reply, err), err, "checkpoint");
    before = leat_arena_copy(c->arena, leat_redis_text(reply));
    LEAT_TRY(read_entries(c, &entries, &n, err), err, "slice %d", (int)c->slice);
    LEAT_TRY(leat_redis_reply(c->snapshot.redis, &reply, err), err, "rows");
    LEAT_TRY(copy_rows(c, reply, &after, err), err, "slice %d", (int)c->slice);
    *ret_still = leat_str_eq(before, after);
    if (!*ret_still)
        return LEAT_OK;
    for (size_t i = 0; i < n; i++) {
        LEAT_TRY(leat_env_put(c->txn, LEAT_DB_INDEX, entries[i], (struct leat_str){"", 0}, err),
                 err, "index");
    }
    return leat_redis_at_read(after, c->version->public.shape, &c->at[c->slice], &c->kinds)
               ? LEAT_OK
               : leat_fail(err, LEAT_FATAL, "the checkpoint of slice %d is damaged", (int)c->slice);
}

/* One transaction per slice: a try that met a change is rolled back. */
static leat_status slice_body(struct leat_env_txn *t, void *arg, struct leat_error *err)
{
    struct copy *c = arg;
    bool still = false;
    c->txn = t;
    LEAT_TRY(copy_slice(c, &still, err), err, "copy");
    return still ? LEAT_OK
                 : leat_fail(err, LEAT_RETRY, "slice %d is written all the time", (int)c->slice);
}

/* ---- index entries of rows that slices share: Redis has none ---- */

static leat_status index_row(struct copy *c, struct leat_str db_key, struct leat_str bytes,
                             struct leat_error *err)
{
    const struct leat_shape *shape = c->version->public.shape;
    struct leat_cell cells[LEAT_ROW_FIELDS_MAX];
    LEAT_TRY(leat_row_decode(bytes, cells, shape->n_fields, NULL, err), err, "row");
    for (uint32_t i = 0; i < shape->n_indexes; i++) {
        struct leat_index_key key;
        leat_index_key_start(&key, (uint8_t)i);
        for (uint32_t j = 0; j < shape->indexes[i].n_columns; j++) {
            const struct leat_index_column *column = &shape->indexes[i].columns[j];
            leat_index_key_column(&key, &cells[column->field], column->descending);
        }
        leat_index_key_end(&key, db_key);
        LEAT_TRY(leat_env_put(c->txn, LEAT_DB_INDEX,
                              (struct leat_str){(const char *)key.bytes, key.len},
                              (struct leat_str){"", 0}, err),
                 err, "index");
    }
    return LEAT_OK;
}

static leat_status index_rows(struct copy *c, struct leat_error *err)
{
    MDB_cursor *cursor = NULL;
    MDB_val k, v;
    leat_status status = LEAT_OK;
    int64_t clock = 0;
    for (int32_t i = 0; i < c->version->keys.partitions; i++)
        clock = c->at[i].time_ms > clock ? c->at[i].time_ms : clock;
    int rc = mdb_cursor_open(c->txn->txn, c->txn->dbi[LEAT_DB_ROWS], &cursor);
    if (rc != 0)
        return leat_env_fail(c->txn->env, rc, err, "read the copy");
    for (rc = mdb_cursor_get(cursor, &k, &v, MDB_FIRST); rc == 0 && status == LEAT_OK;
         rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT)) {
        struct leat_str bytes = {v.mv_data, (uint32_t)v.mv_size};
        int64_t until = leat_row_until(bytes);
        if (until > 0 && until <= clock)
            rc = mdb_cursor_del(cursor, 0); /* some slices have not come to its end yet */
        else
            status = index_row(c, (struct leat_str){k.mv_data, (uint32_t)k.mv_size}, bytes, err);
        if (rc != 0)
            status = leat_env_fail(c->txn->env, rc, err, "remove from the copy");
    }
    mdb_cursor_close(cursor);
    return status;
}

static leat_status end_body(struct leat_env_txn *t, void *arg, struct leat_error *err)
{
    struct copy *c = arg;
    c->txn = t;
    if (!c->version->form.by_stream)
        LEAT_TRY(index_rows(c, err), err, "copy");
    LEAT_TRY(leat_shape_write(t, c->version->public.shape, err), err, "copy");
    LEAT_TRY(leat_column_kinds_write(t, &c->kinds, err), err, "copy");
    return leat_checkpoints_write(t, c->version->keys.partitions, c->at, err);
}

static leat_status copy_all(struct copy *c, struct leat_env *env, struct leat_error *err)
{
    for (c->slice = 0; c->slice < c->version->keys.partitions; c->slice++) {
        leat_status status = LEAT_RETRY;
        for (int i = 0; i < SLICE_TRIES && status == LEAT_RETRY; i++) {
            if (!leat_redis_connected(c->snapshot.redis)) /* away: do not try for long */
                i = SLICE_TRIES - 1;
            LEAT_TRY(leat_redis_ready(c->snapshot.redis, err), err, "copy");
            status = leat_env_write(env, slice_body, c, err);
        }
        if (status != LEAT_OK)
            return status;
    }
    return leat_env_write(env, end_body, c, err);
}

static leat_status copy_into(const struct leat_topology *t, struct leat_rows_version *version,
                             struct leat_env *env, struct leat_error *err)
{
    struct copy c = {.version = (struct leat_redis_version *)version};
    c.arena = leat_arena_new((size_t)1 << 20, (size_t)16 << 20);
    c.snapshot.public.version = version;
    c.at = calloc((size_t)c.version->keys.partitions, sizeof *c.at);
    leat_assert(c.at != NULL);
    leat_buf_init(&c.packed, LEAT_ROW_BYTES_MAX);
    leat_status status = leat_redis_take(t, &c.snapshot.redis, err);
    if (status == LEAT_OK)
        status = copy_all(&c, env, err);
    leat_redis_give(c.snapshot.redis);
    leat_buf_done(&c.packed);
    leat_arena_free(c.arena);
    free(c.at);
    return status;
}

leat_status leat_redis_copy(const struct leat_topology *t, const struct leat_projection *p,
                            const char *version, const char *dir, struct leat_env **ret,
                            struct leat_error *err)
{
    const struct leat_rows_place place = {.topology = t, .declared = p};
    struct leat_rows_version *v = NULL;
    struct leat_env *env = NULL;
    LEAT_TRY(leat_rows_redis.open(&place, version, &v, err), err, "copy");
    leat_status status = leat_env_open(dir, true, 0, &env, err);
    if (status == LEAT_OK)
        status = copy_into(t, v, env, err);
    leat_rows_redis.close(v);
    if (status != LEAT_OK) {
        leat_env_close(env);
        return status;
    }
    *ret = env;
    return LEAT_OK;
}
