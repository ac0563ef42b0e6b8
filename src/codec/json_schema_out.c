/* json_schema_out.c - Avro body -> JSON text by its schema alone, for people and for HTTP. */
#include <math.h>

#include "base/json.h"
#include "codec/decimal.h"
#include "codec/latin1.h"
#include "codec/nodes.h"
#include "codec/wire.h"

struct to_json {
    const struct leat_schema *s;
    struct leat_wire_in in;
    struct leat_json_writer w;
    struct leat_arena *arena; /* of branch names; made when first needed */
    struct leat_error *err;
    int depth;
};

static leat_status put_node(struct to_json *c, uint32_t node);

static leat_status bad(struct to_json *c, const struct leat_node *n)
{
    return leat_fail(c->err, LEAT_POISON, "byte %zu: not a value of type %s",
                     (size_t)(c->in.at - c->in.start), leat_node_kind_name(n->kind));
}

static leat_status put_integer(struct to_json *c, const struct leat_node *n)
{
    int64_t v = 0;
    if (!leat_wire_long(&c->in, &v))
        return bad(c, n);
    if (n->kind == LEAT_NODE_ENUM) {
        if (v < 0 || v >= n->count)
            return bad(c, n);
        leat_json_str(&c->w, c->s->symbols[n->first + (uint32_t)v]);
        return LEAT_OK;
    }
    if (n->kind == LEAT_NODE_INT && (v < INT32_MIN || v > INT32_MAX))
        return bad(c, n);
    leat_json_int(&c->w, v);
    return LEAT_OK;
}

static leat_status put_real(struct to_json *c, const struct leat_node *n)
{
    double d = 0;
    float f = 0;
    bool is_float = n->kind == LEAT_NODE_FLOAT;
    if (!leat_wire_raw(&c->in, is_float ? (void *)&f : &d, is_float ? sizeof f : sizeof d))
        return bad(c, n);
    leat_json_double(&c->w, is_float ? (double)f : d); /* not finite: null */
    return LEAT_OK;
}

static leat_status put_bytes(struct to_json *c, const struct leat_node *n, struct leat_str s)
{
    char text[LEAT_DECIMAL_TEXT_MAX];
    uint32_t len = 0;
    if (!n->decimal) {
        leat_latin1_put(&c->w, s);
        return LEAT_OK;
    }
    if (!leat_decimal_text(s, n->scale, text, &len))
        return bad(c, n);
    leat_json_str(&c->w, (struct leat_str){text, len});
    return LEAT_OK;
}

static leat_status put_text(struct to_json *c, const struct leat_node *n)
{
    struct leat_str s;
    if (!leat_wire_bytes(&c->in, &s))
        return bad(c, n);
    if (n->kind == LEAT_NODE_BYTES)
        return put_bytes(c, n, s);
    if (leat_wire_utf8(s)) {
        leat_json_str(&c->w, s);
    } else {
        return bad(c, n);
    }
    return LEAT_OK;
}

static leat_status put_fixed(struct to_json *c, const struct leat_node *n)
{
    if (leat_wire_left(&c->in) < n->size)
        return bad(c, n);
    leat_status st = put_bytes(c, n, (struct leat_str){(const char *)c->in.at, n->size});
    c->in.at += n->size;
    return st;
}

static leat_status put_record(struct to_json *c, const struct leat_node *n)
{
    leat_json_begin_object(&c->w);
    for (uint32_t i = 0; i < n->count; i++) {
        const struct leat_node_field *f = &c->s->fields[n->first + i];
        leat_json_key(&c->w, f->name);
        leat_status st = put_node(c, f->node);
        if (st != LEAT_OK) {
            leat_error_wrap(c->err, "field '%s'", f->name.at);
            return st;
        }
    }
    leat_json_end_object(&c->w);
    return LEAT_OK;
}

static leat_status put_item(struct to_json *c, const struct leat_node *n)
{
    if (n->kind == LEAT_NODE_MAP) {
        struct leat_str key;
        if (!leat_wire_bytes(&c->in, &key) || !leat_wire_utf8(key))
            return bad(c, n);
        leat_json_key(&c->w, key);
    }
    return put_node(c, n->item);
}

static leat_status put_items(struct to_json *c, const struct leat_node *n)
{
    bool is_map = n->kind == LEAT_NODE_MAP;
    uint32_t least = c->s->nodes[n->item].bytes_min + (is_map ? 1 : 0);
    is_map ? leat_json_begin_object(&c->w) : leat_json_begin_array(&c->w);
    for (;;) {
        uint32_t count = 0;
        int64_t bytes = -1;
        if (!leat_wire_block(&c->in, least, &count, &bytes))
            return bad(c, n);
        if (count == 0)
            break;
        for (uint32_t i = 0; i < count; i++) {
            leat_status st = put_item(c, n);
            if (st != LEAT_OK)
                return st;
        }
    }
    is_map ? leat_json_end_object(&c->w) : leat_json_end_array(&c->w);
    return LEAT_OK;
}

/* {"branch": value}, so that it reads back as the branch it was; an optional value is itself. */
static leat_status put_union(struct to_json *c, const struct leat_node *n)
{
    int64_t branch = 0;
    if (!leat_wire_long(&c->in, &branch) || branch < 0 || branch >= n->count)
        return bad(c, n);
    uint32_t node = c->s->branches[n->first + (uint32_t)branch];
    if (n->optional || c->s->nodes[node].kind == LEAT_NODE_NULL)
        return put_node(c, node);
    if (c->arena == NULL)
        c->arena = leat_arena_new(256, 0);
    leat_json_begin_object(&c->w);
    leat_json_key(&c->w, leat_node_branch_name(c->s, node, c->arena));
    leat_status st = put_node(c, node);
    if (st == LEAT_OK)
        leat_json_end_object(&c->w);
    return st;
}

static leat_status put_nested(struct to_json *c, const struct leat_node *n)
{
    if (++c->depth > LEAT_SCHEMA_DEPTH_MAX)
        return leat_fail(c->err, LEAT_POISON, "nested too deeply");
    leat_status st = n->kind == LEAT_NODE_RECORD ? put_record(c, n) : put_items(c, n);
    c->depth--;
    return st;
}

static leat_status put_node(struct to_json *c, uint32_t node)
{
    const struct leat_node *n = leat_node_at(c->s, node);
    bool b = false;
    switch (n->kind) {
    case LEAT_NODE_NULL:
        leat_json_null(&c->w);
        return LEAT_OK;
    case LEAT_NODE_BOOL:
        if (!leat_wire_bool(&c->in, &b))
            return bad(c, n);
        leat_json_bool(&c->w, b);
        return LEAT_OK;
    case LEAT_NODE_INT:
    case LEAT_NODE_LONG:
    case LEAT_NODE_ENUM:
        return put_integer(c, n);
    case LEAT_NODE_FLOAT:
    case LEAT_NODE_DOUBLE:
        return put_real(c, n);
    case LEAT_NODE_STRING:
    case LEAT_NODE_BYTES:
        return put_text(c, n);
    case LEAT_NODE_FIXED:
        return put_fixed(c, n);
    case LEAT_NODE_UNION:
        return put_union(c, n);
    case LEAT_NODE_RECORD:
    case LEAT_NODE_ARRAY:
    case LEAT_NODE_MAP:
        break;
    }
    return put_nested(c, n);
}

leat_status leat_node_to_json(const struct leat_schema *s, uint32_t node, struct leat_wire_in *in,
                              struct leat_buf *out, struct leat_error *err)
{
    struct to_json c = {.s = s, .in = *in, .err = err};
    size_t start = out->len;
    leat_json_writer_init(&c.w, out);
    leat_status st = put_node(&c, node);
    leat_arena_free(c.arena);
    if (st == LEAT_OK && out->overflow) {
        st = leat_fail(err, LEAT_POISON, "JSON text is larger than the limit of %zu bytes",
                       out->max);
    }
    if (st != LEAT_OK) {
        out->len = start;
        return st;
    }
    *in = c.in;
    return LEAT_OK;
}

leat_status leat_schema_to_json(const struct leat_schema *s, struct leat_str body,
                                struct leat_buf *out, struct leat_error *err)
{
    struct leat_wire_in in = leat_wire_in_of(body);
    size_t start = out->len;
    leat_status st = leat_node_to_json(s, s->top, &in, out, err);
    if (st == LEAT_OK && in.at != in.end) {
        out->len = start;
        st = leat_fail(err, LEAT_POISON, "%zu bytes are left after the last field",
                       leat_wire_left(&in));
    }
    if (st != LEAT_OK)
        leat_error_wrap(err, "could not decode %s", leat_schema_name(s));
    return st;
}
