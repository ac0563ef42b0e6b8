/* graph_show.c - the two forms of a graph. */
#include "cli/graph.h"

/* Text between quotes: line breaks as `line`, what the form reads itself replaced. */
static void put_text(struct leat_buf *out, const char *text, const char *line, bool mermaid)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\n')
            leat_buf_puts(out, line);
        else if (*c == '"')
            leat_buf_puts(out, mermaid ? "&quot;" : "\\\"");
        else if (mermaid && (*c == '<' || *c == '>' || *c == '&'))
            leat_buf_puts(out, *c == '<' ? "&lt;" : *c == '>' ? "&gt;" : "&amp;");
        else if (!mermaid && *c == '\\')
            leat_buf_puts(out, "\\\\");
        else
            leat_buf_putc(out, *c);
    }
}

static void put_label(struct leat_buf *out, const struct leat_graph_node *n, const char *line,
                      bool mermaid)
{
    if (n->kind != LEAT_GRAPH_COMMANDS)
        put_text(out, n->title, line, mermaid); /* of commands: the topics say it */
    if (n->kind != LEAT_GRAPH_COMMANDS && n->text[0] != '\0')
        leat_buf_puts(out, line);
    put_text(out, n->text, line, mermaid);
}

/* --- Mermaid --- */

static const struct {
    const char *open, *close; /* the node's shape */
} mermaid_shapes[] = {
    [LEAT_GRAPH_SOURCE] = {"[/", "/]"},     [LEAT_GRAPH_COMMANDS] = {"([", "])"},
    [LEAT_GRAPH_PROCESSOR] = {"[", "]"},    [LEAT_GRAPH_POLICY] = {"{{", "}}"},
    [LEAT_GRAPH_EVENTS] = {"([", "])"},     [LEAT_GRAPH_DEAD] = {"([", "])"},
    [LEAT_GRAPH_PROJECTION] = {"[(", ")]"}, [LEAT_GRAPH_QUERY] = {">", "]"},
};

void leat_graph_mermaid(const struct leat_graph *g, struct leat_buf *out)
{
    leat_buf_puts(out, "flowchart LR\n");
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const struct leat_graph_node *n = &g->nodes[i];
        leat_buf_printf(out, "    %s%s\"", n->id, mermaid_shapes[n->kind].open);
        put_label(out, n, "<br>", true);
        leat_buf_printf(out, "\"%s\n", mermaid_shapes[n->kind].close);
    }
    for (uint32_t i = 0; i < g->n_edges; i++) {
        const struct leat_graph_edge *e = &g->edges[i];
        leat_buf_printf(out, "    %s %s", g->nodes[e->from].id, e->rare ? "-.->" : "-->");
        if (e->text[0] != '\0') {
            leat_buf_puts(out, "|\"");
            put_text(out, e->text, "<br>", true);
            leat_buf_puts(out, "\"|");
        }
        leat_buf_printf(out, " %s\n", g->nodes[e->to].id);
    }
}

/* --- DOT --- */

static const char *const dot_shapes[] = {
    [LEAT_GRAPH_SOURCE] = "shape=parallelogram",
    [LEAT_GRAPH_COMMANDS] = "shape=box style=rounded",
    [LEAT_GRAPH_PROCESSOR] = "shape=box style=bold",
    [LEAT_GRAPH_POLICY] = "shape=hexagon",
    [LEAT_GRAPH_EVENTS] = "shape=box style=rounded",
    [LEAT_GRAPH_DEAD] = "shape=box style=\"rounded,dotted\"",
    [LEAT_GRAPH_PROJECTION] = "shape=cylinder",
    [LEAT_GRAPH_QUERY] = "shape=cds",
};

void leat_graph_dot(const struct leat_graph *g, struct leat_buf *out)
{
    leat_buf_printf(out,
                    "digraph \"%s\" {\n    rankdir=LR;\n    node [fontsize=10];\n"
                    "    edge [fontsize=9];\n",
                    g->name);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        const struct leat_graph_node *n = &g->nodes[i];
        leat_buf_printf(out, "    %s [%s label=\"", n->id, dot_shapes[n->kind]);
        put_label(out, n, "\\n", false);
        leat_buf_puts(out, "\"];\n");
    }
    for (uint32_t i = 0; i < g->n_edges; i++) {
        const struct leat_graph_edge *e = &g->edges[i];
        leat_buf_printf(out, "    %s -> %s [", g->nodes[e->from].id, g->nodes[e->to].id);
        if (e->text[0] != '\0') {
            leat_buf_puts(out, "label=\"");
            put_text(out, e->text, "\\n", false);
            leat_buf_puts(out, "\"");
        }
        leat_buf_printf(out, "%s];\n", e->rare ? "style=dotted" : "");
    }
    leat_buf_puts(out, "}\n");
}
