#include "projection/model_range.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/suggest.h"
#include "projection/model_guard.h"

#define TIME_EVERY 256 /* rows between two looks at the clock */
#define TEXT_END   2   /* bytes that end an encoded text */
#define NUMBERS    (1U << LEAT_CELL_INT | 1U << LEAT_CELL_DOUBLE)
#define BOOLS      (1U << LEAT_CELL_BOOL)
#define NULLS      (1U << LEAT_CELL_NULL)

struct list_index { /* that a list goes by */
    const struct leat_shape_index *index;
    const struct leat_str *fields; /* of the model */
    const uint8_t *kinds;          /* what each column has held */
    uint8_t no;
};

/* A value means what the column has held so far: 42 is a number only where numbers are. */
static struct leat_cell typed(const struct leat_given *v, uint8_t kinds)
{
    struct leat_cell cell = {.kind = LEAT_CELL_STRING, .s = v->text};
    if (v->quoted)
        return cell;
    if ((kinds & NUMBERS) != 0 && leat_given_number(v->text, &cell))
        return cell;
    bool is_true = leat_str_eq(v->text, LEAT_STR("true"));
    if ((kinds & BOOLS) != 0 && (is_true || leat_str_eq(v->text, LEAT_STR("false"))))
        return (struct leat_cell){.kind = LEAT_CELL_BOOL, .b = is_true};
    if ((kinds & NULLS) != 0 && leat_str_eq(v->text, LEAT_STR("null")))
        return (struct leat_cell){.kind = LEAT_CELL_NULL};
    return cell;
}

/* A text for a column that holds none would be an empty list that looks like an answer. *ret_text:
 * a text was put. */
static leat_status put_column(const struct list_index *in, uint32_t column,
                              const struct leat_given *v, struct leat_index_key *ret,
                              bool *ret_text, struct leat_error *err)
{
    const struct leat_index_column *c = &in->index->columns[column];
    uint8_t kinds = in->kinds[column];
    struct leat_cell cell = typed(v, kinds);
    unsigned others = kinds & ~(NUMBERS | BOOLS | NULLS);
    if (cell.kind == LEAT_CELL_STRING && others == 0 && (kinds & (NUMBERS | BOOLS)) != 0) {
        const char *type = (kinds & NUMBERS) == 0 ? "true or false"
                           : (kinds & BOOLS) == 0 ? "a number"
                                                  : "a number, true or false";
        return leat_fail(err, LEAT_INVALID, "column '%.*s' of index '%.*s' is %s, not '%.*s'",
                         LEAT_STR_FMT(in->fields[c->field]), LEAT_STR_FMT(in->index->name), type,
                         LEAT_SHOWN(v->text));
    }
    *ret_text = cell.kind == LEAT_CELL_STRING;
    leat_index_key_column(ret, &cell, c->descending);
    return LEAT_OK;
}

static leat_status too_many(const struct list_index *in, struct leat_error *err)
{
    return leat_fail(err, LEAT_INVALID, "index '%.*s' has %u columns; more values given",
                     LEAT_STR_FMT(in->index->name), in->index->n_columns);
}

/* `goes_on`: a text that comes last is only the beginning of one. */
static leat_status encode_bound(const struct list_index *in, struct leat_str values, bool goes_on,
                                struct leat_index_key *ret, struct leat_error *err)
{
    char text[LEAT_VALUE_BYTES_MAX], end = 0;
    struct leat_given v = {.quoted = false};
    struct leat_str rest = values;
    bool is_text = false;
    uint32_t n = 0;
    leat_index_key_start(ret, in->no);
    while (leat_given_next(&rest, ",", text, &v, &end)) {
        if (n == in->index->n_columns)
            return too_many(in, err);
        leat_status status = put_column(in, n++, &v, ret, &is_text, err);
        if (status != LEAT_OK)
            return status;
    }
    if (!goes_on || !is_text)
        return LEAT_OK;
    if (v.text.len > LEAT_INDEX_TEXT_MAX) {
        return leat_fail(err, LEAT_INVALID, "the beginning of a text is at most %d bytes",
                         LEAT_INDEX_TEXT_MAX);
    }
    ret->len -= TEXT_END;
    return LEAT_OK;
}

static leat_status encode_equal(const struct list_index *in, const struct leat_model_range *r,
                                struct leat_index_key *ret, struct leat_error *err)
{
    bool is_text = false;
    leat_index_key_start(ret, in->no);
    if (r->n_equal > in->index->n_columns)
        return too_many(in, err);
    for (uint32_t i = 0; i < r->n_equal; i++) {
        const struct leat_given v = {r->equal[i], false};
        leat_status status = put_column(in, i, &v, ret, &is_text, err);
        if (status != LEAT_OK)
            return status;
    }
    return LEAT_OK;
}

/* ---- indexes ---- */

static void hint_indexes(const struct leat_shape *shape, struct leat_error *err)
{
    char names[200];
    size_t n = 0;
    for (uint32_t i = 0; i < shape->n_indexes && n < sizeof names; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%.*s", i > 0 ? ", " : "",
                              LEAT_STR_FMT(shape->indexes[i].name));
    leat_error_hint(err, "its indexes are %s", names);
}

static leat_status find_index(const struct leat_rows_version *v, const char *name, int *ret,
                              struct leat_error *err)
{
    struct leat_suggest near;
    const struct leat_shape *shape = v->shape;
    *ret = leat_shape_index(shape, leat_str_of(name));
    if (*ret >= 0)
        return LEAT_OK;
    if (leat_projection_index(v->declared, leat_str_of(name)) != NULL) {
        return leat_fail(err, LEAT_RETRY,
                         "the version of the model that is served does not have "
                         "the index '%.100s' yet",
                         name);
    }
    leat_suggest_start(&near, leat_str_of(name));
    for (uint32_t i = 0; i < shape->n_indexes; i++)
        leat_suggest_offer(&near, shape->indexes[i].name);
    leat_status status = leat_fail(err, LEAT_INVALID, "the model has no index '%.100s'", name);
    if (near.best.len > 0) {
        leat_error_hint(err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    } else if (shape->n_indexes == 0) {
        leat_error_hint(err, "it has none: rows come by key");
    } else {
        hint_indexes(shape, err);
    }
    return status;
}

static leat_status index_bounds(struct leat_rows_snapshot *s, const struct leat_model_range *r,
                                struct leat_rows_range *ret, struct leat_error *err)
{
    struct leat_column_kinds kinds;
    const struct leat_shape *shape = s->version->shape;
    leat_status status = find_index(s->version, r->index, &ret->index, err);
    if (status != LEAT_OK)
        return status;
    uint32_t no = (uint32_t)ret->index;
    leat_index_key_start(&ret->prefix, (uint8_t)no);
    LEAT_TRY(s->version->backend->kinds(s, &kinds, err), err, "list");
    const struct list_index in = {&shape->indexes[no], shape->fields, kinds.bits[no], (uint8_t)no};
    if (r->n_equal > 0)
        LEAT_TRY(encode_equal(&in, r, &ret->prefix, err), err, "list");
    if (r->prefix.len > 0)
        LEAT_TRY(encode_bound(&in, r->prefix, true, &ret->prefix, err), err, "prefix");
    if (r->from.len > 0)
        LEAT_TRY(encode_bound(&in, r->from, false, &ret->from, err), err, "from");
    if (r->to.len > 0)
        LEAT_TRY(encode_bound(&in, r->to, false, &ret->to, err), err, "to");
    return LEAT_OK;
}

static leat_status key_bound(const char *what, struct leat_str key, struct leat_index_key *ret,
                             struct leat_error *err)
{
    if (key.len >= LEAT_ROW_KEY_MAX) {
        return leat_fail(err, LEAT_INVALID, "%s: a key to start or end a list is at most %d bytes",
                         what, LEAT_ROW_KEY_MAX - 1);
    }
    if (key.len > 0)
        memcpy(ret->bytes, key.at, key.len);
    ret->len = key.len;
    return LEAT_OK;
}

leat_status leat_range_of(struct leat_rows_snapshot *s, const struct leat_model_range *r,
                          struct leat_rows_range *ret, struct leat_error *err)
{
    ret->index = -1;
    ret->prefix.len = ret->from.len = ret->to.len = ret->after.len = 0;
    ret->descending = r->descending;
    ret->keys_only = false;
    if (r->prefix.len > 0 && (r->from.len > 0 || r->to.len > 0)) {
        return leat_fail(err, LEAT_INVALID, "prefix stands alone: it says from where to where");
    }
    if (r->index != NULL)
        return index_bounds(s, r, ret, err);
    leat_status status = key_bound("prefix", r->prefix, &ret->prefix, err);
    if (status == LEAT_OK)
        status = key_bound("from", r->from, &ret->from, err);
    return status == LEAT_OK ? key_bound("to", r->to, &ret->to, err) : status;
}

void leat_range_name(const struct leat_model_range *r, struct leat_buf *out)
{
    struct leat_str parts[] = {r->index == NULL ? LEAT_STR("") : leat_str_of(r->index), r->from,
                               r->to, r->prefix, r->filter};
    const uint32_t n = sizeof parts / sizeof *parts;
    struct leat_str query = r->where == NULL ? LEAT_STR("") : r->where->name;
    leat_buf_printf(out, "%d %d %u %.*s", r->index != NULL, r->descending, r->n_equal,
                    LEAT_STR_FMT(query));
    for (uint32_t i = 0; i < n + r->n_equal; i++) {
        struct leat_str part = i < n ? parts[i] : r->equal[i - n];
        leat_buf_printf(out, " %u:", part.len);
        if (part.len > 0)
            leat_buf_put(out, part.at, part.len);
    }
}

/* ---- scans ---- */

leat_status leat_scan_begin(struct leat_model_read *read, const struct leat_model_range *r,
                            bool keys_only, struct leat_scan *ret, struct leat_error *err)
{
    ret->snapshot = read->rows;
    ret->backend = read->version->backend;
    ret->walk = NULL;
    ret->where.n = 0;
    ret->looked_at = 0;
    ret->looked_at_max = LEAT_MODEL_LOOK_MAX;
    ret->until_us = leat_mono_us() + (int64_t)LEAT_MODEL_LOOK_MS * 1000;
    leat_status status = leat_range_of(read->rows, r, &ret->range, err);
    if (status == LEAT_OK)
        status = leat_filter_parse(read->version, r->filter, read->arena, &ret->filter, err);
    if (status == LEAT_OK && r->where != NULL)
        status = leat_where_of(r->where, read->version->shape, read->arena, &ret->where, err);
    if (status == LEAT_OK)
        status = leat_guard_index(read->guard, read->version->shape, ret->range.index, err);
    if (status != LEAT_OK)
        return status; /* worded for the asker */
    ret->range.keys_only =
        keys_only && ret->filter.n == 0 && ret->where.n == 0 && !leat_guard_hides_rows(read->guard);
    ret->guard = read->guard;
    return LEAT_OK;
}

leat_status leat_scan_look(struct leat_scan *s, struct leat_model_row *ret, bool *ret_wanted,
                           struct leat_error *err)
{
    if (s->walk == NULL)
        LEAT_TRY(s->backend->walk(s->snapshot, &s->range, &s->walk, err), err, "list");
    leat_status status = s->backend->next(s->walk, ret, err);
    if (status != LEAT_OK)
        return status;
    s->looked_at++;
    *ret_wanted = leat_guard_row(s->guard, ret) && leat_filter_holds(&s->filter, ret->cells) &&
                  (s->where.n == 0 || leat_where_holds(&s->where, ret->cells));
    return LEAT_OK;
}

static leat_status too_much(const struct leat_scan *s, struct leat_error *err)
{
    leat_status status =
        leat_fail(err, LEAT_INVALID, "after %llu rows there were more to look at: too many",
                  (unsigned long long)s->looked_at);
    leat_error_hint(err, "narrow the question: an index with from and to, or a prefix");
    return status;
}

leat_status leat_scan_next(struct leat_scan *s, struct leat_model_row *ret, struct leat_error *err)
{
    bool wanted = false;
    leat_status status = LEAT_OK;
    while (!wanted && status == LEAT_OK) {
        bool late = s->looked_at % TIME_EVERY == TIME_EVERY - 1 && leat_mono_us() > s->until_us;
        if (late || s->looked_at >= s->looked_at_max)
            return too_much(s, err);
        status = leat_scan_look(s, ret, &wanted, err);
    }
    return status;
}

void leat_scan_end(struct leat_scan *s)
{
    s->backend->walk_close(s->walk);
    s->walk = NULL;
}
