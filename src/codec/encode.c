/* encode.c - C struct -> Avro body, straight from the descriptors: they are in the
 * schema's order. */
#include "codec/codec.h"
#include "codec/decimal.h"
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
    if (f->kind == LEAT_KIND_STRING && !leat_wire_utf8(s))
        return refuse(e, f, "not valid UTF-8");
    if (f->decimals > 0 && s.len > LEAT_DECIMAL_BYTES_MAX)
        return refuse(e, f, "a decimal of too many bytes");
    return leat_wire_add_bytes(&e->out, s) ? LEAT_OK : too_large(e, f);
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

/* ---- the straight way ----
 * Plain values that fit are written here, with the position in a register. Everything else (no
 * room, text that is not ASCII, what may not be written) is left to put_value(). Up to `limit`
 * there is room for all fields of the record but the bytes of their texts. Kinds are asked for in
 * turn, not by a jump through a table, which is foretold worse. */

#define KIND_BIT(kind) (1u << LEAT_KIND_##kind)

/* After the value, or NULL: not a matter for here. */
static inline uint8_t *fast_value(const struct leat_field *f, uint8_t *p, const uint8_t *limit,
                                  const char *at)
{
    const uint32_t kind = 1u << f->kind;
    if ((kind & KIND_BIT(STRING)) != 0)
        return leat_write_text(p, limit, at);
    if ((kind & KIND_BIT(BYTES)) != 0 && f->decimals == 0)
        return leat_write_bytes(p, limit, at);
    if ((kind & KIND_BIT(LONG)) != 0)
        return leat_write_long(p, at);
    if ((kind & KIND_BIT(INT)) != 0)
        return leat_write_int(p, at);
    if ((kind & KIND_BIT(ENUM)) != 0)
        return leat_write_enum(p, at, f->symbol_count);
    if ((kind & KIND_BIT(DOUBLE)) != 0)
        return leat_write_raw(p, at, sizeof(double));
    if ((kind & KIND_BIT(BOOL)) != 0)
        return leat_write_bool(p, (const bool *)at);
    return NULL;
}

/* Also the branch of a union with null. */
static inline uint8_t *fast_field(const struct leat_field *f, uint8_t *p, const uint8_t *limit,
                                  const char *base)
{
    if (f->has_offset >= 0) {
        bool present = *(const bool *)(base + f->has_offset);
        p = leat_write_has(p, present, f->null_branch);
        if (!present)
            return p;
    }
    return fast_value(f, p, limit, base + f->offset);
}

/* Asks for about twice the room that is needed without text, where the buffer's maximum allows it.
 * NULL when there is none even so. */
static const uint8_t *limit_of(struct encode *e, const struct leat_type *type)
{
    const struct leat_buf *b = e->out.buf;
    size_t room = (type->field_count + (size_t)1) * LEAT_WRITE_ROOM;
    size_t used = e->out.at == NULL ? b->len : (size_t)(e->out.at - (uint8_t *)b->at);
    if ((size_t)(e->out.end - e->out.at) < 2 * room && 2 * room < b->max &&
        used < b->max - 2 * room)
        (void)leat_wire_grow(&e->out, 2 * room);
    return (size_t)(e->out.end - e->out.at) < room ? NULL : e->out.end - room;
}

static leat_status put_straight(struct encode *e, const struct leat_type *type, const char *base)
{
    const struct leat_field *last = type->fields + type->field_count;
    const uint8_t *limit = limit_of(e, type);
    uint8_t *p = e->out.at;
    for (const struct leat_field *f = type->fields; f < last; f++) {
        uint8_t *next = limit == NULL ? NULL : fast_field(f, p, limit, base);
        if (__builtin_expect(next == NULL, 0)) {
            e->out.at = p;
            leat_status st = put_value(e, f, base);
            if (__builtin_expect(st != LEAT_OK, 0))
                return st;
            limit = limit_of(e, type); /* may move it all */
            next = e->out.at;
        }
        p = next;
    }
    e->out.at = p;
    return LEAT_OK;
}

/* The struct's own function, and put_value() for each value that it leaves. */
static leat_status put_own(struct encode *e, const struct leat_type *type, const char *base)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const uint8_t *limit = limit_of(e, type);
        if (limit != NULL)
            i = type->write(&e->out.at, limit, i, base);
        if (i == type->field_count)
            break;
        leat_status st = put_value(e, &type->fields[i], base);
        if (__builtin_expect(st != LEAT_OK, 0))
            return st;
    }
    return LEAT_OK;
}

static leat_status put_fields(struct encode *e, const struct leat_type *type, const char *base)
{
    if (++e->depth > LEAT_SCHEMA_DEPTH_MAX)
        return leat_fail(e->err, LEAT_POISON, "record '%s' is nested too deeply", type->name);
    leat_status st = type->write != NULL ? put_own(e, type, base) : put_straight(e, type, base);
    e->depth--;
    return st;
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
