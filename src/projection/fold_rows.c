#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "projection/fold_batch.h"

#define HASH_SEED   0x6c656174U
#define FIRST_SLOTS 1024

/* ---- rows of the batch in memory ---- */

static void grow_slots(struct leat_fold_batch *b)
{
    size_t n = b->n_slots == 0 ? FIRST_SLOTS : b->n_slots * 2;
    uint32_t *slots = calloc(n, sizeof *slots);
    leat_assert(slots != NULL);
    for (size_t i = 0; i < b->n_rows; i++) {
        size_t at = b->rows[i].hash & (n - 1);
        while (slots[at] != 0)
            at = (at + 1) & (n - 1);
        slots[at] = (uint32_t)i + 1;
    }
    free(b->slots);
    b->slots = slots;
    b->n_slots = n;
}

/* The row of this key in the batch; *ret_new: it was added and is empty. */
static struct leat_fold_row *find_row(struct leat_fold_batch *b, struct leat_str key, bool *ret_new)
{
    if ((b->n_rows + 1) * 2 > b->n_slots)
        grow_slots(b);
    uint64_t hash = leat_hash64(key.at, key.len, HASH_SEED);
    size_t at = hash & (b->n_slots - 1);
    for (; b->slots[at] != 0; at = (at + 1) & (b->n_slots - 1)) {
        struct leat_fold_row *row = &b->rows[b->slots[at] - 1];
        if (row->hash == hash && leat_str_eq(row->key, key)) {
            *ret_new = false;
            return row;
        }
    }
    if (b->n_rows == b->cap_rows) {
        size_t cap = b->cap_rows == 0 ? FIRST_SLOTS : b->cap_rows * 2;
        struct leat_fold_row *rows = realloc(b->rows, cap * sizeof *rows);
        leat_assert(rows != NULL);
        b->rows = rows;
        b->cap_rows = cap;
    }
    b->slots[at] = (uint32_t)b->n_rows + 1;
    struct leat_fold_row *row = &b->rows[b->n_rows++];
    *row = (struct leat_fold_row){.hash = hash, .key = key};
    *ret_new = true;
    return row;
}

static void clear_cells(struct leat_cell *cells, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        cells[i] = (struct leat_cell){.kind = LEAT_CELL_NULL};
}

static void name_row(struct leat_fold_batch *b, struct leat_fold_row *row)
{
    uint8_t scratch[LEAT_ROW_KEY_MAX];
    row->db_key = leat_row_key(row->key, scratch, &row->shortened);
    if (row->shortened)
        row->db_key = leat_arena_copy(b->work, row->db_key);
}

/* Reads the row as the file has it. A damaged row stops the model: guessing would go unnoticed. */
static leat_status fetch_row(struct leat_fold *f, struct leat_env_txn *t, struct leat_fold_row *row,
                             struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    uint32_t n = f->shape->n_fields;
    struct leat_str bytes;
    leat_status status = leat_env_get(t, LEAT_DB_ROWS, row->db_key, &bytes, err);
    if (status == LEAT_ABSENT) {
        clear_cells(row->cells, n);
        return LEAT_OK;
    }
    LEAT_TRY(status, err, "row");
    row->old = leat_arena_copy(b->work, bytes);
    row->exists = row->existed = true;
    status = leat_row_decode(row->old, row->cells, n, NULL, err);
    if (status != LEAT_OK) {
        return leat_fail(err, LEAT_FATAL, "row of %u bytes in model '%.*s' is damaged", bytes.len,
                         LEAT_STR_FMT(f->projection->name));
    }
    if (f->shape->n_indexes > 0) {
        row->old_cells = leat_arena_alloc(b->work, n * sizeof *row->cells);
        memcpy(row->old_cells, row->cells, n * sizeof *row->cells);
    }
    return LEAT_OK;
}

static leat_status row_for(struct leat_fold *f, struct leat_env_txn *t, struct leat_str key,
                           bool blind, struct leat_fold_row **ret, struct leat_error *err)
{
    bool fresh = false;
    struct leat_fold_row *row = find_row(f->batch, key, &fresh);
    *ret = row;
    if (!fresh)
        return LEAT_OK;
    name_row(f->batch, row);
    row->cells = leat_arena_alloc(f->batch->work, f->shape->n_fields * sizeof *row->cells);
    row->existed = blind; /* not looked at: then a later delete must go to the file */
    if (!blind)
        return fetch_row(f, t, row, err);
    clear_cells(row->cells, f->shape->n_fields);
    return LEAT_OK;
}

static void apply_ops(struct leat_fold *f, struct leat_fold_row *row, const struct leat_rule *rule,
                      struct leat_eval_scope *scope)
{
    struct leat_fold_batch *b = f->batch;
    uint32_t n = f->shape->n_fields;
    struct leat_cell *cells = row->cells;
    if (rule->reads_row) { /* $row is the row before the event, for every operation */
        struct leat_cell *before = leat_arena_alloc(b->work, n * sizeof *before);
        memcpy(before, cells, n * sizeof *before);
        scope->row = before;
    }
    for (uint32_t i = 0; i < rule->n_ops; i++) {
        const struct leat_rule_op *op = &rule->ops[i];
        if (op->clear && op->field == LEAT_FIELD_ROW) {
            clear_cells(cells, n);
            row->exists = false;
            continue;
        }
        if (op->clear) {
            cells[op->field] = (struct leat_cell){.kind = LEAT_CELL_NULL};
            continue;
        }
        struct leat_cell value = leat_eval(op->value, scope);
        row->exists = true;
        if (!leat_row_apply(&cells[op->field], op->op, &value, op->bound, b->work))
            b->misfits++;
    }
}

static leat_status apply_change(struct leat_fold *f, struct leat_env_txn *t,
                                const struct leat_fold_change *c, struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    struct leat_eval_scope scope = {
        .picked = c->picked, .meta = &c->meta, .arena = b->work, .row = NULL};
    struct leat_str key;
    struct leat_fold_row *row = NULL;
    if (!leat_rule_key(c->rule, &scope, &key))
        return LEAT_OK;
    LEAT_TRY(row_for(f, t, key, c->rule->blind, &row, err), err, "apply an event");
    scope.row = row->cells;
    if (leat_rule_holds(c->rule, &scope))
        apply_ops(f, row, c->rule, &scope);
    return LEAT_OK;
}

leat_status leat_fold_rows(struct leat_fold *f, struct leat_env_txn *t, const int64_t *skip_below,
                           struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    leat_arena_reset(b->work);
    b->n_rows = 0;
    b->misfits = 0;
    if (b->n_slots > 0)
        memset(b->slots, 0, b->n_slots * sizeof *b->slots);
    for (size_t i = 0; i < b->n_changes; i++) {
        const struct leat_fold_change *c = &b->changes[i];
        if (c->meta.seq <= skip_below[c->slice])
            continue;
        LEAT_TRY(apply_change(f, t, c, err), err, "model '%.*s'",
                 LEAT_STR_FMT(f->projection->name));
    }
    return LEAT_OK;
}

/* ---- rows into the file ---- */

static int by_db_key(const void *a, const void *b)
{
    const struct leat_fold_row *x = a, *y = b;
    uint32_t n = x->db_key.len < y->db_key.len ? x->db_key.len : y->db_key.len;
    int order = memcmp(x->db_key.at, y->db_key.at, n);
    return order != 0 ? order : (x->db_key.len > y->db_key.len) - (x->db_key.len < y->db_key.len);
}

static void index_entry(struct leat_fold *f, uint32_t index_no, const struct leat_fold_row *row,
                        const struct leat_cell *cells, struct leat_index_key *ret)
{
    const struct leat_shape_index *index = &f->shape->indexes[index_no];
    leat_index_key_start(ret, (uint8_t)index_no);
    for (uint32_t i = 0; i < index->n_columns; i++) {
        const struct leat_cell *cell = &cells[index->columns[i].field];
        leat_index_key_column(ret, cell, index->columns[i].descending);
        f->batch->kinds.bits[index_no][i] |= (uint8_t)(1U << cell->kind);
    }
    leat_index_key_end(ret, row->db_key);
}

static struct leat_str entry_str(const struct leat_index_key *k)
{
    return (struct leat_str){(const char *)k->bytes, k->len};
}

static void keep_index_op(struct leat_fold_batch *b, const struct leat_index_key *key, bool remove)
{
    if (b->n_index_ops == b->cap_index_ops) {
        size_t cap = b->cap_index_ops == 0 ? FIRST_SLOTS : b->cap_index_ops * 2;
        struct leat_fold_index_op *ops = realloc(b->index_ops, cap * sizeof *ops);
        leat_assert(ops != NULL);
        b->index_ops = ops;
        b->cap_index_ops = cap;
    }
    b->index_ops[b->n_index_ops++] = (struct leat_fold_index_op){
        .key = leat_arena_copy(b->work, entry_str(key)), .remove = remove};
}

static void plan_index(struct leat_fold *f, uint32_t index_no, const struct leat_fold_row *row)
{
    struct leat_index_key before = {.len = 0}, after = {.len = 0};
    if (row->existed)
        index_entry(f, index_no, row, row->old_cells, &before);
    if (row->exists)
        index_entry(f, index_no, row, row->cells, &after);
    if (leat_str_eq(entry_str(&before), entry_str(&after)))
        return;
    if (row->existed)
        keep_index_op(f->batch, &before, true);
    if (row->exists)
        keep_index_op(f->batch, &after, false);
}

/* Writes the row as it is now, and plans what its index entries need. */
static leat_status flush_row(struct leat_fold *f, struct leat_env_txn *t, MDB_cursor *cursor,
                             const struct leat_fold_row *row, struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    leat_buf_clear(&b->encoded);
    struct leat_str kept = row->shortened ? row->key : (struct leat_str){NULL, 0};
    if (row->exists)
        leat_row_encode(row->cells, f->shape->n_fields, kept, &b->encoded);
    if (b->encoded.overflow) { /* an event cannot stop the model: the row stays as it was */
        b->misfits++;
        return LEAT_OK;
    }
    struct leat_str bytes = leat_buf_str(&b->encoded);
    if (row->exists == row->existed && leat_str_eq(row->old, bytes))
        return LEAT_OK;
    for (uint32_t i = 0; i < f->shape->n_indexes; i++)
        plan_index(f, i, row);
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
    MDB_cursor *cursor = NULL;
    if (b->n_index_ops == 0)
        return LEAT_OK;
    qsort(b->index_ops, b->n_index_ops, sizeof *b->index_ops, by_index_key);
    int rc = mdb_cursor_open(t->txn, t->dbi[LEAT_DB_INDEX], &cursor);
    for (size_t i = 0; i < b->n_index_ops && rc == 0; i++)
        rc = apply_index_op(cursor, &b->index_ops[i]);
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    return rc == 0 ? LEAT_OK : leat_env_fail(t->env, rc, err, "write an index");
}

leat_status leat_fold_flush(struct leat_fold *f, struct leat_env_txn *t, struct leat_error *err)
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
