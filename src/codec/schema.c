/* schema.c - parsing a schema into nodes, and what holds for all of them. */
#include <stdlib.h>

#include "codec/nodes.h"

#define ARENA_BYTES         4096
#define CANONICAL_BYTES_MAX (4u << 20)
#define DEFAULT_BYTES_MAX   65536

static const char *const kind_names[] = {
    [LEAT_NODE_NULL] = "null",     [LEAT_NODE_BOOL] = "boolean",  [LEAT_NODE_INT] = "int",
    [LEAT_NODE_LONG] = "long",     [LEAT_NODE_FLOAT] = "float",   [LEAT_NODE_DOUBLE] = "double",
    [LEAT_NODE_STRING] = "string", [LEAT_NODE_BYTES] = "bytes",   [LEAT_NODE_FIXED] = "fixed",
    [LEAT_NODE_ENUM] = "enum",     [LEAT_NODE_RECORD] = "record", [LEAT_NODE_ARRAY] = "array",
    [LEAT_NODE_MAP] = "map",       [LEAT_NODE_UNION] = "union",
};

const char *leat_node_kind_name(leat_node_kind kind)
{
    return kind_names[kind];
}

const struct leat_node_field *leat_node_field_find(const struct leat_schema *s, uint32_t record,
                                                   struct leat_str name)
{
    const struct leat_node *n = &s->nodes[record];
    if (n->kind != LEAT_NODE_RECORD)
        return NULL;
    for (uint32_t i = 0; i < n->count; i++) {
        if (leat_str_eq(s->fields[n->first + i].name, name))
            return &s->fields[n->first + i];
    }
    return NULL;
}

struct leat_str leat_node_branch_name(const struct leat_schema *s, uint32_t node,
                                      struct leat_arena *arena)
{
    const struct leat_node *n = &s->nodes[node];
    if (n->name.at == NULL)
        return leat_str_of(kind_names[n->kind]);
    if (n->space.len == 0)
        return n->name;
    return leat_str_of(leat_arena_printf(arena, "%s.%s", n->space.at, n->name.at));
}

static uint32_t least_bytes_of(const struct leat_schema *s, const struct leat_node *n)
{
    uint64_t sum = 0;
    switch (n->kind) {
    case LEAT_NODE_NULL:
        return 0;
    case LEAT_NODE_FLOAT:
        return 4;
    case LEAT_NODE_DOUBLE:
        return 8;
    case LEAT_NODE_FIXED:
        return n->size;
    case LEAT_NODE_RECORD:
        for (uint32_t i = 0; i < n->count; i++)
            sum += s->nodes[s->fields[n->first + i].node].bytes_min;
        return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
    case LEAT_NODE_BOOL:
    case LEAT_NODE_INT:
    case LEAT_NODE_LONG:
    case LEAT_NODE_STRING:
    case LEAT_NODE_BYTES:
    case LEAT_NODE_ENUM:
    case LEAT_NODE_ARRAY:
    case LEAT_NODE_MAP:
    case LEAT_NODE_UNION:
        break;
    }
    return 1; /* a branch, a count, a length, a varint */
}

/* From 0 upwards until nothing changes: types may refer to each other in circles. */
static void fill_least_bytes(struct leat_schema *s)
{
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = s->node_count; i-- > 0;) {
            uint32_t least = least_bytes_of(s, &s->nodes[i]);
            changed |= least != s->nodes[i].bytes_min;
            s->nodes[i].bytes_min = least;
        }
    }
}

/* Else a few bytes could stand for any number of items. */
static leat_status check_items(const struct leat_schema *s, struct leat_error *err)
{
    for (uint32_t i = 0; i < s->node_count; i++) {
        const struct leat_node *n = &s->nodes[i];
        if (n->kind == LEAT_NODE_ARRAY && s->nodes[n->item].bytes_min == 0) {
            return leat_fail(err, LEAT_INVALID, "array items of type '%s' take no bytes",
                             leat_node_kind_name(s->nodes[n->item].kind));
        }
    }
    return LEAT_OK;
}

struct flatten {
    const struct leat_schema *s;
    uint32_t fields[LEAT_SCHEMA_NODES_MAX]; /* 0: not known, OPEN: being counted */
};

#define OPEN UINT32_MAX

static void free_flatten(struct flatten **w)
{
    free(*w);
}

/* Fields of a record and of those embedded in it: bounds the work and the struct of one value. */
static leat_status flatten(struct flatten *w, uint32_t node, uint32_t *ret, struct leat_error *err)
{
    const struct leat_node *n = &w->s->nodes[node];
    if (w->fields[node] == OPEN)
        return leat_fail(err, LEAT_INVALID, "%s '%s' contains itself", leat_node_kind_name(n->kind),
                         n->name.at == NULL ? "" : n->name.at);
    if (w->fields[node] != 0) {
        *ret = w->fields[node];
        return LEAT_OK;
    }
    uint32_t sum = 1;
    w->fields[node] = OPEN;
    bool embeds = n->kind == LEAT_NODE_RECORD || (n->kind == LEAT_NODE_UNION && !n->optional);
    for (uint32_t i = 0; embeds && i < n->count; i++) {
        uint32_t inner = 0;
        leat_status st = flatten(w,
                                 n->kind == LEAT_NODE_RECORD ? w->s->fields[n->first + i].node
                                                             : w->s->branches[n->first + i],
                                 &inner, err);
        if (st != LEAT_OK)
            return st;
        sum += inner;
        if (sum > LEAT_SCHEMA_FLAT_MAX) {
            return leat_fail(err, LEAT_INVALID, "%s '%s' embeds more than %d fields",
                             leat_node_kind_name(n->kind), n->name.at == NULL ? "" : n->name.at,
                             LEAT_SCHEMA_FLAT_MAX);
        }
    }
    *ret = w->fields[node] = sum;
    return LEAT_OK;
}

static leat_status check_records(const struct leat_schema *s, struct leat_error *err)
{
    LEAT_AUTO(free_flatten) struct flatten *w = calloc(1, sizeof *w);
    if (w == NULL)
        return leat_fail(err, LEAT_FATAL, "out of memory");
    w->s = s;
    leat_status st = LEAT_OK;
    for (uint32_t i = 0; st == LEAT_OK && i < s->node_count; i++) {
        uint32_t fields = 0;
        st = flatten(w, i, &fields, err);
    }
    return st;
}

static leat_status check_defaults(const struct leat_schema *s, struct leat_error *err)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf scratch;
    leat_buf_init(&scratch, DEFAULT_BYTES_MAX);
    for (uint32_t i = 0; i < s->field_count; i++) {
        const struct leat_node_field *f = &s->fields[i];
        if (f->fallback.at == NULL)
            continue;
        leat_buf_clear(&scratch);
        if (leat_node_from_json(s, f->node, f->fallback, true, &scratch, err) != LEAT_OK) {
            leat_error_wrap(err, "default of field '%s'", f->name.at);
            return leat_error_invalid(err);
        }
    }
    return LEAT_OK;
}

static void fill_fingerprint(struct leat_schema *s)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, CANONICAL_BYTES_MAX);
    leat_schema_canonical(s, s->top, &text);
    s->fingerprint = leat_rabin64(leat_buf_str(&text));
}

static void freep(struct leat_schema **s)
{
    leat_schema_free(*s);
}

leat_status leat_schema_parse(struct leat_str json, struct leat_schema **ret,
                              struct leat_error *err)
{
    LEAT_AUTO(freep) struct leat_schema *s = calloc(1, sizeof *s);
    if (s == NULL)
        return leat_fail(err, LEAT_FATAL, "out of memory");
    s->arena = leat_arena_new(ARENA_BYTES, 0);
    leat_status st = leat_avro_parse(json, s, err);
    if (st != LEAT_OK)
        return st;
    st = leat_schema_text(json, s, err);
    if (st == LEAT_OK)
        st = check_records(s, err);
    if (st == LEAT_OK) {
        fill_least_bytes(s);
        st = check_items(s, err);
    }
    if (st == LEAT_OK)
        st = check_defaults(s, err);
    if (st != LEAT_OK) {
        leat_error_wrap(err, "schema '%s'", leat_schema_name(s));
        return st;
    }
    fill_fingerprint(s);
    *ret = LEAT_TAKE(s);
    return LEAT_OK;
}

void leat_schema_free(struct leat_schema *s)
{
    if (s == NULL)
        return;
    leat_arena_free(s->arena);
    free(s);
}

const char *leat_schema_name(const struct leat_schema *s)
{
    const struct leat_node *top = &s->nodes[s->top];
    return top->name.at == NULL ? leat_node_kind_name(top->kind) : top->name.at;
}

uint64_t leat_schema_fingerprint(const struct leat_schema *s)
{
    return s->fingerprint;
}
