#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/units.h"
#include "projection/model.h"
#include "projection/model_cursor.h"
#include "projection/model_where.h"

#define VALUE_BYTES_MAX 1024
#define LIST_BYTES_MAX  12288
#define ARENA_BYTES     2048
#define SHOWN           100

struct bounds {
    struct leat_index_key from, to; /* encoded; len 0 = open */
    struct leat_index_key after;    /* of the cursor: the next entry is greater */
    uint32_t prefix_len;            /* bytes every entry of this index starts with */
    const struct leat_shape_index *index;
    bool by_key;
};

/* ---- values as text -> cells ---- */

/* The next of the comma-separated values; quoted ones may hold commas. False at the end. */
static bool next_value(struct leat_str *rest, char *to, uint32_t *ret_len, bool *ret_quoted)
{
    uint32_t i = 0, len = 0;
    if (rest->at == NULL)
        return false;
    *ret_quoted = rest->len > 0 && rest->at[0] == '"';
    if (*ret_quoted) {
        for (i = 1; i < rest->len && len < VALUE_BYTES_MAX; i++) {
            if (rest->at[i] == '"' && (i + 1 >= rest->len || rest->at[i + 1] != '"'))
                break;
            i += rest->at[i] == '"';
            to[len++] = rest->at[i];
        }
        i += i < rest->len;
    }
    for (; i < rest->len && rest->at[i] != ','; i++) {
        if (!*ret_quoted && len < VALUE_BYTES_MAX)
            to[len++] = rest->at[i];
    }
    if (i >= rest->len) {
        *rest = (struct leat_str){NULL, 0};
    } else {
        *rest = (struct leat_str){rest->at + i + 1, rest->len - i - 1};
    }
    *ret_len = len;
    return true;
}

static bool as_number(struct leat_str text, struct leat_cell *ret)
{
    char copy[64];
    int64_t i = 0;
    if (leat_parse_int(text, &i) == LEAT_UNITS_OK) {
        *ret = (struct leat_cell){.kind = LEAT_CELL_INT, .i = i};
        return true;
    }
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.at, text.len);
    copy[text.len] = 0;
    if (strspn(copy, "0123456789+-.eE") != text.len)
        return false;
    char *end = NULL;
    double d = strtod(copy, &end);
    if (end == copy || *end != 0)
        return false;
    *ret = (struct leat_cell){.kind = LEAT_CELL_DOUBLE, .d = d};
    return true;
}

struct list_index { /* that a list goes by */
    const struct leat_shape_index *index;
    const struct leat_str *fields; /* of the model */
    const uint8_t *kinds;          /* what each column has held */
    uint8_t no;
};

#define NUMBERS (1U << LEAT_CELL_INT | 1U << LEAT_CELL_DOUBLE)
#define BOOLS   (1U << LEAT_CELL_BOOL)
#define NULLS   (1U << LEAT_CELL_NULL)

struct value { /* for a column, as the asker wrote it */
    struct leat_str text;
    bool quoted; /* a text, whatever it looks like */
};

/* A value means what the column has held so far: 42 is a number only where numbers are. */
static struct leat_cell typed(const struct value *v, uint8_t kinds)
{
    struct leat_cell cell = {.kind = LEAT_CELL_STRING, .s = v->text};
    if (v->quoted)
        return cell;
    if ((kinds & NUMBERS) != 0 && as_number(v->text, &cell))
        return cell;
    bool is_true = leat_str_eq(v->text, LEAT_STR("true"));
    if ((kinds & BOOLS) != 0 && (is_true || leat_str_eq(v->text, LEAT_STR("false"))))
        return (struct leat_cell){.kind = LEAT_CELL_BOOL, .b = is_true};
    if ((kinds & NULLS) != 0 && leat_str_eq(v->text, LEAT_STR("null")))
        return (struct leat_cell){.kind = LEAT_CELL_NULL};
    return cell;
}

/* A text for a column that holds none would be an empty list that looks like an answer. */
static leat_status put_column(const struct list_index *in, uint32_t column, const struct value *v,
                              struct leat_index_key *ret, struct leat_error *err)
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
                         (int)(v->text.len < SHOWN ? v->text.len : SHOWN), v->text.at);
    }
    leat_index_key_column(ret, &cell, c->descending);
    return LEAT_OK;
}

static leat_status encode_bound(const struct list_index *in, struct leat_str values,
                                struct leat_index_key *ret, struct leat_error *err)
{
    const struct leat_shape_index *index = in->index;
    char text[VALUE_BYTES_MAX];
    uint32_t len = 0, n = 0;
    bool quoted = false;
    struct leat_str rest = values;
    leat_index_key_start(ret, in->no);
    while (next_value(&rest, text, &len, &quoted)) {
        if (n == index->n_columns) {
            return leat_fail(err, LEAT_INVALID, "index '%.*s' has %u columns; more values given",
                             LEAT_STR_FMT(index->name), index->n_columns);
        }
        const struct value v = {{text, len}, quoted};
        leat_status status = put_column(in, n++, &v, ret, err);
        if (status != LEAT_OK)
            return status;
    }
    return LEAT_OK;
}

static leat_status encode_equal(const struct list_index *in, const struct leat_model_range *r,
                                struct leat_index_key *ret, struct leat_error *err)
{
    const struct leat_shape_index *index = in->index;
    leat_index_key_start(ret, in->no);
    if (r->n_equal > index->n_columns) {
        return leat_fail(err, LEAT_INVALID, "index '%.*s' has %u columns; more values given",
                         LEAT_STR_FMT(index->name), index->n_columns);
    }
    for (uint32_t i = 0; i < r->n_equal; i++) {
        const struct value v = {r->equal[i], false};
        leat_status status = put_column(in, i, &v, ret, err);
        if (status != LEAT_OK)
            return status;
    }
    return LEAT_OK;
}

static leat_status key_bound(struct leat_str key, struct leat_index_key *ret,
                             struct leat_error *err)
{
    if (key.len >= LEAT_ROW_KEY_MAX) {
        return leat_fail(err, LEAT_INVALID, "a key to start or end a list is at most %d bytes",
                         LEAT_ROW_KEY_MAX - 1);
    }
    if (key.len > 0)
        memcpy(ret->bytes, key.at, key.len);
    ret->len = key.len;
    return LEAT_OK;
}

/* ---- the scan ---- */

/* What a cursor belongs to. */
static void put_list(const struct leat_model_range *r, struct leat_buf *out)
{
    struct leat_str parts[3] = {r->index == NULL ? LEAT_STR("") : leat_str_of(r->index), r->from,
                                r->to};
    struct leat_str query = r->where == NULL ? LEAT_STR("") : r->where->name;
    leat_buf_printf(out, "%d %u %.*s", r->index != NULL, r->n_equal, LEAT_STR_FMT(query));
    for (uint32_t i = 0; i < 3 + r->n_equal; i++) {
        struct leat_str part = i < 3 ? parts[i] : r->equal[i - 3];
        leat_buf_printf(out, " %u:", part.len);
        if (part.len > 0)
            leat_buf_put(out, part.at, part.len);
    }
}

static leat_status read_cursor(const struct leat_model_view *v, const struct leat_model_range *r,
                               struct leat_str list, struct bounds *b, struct leat_error *err)
{
    if (r->cursor.len == 0)
        return LEAT_OK;
    leat_status status = leat_model_cursor_read(r->cursor, list, v->version, &b->after, err);
    if (status == LEAT_OK &&
        (b->after.len < b->prefix_len || memcmp(b->after.bytes, b->from.bytes, b->prefix_len) != 0))
        return leat_fail(err, LEAT_INVALID, "the cursor is of another index");
    return status;
}

static void hint_indexes(const struct leat_shape *shape, struct leat_error *err)
{
    char names[200];
    size_t n = 0;
    for (uint32_t i = 0; i < shape->n_indexes && n < sizeof names; i++)
        n += (size_t)snprintf(names + n, sizeof names - n, "%s%.*s", i > 0 ? ", " : "",
                              LEAT_STR_FMT(shape->indexes[i].name));
    leat_error_hint(err, "its indexes are %s", names);
}

static leat_status find_index(const struct leat_model_view *v, const char *name, int *ret,
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

static leat_status index_bounds(const struct leat_model_view *v, struct leat_env_txn *t,
                                const struct leat_model_range *r, struct bounds *b,
                                struct leat_error *err)
{
    struct leat_column_kinds kinds;
    int found = -1;
    leat_status status = find_index(v, r->index, &found, err);
    if (status != LEAT_OK)
        return status;
    uint32_t no = (uint32_t)found;
    b->index = &v->shape->indexes[no];
    b->prefix_len = 1;
    leat_index_key_start(&b->from, (uint8_t)no);
    LEAT_TRY(leat_column_kinds_read(t, &kinds, err), err, "list");
    const struct list_index in = {b->index, v->shape->fields, kinds.bits[no], (uint8_t)no};
    if (r->n_equal > 0) {
        LEAT_TRY(encode_equal(&in, r, &b->from, err), err, "list");
        b->to = b->from;
        return LEAT_OK;
    }
    if (r->from.len > 0)
        LEAT_TRY(encode_bound(&in, r->from, &b->from, err), err, "from");
    if (r->to.len > 0)
        LEAT_TRY(encode_bound(&in, r->to, &b->to, err), err, "to");
    return LEAT_OK;
}

static leat_status make_bounds(const struct leat_model_view *v, struct leat_env_txn *t,
                               const struct leat_model_range *r, struct bounds *b,
                               struct leat_error *err)
{
    memset(b, 0, sizeof *b);
    b->by_key = r->index == NULL;
    if (!b->by_key)
        return index_bounds(v, t, r, b, err);
    LEAT_TRY(key_bound(r->from, &b->from, err), err, "from");
    LEAT_TRY(key_bound(r->to, &b->to, err), err, "to");
    return LEAT_OK;
}

static int first_entry(MDB_cursor *cursor, const struct bounds *b, MDB_val *k, MDB_val *d)
{
    const struct leat_index_key *start = b->after.len > 0 ? &b->after : &b->from;
    if (start->len == 0)
        return mdb_cursor_get(cursor, k, d, MDB_FIRST);
    *k = (MDB_val){.mv_size = start->len, .mv_data = (void *)(uintptr_t)start->bytes};
    int rc = mdb_cursor_get(cursor, k, d, MDB_SET_RANGE);
    if (rc == 0 && b->after.len > 0 && k->mv_size == start->len &&
        memcmp(k->mv_data, start->bytes, start->len) == 0)
        rc = mdb_cursor_get(cursor, k, d, MDB_NEXT);
    return rc;
}

/* Behind the end: greater than `to` in the bytes `to` has, so what starts with `to` belongs to it.
 */
static bool is_past(const struct bounds *b, const MDB_val *k)
{
    if (k->mv_size < b->prefix_len || memcmp(k->mv_data, b->from.bytes, b->prefix_len) != 0)
        return true;
    if (b->to.len == 0)
        return false;
    size_t n = k->mv_size < b->to.len ? k->mv_size : b->to.len;
    return memcmp(k->mv_data, b->to.bytes, n) > 0;
}

struct scan {
    const struct leat_model_view *view;
    struct leat_env_txn *txn;
    MDB_cursor *cursor;
    struct bounds bounds;
    struct leat_where where;
    struct leat_str list; /* what a cursor belongs to */
    struct leat_json_writer w;
    int32_t written;
};

/* One entry of the key's or the index's order; left out when `where` does not hold. */
static leat_status write_entry(struct scan *s, const MDB_val *k, const MDB_val *d,
                               struct leat_error *err)
{
    const struct leat_shape_index *index = s->bounds.index;
    struct leat_str row_key = {k->mv_data, (uint32_t)k->mv_size};
    struct leat_str row = {d->mv_data, (uint32_t)d->mv_size};
    bool wanted = true;
    if (!s->bounds.by_key) {
        struct leat_str entry = row_key;
        if (!leat_index_key_row(entry, index->columns, index->n_columns, &row_key))
            return leat_fail(err, LEAT_FATAL, "index '%.*s' is damaged", LEAT_STR_FMT(index->name));
        LEAT_TRY(leat_env_get(s->txn, LEAT_DB_ROWS, row_key, &row, err), err, "index without row");
    }
    if (s->where.n > 0)
        LEAT_TRY(leat_where_holds(&s->where, row, s->view->shape->n_fields, &wanted, err), err,
                 "where");
    if (!wanted)
        return LEAT_OK;
    s->written++;
    return leat_model_row_json(s->view, row_key, row, &s->w, err);
}

static void put_cursor(struct scan *s, const struct leat_index_key *last)
{
    struct leat_buf text;
    leat_buf_init(&text, LEAT_CURSOR_BYTES_MAX);
    leat_model_cursor_put(s->list, s->view->version,
                          (struct leat_str){(const char *)last->bytes, last->len}, &text);
    leat_json_put_str(&s->w, "cursor", leat_buf_str(&text));
    leat_buf_done(&text);
}

static leat_status run_scan(struct scan *s, int32_t limit, struct leat_error *err)
{
    MDB_val k, d;
    struct leat_index_key last = {.len = 0};
    int32_t looked_at = 0;
    int rc = first_entry(s->cursor, &s->bounds, &k, &d);
    leat_json_begin_object(&s->w);
    leat_json_key(&s->w, LEAT_STR("rows"));
    leat_json_begin_array(&s->w);
    for (; rc == 0 && s->written < limit && looked_at < LEAT_MODEL_SCAN_MAX &&
           !is_past(&s->bounds, &k);
         looked_at++) {
        LEAT_TRY(write_entry(s, &k, &d, err), err, "list");
        last.len = (uint32_t)k.mv_size;
        memcpy(last.bytes, k.mv_data, k.mv_size);
        rc = mdb_cursor_get(s->cursor, &k, &d, MDB_NEXT);
    }
    leat_json_end_array(&s->w);
    if (rc == 0 && looked_at > 0 && !is_past(&s->bounds, &k)) {
        put_cursor(s, &last);
    } else {
        leat_json_put_cstr(&s->w, "cursor", NULL);
    }
    leat_json_end_object(&s->w);
    return rc == 0 || rc == MDB_NOTFOUND ? LEAT_OK : leat_env_fail(NULL, rc, err, "list a model");
}

static leat_status list_in_txn(struct scan *s, const struct leat_model_range *r,
                               struct leat_arena *arena, struct leat_buf *out,
                               struct leat_error *err)
{
    leat_status status = make_bounds(s->view, s->txn, r, &s->bounds, err);
    if (status == LEAT_OK)
        status = read_cursor(s->view, r, s->list, &s->bounds, err);
    if (status == LEAT_OK && r->where != NULL)
        status = leat_where_of(r->where, s->view->shape, arena, &s->where, err);
    if (status != LEAT_OK)
        return status; /* worded for the asker */
    leat_env_db db = s->bounds.by_key ? LEAT_DB_ROWS : LEAT_DB_INDEX;
    int rc = mdb_cursor_open(s->txn->txn, s->txn->dbi[db], &s->cursor);
    if (rc != 0)
        return leat_env_fail(NULL, rc, err, "list a model");
    leat_json_writer_init(&s->w, out);
    status = run_scan(s, r->limit, err);
    mdb_cursor_close(s->cursor);
    return status;
}

leat_status leat_model_list_in(const struct leat_model_view *v, const struct leat_model_range *r,
                               struct leat_buf *out, struct leat_error *err)
{
    struct leat_env_txn t;
    struct leat_buf list;
    struct scan s = {.view = v, .txn = &t};
    if (r->limit < 1 || r->limit > LEAT_MODEL_LIMIT_MAX)
        return leat_fail(err, LEAT_INVALID, "limit must be 1 to %d", LEAT_MODEL_LIMIT_MAX);
    leat_buf_init(&list, LIST_BYTES_MAX);
    put_list(r, &list);
    bool too_long = list.overflow;
    s.list = leat_buf_str(&list);
    leat_status status = LEAT_OK;
    if (too_long) {
        status = leat_fail(err, LEAT_INVALID, "the values of the range are too long");
    } else if ((status = leat_env_read_begin(v->env, &t, err)) == LEAT_OK) {
        struct leat_arena *arena = leat_arena_new(ARENA_BYTES, 0);
        status = list_in_txn(&s, r, arena, out, err);
        leat_arena_free(arena);
        leat_env_read_end(&t);
    }
    leat_buf_done(&list);
    return status;
}

void leat_model_skip_json(const uint8_t *key, struct leat_str text, struct leat_json_writer *w)
{
    int64_t slice = 0, seq = 0;
    for (int i = 0; i < 4; i++)
        slice = slice << 8 | key[i];
    for (int i = 4; i < LEAT_SKIP_KEY_BYTES; i++)
        seq = seq << 8 | key[i];
    const char *end = text.len == 0 ? NULL : memchr(text.at, 0, text.len);
    uint32_t type_len = end == NULL ? text.len : (uint32_t)(end - text.at);
    uint32_t reason_at = end == NULL ? text.len : type_len + 1;
    leat_json_begin_object(w);
    leat_json_put_int(w, "slice", slice);
    leat_json_put_int(w, "seq", seq);
    leat_json_put_str(w, "type", (struct leat_str){text.at, type_len});
    leat_json_put_str(w, "reason", (struct leat_str){text.at + reason_at, text.len - reason_at});
    leat_json_end_object(w);
}
