/* plan.c - compiling (writer's schema, struct) into steps. Runs once per pair. */
#include "codec/plan.h"

#include <stdlib.h>

#include "codec/values.h"

#define ARENA_BYTES 4096

struct pair { /* records already compiled, or being compiled: types may refer to themselves */
    uint32_t node;
    const struct leat_type *type;
    struct leat_steps *steps;
    struct pair *next;
};

struct compile {
    struct leat_plan *p;
    const struct leat_schema *writer;
    struct pair *pairs;
    struct leat_error *err;
};

static leat_status compile_record(struct compile *c, uint32_t node, const struct leat_type *type,
                                  const struct leat_steps **ret);

static const char *const kind_words[] = {
    [LEAT_KIND_BOOL] = "boolean",  [LEAT_KIND_INT] = "int",       [LEAT_KIND_LONG] = "long",
    [LEAT_KIND_FLOAT] = "float",   [LEAT_KIND_DOUBLE] = "double", [LEAT_KIND_STRING] = "string",
    [LEAT_KIND_BYTES] = "bytes",   [LEAT_KIND_ENUM] = "enum",     [LEAT_KIND_FIXED] = "fixed",
    [LEAT_KIND_RECORD] = "record", [LEAT_KIND_ARRAY] = "array",   [LEAT_KIND_MAP] = "map",
};

/* What Avro's resolution rules allow between scalars; -1 when nothing. */
static int scalar_step(leat_node_kind from, leat_kind to)
{
    static const struct {
        leat_node_kind from;
        leat_kind to;
        leat_step_code code;
    } rules[] = {
        {LEAT_NODE_BOOL, LEAT_KIND_BOOL, LEAT_STEP_BOOL},
        {LEAT_NODE_INT, LEAT_KIND_INT, LEAT_STEP_INT},
        {LEAT_NODE_INT, LEAT_KIND_LONG, LEAT_STEP_INT_TO_LONG},
        {LEAT_NODE_INT, LEAT_KIND_FLOAT, LEAT_STEP_INT_TO_FLOAT},
        {LEAT_NODE_INT, LEAT_KIND_DOUBLE, LEAT_STEP_INT_TO_DOUBLE},
        {LEAT_NODE_LONG, LEAT_KIND_LONG, LEAT_STEP_LONG},
        {LEAT_NODE_LONG, LEAT_KIND_FLOAT, LEAT_STEP_LONG_TO_FLOAT},
        {LEAT_NODE_LONG, LEAT_KIND_DOUBLE, LEAT_STEP_LONG_TO_DOUBLE},
        {LEAT_NODE_FLOAT, LEAT_KIND_FLOAT, LEAT_STEP_FLOAT},
        {LEAT_NODE_FLOAT, LEAT_KIND_DOUBLE, LEAT_STEP_FLOAT_TO_DOUBLE},
        {LEAT_NODE_DOUBLE, LEAT_KIND_DOUBLE, LEAT_STEP_DOUBLE},
        {LEAT_NODE_STRING, LEAT_KIND_STRING, LEAT_STEP_STRING},
        {LEAT_NODE_BYTES, LEAT_KIND_STRING, LEAT_STEP_STRING},
        {LEAT_NODE_STRING, LEAT_KIND_BYTES, LEAT_STEP_BYTES},
        {LEAT_NODE_BYTES, LEAT_KIND_BYTES, LEAT_STEP_BYTES},
    };
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (rules[i].from == from && rules[i].to == to)
            return (int)rules[i].code;
    }
    return -1;
}

static leat_status no_way(struct compile *c, const struct leat_field *f, leat_node_kind from)
{
    return leat_fail(c->err, LEAT_INVALID, "%s%s can't be read as %s", leat_node_kind_name(from),
                     from == LEAT_NODE_NULL ? " of a field that may not be null" : "",
                     kind_words[f->kind]);
}

static void compile_enum(struct compile *c, const struct leat_node *n, const struct leat_field *f,
                         struct leat_step *step)
{
    int32_t *map = leat_arena_zalloc(c->p->arena, n->count, sizeof *map);
    bool same = true;
    for (uint32_t i = 0; i < n->count; i++) {
        map[i] = -1;
        for (uint32_t k = 0; k < f->symbol_count && map[i] < 0; k++) {
            if (leat_str_eq(c->writer->symbols[n->first + i], leat_str_of(f->symbols[k])))
                map[i] = (int32_t)k;
        }
        same = same && map[i] == (int32_t)i;
    }
    step->code = LEAT_STEP_ENUM;
    step->size = n->count;
    step->symbols = same ? NULL : map;
}

static leat_status compile_value(struct compile *c, uint32_t node, const struct leat_field *f,
                                 struct leat_step *step);

static leat_status compile_items(struct compile *c, const struct leat_node *n,
                                 const struct leat_field *f, struct leat_step *step)
{
    struct leat_step *item = leat_arena_zalloc(c->p->arena, 1, sizeof *item);
    item->name = f->name;
    LEAT_TRY(compile_value(c, n->item, f->item, item), c->err, "items");
    step->code = n->kind == LEAT_NODE_MAP ? LEAT_STEP_MAP : LEAT_STEP_ARRAY;
    step->size = f->item_bytes;
    step->node = c->writer->nodes[n->item].bytes_min + (n->kind == LEAT_NODE_MAP ? 1 : 0);
    step->item = item;
    return LEAT_OK;
}

static leat_status compile_plain(struct compile *c, uint32_t node, const struct leat_field *f,
                                 struct leat_step *step)
{
    const struct leat_node *n = leat_node_at(c->writer, node);
    int code = scalar_step(n->kind, f->kind);
    if (code >= 0) {
        step->code = (uint8_t)code;
        return LEAT_OK;
    }
    if (n->kind == LEAT_NODE_NULL && f->has_offset >= 0) {
        step->code = LEAT_STEP_NULL;
    } else if (n->kind == LEAT_NODE_FIXED && f->kind == LEAT_KIND_FIXED) {
        step->code = LEAT_STEP_FIXED;
        step->size = n->size;
        if (n->size != f->item_bytes) {
            return leat_fail(c->err, LEAT_INVALID, "fixed of %u bytes can't be read as %u bytes",
                             n->size, f->item_bytes);
        }
    } else if (n->kind == LEAT_NODE_ENUM && f->kind == LEAT_KIND_ENUM) {
        compile_enum(c, n, f, step);
    } else if (n->kind == LEAT_NODE_RECORD && f->kind == LEAT_KIND_RECORD) {
        step->code = LEAT_STEP_RECORD;
        return compile_record(c, node, f->record, &step->record);
    } else if ((n->kind == LEAT_NODE_ARRAY && f->kind == LEAT_KIND_ARRAY) ||
               (n->kind == LEAT_NODE_MAP && f->kind == LEAT_KIND_MAP)) {
        return compile_items(c, n, f, step);
    } else {
        return no_way(c, f, n->kind);
    }
    return LEAT_OK;
}

static leat_status compile_value(struct compile *c, uint32_t node, const struct leat_field *f,
                                 struct leat_step *step)
{
    const struct leat_node *n = leat_node_at(c->writer, node);
    step->null_branch = n->kind == LEAT_NODE_UNION ? n->null_branch : LEAT_NO_UNION;
    step->offset = f->offset;
    step->has_offset = f->has_offset;
    return compile_plain(c, leat_node_plain(c->writer, node), f, step);
}

static const struct leat_field *reader_field(const struct leat_type *type, struct leat_str name)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (leat_str_eq(leat_field_name(&type->fields[i]), name))
            return &type->fields[i];
    }
    return NULL;
}

/* A default that zeroed memory already is. */
static bool is_zero_default(const struct leat_field *f)
{
    if (f->has_offset >= 0)
        return strcmp(f->fallback, "null") == 0;
    static const char *const zeros[] = {"0", "0.0", "false", "\"\"", "[]", "{}"};
    for (size_t i = 0; i < sizeof zeros / sizeof zeros[0]; i++) {
        if (strcmp(f->fallback, zeros[i]) == 0)
            return f->kind != LEAT_KIND_RECORD;
    }
    return false;
}

static leat_status compile_missing(struct compile *c, uint32_t node, const struct leat_type *type,
                                   struct leat_steps *steps)
{
    steps->fallback =
        leat_arena_zalloc(c->p->arena, type->field_count + (size_t)1, sizeof(struct leat_field *));
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct leat_field *f = &type->fields[i];
        if (leat_node_field_find(c->writer, node, leat_field_name(f)) != NULL)
            continue;
        if (f->fallback == NULL) {
            return leat_fail(c->err, LEAT_INVALID,
                             "field '%s' is not in the writer's schema and has no default",
                             f->name);
        }
        if (!is_zero_default(f))
            steps->fallback[steps->fallback_count++] = f;
    }
    return LEAT_OK;
}

static leat_status compile_fields(struct compile *c, uint32_t node, const struct leat_type *type,
                                  struct leat_steps *steps)
{
    const struct leat_node *n = leat_node_at(c->writer, node);
    steps->at = leat_arena_zalloc(c->p->arena, n->count + (size_t)1, sizeof *steps->at);
    steps->count = n->count;
    for (uint32_t i = 0; i < n->count; i++) {
        const struct leat_node_field *from = &c->writer->fields[n->first + i];
        const struct leat_field *to = reader_field(type, from->name);
        struct leat_step *step = &steps->at[i];
        step->name = from->name.at;
        if (to == NULL) {
            step->code = LEAT_STEP_SKIP;
            step->null_branch = LEAT_NO_UNION;
            step->has_offset = -1;
            step->node = from->node;
            continue;
        }
        LEAT_TRY(compile_value(c, from->node, to, step), c->err, "field '%s'", from->name.at);
    }
    return compile_missing(c, node, type, steps);
}

static leat_status compile_record(struct compile *c, uint32_t node, const struct leat_type *type,
                                  const struct leat_steps **ret)
{
    for (const struct pair *p = c->pairs; p != NULL; p = p->next) {
        if (p->node == node && p->type == type) {
            *ret = p->steps;
            return LEAT_OK;
        }
    }
    struct pair *pair = leat_arena_zalloc(c->p->arena, 1, sizeof *pair);
    struct leat_steps *steps = leat_arena_zalloc(c->p->arena, 1, sizeof *steps);
    *pair = (struct pair){node, type, steps, c->pairs};
    c->pairs = pair;
    *ret = steps;
    return compile_fields(c, node, type, steps);
}

static void freep(struct leat_plan **p)
{
    leat_plan_free(*p);
}

leat_status leat_plan_new(const struct leat_schema *writer, const struct leat_type *type,
                          struct leat_plan **ret, struct leat_error *err)
{
    LEAT_AUTO(freep) struct leat_plan *p = calloc(1, sizeof *p);
    if (p == NULL)
        return leat_fail(err, LEAT_FATAL, "out of memory");
    p->arena = leat_arena_new(ARENA_BYTES, 0);
    p->writer = writer;
    p->type = type;
    struct compile c = {.p = p, .writer = writer, .err = err};
    if (leat_node_at(writer, writer->top)->kind != LEAT_NODE_RECORD) {
        return leat_fail(err, LEAT_INVALID, "could not read %s as %s: not a record",
                         leat_schema_name(writer), type->name);
    }
    LEAT_TRY(compile_record(&c, writer->top, type, &p->top), err,
             "could not read schema '%s' as %s", leat_schema_name(writer), type->name);
    *ret = LEAT_TAKE(p);
    return LEAT_OK;
}

void leat_plan_free(struct leat_plan *p)
{
    if (p == NULL)
        return;
    leat_arena_free(p->arena);
    free(p);
}
