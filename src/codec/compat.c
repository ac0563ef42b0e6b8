#include "codec/compat.h"

#include <stdlib.h>

#include "codec/nodes.h"

#define PAIRS_MAX 4096

struct compat {
    const struct leat_schema *reader, *writer;
    struct leat_error *err;
    struct {
        uint32_t reader, writer;
    } pairs[PAIRS_MAX]; /* of records, begun or judged: types may hold themselves in arrays */
    size_t n_pairs;
};

static leat_status reads(struct compat *c, uint32_t reader, uint32_t writer);

static bool promotes(leat_node_kind from, leat_node_kind to)
{
    static const leat_node_kind rows[][2] = {
        {LEAT_NODE_INT, LEAT_NODE_LONG},     {LEAT_NODE_INT, LEAT_NODE_FLOAT},
        {LEAT_NODE_INT, LEAT_NODE_DOUBLE},   {LEAT_NODE_LONG, LEAT_NODE_FLOAT},
        {LEAT_NODE_LONG, LEAT_NODE_DOUBLE},  {LEAT_NODE_FLOAT, LEAT_NODE_DOUBLE},
        {LEAT_NODE_STRING, LEAT_NODE_BYTES}, {LEAT_NODE_BYTES, LEAT_NODE_STRING},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i][0] == from && rows[i][1] == to)
            return true;
    }
    return false;
}

static bool has_alias(const struct leat_aliases *aliases, struct leat_str name)
{
    for (uint32_t i = 0; i < aliases->count; i++) {
        if (leat_str_eq(aliases->at[i], name))
            return true;
    }
    return false;
}

static const struct leat_node_field *field_in_writer(const struct compat *c, uint32_t writer,
                                                     const struct leat_node_field *f)
{
    const struct leat_node_field *found = leat_node_field_find(c->writer, writer, f->name);
    for (uint32_t i = 0; found == NULL && i < f->aliases.count; i++)
        found = leat_node_field_find(c->writer, writer, f->aliases.at[i]);
    return found;
}

static leat_status reads_record(struct compat *c, uint32_t reader, uint32_t writer)
{
    const struct leat_node *r = leat_node_at(c->reader, reader);
    for (size_t i = 0; i < c->n_pairs; i++) {
        if (c->pairs[i].reader == reader && c->pairs[i].writer == writer)
            return LEAT_OK;
    }
    if (c->n_pairs == PAIRS_MAX)
        return leat_fail(c->err, LEAT_INVALID, "more than %d pairs of records", PAIRS_MAX);
    c->pairs[c->n_pairs].reader = reader;
    c->pairs[c->n_pairs++].writer = writer;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct leat_node_field *f = &c->reader->fields[r->first + i];
        const struct leat_node_field *w = field_in_writer(c, writer, f);
        if (w == NULL && f->fallback.at == NULL)
            return leat_fail(c->err, LEAT_INVALID, "field '%s' is not in it and has no default",
                             f->name.at);
        if (w != NULL)
            LEAT_TRY(reads(c, f->node, w->node), c->err, "field '%s'", f->name.at);
    }
    return LEAT_OK;
}

static leat_status reads_enum(struct compat *c, const struct leat_node *r,
                              const struct leat_node *w)
{
    for (uint32_t i = 0; i < w->count && r->enum_default < 0; i++) {
        struct leat_str symbol = c->writer->symbols[w->first + i];
        uint32_t k = 0;
        while (k < r->count && !leat_str_eq(c->reader->symbols[r->first + k], symbol))
            k++;
        if (k == r->count)
            return leat_fail(c->err, LEAT_INVALID,
                             "symbol '%s' is not in enum '%s', which has no default", symbol.at,
                             r->name.at);
    }
    return LEAT_OK;
}

static leat_status differ(struct compat *c, const struct leat_node *r, const struct leat_node *w)
{
    return leat_fail(c->err, LEAT_INVALID, "%s cannot be read as %s", leat_node_kind_name(w->kind),
                     leat_node_kind_name(r->kind));
}

/* Every branch of the writer must find one of the reader; a reader's union takes any that fits. */
static leat_status reads_union(struct compat *c, uint32_t reader, uint32_t writer)
{
    const struct leat_node *r = leat_node_at(c->reader, reader);
    const struct leat_node *w = leat_node_at(c->writer, writer);
    if (w->kind == LEAT_NODE_UNION) {
        for (uint32_t i = 0; i < w->count; i++) {
            leat_status st = reads(c, reader, c->writer->branches[w->first + i]);
            if (st != LEAT_OK)
                return st;
        }
        return LEAT_OK;
    }
    for (uint32_t i = 0; i < r->count; i++) {
        size_t pairs = c->n_pairs;
        if (reads(c, c->reader->branches[r->first + i], writer) == LEAT_OK)
            return LEAT_OK;
        c->n_pairs = pairs;
    }
    return leat_fail(c->err, LEAT_INVALID, "%s is none of the union's types",
                     leat_node_kind_name(w->kind));
}

static leat_status check_names(struct compat *c, const struct leat_node *r,
                               const struct leat_node *w)
{
    if (leat_str_eq(r->name, w->name) || has_alias(&r->aliases, w->name))
        return LEAT_OK;
    return leat_fail(c->err, LEAT_INVALID, "%s '%s' is called '%s' there, and has no such alias",
                     leat_node_kind_name(r->kind), r->name.at, w->name.at);
}

static bool is_time(struct leat_str logical)
{
    return logical.len > 5 && (memmem(logical.at, logical.len, "millis", 6) != NULL ||
                               memmem(logical.at, logical.len, "micros", 6) != NULL);
}

/* Numbers that mean something else: the bytes could be read, the values would be wrong. */
static leat_status check_meaning(struct compat *c, const struct leat_node *r,
                                 const struct leat_node *w)
{
    if (r->decimal && w->decimal && r->scale != w->scale)
        return leat_fail(c->err, LEAT_INVALID, "a decimal of scale %u cannot be read as scale %u",
                         w->scale, r->scale);
    if (is_time(r->logical) && is_time(w->logical) && !leat_str_eq(r->logical, w->logical))
        return leat_fail(c->err, LEAT_INVALID, "%.*s cannot be read as %.*s",
                         LEAT_STR_FMT(w->logical), LEAT_STR_FMT(r->logical));
    return LEAT_OK;
}

static leat_status reads_same(struct compat *c, uint32_t reader, uint32_t writer)
{
    const struct leat_node *r = leat_node_at(c->reader, reader);
    const struct leat_node *w = leat_node_at(c->writer, writer);
    leat_status st = check_meaning(c, r, w);
    if (st == LEAT_OK &&
        (r->kind == LEAT_NODE_RECORD || r->kind == LEAT_NODE_ENUM || r->kind == LEAT_NODE_FIXED))
        st = check_names(c, r, w);
    if (st != LEAT_OK)
        return st;
    if (r->kind == LEAT_NODE_RECORD)
        return reads_record(c, reader, writer);
    if (r->kind == LEAT_NODE_ENUM)
        return reads_enum(c, r, w);
    if (r->kind == LEAT_NODE_FIXED && r->size != w->size)
        return leat_fail(c->err, LEAT_INVALID, "fixed of %u bytes cannot be read as %u bytes",
                         w->size, r->size);
    if (r->kind == LEAT_NODE_ARRAY || r->kind == LEAT_NODE_MAP)
        LEAT_TRY(reads(c, r->item, w->item), c->err, "items");
    return LEAT_OK;
}

static leat_status reads(struct compat *c, uint32_t reader, uint32_t writer)
{
    const struct leat_node *r = leat_node_at(c->reader, reader);
    const struct leat_node *w = leat_node_at(c->writer, writer);
    if (r->kind == LEAT_NODE_UNION || w->kind == LEAT_NODE_UNION)
        return reads_union(c, reader, writer);
    if (r->kind == w->kind)
        return reads_same(c, reader, writer);
    return promotes(w->kind, r->kind) ? LEAT_OK : differ(c, r, w);
}

leat_status leat_schema_reads(const struct leat_schema *reader, const struct leat_schema *writer,
                              struct leat_error *err)
{
    struct compat *c = calloc(1, sizeof *c);
    leat_assert(c != NULL);
    c->reader = reader;
    c->writer = writer;
    c->err = err;
    leat_status st = reads(c, reader->top, writer->top);
    free(c);
    return st;
}
