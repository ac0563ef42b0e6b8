/* json_decode.c - JSON object -> C struct in one pass over the text, and the defaults of fields. */
#include <math.h>

#include "base/json.h"
#include "codec/codec.h"
#include "codec/decimal.h"
#include "codec/json_number.h"
#include "codec/latin1.h"
#include "codec/plan.h"
#include "codec/values.h"

struct jdecode {
    struct leat_json_reader r;
    struct leat_arena *arena;
    struct leat_error *err;
    bool as_default; /* see leat_node_from_json() */
};

static leat_status read_fields(struct jdecode *d, const struct leat_type *type, char *base);
static leat_status read_field(struct jdecode *d, const struct leat_field *f, char *base);

static leat_status __attribute__((noinline))
bad(struct jdecode *d, const struct leat_field *f, const struct leat_json_token *t, const char *why)
{
    return leat_fail(d->err, LEAT_POISON, "field '%s' at byte %u: %s", f->name, t->offset, why);
}

static leat_status read_enum(struct jdecode *d, const struct leat_field *f,
                             const struct leat_json_token *t, char *at)
{
    if (t->kind != LEAT_JSON_STRING)
        return bad(d, f, t, "a name was expected");
    for (uint32_t i = 0; i < f->symbol_count; i++) {
        if (leat_json_token_is(t, leat_str_of(f->symbols[i]))) {
            LEAT_STORE(int32_t, at, (int32_t)i);
            return LEAT_OK;
        }
    }
    return bad(d, f, t, "not one of the enum's symbols");
}

static leat_status read_bytes(struct jdecode *d, const struct leat_field *f,
                              const struct leat_json_token *t, char *at)
{
    if (t->kind != LEAT_JSON_STRING)
        return bad(d, f, t, "a string of bytes was expected");
    char *text = leat_arena_alloc(d->arena, t->text.len + (size_t)1);
    uint32_t len = leat_json_unescape_into(t, text);
    if (!leat_latin1_shrink(text, len, &len))
        return bad(d, f, t, "a character above U+00FF is no byte");
    struct leat_str s = {text, len};
    if (f->kind == LEAT_KIND_BYTES) {
        LEAT_STORE(struct leat_str, at, s);
        return LEAT_OK;
    }
    if (len != f->item_bytes)
        return bad(d, f, t, "not as many bytes as its fixed type has");
    memcpy(at, text, len);
    return LEAT_OK;
}

static leat_status read_decimal(struct jdecode *d, const struct leat_field *f,
                                const struct leat_json_token *t, char *at)
{
    uint8_t room[LEAT_DECIMAL_BYTES_MAX];
    struct leat_str bytes;
    struct leat_str text = t->text;
    if (t->kind == LEAT_JSON_STRING) {
        text = leat_json_unescape(t, d->arena);
    } else if (t->kind != LEAT_JSON_INT && t->kind != LEAT_JSON_DOUBLE) {
        return bad(d, f, t, "a decimal like \"-12.50\" was expected");
    }
    const char *expected =
        leat_decimal_bytes(text, f->symbol_count, f->decimals - 1u, room, &bytes);
    if (expected != NULL) {
        return leat_fail(d->err, LEAT_POISON, "field '%s' at byte %u: %s was expected", f->name,
                         t->offset, expected);
    }
    if (f->kind == LEAT_KIND_BYTES) {
        LEAT_STORE(struct leat_str, at, leat_arena_copy(d->arena, bytes));
        return LEAT_OK;
    }
    return leat_decimal_widen(bytes, (uint8_t *)at, f->item_bytes)
               ? LEAT_OK
               : bad(d, f, t, "a decimal with fewer digits was expected");
}

static leat_status read_number(struct jdecode *d, const struct leat_field *f,
                               const struct leat_json_token *t, char *at)
{
    if (f->kind == LEAT_KIND_INT || f->kind == LEAT_KIND_LONG) {
        int64_t v = 0;
        if (!leat_json_integral(t, &v))
            return bad(d, f, t, "a whole number was expected");
        if (f->kind == LEAT_KIND_LONG) {
            LEAT_STORE(int64_t, at, v);
            return LEAT_OK;
        }
        if (v < INT32_MIN || v > INT32_MAX)
            return bad(d, f, t, "number does not fit an int");
        LEAT_STORE(int32_t, at, (int32_t)v);
        return LEAT_OK;
    }
    double v = 0;
    if (!leat_json_real(t, &v))
        return bad(d, f, t, "a number was expected");
    if (f->kind == LEAT_KIND_DOUBLE) {
        LEAT_STORE(double, at, v);
    } else if (isfinite((float)v)) {
        LEAT_STORE(float, at, (float)v);
    } else {
        return bad(d, f, t, "number does not fit a float");
    }
    return LEAT_OK;
}

/* Items come without their number: the array doubles as it fills. */
static leat_status read_array(struct jdecode *d, const struct leat_field *f, char *at)
{
    struct leat_items items = {NULL, 0};
    size_t cap = 0;
    for (;;) {
        struct leat_json_reader before = d->r;
        struct leat_json_token t;
        leat_status st = leat_json_next(&d->r, &t, d->err);
        if (st != LEAT_OK)
            return st;
        if (t.kind == LEAT_JSON_ARRAY_END)
            break;
        d->r = before;
        items.at = leat_arena_grow(d->arena, items.at, f->item_bytes, &cap, items.len + 1);
        char *item = (char *)items.at + items.len * f->item_bytes;
        memset(item, 0, f->item_bytes);
        st = read_field(d, f->item, item);
        if (st != LEAT_OK)
            return st;
        items.len++;
    }
    LEAT_STORE(struct leat_items, at, items);
    return LEAT_OK;
}

static leat_status read_map(struct jdecode *d, const struct leat_field *f, char *at)
{
    struct leat_items items = {NULL, 0};
    size_t cap = 0;
    for (;;) {
        struct leat_json_token t;
        leat_status st = leat_json_next(&d->r, &t, d->err);
        if (st != LEAT_OK)
            return st;
        if (t.kind == LEAT_JSON_OBJECT_END)
            break;
        items.at = leat_arena_grow(d->arena, items.at, f->item_bytes, &cap, items.len + 1);
        char *item = (char *)items.at + items.len * f->item_bytes;
        memset(item, 0, f->item_bytes);
        struct leat_str key = leat_json_unescape(&t, d->arena);
        LEAT_STORE(struct leat_str, item, key);
        st = read_field(d, f->item, item);
        if (st != LEAT_OK)
            return st;
        items.len++;
    }
    LEAT_STORE(struct leat_items, at, items);
    return LEAT_OK;
}

static leat_status read_nested(struct jdecode *d, const struct leat_field *f,
                               const struct leat_json_token *t, char *at)
{
    if (f->kind == LEAT_KIND_ARRAY) {
        return t->kind == LEAT_JSON_ARRAY_BEGIN ? read_array(d, f, at)
                                                : bad(d, f, t, "an array was expected");
    }
    if (t->kind != LEAT_JSON_OBJECT_BEGIN)
        return bad(d, f, t, "an object was expected");
    if (f->kind == LEAT_KIND_MAP)
        return read_map(d, f, at);
    memset(at, 0, f->record->size); /* a repeated key starts afresh */
    return read_fields(d, f->record, at);
}

static const struct leat_field *find_branch(const struct leat_field *f,
                                            const struct leat_json_token *key)
{
    for (uint32_t i = 0; i < f->symbol_count; i++) {
        const struct leat_field *b = &f->item[i];
        if (b->kind == LEAT_KIND_NULL)
            continue;
        const char *dot = strrchr(b->name, '.');
        if (leat_json_token_is(key, leat_field_name(b)) ||
            (dot != NULL && leat_json_token_is(key, leat_str_of(dot + 1))))
            return b;
    }
    return NULL;
}

/* {"branch": value}; null has been seen to, as has a default. */
static leat_status read_union(struct jdecode *d, const struct leat_field *f,
                              const struct leat_json_token *t, char *at)
{
    struct leat_json_token key;
    if (t->kind != LEAT_JSON_OBJECT_BEGIN)
        return bad(d, f, t, "an object with the name of a branch of the union was expected");
    leat_status st = leat_json_next(&d->r, &key, d->err);
    if (st != LEAT_OK)
        return st;
    const struct leat_field *branch = key.kind == LEAT_JSON_KEY ? find_branch(f, &key) : NULL;
    if (branch == NULL)
        return bad(d, f, &key, "not the name of a branch of the union");
    memset(at, 0, f->item_bytes);
    LEAT_STORE(int32_t, at, (int32_t)(branch - f->item));
    st = read_field(d, branch, at);
    if (st == LEAT_OK)
        st = leat_json_next(&d->r, &key, d->err);
    return st == LEAT_OK && key.kind != LEAT_JSON_OBJECT_END
               ? bad(d, f, &key, "a union has one branch at a time")
               : st;
}

static leat_status read_null(struct jdecode *d, const struct leat_field *f,
                             const struct leat_json_token *t, char *base)
{
    if (f->kind == LEAT_KIND_NULL)
        return LEAT_OK;
    if (f->has_offset >= 0) {
        leat_field_set_present(f, base, false);
        return LEAT_OK;
    }
    for (uint32_t i = 0; f->kind == LEAT_KIND_UNION && i < f->symbol_count; i++) {
        if (f->item[i].kind != LEAT_KIND_NULL)
            continue;
        memset(base + f->offset, 0, f->item_bytes);
        LEAT_STORE(int32_t, base + f->offset, (int32_t)i);
        return LEAT_OK;
    }
    return bad(d, f, t, "may not be null");
}

static leat_status read_value(struct jdecode *d, const struct leat_field *f,
                              const struct leat_json_token *t, char *at)
{
    switch (f->kind) {
    case LEAT_KIND_STRING:
        if (t->kind != LEAT_JSON_STRING)
            return bad(d, f, t, "a string was expected");
        LEAT_STORE(struct leat_str, at, leat_json_unescape(t, d->arena));
        return LEAT_OK;
    case LEAT_KIND_BOOL:
        if (t->kind != LEAT_JSON_BOOL)
            return bad(d, f, t, "true or false was expected");
        LEAT_STORE(bool, at, t->boolean);
        return LEAT_OK;
    case LEAT_KIND_INT:
    case LEAT_KIND_LONG:
    case LEAT_KIND_FLOAT:
    case LEAT_KIND_DOUBLE:
        return read_number(d, f, t, at);
    case LEAT_KIND_ENUM:
        return read_enum(d, f, t, at);
    case LEAT_KIND_BYTES:
    case LEAT_KIND_FIXED:
        return f->decimals > 0 && !d->as_default ? read_decimal(d, f, t, at)
                                                 : read_bytes(d, f, t, at);
    case LEAT_KIND_UNION:
        return read_union(d, f, t, at);
    case LEAT_KIND_NULL:
        return bad(d, f, t, "null was expected");
    case LEAT_KIND_RECORD:
    case LEAT_KIND_ARRAY:
    case LEAT_KIND_MAP:
        break;
    }
    return read_nested(d, f, t, at);
}

static leat_status read_field(struct jdecode *d, const struct leat_field *f, char *base)
{
    struct leat_json_token t;
    if (f->kind == LEAT_KIND_UNION && d->as_default)
        return read_field(d, &f->item[0], base + f->offset); /* `is` is 0 */
    leat_status st = leat_json_next(&d->r, &t, d->err);
    if (st != LEAT_OK)
        return st;
    if (t.kind == LEAT_JSON_NULL)
        return read_null(d, f, &t, base);
    leat_field_set_present(f, base, true);
    return read_value(d, f, &t, base + f->offset);
}

/* Fields mostly come in the schema's order: `hint` is the one after the last. */
static inline uint32_t find_field(const struct leat_type *type, const struct leat_json_token *key,
                                  uint32_t hint)
{
    for (uint32_t i = 0; i < type->field_count; i++, hint++) {
        if (hint >= type->field_count)
            hint = 0;
        if (!key->has_escapes && leat_str_eq(leat_field_name(&type->fields[hint]), key->text))
            return hint;
        if (key->has_escapes && leat_json_token_is(key, leat_field_name(&type->fields[hint])))
            return hint;
    }
    return UINT32_MAX;
}

static leat_status fill_missing(struct jdecode *d, const struct leat_type *type, char *base,
                                const uint64_t *seen)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct leat_field *f = &type->fields[i];
        if ((seen[i / 64] >> (i % 64) & 1) != 0)
            continue;
        if (f->fallback == NULL && f->has_offset < 0)
            return leat_fail(d->err, LEAT_POISON, "field '%s' is missing", f->name);
        if (f->fallback == NULL)
            continue;
        leat_status st = leat_field_set_default(f, d->arena, base, d->err);
        if (st != LEAT_OK)
            return st;
    }
    return LEAT_OK;
}

static leat_status read_fields(struct jdecode *d, const struct leat_type *type, char *base)
{
    uint64_t seen[LEAT_SCHEMA_FIELDS_MAX / 64] = {0};
    uint32_t hint = 0;
    uint32_t found = 0;
    leat_assert(type->field_count <= LEAT_SCHEMA_FIELDS_MAX);
    for (;;) {
        struct leat_json_token t;
        leat_status st = leat_json_next(&d->r, &t, d->err);
        if (st != LEAT_OK)
            return st;
        if (t.kind == LEAT_JSON_OBJECT_END)
            break;
        uint32_t i = find_field(type, &t, hint);
        st = i == UINT32_MAX ? leat_json_skip(&d->r, NULL, d->err)
                             : read_field(d, &type->fields[i], base);
        if (__builtin_expect(st != LEAT_OK, 0))
            return st;
        if (i == UINT32_MAX)
            continue;
        found += (seen[i / 64] >> (i % 64) & 1) == 0;
        seen[i / 64] |= UINT64_C(1) << (i % 64);
        hint = i + 1;
    }
    return found == type->field_count ? LEAT_OK : fill_missing(d, type, base, seen);
}

leat_status leat_field_set_default(const struct leat_field *f, struct leat_arena *arena, char *base,
                                   struct leat_error *err)
{
    struct jdecode d = {.arena = arena, .err = err, .as_default = true};
    leat_json_reader_init(&d.r, leat_str_of(f->fallback));
    LEAT_TRY(read_field(&d, f, base), err, "default of field '%s'", f->name);
    return LEAT_OK;
}

static leat_status read_text(struct jdecode *d, const struct leat_type *type, void *value)
{
    struct leat_json_token t;
    leat_status st = leat_json_next(&d->r, &t, d->err);
    if (st != LEAT_OK)
        return st;
    if (t.kind != LEAT_JSON_OBJECT_BEGIN)
        return leat_fail(d->err, LEAT_POISON, "a JSON object was expected");
    st = read_fields(d, type, value);
    if (st != LEAT_OK)
        return st;
    return leat_json_next(&d->r, &t, d->err); /* nothing may follow */
}

leat_status leat_decode_json(const struct leat_type *type, struct leat_str json,
                             struct leat_arena *arena, void *value, struct leat_error *err)
{
    struct jdecode d = {.arena = arena, .err = err};
    memset(value, 0, type->size);
    leat_json_reader_init(&d.r, json);
    LEAT_TRY(read_text(&d, type, value), err, "could not decode %s", type->name);
    return LEAT_OK;
}
