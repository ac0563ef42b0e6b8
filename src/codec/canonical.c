/* canonical.c - Avro's parsing canonical form, and the 64-bit Rabin fingerprint
 * other tools print. */
#include "codec/nodes.h"

struct canon {
    const struct leat_schema *s;
    struct leat_buf *out;
    uint64_t defined[LEAT_SCHEMA_NODES_MAX / 64]; /* named types already written in full */
};

static void put_type(struct canon *c, uint32_t node);

static void put_str(struct canon *c, struct leat_str s)
{
    leat_buf_put(c->out, s.at, s.len);
}

static void put_full_name(struct canon *c, const struct leat_node *n)
{
    leat_buf_putc(c->out, '"');
    put_str(c, n->space);
    if (n->space.len > 0)
        leat_buf_putc(c->out, '.');
    put_str(c, n->name);
    leat_buf_putc(c->out, '"');
}

static void put_record(struct canon *c, const struct leat_node *n)
{
    leat_buf_puts(c->out, ",\"type\":\"record\",\"fields\":[");
    for (uint32_t i = 0; i < n->count; i++) {
        const struct leat_node_field *f = &c->s->fields[n->first + i];
        leat_buf_puts(c->out, i == 0 ? "{\"name\":\"" : ",{\"name\":\"");
        put_str(c, f->name);
        leat_buf_puts(c->out, "\",\"type\":");
        put_type(c, f->node);
        leat_buf_putc(c->out, '}');
    }
    leat_buf_puts(c->out, "]}");
}

static void put_enum(struct canon *c, const struct leat_node *n)
{
    leat_buf_puts(c->out, ",\"type\":\"enum\",\"symbols\":[");
    for (uint32_t i = 0; i < n->count; i++) {
        leat_buf_puts(c->out, i == 0 ? "\"" : ",\"");
        put_str(c, c->s->symbols[n->first + i]);
        leat_buf_putc(c->out, '"');
    }
    leat_buf_puts(c->out, "]}");
}

static void put_named(struct canon *c, uint32_t node)
{
    const struct leat_node *n = leat_node_at(c->s, node);
    uint64_t bit = UINT64_C(1) << (node % 64);
    if ((c->defined[node / 64] & bit) != 0) {
        put_full_name(c, n);
        return;
    }
    c->defined[node / 64] |= bit;
    leat_buf_puts(c->out, "{\"name\":");
    put_full_name(c, n);
    if (n->kind == LEAT_NODE_RECORD) {
        put_record(c, n);
    } else if (n->kind == LEAT_NODE_ENUM) {
        put_enum(c, n);
    } else {
        leat_buf_printf(c->out, ",\"type\":\"fixed\",\"size\":%u}", n->size);
    }
}

static void put_union(struct canon *c, const struct leat_node *n)
{
    for (uint32_t i = 0; i < n->count; i++) {
        leat_buf_putc(c->out, i == 0 ? '[' : ',');
        put_type(c, c->s->branches[n->first + i]);
    }
    leat_buf_putc(c->out, ']');
}

static void put_type(struct canon *c, uint32_t node)
{
    const struct leat_node *n = leat_node_at(c->s, node);
    if (n->kind == LEAT_NODE_UNION) {
        put_union(c, n);
    } else if (n->kind == LEAT_NODE_ARRAY || n->kind == LEAT_NODE_MAP) {
        leat_buf_puts(c->out, n->kind == LEAT_NODE_ARRAY ? "{\"type\":\"array\",\"items\":"
                                                         : "{\"type\":\"map\",\"values\":");
        put_type(c, n->item);
        leat_buf_putc(c->out, '}');
    } else if (n->kind == LEAT_NODE_RECORD || n->kind == LEAT_NODE_ENUM ||
               n->kind == LEAT_NODE_FIXED) {
        put_named(c, node);
    } else {
        leat_buf_printf(c->out, "\"%s\"", leat_node_kind_name(n->kind));
    }
}

void leat_schema_canonical(const struct leat_schema *s, uint32_t node, struct leat_buf *out)
{
    struct canon c = {.s = s, .out = out};
    put_type(&c, node);
}

/* Bit by bit: it runs once per schema. */
uint64_t leat_rabin64(struct leat_str text)
{
    const uint64_t empty = UINT64_C(0xc15d213aa4d7a795);
    uint64_t fp = empty;
    for (uint32_t i = 0; i < text.len; i++) {
        fp ^= (uint8_t)text.at[i];
        for (int bit = 0; bit < 8; bit++)
            fp = (fp >> 1) ^ (empty & (0 - (fp & 1)));
    }
    return fp;
}
