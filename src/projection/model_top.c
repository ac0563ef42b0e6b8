/* The first rows in the order of any fields: one scan, a heap of as many rows as are asked for. */
#include <stdlib.h>
#include <string.h>

#include "projection/model_range.h"

#define BY_MAX        4
#define ROW_ARENA     (64 * 1024)
#define COMPACT_BYTES ((size_t)16 << 20) /* of rows that were kept and pushed out again */

struct top {
    struct leat_arena *kept; /* the rows of the heap */
    size_t compact_at;
    uint32_t by[BY_MAX], n_by, n_fields;
    bool descending[BY_MAX];
    struct leat_model_row *heap; /* the last one of the order on top */
    uint32_t n, max;
};

static leat_status parse_by(struct leat_model_read *r, struct leat_str by, struct top *t,
                            struct leat_error *err)
{
    char text[LEAT_VALUE_BYTES_MAX], end = 0;
    struct leat_given given;
    leat_status status = LEAT_OK;
    if (by.len == 0)
        status = leat_fail(err, LEAT_INVALID, "it must name a field");
    while (status == LEAT_OK && leat_given_next(&by, ",", text, &given, &end)) {
        if (t->n_by == BY_MAX) {
            status = leat_fail(err, LEAT_INVALID, "more than %d fields", BY_MAX);
            break;
        }
        struct leat_str name = given.text;
        bool down = name.len > 0 && name.at[0] == '-';
        t->descending[t->n_by] = down;
        name = (struct leat_str){name.at + down, name.len - down};
        status = leat_find_field(r->version, name, &t->by[t->n_by++], err);
    }
    if (status != LEAT_OK)
        leat_error_wrap(err, "parameter 'by'");
    return status;
}

/* Null last, whatever the order; rows that are alike in all of them go by key. */
static int compare(const struct top *t, const struct leat_model_row *a,
                   const struct leat_model_row *b)
{
    for (uint32_t i = 0; i < t->n_by; i++) {
        const struct leat_cell *x = &a->cells[t->by[i]], *y = &b->cells[t->by[i]];
        bool null_x = x->kind == LEAT_CELL_NULL, null_y = y->kind == LEAT_CELL_NULL;
        if (null_x != null_y)
            return null_x - null_y;
        int order = leat_cell_compare(x, y);
        if (order != 0)
            return t->descending[i] ? -order : order;
    }
    uint32_t n = a->key.len < b->key.len ? a->key.len : b->key.len;
    int order = memcmp(a->key.at, b->key.at, n);
    return order != 0 ? order : (a->key.len > b->key.len) - (a->key.len < b->key.len);
}

static void swap(struct top *t, uint32_t a, uint32_t b)
{
    struct leat_model_row row = t->heap[a];
    t->heap[a] = t->heap[b];
    t->heap[b] = row;
}

static void sift_down(struct top *t, uint32_t at)
{
    for (;;) {
        uint32_t last = at, left = 2 * at + 1, right = left + 1;
        if (left < t->n && compare(t, &t->heap[left], &t->heap[last]) > 0)
            last = left;
        if (right < t->n && compare(t, &t->heap[right], &t->heap[last]) > 0)
            last = right;
        if (last == at)
            return;
        swap(t, at, last);
        at = last;
    }
}

static void sift_up(struct top *t, uint32_t at)
{
    while (at > 0 && compare(t, &t->heap[at], &t->heap[(at - 1) / 2]) > 0) {
        swap(t, at, (at - 1) / 2);
        at = (at - 1) / 2;
    }
}

/* A walk's row is good until the next one: its own copy. */
static struct leat_model_row copy(const struct top *t, const struct leat_model_row *row,
                                  struct leat_arena *arena)
{
    struct leat_model_row own = {.key = leat_arena_copy(arena, row->key)};
    own.cells = leat_arena_alloc(arena, (t->n_fields + (size_t)1) * sizeof *own.cells);
    for (uint32_t i = 0; i < t->n_fields; i++) {
        own.cells[i] = row->cells[i];
        if (own.cells[i].kind >= LEAT_CELL_STRING)
            own.cells[i].s = leat_arena_copy(arena, own.cells[i].s);
    }
    return own;
}

static void compact(struct top *t)
{
    if (leat_arena_used(t->kept) < t->compact_at)
        return;
    struct leat_arena *fresh = leat_arena_new(ROW_ARENA, 0);
    for (uint32_t i = 0; i < t->n; i++)
        t->heap[i] = copy(t, &t->heap[i], fresh);
    leat_arena_free(t->kept);
    t->kept = fresh;
    t->compact_at = leat_arena_used(fresh) * 2 + COMPACT_BYTES;
}

static void offer(struct top *t, const struct leat_model_row *row)
{
    if (t->n < t->max) {
        t->heap[t->n] = copy(t, row, t->kept);
        sift_up(t, t->n++);
    } else if (compare(t, row, &t->heap[0]) < 0) {
        t->heap[0] = copy(t, row, t->kept);
        sift_down(t, 0);
        compact(t);
    }
}

/* Takes the heap apart from its end: the last of the order first, each to the back. */
static void sort(struct top *t)
{
    uint32_t n = t->n;
    while (t->n > 1) {
        swap(t, 0, --t->n);
        sift_down(t, 0);
    }
    t->n = n;
}

static leat_status run(struct leat_model_read *r, const struct leat_model_range *range,
                       struct top *t, struct leat_error *err)
{
    struct leat_scan scan;
    struct leat_model_row row;
    leat_status status = leat_scan_begin(r, range, false, &scan, err);
    if (status != LEAT_OK)
        return status;
    while ((status = leat_scan_next(&scan, &row, err)) == LEAT_OK)
        offer(t, &row);
    leat_scan_end(&scan);
    sort(t);
    return status == LEAT_ABSENT ? LEAT_OK : status;
}

static void put_top(const struct top *t, const struct leat_shape *shape,
                    const struct leat_chosen *chosen, struct leat_buf *out)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_key(&w, LEAT_STR("rows"));
    leat_json_begin_array(&w);
    for (uint32_t i = 0; i < t->n; i++)
        leat_row_put(shape, &t->heap[i], chosen, &w);
    leat_json_end_array(&w);
    leat_json_end_object(&w);
}

leat_status leat_read_top(struct leat_model_read *r, const struct leat_model_range *range,
                          struct leat_str by, struct leat_buf *out, struct leat_error *err)
{
    struct leat_chosen chosen;
    struct top t = {.n_fields = r->version->shape->n_fields, .compact_at = COMPACT_BYTES};
    if (range->limit < 1 || range->limit > LEAT_MODEL_TOP_MAX)
        return leat_fail(err, LEAT_INVALID, "limit must be 1 to %d", LEAT_MODEL_TOP_MAX);
    t.max = (uint32_t)range->limit;
    leat_status status = parse_by(r, by, &t, err);
    if (status == LEAT_OK)
        status = leat_choose_fields(r->version, range->fields, &chosen, err);
    if (status != LEAT_OK)
        return status;
    t.heap = leat_arena_zalloc(r->arena, t.max, sizeof *t.heap);
    t.kept = leat_arena_new(ROW_ARENA, 0);
    status = run(r, range, &t, err);
    if (status == LEAT_OK)
        put_top(&t, r->version->shape, &chosen, out);
    leat_arena_free(t.kept);
    return status;
}
