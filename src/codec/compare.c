#include "codec/compare.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "codec/nodes.h"

#define PATH_MAX_BYTES 512
#define FINDINGS_MAX   1000
#define PAIRS_MAX      1024

struct compare {
    const struct leat_schema *writer, *reader;
    leat_compare_found found;
    void *arg;
    size_t count;
    char path[PATH_MAX_BYTES];
    size_t path_len;
    int depth;
    bool by_name; /* named types must have the same name too */
    struct {
        uint32_t writer, reader;
    } open[PAIRS_MAX]; /* records under way or done: types may refer to themselves */
    uint32_t n_open;
};

static void compare_node(struct compare *c, uint32_t writer, uint32_t reader);

static void LEAT_PRINTF(3, 4) say(struct compare *c, bool sometimes, const char *fmt, ...)
{
    char reason[256];
    va_list args;
    c->count++;
    if (c->found == NULL || c->count > FINDINGS_MAX)
        return;
    va_start(args, fmt);
    (void)vsnprintf(reason, sizeof reason, fmt, args);
    va_end(args);
    struct leat_compare_finding f = {c->path, reason, sometimes};
    c->found(c->arg, &f);
}

/* The length to go back to. A path too long is cut. */
static size_t enter(struct compare *c, const char *name)
{
    size_t before = c->path_len;
    const char *dot = before == 0 || name[0] == '[' ? "" : ".";
    int n = snprintf(c->path + before, sizeof c->path - before, "%s%s", dot, name);
    if (n > 0 && before + (size_t)n < sizeof c->path)
        c->path_len = before + (size_t)n;
    return before;
}

static void leave(struct compare *c, size_t before)
{
    c->path[before] = '\0';
    c->path_len = before;
}

static const char *name_of(const struct leat_node *n)
{
    return n->name.at != NULL ? n->name.at : leat_node_kind_name(n->kind);
}

static bool promotes(leat_node_kind from, leat_node_kind to)
{
    switch (from) {
    case LEAT_NODE_INT:
        return to == LEAT_NODE_LONG || to == LEAT_NODE_FLOAT || to == LEAT_NODE_DOUBLE;
    case LEAT_NODE_LONG:
        return to == LEAT_NODE_FLOAT || to == LEAT_NODE_DOUBLE;
    case LEAT_NODE_FLOAT:
        return to == LEAT_NODE_DOUBLE;
    case LEAT_NODE_STRING:
        return to == LEAT_NODE_BYTES;
    case LEAT_NODE_BYTES:
        return to == LEAT_NODE_STRING;
    case LEAT_NODE_NULL:
    case LEAT_NODE_BOOL:
    case LEAT_NODE_DOUBLE:
    case LEAT_NODE_FIXED:
    case LEAT_NODE_ENUM:
    case LEAT_NODE_RECORD:
    case LEAT_NODE_ARRAY:
    case LEAT_NODE_MAP:
    case LEAT_NODE_UNION:
        break;
    }
    return false;
}

static const struct leat_node_field *writer_field(const struct compare *c, uint32_t record,
                                                  const struct leat_node_field *f)
{
    const struct leat_node_field *from = leat_node_field_find(c->writer, record, f->name);
    for (uint32_t i = 0; from == NULL && i < f->aliases.count; i++)
        from = leat_node_field_find(c->writer, record, f->aliases.at[i]);
    return from;
}

static bool opened(struct compare *c, uint32_t writer, uint32_t reader)
{
    for (uint32_t i = 0; i < c->n_open; i++) {
        if (c->open[i].writer == writer && c->open[i].reader == reader)
            return true;
    }
    if (c->n_open == PAIRS_MAX) {
        say(c, false, "more than %d pairs of records to compare", PAIRS_MAX);
        return true;
    }
    c->open[c->n_open].writer = writer;
    c->open[c->n_open++].reader = reader;
    return false;
}

static void compare_records(struct compare *c, uint32_t writer, uint32_t reader)
{
    const struct leat_node *r = leat_node_at(c->reader, reader);
    if (opened(c, writer, reader))
        return;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct leat_node_field *to = &c->reader->fields[r->first + i];
        const struct leat_node_field *from = writer_field(c, writer, to);
        size_t before = enter(c, to->name.at);
        if (from != NULL)
            compare_node(c, from->node, to->node);
        else if (to->fallback.at == NULL)
            say(c, false, "not in the writer's schema and has no default");
        leave(c, before);
    }
}

static void compare_enums(struct compare *c, const struct leat_node *w, const struct leat_node *r)
{
    for (uint32_t i = 0; r->enum_default < 0 && i < w->count; i++) {
        struct leat_str symbol = c->writer->symbols[w->first + i];
        bool known = false;
        for (uint32_t k = 0; k < r->count && !known; k++)
            known = leat_str_eq(c->reader->symbols[r->first + k], symbol);
        if (!known)
            say(c, true, "symbol '%s' is not known to the reader", symbol.at);
    }
}

/* "-millis" of "timestamp-millis". */
static const char *unit_of(const struct leat_node *n)
{
    const char *text = n->logical.at == NULL ? "" : n->logical.at;
    bool is_time = strncmp(text, "time", 4) == 0 || strncmp(text, "local-", 6) == 0;
    return is_time ? strrchr(text, '-') : NULL;
}

static void compare_meaning(struct compare *c, const struct leat_node *w, const struct leat_node *r)
{
    const char *from = unit_of(w);
    const char *into = unit_of(r);
    if (w->decimal && r->decimal && w->scale != r->scale)
        say(c, false, "decimal of scale %u can't be read as scale %u", w->scale, r->scale);
    if (from != NULL && into != NULL && strcmp(from, into) != 0)
        say(c, false, "%s can't be read as %s", w->logical.at, r->logical.at);
}

static bool same_name(const struct leat_node *w, const struct leat_node *r)
{
    if (w->kind != r->kind)
        return false;
    bool same = w->name.at == NULL || leat_str_eq(w->name, r->name);
    for (uint32_t i = 0; !same && i < r->aliases.count; i++)
        same = leat_str_eq(w->name, r->aliases.at[i]);
    return same;
}

/* Of two types that are no unions. */
static void compare_plain(struct compare *c, uint32_t writer, uint32_t reader)
{
    const struct leat_node *w = leat_node_at(c->writer, writer);
    const struct leat_node *r = leat_node_at(c->reader, reader);
    compare_meaning(c, w, r);
    if (c->by_name && w->kind == r->kind && !same_name(w, r))
        say(c, false, "%s '%s' is called '%s' by the writer, and has no such alias",
            leat_node_kind_name(r->kind), r->name.at, w->name.at);
    if (w->kind != r->kind) {
        if (!promotes(w->kind, r->kind))
            say(c, false, "%s can't be read as %s", name_of(w), name_of(r));
    } else if (w->kind == LEAT_NODE_RECORD) {
        compare_records(c, writer, reader);
    } else if (w->kind == LEAT_NODE_ENUM) {
        compare_enums(c, w, r);
    } else if (w->kind == LEAT_NODE_FIXED && w->size != r->size) {
        say(c, false, "fixed of %u bytes can't be read as %u bytes", w->size, r->size);
    } else if (w->kind == LEAT_NODE_ARRAY || w->kind == LEAT_NODE_MAP) {
        size_t before = enter(c, w->kind == LEAT_NODE_ARRAY ? "[]" : "[key]");
        compare_node(c, w->item, r->item);
        leave(c, before);
    }
}

/* Into a union: as the codec chooses, the very type first, else the first it can become. */
static void compare_into_union(struct compare *c, uint32_t writer, uint32_t reader, bool sometimes)
{
    const struct leat_node *w = leat_node_at(c->writer, writer);
    const struct leat_node *r = leat_node_at(c->reader, reader);
    for (int exact = 1; exact >= 0; exact--) {
        for (uint32_t i = 0; i < r->count; i++) {
            uint32_t branch = c->reader->branches[r->first + i];
            const struct leat_node *b = leat_node_at(c->reader, branch);
            if (exact == 1 ? same_name(w, b) : promotes(w->kind, b->kind)) {
                compare_plain(c, writer, branch);
                return;
            }
            /* An optional record or enum may have another name, as outside of a union. */
            if (exact == 0 && r->optional && w->kind == b->kind) {
                compare_plain(c, writer, branch);
                return;
            }
        }
    }
    say(c, sometimes, "%s is no branch of the reader's union", name_of(w));
}

static void compare_node(struct compare *c, uint32_t writer, uint32_t reader)
{
    const struct leat_node *w = leat_node_at(c->writer, writer);
    const struct leat_node *r = leat_node_at(c->reader, reader);
    if (c->depth == LEAT_SCHEMA_DEPTH_MAX) {
        say(c, false, "more than %d levels to compare", LEAT_SCHEMA_DEPTH_MAX);
        return;
    }
    c->depth++;
    bool from_union = w->kind == LEAT_NODE_UNION;
    for (uint32_t i = 0; i < (from_union ? w->count : 1); i++) {
        uint32_t branch = from_union ? c->writer->branches[w->first + i] : writer;
        const struct leat_node *b = leat_node_at(c->writer, branch);
        if (r->kind == LEAT_NODE_UNION)
            compare_into_union(c, branch, reader, from_union);
        else if (from_union && b->kind != r->kind && !promotes(b->kind, r->kind))
            say(c, true, "%s can't be read as %s", name_of(b), name_of(r));
        else
            compare_plain(c, branch, reader);
    }
    c->depth--;
}

size_t leat_schema_compare(const struct leat_schema *writer, const struct leat_schema *reader,
                           leat_compare_found found, void *arg)
{
    struct compare c = {.writer = writer, .reader = reader, .found = found, .arg = arg};
    compare_node(&c, writer->top, reader->top);
    return c.count;
}

static void fail_first(void *arg, const struct leat_compare_finding *f)
{
    struct leat_error *err = arg;
    if (err == NULL || err->status != LEAT_OK)
        return;
    bool top = f->path[0] == '\0';
    (void)leat_fail(err, LEAT_INVALID, "%s%s%s%s", top ? "" : "field '", f->path,
                    top ? "" : "': ", f->reason);
}

leat_status leat_schema_reads(const struct leat_schema *reader, const struct leat_schema *writer,
                              struct leat_error *err)
{
    struct leat_error first = {0};
    struct compare c = {
        .writer = writer, .reader = reader, .found = fail_first, .arg = &first, .by_name = true};
    compare_node(&c, writer->top, reader->top);
    if (c.count == 0)
        return LEAT_OK;
    return leat_fail(err, LEAT_INVALID, "%s", first.msg);
}
