#include "projection/compare.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "projection/model.h"

#define DIGEST_BYTES  32
#define ROUNDING      1e-9
#define KEY_SHOWN_MAX 200

/* ---- walking a database ---- */

struct walk {
    MDB_cursor *cursor;
    MDB_val key, value;
    bool at_end;
};

static void walk_done(struct walk *w)
{
    if (w->cursor != NULL)
        mdb_cursor_close(w->cursor);
}

static leat_status walk_step(struct walk *w, MDB_cursor_op op, struct leat_error *err)
{
    int rc = mdb_cursor_get(w->cursor, &w->key, &w->value, op);
    w->at_end = rc == MDB_NOTFOUND;
    return rc == 0 || w->at_end ? LEAT_OK : leat_env_fail(NULL, rc, err, "read a model");
}

static leat_status walk_start(struct walk *w, const struct leat_env_txn *t, leat_env_db db,
                              struct leat_error *err)
{
    int rc = mdb_cursor_open(t->txn, t->dbi[db], &w->cursor);
    if (rc != 0)
        return leat_env_fail(NULL, rc, err, "read a model");
    return walk_step(w, MDB_FIRST, err);
}

static struct leat_str str_of(const MDB_val *v)
{
    return (struct leat_str){v->mv_data, (uint32_t)v->mv_size};
}

/* < 0: only the left one stands at its key. As LMDB orders keys. */
static int walk_order(const struct walk *left, const struct walk *right)
{
    if (left->at_end || right->at_end)
        return left->at_end ? 1 : -1;
    size_t shorter =
        left->key.mv_size < right->key.mv_size ? left->key.mv_size : right->key.mv_size;
    int order = memcmp(left->key.mv_data, right->key.mv_data, shorter);
    if (order == 0 && left->key.mv_size != right->key.mv_size)
        order = left->key.mv_size < right->key.mv_size ? -1 : 1;
    return order;
}

/* ---- digest ---- */

static void add_line(uint8_t digest[DIGEST_BYTES], struct leat_str line)
{
    uint8_t both[2 * DIGEST_BYTES];
    memcpy(both, digest, DIGEST_BYTES);
    leat_sha256(line.at, line.len, both + DIGEST_BYTES);
    leat_sha256(both, sizeof both, digest);
}

static void add_row(const struct leat_model_side *side, const struct walk *w, struct leat_buf *line,
                    struct leat_model_sum *sum, uint8_t digest[DIGEST_BYTES])
{
    struct leat_json_writer json;
    struct leat_error why = {0};
    struct leat_model_view view = {.env = side->txn->env,
                                   .shape = (struct leat_shape *)(uintptr_t)side->shape};
    leat_buf_clear(line);
    leat_json_writer_init(&json, line);
    sum->rows++;
    if (leat_model_row_json(&view, str_of(&w->key), str_of(&w->value), &json, &why) != LEAT_OK ||
        line->overflow) {
        sum->damaged++;
        add_line(digest, str_of(&w->key));
    } else {
        add_line(digest, leat_buf_str(line));
    }
}

leat_status leat_model_sum(const struct leat_model_side *side, struct leat_model_sum *ret,
                           struct leat_error *err)
{
    LEAT_AUTO(walk_done) struct walk w = {0};
    LEAT_AUTO(leat_buf_done) struct leat_buf line;
    struct leat_model_sum sum = {0};
    uint8_t digest[DIGEST_BYTES] = {0};
    MDB_stat stat;
    leat_buf_init(&line, (size_t)8 * LEAT_ROW_BYTES_MAX);
    LEAT_TRY(walk_start(&w, side->txn, LEAT_DB_ROWS, err), err, "digest");
    while (!w.at_end) {
        add_row(side, &w, &line, &sum, digest);
        LEAT_TRY(walk_step(&w, MDB_NEXT, err), err, "digest");
    }
    if (mdb_stat(side->txn->txn, side->txn->dbi[LEAT_DB_SKIPPED], &stat) == 0)
        sum.skipped = stat.ms_entries;
    for (int i = 0; i < DIGEST_BYTES; i++)
        (void)snprintf(sum.digest + (size_t)i * 2, 3, "%02x", digest[i]);
    *ret = sum;
    return LEAT_OK;
}

/* ---- rows ---- */

static double as_double(const struct leat_cell *cell)
{
    return cell->kind == LEAT_CELL_INT ? (double)cell->i : cell->d;
}

static bool is_number(const struct leat_cell *cell)
{
    return cell->kind == LEAT_CELL_INT || cell->kind == LEAT_CELL_DOUBLE;
}

bool leat_cell_same(const struct leat_cell *left, const struct leat_cell *right, bool may_round,
                    bool *ret_rounded)
{
    *ret_rounded = false;
    if (leat_cell_equal(left, right))
        return true;
    if (!may_round || !is_number(left) || !is_number(right) ||
        (left->kind == LEAT_CELL_INT && right->kind == LEAT_CELL_INT))
        return false;
    double a = as_double(left), b = as_double(right);
    *ret_rounded = fabs(a - b) <= ROUNDING * fmax(fabs(a), fabs(b));
    return *ret_rounded;
}

struct side_row {
    struct leat_cell cells[LEAT_ROW_FIELDS_MAX];
    struct leat_str key;
    bool damaged;
    struct leat_error why;
};

static void decode(const struct walk *w, uint32_t n, struct side_row *ret)
{
    struct leat_str kept = {NULL, 0};
    ret->damaged = leat_row_decode(str_of(&w->value), ret->cells, n, &kept, &ret->why) != LEAT_OK;
    ret->key = !ret->damaged && kept.len > 0 ? kept : str_of(&w->key);
    if (ret->damaged && ret->key.len > KEY_SHOWN_MAX)
        ret->key.len = KEY_SHOWN_MAX;
}

static void tell(struct leat_comparison *c, leat_difference_kind kind, const struct side_row *left,
                 const struct side_row *right)
{
    struct leat_difference d = {
        .kind = left != NULL && left->damaged ? LEAT_DAMAGED_LEFT : kind,
        .key = left != NULL ? left->key : right->key,
        .fields = c->left.shape->fields,
        .n_fields = c->left.shape->n_fields,
        .left = left != NULL && !left->damaged ? left->cells : NULL,
        .right = right != NULL ? right->cells : NULL,
        .why = left != NULL && left->damaged ? left->why.msg : NULL,
    };
    c->different++;
    c->found(c->arg, &d);
}

/* Where the left one's field is in the right one's rows, if at all. */
static int32_t right_field(const struct leat_comparison *c, uint32_t left)
{
    const struct leat_shape *r = c->right.shape;
    if (!c->common_only)
        return (int32_t)left;
    for (uint32_t i = 0; i < r->n_fields; i++) {
        if (leat_str_eq(r->fields[i], c->left.shape->fields[left]))
            return (int32_t)i;
    }
    return -1;
}

/* The right row's cells in the left one's order; what it does not declare counts as equal. */
static void align(const struct leat_comparison *c, const struct side_row *l, struct side_row *r)
{
    struct leat_cell cells[LEAT_ROW_FIELDS_MAX];
    if (!c->common_only)
        return;
    memcpy(cells, r->cells, c->right.shape->n_fields * sizeof *cells);
    for (uint32_t i = 0; i < c->left.shape->n_fields; i++) {
        int32_t at = right_field(c, i);
        r->cells[i] = at < 0 ? l->cells[i] : cells[at];
    }
}

static void compare_row(struct leat_comparison *c, const struct walk *left,
                        const struct walk *right)
{
    struct side_row l, r;
    uint32_t n = c->left.shape->n_fields;
    if (!c->common_only && left->value.mv_size == right->value.mv_size &&
        memcmp(left->value.mv_data, right->value.mv_data, left->value.mv_size) == 0)
        return;
    decode(left, n, &l);
    decode(right, c->right.shape->n_fields, &r);
    if (!l.damaged)
        align(c, &l, &r);
    bool same = !l.damaged && leat_str_eq(l.key, r.key);
    uint64_t rounded = 0;
    for (uint32_t i = 0; i < n && same; i++) {
        bool is_rounded = false;
        same = leat_cell_same(&l.cells[i], &r.cells[i], c->sums_may_round, &is_rounded);
        rounded += is_rounded;
    }
    if (same) {
        c->rounded += rounded;
    } else {
        tell(c, LEAT_DIFFERENT_FIELDS, &l, &r);
    }
}

static void only(struct leat_comparison *c, const struct walk *w, bool left)
{
    struct side_row row;
    decode(w, left ? c->left.shape->n_fields : c->right.shape->n_fields, &row);
    for (uint32_t i = 0; i < c->left.shape->n_fields && !left && c->common_only; i++)
        row.cells[i] = (struct leat_cell){.kind = LEAT_CELL_NULL}; /* in another order there */
    tell(c, left ? LEAT_ONLY_LEFT : LEAT_ONLY_RIGHT, left ? &row : NULL, left ? NULL : &row);
}

static leat_status compare_rows(struct leat_comparison *c, struct leat_error *err)
{
    LEAT_AUTO(walk_done) struct walk left = {0};
    LEAT_AUTO(walk_done) struct walk right = {0};
    LEAT_TRY(walk_start(&left, c->left.txn, LEAT_DB_ROWS, err), err, "compare");
    LEAT_TRY(walk_start(&right, c->right.txn, LEAT_DB_ROWS, err), err, "compare");
    while (!left.at_end || !right.at_end) {
        int order = walk_order(&left, &right);
        c->rows++;
        if (order == 0) {
            compare_row(c, &left, &right);
        } else {
            only(c, order < 0 ? &left : &right, order < 0);
        }
        if (order <= 0)
            LEAT_TRY(walk_step(&left, MDB_NEXT, err), err, "compare");
        if (order >= 0)
            LEAT_TRY(walk_step(&right, MDB_NEXT, err), err, "compare");
    }
    return LEAT_OK;
}

/* Entries have no value: the key says all. */
static leat_status compare_indexes(struct leat_comparison *c, struct leat_error *err)
{
    LEAT_AUTO(walk_done) struct walk left = {0};
    LEAT_AUTO(walk_done) struct walk right = {0};
    LEAT_TRY(walk_start(&left, c->left.txn, LEAT_DB_INDEX, err), err, "compare");
    LEAT_TRY(walk_start(&right, c->right.txn, LEAT_DB_INDEX, err), err, "compare");
    while (!left.at_end || !right.at_end) {
        int order = walk_order(&left, &right);
        c->index_only_left += order < 0;
        c->index_only_right += order > 0;
        if (order <= 0)
            LEAT_TRY(walk_step(&left, MDB_NEXT, err), err, "compare");
        if (order >= 0)
            LEAT_TRY(walk_step(&right, MDB_NEXT, err), err, "compare");
    }
    return LEAT_OK;
}

static bool same_shape(const struct leat_shape *a, const struct leat_shape *b)
{
    bool same = a->n_fields == b->n_fields && a->n_indexes == b->n_indexes &&
                a->partitions == b->partitions;
    for (uint32_t i = 0; same && i < a->n_fields; i++)
        same = leat_str_eq(a->fields[i], b->fields[i]);
    for (uint32_t i = 0; same && i < a->n_indexes; i++) {
        same = leat_str_eq(a->indexes[i].name, b->indexes[i].name) &&
               a->indexes[i].n_columns == b->indexes[i].n_columns;
    }
    return same;
}

leat_status leat_models_compare(struct leat_comparison *c, struct leat_error *err)
{
    if (same_shape(c->left.shape, c->right.shape))
        c->common_only = false;
    else if (!c->common_only)
        return leat_fail(err, LEAT_INVALID, "the two models do not declare the same fields");
    for (uint32_t i = 0; i < c->left.shape->n_fields; i++)
        c->n_common += right_field(c, i) >= 0;
    LEAT_TRY(compare_rows(c, err), err, "rows");
    return c->common_only ? LEAT_OK : compare_indexes(c, err);
}
