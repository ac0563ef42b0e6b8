#include "cli/import_fields.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/suggest.h"
#include "base/units.h"
#include "base/utf8.h"
#include "cli/import_schema.h"
#include "cli/test_time.h"

#define SHOWN_BYTES 40 /* of a value in a reason */

struct leat_import_plan {
    struct leat_import_plan_options o;
    struct leat_arena *arena;
    struct leat_import_field *fields;
    uint32_t field_count;
    struct leat_str *columns; /* names; CSV only */
    int32_t *field_of;        /* by column; -1 = not imported */
    size_t column_count;
    struct leat_str *values; /* by field, of the last row: text, or JSON in a JSONL import */
    int32_t key;             /* field; -1 = none */
    int32_t ids[LEAT_IMPORT_IDS_MAX];
    struct leat_uuid space; /* of the command's type */
};

/* Namespace of all ids made by imports. */
static const struct leat_uuid import_space = {{0x9b, 0x1d, 0x6e, 0x52, 0x0c, 0x7f, 0x4a, 0x35, 0x8e,
                                               0x21, 0x5d, 0xd0, 0x3a, 0xc4, 0x77, 0xe8}};

static bool refuse(struct leat_import_refusal *why, const char *code, const char *fmt, ...)
    LEAT_PRINTF(3, 4);
static bool refuse(struct leat_import_refusal *why, const char *code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why->reason, sizeof why->reason, fmt, args);
    va_end(args);
    why->code = code;
    return false;
}

/* The beginning of a value, cut between characters. */
static struct leat_str shown(struct leat_str s)
{
    if (s.len <= SHOWN_BYTES)
        return s;
    s.len = SHOWN_BYTES;
    while (s.len > 0 && ((uint8_t)s.at[s.len] & 0xc0) == 0x80)
        s.len--;
    return s;
}

static struct leat_str trimmed(struct leat_str s)
{
    while (s.len > 0 &&
           (s.at[s.len - 1] == ' ' || (s.at[s.len - 1] >= '\t' && s.at[s.len - 1] <= '\r')))
        s.len--;
    while (s.len > 0 && (s.at[0] == ' ' || (s.at[0] >= '\t' && s.at[0] <= '\r'))) {
        s.at++;
        s.len--;
    }
    return s;
}

static int32_t find_field(const struct leat_import_plan *p, struct leat_str name)
{
    for (uint32_t i = 0; i < p->field_count; i++) {
        if (leat_str_eq(p->fields[i].name, name))
            return (int32_t)i;
    }
    return -1;
}

static struct leat_str mapped(const struct leat_import_plan *p, struct leat_str column)
{
    for (uint32_t i = 0; i < p->o.map_count; i++) {
        if (leat_str_eq(p->o.maps[i].column, column))
            return p->o.maps[i].field;
    }
    return column;
}

static struct leat_str nearest(const struct leat_import_plan *p, struct leat_str name)
{
    struct leat_suggest s;
    leat_suggest_start(&s, name);
    for (uint32_t i = 0; i < p->field_count; i++)
        leat_suggest_offer(&s, p->fields[i].name);
    return s.best;
}

static leat_status unknown(const struct leat_import_plan *p, const char *what, struct leat_str name,
                           struct leat_error *err)
{
    struct leat_str best = nearest(p, name);
    (void)leat_fail(err, LEAT_INVALID, "%s: %.*s has no field '%.*s'", what,
                    LEAT_STR_FMT(p->o.type), LEAT_STR_FMT(shown(name)));
    if (best.len > 0)
        leat_error_hint(err, "Did you mean '%.*s'?", LEAT_STR_FMT(best));
    return LEAT_INVALID;
}

static leat_status check_options(struct leat_import_plan *p, struct leat_error *err)
{
    for (uint32_t i = 0; i < p->o.map_count; i++) {
        if (find_field(p, p->o.maps[i].field) < 0)
            return unknown(p, "--map", p->o.maps[i].field, err);
    }
    if (p->o.id_count > LEAT_IMPORT_IDS_MAX)
        return leat_fail(err, LEAT_INVALID, "--id-from: at most %d fields", LEAT_IMPORT_IDS_MAX);
    for (uint32_t i = 0; i < p->o.id_count; i++) {
        p->ids[i] = find_field(p, p->o.ids[i]);
        if (p->ids[i] < 0)
            return unknown(p, "--id-from", p->o.ids[i], err);
    }
    return LEAT_OK;
}

leat_status leat_import_plan_new(const struct leat_import_plan_options *o,
                                 struct leat_import_plan **ret, struct leat_error *err)
{
    struct leat_import_plan *p = calloc(1, sizeof *p);
    if (p == NULL)
        return leat_fail(err, LEAT_FATAL, "out of memory");
    p->o = *o;
    p->arena = leat_arena_new(16384, 16384);
    p->space = leat_uuid_v5(&import_space, o->type.at, o->type.len);
    leat_status status =
        leat_import_schema_fields(o->schema, p->arena, &p->fields, &p->field_count, err);
    if (status == LEAT_OK) {
        p->key = o->key.len == 0 ? -1 : find_field(p, o->key);
        p->values = leat_arena_zalloc(p->arena, p->field_count, sizeof *p->values);
        status = check_options(p, err);
    }
    if (status != LEAT_OK) {
        leat_import_plan_free(p);
        return status;
    }
    *ret = p;
    return LEAT_OK;
}

void leat_import_plan_free(struct leat_import_plan *p)
{
    if (p == NULL)
        return;
    leat_arena_free(p->arena);
    free(p);
}

/* Every field that must be given has a column. */
static leat_status check_columns(const struct leat_import_plan *p, const bool *given,
                                 struct leat_error *err)
{
    for (uint32_t i = 0; i < p->field_count; i++) {
        const struct leat_import_field *f = &p->fields[i];
        bool needed = (int32_t)i == p->key || (!f->has_default && !f->nullable);
        for (uint32_t id = 0; id < p->o.id_count; id++)
            needed = needed || p->ids[id] == (int32_t)i;
        if (!needed || given[i])
            continue;
        (void)leat_fail(err, LEAT_INVALID, "no column for the field '%.*s' of %.*s",
                        LEAT_STR_FMT(f->name), LEAT_STR_FMT(p->o.type));
        leat_error_hint(err, "Say which one with --map <column>=%.*s.", LEAT_STR_FMT(f->name));
        return LEAT_INVALID;
    }
    return LEAT_OK;
}

leat_status leat_import_plan_header(struct leat_import_plan *p, const struct leat_csv_row *header,
                                    struct leat_error *err)
{
    if (header->problem != LEAT_CSV_FINE) {
        return leat_fail(err, LEAT_INVALID, "line %jd: the header cannot be read as CSV",
                         (intmax_t)header->line);
    }
    bool *given = leat_arena_zalloc(p->arena, p->field_count, sizeof *given);
    p->column_count = header->n;
    p->columns = leat_arena_zalloc(p->arena, header->n, sizeof *p->columns);
    p->field_of = leat_arena_zalloc(p->arena, header->n, sizeof *p->field_of);
    for (size_t c = 0; c < header->n; c++) {
        p->columns[c] = leat_arena_copy(p->arena, trimmed(header->fields[c]));
        struct leat_str name = mapped(p, p->columns[c]);
        int32_t field = find_field(p, name);
        if (field < 0 && !p->o.ignore_unknown) {
            leat_status status = unknown(p, "header", name, err);
            if (err != NULL && err->hint[0] == '\0') {
                leat_error_hint(err, "--map <column>=<field> renames it, --ignore-unknown leaves "
                                     "such columns out.");
            }
            return status;
        }
        if (field >= 0 && given[field]) {
            return leat_fail(err, LEAT_INVALID, "header: two columns for the field '%.*s'",
                             LEAT_STR_FMT(name));
        }
        if (field >= 0)
            given[field] = true;
        p->field_of[c] = field;
    }
    return check_columns(p, given, err);
}

/* ---- one value ---- */

struct value {
    const struct leat_import_field *field;
    struct leat_str column, text;
    struct leat_json_writer *w;
    struct leat_import_refusal *why;
};

static bool misfit(const struct value *v, const char *what)
{
    return refuse(v->why, "type", "column %.*s: '%.*s' %s", LEAT_STR_FMT(shown(v->column)),
                  LEAT_STR_FMT(shown(v->text)), what);
}

static bool put_time(const struct value *v)
{
    int64_t n = 0;
    if (v->field->date) {
        if (!leat_parse_date(v->text, &n))
            return misfit(v, "is no date, like 2026-03-01 or a number of days since 1970");
        leat_json_int(v->w, n);
        return true;
    }
    if (!leat_parse_time(v->text, &n))
        return misfit(v, "is no time, like 2026-03-01T10:00:00Z or a number since 1970");
    leat_json_int(v->w, n * v->field->per_ms);
    return true;
}

static bool put_integer(const struct value *v)
{
    int64_t n = 0;
    leat_units how = leat_parse_int(v->text, &n);
    if (how != LEAT_UNITS_OK && how != LEAT_UNITS_TOO_LARGE) {
        if (v->field->date || v->field->per_ms > 0)
            return put_time(v);
        return misfit(v, "is no whole number");
    }
    bool small = v->field->kind == LEAT_IMPORT_INT;
    if (how == LEAT_UNITS_TOO_LARGE || (small && (n < INT32_MIN || n > INT32_MAX)))
        return misfit(v, small ? "does not fit 32 bits" : "does not fit 64 bits");
    leat_json_int(v->w, n);
    return true;
}

static bool put_number(const struct value *v)
{
    struct leat_json_reader r;
    struct leat_json_token t, end;
    leat_json_reader_init(&r, v->text);
    if (leat_json_next(&r, &t, NULL) != LEAT_OK ||
        (t.kind != LEAT_JSON_INT && t.kind != LEAT_JSON_DOUBLE) ||
        leat_json_next(&r, &end, NULL) != LEAT_OK || end.kind != LEAT_JSON_END)
        return misfit(v, "is no number");
    leat_json_raw(v->w, v->text);
    return true;
}

static bool put_bool(const struct value *v)
{
    static const char *const words[][2] = {{"false", "true"}, {"no", "yes"}, {"0", "1"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        for (int yes = 0; yes < 2; yes++) {
            if (v->text.len == strlen(words[i][yes]) &&
                strncasecmp(v->text.at, words[i][yes], v->text.len) == 0) {
                leat_json_bool(v->w, yes == 1);
                return true;
            }
        }
    }
    return misfit(v, "is neither true nor false");
}

static bool put_enum(const struct value *v)
{
    struct leat_suggest s;
    leat_suggest_start(&s, v->text);
    for (uint32_t i = 0; i < v->field->symbol_count; i++) {
        if (leat_str_eq(v->text, v->field->symbols[i])) {
            leat_json_str(v->w, v->text);
            return true;
        }
        leat_suggest_offer(&s, v->field->symbols[i]);
    }
    char what[120] = "is none of the values allowed";
    if (s.best.len > 0) {
        (void)snprintf(what, sizeof what, "is none of the values allowed (did you mean '%.*s'?)",
                       LEAT_STR_FMT(shown(s.best)));
    }
    return misfit(v, what);
}

static bool put_json(const struct value *v)
{
    struct leat_json_reader r;
    struct leat_json_token end;
    leat_json_reader_init(&r, v->text);
    if (leat_json_skip(&r, NULL, NULL) != LEAT_OK || leat_json_next(&r, &end, NULL) != LEAT_OK ||
        end.kind != LEAT_JSON_END)
        return misfit(v, "is not JSON");
    leat_json_raw(v->w, v->text);
    return true;
}

static bool put_value(const struct value *v)
{
    const struct leat_import_field *f = v->field;
    if (v->text.len == 0) {
        if (f->has_default)
            return true;
        if (!f->nullable && f->kind != LEAT_IMPORT_STRING)
            return misfit(v, "is empty, but a value is needed");
    }
    leat_json_key(v->w, f->name);
    if (v->text.len == 0 && f->nullable) {
        leat_json_null(v->w);
        return true;
    }
    switch (f->kind) {
    case LEAT_IMPORT_STRING:
        leat_json_str(v->w, v->text);
        return true;
    case LEAT_IMPORT_INT:
    case LEAT_IMPORT_LONG:
        return put_integer(v);
    case LEAT_IMPORT_DOUBLE:
        return put_number(v);
    case LEAT_IMPORT_BOOL:
        return put_bool(v);
    case LEAT_IMPORT_ENUM:
        return put_enum(v);
    case LEAT_IMPORT_JSON:
        return put_json(v);
    }
    return false;
}

/* ---- one row ---- */

/* "column price", or "field 3" where the header has no such. */
static const char *place_of(const struct leat_import_plan *p, uint32_t field, char to[80])
{
    if (field >= p->column_count) {
        (void)snprintf(to, 80, "field %u", field + 1);
    } else {
        (void)snprintf(to, 80, "column %.*s", LEAT_STR_FMT(shown(p->columns[field])));
    }
    return to;
}

static bool broken_row(const struct leat_import_plan *p, const struct leat_csv_row *row,
                       struct leat_import_refusal *why)
{
    char room[80];
    const char *place = place_of(p, row->problem_field, room);
    switch (row->problem) {
    case LEAT_CSV_AFTER_QUOTE:
        return refuse(why, "quote", "%s: text after a closing quote", place);
    case LEAT_CSV_UNCLOSED:
        return refuse(why, "quote", "%s: a quote that is never closed", place);
    case LEAT_CSV_FIELD_TOO_LONG:
        return refuse(why, "too-long", "%s: longer than %d bytes, or a quote never closed", place,
                      LEAT_CSV_FIELD_BYTES_MAX);
    case LEAT_CSV_ROW_TOO_LONG:
        return refuse(why, "too-long", "longer than %d bytes", LEAT_CSV_ROW_BYTES_MAX);
    case LEAT_CSV_TOO_MANY_FIELDS:
        return refuse(why, "columns", "more than %d fields", LEAT_CSV_FIELDS_MAX);
    case LEAT_CSV_FINE:
        break;
    }
    return true;
}

/* The column of a field; false in a JSONL import, or when no column goes there. */
static bool column_of(const struct leat_import_plan *p, int32_t field, struct leat_str *ret)
{
    for (size_t c = 0; c < p->column_count; c++) {
        if (p->field_of[c] == field) {
            *ret = p->columns[c];
            return true;
        }
    }
    return false;
}

bool leat_import_plan_nested(const struct leat_import_plan *p)
{
    for (uint32_t i = 0; i < p->field_count; i++) {
        if (p->fields[i].kind == LEAT_IMPORT_JSON)
            return true;
    }
    return false;
}

bool leat_import_column(const struct leat_import_plan *p, struct leat_str field,
                        struct leat_str *ret)
{
    return column_of(p, find_field(p, field), ret);
}

static bool key_given(const struct leat_import_plan *p, struct leat_import_refusal *why)
{
    struct leat_str column;
    if (p->key < 0 || p->values[p->key].len > 0)
        return true;
    if (column_of(p, p->key, &column))
        return refuse(why, "key", "column %.*s: empty, but it is the key",
                      LEAT_STR_FMT(shown(column)));
    return refuse(why, "key", "%.*s is empty, but it is the key",
                  LEAT_STR_FMT(p->fields[p->key].name));
}

static bool csv_row(struct leat_import_plan *p, const struct leat_csv_row *row,
                    struct leat_json_writer *w, struct leat_import_refusal *why)
{
    if (row->n < p->column_count)
        return refuse(why, "columns", "%zu fields, the header has %zu: none for column %.*s",
                      row->n, p->column_count, LEAT_STR_FMT(shown(p->columns[row->n])));
    if (row->n > p->column_count)
        return refuse(why, "columns", "%zu fields, the header has %zu: no column for '%.*s'",
                      row->n, p->column_count, LEAT_STR_FMT(shown(row->fields[p->column_count])));
    leat_json_begin_object(w);
    for (size_t c = 0; c < row->n; c++) {
        if (p->field_of[c] < 0)
            continue;
        struct leat_str text = p->o.keep_spaces ? row->fields[c] : trimmed(row->fields[c]);
        if (!leat_utf8_valid(text)) {
            return refuse(why, "utf8", "column %.*s: not UTF-8",
                          LEAT_STR_FMT(shown(p->columns[c])));
        }
        p->values[p->field_of[c]] = text;
        const struct value v = {&p->fields[p->field_of[c]], p->columns[c], text, w, why};
        if (!put_value(&v))
            return false;
    }
    leat_json_end_object(w);
    return key_given(p, why);
}

/* A string without its quotes, null as nothing, anything else as it stands. */
static struct leat_str plain_text(struct leat_str raw)
{
    if (raw.len >= 2 && raw.at[0] == '"')
        return (struct leat_str){raw.at + 1, raw.len - 2};
    return leat_str_eq(raw, LEAT_STR("null")) ? LEAT_STR("") : raw;
}

/* One member of a JSONL object. */
static bool json_member(struct leat_import_plan *p, struct leat_str name, struct leat_str raw,
                        struct leat_json_writer *w, struct leat_import_refusal *why)
{
    name = mapped(p, name);
    int32_t field = find_field(p, name);
    if (field < 0 && p->o.ignore_unknown)
        return true;
    if (field < 0) {
        struct leat_str best = nearest(p, name);
        return refuse(why, "field",
                      best.len > 0 ? "unknown field '%.*s' (did you mean '%.*s'?)"
                                   : "unknown field '%.*s'%.*s",
                      LEAT_STR_FMT(shown(name)), LEAT_STR_FMT(shown(best)));
    }
    p->values[field] = plain_text(raw);
    leat_json_key(w, name);
    leat_json_raw(w, raw);
    return true;
}

static bool json_row(struct leat_import_plan *p, const struct leat_csv_row *row,
                     struct leat_json_writer *w, struct leat_import_refusal *why)
{
    struct leat_error err = {0};
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, row->raw);
    if (leat_json_next(&r, &t, &err) != LEAT_OK)
        return refuse(why, "json", "%s", err.msg);
    if (t.kind != LEAT_JSON_OBJECT_BEGIN)
        return refuse(why, "json", "not a JSON object");
    leat_json_begin_object(w);
    for (;;) {
        if (leat_json_next(&r, &t, &err) != LEAT_OK)
            return refuse(why, "json", "%s", err.msg);
        if (t.kind != LEAT_JSON_KEY)
            break;
        struct leat_str raw = {0};
        if (leat_json_skip(&r, &raw, &err) != LEAT_OK)
            return refuse(why, "json", "%s", err.msg);
        if (!json_member(p, t.text, raw, w, why))
            return false;
    }
    if (leat_json_next(&r, &t, &err) != LEAT_OK)
        return refuse(why, "json", "%s", err.msg);
    leat_json_end_object(w);
    return key_given(p, why);
}

bool leat_import_row(struct leat_import_plan *p, const struct leat_csv_row *row,
                     struct leat_buf *json, struct leat_import_refusal *why)
{
    if (!broken_row(p, row, why))
        return false;
    struct leat_json_writer w;
    leat_buf_clear(json);
    leat_json_writer_init(&w, json);
    memset(p->values, 0, p->field_count * sizeof *p->values);
    bool good = row->n > 0 ? csv_row(p, row, &w, why) : json_row(p, row, &w, why);
    if (good && json->overflow)
        return refuse(why, "too-long", "longer than %zu bytes as a command", json->max);
    return good;
}

struct leat_uuid leat_import_row_id(const struct leat_import_plan *p)
{
    struct leat_uuid id = p->space;
    if (p->o.id_count == 1 && leat_uuid_parse(p->values[p->ids[0]], &id))
        return id;
    for (uint32_t i = 0; i < p->o.id_count; i++) {
        struct leat_str value = p->values[p->ids[i]];
        struct leat_uuid space = id;
        id = leat_uuid_v5(&space, value.len == 0 ? "" : value.at, value.len);
    }
    return id;
}
