/* gen_wire.c - a record's plain fields as straight lines of leat/wire.h, one per field. */
#include "codec/gen_wire.h"

#include "codec/gen_names.h"

#define PLAIN_FIXED_MAX 16 /* LEAT_WRITE_ROOM holds it */

static bool is_plain(const struct leat_node *n)
{
    switch (n->kind) {
    case LEAT_NODE_BOOL:
    case LEAT_NODE_INT:
    case LEAT_NODE_LONG:
    case LEAT_NODE_FLOAT:
    case LEAT_NODE_DOUBLE:
    case LEAT_NODE_STRING:
    case LEAT_NODE_ENUM:
        return true;
    case LEAT_NODE_BYTES:
        return !n->decimal;
    case LEAT_NODE_FIXED:
        return !n->decimal && n->size <= PLAIN_FIXED_MAX;
    case LEAT_NODE_NULL:
    case LEAT_NODE_RECORD:
    case LEAT_NODE_ARRAY:
    case LEAT_NODE_MAP:
    case LEAT_NODE_UNION:
        break;
    }
    return false;
}

/* "leat_read_enum(p, end, &v->status, 4)". */
static void put_call(struct leat_gen *g, const struct leat_node *n, const char *member, bool read)
{
    static const char *const words[] = {
        [LEAT_NODE_BOOL] = "bool",   [LEAT_NODE_INT] = "int",    [LEAT_NODE_LONG] = "long",
        [LEAT_NODE_FLOAT] = "raw",   [LEAT_NODE_DOUBLE] = "raw", [LEAT_NODE_STRING] = "text",
        [LEAT_NODE_BYTES] = "bytes", [LEAT_NODE_FIXED] = "raw",  [LEAT_NODE_ENUM] = "enum",
    };
    bool is_text = n->kind == LEAT_NODE_STRING || n->kind == LEAT_NODE_BYTES;
    const char *limit = is_text ? ", limit" : "";
    leat_buf_printf(g->out, "leat_%s_%s(p%s, &v->%s", read ? "read" : "write", words[n->kind],
                    read ? ", end" : limit, member);
    if (n->kind == LEAT_NODE_ENUM)
        leat_buf_printf(g->out, ", %u", n->count);
    if (strcmp(words[n->kind], "raw") == 0)
        leat_buf_printf(g->out, ", sizeof v->%s", member);
    leat_buf_puts(g->out, ")");
}

static void put_field(struct leat_gen *g, const struct leat_gen_def *d, uint32_t i, bool read)
{
    const struct leat_schema *s = d->schema;
    const struct leat_node_field *f = &s->fields[leat_node_at(s, d->node)->first + i];
    const struct leat_node *u = leat_node_at(s, f->node);
    const struct leat_node *n = leat_node_at(s, leat_node_plain(s, f->node));
    const char *member = leat_gen_member(g->arena, f->name);
    if (!is_plain(n)) {
        leat_buf_printf(g->out, "    LEAT_FIELD_OTHER(%u)\n", i);
        return;
    }
    if (u->optional) {
        leat_buf_printf(
            g->out, "    LEAT_FIELD_OR_NULL(%u, leat_%s_has(p, %sv->has_%s, %u), v->has_%s, ", i,
            read ? "read" : "write", read ? "end, &" : "", member, u->null_branch, member);
    } else {
        leat_buf_printf(g->out, "    LEAT_FIELD(%u, ", i);
    }
    put_call(g, n, member, read);
    leat_buf_puts(g->out, ")\n");
}

static void write_function(struct leat_gen *g, const struct leat_gen_def *d, bool read)
{
    const char *byte = read ? "const uint8_t" : "uint8_t";
    const char *end = read ? "end" : "limit";
    uint32_t count = leat_node_at(d->schema, d->node)->count;
    leat_buf_printf(g->out,
                    "LEAT_GENERATED uint32_t leat_%ss_%s(%s **ret_at, const uint8_t *%s, "
                    "uint32_t from, %svoid *value)\n{\n"
                    "    %sstruct %s *v = value;\n    %s *p = *ret_at;\n    %s *start;\n"
                    "    (void)%s;\n    switch (from) {\n",
                    read ? "read" : "write", d->snake, byte, end, read ? "" : "const ",
                    read ? "" : "const ", d->snake, byte, byte, end);
    for (uint32_t i = 0; i < count; i++)
        put_field(g, d, i, read);
    leat_buf_printf(g->out,
                    "    default:\n        break;\n    }\n    *ret_at = p;\n    return %u;\n}\n",
                    count);
}

bool leat_gen_write_wire(struct leat_gen *g, const struct leat_gen_def *d)
{
    const struct leat_node *n = leat_node_at(d->schema, d->node);
    bool any = false;
    for (uint32_t i = 0; i < n->count; i++) {
        uint32_t node = leat_node_plain(d->schema, d->schema->fields[n->first + i].node);
        any = any || is_plain(leat_node_at(d->schema, node));
    }
    if (!any)
        return false;
    write_function(g, d, true);
    write_function(g, d, false);
    return true;
}
