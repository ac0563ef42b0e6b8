/* graph.h - a topology as nodes and edges: what `leat graph` draws. The same file gives the same
 * graph, in the file's order. Pure; memory is the graph's arena; one thread. */
#ifndef LEAT_CLI_GRAPH_H
#define LEAT_CLI_GRAPH_H

#include "base/buf.h"
#include "topology/topology.h"

typedef enum leat_graph_kind {
    LEAT_GRAPH_SOURCE,
    LEAT_GRAPH_COMMANDS,  /* the command topics of a processor, by priority */
    LEAT_GRAPH_PROCESSOR, /* with an aggregate */
    LEAT_GRAPH_POLICY,    /* without */
    LEAT_GRAPH_EVENTS,
    LEAT_GRAPH_DEAD,
    LEAT_GRAPH_PROJECTION,
    LEAT_GRAPH_QUERY,
} leat_graph_kind;

struct leat_graph_node {
    leat_graph_kind kind;
    const char *id;    /* letters, digits and '_', each once */
    const char *title; /* what it is called */
    const char *text;  /* more lines, separated by '\n'; may be "" */
};
struct leat_graph_edge {
    uint32_t from, to; /* indexes of nodes */
    const char *text;  /* types that go this way, separated by '\n'; may be "" */
    bool rare;         /* dead letters: drawn dotted */
};

struct leat_graph {
    struct leat_arena *arena;
    const char *name;
    struct leat_graph_node *nodes;
    struct leat_graph_edge *edges;
    uint32_t n_nodes, n_edges;
    size_t cap_nodes, cap_edges;
};

void leat_graph_build(const struct leat_topology *t, struct leat_graph *ret);
void leat_graph_done(struct leat_graph *g);
void leat_graph_mermaid(const struct leat_graph *g, struct leat_buf *out);
void leat_graph_dot(const struct leat_graph *g, struct leat_buf *out);

#endif
