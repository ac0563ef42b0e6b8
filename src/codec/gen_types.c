/* gen_types.c - structs and enums; gen_fields.c has their descriptors. */
#include "codec/gen_types.h"

#include "codec/gen_fields.h"
#include "codec/gen_names.h"

static leat_status collect_record(struct leat_gen *g, const struct leat_schema *schema,
                                  const struct leat_node *n)
{
    for (uint32_t i = 0; i < n->count; i++) {
        const struct leat_node_field *f = &schema->fields[n->first + i];
        LEAT_TRY(leat_gen_collect(g, schema, f->node), g->err, "field '%s'", f->name.at);
    }
    return LEAT_OK;
}

static bool same_defaults(const struct leat_gen_def *d, const struct leat_schema *schema,
                          const struct leat_node *n)
{
    const struct leat_node *own = leat_node_at(d->schema, d->node);
    for (uint32_t i = 0; n->kind == LEAT_NODE_RECORD && i < n->count; i++) {
        if (!leat_str_eq(d->schema->fields[own->first + i].fallback,
                         schema->fields[n->first + i].fallback))
            return false;
    }
    return true;
}

/* A name may be defined in several schemas, but only in one way. */
static leat_status check_same(struct leat_gen *g, const struct leat_gen_def *d,
                              const struct leat_schema *schema, uint32_t node)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf a;
    LEAT_AUTO(leat_buf_done) struct leat_buf b;
    leat_buf_init(&a, UINT32_MAX);
    leat_buf_init(&b, UINT32_MAX);
    leat_schema_canonical(d->schema, d->node, &a);
    leat_schema_canonical(schema, node, &b);
    if (leat_str_eq(leat_buf_str(&a), leat_buf_str(&b)) &&
        same_defaults(d, schema, leat_node_at(schema, node)))
        return LEAT_OK;
    (void)leat_fail(g->err, LEAT_INVALID,
                    "'%s' is defined in one way in '%s' and in another in '%s'", d->name.at,
                    leat_schema_name(d->schema), leat_schema_name(schema));
    leat_error_hint(g->err, "Give it a file '%s.avsc' of its own and name it in both.", d->name.at);
    return LEAT_INVALID;
}

/* INVALID when something else has that C name. */
static leat_status claim(struct leat_gen *g, const char *c_name, const char *what)
{
    struct leat_str key = leat_str_of(c_name);
    const char *other = leat_table_get_ptr(&g->taken, key);
    if (other != NULL) {
        return leat_fail(g->err, LEAT_INVALID, "'%s' and '%s' both become '%s' in C", other, what,
                         c_name);
    }
    leat_table_put(&g->taken, key, (uint64_t)(uintptr_t)what);
    return LEAT_OK;
}

static leat_status collect_named(struct leat_gen *g, const struct leat_schema *schema,
                                 uint32_t node)
{
    const struct leat_node *n = leat_node_at(schema, node);
    struct leat_gen_def *d = leat_table_get_ptr(&g->seen, n->name);
    if (d != NULL)
        return d->schema == schema && d->node == node ? LEAT_OK : check_same(g, d, schema, node);
    d = leat_arena_zalloc(g->arena, 1, sizeof *d);
    *d = (struct leat_gen_def){.name = n->name,
                               .snake = leat_gen_snake(g->arena, n->name),
                               .schema = schema,
                               .node = node};
    leat_table_put_ptr(&g->seen, n->name, d);
    leat_status st = claim(g, leat_arena_printf(g->arena, "type %s", d->snake), n->name.at);
    if (st == LEAT_OK && n->kind == LEAT_NODE_RECORD)
        st = collect_record(g, schema, n);
    if (st != LEAT_OK)
        return st;
    *g->defs_end = d;
    g->defs_end = &d->next;
    return LEAT_OK;
}

static leat_status collect_branches(struct leat_gen *g, const struct leat_schema *schema,
                                    const struct leat_node *n)
{
    leat_status st = LEAT_OK;
    for (uint32_t i = 0; st == LEAT_OK && i < n->count; i++) {
        uint32_t branch = schema->branches[n->first + i];
        if (schema->nodes[branch].kind != LEAT_NODE_NULL)
            st = leat_gen_collect(g, schema, branch);
    }
    return st;
}

leat_status leat_gen_collect(struct leat_gen *g, const struct leat_schema *schema, uint32_t node)
{
    const struct leat_node *n = leat_node_at(schema, node);
    if (n->kind == LEAT_NODE_UNION && !n->optional)
        return collect_branches(g, schema, n);
    if (n->kind == LEAT_NODE_ARRAY || n->kind == LEAT_NODE_MAP || n->kind == LEAT_NODE_UNION)
        return leat_gen_collect(g, schema, n->item);
    if (n->kind == LEAT_NODE_NULL)
        return leat_fail(g->err, LEAT_INVALID, "a value that is always null has no form in C");
    if (n->kind == LEAT_NODE_RECORD || n->kind == LEAT_NODE_ENUM)
        return collect_named(g, schema, node);
    return LEAT_OK;
}

struct leat_gen_def *leat_gen_find(const struct leat_gen *g, struct leat_str name)
{
    return leat_table_get_ptr(&g->seen, name);
}

/* ---- enums ---- */

static leat_status write_enum(struct leat_gen *g, const struct leat_gen_def *d)
{
    const struct leat_node *n = leat_node_at(d->schema, d->node);
    const char *prefix = leat_gen_enum_prefix(g->arena, n->name);
    leat_buf_printf(g->out, "enum %s {\n", d->snake);
    for (uint32_t i = 0; i < n->count; i++) {
        struct leat_str symbol = d->schema->symbols[n->first + i];
        const char *c_name =
            leat_arena_printf(g->arena, "%s_%s", prefix, leat_gen_upper(g->arena, symbol));
        const char *what = leat_arena_printf(g->arena, "%s.%s", n->name.at, symbol.at);
        leat_status st = claim(g, c_name, what);
        if (st != LEAT_OK)
            return st;
        leat_buf_printf(g->out, "    %s = %u,\n", c_name, i);
    }
    leat_buf_puts(g->out, "};\n");
    leat_buf_printf(g->out, "LEAT_GENERATED const char *const leat_symbols_%s[] = {", d->snake);
    for (uint32_t i = 0; i < n->count; i++) {
        leat_buf_printf(g->out, "%s\"%s\"", i == 0 ? "" : ", ",
                        d->schema->symbols[n->first + i].at);
    }
    leat_buf_puts(g->out, "};\n\n");
    return LEAT_OK;
}

/* ---- structs ---- */

/* Items that are more than a scalar, enum or record get a struct of their own, called <path>_item;
 * a map's entries are always one, called <path>_entry. */
const char *leat_gen_element(struct leat_gen *g, const struct leat_schema *s,
                             const struct leat_node *n, const char *path)
{
    leat_node_kind item = s->nodes[n->item].kind;
    if (n->kind == LEAT_NODE_MAP)
        return leat_arena_printf(g->arena, "%s_entry", path);
    if (item == LEAT_NODE_FIXED || item == LEAT_NODE_ARRAY || item == LEAT_NODE_MAP ||
        item == LEAT_NODE_UNION)
        return leat_arena_printf(g->arena, "%s_item", path);
    return NULL;
}

static const char *scalar_name(struct leat_gen *g, const struct leat_schema *s, uint32_t node)
{
    const struct leat_node *n = leat_node_at(s, node);
    switch (n->kind) {
    case LEAT_NODE_BOOL:
        return "bool";
    case LEAT_NODE_INT:
        return "int32_t";
    case LEAT_NODE_LONG:
        return "int64_t";
    case LEAT_NODE_FLOAT:
        return "float";
    case LEAT_NODE_DOUBLE:
        return "double";
    case LEAT_NODE_RECORD:
        return leat_arena_printf(g->arena, "struct %s", leat_gen_find(g, n->name)->snake);
    case LEAT_NODE_ENUM:
        return leat_arena_printf(g->arena, "enum %s", leat_gen_find(g, n->name)->snake);
    case LEAT_NODE_STRING:
    case LEAT_NODE_BYTES:
    case LEAT_NODE_FIXED:
    case LEAT_NODE_NULL:
    case LEAT_NODE_ARRAY:
    case LEAT_NODE_MAP:
    case LEAT_NODE_UNION:
        break;
    }
    return "struct leat_str";
}

/* What the bare number or bytes mean. */
static void put_meaning(struct leat_gen *g, const struct leat_node *n)
{
    if (n->decimal) {
        leat_buf_printf(g->out, "    /* decimal(%u, %u): see leat/decimal.h */\n", n->precision,
                        n->scale);
    } else if (n->logical.len > 0 && strcspn(n->logical.at, "*/\\\n") == n->logical.len) {
        leat_buf_printf(g->out, "    /* %s */\n", n->logical.at);
    }
}

static void write_member(struct leat_gen *g, const struct leat_schema *s, uint32_t node,
                         const char *member, const char *path)
{
    const struct leat_node *n = leat_node_at(s, node);
    if (n->optional) {
        leat_buf_printf(g->out, "    bool has_%s;\n", member);
        n = leat_node_at(s, n->item);
    }
    put_meaning(g, n);
    if (n->kind == LEAT_NODE_UNION) {
        leat_buf_printf(g->out, "    struct %s_union %s;\n", path, member);
    } else if (n->kind == LEAT_NODE_FIXED) {
        leat_buf_printf(g->out, "    uint8_t %s[%u];\n", member, n->size);
    } else if (n->kind == LEAT_NODE_ARRAY || n->kind == LEAT_NODE_MAP) {
        const char *element = leat_gen_element(g, s, n, path);
        leat_buf_printf(g->out, "    struct {\n        %s%s *at;\n        size_t len;\n    } %s;\n",
                        element == NULL ? "" : "struct ",
                        element == NULL ? scalar_name(g, s, n->item) : element, member);
    } else {
        leat_buf_printf(g->out, "    %s %s;\n", scalar_name(g, s, (uint32_t)(n - s->nodes)),
                        member);
    }
}

static leat_status write_elements(struct leat_gen *g, const struct leat_schema *s, uint32_t node,
                                  const char *path);

const char *leat_gen_branch(struct leat_gen *g, const struct leat_schema *s, uint32_t node)
{
    const struct leat_node *n = leat_node_at(s, node);
    return leat_gen_member(
        g->arena, n->name.at != NULL ? n->name : leat_str_of(leat_node_kind_name(n->kind)));
}

/* struct <path>_union { enum <path>_is is; union { ... } as; }, and what its branches need. */
static leat_status write_union(struct leat_gen *g, const struct leat_schema *s,
                               const struct leat_node *n, const char *path)
{
    const char *tag = leat_arena_printf(g->arena, "type %s_union", path);
    const char *upper = leat_gen_upper(g->arena, leat_str_of(path));
    leat_status st = claim(g, tag, path);
    for (uint32_t i = 0; st == LEAT_OK && i < n->count; i++) {
        uint32_t node = s->branches[n->first + i];
        const char *branch = leat_gen_branch(g, s, node);
        st = claim(g, leat_arena_printf(g->arena, "%s.%s", tag, branch), path);
        if (st == LEAT_OK)
            st = write_elements(g, s, node, leat_arena_printf(g->arena, "%s_%s", path, branch));
    }
    if (st != LEAT_OK)
        return st;
    leat_buf_printf(g->out, "enum %s_is {\n", path);
    for (uint32_t i = 0; i < n->count; i++) {
        const struct leat_node *b = leat_node_at(s, s->branches[n->first + i]);
        struct leat_str name =
            b->name.at != NULL ? b->name : leat_str_of(leat_node_kind_name(b->kind));
        leat_buf_printf(g->out, "    %s_IS_%s = %u,\n", upper, leat_gen_upper(g->arena, name), i);
    }
    leat_buf_printf(g->out, "};\nstruct %s_union {\n    enum %s_is is;\n    union {\n", path, path);
    leat_buf_puts(g->out, "    char none;\n");
    for (uint32_t i = 0; i < n->count; i++) {
        uint32_t node = s->branches[n->first + i];
        const char *branch = leat_gen_branch(g, s, node);
        if (s->nodes[node].kind != LEAT_NODE_NULL)
            write_member(g, s, node, branch, leat_arena_printf(g->arena, "%s_%s", path, branch));
    }
    leat_buf_puts(g->out, "    } as;\n};\n\n");
    return LEAT_OK;
}

static leat_status write_elements(struct leat_gen *g, const struct leat_schema *s, uint32_t node,
                                  const char *path)
{
    const struct leat_node *n = leat_node_at(s, leat_node_plain(s, node));
    if (n->kind == LEAT_NODE_UNION)
        return write_union(g, s, n, path);
    if (n->kind != LEAT_NODE_ARRAY && n->kind != LEAT_NODE_MAP)
        return LEAT_OK;
    const char *element = leat_gen_element(g, s, n, path);
    if (element == NULL)
        return LEAT_OK;
    leat_status st = claim(g, leat_arena_printf(g->arena, "type %s", element), path);
    if (st == LEAT_OK)
        st = write_elements(g, s, n->item, element);
    if (st != LEAT_OK)
        return st;
    leat_buf_printf(g->out, "struct %s {\n", element);
    if (n->kind == LEAT_NODE_MAP)
        leat_buf_puts(g->out, "    struct leat_str key;\n");
    write_member(g, s, n->item, "value", element);
    leat_buf_puts(g->out, "};\n\n");
    return LEAT_OK;
}

static leat_status claim_member(struct leat_gen *g, const struct leat_gen_def *d,
                                const struct leat_node_field *f, const char *prefix)
{
    const char *c_name = leat_arena_printf(g->arena, "%s.%s%s", d->snake, prefix,
                                           leat_gen_member(g->arena, f->name));
    return claim(g, c_name, leat_arena_printf(g->arena, "%s.%s", d->name.at, f->name.at));
}

static leat_status write_struct(struct leat_gen *g, const struct leat_gen_def *d)
{
    const struct leat_node *n = leat_node_at(d->schema, d->node);
    for (uint32_t i = 0; i < n->count; i++) {
        const struct leat_node_field *f = &d->schema->fields[n->first + i];
        const char *path = leat_gen_path(g, d, f);
        leat_status st = claim_member(g, d, f, "");
        if (st == LEAT_OK && d->schema->nodes[f->node].optional)
            st = claim_member(g, d, f, "has_");
        if (st == LEAT_OK)
            st = write_elements(g, d->schema, f->node, path);
        if (st != LEAT_OK)
            return st;
    }
    leat_buf_printf(g->out, "struct %s {\n", d->snake);
    for (uint32_t i = 0; i < n->count; i++) {
        const struct leat_node_field *f = &d->schema->fields[n->first + i];
        write_member(g, d->schema, f->node, leat_gen_member(g->arena, f->name),
                     leat_gen_path(g, d, f));
    }
    if (n->count == 0)
        leat_buf_puts(g->out, "    char empty;\n");
    leat_buf_puts(g->out, "};\n\n");
    return LEAT_OK;
}

leat_status leat_gen_write_types(struct leat_gen *g)
{
    leat_status st = LEAT_OK;
    for (const struct leat_gen_def *d = g->defs; st == LEAT_OK && d != NULL; d = d->next) {
        st = leat_node_at(d->schema, d->node)->kind == LEAT_NODE_ENUM ? write_enum(g, d)
                                                                      : write_struct(g, d);
    }
    if (st == LEAT_OK)
        leat_gen_write_descriptors(g);
    return st;
}
