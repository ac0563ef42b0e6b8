/* Counts, groups and their sums: one scan, one entry in memory per group. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/suggest.h"
#include "projection/model_guard.h"
#include "projection/model_range.h"

#define GROUP_FIELDS_MAX 4
#define VALUES_MAX       16
#define FIRST_SLOTS      64
#define KEY_BYTES_MAX    (1U << 16)

typedef enum sum_kind {
    SUM_COUNT = 0,
    SUM_SUM,
    SUM_MIN,
    SUM_MAX,
    SUM_AVG,
    SUM_KINDS,
} sum_kind;

static const char *const kind_names[SUM_KINDS] = {"count", "sum", "min", "max", "avg"};

struct value { /* one that is asked for */
    sum_kind kind;
    uint32_t field;
};
struct summed { /* of one value in one group */
    struct leat_cell cell;
    uint64_t n;        /* AVG: how many numbers */
    uint32_t text_cap; /* MIN, MAX of texts: room at cell.s.at */
};
struct group {
    struct leat_str key; /* the cells as leat_row_encode() writes them */
    uint64_t hash, rows;
    struct leat_cell *cells; /* of the group's fields */
    struct summed *summed;
};
struct sums {
    struct leat_arena *arena;
    const struct leat_shape *shape;
    uint32_t by[GROUP_FIELDS_MAX];
    struct value values[VALUES_MAX];
    uint32_t n_by, n_values;
    struct group *groups; /* in the arena */
    size_t n_groups, cap_groups;
    uint32_t *slots; /* open addressing: number of the group + 1 */
    size_t n_slots;
    struct leat_buf key;
    uint64_t rows;
    int32_t order; /* < n_by: a field of the group; else n_by + number of the value; -1: by all */
    bool descending;
};

/* ---- the question ---- */

static leat_status parse_by(struct leat_model_read *r, struct leat_str names, struct sums *s,
                            struct leat_error *err)
{
    char text[LEAT_VALUE_BYTES_MAX], end = 0;
    struct leat_given name;
    leat_status status = LEAT_OK;
    while (names.len > 0 && status == LEAT_OK && leat_given_next(&names, ",", text, &name, &end)) {
        status = s->n_by == GROUP_FIELDS_MAX
                     ? leat_fail(err, LEAT_INVALID, "more than %d fields", GROUP_FIELDS_MAX)
                     : leat_find_field(r->version, name.text, &s->by[s->n_by++], err);
    }
    if (status != LEAT_OK)
        leat_error_wrap(err, "parameter 'group'");
    return status;
}

static leat_status no_value(struct leat_str text, struct leat_error *err)
{
    leat_status status =
        leat_fail(err, LEAT_INVALID, "'%.*s' is nothing to sum up", LEAT_SHOWN(text));
    leat_error_hint(err, "count, sum(<field>), min(<field>), max(<field>), avg(<field>)");
    return status;
}

static leat_status parse_value(const struct leat_rows_version *v, struct leat_str text,
                               struct value *ret, struct leat_error *err)
{
    const char *open = text.len == 0 ? NULL : memchr(text.at, '(', text.len);
    uint32_t n = open == NULL ? text.len : (uint32_t)(open - text.at);
    struct leat_str name = {text.at, n};
    for (ret->kind = SUM_COUNT; ret->kind < SUM_KINDS; ret->kind++) {
        if (leat_str_eq(name, leat_str_of(kind_names[ret->kind])))
            break;
    }
    ret->field = 0;
    if (ret->kind == SUM_COUNT && open == NULL)
        return LEAT_OK;
    if (ret->kind == SUM_KINDS || ret->kind == SUM_COUNT || open == NULL ||
        text.at[text.len - 1] != ')')
        return no_value(text, err);
    struct leat_str field = {open + 1, text.len - n - 2};
    return leat_find_field(v, field, &ret->field, err);
}

static bool is_asked(const struct sums *s, const struct value *v)
{
    bool found = false;
    for (uint32_t i = 0; i < s->n_values && !found; i++)
        found = s->values[i].kind == v->kind && s->values[i].field == v->field;
    return found;
}

static leat_status parse_values(struct leat_model_read *r, struct leat_str names, struct sums *s,
                                struct leat_error *err)
{
    char text[LEAT_VALUE_BYTES_MAX], end = 0;
    struct leat_given name;
    leat_status status = LEAT_OK;
    if (names.len == 0)
        names = LEAT_STR("count");
    while (status == LEAT_OK && leat_given_next(&names, ",", text, &name, &end)) {
        struct value v;
        status = s->n_values == VALUES_MAX
                     ? leat_fail(err, LEAT_INVALID, "more than %d values", VALUES_MAX)
                     : parse_value(r->version, name.text, &v, err);
        if (status == LEAT_OK && !is_asked(s, &v))
            s->values[s->n_values++] = v;
    }
    if (status != LEAT_OK)
        leat_error_wrap(err, "parameter 'values'");
    return status;
}

static const char *value_name(const struct sums *s, const struct value *v)
{
    if (v->kind == SUM_COUNT)
        return kind_names[SUM_COUNT];
    return leat_arena_printf(s->arena, "%s(%.*s)", kind_names[v->kind],
                             LEAT_STR_FMT(s->shape->fields[v->field]));
}

static leat_status parse_order(struct leat_str order, struct sums *s, struct leat_error *err)
{
    struct leat_suggest near;
    s->order = -1;
    if (order.len == 0)
        return LEAT_OK;
    s->descending = order.at[0] == '-';
    struct leat_str name = {order.at + s->descending, order.len - s->descending};
    leat_suggest_start(&near, name);
    for (uint32_t i = 0; i < s->n_by + s->n_values; i++) {
        struct leat_str known = i < s->n_by ? s->shape->fields[s->by[i]]
                                            : leat_str_of(value_name(s, &s->values[i - s->n_by]));
        leat_suggest_offer(&near, known);
        if (leat_str_eq(name, known))
            s->order = (int32_t)i;
    }
    if (s->order >= 0)
        return LEAT_OK;
    leat_status status = leat_fail(err, LEAT_INVALID,
                                   "parameter 'order': '%.*s' is neither a field of 'group' nor "
                                   "one of 'values'",
                                   LEAT_SHOWN(name));
    if (near.best.len > 0)
        leat_error_hint(err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return status;
}

/* ---- groups ---- */

static void place(struct sums *s, uint32_t number)
{
    size_t at = s->groups[number].hash & (s->n_slots - 1);
    while (s->slots[at] != 0)
        at = (at + 1) & (s->n_slots - 1);
    s->slots[at] = number + 1;
}

static void make_room(struct sums *s)
{
    if (s->n_groups * 2 < s->n_slots)
        return;
    s->n_slots = s->n_slots == 0 ? FIRST_SLOTS : s->n_slots * 2;
    s->slots = leat_arena_zalloc(s->arena, s->n_slots, sizeof *s->slots);
    for (uint32_t i = 0; i < s->n_groups; i++)
        place(s, i);
}

static struct group *find(struct sums *s, struct leat_str key, uint64_t hash)
{
    if (s->n_slots == 0)
        return NULL;
    for (size_t at = hash & (s->n_slots - 1); s->slots[at] != 0; at = (at + 1) & (s->n_slots - 1)) {
        struct group *g = &s->groups[s->slots[at] - 1];
        if (g->hash == hash && leat_str_eq(g->key, key))
            return g;
    }
    return NULL;
}

static leat_status add_group(struct sums *s, uint64_t hash, struct group **ret,
                             struct leat_error *err)
{
    if (s->n_groups == LEAT_MODEL_GROUPS_MAX) {
        leat_status status =
            leat_fail(err, LEAT_INVALID, "more than %d groups", LEAT_MODEL_GROUPS_MAX);
        leat_error_hint(err, "group by fewer fields, or leave rows out by index and where");
        return status;
    }
    make_room(s);
    s->groups =
        leat_arena_grow(s->arena, s->groups, sizeof *s->groups, &s->cap_groups, s->n_groups + 1);
    struct group *g = &s->groups[s->n_groups];
    *g = (struct group){.key = leat_arena_copy(s->arena, leat_buf_str(&s->key)), .hash = hash};
    g->cells = leat_arena_zalloc(s->arena, s->n_by + (size_t)1, sizeof *g->cells);
    g->summed = leat_arena_zalloc(s->arena, s->n_values + (size_t)1, sizeof *g->summed);
    LEAT_TRY(leat_row_decode(g->key, g->cells, s->n_by, NULL, err), err, "group");
    place(s, (uint32_t)s->n_groups++);
    *ret = g;
    return LEAT_OK;
}

static leat_status group_of(struct sums *s, const struct leat_cell *cells, struct group **ret,
                            struct leat_error *err)
{
    struct leat_cell by[GROUP_FIELDS_MAX];
    for (uint32_t i = 0; i < s->n_by; i++)
        by[i] = cells[s->by[i]];
    leat_buf_clear(&s->key);
    leat_row_encode(by, s->n_by, (struct leat_str){NULL, 0}, &s->key);
    if (s->key.overflow) {
        return leat_fail(err, LEAT_INVALID,
                         "parameter 'group': a row's values are larger than %u bytes",
                         KEY_BYTES_MAX);
    }
    uint64_t hash = leat_hash64(s->key.at, s->key.len, 0);
    *ret = find(s, leat_buf_str(&s->key), hash);
    return *ret != NULL ? LEAT_OK : add_group(s, hash, ret, err);
}

/* ---- values ---- */

static bool is_number(const struct leat_cell *c)
{
    return c->kind == LEAT_CELL_INT || c->kind == LEAT_CELL_DOUBLE;
}

/* A row's text does not outlive its turn: kept in room that only grows. */
static void keep(struct sums *s, struct summed *to, const struct leat_cell *cell)
{
    char *room = (char *)(uintptr_t)to->cell.s.at;
    bool is_text = cell->kind >= LEAT_CELL_STRING;
    if (is_text && cell->s.len >= to->text_cap) {
        to->text_cap = cell->s.len * 2 + 16;
        room = leat_arena_alloc(s->arena, to->text_cap);
    }
    to->cell = *cell;
    if (!is_text) {
        to->text_cap = 0;
        return;
    }
    if (cell->s.len > 0)
        memcpy(room, cell->s.at, cell->s.len);
    to->cell.s.at = room;
}

static void add_value(struct sums *s, const struct value *v, const struct leat_cell *cell,
                      struct summed *to)
{
    int order = 0;
    switch (v->kind) {
    case SUM_SUM:
    case SUM_AVG:
        if (is_number(cell) && leat_row_apply(&to->cell, LEAT_ROW_ADD, cell, 0, s->arena))
            to->n++;
        return;
    case SUM_MIN:
    case SUM_MAX:
        if (cell->kind == LEAT_CELL_NULL || cell->kind == LEAT_CELL_LIST)
            return;
        order = to->cell.kind == LEAT_CELL_NULL ? 0 : leat_cell_compare(cell, &to->cell);
        if (to->cell.kind == LEAT_CELL_NULL || (v->kind == SUM_MIN ? order < 0 : order > 0))
            keep(s, to, cell);
        return;
    case SUM_COUNT:
    case SUM_KINDS:
        return;
    }
}

static leat_status add_rows(struct sums *s, struct leat_scan *scan, struct leat_error *err)
{
    struct leat_model_row row;
    struct group *g = NULL;
    leat_status status = LEAT_OK;
    while ((status = leat_scan_next(scan, &row, err)) == LEAT_OK) {
        status = group_of(s, row.cells, &g, err);
        if (status != LEAT_OK)
            return status;
        g->rows++;
        s->rows++;
        for (uint32_t i = 0; i < s->n_values; i++)
            add_value(s, &s->values[i], &row.cells[s->values[i].field], &g->summed[i]);
    }
    return status == LEAT_ABSENT ? LEAT_OK : status;
}

/* ---- the answer ---- */

static struct leat_cell shown(const struct sums *s, const struct group *g, uint32_t value)
{
    const struct summed *of = &g->summed[value];
    struct leat_cell cell = of->cell;
    if (s->values[value].kind == SUM_COUNT)
        return (struct leat_cell){.kind = LEAT_CELL_INT, .i = (int64_t)g->rows};
    if (s->values[value].kind == SUM_AVG && of->n > 0) {
        double sum = cell.kind == LEAT_CELL_INT ? (double)cell.i : cell.d;
        return (struct leat_cell){.kind = LEAT_CELL_DOUBLE, .d = sum / (double)of->n};
    }
    return cell;
}

static int compare_groups(const void *left, const void *right, void *arg)
{
    const struct sums *s = arg;
    const struct group *a = left, *b = right;
    int order = 0;
    if (s->order >= 0 && (uint32_t)s->order < s->n_by) {
        order = leat_cell_compare(&a->cells[s->order], &b->cells[s->order]);
    } else if (s->order >= 0) {
        struct leat_cell x = shown(s, a, (uint32_t)s->order - s->n_by);
        struct leat_cell y = shown(s, b, (uint32_t)s->order - s->n_by);
        order = leat_cell_compare(&x, &y);
    }
    order = s->descending ? -order : order;
    for (uint32_t i = 0; order == 0 && i < s->n_by; i++)
        order = leat_cell_compare(&a->cells[i], &b->cells[i]);
    return order;
}

/* "sum": {field: value, …}; nothing when no sum was asked for. */
static void put_kind(const struct sums *s, const struct group *g, sum_kind kind,
                     struct leat_json_writer *w)
{
    bool begun = false;
    for (uint32_t i = 0; i < s->n_values; i++) {
        if (s->values[i].kind != kind)
            continue;
        struct leat_cell cell = shown(s, g, i);
        if (!begun) {
            leat_json_key(w, leat_str_of(kind_names[kind]));
            leat_json_begin_object(w);
        }
        begun = true;
        leat_json_key(w, s->shape->fields[s->values[i].field]);
        leat_cell_json(&cell, w);
    }
    if (begun)
        leat_json_end_object(w);
}

static void put_group(const struct sums *s, const struct group *g, struct leat_json_writer *w)
{
    leat_json_begin_object(w);
    leat_json_key(w, LEAT_STR("key"));
    leat_json_begin_object(w);
    for (uint32_t i = 0; i < s->n_by; i++) {
        leat_json_key(w, s->shape->fields[s->by[i]]);
        leat_cell_json(&g->cells[i], w);
    }
    leat_json_end_object(w);
    leat_json_put_int(w, kind_names[SUM_COUNT], (int64_t)g->rows);
    for (sum_kind kind = SUM_SUM; kind < SUM_KINDS; kind++)
        put_kind(s, g, kind, w);
    leat_json_end_object(w);
}

static void put_groups(struct sums *s, int32_t limit, struct leat_buf *out)
{
    struct leat_json_writer w;
    if (s->n_groups > 1)
        qsort_r(s->groups, s->n_groups, sizeof *s->groups, compare_groups, s);
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_key(&w, LEAT_STR("groups"));
    leat_json_begin_array(&w);
    for (size_t i = 0; i < s->n_groups && i < (size_t)limit; i++)
        put_group(s, &s->groups[i], &w);
    leat_json_end_array(&w);
    leat_json_put_int(&w, "rows", (int64_t)s->rows);
    leat_json_put_bool(&w, "more", s->n_groups > (size_t)limit);
    leat_json_end_object(&w);
}

leat_status leat_read_sums(struct leat_model_read *r, const struct leat_model_sums *q,
                           struct leat_buf *out, struct leat_error *err)
{
    struct leat_scan scan;
    struct sums s = {.arena = r->arena, .shape = r->version->shape};
    if (q->range.limit < 1 || q->range.limit > LEAT_MODEL_GROUPS_MAX)
        return leat_fail(err, LEAT_INVALID, "limit must be 1 to %d", LEAT_MODEL_GROUPS_MAX);
    leat_status status = parse_by(r, q->group, &s, err);
    if (status == LEAT_OK)
        status = parse_values(r, q->values, &s, err);
    if (status == LEAT_OK)
        status = parse_order(q->order, &s, err);
    if (status == LEAT_OK)
        status = leat_scan_begin(r, &q->range, false, &scan, err);
    if (status != LEAT_OK)
        return status;
    leat_buf_init(&s.key, KEY_BYTES_MAX);
    status = add_rows(&s, &scan, err);
    leat_scan_end(&scan);
    leat_buf_done(&s.key);
    if (status == LEAT_OK)
        put_groups(&s, q->range.limit, out);
    return status;
}

/* ---- counting ---- */

static leat_status count_scan(struct leat_model_read *r, const struct leat_model_range *range,
                              uint64_t *ret, struct leat_error *err)
{
    struct leat_scan scan;
    struct leat_model_row row;
    uint64_t n = 0;
    leat_status status = leat_scan_begin(r, range, true, &scan, err);
    if (status != LEAT_OK)
        return status;
    while ((status = leat_scan_next(&scan, &row, err)) == LEAT_OK)
        n++;
    leat_scan_end(&scan);
    if (status != LEAT_ABSENT)
        return status;
    *ret = n;
    return LEAT_OK;
}

leat_status leat_read_count(struct leat_model_read *r, const struct leat_model_range *range,
                            struct leat_buf *out, struct leat_error *err)
{
    struct leat_json_writer w;
    uint64_t n = 0;
    bool all = range->index == NULL && range->from.len + range->to.len + range->prefix.len == 0 &&
               range->filter.len == 0 && range->where == NULL && !leat_guard_hides_rows(r->guard);
    leat_status status =
        all ? r->version->backend->count(r->rows, &n, err) : count_scan(r, range, &n, err);
    if (status != LEAT_OK)
        return status;
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_int(&w, "count", (int64_t)n);
    leat_json_end_object(&w);
    return LEAT_OK;
}
