#include "codec/fields.h"

#include "base/hash.h"
#include "codec/json_walk.h"
#include "codec/nodes.h"

#define VALUE_BYTES_MAX ((size_t)16 << 20)

static leat_field_class class_of(leat_node_kind kind)
{
    switch (kind) {
    case LEAT_NODE_BOOL:
        return LEAT_FIELD_BOOL;
    case LEAT_NODE_INT:
    case LEAT_NODE_LONG:
        return LEAT_FIELD_INT;
    case LEAT_NODE_FLOAT:
    case LEAT_NODE_DOUBLE:
        return LEAT_FIELD_DOUBLE;
    case LEAT_NODE_STRING:
    case LEAT_NODE_ENUM:
        return LEAT_FIELD_TEXT;
    case LEAT_NODE_BYTES:
    case LEAT_NODE_FIXED:
        return LEAT_FIELD_BYTES;
    case LEAT_NODE_RECORD:
        return LEAT_FIELD_RECORD;
    case LEAT_NODE_ARRAY:
        return LEAT_FIELD_LIST;
    case LEAT_NODE_MAP:
        return LEAT_FIELD_MAP;
    case LEAT_NODE_NULL:
    case LEAT_NODE_UNION:
        break;
    }
    return LEAT_FIELD_OTHER;
}

/* A union of null and one other type is that type; one of several stays a union. */
static uint32_t plain(const struct leat_schema *s, uint32_t node)
{
    const struct leat_node *n = leat_node_at(s, node);
    return n->kind == LEAT_NODE_UNION && n->count == 2 ? leat_node_plain(s, node) : node;
}

/* The node of the path's last step; *ret_known steps were found. */
static uint32_t walk(const struct leat_schema *s, const struct leat_str *path, uint32_t n,
                     uint32_t *ret_known)
{
    uint32_t node = s->top;
    for (*ret_known = 0; *ret_known < n; (*ret_known)++) {
        const struct leat_node_field *f = leat_node_field_find(s, plain(s, node), path[*ret_known]);
        if (f == NULL)
            break;
        node = f->node;
    }
    return node;
}

uint64_t leat_schema_reading_hash(const struct leat_schema *s, const struct leat_str *path,
                                  uint32_t n, uint64_t seed)
{
    uint32_t node = s->top;
    for (uint32_t i = 0; i < n; i++) {
        const struct leat_node_field *f = leat_node_field_find(s, plain(s, node), path[i]);
        if (f == NULL)
            break;
        if (f->fallback.at != NULL)
            seed = leat_hash64(f->fallback.at, f->fallback.len, seed + i + 1);
        for (uint32_t a = 0; a < f->aliases.count; a++)
            seed = leat_hash64(f->aliases.at[a].at, f->aliases.at[a].len, seed + i + 1);
        node = f->node;
    }
    return seed;
}

bool leat_schema_field(const struct leat_schema *s, const struct leat_str *path, uint32_t n,
                       struct leat_field_info *ret, uint32_t *ret_known)
{
    uint32_t outer = walk(s, path, n, ret_known);
    const struct leat_node *node = leat_node_at(s, plain(s, outer));
    if (*ret_known < n)
        return false;
    *ret = (struct leat_field_info){.kind = class_of(node->kind),
                                    .nullable = leat_node_at(s, outer)->kind == LEAT_NODE_UNION,
                                    .type = leat_node_kind_name(node->kind)};
    if (node->kind == LEAT_NODE_ENUM) {
        ret->symbols = s->symbols + node->first;
        ret->symbol_count = node->count;
    }
    return true;
}

bool leat_schema_field_name(const struct leat_schema *s, const struct leat_str *path, uint32_t n,
                            uint32_t index, struct leat_str *ret)
{
    uint32_t known = 0;
    const struct leat_node *node = leat_node_at(s, plain(s, walk(s, path, n, &known)));
    if (known < n || node->kind != LEAT_NODE_RECORD || index >= node->count)
        return false;
    *ret = s->fields[node->first + index].name;
    return true;
}

struct leat_str leat_schema_misfit(const struct leat_schema *s, struct leat_str json)
{
    struct leat_json_reader r;
    struct leat_json_token key;
    struct leat_str value, ret = {"", 0};
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    bool more = true;
    leat_buf_init(&out, VALUE_BYTES_MAX);
    leat_json_reader_init(&r, json);
    if (leat_json_next(&r, &key, NULL) != LEAT_OK || key.kind != LEAT_JSON_OBJECT_BEGIN)
        return ret;
    while (ret.len == 0 && leat_json_member(&r, &key, &value, &more, NULL) == LEAT_OK && more) {
        const struct leat_node_field *f = leat_node_field_find(s, s->top, key.text);
        leat_buf_clear(&out);
        if (f != NULL && leat_node_from_json(s, f->node, value, false, &out, NULL) != LEAT_OK)
            ret = f->name;
    }
    return ret;
}
