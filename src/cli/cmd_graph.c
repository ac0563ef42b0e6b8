/* leat graph: who sends what to whom. */
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/graph.h"

#define TEXT_BYTES_MAX ((size_t)4 << 20)

int leat_cmd_graph(struct leat_cli *cli, int argc, char **argv);

struct graph_options {
    const char *topology, *format;
    bool json;
};

static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct graph_options, topology),
    {"format", 'f', LEAT_OPT_STR, offsetof(struct graph_options, format), "mermaid|dot", "mermaid",
     NULL, 0, 0, "Form of the drawing."},
    LEAT_CLI_JSON(struct graph_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat graph [options]",
    .summary = "Draws a topology: sources, command topics, processors, events, read models.",
    .details = "No server is asked; the same file gives the same text.\n\n"
               "  leat graph > flow.mmd\n"
               "  leat graph --format dot | dot -Tsvg > flow.svg\n",
    LEAT_OPTS(options),
};

static const char *const kind_names[] = {"source", "commands", "processor",  "policy",
                                         "events", "dead",     "projection", "query"};

/* "a\nb" as a list. */
static void put_lines(struct leat_json_writer *w, const char *key, const char *text)
{
    leat_json_key(w, leat_str_of(key));
    leat_json_begin_array(w);
    while (*text != '\0') {
        size_t len = strcspn(text, "\n");
        leat_json_str(w, (struct leat_str){text, (uint32_t)len});
        text += len + (text[len] == '\n' ? 1 : 0);
    }
    leat_json_end_array(w);
}

static void put_json(const struct leat_graph *g, struct leat_buf *out)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_cstr(&w, "topology", g->name);
    leat_json_key(&w, LEAT_STR("nodes"));
    leat_json_begin_array(&w);
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        leat_json_begin_object(&w);
        leat_json_put_cstr(&w, "id", g->nodes[i].id);
        leat_json_put_cstr(&w, "kind", kind_names[g->nodes[i].kind]);
        leat_json_put_cstr(&w, "name", g->nodes[i].title);
        put_lines(&w, "text", g->nodes[i].text);
        leat_json_end_object(&w);
    }
    leat_json_end_array(&w);
    leat_json_key(&w, LEAT_STR("edges"));
    leat_json_begin_array(&w);
    for (uint32_t i = 0; i < g->n_edges; i++) {
        leat_json_begin_object(&w);
        leat_json_put_cstr(&w, "from", g->nodes[g->edges[i].from].id);
        leat_json_put_cstr(&w, "to", g->nodes[g->edges[i].to].id);
        put_lines(&w, "types", g->edges[i].text);
        leat_json_end_object(&w);
    }
    leat_json_end_array(&w);
    leat_json_end_object(&w);
    leat_buf_putc(out, '\n');
}

static int draw(const struct graph_options *o, bool dot)
{
    struct leat_topology *t = NULL;
    struct leat_graph g;
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    int code = leat_cli_topology(o->topology, false, &t);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    leat_buf_init(&text, TEXT_BYTES_MAX);
    leat_graph_build(t, &g);
    if (o->json)
        put_json(&g, &text);
    else if (dot)
        leat_graph_dot(&g, &text);
    else
        leat_graph_mermaid(&g, &text);
    code = leat_cli_print(&text);
    leat_graph_done(&g);
    leat_topology_free(t);
    return code;
}

int leat_cmd_graph(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct graph_options o = {0};
    int args = 0;
    int code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    bool dot = strcmp(o.format, "dot") == 0;
    if (!dot && strcmp(o.format, "mermaid") != 0) {
        struct leat_error err = {0};
        (void)leat_fail(&err, LEAT_INVALID, "--format %s: mermaid or dot", o.format);
        return leat_cli_fail(&err);
    }
    return draw(&o, dot);
}
