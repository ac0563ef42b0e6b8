#include "codec/plan.h"
#include "codec/wire.h"

static bool skip_raw(struct leat_wire_in *in, size_t len)
{
    if (leat_wire_left(in) < len)
        return false;
    in->at += len;
    return true;
}

static bool skip_record(const struct leat_schema *s, const struct leat_node *n,
                        struct leat_wire_in *in, int depth)
{
    for (uint32_t i = 0; i < n->count; i++) {
        if (!leat_node_skip(s, s->fields[n->first + i].node, in, depth))
            return false;
    }
    return true;
}

static bool skip_block(const struct leat_schema *s, const struct leat_node *n, uint32_t count,
                       struct leat_wire_in *in, int depth)
{
    struct leat_str key;
    for (uint32_t i = 0; i < count; i++) {
        if (n->kind == LEAT_NODE_MAP && !leat_wire_bytes(in, &key))
            return false;
        if (!leat_node_skip(s, n->item, in, depth))
            return false;
    }
    return true;
}

static bool skip_items(const struct leat_schema *s, const struct leat_node *n,
                       struct leat_wire_in *in, int depth)
{
    uint32_t least = s->nodes[n->item].bytes_min + (n->kind == LEAT_NODE_MAP ? 1 : 0);
    for (;;) {
        uint32_t count = 0;
        int64_t bytes = -1;
        if (!leat_wire_block(in, least, &count, &bytes))
            return false;
        if (count == 0)
            return true;
        /* A block may say how long it is; one that lies must not be read in two ways. */
        if (!skip_block(s, n, count, in, depth))
            return false;
    }
}

bool leat_node_skip(const struct leat_schema *s, uint32_t node, struct leat_wire_in *in, int depth)
{
    const struct leat_node *n = leat_node_at(s, node);
    int64_t v = 0;
    uint32_t len = 0;
    if (depth > LEAT_SCHEMA_DEPTH_MAX)
        return false;
    switch (n->kind) {
    case LEAT_NODE_NULL:
        return true;
    case LEAT_NODE_BOOL:
        return skip_raw(in, 1);
    case LEAT_NODE_INT:
    case LEAT_NODE_LONG:
    case LEAT_NODE_ENUM:
        return leat_wire_long(in, &v);
    case LEAT_NODE_FLOAT:
        return skip_raw(in, 4);
    case LEAT_NODE_DOUBLE:
        return skip_raw(in, 8);
    case LEAT_NODE_FIXED:
        return skip_raw(in, n->size);
    case LEAT_NODE_STRING:
    case LEAT_NODE_BYTES:
        return leat_wire_length(in, &len) && skip_raw(in, len);
    case LEAT_NODE_RECORD:
        return skip_record(s, n, in, depth + 1);
    case LEAT_NODE_ARRAY:
    case LEAT_NODE_MAP:
        return skip_items(s, n, in, depth + 1);
    case LEAT_NODE_UNION:
        return leat_wire_long(in, &v) && v >= 0 && v < n->count &&
               leat_node_skip(s, s->branches[n->first + (uint32_t)v], in, depth);
    }
    return false;
}
