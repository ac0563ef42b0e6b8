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
static struct leat_fold_row *find_row(struct leat_fold_batch *b, int32_t slice, struct leat_str key,
                                      bool *ret_new)
{
    if ((b->n_rows + 1) * 2 > b->n_slots)
        grow_slots(b);
    uint64_t hash = leat_hash64(key.at, key.len, HASH_SEED + (uint64_t)slice);
    size_t at = hash & (b->n_slots - 1);
    for (; b->slots[at] != 0; at = (at + 1) & (b->n_slots - 1)) {
        struct leat_fold_row *row = &b->rows[b->slots[at] - 1];
        if (row->hash == hash && row->slice == slice && leat_str_eq(row->key, key)) {
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
    *row = (struct leat_fold_row){.hash = hash, .slice = slice, .key = key};
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

void leat_fold_row_empty(struct leat_fold *f, struct leat_fold_row *row)
{
    clear_cells(row->cells, f->shape->n_fields);
}

void leat_fold_row_filled(struct leat_fold *f, struct leat_fold_row *row)
{
    uint32_t n = f->shape->n_fields;
    row->exists = row->existed = true;
    if (f->shape->n_indexes == 0)
        return;
    row->old_cells = leat_arena_alloc(f->batch->work, n * sizeof *row->cells);
    memcpy(row->old_cells, row->cells, n * sizeof *row->cells);
}

struct leat_fold_row *leat_fold_row_for(struct leat_fold *f, int32_t slice, struct leat_str key,
                                        bool *ret_fresh)
{
    struct leat_fold_batch *b = f->batch;
    struct leat_fold_row *row = find_row(b, b->backend->by_slice ? slice : 0, key, ret_fresh);
    if (!*ret_fresh)
        return row;
    name_row(b, row);
    row->home = f->projection->keyed_by_stream || b->backend->by_slice ? slice : 0;
    row->cells = leat_arena_alloc(b->work, f->shape->n_fields * sizeof *row->cells);
    return row;
}

/* ... and, where the rule is blind, need not be fetched. */
static struct leat_fold_row *row_for(struct leat_fold *f, const struct leat_fold_change *c,
                                     struct leat_str key, bool *ret_fresh)
{
    struct leat_fold_row *row = leat_fold_row_for(f, c->slice, key, ret_fresh);
    if (!*ret_fresh)
        return row;
    row->blind = c->rule->blind;
    row->existed = row->blind; /* not looked at: then a later delete must go to the file */
    if (row->blind)
        leat_fold_row_empty(f, row);
    return row;
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

static void apply_change(struct leat_fold *f, const struct leat_fold_change *c,
                         struct leat_fold_row *row, struct leat_eval_scope *scope)
{
    leat_fold_row_at(f, row, c->clock_ms);
    scope->row = row->cells;
    row->touched = true;
    if (!leat_rule_holds(c->rule, scope))
        return;
    apply_ops(f, row, c->rule, scope);
    leat_fold_row_touched(f, row, c, scope);
}

static struct leat_eval_scope scope_of(struct leat_fold *f, const struct leat_fold_change *c)
{
    return (struct leat_eval_scope){
        .picked = c->picked, .meta = &c->meta, .arena = f->batch->work, .row = NULL};
}

void leat_fold_start_rows(struct leat_fold_batch *b)
{
    leat_arena_reset(b->work);
    b->n_rows = 0;
    b->misfits = 0;
    if (b->n_slots > 0)
        memset(b->slots, 0, b->n_slots * sizeof *b->slots);
}

leat_status leat_fold_rows(struct leat_fold *f, leat_fold_fetch fetch, void *arg,
                           const int64_t *skip_below, struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    if (f->rules->coded != NULL)
        return leat_coded_rows(f, fetch, arg, skip_below, err);
    leat_fold_start_rows(b);
    for (size_t i = 0; i < b->n_changes; i++) {
        const struct leat_fold_change *c = &b->changes[i];
        struct leat_eval_scope scope = scope_of(f, c);
        struct leat_str key;
        bool fresh = false;
        if (c->meta.seq <= skip_below[c->slice] || !leat_rule_key(c->rule, &scope, &key))
            continue;
        struct leat_fold_row *row = row_for(f, c, key, &fresh);
        if (fresh && !row->blind) {
            LEAT_TRY(fetch(f, arg, row, err), err, "model '%.*s'",
                     LEAT_STR_FMT(f->projection->name));
        }
        apply_change(f, c, row, &scope);
    }
    return LEAT_OK;
}

void leat_fold_plan_rows(struct leat_fold *f)
{
    struct leat_fold_batch *b = f->batch;
    leat_fold_start_rows(b);
    for (size_t i = 0; i < b->n_changes; i++) {
        struct leat_fold_change *c = &b->changes[i];
        struct leat_eval_scope scope = scope_of(f, c);
        struct leat_str key;
        bool fresh = false;
        c->row = LEAT_FOLD_NO_ROW;
        if (leat_rule_key(c->rule, &scope, &key))
            c->row = (uint32_t)(row_for(f, c, key, &fresh) - b->rows);
    }
}

void leat_fold_apply_planned(struct leat_fold *f, const int64_t *skip_below)
{
    struct leat_fold_batch *b = f->batch;
    for (size_t i = 0; i < b->n_changes; i++) {
        const struct leat_fold_change *c = &b->changes[i];
        struct leat_eval_scope scope = scope_of(f, c);
        if (c->row != LEAT_FOLD_NO_ROW && c->meta.seq > skip_below[c->slice])
            apply_change(f, c, &b->rows[c->row], &scope);
    }
}

/* ---- index entries ---- */

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

/* `key` in the work arena. */
static void keep_op(struct leat_fold_batch *b, struct leat_str key, bool remove)
{
    if (b->n_index_ops == b->cap_index_ops) {
        size_t cap = b->cap_index_ops == 0 ? FIRST_SLOTS : b->cap_index_ops * 2;
        struct leat_fold_index_op *ops = realloc(b->index_ops, cap * sizeof *ops);
        leat_assert(ops != NULL);
        b->index_ops = ops;
        b->cap_index_ops = cap;
    }
    b->index_ops[b->n_index_ops++] = (struct leat_fold_index_op){.key = key, .remove = remove};
}

static void keep_index_op(struct leat_fold_batch *b, const struct leat_index_key *key, bool remove)
{
    keep_op(b, leat_arena_copy(b->work, entry_str(key)), remove);
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

/* By the row's key; in LMDB, whose keys are short, by the short form of it. */
static struct leat_str expiry_entry(struct leat_fold *f, const struct leat_fold_row *row,
                                    int64_t until)
{
    struct leat_str key = f->batch->backend->by_slice ? row->key : row->db_key;
    struct leat_index_key head;
    leat_expiry_key(row->home, until, (struct leat_str){NULL, 0}, &head);
    char *to = leat_arena_alloc(f->batch->work, (size_t)head.len + key.len);
    memcpy(to, head.bytes, head.len);
    memcpy(to + head.len, key.at, key.len);
    return (struct leat_str){to, head.len + key.len};
}

static void plan_expiry(struct leat_fold *f, const struct leat_fold_row *row)
{
    struct leat_str before = {NULL, 0}, after = {NULL, 0};
    bool had = row->existed && row->old_until > 0, has = row->exists && row->until > 0;
    if (had)
        before = expiry_entry(f, row, row->old_until);
    if (has)
        after = expiry_entry(f, row, row->until);
    if (had && has && row->old_until == row->until)
        return;
    if (had)
        keep_op(f->batch, before, true);
    if (has)
        keep_op(f->batch, after, false);
}

void leat_fold_plan_index(struct leat_fold *f, const struct leat_fold_row *row)
{
    if (f->projection->ttl_ms > 0)
        plan_expiry(f, row);
    for (uint32_t i = 0; i < f->shape->n_indexes; i++)
        plan_index(f, i, row);
}
