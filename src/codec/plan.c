/* plan.c - compiling (writer's schema, struct) into steps. Runs once per pair. */
#include "codec/plan.h"

#include <stdlib.h>

#include "codec/decimal.h"
#include "codec/values.h"

#define ARENA_BYTES 4096

#define NO_NODE UINT32_MAX

struct pair { /* records already compiled, or being compiled: types may refer to themselves */
    uint32_t node;
    const struct leat_type *type;
    struct leat_steps *steps;
    struct pair *next;
};

struct compile {
    struct leat_plan *p;
    const struct leat_schema *writer;
    struct leat_schema *reader; /* the struct's own schema: aliases, enum defaults; or NULL */
    struct pair *pairs;
    struct leat_error *err;
};

struct to { /* where a value goes */
    const struct leat_field *field;
    uint32_t node; /* of the reader's schema, a union with null looked through; or NO_NODE */
};

static leat_status compile_record(struct compile *c, uint32_t node, const struct leat_type *type,
                                  uint32_t reader, const struct leat_steps **ret);
static leat_status compile_value(struct compile *c, uint32_t node, struct to to,
                                 struct leat_step *step);

static const char *const kind_words[] = {
    [LEAT_KIND_BOOL] = "boolean",  [LEAT_KIND_INT] = "int",       [LEAT_KIND_LONG] = "long",
    [LEAT_KIND_FLOAT] = "float",   [LEAT_KIND_DOUBLE] = "double", [LEAT_KIND_STRING] = "string",
    [LEAT_KIND_BYTES] = "bytes",   [LEAT_KIND_ENUM] = "enum",     [LEAT_KIND_FIXED] = "fixed",
    [LEAT_KIND_RECORD] = "record", [LEAT_KIND_ARRAY] = "array",   [LEAT_KIND_MAP] = "map",
    [LEAT_KIND_NULL] = "null",     [LEAT_KIND_UNION] = "union",
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

/* NO_NODE when the struct came without a schema, or with one of another shape. */
static const struct leat_node *reader_node(const struct compile *c, uint32_t node)
{
    return c->reader == NULL || node == NO_NODE ? NULL : leat_node_at(c->reader, node);
}

static uint32_t reader_item(const struct compile *c, uint32_t node)
{
    const struct leat_node *n = reader_node(c, node);
    if (n == NULL || (n->kind != LEAT_NODE_ARRAY && n->kind != LEAT_NODE_MAP))
        return NO_NODE;
    return leat_node_plain(c->reader, n->item);
}

static uint32_t reader_branch(const struct compile *c, uint32_t node, uint32_t i)
{
    const struct leat_node *n = reader_node(c, node);
    if (n == NULL || n->kind != LEAT_NODE_UNION || i >= n->count)
        return NO_NODE;
    return c->reader->branches[n->first + i];
}

static void compile_enum(struct compile *c, const struct leat_node *n, struct to to,
                         struct leat_step *step)
{
    const struct leat_field *f = to.field;
    const struct leat_node *reader = reader_node(c, to.node);
    int32_t unknown = reader != NULL && reader->kind == LEAT_NODE_ENUM ? reader->enum_default : -1;
    int32_t *map = leat_arena_zalloc(c->p->arena, n->count, sizeof *map);
    bool same = true;
    for (uint32_t i = 0; i < n->count; i++) {
        map[i] = -1;
        for (uint32_t k = 0; k < f->symbol_count && map[i] < 0; k++) {
            if (leat_str_eq(c->writer->symbols[n->first + i], leat_str_of(f->symbols[k])))
                map[i] = (int32_t)k;
        }
        if (map[i] < 0)
            map[i] = unknown;
        same = same && map[i] == (int32_t)i;
    }
    step->code = LEAT_STEP_ENUM;
    step->size = n->count;
    step->symbols = same ? NULL : map;
}

static leat_status compile_items(struct compile *c, const struct leat_node *n, struct to to,
                                 struct leat_step *step)
{
    struct leat_step *item = leat_arena_zalloc(c->p->arena, 1, sizeof *item);
    item->name = to.field->name;
    struct to inner = {to.field->item, reader_item(c, to.node)};
    LEAT_TRY(compile_value(c, n->item, inner, item), c->err, "items");
    step->code = n->kind == LEAT_NODE_MAP ? LEAT_STEP_MAP : LEAT_STEP_ARRAY;
    step->size = to.field->item_bytes;
    step->node = c->writer->nodes[n->item].bytes_min + (n->kind == LEAT_NODE_MAP ? 1 : 0);
    step->item = item;
    return LEAT_OK;
}

/* "-millis" of "timestamp-millis". */
static const char *unit_of(const struct leat_node *n)
{
    bool is_time = strncmp(n->logical.at == NULL ? "" : n->logical.at, "time", 4) == 0 ||
                   strncmp(n->logical.at == NULL ? "" : n->logical.at, "local-", 6) == 0;
    return is_time ? strrchr(n->logical.at, '-') : NULL;
}

/* The same bytes would be another number: that is worse than not reading them. */
static leat_status check_logical(struct compile *c, const struct leat_node *n, struct to to)
{
    const struct leat_node *reader = reader_node(c, to.node);
    if (n->decimal && to.field->decimals > 0 && n->scale != to.field->decimals - 1u) {
        return leat_fail(c->err, LEAT_INVALID, "decimal of scale %u can't be read as scale %u",
                         n->scale, to.field->decimals - 1u);
    }
    const char *from = unit_of(n);
    const char *into = reader == NULL ? NULL : unit_of(reader);
    if (from != NULL && into != NULL && strcmp(from, into) != 0) {
        return leat_fail(c->err, LEAT_INVALID, "%s can't be read as %s", n->logical.at,
                         reader->logical.at);
    }
    return LEAT_OK;
}

static leat_status compile_plain(struct compile *c, uint32_t node, struct to to,
                                 struct leat_step *step)
{
    const struct leat_node *n = leat_node_at(c->writer, node);
    const struct leat_field *f = to.field;
    int code = scalar_step(n->kind, f->kind);
    leat_status st = check_logical(c, n, to);
    if (st != LEAT_OK)
        return st;
    if (code >= 0) {
        step->code = (uint8_t)code;
        step->size = n->decimal || f->decimals > 0 ? LEAT_DECIMAL_BYTES_MAX : 0;
        return LEAT_OK;
    }
    if (n->kind == LEAT_NODE_NULL && (f->has_offset >= 0 || f->kind == LEAT_KIND_NULL)) {
        step->code = LEAT_STEP_NULL;
    } else if (n->kind == LEAT_NODE_FIXED && f->kind == LEAT_KIND_FIXED) {
        step->code = LEAT_STEP_FIXED;
        step->size = n->size;
        if (n->size != f->item_bytes) {
            return leat_fail(c->err, LEAT_INVALID, "fixed of %u bytes can't be read as %u bytes",
                             n->size, f->item_bytes);
        }
    } else if (n->kind == LEAT_NODE_ENUM && f->kind == LEAT_KIND_ENUM) {
        compile_enum(c, n, to, step);
    } else if (n->kind == LEAT_NODE_RECORD && f->kind == LEAT_KIND_RECORD) {
        step->code = LEAT_STEP_RECORD;
        return compile_record(c, node, f->record, to.node, &step->record);
    } else if ((n->kind == LEAT_NODE_ARRAY && f->kind == LEAT_KIND_ARRAY) ||
               (n->kind == LEAT_NODE_MAP && f->kind == LEAT_KIND_MAP)) {
        return compile_items(c, n, to, step);
    } else {
        return no_way(c, f, n->kind);
    }
    return LEAT_OK;
}

/* A branch of the struct's union that is of the very type; named types by name or alias. */
static bool is_same(const struct compile *c, const struct leat_node *n, struct to to)
{
    static const uint8_t kinds[] = {
        [LEAT_NODE_NULL] = LEAT_KIND_NULL,     [LEAT_NODE_BOOL] = LEAT_KIND_BOOL,
        [LEAT_NODE_INT] = LEAT_KIND_INT,       [LEAT_NODE_LONG] = LEAT_KIND_LONG,
        [LEAT_NODE_FLOAT] = LEAT_KIND_FLOAT,   [LEAT_NODE_DOUBLE] = LEAT_KIND_DOUBLE,
        [LEAT_NODE_STRING] = LEAT_KIND_STRING, [LEAT_NODE_BYTES] = LEAT_KIND_BYTES,
        [LEAT_NODE_FIXED] = LEAT_KIND_FIXED,   [LEAT_NODE_ENUM] = LEAT_KIND_ENUM,
        [LEAT_NODE_RECORD] = LEAT_KIND_RECORD, [LEAT_NODE_ARRAY] = LEAT_KIND_ARRAY,
        [LEAT_NODE_MAP] = LEAT_KIND_MAP,       [LEAT_NODE_UNION] = LEAT_KIND_UNION,
    };
    if (kinds[n->kind] != to.field->kind)
        return false;
    if (n->name.at == NULL)
        return true;
    const char *dot = strrchr(to.field->name, '.');
    if (strcmp(dot == NULL ? to.field->name : dot + 1, n->name.at) == 0)
        return true;
    const struct leat_node *reader = reader_node(c, to.node);
    for (uint32_t i = 0; reader != NULL && i < reader->aliases.count; i++) {
        if (leat_str_eq(reader->aliases.at[i], n->name))
            return true;
    }
    return false;
}

/* Which branch of the struct's union takes the writer's type: the same one, else the first that it
 * can become; NO_WAY when there is none. */
static leat_status compile_branch(struct compile *c, uint32_t node, struct to to,
                                  struct leat_step *step)
{
    const struct leat_node *n = leat_node_at(c->writer, node);
    for (int exact = 1; exact >= 0; exact--) {
        for (uint32_t i = 0; i < to.field->symbol_count; i++) {
            struct to branch = {&to.field->item[i], reader_branch(c, to.node, i)};
            if (exact == 1 ? !is_same(c, n, branch)
                           : n->name.at != NULL || scalar_step(n->kind, branch.field->kind) < 0)
                continue;
            step->is = (int32_t)i;
            step->name = to.field->name;
            return compile_value(c, node, branch, step);
        }
    }
    step->code = LEAT_STEP_NO_WAY;
    step->name = to.field->name;
    step->null_branch = LEAT_NO_UNION;
    step->has_offset = -1;
    return LEAT_OK;
}

/* One step for each branch of the writer's union, or for the one type it is. */
static leat_status compile_branches(struct compile *c, uint32_t node, struct to to,
                                    struct leat_step *step)
{
    const struct leat_node *n = leat_node_at(c->writer, node);
    bool is_union = n->kind == LEAT_NODE_UNION;
    bool any = false;
    struct pair *known = c->pairs;
    uint32_t count = is_union ? n->count : 1;
    struct leat_step *branches = leat_arena_zalloc(c->p->arena, count, sizeof *branches);
    step->size = is_union ? count : 0;
    step->branches = branches;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t from = is_union ? c->writer->branches[n->first + i] : node;
        branches[i].name = to.field->name;
        if (step->code == LEAT_STEP_UNION) {
            leat_status st = compile_branch(c, from, to, &branches[i]);
            if (st != LEAT_OK)
                return st;
        } else if (compile_value(c, from, to, &branches[i]) != LEAT_OK) {
            branches[i].code = LEAT_STEP_NO_WAY;
            branches[i].null_branch = LEAT_NO_UNION;
            c->pairs = known; /* what was compiled for it is not complete */
        }
        any = any || branches[i].code != LEAT_STEP_NO_WAY;
    }
    return any ? LEAT_OK : no_way(c, to.field, n->kind);
}

static leat_status compile_value(struct compile *c, uint32_t node, struct to to,
                                 struct leat_step *step)
{
    const struct leat_node *n = leat_node_at(c->writer, node);
    step->null_branch = LEAT_NO_UNION;
    step->offset = to.field->offset;
    step->has_offset = to.field->has_offset;
    if (to.field->kind == LEAT_KIND_UNION || (n->kind == LEAT_NODE_UNION && !n->optional)) {
        step->code = to.field->kind == LEAT_KIND_UNION ? LEAT_STEP_UNION : LEAT_STEP_BRANCH;
        return compile_branches(c, node, to, step);
    }
    if (n->kind == LEAT_NODE_UNION)
        step->null_branch = n->null_branch;
    return compile_plain(c, leat_node_plain(c->writer, node), to, step);
}

/* Which of the writer's fields goes into this one: that of its name, else of one of its aliases. */
static const struct leat_node_field *writer_field(const struct compile *c, uint32_t node,
                                                  const struct leat_field *f, uint32_t i,
                                                  uint32_t reader)
{
    const struct leat_node_field *from = leat_node_field_find(c->writer, node, leat_field_name(f));
    const struct leat_node *r = reader_node(c, reader);
    if (from != NULL || r == NULL)
        return from;
    const struct leat_aliases *aliases = &c->reader->fields[r->first + i].aliases;
    for (uint32_t k = 0; from == NULL && k < aliases->count; k++)
        from = leat_node_field_find(c->writer, node, aliases->at[k]);
    return from;
}

/* Of a struct's value. */
static uint32_t size_of(const struct leat_field *f)
{
    switch (f->kind) {
    case LEAT_KIND_BOOL:
        return sizeof(bool);
    case LEAT_KIND_INT:
    case LEAT_KIND_FLOAT:
    case LEAT_KIND_ENUM:
        return sizeof(int32_t);
    case LEAT_KIND_LONG:
    case LEAT_KIND_DOUBLE:
        return sizeof(int64_t);
    case LEAT_KIND_STRING:
    case LEAT_KIND_BYTES:
        return sizeof(struct leat_str);
    case LEAT_KIND_ARRAY:
    case LEAT_KIND_MAP:
        return sizeof(struct leat_items);
    case LEAT_KIND_RECORD:
        return (uint32_t)f->record->size;
    case LEAT_KIND_FIXED:
    case LEAT_KIND_UNION:
        return f->item_bytes;
    case LEAT_KIND_NULL:
        break;
    }
    return 0;
}

static bool is_zero(const char *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (at[i] != 0)
            return false;
    }
    return true;
}

static leat_status compile_missing(struct compile *c, const struct leat_type *type, uint32_t i,
                                   struct leat_steps *steps)
{
    const struct leat_field *f = &type->fields[i];
    if (f->fallback == NULL) {
        return leat_fail(c->err, LEAT_INVALID,
                         "field '%s' is not in the writer's schema and has no default", f->name);
    }
    char *value = leat_arena_zalloc(c->p->arena, 1, type->size);
    leat_status st = leat_field_set_default(f, c->p->arena, value, c->err);
    if (st != LEAT_OK)
        return leat_error_invalid(c->err);
    uint32_t size = size_of(f);
    bool present = f->has_offset >= 0 && *(const bool *)(value + f->has_offset);
    if (!present && is_zero(value + f->offset, size))
        return LEAT_OK;
    steps->fallback[steps->fallback_count++] =
        (struct leat_fallback){f->offset, size, present ? f->has_offset : -1, value + f->offset};
    return LEAT_OK;
}

static uint8_t fast_of(const struct leat_step *step)
{
    static const uint8_t fast[] = {
        [LEAT_STEP_STRING] = LEAT_FAST_STRING, [LEAT_STEP_BYTES] = LEAT_FAST_BYTES,
        [LEAT_STEP_LONG] = LEAT_FAST_LONG,     [LEAT_STEP_INT] = LEAT_FAST_INT,
        [LEAT_STEP_ENUM] = LEAT_FAST_ENUM,     [LEAT_STEP_DOUBLE] = LEAT_FAST_DOUBLE,
        [LEAT_STEP_BOOL] = LEAT_FAST_BOOL,     [LEAT_STEP_NO_WAY] = 0,
    };
    bool nullable = step->null_branch != LEAT_NO_UNION;
    if (nullable != (step->has_offset >= 0) || (step->code == LEAT_STEP_BYTES && step->size > 0) ||
        (step->code == LEAT_STEP_ENUM && step->symbols != NULL))
        return 0;
    return fast[step->code];
}

/* Whether the struct's own function reads what the step does; what it leaves is the step's. */
static bool reads_alike(const struct leat_step *step, const struct leat_field *f)
{
    static const uint8_t codes[] = {
        [LEAT_KIND_BOOL] = LEAT_STEP_BOOL,     [LEAT_KIND_INT] = LEAT_STEP_INT,
        [LEAT_KIND_LONG] = LEAT_STEP_LONG,     [LEAT_KIND_FLOAT] = LEAT_STEP_FLOAT,
        [LEAT_KIND_DOUBLE] = LEAT_STEP_DOUBLE, [LEAT_KIND_STRING] = LEAT_STEP_STRING,
        [LEAT_KIND_BYTES] = LEAT_STEP_BYTES,   [LEAT_KIND_ENUM] = LEAT_STEP_ENUM,
        [LEAT_KIND_FIXED] = LEAT_STEP_FIXED,   [LEAT_KIND_UNION] = 0,
    };
    if (codes[f->kind] == 0)
        return true;
    return step->code == codes[f->kind] && step->offset == f->offset &&
           step->has_offset == f->has_offset &&
           step->null_branch == (f->has_offset >= 0 ? f->null_branch : LEAT_NO_UNION) &&
           (step->code != LEAT_STEP_ENUM ||
            (step->symbols == NULL && step->size == f->symbol_count));
}

/* A writer may have more fields behind those of the struct: a later version often does. */
static void take_read(const struct leat_type *type, struct leat_steps *steps)
{
    bool alike = type->read != NULL && steps->count >= type->field_count;
    for (uint32_t i = 0; alike && i < type->field_count; i++)
        alike = reads_alike(&steps->at[i], &type->fields[i]);
    if (alike) {
        steps->read = type->read;
        steps->read_count = type->field_count;
    }
}

static leat_status compile_fields(struct compile *c, uint32_t node, const struct leat_type *type,
                                  uint32_t reader, struct leat_steps *steps)
{
    const struct leat_node *n = leat_node_at(c->writer, node);
    steps->at = leat_arena_zalloc(c->p->arena, n->count + (size_t)1, sizeof *steps->at);
    steps->count = n->count;
    steps->fallback =
        leat_arena_zalloc(c->p->arena, type->field_count + (size_t)1, sizeof *steps->fallback);
    for (uint32_t i = 0; i < n->count; i++) {
        const struct leat_node_field *from = &c->writer->fields[n->first + i];
        steps->at[i] = (struct leat_step){.code = LEAT_STEP_SKIP,
                                          .null_branch = LEAT_NO_UNION,
                                          .has_offset = -1,
                                          .node = from->node,
                                          .name = from->name.at};
    }
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct leat_node_field *from = writer_field(c, node, &type->fields[i], i, reader);
        leat_status st = LEAT_OK;
        if (from == NULL) {
            st = compile_missing(c, type, i, steps);
            if (st != LEAT_OK)
                return st;
            continue;
        }
        struct to to = {&type->fields[i], NO_NODE};
        if (reader_node(c, reader) != NULL) {
            to.node = leat_node_plain(
                c->reader, c->reader->fields[leat_node_at(c->reader, reader)->first + i].node);
        }
        struct leat_step *step = &steps->at[from - &c->writer->fields[n->first]];
        if (step->code != LEAT_STEP_SKIP)
            return leat_fail(c->err, LEAT_INVALID, "two fields are read from '%s'", step->name);
        step->node = 0;
        LEAT_TRY(compile_value(c, from->node, to, step), c->err, "field '%s'", from->name.at);
        step->fast = fast_of(step);
    }
    take_read(type, steps);
    return LEAT_OK;
}

static leat_status compile_record(struct compile *c, uint32_t node, const struct leat_type *type,
                                  uint32_t reader, const struct leat_steps **ret)
{
    const struct leat_node *r = reader_node(c, reader);
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
    bool same = r == NULL || (r->kind == LEAT_NODE_RECORD && r->count == type->field_count);
    for (uint32_t i = 0; r != NULL && same && i < r->count; i++)
        same = leat_str_eq(c->reader->fields[r->first + i].name, leat_field_name(&type->fields[i]));
    if (!same)
        return leat_fail(c->err, LEAT_INVALID, "struct '%s' is not that of its schema", type->name);
    return compile_fields(c, node, type, reader, steps);
}

static void free_schema(struct leat_schema **s)
{
    leat_schema_free(*s);
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
    LEAT_AUTO(free_schema) struct leat_schema *reader = NULL;
    if (type->schema != NULL) {
        LEAT_TRY(leat_schema_parse(leat_str_of(type->schema), &reader, err), err,
                 "own schema of %s", type->name);
    }
    struct compile c = {.p = p, .writer = writer, .reader = reader, .err = err};
    if (leat_node_at(writer, writer->top)->kind != LEAT_NODE_RECORD) {
        return leat_fail(err, LEAT_INVALID, "could not read %s as %s: not a record",
                         leat_schema_name(writer), type->name);
    }
    LEAT_TRY(compile_record(&c, writer->top, type, reader == NULL ? NO_NODE : reader->top, &p->top),
             err, "could not read schema '%s' as %s", leat_schema_name(writer), type->name);
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
