#include "topology/declaration.h"

#include <ctype.h>
#include <string.h>

#include "topology/yaml.h"

#define INDENT 2

/* ---- values as YAML ---- */

static bool is_plain(struct leat_str s)
{
    if (s.len == 0 || strchr("\"'&*!|>%@`#{}[],?:-", s.at[0]) != NULL ||
        isspace((unsigned char)s.at[s.len - 1]) != 0)
        return s.len > 1 && (s.at[0] == '-' || s.at[0] == ':') && isalnum((unsigned char)s.at[1]);
    for (uint32_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i],
                      next = i + 1 < s.len ? (unsigned char)s.at[i + 1] : ' ';
        if (c < ' ' || (c == ':' && next == ' ') || (c == ' ' && next == '#'))
            return false;
    }
    return true;
}

/* A `$` that would be a variable is doubled. */
static void put_text(struct leat_buf *out, struct leat_str s, bool quoted)
{
    for (uint32_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        bool pair = c == '$' && i + 1 < s.len && (s.at[i + 1] == '$' || s.at[i + 1] == '{');
        if (quoted && (c < ' ' || c == 0x7f)) {
            leat_buf_printf(out, "\\x%02x", c);
            continue;
        }
        if (pair)
            leat_buf_putc(out, '$');
        if (quoted && (c == '"' || c == '\\'))
            leat_buf_putc(out, '\\');
        leat_buf_putc(out, (char)c);
    }
}

static void put_scalar(struct leat_buf *out, const struct leat_yaml *n)
{
    if (n->null && n->plain) {
        leat_buf_puts(out, "null");
        return;
    }
    bool quoted = !n->plain || !is_plain(n->text);
    if (quoted)
        leat_buf_putc(out, '"');
    put_text(out, n->text, quoted);
    if (quoted)
        leat_buf_putc(out, '"');
}

static void put_indent(struct leat_buf *out, int depth)
{
    leat_buf_printf(out, "%*s", depth * INDENT, "");
}

static void put_node(struct leat_buf *out, const struct leat_yaml *n, int depth)
{
    if (n->kind != LEAT_YAML_SCALAR && n->n == 0) {
        leat_buf_puts(out, n->kind == LEAT_YAML_LIST ? " []\n" : " {}\n");
        return;
    }
    if (n->kind == LEAT_YAML_SCALAR) {
        leat_buf_putc(out, ' ');
        put_scalar(out, n);
        leat_buf_putc(out, '\n');
        return;
    }
    leat_buf_putc(out, '\n');
    for (uint32_t i = 0; i < n->n; i++) {
        put_indent(out, depth);
        if (n->kind == LEAT_YAML_MAP) {
            leat_buf_putc(out, '"');
            put_text(out, n->pairs[i].key, true);
            leat_buf_puts(out, "\":");
        } else {
            leat_buf_putc(out, '-');
        }
        put_node(out, n->kind == LEAT_YAML_MAP ? n->pairs[i].value : n->items[i], depth + 1);
    }
}

/* ---- the topology around it ---- */

static bool feeds(const struct leat_topology *t, const struct leat_projection *p,
                  const struct leat_aggregate *a)
{
    for (uint32_t i = 0; i < p->n_from; i++) {
        if (leat_topology_emitter(t, p->from[i].event) == a)
            return true;
    }
    return false;
}

/* Who emits its events, and by which key: decides whether its rows follow streams. */
static void put_aggregates(const struct leat_topology *t, const struct leat_projection *p,
                           struct leat_buf *out)
{
    leat_buf_puts(out, "aggregates:\n");
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        const struct leat_aggregate *a = &t->aggregates[i];
        if (feeds(t, p, a))
            leat_buf_printf(out, "  %.*s: {key: %.*s}\n", LEAT_STR_FMT(a->name),
                            LEAT_STR_FMT(a->key));
    }
    leat_buf_puts(out, "processors:\n");
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        const struct leat_aggregate *a = &t->aggregates[i];
        if (!feeds(t, p, a))
            continue;
        leat_buf_printf(out,
                        "  %.*s:\n    aggregate: %.*s\n    commands: [Command%u]\n    emits:\n",
                        LEAT_STR_FMT(a->name), LEAT_STR_FMT(a->name), i);
        for (uint32_t j = 0; j < p->n_from; j++) {
            if (leat_topology_emitter(t, p->from[j].event) == a)
                leat_buf_printf(out, "      - %.*s\n", LEAT_STR_FMT(p->from[j].event));
        }
    }
}

void leat_declaration_text(const struct leat_topology *t, const struct leat_projection *p,
                           struct leat_buf *out)
{
    leat_buf_printf(out,
                    "leat: 1\nname: %.*s\npartitions: %d\nkafka: {bootstrap.servers: none}\n"
                    "store: {url: \"postgresql://\"}\npriorities: {any: {weight: 1, default: "
                    "true}}\n",
                    LEAT_STR_FMT(t->name), (int)t->partitions);
    put_aggregates(t, p, out);
    leat_buf_printf(out, "projections:\n  %.*s:", LEAT_STR_FMT(p->name));
    put_node(out, p->source, 2);
}

leat_status leat_declaration_load(struct leat_str text, struct leat_topology **ret,
                                  struct leat_error *err)
{
    struct leat_report report = {0};
    struct leat_topology *t = NULL;
    leat_status status = leat_topology_load_text("declaration", text, false, &t, &report, err);
    if (status == LEAT_OK && t->n_projections != 1) {
        leat_topology_free(t);
        status = leat_fail(err, LEAT_INVALID, "the declaration does not hold one projection");
    }
    if (status == LEAT_OK)
        *ret = t;
    leat_report_done(&report);
    return status;
}
