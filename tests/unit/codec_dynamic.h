/* codec_dynamic.h - C types made from a schema at run time: what `leat gen` fixes at compile time,
 * for tests that need many. */
#ifndef LEAT_TESTS_CODEC_DYNAMIC_H
#define LEAT_TESTS_CODEC_DYNAMIC_H

#include <stdio.h>
#include <stdlib.h>

#include "codec/codec.h"
#include "codec/nodes.h"
#include "codec/values.h"

struct dynamic {
    struct leat_arena *arena;
    const struct leat_schema *schema;
    struct leat_type **types; /* by node */
};

static uint32_t dynamic_size(struct dynamic *d, uint32_t node);
static const struct leat_type *dynamic_record(struct dynamic *d, uint32_t node);

static uint32_t dynamic_up(uint32_t offset, uint32_t align)
{
    return (offset + align - 1) & ~(align - 1);
}

static uint32_t dynamic_align(struct dynamic *d, uint32_t node)
{
    const struct leat_node *n = leat_node_at(d->schema, node);
    switch (n->kind) {
    case LEAT_NODE_BOOL:
    case LEAT_NODE_FIXED:
    case LEAT_NODE_NULL:
        return 1;
    case LEAT_NODE_INT:
    case LEAT_NODE_FLOAT:
    case LEAT_NODE_ENUM:
        return 4;
    case LEAT_NODE_UNION:
        return n->optional ? dynamic_align(d, n->item) : 8;
    case LEAT_NODE_LONG:
    case LEAT_NODE_DOUBLE:
    case LEAT_NODE_STRING:
    case LEAT_NODE_BYTES:
    case LEAT_NODE_RECORD:
    case LEAT_NODE_ARRAY:
    case LEAT_NODE_MAP:
        break;
    }
    return 8;
}

/* Of a record, without its descriptors: they may be under way. */
static uint32_t dynamic_record_size(struct dynamic *d, uint32_t node)
{
    const struct leat_node *n = leat_node_at(d->schema, node);
    uint32_t offset = 0;
    for (uint32_t i = 0; i < n->count; i++) {
        uint32_t f = d->schema->fields[n->first + i].node;
        if (d->schema->nodes[f].optional)
            offset++;
        offset = dynamic_up(offset, dynamic_align(d, f));
        offset += dynamic_size(d, leat_node_plain(d->schema, f));
    }
    return offset == 0 ? 8 : dynamic_up(offset, 8);
}

static const leat_kind dynamic_kinds[] = {
    [LEAT_NODE_BOOL] = LEAT_KIND_BOOL,     [LEAT_NODE_INT] = LEAT_KIND_INT,
    [LEAT_NODE_LONG] = LEAT_KIND_LONG,     [LEAT_NODE_FLOAT] = LEAT_KIND_FLOAT,
    [LEAT_NODE_DOUBLE] = LEAT_KIND_DOUBLE, [LEAT_NODE_STRING] = LEAT_KIND_STRING,
    [LEAT_NODE_BYTES] = LEAT_KIND_BYTES,   [LEAT_NODE_FIXED] = LEAT_KIND_FIXED,
    [LEAT_NODE_ENUM] = LEAT_KIND_ENUM,     [LEAT_NODE_RECORD] = LEAT_KIND_RECORD,
    [LEAT_NODE_ARRAY] = LEAT_KIND_ARRAY,   [LEAT_NODE_MAP] = LEAT_KIND_MAP,
    [LEAT_NODE_NULL] = LEAT_KIND_NULL,     [LEAT_NODE_UNION] = LEAT_KIND_UNION,
};

/* Lays `node` out from *offset on. */
static void dynamic_field(struct dynamic *d, uint32_t node, struct leat_str name, uint32_t *offset,
                          struct leat_field *f)
{
    const struct leat_node *u = leat_node_at(d->schema, node);
    const struct leat_node *n = leat_node_at(d->schema, leat_node_plain(d->schema, node));
    *f = (struct leat_field){.name = name.at,
                             .name_len = (uint16_t)name.len,
                             .kind = dynamic_kinds[n->kind],
                             .has_offset = -1};
    if (u->optional) {
        f->has_offset = (int32_t)(*offset)++;
        f->null_branch = u->null_branch;
    }
    f->offset = *offset = dynamic_up(*offset, dynamic_align(d, node));
    *offset += dynamic_size(d, (uint32_t)(n - d->schema->nodes));
    if (n->kind == LEAT_NODE_RECORD)
        f->record = dynamic_record(d, (uint32_t)(n - d->schema->nodes));
    if (n->kind == LEAT_NODE_FIXED)
        f->item_bytes = n->size;
    if (n->decimal) {
        f->symbol_count = n->precision;
        f->decimals = (uint8_t)(n->scale + 1);
    }
    if (n->kind == LEAT_NODE_UNION) {
        struct leat_field *branches = leat_arena_zalloc(d->arena, n->count, sizeof *branches);
        for (uint32_t i = 0; i < n->count; i++) {
            uint32_t branch = d->schema->branches[n->first + i];
            uint32_t at = 8;
            dynamic_field(d, branch, leat_node_branch_name(d->schema, branch, d->arena), &at,
                          &branches[i]);
        }
        f->item = branches;
        f->symbol_count = n->count;
        f->item_bytes = dynamic_size(d, (uint32_t)(n - d->schema->nodes));
    }
    if (n->kind == LEAT_NODE_ENUM) {
        const char **symbols = leat_arena_zalloc(d->arena, n->count, sizeof *symbols);
        for (uint32_t i = 0; i < n->count; i++)
            symbols[i] = d->schema->symbols[n->first + i].at;
        f->symbols = symbols;
        f->symbol_count = n->count;
    }
    if (n->kind == LEAT_NODE_ARRAY || n->kind == LEAT_NODE_MAP) {
        struct leat_field *item = leat_arena_zalloc(d->arena, 1, sizeof *item);
        uint32_t bytes = n->kind == LEAT_NODE_MAP ? sizeof(struct leat_str) : 0;
        dynamic_field(d, n->item, name, &bytes, item);
        f->item = item;
        f->item_bytes = dynamic_up(bytes, 8);
    }
}

static const struct leat_type *dynamic_record(struct dynamic *d, uint32_t node)
{
    const struct leat_node *n = leat_node_at(d->schema, node);
    if (d->types[node] != NULL)
        return d->types[node];
    struct leat_type *t = leat_arena_zalloc(d->arena, 1, sizeof *t);
    struct leat_field *fields = leat_arena_zalloc(d->arena, n->count + (size_t)1, sizeof *fields);
    uint32_t offset = 0;
    d->types[node] = t;
    *t = (struct leat_type){.name = n->name.at, .fields = fields, .field_count = n->count};
    for (uint32_t i = 0; i < n->count; i++) {
        const struct leat_node_field *f = &d->schema->fields[n->first + i];
        dynamic_field(d, f->node, f->name, &offset, &fields[i]);
        fields[i].fallback = f->fallback.at;
    }
    t->size = dynamic_record_size(d, node);
    return t;
}

static uint32_t dynamic_size(struct dynamic *d, uint32_t node)
{
    const struct leat_node *n = leat_node_at(d->schema, node);
    switch (n->kind) {
    case LEAT_NODE_BOOL:
        return 1;
    case LEAT_NODE_INT:
    case LEAT_NODE_FLOAT:
    case LEAT_NODE_ENUM:
        return 4;
    case LEAT_NODE_FIXED:
        return n->size;
    case LEAT_NODE_RECORD:
        return dynamic_record_size(d, node);
    case LEAT_NODE_STRING:
    case LEAT_NODE_BYTES:
    case LEAT_NODE_ARRAY:
    case LEAT_NODE_MAP:
        return 16;
    case LEAT_NODE_UNION: {
        uint32_t most = 0;
        for (uint32_t i = 0; i < n->count; i++) {
            uint32_t size = dynamic_size(d, d->schema->branches[n->first + i]);
            most = size > most ? size : most;
        }
        return 8 + dynamic_up(most, 8);
    }
    case LEAT_NODE_NULL:
    case LEAT_NODE_LONG:
    case LEAT_NODE_DOUBLE:
        break;
    }
    return 8;
}

/* The struct type of a schema's top record; memory from `arena`. */
static inline const struct leat_type *dynamic_type(struct leat_arena *arena,
                                                   const struct leat_schema *schema)
{
    struct dynamic d = {.arena = arena, .schema = schema};
    d.types = leat_arena_zalloc(arena, schema->node_count, sizeof(struct leat_type *));
    return dynamic_record(&d, schema->top);
}

#endif
