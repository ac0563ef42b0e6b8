/* fold_lmdb.c - rows of a fold in an LMDB environment: one transaction per batch, all slices. */
#include <stdlib.h>
#include <string.h>

#include "projection/coded_guard.h"
#include "projection/env.h"
#include "projection/fold_batch.h"

/* ---- rows ---- */

/* Reads the row as the file has it. A damaged row stops the model: guessing would go unnoticed. */
static leat_status fetch_row(struct leat_fold *f, void *arg, struct leat_fold_row *row,
                             struct leat_error *err)
{
    struct leat_env_txn *t = arg;
    struct leat_fold_batch *b = f->batch;
    struct leat_str bytes;
    leat_status status = leat_env_get(t, LEAT_DB_ROWS, row->db_key, &bytes, err);
    if (status == LEAT_ABSENT) {
        leat_fold_row_empty(f, row);
        return LEAT_OK;
    }
    LEAT_TRY(status, err, "row");
    row->old = leat_arena_copy(b->work, bytes);
    status = leat_row_decode(row->old, row->cells, f->shape->n_fields, NULL, err);
    if (status != LEAT_OK) {
        return leat_fail(err, LEAT_FATAL, "row of %u bytes in model '%.*s' is damaged", bytes.len,
                         LEAT_STR_FMT(f->projection->name));
    }
    row->until = row->old_until = leat_row_until(row->old);
    leat_fold_row_filled(f, row);
    return LEAT_OK;
}

#define PREFIX_MAX (LEAT_ROW_KEY_MAX - 32) /* what a shortened key keeps of the key */

static leat_status add_key(struct leat_fold *f, const MDB_val *k, const MDB_val *v,
                           struct leat_str prefix, struct leat_fold_keys *ret,
                           struct leat_error *err)
{
    struct leat_arena *work = f->batch->work;
    struct leat_str key = {k->mv_data, (uint32_t)k->mv_size}, kept = {NULL, 0};
    if (key.len >= LEAT_ROW_KEY_MAX) {
        struct leat_str bytes = {v->mv_data, (uint32_t)v->mv_size};
        LEAT_TRY(leat_row_decode(bytes, NULL, 0, &kept, err), err, "row");
        key = kept;
    }
    if (key.len < prefix.len || memcmp(key.at, prefix.at, prefix.len) != 0)
        return LEAT_OK;
    ret->at = leat_arena_grow(work, ret->at, sizeof *ret->at, &ret->cap, ret->n + 1);
    ret->at[ret->n++] = leat_arena_copy(work, key);
    return LEAT_OK;
}

static leat_status scan(struct leat_fold *f, void *arg, struct leat_str prefix, size_t max,
                        struct leat_fold_keys *ret, struct leat_error *err)
{
    struct leat_env_txn *t = arg;
    MDB_cursor *cursor = NULL;
    struct leat_str head = {prefix.at, prefix.len < PREFIX_MAX ? prefix.len : PREFIX_MAX};
    MDB_val k = {.mv_size = head.len, .mv_data = (void *)(uintptr_t)head.at}, v;
    leat_status status = LEAT_OK;
    int rc = mdb_cursor_open(t->txn, t->dbi[LEAT_DB_ROWS], &cursor);
    if (rc != 0)
        return leat_env_fail(t->env, rc, err, "open a cursor");
    rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    while (rc == 0 && status == LEAT_OK && k.mv_size >= head.len &&
           memcmp(k.mv_data, head.at, head.len) == 0) {
        status = add_key(f, &k, &v, prefix, ret, err);
        if (status == LEAT_OK && ret->n > max)
            status = leat_fail(err, LEAT_INVALID, "more than %zu rows", max);
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    }
    mdb_cursor_close(cursor);
    if (status != LEAT_OK || rc == 0 || rc == MDB_NOTFOUND)
        return status;
    return leat_env_fail(t->env, rc, err, "read rows");
}

static int by_db_key(const void *a, const void *b)
{
    const struct leat_fold_row *x = a, *y = b;
    uint32_t n = x->db_key.len < y->db_key.len ? x->db_key.len : y->db_key.len;
    int order = memcmp(x->db_key.at, y->db_key.at, n);
    return order != 0 ? order : (x->db_key.len > y->db_key.len) - (x->db_key.len < y->db_key.len);
}

/* Writes the row as it is now, and plans what its index entries need. */
static leat_status flush_row(struct leat_fold *f, struct leat_env_txn *t, MDB_cursor *cursor,
                             const struct leat_fold_row *row, struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    leat_buf_clear(&b->encoded);
    struct leat_str kept = row->shortened ? row->key : (struct leat_str){NULL, 0};
    if (row->exists)
        leat_row_encode_until(row->cells, f->shape->n_fields, kept, row->until, &b->encoded);
    if (b->encoded.overflow) { /* an event cannot stop the model: the row stays as it was */
        b->misfits++;
        return LEAT_OK;
    }
    struct leat_str bytes = leat_buf_str(&b->encoded);
    if (row->exists == row->existed && leat_str_eq(row->old, bytes))
        return LEAT_OK;
    leat_fold_plan_index(f, row);
    if (!row->exists)
        return leat_env_delete(t, LEAT_DB_ROWS, row->db_key, err);
    MDB_val k = {.mv_size = row->db_key.len, .mv_data = (void *)(uintptr_t)row->db_key.at};
    MDB_val v = {.mv_size = bytes.len, .mv_data = (void *)(uintptr_t)bytes.at};
    int rc = mdb_cursor_put(cursor, &k, &v, 0);
    b->rows_put += rc == 0;
    return rc == 0 ? LEAT_OK : leat_env_fail(t->env, rc, err, "write a row");
}

static int by_index_key(const void *a, const void *b)
{
    const struct leat_fold_index_op *x = a, *y = b;
    uint32_t n = x->key.len < y->key.len ? x->key.len : y->key.len;
    int order = memcmp(x->key.at, y->key.at, n);
    return order != 0 ? order : (x->key.len > y->key.len) - (x->key.len < y->key.len);
}

static int apply_index_op(MDB_cursor *cursor, const struct leat_fold_index_op *op)
{
    MDB_val k = {.mv_size = op->key.len, .mv_data = (void *)(uintptr_t)op->key.at};
    MDB_val v = {.mv_size = 0, .mv_data = NULL};
    if (!op->remove)
        return mdb_cursor_put(cursor, &k, &v, 0);
    int rc = mdb_cursor_get(cursor, &k, &v, MDB_SET);
    if (rc == 0)
        rc = mdb_cursor_del(cursor, 0);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

/* Entries of different rows never touch: their order is free, and sorted is cheapest. */
static leat_status flush_index(struct leat_fold *f, struct leat_env_txn *t, struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    MDB_cursor *cursor = NULL, *expiry = NULL;
    if (b->n_index_ops == 0)
        return LEAT_OK;
    qsort(b->index_ops, b->n_index_ops, sizeof *b->index_ops, by_index_key);
    int rc = mdb_cursor_open(t->txn, t->dbi[LEAT_DB_INDEX], &cursor);
    if (rc == 0 && f->projection->ttl_ms > 0)
        rc = mdb_cursor_open(t->txn, t->dbi[LEAT_DB_EXPIRY], &expiry);
    for (size_t i = 0; i < b->n_index_ops && rc == 0; i++) {
        bool ends = (uint8_t)b->index_ops[i].key.at[0] == LEAT_EXPIRY_NO;
        rc = apply_index_op(ends ? expiry : cursor, &b->index_ops[i]);
    }
    if (expiry != NULL)
        mdb_cursor_close(expiry);
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    return rc == 0 ? LEAT_OK : leat_env_fail(t->env, rc, err, "write an index");
}

static leat_status flush(struct leat_fold *f, struct leat_env_txn *t, struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    b->rows_put = b->n_index_ops = 0;
    /* In key order a cursor mostly stays on the page it is on. */
    if (b->n_rows > 0)
        qsort(b->rows, b->n_rows, sizeof *b->rows, by_db_key);
    MDB_cursor *cursor = NULL;
    int rc = mdb_cursor_open(t->txn, t->dbi[LEAT_DB_ROWS], &cursor);
    if (rc != 0)
        return leat_env_fail(t->env, rc, err, "open a cursor");
    leat_status status = LEAT_OK;
    for (size_t i = 0; i < b->n_rows && status == LEAT_OK; i++)
        status = flush_row(f, t, cursor, &b->rows[i], err);
    mdb_cursor_close(cursor);
    return status == LEAT_OK ? flush_index(f, t, err) : status;
}

/* ---- rows whose time is over ---- */

static leat_status end_one(struct leat_fold *f, struct leat_env_txn *t, int32_t home,
                           struct leat_str db_key, struct leat_error *err)
{
    struct leat_str key = db_key, bytes;
    bool fresh = false;
    if (db_key.len >= LEAT_ROW_KEY_MAX) {
        LEAT_TRY(leat_env_get(t, LEAT_DB_ROWS, db_key, &bytes, err), err, "row");
        LEAT_TRY(leat_row_decode(bytes, NULL, 0, &key, err), err, "row");
    }
    struct leat_fold_row *row =
        leat_fold_row_for(f, home, leat_arena_copy(f->batch->work, key), &fresh);
    if (fresh)
        LEAT_TRY(fetch_row(f, t, row, err), err, "row");
    return LEAT_OK;
}

/* Fetches the rows of one home that go; which of them the batch has touched again is seen later. */
static leat_status fetch_ending(struct leat_fold *f, struct leat_env_txn *t, int32_t home,
                                struct leat_error *err)
{
    struct leat_index_key from, to;
    MDB_cursor *cursor = NULL;
    leat_status status = LEAT_OK;
    leat_expiry_key(home, 0, (struct leat_str){NULL, 0}, &from);
    leat_expiry_key(home, leat_fold_clock(f, home) + 1, (struct leat_str){NULL, 0}, &to);
    MDB_val k = {.mv_size = from.len, .mv_data = from.bytes}, v;
    int rc = mdb_cursor_open(t->txn, t->dbi[LEAT_DB_EXPIRY], &cursor);
    if (rc == 0)
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
    while (rc == 0 && status == LEAT_OK && k.mv_size > LEAT_EXPIRY_HEAD &&
           memcmp(k.mv_data, to.bytes, LEAT_EXPIRY_HEAD) < 0) {
        struct leat_str db_key = {(const char *)k.mv_data + LEAT_EXPIRY_HEAD,
                                  (uint32_t)k.mv_size - LEAT_EXPIRY_HEAD};
        status = end_one(f, t, home, db_key, err);
        rc = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
    }
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    if (status != LEAT_OK || rc == 0 || rc == MDB_NOTFOUND)
        return status;
    return leat_env_fail(t->env, rc, err, "read what expires");
}

static leat_status expire(struct leat_fold *f, struct leat_env_txn *t, struct leat_error *err)
{
    int32_t homes = f->projection->keyed_by_stream ? f->partitions : 1;
    for (int32_t home = 0; home < homes; home++)
        LEAT_TRY(fetch_ending(f, t, home, err), err, "expiry");
    leat_fold_expire_rows(f);
    return leat_clocks_write(t, f->partitions, f->batch->next, err);
}

/* ---- the transaction ---- */

/* Judges every slice against the file. skip_below[k]: changes up to that seq are not for us. */
static leat_status reconcile(struct leat_fold *f, struct leat_env_txn *t, int64_t *skip_below,
                             struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    LEAT_TRY(leat_checkpoints_read(t, f->partitions, b->next, err), err, "commit");
    b->adopted = b->rewound = 0;
    for (int32_t k = 0; k < f->partitions; k++) {
        struct leat_checkpoint mine = f->committed[k], *file = &b->next[k];
        skip_below[k] = 0;
        switch (leat_seqrule_reconcile(&mine, file)) {
        case LEAT_RECONCILED_SAME:
            *file = f->seen[k];
            break;
        case LEAT_RECONCILED_ADOPT:
            b->adopted++;
            skip_below[k] = file->seq;
            if (f->seen[k].seq > file->seq)
                *file = f->seen[k];
            break;
        case LEAT_RECONCILED_REWIND:
            b->rewound++;
            skip_below[k] = INT64_MAX; /* what is missing in between must come first */
            break;
        case LEAT_RECONCILED_FOREIGN:
            return leat_fail(err, LEAT_FENCED,
                             "slice %d of the file belongs to another store or history", (int)k);
        }
    }
    return LEAT_OK;
}

static leat_status write_skips(struct leat_fold *f, struct leat_env_txn *t,
                               const int64_t *skip_below, struct leat_error *err)
{
    for (size_t i = 0; i < f->batch->n_skips; i++) {
        const struct leat_fold_skip *s = &f->batch->skips[i];
        uint8_t key[12];
        leat_fold_skip_key(s->slice, s->seq, key);
        if (s->seq <= skip_below[s->slice])
            continue;
        LEAT_TRY(leat_env_put(t, LEAT_DB_SKIPPED, (struct leat_str){(const char *)key, 12}, s->text,
                              err),
                 err, "list a skipped event");
    }
    return LEAT_OK;
}

static leat_status commit_body(struct leat_env_txn *t, void *arg, struct leat_error *err)
{
    struct leat_fold *f = arg;
    struct leat_fold_batch *b = f->batch;
    int64_t skip_below[LEAT_PARTITIONS_MAX];
    b->kinds = b->kinds_in_file;
    LEAT_TRY(reconcile(f, t, skip_below, err), err, "model '%.*s'",
             LEAT_STR_FMT(f->projection->name));
    if (b->n_changes > 0 || f->projection->ttl_ms > 0) {
        LEAT_TRY(leat_fold_rows(f, fetch_row, t, skip_below, err), err, "fold");
        if (f->projection->ttl_ms > 0)
            LEAT_TRY(expire(f, t, err), err, "expire");
        LEAT_TRY(flush(f, t, err), err, "write rows");
    }
    LEAT_TRY(write_skips(f, t, skip_below, err), err, "commit");
    if (memcmp(&b->kinds, &b->kinds_in_file, sizeof b->kinds) != 0)
        LEAT_TRY(leat_column_kinds_write(t, &b->kinds, err), err, "commit");
    return leat_checkpoints_write(t, f->partitions, b->next, err);
}

static leat_status commit(struct leat_fold *f, struct leat_error *err)
{
    return leat_env_write(f->env, commit_body, f, err);
}

/* ---- life ---- */

static void close_env(struct leat_fold *f)
{
    leat_env_close(f->env);
}

static const struct leat_fold_backend lmdb = {
    .by_slice = false, .commit = commit, .close = close_env, .scan = scan};

static void fold_closep(struct leat_fold **f)
{
    leat_fold_close(*f);
}

static leat_status prepare(struct leat_env_txn *t, void *arg, struct leat_error *err)
{
    struct leat_fold *f = arg;
    MDB_stat stat;
    LEAT_TRY(leat_checkpoints_read(t, f->partitions, f->committed, err), err, "open");
    LEAT_TRY(leat_column_kinds_read(t, &f->batch->kinds_in_file, err), err, "open");
    f->batch->kinds = f->batch->kinds_in_file;
    if (mdb_stat(t->txn, t->dbi[LEAT_DB_SKIPPED], &stat) == 0)
        f->batch->skipped_in_file = stat.ms_entries;
    return leat_shape_write(t, f->shape, err);
}

leat_status leat_fold_open(const struct leat_projection *p, int32_t partitions, const char *dir,
                           size_t map_bytes, struct leat_fold **ret, struct leat_error *err)
{
    LEAT_AUTO(fold_closep) struct leat_fold *f = NULL;
    LEAT_TRY(leat_fold_new(p, partitions, &f, err), err, "read model");
    f->batch->backend = &lmdb;
    LEAT_TRY(leat_env_open(dir, true, map_bytes, &f->env, err), err, "read model");
    LEAT_TRY(leat_env_write(f->env, prepare, f, err), err, "read model '%s'", dir);
    if (f->rules->coded != NULL)
        LEAT_TRY(leat_guard_open(dir, p->name, &f->batch->guard, err), err, "read model");
    memcpy(f->seen, f->committed, (size_t)partitions * sizeof *f->seen);
    *ret = LEAT_TAKE(f);
    return LEAT_OK;
}
