#include "query/dead_lines.h"

#include <stddef.h>

#include "base/base64.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/suggest.h"
#include "base/utf8.h"
#include "query/filters.h"

typedef enum field_kind {
    TEXT,
    NOTE, /* text or null */
    INT32,
    INT64,
    BYTES,
    BYTES_OR_NULL,
    HASH, /* 32 bytes in hexadecimal */
    ID,
} field_kind;

#define AT(field) offsetof(struct leat_dead_row, field)
static const struct field {
    const char *name;
    field_kind kind;
    size_t offset, null; /* null: of the flag of BYTES_OR_NULL */
} fields[] = {
    {"processor", TEXT, AT(processor), 0},
    {"slice", INT32, AT(slice), 0},
    {"id", ID, AT(id), 0},
    {"key", BYTES_OR_NULL, AT(key), AT(key_null)},
    {"type", TEXT, AT(type), 0},
    {"priority", TEXT, AT(priority), 0},
    {"source", TEXT, AT(source), 0},
    {"topic", TEXT, AT(topic), 0},
    {"partition", INT32, AT(partition), 0},
    {"offset", INT64, AT(offset), 0},
    {"event_seq", INT64, AT(event_seq), 0},
    {"class", TEXT, AT(class), 0},
    {"code", TEXT, AT(code), 0},
    {"message", TEXT, AT(message), 0},
    {"attempts", INT32, AT(attempts), 0},
    {"first_at_us", INT64, AT(first_at_us), 0},
    {"last_at_us", INT64, AT(last_at_us), 0},
    {"changed_at_us", INT64, AT(changed_at_us), 0},
    {"handler_version", INT32, AT(handler_version), 0},
    {"headers", BYTES, AT(headers), 0},
    {"value", BYTES_OR_NULL, AT(value), AT(value_null)},
    {"value_bytes", INT64, AT(value_bytes), 0},
    {"value_sha256", HASH, AT(value_sha256), 0},
    {"state", TEXT, AT(state), 0},
    {"redrives", INT32, AT(redrives), 0},
    {"note", NOTE, AT(note), 0},
};
#define FIELDS (sizeof fields / sizeof *fields)
static const char for_people[] = "decoded";

/* ---- writing ---- */

static const char hex_digits[] = "0123456789abcdef";

static void put_base64(struct leat_json_writer *w, struct leat_str bytes)
{
    struct leat_buf text;
    leat_buf_init(&text, LEAT_DEAD_LINE_MAX);
    leat_base64_put(&text, bytes);
    leat_json_str(w, leat_buf_str(&text));
    leat_buf_done(&text);
}

static void put_hash(struct leat_json_writer *w, struct leat_str bytes)
{
    char text[64];
    uint32_t n = 0;
    for (uint32_t i = 0; i < bytes.len && n + 2 <= sizeof text; i++) {
        text[n++] = hex_digits[(uint8_t)bytes.at[i] >> 4];
        text[n++] = hex_digits[(uint8_t)bytes.at[i] & 15];
    }
    leat_json_str(w, (struct leat_str){text, n});
}

static void put_field(const struct field *f, const struct leat_dead_row *d,
                      struct leat_json_writer *w)
{
    const char *row = (const char *)d;
    struct leat_str s = {0};
    int32_t i32 = 0;
    int64_t i64 = 0;
    struct leat_uuid id;
    char text[LEAT_UUID_TEXT];
    if (f->kind != INT32 && f->kind != INT64 && f->kind != ID)
        memcpy(&s, row + f->offset, sizeof s);
    leat_json_key(w, leat_str_of(f->name));
    switch (f->kind) {
    case INT32:
        memcpy(&i32, row + f->offset, sizeof i32);
        leat_json_int(w, i32);
        return;
    case INT64:
        memcpy(&i64, row + f->offset, sizeof i64);
        leat_json_int(w, i64);
        return;
    case ID:
        memcpy(&id, row + f->offset, sizeof id);
        leat_uuid_format(&id, text);
        leat_json_cstr(w, text);
        return;
    case HASH:
        put_hash(w, s);
        return;
    case NOTE:
    case TEXT:
        if (f->kind == NOTE && s.len == 0)
            leat_json_null(w);
        else
            leat_json_str(w, s);
        return;
    case BYTES_OR_NULL:
        if (row[f->null] != 0) {
            leat_json_null(w);
            return;
        }
        break;
    case BYTES:
        break;
    }
    put_base64(w, s);
}

void leat_dead_line_put(const struct leat_schemas *schemas, const struct leat_dead_row *d,
                        struct leat_buf *out)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    for (size_t i = 0; i < FIELDS; i++)
        put_field(&fields[i], d, &w);
    leat_json_key(&w, LEAT_STR(for_people));
    leat_json_begin_object(&w);
    if (!d->key_null && leat_utf8_valid(d->key))
        leat_json_put_str(&w, "key", d->key);
    leat_record_json(schemas, d->headers, d->value_null ? NULL : &d->value, &w);
    leat_json_end_object(&w);
    leat_json_end_object(&w);
    leat_buf_putc(out, '\n');
}

/* ---- reading ---- */

static leat_status wrong(const struct field *f, const char *what, struct leat_error *err)
{
    return leat_fail(err, LEAT_INVALID, "'%s' must be %s", f->name, what);
}

static bool read_hash(struct leat_str text, struct leat_arena *arena, struct leat_str *ret)
{
    char *to = leat_arena_alloc(arena, 32);
    if (text.len != 64)
        return false;
    for (uint32_t i = 0; i < 64; i++) {
        const char *digit = text.at[i] == 0 ? NULL : strchr(hex_digits, text.at[i]);
        if (digit == NULL)
            return false;
        int v = (int)(digit - hex_digits);
        to[i / 2] = (char)(i % 2 == 0 ? v << 4 : (uint8_t)to[i / 2] | v);
    }
    *ret = (struct leat_str){to, 32};
    return true;
}

static leat_status read_number(const struct field *f, const struct leat_json_token *t, char *row,
                               struct leat_error *err)
{
    bool small = f->kind == INT32;
    if (t->kind != LEAT_JSON_INT || t->integer < 0 || (small && t->integer > INT32_MAX))
        return wrong(f, small ? "a whole number of 31 bits" : "a whole number", err);
    if (small)
        memcpy(row + f->offset, &(int32_t){(int32_t)t->integer}, sizeof(int32_t));
    else
        memcpy(row + f->offset, &t->integer, sizeof t->integer);
    return LEAT_OK;
}

static leat_status read_field(const struct field *f, const struct leat_json_token *t,
                              struct leat_arena *arena, char *row, struct leat_error *err)
{
    if (f->kind == INT32 || f->kind == INT64)
        return read_number(f, t, row, err);
    bool may_be_null = f->kind == NOTE || f->kind == BYTES_OR_NULL;
    if (t->kind == LEAT_JSON_NULL && may_be_null) {
        if (f->kind == BYTES_OR_NULL)
            row[f->null] = 1;
        return LEAT_OK;
    }
    if (t->kind != LEAT_JSON_STRING)
        return wrong(f, may_be_null ? "a text or null" : "a text", err);
    struct leat_str s = leat_json_unescape(t, arena), bytes = s;
    struct leat_uuid id;
    switch (f->kind) {
    case ID:
        if (!leat_uuid_parse(s, &id))
            return wrong(f, "a UUID", err);
        memcpy(row + f->offset, &id, sizeof id);
        return LEAT_OK;
    case HASH:
        if (!read_hash(s, arena, &bytes))
            return wrong(f, "64 hexadecimal digits", err);
        break;
    case BYTES:
    case BYTES_OR_NULL:
        if (!leat_base64_read(s, arena, &bytes))
            return wrong(f, "base64", err);
        break;
    case TEXT:
    case NOTE:
    case INT32:
    case INT64:
        break;
    }
    memcpy(row + f->offset, &bytes, sizeof bytes);
    return LEAT_OK;
}

static const struct field *find_field(struct leat_str name, struct leat_suggest *near)
{
    leat_suggest_start(near, name);
    for (size_t i = 0; i < FIELDS; i++) {
        if (leat_str_eq(name, leat_str_of(fields[i].name)))
            return &fields[i];
        leat_suggest_offer_cstr(near, fields[i].name);
    }
    return NULL;
}

static leat_status unknown(const struct leat_suggest *near, struct leat_error *err)
{
    struct leat_str name = near->wrong;
    (void)leat_fail(err, LEAT_INVALID, "there is no field '%.*s'",
                    (int)(name.len < 100 ? name.len : 100), name.at);
    if (near->best.len > 0)
        leat_error_hint(err, "Did you mean '%.*s'?", LEAT_STR_FMT(near->best));
    return LEAT_INVALID;
}

static leat_status read_members(struct leat_str line, struct leat_arena *arena, char *row,
                                uint32_t *ret_seen, struct leat_error *err)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    struct leat_suggest near;
    leat_json_reader_init(&r, line);
    LEAT_TRY(leat_json_next(&r, &t, err), err, "not JSON");
    if (t.kind != LEAT_JSON_OBJECT_BEGIN)
        return leat_fail(err, LEAT_INVALID, "not a JSON object");
    for (;;) {
        LEAT_TRY(leat_json_next(&r, &t, err), err, "not JSON");
        if (t.kind == LEAT_JSON_OBJECT_END)
            break;
        struct leat_str name = leat_json_unescape(&t, arena);
        if (leat_str_eq(name, LEAT_STR(for_people))) {
            LEAT_TRY(leat_json_skip(&r, NULL, err), err, "not JSON");
            continue;
        }
        const struct field *f = find_field(name, &near);
        if (f == NULL)
            return unknown(&near, err);
        uint32_t bit = 1U << (f - fields);
        if ((*ret_seen & bit) != 0)
            return leat_fail(err, LEAT_INVALID, "'%s' is given twice", f->name);
        *ret_seen |= bit;
        LEAT_TRY(leat_json_next(&r, &t, err), err, "not JSON");
        leat_status status = read_field(f, &t, arena, row, err);
        if (status != LEAT_OK)
            return status;
    }
    LEAT_TRY(leat_json_next(&r, &t, err), err, "not JSON"); /* nothing may follow */
    return LEAT_OK;
}

static leat_status check_state(struct leat_dead_row *d, struct leat_error *err)
{
    struct leat_suggest near;
    leat_suggest_start(&near, d->state);
    if (leat_str_eq(d->state, leat_str_of(leat_dead_state_names[LEAT_DEAD_REDRIVING])))
        d->state = leat_str_of(leat_dead_state_names[LEAT_DEAD_DEAD]);
    for (int i = 0; i < LEAT_DEAD_STATES; i++) {
        if (leat_str_eq(d->state, leat_str_of(leat_dead_state_names[i])))
            return LEAT_OK;
        leat_suggest_offer_cstr(&near, leat_dead_state_names[i]);
    }
    (void)leat_fail(err, LEAT_INVALID, "'state': '%.*s' is none",
                    (int)(d->state.len < 100 ? d->state.len : 100), d->state.at);
    if (near.best.len > 0)
        leat_error_hint(err, "Did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return LEAT_INVALID;
}

static leat_status check_value(const struct leat_dead_row *d, struct leat_error *err)
{
    uint8_t digest[32];
    if (d->value_null)
        return LEAT_OK;
    if (d->value_bytes != (int64_t)d->value.len)
        return leat_fail(err, LEAT_INVALID, "'value' has %u bytes, 'value_bytes' says %lld",
                         d->value.len, (long long)d->value_bytes);
    leat_sha256(d->value.at, d->value.len, digest);
    if (memcmp(digest, d->value_sha256.at, sizeof digest) != 0)
        return leat_fail(err, LEAT_INVALID, "'value' is not what 'value_sha256' was made of");
    return LEAT_OK;
}

leat_status leat_dead_line_read(struct leat_str line, struct leat_arena *arena,
                                struct leat_dead_row *ret, struct leat_error *err)
{
    _Static_assert(FIELDS <= 32, "bits of `seen`");
    struct leat_dead_row d = {.slice = 0};
    uint32_t seen = 0;
    if (read_members(line, arena, (char *)&d, &seen, err) != LEAT_OK) {
        err->status = LEAT_INVALID;
        return LEAT_INVALID;
    }
    for (size_t i = 0; i < FIELDS; i++) {
        if ((seen & 1U << i) == 0)
            return leat_fail(err, LEAT_INVALID, "'%s' is missing", fields[i].name);
    }
    leat_status status = check_state(&d, err);
    if (status == LEAT_OK)
        status = check_value(&d, err);
    if (status != LEAT_OK)
        return status;
    *ret = d;
    return LEAT_OK;
}
