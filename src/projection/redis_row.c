#include "projection/redis_row.h"

#include <math.h>
#include <string.h>

#include "base/base64.h"
#include "base/utf8.h"

#define LIST_ITEMS_MAX 4096 /* more than any operation keeps */

leat_status leat_row_names_of(const struct leat_str *fields, uint32_t n, struct leat_arena *arena,
                              struct leat_row_names *ret, struct leat_error *err)
{
    struct leat_row_names names = {.fields = fields, .n = n};
    names.members = leat_arena_zalloc(arena, n + (size_t)1, sizeof *names.members);
    for (uint32_t i = 0; i < n; i++) {
        struct leat_json_writer w;
        struct leat_buf text;
        if (leat_str_eq(fields[i], LEAT_STR(LEAT_REDIS_ROW_OWN))) {
            return leat_fail(err, LEAT_INVALID, "a field of a model in Redis cannot be named '%s'",
                             LEAT_REDIS_ROW_OWN);
        }
        leat_buf_init(&text, (size_t)fields[i].len * 6 + 16);
        leat_json_writer_init(&w, &text);
        leat_json_str(&w, fields[i]);
        leat_buf_putc(&text, ':');
        names.members[i] = leat_arena_copy(arena, leat_buf_str(&text));
        leat_buf_done(&text);
    }
    *ret = names;
    return LEAT_OK;
}

/* ---- writing ---- */

/* Does JSON give it back as it was? */
static bool is_plain(const struct leat_cell *cell)
{
    switch (cell->kind) {
    case LEAT_CELL_NULL:
    case LEAT_CELL_BOOL:
    case LEAT_CELL_INT:
        return true;
    case LEAT_CELL_DOUBLE:
        return isfinite(cell->d);
    case LEAT_CELL_STRING:
        return leat_utf8_valid(cell->s);
    case LEAT_CELL_JSON:
        return cell->s.len > 0 && cell->s.at[0] == '{';
    case LEAT_CELL_BYTES:
        return false;
    case LEAT_CELL_LIST:
        break;
    }
    struct leat_str rest = cell->s;
    struct leat_cell item;
    uint32_t n = 0;
    for (; leat_cell_next(&rest, &item); n++) {
        if (item.kind == LEAT_CELL_LIST || item.kind == LEAT_CELL_JSON || !is_plain(&item))
            return false;
    }
    return n == cell->count && n <= LIST_ITEMS_MAX;
}

static void put_own(const struct leat_row_names *names, const struct leat_cell *cells,
                    const struct leat_row_own *own, struct leat_buf *out)
{
    struct leat_json_writer w;
    struct leat_buf packed, text;
    leat_buf_init(&packed, LEAT_ROW_BYTES_MAX);
    leat_buf_init(&text, (size_t)2 * LEAT_ROW_BYTES_MAX);
    leat_buf_puts(out, "\"" LEAT_REDIS_ROW_OWN "\":");
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    if (own->until_ms > 0)
        leat_json_put_int(&w, "until", own->until_ms);
    if (own->key.len > 0) { /* any bytes: as text they might be others */
        leat_base64_put(&text, own->key);
        leat_json_put_str(&w, "key", leat_buf_str(&text));
    }
    leat_json_key(&w, LEAT_STR("exact"));
    leat_json_begin_object(&w);
    for (uint32_t i = 0; i < names->n; i++) {
        if (is_plain(&cells[i]))
            continue;
        leat_buf_clear(&packed);
        leat_buf_clear(&text);
        leat_cell_put(&cells[i], &packed);
        leat_base64_put(&text, leat_buf_str(&packed));
        leat_json_key(&w, names->fields[i]);
        leat_json_str(&w, leat_buf_str(&text));
    }
    leat_json_end_object(&w);
    leat_json_end_object(&w);
    out->overflow = out->overflow || packed.overflow || text.overflow;
    leat_buf_done(&packed);
    leat_buf_done(&text);
}

void leat_row_text(const struct leat_row_names *names, const struct leat_cell *cells,
                   const struct leat_row_own *own, struct leat_buf *out)
{
    struct leat_json_writer w;
    bool plain = own->key.len == 0 && own->until_ms == 0;
    for (uint32_t i = 0; i < names->n && plain; i++)
        plain = is_plain(&cells[i]);
    leat_buf_putc(out, '{');
    if (!plain)
        put_own(names, cells, own, out);
    for (uint32_t i = 0; i < names->n; i++) {
        if (i > 0 || !plain)
            leat_buf_putc(out, ',');
        leat_buf_put(out, names->members[i].at, names->members[i].len);
        leat_json_writer_init(&w, out); /* each value on its own: the writer need not know names */
        leat_cell_json(&cells[i], &w);
    }
    leat_buf_putc(out, '}');
}

/* ---- reading ---- */

struct reading {
    const struct leat_row_names *names;
    struct leat_json_reader in;
    struct leat_arena *arena;
    struct leat_cell *cells;
    bool exact[LEAT_ROW_FIELDS_MAX]; /* told by the member _leat */
    struct leat_row_own own;
};

/* Members come in the declared order: `guess` is nearly always right. -1: no such field. */
static int32_t field_of(const struct reading *r, const struct leat_json_token *name, uint32_t guess)
{
    if (guess < r->names->n && leat_json_token_is(name, r->names->fields[guess]))
        return (int32_t)guess;
    for (uint32_t i = 0; i < r->names->n; i++) {
        if (leat_json_token_is(name, r->names->fields[i]))
            return (int32_t)i;
    }
    return -1;
}

static bool scalar(const struct reading *r, const struct leat_json_token *t, struct leat_cell *ret)
{
    *ret = (struct leat_cell){.kind = LEAT_CELL_NULL};
    switch (t->kind) {
    case LEAT_JSON_STRING:
        ret->kind = LEAT_CELL_STRING;
        ret->s = leat_json_unescape(t, r->arena);
        return true;
    case LEAT_JSON_INT:
        ret->kind = LEAT_CELL_INT;
        ret->i = t->integer;
        return true;
    case LEAT_JSON_DOUBLE:
        ret->kind = LEAT_CELL_DOUBLE;
        ret->d = t->number;
        return true;
    case LEAT_JSON_BOOL:
        ret->kind = LEAT_CELL_BOOL;
        ret->b = t->boolean;
        return true;
    case LEAT_JSON_NULL:
        return true;
    case LEAT_JSON_END:
    case LEAT_JSON_OBJECT_BEGIN:
    case LEAT_JSON_OBJECT_END:
    case LEAT_JSON_ARRAY_BEGIN:
    case LEAT_JSON_ARRAY_END:
    case LEAT_JSON_KEY:
        break;
    }
    return false;
}

/* Behind the '[' of a list of scalars. */
static leat_status read_list(struct reading *r, struct leat_cell *ret, struct leat_error *err)
{
    struct leat_buf packed;
    struct leat_json_token t;
    struct leat_cell item;
    uint32_t count = 0;
    leat_buf_init(&packed, LEAT_ROW_BYTES_MAX);
    leat_status status = LEAT_OK;
    while ((status = leat_json_next(&r->in, &t, err)) == LEAT_OK && t.kind != LEAT_JSON_ARRAY_END) {
        if (!scalar(r, &t, &item)) {
            status = leat_fail(err, LEAT_POISON, "a list of the row holds more than scalars");
            break;
        }
        leat_cell_put(&item, &packed);
        count++;
    }
    *ret = (struct leat_cell){.kind = LEAT_CELL_LIST,
                              .count = count,
                              .s = leat_arena_copy(r->arena, leat_buf_str(&packed))};
    leat_buf_done(&packed);
    return status;
}

/* Behind the '{' of a value: the text of the whole object. */
static leat_status read_object(struct reading *r, const struct leat_json_token *begin,
                               struct leat_cell *ret, struct leat_error *err)
{
    struct leat_json_token t;
    for (int depth = 1; depth > 0;) {
        LEAT_TRY(leat_json_next(&r->in, &t, err), err, "object");
        depth += t.kind == LEAT_JSON_OBJECT_BEGIN || t.kind == LEAT_JSON_ARRAY_BEGIN;
        depth -= t.kind == LEAT_JSON_OBJECT_END || t.kind == LEAT_JSON_ARRAY_END;
    }
    const char *from = r->in.start + begin->offset;
    *ret = (struct leat_cell){.kind = LEAT_CELL_JSON, .s = {from, (uint32_t)(r->in.at - from)}};
    return LEAT_OK;
}

static leat_status read_value(struct reading *r, int32_t field, struct leat_error *err)
{
    struct leat_json_token t;
    struct leat_cell cell = {.kind = LEAT_CELL_NULL};
    if (field < 0 || r->exact[field]) /* a field of an older declaration, or known better */
        return leat_json_skip(&r->in, NULL, err);
    LEAT_TRY(leat_json_next(&r->in, &t, err), err, "value");
    if (t.kind == LEAT_JSON_ARRAY_BEGIN) {
        LEAT_TRY(read_list(r, &cell, err), err, "value");
    } else if (t.kind == LEAT_JSON_OBJECT_BEGIN) {
        LEAT_TRY(read_object(r, &t, &cell, err), err, "value");
    } else if (!scalar(r, &t, &cell)) {
        return leat_fail(err, LEAT_POISON, "the row lacks a value");
    }
    r->cells[field] = cell;
    return LEAT_OK;
}

static leat_status read_exact(struct reading *r, struct leat_str text, struct leat_error *err)
{
    struct leat_json_reader in;
    struct leat_json_token name, value;
    leat_json_reader_init(&in, text);
    LEAT_TRY(leat_json_next(&in, &name, err), err, "exact");
    while (name.kind != LEAT_JSON_OBJECT_END) {
        LEAT_TRY(leat_json_next(&in, &name, err), err, "exact");
        if (name.kind != LEAT_JSON_KEY)
            break;
        int32_t field = field_of(r, &name, 0);
        LEAT_TRY(leat_json_next(&in, &value, err), err, "exact");
        struct leat_str packed = {NULL, 0};
        if (field < 0)
            continue;
        if (value.kind != LEAT_JSON_STRING ||
            !leat_base64_read(leat_json_unescape(&value, r->arena), r->arena, &packed) ||
            !leat_cell_next(&packed, &r->cells[field]))
            return leat_fail(err, LEAT_POISON, "an exact value of the row is damaged");
        r->exact[field] = true;
    }
    return LEAT_OK;
}

static leat_status read_own(struct reading *r, struct leat_error *err)
{
    struct leat_str text, exact;
    struct leat_json_token t;
    LEAT_TRY(leat_json_skip(&r->in, &text, err), err, LEAT_REDIS_ROW_OWN);
    leat_status status = leat_json_find(text, LEAT_STR("key"), &t, NULL, err);
    if (status == LEAT_OK &&
        (t.kind != LEAT_JSON_STRING ||
         !leat_base64_read(leat_json_unescape(&t, r->arena), r->arena, &r->own.key)))
        return leat_fail(err, LEAT_POISON, "the key in the row is damaged");
    if (status != LEAT_OK && status != LEAT_ABSENT)
        return status;
    status = leat_json_find(text, LEAT_STR("until"), &t, NULL, err);
    if (status == LEAT_OK && t.kind != LEAT_JSON_INT)
        return leat_fail(err, LEAT_POISON, "the end of the row is damaged");
    if (status == LEAT_OK)
        r->own.until_ms = t.integer;
    if (status != LEAT_OK && status != LEAT_ABSENT)
        return status;
    status = leat_json_find(text, LEAT_STR("exact"), &t, &exact, err);
    if (status == LEAT_OK && t.kind == LEAT_JSON_OBJECT_BEGIN)
        status = read_exact(r, exact, err);
    return status == LEAT_ABSENT ? LEAT_OK : status;
}

leat_status leat_row_of_text(const struct leat_row_names *names, struct leat_str text,
                             struct leat_arena *arena, struct leat_cell *cells,
                             struct leat_row_own *ret_own, struct leat_error *err)
{
    struct reading r = {.names = names, .arena = arena, .cells = cells};
    struct leat_json_token t;
    leat_assert(names->n <= LEAT_ROW_FIELDS_MAX);
    for (uint32_t i = 0; i < names->n; i++)
        cells[i] = (struct leat_cell){.kind = LEAT_CELL_NULL};
    leat_json_reader_init(&r.in, text);
    LEAT_TRY(leat_json_next(&r.in, &t, err), err, "row");
    if (t.kind != LEAT_JSON_OBJECT_BEGIN)
        return leat_fail(err, LEAT_POISON, "the row is no JSON object");
    for (uint32_t guess = 0;; guess++) {
        LEAT_TRY(leat_json_next(&r.in, &t, err), err, "row");
        if (t.kind != LEAT_JSON_KEY)
            break;
        if (leat_json_token_is(&t, LEAT_STR(LEAT_REDIS_ROW_OWN))) {
            LEAT_TRY(read_own(&r, err), err, "row");
            guess--;
            continue;
        }
        int32_t field = field_of(&r, &t, guess);
        LEAT_TRY(read_value(&r, field, err), err, "row");
        guess = field < 0 ? guess - 1 : (uint32_t)field;
    }
    if (ret_own != NULL)
        *ret_own = r.own;
    return LEAT_OK;
}
