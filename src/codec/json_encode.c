/* json_encode.c - C struct -> JSON text, from the descriptors. */
#include <math.h>

#include "base/json.h"
#include "codec/codec.h"
#include "codec/decimal.h"
#include "codec/latin1.h"
#include "codec/nodes.h"
#include "codec/values.h"
#include "codec/wire.h"

struct jencode {
    struct leat_json_writer w;
    struct leat_error *err;
    int depth;
};

static leat_status put_fields(struct jencode *e, const struct leat_type *type, const char *base);
static leat_status put_value(struct jencode *e, const struct leat_field *f, const char *base);

static leat_status refuse(struct jencode *e, const struct leat_field *f, const char *why)
{
    return leat_fail(e->err, LEAT_POISON, "field '%s': %s", f->name, why);
}

static leat_status put_items(struct jencode *e, const struct leat_field *f, const char *base)
{
    struct leat_items items = leat_field_items(f, base);
    bool is_map = f->kind == LEAT_KIND_MAP;
    if (++e->depth > LEAT_SCHEMA_DEPTH_MAX)
        return refuse(e, f, "nested too deeply");
    is_map ? leat_json_begin_object(&e->w) : leat_json_begin_array(&e->w);
    for (size_t i = 0; i < items.len; i++) {
        const char *item = (const char *)items.at + i * f->item_bytes;
        if (is_map && !leat_wire_utf8(LEAT_LOAD(struct leat_str, item)))
            return refuse(e, f, "a key is not valid UTF-8");
        if (is_map)
            leat_json_key(&e->w, LEAT_LOAD(struct leat_str, item));
        leat_status st = put_value(e, f->item, item);
        if (st != LEAT_OK)
            return st;
    }
    is_map ? leat_json_end_object(&e->w) : leat_json_end_array(&e->w);
    e->depth--;
    return LEAT_OK;
}

static leat_status put_real(struct jencode *e, const struct leat_field *f, double v)
{
    if (!isfinite(v))
        return refuse(e, f, "JSON has no form for a number that is not finite");
    leat_json_double(&e->w, v);
    return LEAT_OK;
}

static leat_status put_string(struct jencode *e, const struct leat_field *f, const char *base)
{
    struct leat_str s = leat_field_str(f, base);
    if (!leat_wire_utf8(s))
        return refuse(e, f, "not valid UTF-8");
    leat_json_str(&e->w, s);
    return LEAT_OK;
}

static leat_status put_enum(struct jencode *e, const struct leat_field *f, const char *base)
{
    int32_t v = LEAT_LOAD(int32_t, base + f->offset);
    if (v < 0 || (uint32_t)v >= f->symbol_count)
        return refuse(e, f, "not one of the enum's symbols");
    leat_json_cstr(&e->w, f->symbols[v]);
    return LEAT_OK;
}

static leat_status put_bytes(struct jencode *e, const struct leat_field *f, struct leat_str s)
{
    char text[LEAT_DECIMAL_TEXT_MAX];
    uint32_t len = 0;
    if (f->decimals == 0) {
        leat_latin1_put(&e->w, s);
        return LEAT_OK;
    }
    if (!leat_decimal_text(s, f->decimals - 1u, text, &len))
        return refuse(e, f, "a decimal of too many bytes");
    leat_json_str(&e->w, (struct leat_str){text, len});
    return LEAT_OK;
}

static leat_status put_union(struct jencode *e, const struct leat_field *f, const char *at)
{
    int32_t is = LEAT_LOAD(int32_t, at);
    if (is < 0 || (uint32_t)is >= f->symbol_count)
        return refuse(e, f, "not a branch of the union");
    const struct leat_field *branch = &f->item[is];
    if (branch->kind == LEAT_KIND_NULL) {
        leat_json_null(&e->w);
        return LEAT_OK;
    }
    leat_json_begin_object(&e->w);
    leat_json_key(&e->w, leat_field_name(branch));
    leat_status st = put_value(e, branch, at);
    if (st == LEAT_OK)
        leat_json_end_object(&e->w);
    return st;
}

static leat_status put_present(struct jencode *e, const struct leat_field *f, const char *base)
{
    const char *at = base + f->offset;
    switch (f->kind) {
    case LEAT_KIND_BOOL:
        leat_json_bool(&e->w, *(const bool *)at);
        return LEAT_OK;
    case LEAT_KIND_INT:
        leat_json_int(&e->w, LEAT_LOAD(int32_t, at));
        return LEAT_OK;
    case LEAT_KIND_LONG:
        leat_json_int(&e->w, LEAT_LOAD(int64_t, at));
        return LEAT_OK;
    case LEAT_KIND_FLOAT:
        return put_real(e, f, (double)LEAT_LOAD(float, at));
    case LEAT_KIND_DOUBLE:
        return put_real(e, f, LEAT_LOAD(double, at));
    case LEAT_KIND_STRING:
        return put_string(e, f, base);
    case LEAT_KIND_BYTES:
        return put_bytes(e, f, leat_field_str(f, base));
    case LEAT_KIND_FIXED:
        return put_bytes(e, f, (struct leat_str){at, f->item_bytes});
    case LEAT_KIND_ENUM:
        return put_enum(e, f, base);
    case LEAT_KIND_RECORD:
        return put_fields(e, f->record, at);
    case LEAT_KIND_UNION:
        return put_union(e, f, at);
    case LEAT_KIND_NULL:
        return refuse(e, f, "null outside of a union");
    case LEAT_KIND_ARRAY:
    case LEAT_KIND_MAP:
        break;
    }
    return put_items(e, f, base);
}

static leat_status put_value(struct jencode *e, const struct leat_field *f, const char *base)
{
    if (leat_field_present(f, base))
        return put_present(e, f, base);
    leat_json_null(&e->w);
    return LEAT_OK;
}

static leat_status put_fields(struct jencode *e, const struct leat_type *type, const char *base)
{
    if (++e->depth > LEAT_SCHEMA_DEPTH_MAX)
        return leat_fail(e->err, LEAT_POISON, "record '%s' is nested too deeply", type->name);
    leat_json_begin_object(&e->w);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct leat_field *f = &type->fields[i];
        leat_json_key(&e->w, leat_field_name(f));
        leat_status st = put_value(e, f, base);
        if (st != LEAT_OK)
            return st;
    }
    leat_json_end_object(&e->w);
    e->depth--;
    return LEAT_OK;
}

leat_status leat_encode_json(const struct leat_type *type, const void *value, struct leat_buf *out,
                             struct leat_error *err)
{
    struct jencode e = {.err = err};
    size_t start = out->len;
    leat_json_writer_init(&e.w, out);
    leat_status st = put_fields(&e, type, value);
    if (st == LEAT_OK && out->overflow)
        st = leat_fail(err, LEAT_POISON, "value is larger than the limit of %zu bytes", out->max);
    if (st != LEAT_OK) {
        out->len = start;
        leat_error_wrap(err, "could not encode %s", type->name);
    }
    return st;
}
