/* json_schema_in.c - JSON text -> Avro body by its schema alone; also what checks defaults. Members
 * may come in any order, the body has the schema's: a record's members are found first, then
 * written. */
#include <math.h>

#include "base/json.h"
#include "base/suggest.h"
#include "codec/decimal.h"
#include "codec/json_number.h"
#include "codec/json_walk.h"
#include "codec/latin1.h"
#include "codec/nodes.h"
#include "codec/wire.h"

#define ARENA_BYTES       4096
#define SYMBOLS_BYTES_MAX 200

struct from_json {
    const struct leat_schema *s;
    struct leat_wire_out out;
    struct leat_arena *arena; /* of one call */
    struct leat_error *err;
    int depth;
    bool as_default;
};

static leat_status read_node(struct from_json *c, uint32_t node, struct leat_str json);

static leat_status bad(struct from_json *c, const char *expected)
{
    return leat_fail(c->err, LEAT_POISON, "%s was expected", expected);
}

static leat_status full(struct from_json *c)
{
    return leat_fail(c->err, LEAT_POISON, "value is larger than the limit of %zu bytes",
                     c->out.buf->max);
}

static leat_status read_integer(struct from_json *c, const struct leat_node *n,
                                const struct leat_json_token *t)
{
    int64_t v = 0;
    if (!leat_json_integral(t, &v))
        return bad(c, "a whole number");
    if (n->kind == LEAT_NODE_INT && (v < INT32_MIN || v > INT32_MAX))
        return bad(c, "a number of 32 bits");
    return leat_wire_add_long(&c->out, v) ? LEAT_OK : full(c);
}

static leat_status read_real(struct from_json *c, const struct leat_node *n,
                             const struct leat_json_token *t)
{
    double d = 0;
    if (!leat_json_real(t, &d))
        return bad(c, "a number");
    float f = (float)d;
    if (n->kind == LEAT_NODE_FLOAT && !isfinite(f))
        return bad(c, "a number that fits a float");
    bool ok = n->kind == LEAT_NODE_FLOAT ? leat_wire_add_raw(&c->out, &f, sizeof f)
                                         : leat_wire_add_raw(&c->out, &d, sizeof d);
    return ok ? LEAT_OK : full(c);
}

static leat_status add_bytes(struct from_json *c, const struct leat_node *n, struct leat_str s)
{
    if (n->kind != LEAT_NODE_FIXED)
        return leat_wire_add_bytes(&c->out, s) ? LEAT_OK : full(c);
    if (s.len != n->size)
        return leat_fail(c->err, LEAT_POISON, "%u bytes were expected", n->size);
    return leat_wire_add_raw(&c->out, s.at, s.len) ? LEAT_OK : full(c);
}

/* "12.50", or the same as a number. */
static leat_status read_decimal(struct from_json *c, const struct leat_node *n,
                                const struct leat_json_token *t)
{
    struct leat_str text = t->text;
    uint8_t room[LEAT_DECIMAL_BYTES_MAX];
    struct leat_str bytes;
    if (t->kind == LEAT_JSON_STRING) {
        text = leat_json_unescape(t, c->arena);
    } else if (t->kind != LEAT_JSON_INT && t->kind != LEAT_JSON_DOUBLE) {
        return bad(c, "a decimal like \"-12.50\"");
    }
    const char *expected = leat_decimal_bytes(text, n->precision, n->scale, room, &bytes);
    if (expected != NULL)
        return bad(c, expected);
    if (n->kind == LEAT_NODE_FIXED) {
        uint8_t *wide = leat_arena_alloc(c->arena, n->size);
        if (!leat_decimal_widen(bytes, wide, n->size))
            return bad(c, "a decimal with fewer digits");
        bytes = (struct leat_str){(const char *)wide, n->size};
    }
    return add_bytes(c, n, bytes);
}

static leat_status read_text(struct from_json *c, const struct leat_node *n,
                             const struct leat_json_token *t)
{
    if (t->kind != LEAT_JSON_STRING)
        return bad(c, "a string");
    struct leat_str s = leat_json_unescape(t, c->arena);
    if (n->kind != LEAT_NODE_STRING) {
        char *bytes = leat_arena_cstr(c->arena, s);
        if (!leat_latin1_shrink(bytes, s.len, &s.len))
            return bad(c, "a string of characters up to U+00FF");
        s.at = bytes;
    }
    return add_bytes(c, n, s);
}

static leat_status no_symbol(struct from_json *c, const struct leat_node *n,
                             const struct leat_json_token *t)
{
    struct leat_buf all;
    struct leat_suggest near;
    leat_buf_init(&all, SYMBOLS_BYTES_MAX);
    leat_suggest_start(&near, t->kind == LEAT_JSON_STRING ? t->text : LEAT_STR(""));
    for (uint32_t i = 0; i < n->count; i++) {
        struct leat_str symbol = c->s->symbols[n->first + i];
        leat_suggest_offer(&near, symbol);
        leat_buf_printf(&all, "%s%.*s", i > 0 ? ", " : "", LEAT_STR_FMT(symbol));
    }
    leat_status st =
        leat_fail(c->err, LEAT_POISON, "a symbol of enum '%s' was expected: %.*s%s", n->name.at,
                  LEAT_STR_FMT(leat_buf_str(&all)), all.overflow ? " …" : "");
    if (near.best.len > 0)
        leat_error_hint(c->err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    leat_buf_done(&all);
    return st;
}

static leat_status read_enum(struct from_json *c, const struct leat_node *n,
                             const struct leat_json_token *t)
{
    for (uint32_t i = 0; t->kind == LEAT_JSON_STRING && i < n->count; i++) {
        if (leat_json_token_is(t, c->s->symbols[n->first + i]))
            return leat_wire_add_long(&c->out, i) ? LEAT_OK : full(c);
    }
    return no_symbol(c, n, t);
}

static leat_status collect(struct from_json *c, const struct leat_node *n,
                           struct leat_json_reader *r, struct leat_str *values)
{
    for (bool more = true;;) {
        struct leat_json_token key;
        struct leat_str raw = {NULL, 0};
        leat_status st = leat_json_member(r, &key, &raw, &more, c->err);
        if (st != LEAT_OK || !more)
            return st;
        for (uint32_t i = 0; i < n->count; i++) {
            if (leat_json_token_is(&key, c->s->fields[n->first + i].name))
                values[i] = raw;
        }
    }
}

/* With the name that was likely meant to be it: a slip makes one field missing and one unknown. */
static leat_status missing(struct from_json *c, const struct leat_node *n, struct leat_str json,
                           struct leat_str field)
{
    struct leat_str meant =
        leat_node_meant(c->s, (uint32_t)(n - c->s->nodes), json, field, c->arena);
    if (meant.len == 0)
        return leat_fail(c->err, LEAT_POISON, "field '%s' is missing", field.at);
    return leat_fail(c->err, LEAT_POISON, "field '%s' is missing; did '%.*s' mean it?", field.at,
                     LEAT_STR_FMT(meant));
}

static leat_status read_record(struct from_json *c, const struct leat_node *n,
                               struct leat_json_reader *r)
{
    struct leat_str json = {r->start, (uint32_t)(r->end - r->start)};
    struct leat_str *values = leat_arena_zalloc(c->arena, n->count + (size_t)1, sizeof *values);
    leat_status st = collect(c, n, r, values);
    for (uint32_t i = 0; st == LEAT_OK && i < n->count; i++) {
        const struct leat_node_field *f = &c->s->fields[n->first + i];
        struct leat_str value = values[i].at != NULL ? values[i] : f->fallback;
        bool outer = c->as_default;
        if (value.at == NULL && c->s->nodes[f->node].optional)
            value = LEAT_STR("null"); /* absent and null are one in JSON */
        if (value.at == NULL)
            return missing(c, n, json, f->name);
        c->as_default = outer || values[i].at == NULL;
        LEAT_TRY(read_node(c, f->node, value), c->err, "field '%s'", f->name.at);
        c->as_default = outer;
    }
    return st;
}

/* A block needs its count first, so the items are walked twice. */
static leat_status read_items(struct from_json *c, const struct leat_node *n,
                              struct leat_json_reader *r, bool write, int64_t *count)
{
    bool is_map = n->kind == LEAT_NODE_MAP;
    for (bool more = true;; (*count)++) {
        struct leat_json_token key;
        struct leat_str raw = {NULL, 0};
        leat_status st = is_map ? leat_json_member(r, &key, &raw, &more, c->err)
                                : leat_json_item(r, &raw, &more, c->err);
        if (st != LEAT_OK || !more)
            return st;
        if (!write)
            continue;
        if (is_map && !leat_wire_add_bytes(&c->out, leat_json_unescape(&key, c->arena)))
            return full(c);
        LEAT_TRY(read_node(c, n->item, raw), c->err, "item %lld", (long long)*count);
    }
}

static leat_status read_block(struct from_json *c, const struct leat_node *n,
                              struct leat_json_reader *r)
{
    struct leat_json_reader again = *r;
    int64_t count = 0;
    leat_status st = read_items(c, n, r, false, &count);
    if (st != LEAT_OK)
        return st;
    if (count > 0) {
        if (!leat_wire_add_long(&c->out, count))
            return full(c);
        count = 0;
        st = read_items(c, n, &again, true, &count);
        if (st != LEAT_OK)
            return st;
    }
    return leat_wire_add_long(&c->out, 0) ? LEAT_OK : full(c);
}

static leat_status read_optional(struct from_json *c, const struct leat_node *n,
                                 const struct leat_json_token *t, struct leat_str json)
{
    bool null = t->kind == LEAT_JSON_NULL;
    if (!leat_wire_add_long(&c->out, null ? n->null_branch : 1 - n->null_branch))
        return full(c);
    return null ? LEAT_OK : read_node(c, n->item, json);
}

bool leat_node_is_branch(const struct leat_schema *s, uint32_t node,
                         const struct leat_json_token *key, struct leat_arena *arena)
{
    const struct leat_node *n = leat_node_at(s, node);
    return (n->name.at != NULL && leat_json_token_is(key, n->name)) ||
           leat_json_token_is(key, leat_node_branch_name(s, node, arena));
}

/* null, or {"branch": value}. */
static leat_status read_branch(struct from_json *c, const struct leat_node *n,
                               const struct leat_json_token *t, struct leat_json_reader *r)
{
    struct leat_json_token key = *t;
    struct leat_str raw = {NULL, 0};
    bool more = t->kind == LEAT_JSON_OBJECT_BEGIN;
    leat_status st = more ? leat_json_member(r, &key, &raw, &more, c->err) : LEAT_OK;
    for (uint32_t i = 0; st == LEAT_OK && i < n->count; i++) {
        uint32_t node = c->s->branches[n->first + i];
        bool null = c->s->nodes[node].kind == LEAT_NODE_NULL;
        if (null ? t->kind != LEAT_JSON_NULL
                 : !more || !leat_node_is_branch(c->s, node, &key, c->arena))
            continue;
        if (!leat_wire_add_long(&c->out, i))
            return full(c);
        st = null ? LEAT_OK : read_node(c, node, raw);
        if (st == LEAT_OK && !null)
            st = leat_json_member(r, &key, &raw, &more, c->err);
        return st == LEAT_OK && !null && more ? bad(c, "an object of one branch") : st;
    }
    return st == LEAT_OK ? bad(c, "an object with the name of a branch of the union") : st;
}

static leat_status read_nested(struct from_json *c, const struct leat_node *n,
                               const struct leat_json_token *t, struct leat_json_reader *r)
{
    leat_json_kind begin =
        n->kind == LEAT_NODE_ARRAY ? LEAT_JSON_ARRAY_BEGIN : LEAT_JSON_OBJECT_BEGIN;
    if (t->kind != begin)
        return bad(c, n->kind == LEAT_NODE_ARRAY ? "an array" : "an object");
    if (++c->depth > LEAT_SCHEMA_DEPTH_MAX)
        return leat_fail(c->err, LEAT_POISON, "nested too deeply");
    leat_status st = n->kind == LEAT_NODE_RECORD ? read_record(c, n, r) : read_block(c, n, r);
    c->depth--;
    return st;
}

static leat_status read_kind(struct from_json *c, const struct leat_node *n,
                             const struct leat_json_token *t, struct leat_json_reader *r)
{
    switch (n->kind) {
    case LEAT_NODE_NULL:
        return t->kind == LEAT_JSON_NULL ? LEAT_OK : bad(c, "null");
    case LEAT_NODE_BOOL:
        if (t->kind != LEAT_JSON_BOOL)
            return bad(c, "true or false");
        return leat_wire_add_raw(&c->out, t->boolean ? "\1" : "\0", 1) ? LEAT_OK : full(c);
    case LEAT_NODE_INT:
    case LEAT_NODE_LONG:
        return read_integer(c, n, t);
    case LEAT_NODE_FLOAT:
    case LEAT_NODE_DOUBLE:
        return read_real(c, n, t);
    case LEAT_NODE_STRING:
    case LEAT_NODE_BYTES:
    case LEAT_NODE_FIXED:
        return read_text(c, n, t);
    case LEAT_NODE_ENUM:
        return read_enum(c, n, t);
    case LEAT_NODE_RECORD:
    case LEAT_NODE_ARRAY:
    case LEAT_NODE_MAP:
    case LEAT_NODE_UNION:
        break;
    }
    return read_nested(c, n, t, r);
}

static leat_status read_node(struct from_json *c, uint32_t node, struct leat_str json)
{
    const struct leat_node *n = leat_node_at(c->s, node);
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, json);
    leat_status st = leat_json_next(&r, &t, c->err);
    if (st != LEAT_OK)
        return st;
    if (n->kind == LEAT_NODE_UNION && n->optional)
        return read_optional(c, n, &t, json);
    if (n->kind == LEAT_NODE_UNION && c->as_default) {
        return leat_wire_add_long(&c->out, 0) ? read_node(c, c->s->branches[n->first], json)
                                              : full(c);
    }
    if (n->kind == LEAT_NODE_UNION)
        st = read_branch(c, n, &t, &r);
    else if (n->decimal && !c->as_default)
        st = read_decimal(c, n, &t);
    else
        st = read_kind(c, n, &t, &r);
    if (st != LEAT_OK)
        return st;
    return leat_json_next(&r, &t, c->err); /* nothing may follow */
}

static void free_arena(struct leat_arena **a)
{
    leat_arena_free(*a);
}

leat_status leat_node_from_json(const struct leat_schema *s, uint32_t node, struct leat_str json,
                                bool as_default, struct leat_buf *out, struct leat_error *err)
{
    LEAT_AUTO(free_arena) struct leat_arena *arena = leat_arena_new(ARENA_BYTES, 0);
    struct from_json c = {
        .s = s, .out = leat_wire_out_of(out), .arena = arena, .err = err, .as_default = as_default};
    leat_status st = read_node(&c, node, json);
    if (st != LEAT_OK) {
        leat_wire_out_cancel(&c.out);
    } else {
        leat_wire_out_done(&c.out);
    }
    return st;
}

leat_status leat_schema_from_json(const struct leat_schema *s, struct leat_str json,
                                  struct leat_buf *out, struct leat_error *err)
{
    LEAT_TRY(leat_node_from_json(s, s->top, json, false, out, err), err, "could not encode %s",
             leat_schema_name(s));
    return LEAT_OK;
}
