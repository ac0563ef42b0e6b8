#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "projection/model.h"

#define LIMIT_MAX        1000
#define VALUE_BYTES_MAX  1024
#define CURSOR_BYTES_MAX 2048

/* Cursor: version, '.', hex of the last entry read. It names its version, so that a page of another
 * one is refused instead of being almost right. */

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

/* A value means what the column has held so far: 42 is a number only where numbers are. */
static struct leat_cell typed(struct leat_str text, bool quoted, uint8_t kinds)
{
    struct leat_cell cell = {.kind = LEAT_CELL_STRING, .s = text};
    uint8_t numbers = 1U << LEAT_CELL_INT | 1U << LEAT_CELL_DOUBLE;
    if (quoted)
        return cell;
    if ((kinds & numbers) != 0 && as_number(text, &cell))
        return cell;
    bool is_true = leat_str_eq(text, LEAT_STR("true"));
    if ((kinds & 1U << LEAT_CELL_BOOL) != 0 && (is_true || leat_str_eq(text, LEAT_STR("false"))))
        return (struct leat_cell){.kind = LEAT_CELL_BOOL, .b = is_true};
    if ((kinds & 1U << LEAT_CELL_NULL) != 0 && leat_str_eq(text, LEAT_STR("null")))
        return (struct leat_cell){.kind = LEAT_CELL_NULL};
    return cell;
}

static leat_status encode_bound(const struct leat_shape_index *index, uint32_t index_no,
                                const struct leat_column_kinds *kinds, struct leat_str values,
                                struct leat_index_key *ret, struct leat_error *err)
{
    char text[VALUE_BYTES_MAX];
    uint32_t len = 0, n = 0;
    bool quoted = false;
    struct leat_str rest = values;
    leat_index_key_start(ret, (uint8_t)index_no);
    while (next_value(&rest, text, &len, &quoted)) {
        if (n == index->n_columns) {
            return leat_fail(err, LEAT_INVALID, "index '%.*s' has %u columns; more values given",
                             LEAT_STR_FMT(index->name), index->n_columns);
        }
        struct leat_cell cell =
            typed((struct leat_str){text, len}, quoted, kinds->bits[index_no][n]);
        leat_index_key_column(ret, &cell, index->columns[n].descending);
        n++;
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

/* ---- cursor ---- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static leat_status read_cursor(const struct leat_model_view *v, struct leat_str text,
                               struct bounds *b, struct leat_error *err)
{
    const char *dot = text.len == 0 ? NULL : memchr(text.at, '.', text.len);
    if (text.len == 0)
        return LEAT_OK;
    uint32_t head = dot == NULL ? 0 : (uint32_t)(dot - text.at);
    uint32_t digits = dot == NULL ? 0 : text.len - head - 1;
    if (dot == NULL || digits == 0 || digits % 2 != 0 || digits / 2 > LEAT_INDEX_KEY_MAX)
        return leat_fail(err, LEAT_INVALID, "the cursor is not one of ours");
    if (!leat_str_eq((struct leat_str){text.at, head}, leat_str_of(v->version))) {
        return leat_fail(err, LEAT_INVALID,
                         "the cursor is of another version of the model: start again without it");
    }
    for (uint32_t i = 0; i < digits / 2; i++) {
        int high = hex_value(dot[1 + 2 * i]), low = hex_value(dot[2 + 2 * i]);
        if (high < 0 || low < 0)
            return leat_fail(err, LEAT_INVALID, "the cursor is not one of ours");
        b->after.bytes[i] = (uint8_t)(high << 4 | low);
    }
    b->after.len = digits / 2;
    if (b->after.len < b->prefix_len || memcmp(b->after.bytes, b->from.bytes, b->prefix_len) != 0)
        return leat_fail(err, LEAT_INVALID, "the cursor is of another index");
    return LEAT_OK;
}

static void write_cursor(const struct leat_model_view *v, struct leat_str entry,
                         struct leat_json_writer *w)
{
    static const char hex[] = "0123456789abcdef";
    char text[LEAT_VERSION_BYTES + 1 + 2 * LEAT_INDEX_KEY_MAX];
    uint32_t n = (uint32_t)strlen(v->version);
    memcpy(text, v->version, n);
    text[n++] = '.';
    for (uint32_t i = 0; i < entry.len; i++) {
        text[n++] = hex[(uint8_t)entry.at[i] >> 4];
        text[n++] = hex[(uint8_t)entry.at[i] & 15];
    }
    leat_json_put_str(w, "cursor", (struct leat_str){text, n});
}

/* ---- the scan ---- */

static leat_status make_bounds(const struct leat_model_view *v, struct leat_env_txn *t,
                               const struct leat_model_range *r, struct bounds *b,
                               struct leat_error *err)
{
    struct leat_column_kinds kinds;
    memset(b, 0, sizeof *b);
    b->by_key = r->index == NULL;
    if (b->by_key) {
        LEAT_TRY(key_bound(r->from, &b->from, err), err, "from");
        LEAT_TRY(key_bound(r->to, &b->to, err), err, "to");
        return read_cursor(v, r->cursor, b, err);
    }
    int no = leat_shape_index(v->shape, leat_str_of(r->index));
    if (no < 0)
        return leat_fail(err, LEAT_INVALID, "the model has no index '%.100s'", r->index);
    b->index = &v->shape->indexes[no];
    b->prefix_len = 1;
    leat_index_key_start(&b->from, (uint8_t)no);
    LEAT_TRY(leat_column_kinds_read(t, &kinds, err), err, "list");
    if (r->from.len > 0)
        LEAT_TRY(encode_bound(b->index, (uint32_t)no, &kinds, r->from, &b->from, err), err, "from");
    if (r->to.len > 0)
        LEAT_TRY(encode_bound(b->index, (uint32_t)no, &kinds, r->to, &b->to, err), err, "to");
    return read_cursor(v, r->cursor, b, err);
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
    struct leat_json_writer w;
};

static leat_status write_entry(struct scan *s, const MDB_val *k, const MDB_val *d,
                               struct leat_error *err)
{
    const struct leat_shape_index *index = s->bounds.index;
    struct leat_str entry = {k->mv_data, (uint32_t)k->mv_size};
    struct leat_str row = {d->mv_data, (uint32_t)d->mv_size};
    if (s->bounds.by_key)
        return leat_model_row_json(s->view, entry, row, &s->w, err);
    struct leat_str row_key;
    if (!leat_index_key_row(entry, index->columns, index->n_columns, &row_key))
        return leat_fail(err, LEAT_FATAL, "index '%.*s' is damaged", LEAT_STR_FMT(index->name));
    LEAT_TRY(leat_env_get(s->txn, LEAT_DB_ROWS, row_key, &row, err), err, "index without row");
    return leat_model_row_json(s->view, row_key, row, &s->w, err);
}

static leat_status run_scan(struct scan *s, int32_t limit, struct leat_error *err)
{
    MDB_val k, d;
    struct leat_index_key last = {.len = 0};
    int32_t n = 0;
    int rc = first_entry(s->cursor, &s->bounds, &k, &d);
    leat_json_begin_object(&s->w);
    leat_json_key(&s->w, LEAT_STR("rows"));
    leat_json_begin_array(&s->w);
    for (; rc == 0 && n < limit && !is_past(&s->bounds, &k); n++) {
        LEAT_TRY(write_entry(s, &k, &d, err), err, "list");
        last.len = (uint32_t)k.mv_size;
        memcpy(last.bytes, k.mv_data, k.mv_size);
        rc = mdb_cursor_get(s->cursor, &k, &d, MDB_NEXT);
    }
    leat_json_end_array(&s->w);
    if (rc == 0 && n == limit && !is_past(&s->bounds, &k)) {
        write_cursor(s->view, (struct leat_str){(const char *)last.bytes, last.len}, &s->w);
    } else {
        leat_json_put_cstr(&s->w, "cursor", NULL);
    }
    leat_json_end_object(&s->w);
    return rc == 0 || rc == MDB_NOTFOUND ? LEAT_OK : leat_env_fail(NULL, rc, err, "list a model");
}

static leat_status list_in_txn(const struct leat_model_view *v, struct leat_env_txn *t,
                               const struct leat_model_range *r, struct leat_buf *out,
                               struct leat_error *err)
{
    struct scan s = {.view = v, .txn = t};
    leat_status status = make_bounds(v, t, r, &s.bounds, err);
    if (status != LEAT_OK)
        return status; /* worded for the asker */
    int rc =
        mdb_cursor_open(t->txn, t->dbi[s.bounds.by_key ? LEAT_DB_ROWS : LEAT_DB_INDEX], &s.cursor);
    if (rc != 0)
        return leat_env_fail(NULL, rc, err, "list a model");
    leat_json_writer_init(&s.w, out);
    status = run_scan(&s, r->limit, err);
    mdb_cursor_close(s.cursor);
    return status;
}

leat_status leat_model_list_in(const struct leat_model_view *v, const struct leat_model_range *r,
                               struct leat_buf *out, struct leat_error *err)
{
    struct leat_env_txn t;
    if (r->limit < 1 || r->limit > LIMIT_MAX)
        return leat_fail(err, LEAT_INVALID, "limit must be 1 to %d", LIMIT_MAX);
    if (r->cursor.len > CURSOR_BYTES_MAX)
        return leat_fail(err, LEAT_INVALID, "the cursor is not one of ours");
    LEAT_TRY(leat_env_read_begin(v->env, &t, err), err, "list");
    leat_status status = list_in_txn(v, &t, r, out, err);
    leat_env_read_end(&t);
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
