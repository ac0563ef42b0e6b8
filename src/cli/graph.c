#include "cli/graph.h"

#include <string.h>

#define NONE UINT32_MAX

struct build {
    struct leat_graph *g;
    const struct leat_topology *t;
    uint32_t *inbox, *worker; /* nodes by processor; inbox NONE without commands */
    uint32_t events;
};

/* --- parts --- */

static bool is_taken(const struct leat_graph *g, const char *id)
{
    for (uint32_t i = 0; i < g->n_nodes; i++) {
        if (strcmp(g->nodes[i].id, id) == 0)
            return true;
    }
    return false;
}

/* Kinds have their own prefix; what is no letter or digit becomes '_' and its code. */
static const char *id_of(struct leat_graph *g, const char *prefix, struct leat_str name)
{
    const char *id = leat_arena_printf(g->arena, "%s_", prefix);
    for (uint32_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        id = plain ? leat_arena_printf(g->arena, "%s%c", id, c)
                   : leat_arena_printf(g->arena, "%s_%02x", id, (unsigned)(unsigned char)c);
    }
    while (is_taken(g, id)) /* "a.b" and "a_2eb" */
        id = leat_arena_printf(g->arena, "%s_", id);
    return id;
}

static uint32_t add_node(struct leat_graph *g, leat_graph_kind kind, struct leat_str name,
                         const char *text)
{
    static const char *const prefixes[] = {
        [LEAT_GRAPH_SOURCE] = "source",    [LEAT_GRAPH_COMMANDS] = "commands",
        [LEAT_GRAPH_PROCESSOR] = "p",      [LEAT_GRAPH_POLICY] = "p",
        [LEAT_GRAPH_EVENTS] = "events",    [LEAT_GRAPH_DEAD] = "dead",
        [LEAT_GRAPH_PROJECTION] = "model", [LEAT_GRAPH_QUERY] = "query",
    };
    g->nodes = leat_arena_grow(g->arena, g->nodes, sizeof *g->nodes, &g->cap_nodes,
                               (size_t)g->n_nodes + 1);
    g->nodes[g->n_nodes] = (struct leat_graph_node){kind, id_of(g, prefixes[kind], name),
                                                    leat_arena_cstr(g->arena, name), text};
    return g->n_nodes++;
}

/* One edge per pair of nodes: its texts are lines. */
static void add_edge(struct leat_graph *g, uint32_t from, uint32_t to, struct leat_str text)
{
    for (uint32_t i = 0; i < g->n_edges; i++) {
        struct leat_graph_edge *e = &g->edges[i];
        if (e->from != from || e->to != to)
            continue;
        e->text = leat_arena_printf(g->arena, "%s\n%.*s", e->text, LEAT_STR_FMT(text));
        return;
    }
    g->edges = leat_arena_grow(g->arena, g->edges, sizeof *g->edges, &g->cap_edges,
                               (size_t)g->n_edges + 1);
    g->edges[g->n_edges++] =
        (struct leat_graph_edge){from, to, leat_arena_cstr(g->arena, text), false};
}

static void add_edges(struct leat_graph *g, uint32_t from, uint32_t to,
                      const struct leat_names *names)
{
    for (uint32_t i = 0; i < names->n; i++)
        add_edge(g, from, to, names->at[i]);
}

/* --- what there is --- */

static const char *topics_text(struct leat_graph *g, const struct leat_processor *p)
{
    const char *text = "";
    for (uint32_t i = 0; i < p->priorities.n; i++) {
        const struct leat_priority *c = &p->priorities.at[i];
        text = leat_arena_printf(g->arena, "%s%s%.*s, weight %lld%s", text, i == 0 ? "" : "\n",
                                 LEAT_STR_FMT(p->topics[i]), (long long)c->weight,
                                 i == p->priorities.default_index ? ", default" : "");
    }
    return text;
}

static void add_processors(struct build *b)
{
    struct leat_graph *g = b->g;
    for (uint32_t i = 0; i < b->t->n_processors; i++) {
        const struct leat_processor *p = &b->t->processors[i];
        b->inbox[i] = NONE;
        if (p->topics != NULL)
            b->inbox[i] = add_node(g, LEAT_GRAPH_COMMANDS, p->name, topics_text(g, p));
        b->worker[i] =
            p->aggregate == NULL
                ? add_node(g, LEAT_GRAPH_POLICY, p->name, p->events.n > 0 ? "policy" : "")
                : add_node(g, LEAT_GRAPH_PROCESSOR, p->name,
                           leat_arena_printf(g->arena, "aggregate %.*s",
                                             LEAT_STR_FMT(p->aggregate->name)));
    }
}

static uint32_t inbox_of(const struct build *b, struct leat_str command)
{
    const struct leat_processor *p = leat_topology_handler(b->t, command);
    return p == NULL ? NONE : b->inbox[p->index];
}

static void add_flow(struct build *b)
{
    struct leat_graph *g = b->g;
    for (uint32_t i = 0; i < b->t->n_processors; i++) {
        const struct leat_processor *p = &b->t->processors[i];
        if (b->inbox[i] != NONE)
            add_edges(g, b->inbox[i], b->worker[i], &p->commands);
        add_edges(g, b->events, b->worker[i], &p->events);
        add_edges(g, b->worker[i], b->events, &p->emits);
        for (uint32_t k = 0; k < p->sends.n; k++) {
            uint32_t to = inbox_of(b, p->sends.at[k]);
            if (to != NONE)
                add_edge(g, b->worker[i], to, p->sends.at[k]);
        }
    }
    for (uint32_t i = 0; i < b->t->n_processors; i++) {
        const struct leat_processor *p = &b->t->processors[i];
        uint32_t dead = add_node(g, LEAT_GRAPH_DEAD, p->dlq_topic, "");
        add_edge(g, b->worker[i], dead, LEAT_STR(""));
        g->edges[g->n_edges - 1].rare = true;
    }
}

static void add_source_type(struct build *b, const struct leat_source *s, uint32_t node,
                            struct leat_str type)
{
    uint32_t to = s->is_event ? b->events : inbox_of(b, type);
    if (type.len > 0 && to != NONE)
        add_edge(b->g, node, to, type);
}

static void add_sources(struct build *b)
{
    for (uint32_t i = 0; i < b->t->n_sources; i++) {
        const struct leat_source *s = &b->t->sources[i];
        uint32_t node =
            add_node(b->g, LEAT_GRAPH_SOURCE, s->name,
                     leat_arena_printf(b->g->arena, "topic %.*s", LEAT_STR_FMT(s->topic)));
        add_source_type(b, s, node, s->type);
        for (uint32_t k = 0; k < s->n_routes; k++)
            add_source_type(b, s, node, s->routes[k].type);
    }
}

static void add_reading(struct build *b)
{
    struct leat_graph *g = b->g;
    uint32_t first = g->n_nodes;
    for (uint32_t i = 0; i < b->t->n_projections; i++) {
        const struct leat_projection *p = &b->t->projections[i];
        uint32_t node = add_node(g, LEAT_GRAPH_PROJECTION, p->name,
                                 p->store == LEAT_MODEL_LMDB ? "lmdb" : "redis");
        for (uint32_t k = 0; k < p->n_from; k++)
            add_edge(g, b->events, node, p->from[k].event);
    }
    for (uint32_t i = 0; i < b->t->n_queries; i++) {
        const struct leat_query *q = &b->t->queries[i];
        uint32_t node = add_node(g, LEAT_GRAPH_QUERY, q->name, "");
        add_edge(g, first + q->model->index, node,
                 q->index == NULL ? LEAT_STR("") : q->index->name);
    }
}

void leat_graph_build(const struct leat_topology *t, struct leat_graph *ret)
{
    *ret = (struct leat_graph){.arena = leat_arena_new(16384, 0), .name = t->name.at};
    struct build b = {.g = ret, .t = t};
    b.inbox = leat_arena_zalloc(ret->arena, (size_t)t->n_processors + 1, sizeof *b.inbox);
    b.worker = leat_arena_zalloc(ret->arena, (size_t)t->n_processors + 1, sizeof *b.worker);
    add_processors(&b);
    b.events = add_node(ret, LEAT_GRAPH_EVENTS, t->events_topic, "");
    add_flow(&b);
    add_sources(&b);
    add_reading(&b);
}

void leat_graph_done(struct leat_graph *g)
{
    leat_arena_free(g->arena);
    *g = (struct leat_graph){0};
}
