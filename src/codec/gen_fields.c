#include "codec/gen_fields.h"

#include "codec/gen_names.h"
#include "codec/gen_wire.h"

#define LITERAL_LINE 80

struct place {          /* where a value lies */
    const char *owner;  /* "struct order_line", or NULL: it is the whole element */
    const char *member; /* "quantity" */
    const char *path;
};

static const char *const kind_symbols[] = {
    [LEAT_NODE_NULL] = "NULL",     [LEAT_NODE_BOOL] = "BOOL",     [LEAT_NODE_INT] = "INT",
    [LEAT_NODE_LONG] = "LONG",     [LEAT_NODE_FLOAT] = "FLOAT",   [LEAT_NODE_DOUBLE] = "DOUBLE",
    [LEAT_NODE_STRING] = "STRING", [LEAT_NODE_BYTES] = "BYTES",   [LEAT_NODE_FIXED] = "FIXED",
    [LEAT_NODE_ENUM] = "ENUM",     [LEAT_NODE_RECORD] = "RECORD", [LEAT_NODE_ARRAY] = "ARRAY",
    [LEAT_NODE_MAP] = "MAP",       [LEAT_NODE_UNION] = "UNION",
};

const char *leat_gen_path(struct leat_gen *g, const struct leat_gen_def *d,
                          const struct leat_node_field *f)
{
    return leat_arena_printf(g->arena, "%s_%s", d->snake, leat_gen_member(g->arena, f->name));
}

static void put_escaped(struct leat_buf *out, char c)
{
    unsigned char u = (unsigned char)c;
    if (c == '"' || c == '\\' || c == '?') {
        leat_buf_printf(out, "\\%c", c);
    } else if (u < 0x20 || u >= 0x7f) {
        leat_buf_printf(out, "\\%03o", u);
    } else {
        leat_buf_putc(out, c);
    }
}

static void put_literal(struct leat_buf *out, struct leat_str text)
{
    leat_buf_putc(out, '"');
    for (uint32_t i = 0; i < text.len; i++)
        put_escaped(out, text.at[i]);
    leat_buf_putc(out, '"');
}

static void put_long_literal(struct leat_buf *out, struct leat_str text)
{
    for (uint32_t at = 0; at < text.len; at += LITERAL_LINE) {
        uint32_t len = text.len - at < LITERAL_LINE ? text.len - at : LITERAL_LINE;
        leat_buf_puts(out, "\n        ");
        put_literal(out, (struct leat_str){text.at + at, len});
    }
}

/* The members of one struct leat_field. */
static void put_field(struct leat_gen *g, const struct leat_schema *s, struct leat_str name,
                      uint32_t node, struct place at)
{
    struct leat_buf *out = g->out;
    const struct leat_node *u = leat_node_at(s, node);
    const struct leat_node *n = leat_node_at(s, leat_node_plain(s, node));
    leat_buf_printf(out, ".name = \"%s\", .name_len = %u, .kind = LEAT_KIND_%s", name.at, name.len,
                    kind_symbols[n->kind]);
    if (at.owner != NULL)
        leat_buf_printf(out, ", .offset = offsetof(%s, %s)", at.owner, at.member);
    if (u->optional) {
        leat_buf_printf(out, ", .has_offset = offsetof(%s, has_%s), .null_branch = %u", at.owner,
                        at.member, u->null_branch);
    } else {
        leat_buf_puts(out, ", .has_offset = -1");
    }
    if (n->kind == LEAT_NODE_FIXED)
        leat_buf_printf(out, ", .item_bytes = %u", n->size);
    if (n->decimal) {
        leat_buf_printf(out, ", .symbol_count = %u, .decimals = %u", n->precision, n->scale + 1u);
    }
    if (n->kind == LEAT_NODE_UNION) {
        leat_buf_printf(out,
                        ", .item = leat_branches_%s, .symbol_count = %u"
                        ", .item_bytes = sizeof(struct %s_union)",
                        at.path, n->count, at.path);
    }
    if (n->kind == LEAT_NODE_RECORD)
        leat_buf_printf(out, ", .record = &leat_type_%s", leat_gen_find(g, n->name)->snake);
    if (n->kind == LEAT_NODE_ENUM) {
        leat_buf_printf(out, ", .symbols = leat_symbols_%s, .symbol_count = %u",
                        leat_gen_find(g, n->name)->snake, n->count);
    }
    if (n->kind == LEAT_NODE_ARRAY || n->kind == LEAT_NODE_MAP) {
        leat_buf_printf(out,
                        ", .item = &leat_item_%s"
                        ", .item_bytes = sizeof(*((%s *)0)->%s.at)",
                        at.path, at.owner, at.member);
    }
}

static void write_items(struct leat_gen *g, const struct leat_schema *s, struct leat_str name,
                        uint32_t node, const char *path);

static void write_branches(struct leat_gen *g, const struct leat_schema *s,
                           const struct leat_node *n, const char *path)
{
    for (uint32_t i = 0; i < n->count; i++) {
        uint32_t node = s->branches[n->first + i];
        write_items(g, s, leat_node_branch_name(s, node, g->arena), node,
                    leat_arena_printf(g->arena, "%s_%s", path, leat_gen_branch(g, s, node)));
    }
    leat_buf_printf(g->out, "LEAT_GENERATED const struct leat_field leat_branches_%s[] = {\n",
                    path);
    for (uint32_t i = 0; i < n->count; i++) {
        uint32_t node = s->branches[n->first + i];
        const char *branch = leat_gen_branch(g, s, node);
        struct place at = {leat_arena_printf(g->arena, "struct %s_union", path),
                           leat_arena_printf(g->arena, "as.%s", branch),
                           leat_arena_printf(g->arena, "%s_%s", path, branch)};
        if (s->nodes[node].kind == LEAT_NODE_NULL)
            at.owner = NULL;
        leat_buf_puts(g->out, "    {");
        put_field(g, s, leat_node_branch_name(s, node, g->arena), node, at);
        leat_buf_puts(g->out, "},\n");
    }
    leat_buf_puts(g->out, "};\n");
}

static void write_items(struct leat_gen *g, const struct leat_schema *s, struct leat_str name,
                        uint32_t node, const char *path)
{
    const struct leat_node *n = leat_node_at(s, leat_node_plain(s, node));
    if (n->kind == LEAT_NODE_UNION) {
        write_branches(g, s, n, path);
        return;
    }
    if (n->kind != LEAT_NODE_ARRAY && n->kind != LEAT_NODE_MAP)
        return;
    struct place at = {.path = path};
    const char *element = leat_gen_element(g, s, n, path);
    if (element != NULL) {
        write_items(g, s, name, n->item, element);
        at = (struct place){leat_arena_printf(g->arena, "struct %s", element), "value", element};
    }
    leat_buf_printf(g->out, "LEAT_GENERATED const struct leat_field leat_item_%s = {", path);
    put_field(g, s, name, n->item, at);
    leat_buf_puts(g->out, "};\n");
}

static void write_record(struct leat_gen *g, const struct leat_gen_def *d)
{
    const struct leat_node *n = leat_node_at(d->schema, d->node);
    struct leat_buf *out = g->out;
    const char *owner = leat_arena_printf(g->arena, "struct %s", d->snake);
    for (uint32_t i = 0; i < n->count; i++) {
        const struct leat_node_field *f = &d->schema->fields[n->first + i];
        write_items(g, d->schema, f->name, f->node, leat_gen_path(g, d, f));
    }
    leat_buf_printf(out, "LEAT_GENERATED const struct leat_field leat_fields_%s[] = {\n", d->snake);
    for (uint32_t i = 0; i < n->count; i++) {
        const struct leat_node_field *f = &d->schema->fields[n->first + i];
        struct place at = {owner, leat_gen_member(g->arena, f->name), leat_gen_path(g, d, f)};
        leat_buf_puts(out, "    {");
        put_field(g, d->schema, f->name, f->node, at);
        if (f->fallback.at != NULL) {
            leat_buf_puts(out, ", .fallback = ");
            put_literal(out, f->fallback);
        }
        leat_buf_puts(out, "},\n");
    }
    if (n->count == 0)
        leat_buf_puts(out, "    {.name = \"\"},\n");
    leat_buf_puts(out, "};\n");
    bool has_wire = leat_gen_write_wire(g, d);
    leat_buf_printf(out,
                    "LEAT_GENERATED const struct leat_type leat_type_%s = {\n"
                    "    .name = \"%s\",\n    .size = sizeof(struct %s),\n"
                    "    .fields = leat_fields_%s,\n    .field_count = %u,\n",
                    d->snake, d->name.at, d->snake, d->snake, n->count);
    if (has_wire) {
        leat_buf_printf(out,
                        "    .read = LEAT_OWN(leat_reads_%s),\n"
                        "    .write = LEAT_OWN(leat_writes_%s),\n",
                        d->snake, d->snake);
    }
    if (d->key != NULL)
        leat_buf_printf(out, "    .key = \"%s\",\n", d->key);
    if (d->text.len > 0) {
        leat_buf_puts(out, "    .schema =");
        put_long_literal(out, d->text);
        leat_buf_puts(out, ",\n");
    }
    leat_buf_puts(out, "};\n\n");
}

void leat_gen_write_descriptors(struct leat_gen *g)
{
    /* Records may refer to each other in circles: all are declared before the first is defined. */
    for (const struct leat_gen_def *d = g->defs; d != NULL; d = d->next) {
        if (leat_node_at(d->schema, d->node)->kind == LEAT_NODE_RECORD) {
            leat_buf_printf(g->out, "LEAT_GENERATED const struct leat_type leat_type_%s;\n",
                            d->snake);
        }
    }
    leat_buf_puts(g->out, "\n");
    for (const struct leat_gen_def *d = g->defs; d != NULL; d = d->next) {
        if (leat_node_at(d->schema, d->node)->kind == LEAT_NODE_RECORD)
            write_record(g, d);
    }
}
