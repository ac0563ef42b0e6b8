/* encode.c - C struct -> Avro body, straight from the descriptors: they are in the schema's order.
 */
#include "codec/codec.h"
#include "codec/nodes.h"
#include "codec/values.h"
#include "codec/wire.h"

struct encode {
    struct leat_wire_out out;
    struct leat_error *err;
    int depth;
};

static leat_status put_fields(struct encode *e, const struct leat_type *type, const char *base);

static leat_status __attribute__((noinline))
refuse(struct encode *e, const struct leat_field *f, const char *why)
{
    return leat_fail(e->err, LEAT_POISON, "field '%s': %s", f->name, why);
}

static leat_status __attribute__((noinline)) too_large(struct encode *e, const struct leat_field *f)
{
    return leat_fail(e->err, LEAT_POISON, "field '%s': value is larger than the limit of %zu bytes",
                     f->name, e->out.buf->max);
}

static leat_status put_string(struct encode *e, const struct leat_field *f, const char *base)
{
    struct leat_str s = leat_field_str(f, base);
    if ((size_t)(e->out.end - e->out.at) < (size_t)s.len + LEAT_VARINT_BYTES_MAX) {
        if (f->kind == LEAT_KIND_STRING && !leat_wire_utf8(s))
            return refuse(e, f, "not valid UTF-8");
        return leat_wire_add_bytes(&e->out, s) ? LEAT_OK : too_large(e, f);
    }
    uint8_t *at = leat_wire_put_long(e->out.at, s.len);
    uint64_t bits = leat_wire_copy_or(at, s.at, s.len);
    if (f->kind == LEAT_KIND_STRING && (bits & LEAT_HIGH_BITS) != 0 && !leat_utf8_valid(s))
        return refuse(e, f, "not valid UTF-8");
    e->out.at = at + s.len;
    return LEAT_OK;
}

static leat_status put_enum(struct encode *e, const struct leat_field *f, const char *base)
{
    int32_t v = LEAT_LOAD(int32_t, base + f->offset);
    if (v < 0 || (uint32_t)v >= f->symbol_count)
        return refuse(e, f, "not one of the enum's symbols");
    return leat_wire_add_long(&e->out, v) ? LEAT_OK : too_large(e, f);
}

static leat_status put_value(struct encode *e, const struct leat_field *f, const char *base);

/* Arrays and maps are one block, or none. */
static leat_status put_items(struct encode *e, const struct leat_field *f, const char *base)
{
    struct leat_items items = leat_field_items(f, base);
    if (++e->depth > LEAT_SCHEMA_DEPTH_MAX)
        return refuse(e, f, "nested too deeply");
    if (items.len > 0 && !leat_wire_add_long(&e->out, (int64_t)items.len))
        return too_large(e, f);
    for (size_t i = 0; i < items.len; i++) {
        const char *item = (const char *)items.at + i * f->item_bytes;
        if (f->kind == LEAT_KIND_MAP) {
            struct leat_str key = LEAT_LOAD(struct leat_str, item);
            if (!leat_wire_utf8(key))
                return refuse(e, f, "a key is not valid UTF-8");
            if (!leat_wire_add_bytes(&e->out, key))
                return too_large(e, f);
        }
        leat_status st = put_value(e, f->item, item);
        if (st != LEAT_OK)
            return st;
    }
    e->depth--;
    return leat_wire_add_long(&e->out, 0) ? LEAT_OK : too_large(e, f);
}

static leat_status put_union(struct encode *e, const struct leat_field *f, const char *at)
{
    int32_t is = LEAT_LOAD(int32_t, at);
    if (is < 0 || (uint32_t)is >= f->symbol_count)
        return refuse(e, f, "not a branch of the union");
    if (!leat_wire_add_long(&e->out, is))
        return too_large(e, f);
    return f->item[is].kind == LEAT_KIND_NULL ? LEAT_OK : put_value(e, &f->item[is], at);
}

static inline leat_status put_present(struct encode *e, const struct leat_field *f,
                                      const char *base)
{
    const char *at = base + f->offset;
    bool ok = false;
    switch (f->kind) {
    case LEAT_KIND_BOOL:
        ok = leat_wire_add_raw(&e->out, *(const bool *)at ? "\1" : "\0", 1);
        break;
    case LEAT_KIND_INT:
        ok = leat_wire_add_long(&e->out, LEAT_LOAD(int32_t, at));
        break;
    case LEAT_KIND_LONG:
        ok = leat_wire_add_long(&e->out, LEAT_LOAD(int64_t, at));
        break;
    case LEAT_KIND_FLOAT:
        ok = leat_wire_add_raw(&e->out, at, sizeof(float));
        break;
    case LEAT_KIND_DOUBLE:
        ok = leat_wire_add_raw(&e->out, at, sizeof(double));
        break;
    case LEAT_KIND_FIXED:
        ok = leat_wire_add_raw(&e->out, at, f->item_bytes);
        break;
    case LEAT_KIND_STRING:
    case LEAT_KIND_BYTES:
        return put_string(e, f, base);
    case LEAT_KIND_ENUM:
        return put_enum(e, f, base);
    case LEAT_KIND_RECORD:
        return put_fields(e, f->record, at);
    case LEAT_KIND_ARRAY:
    case LEAT_KIND_MAP:
        return put_items(e, f, base);
    case LEAT_KIND_UNION:
        return put_union(e, f, at);
    case LEAT_KIND_NULL:
        return refuse(e, f, "null outside of a union");
    }
    return ok ? LEAT_OK : too_large(e, f);
}

static leat_status put_value(struct encode *e, const struct leat_field *f, const char *base)
{
    if (f->has_offset >= 0) {
        bool present = *(const bool *)(base + f->has_offset);
        if (!leat_wire_add_long(&e->out, present ? 1 - f->null_branch : f->null_branch))
            return too_large(e, f);
        if (!present)
            return LEAT_OK;
    }
    return put_present(e, f, base);
}

static leat_status put_fields(struct encode *e, const struct leat_type *type, const char *base)
{
    const struct leat_field *end = type->fields + type->field_count;
    if (++e->depth > LEAT_SCHEMA_DEPTH_MAX)
        return leat_fail(e->err, LEAT_POISON, "record '%s' is nested too deeply", type->name);
    for (const struct leat_field *f = type->fields; f < end; f++) {
        leat_status st = put_value(e, f, base);
        if (__builtin_expect(st != LEAT_OK, 0))
            return st;
    }
    e->depth--;
    return LEAT_OK;
}

leat_status leat_encode_avro(const struct leat_type *type, const void *value, struct leat_buf *out,
                             struct leat_error *err)
{
    struct encode e = {.out = leat_wire_out_of(out), .err = err};
    leat_status st = put_fields(&e, type, value);
    if (st != LEAT_OK) {
        leat_wire_out_cancel(&e.out);
        leat_error_wrap(err, "could not encode %s", type->name);
        return st;
    }
    leat_wire_out_done(&e.out);
    return LEAT_OK;
}
