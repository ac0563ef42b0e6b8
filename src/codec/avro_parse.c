/* avro_parse.c - the only place that knows avro-c, and only as a parser of schemas: its tree
 * becomes our flat nodes. Its error text is one buffer per process, hence the lock. */
#include <avro.h>
#include <pthread.h>
#include <stdio.h>

#include "codec/nodes.h"

#define NAMED_MAX 512

struct builder {
    struct leat_schema *s;
    struct leat_error *err;
    int depth;
    uint32_t named_count;
    struct {
        avro_schema_t schema;
        uint32_t node;
    } named[NAMED_MAX];
};

static leat_status add_type(struct builder *b, avro_schema_t a, uint32_t *ret);

static struct leat_str keep(struct leat_schema *s, const char *text)
{
    if (text == NULL)
        return (struct leat_str){"", 0};
    struct leat_str from = leat_str_of(text);
    return (struct leat_str){leat_arena_cstr(s->arena, from), from.len};
}

static leat_status add_node(struct builder *b, leat_node_kind kind, uint32_t *ret)
{
    struct leat_schema *s = b->s;
    if (s->node_count >= LEAT_SCHEMA_NODES_MAX) {
        return leat_fail(b->err, LEAT_INVALID, "schema has more than %d types",
                         LEAT_SCHEMA_NODES_MAX);
    }
    s->nodes = leat_arena_grow(s->arena, s->nodes, sizeof *s->nodes, &s->node_cap,
                               s->node_count + (size_t)1);
    s->nodes[s->node_count] = (struct leat_node){.kind = kind, .enum_default = -1};
    *ret = s->node_count++;
    return LEAT_OK;
}

static leat_status add_named(struct builder *b, avro_schema_t a, leat_node_kind kind, uint32_t *ret)
{
    uint32_t node = 0;
    LEAT_TRY(add_node(b, kind, &node), b->err, "type '%s'", avro_schema_name(a));
    if (b->named_count == NAMED_MAX)
        return leat_fail(b->err, LEAT_INVALID, "schema has more than %d named types", NAMED_MAX);
    b->named[b->named_count].schema = a;
    b->named[b->named_count++].node = node;
    b->s->nodes[node].name = keep(b->s, avro_schema_name(a));
    b->s->nodes[node].space = keep(b->s, avro_schema_namespace(a));
    *ret = node;
    return LEAT_OK;
}

static leat_status add_record(struct builder *b, avro_schema_t a, uint32_t *ret)
{
    struct leat_schema *s = b->s;
    size_t count = avro_schema_record_size(a);
    if (count > LEAT_SCHEMA_FIELDS_MAX) {
        return leat_fail(b->err, LEAT_INVALID, "record '%s' has more than %d fields",
                         avro_schema_name(a), LEAT_SCHEMA_FIELDS_MAX);
    }
    uint32_t node = 0;
    leat_status st = add_named(b, a, LEAT_NODE_RECORD, &node);
    if (st != LEAT_OK)
        return st;
    uint32_t first = s->field_count;
    s->fields =
        leat_arena_grow(s->arena, s->fields, sizeof *s->fields, &s->field_cap, first + count);
    s->field_count += (uint32_t)count;
    s->nodes[node].first = first;
    s->nodes[node].count = (uint32_t)count;
    for (uint32_t i = 0; i < count; i++) {
        const char *name = avro_schema_record_field_name(a, (int)i);
        s->fields[first + i] = (struct leat_node_field){.name = keep(s, name)};
        uint32_t type = 0;
        LEAT_TRY(add_type(b, avro_schema_record_field_get_by_index(a, (int)i), &type), b->err,
                 "field '%s'", name);
        s->fields[first + i].node = type;
    }
    *ret = node;
    return LEAT_OK;
}

static leat_status add_enum(struct builder *b, avro_schema_t a, uint32_t *ret)
{
    struct leat_schema *s = b->s;
    uint32_t node = 0;
    leat_status st = add_named(b, a, LEAT_NODE_ENUM, &node);
    if (st != LEAT_OK)
        return st;
    uint32_t first = s->symbol_count;
    uint32_t count = (uint32_t)avro_schema_enum_number_of_symbols(a);
    if (count == 0)
        return leat_fail(b->err, LEAT_INVALID, "enum '%s' has no symbols", avro_schema_name(a));
    s->symbols = leat_arena_grow(s->arena, s->symbols, sizeof *s->symbols, &s->symbol_cap,
                                 (size_t)first + count);
    for (uint32_t i = 0; i < count; i++)
        s->symbols[first + i] = keep(s, avro_schema_enum_get(a, (int)i));
    s->symbol_count += count;
    s->nodes[node].first = first;
    s->nodes[node].count = count;
    *ret = node;
    return LEAT_OK;
}

static leat_status add_fixed(struct builder *b, avro_schema_t a, uint32_t *ret)
{
    int64_t size = avro_schema_fixed_size(a);
    if (size < 1 || size > 65536) {
        return leat_fail(b->err, LEAT_INVALID, "fixed '%s' has a size outside 1..65536",
                         avro_schema_name(a));
    }
    leat_status st = add_named(b, a, LEAT_NODE_FIXED, ret);
    if (st == LEAT_OK)
        b->s->nodes[*ret].size = (uint32_t)size;
    return st;
}

static leat_status add_items(struct builder *b, avro_schema_t items, leat_node_kind kind,
                             uint32_t *ret)
{
    uint32_t node = 0;
    uint32_t item = 0;
    leat_status st = add_node(b, kind, &node);
    if (st == LEAT_OK)
        st = add_type(b, items, &item);
    if (st != LEAT_OK)
        return st;
    b->s->nodes[node].item = item;
    *ret = node;
    return LEAT_OK;
}

static bool same_branch(const struct leat_node *a, const struct leat_node *b)
{
    return a->kind == b->kind && (a->name.at == NULL || (leat_str_eq(a->name, b->name) &&
                                                         leat_str_eq(a->space, b->space)));
}

/* Null and one other type make an optional value; any other union is told apart by its branch. */
static leat_status check_union(struct builder *b, uint32_t node)
{
    struct leat_schema *s = b->s;
    struct leat_node *n = &s->nodes[node];
    const uint32_t *branch = s->branches + n->first;
    n->item = node;
    if (n->count == 0)
        return leat_fail(b->err, LEAT_INVALID, "a union has no branches");
    for (uint32_t i = 0; i < n->count; i++) {
        if (s->nodes[branch[i]].kind == LEAT_NODE_UNION)
            return leat_fail(b->err, LEAT_INVALID, "a union is a branch of a union");
        for (uint32_t k = 0; k < i; k++) {
            if (same_branch(&s->nodes[branch[i]], &s->nodes[branch[k]])) {
                return leat_fail(b->err, LEAT_INVALID, "two branches of a union are both '%s'",
                                 s->nodes[branch[i]].name.at != NULL
                                     ? s->nodes[branch[i]].name.at
                                     : leat_node_kind_name(s->nodes[branch[i]].kind));
            }
        }
    }
    uint8_t null_branch = s->nodes[branch[0]].kind == LEAT_NODE_NULL ? 0 : 1;
    if (n->count != 2 || s->nodes[branch[null_branch]].kind != LEAT_NODE_NULL)
        return LEAT_OK;
    n->optional = true;
    n->null_branch = null_branch;
    n->item = branch[1 - null_branch];
    return LEAT_OK;
}

static leat_status add_union(struct builder *b, avro_schema_t a, uint32_t *ret)
{
    struct leat_schema *s = b->s;
    uint32_t node = 0;
    leat_status st = add_node(b, LEAT_NODE_UNION, &node);
    if (st != LEAT_OK)
        return st;
    uint32_t first = s->branch_count;
    uint32_t count = (uint32_t)avro_schema_union_size(a);
    if (count > LEAT_SCHEMA_BRANCHES_MAX) {
        return leat_fail(b->err, LEAT_INVALID, "a union has more than %d branches",
                         LEAT_SCHEMA_BRANCHES_MAX);
    }
    s->branches = leat_arena_grow(s->arena, s->branches, sizeof *s->branches, &s->branch_cap,
                                  (size_t)first + count);
    s->branch_count += count;
    s->nodes[node].first = first;
    s->nodes[node].count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t branch = 0;
        st = add_type(b, avro_schema_union_branch(a, (int)i), &branch);
        if (st != LEAT_OK)
            return st;
        s->branches[first + i] = branch;
    }
    *ret = node;
    return check_union(b, node);
}

static leat_status add_link(struct builder *b, avro_schema_t a, uint32_t *ret)
{
    avro_schema_t target = avro_schema_link_target(a);
    for (uint32_t i = 0; i < b->named_count; i++) {
        if (b->named[i].schema != target)
            continue;
        *ret = b->named[i].node;
        return LEAT_OK;
    }
    return leat_fail(b->err, LEAT_INVALID, "type '%s' is used before it is defined",
                     avro_schema_name(target));
}

static leat_status add_of_kind(struct builder *b, avro_schema_t a, uint32_t *ret)
{
    switch (avro_typeof(a)) {
    case AVRO_STRING:
        return add_node(b, LEAT_NODE_STRING, ret);
    case AVRO_BYTES:
        return add_node(b, LEAT_NODE_BYTES, ret);
    case AVRO_INT32:
        return add_node(b, LEAT_NODE_INT, ret);
    case AVRO_INT64:
        return add_node(b, LEAT_NODE_LONG, ret);
    case AVRO_FLOAT:
        return add_node(b, LEAT_NODE_FLOAT, ret);
    case AVRO_DOUBLE:
        return add_node(b, LEAT_NODE_DOUBLE, ret);
    case AVRO_BOOLEAN:
        return add_node(b, LEAT_NODE_BOOL, ret);
    case AVRO_NULL:
        return add_node(b, LEAT_NODE_NULL, ret);
    case AVRO_RECORD:
        return add_record(b, a, ret);
    case AVRO_ENUM:
        return add_enum(b, a, ret);
    case AVRO_FIXED:
        return add_fixed(b, a, ret);
    case AVRO_MAP:
        return add_items(b, avro_schema_map_values(a), LEAT_NODE_MAP, ret);
    case AVRO_ARRAY:
        return add_items(b, avro_schema_array_items(a), LEAT_NODE_ARRAY, ret);
    case AVRO_UNION:
        return add_union(b, a, ret);
    case AVRO_LINK:
        return add_link(b, a, ret);
    }
    return leat_fail(b->err, LEAT_INVALID, "unknown kind of type");
}

static leat_status add_type(struct builder *b, avro_schema_t a, uint32_t *ret)
{
    if (b->depth == LEAT_SCHEMA_DEPTH_MAX) {
        return leat_fail(b->err, LEAT_INVALID, "types are nested deeper than %d",
                         LEAT_SCHEMA_DEPTH_MAX);
    }
    b->depth++;
    leat_status st = add_of_kind(b, a, ret);
    b->depth--;
    return st;
}

static leat_status parse_text(struct leat_str json, avro_schema_t *ret, struct leat_error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    leat_status st = LEAT_OK;
    (void)pthread_mutex_lock(&lock);
    if (json.len == 0 || avro_schema_from_json_length(json.at, json.len, ret) != 0) {
        const char *why = json.len == 0 ? "the text is empty" : avro_strerror();
        st = leat_fail(err, LEAT_INVALID, "not an Avro schema: %.*s", (int)strcspn(why, "\n"), why);
    }
    (void)pthread_mutex_unlock(&lock);
    return st;
}

static void decref(avro_schema_t *a)
{
    if (*a != NULL)
        (void)avro_schema_decref(*a);
}

leat_status leat_avro_parse(struct leat_str json, struct leat_schema *s, struct leat_error *err)
{
    LEAT_AUTO(decref) avro_schema_t a = NULL;
    leat_status st = parse_text(json, &a, err);
    if (st != LEAT_OK)
        return st;
    leat_assert(a != NULL);
    struct builder b = {.s = s, .err = err};
    st = add_type(&b, a, &s->top);
    if (st != LEAT_OK && is_avro_named_type(a))
        leat_error_wrap(err, "schema '%s'", avro_schema_name(a));
    return st;
}
