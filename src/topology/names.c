#include <string.h>

#include "base/buf.h"
#include "topology/files.h"
#include "topology/loader.h"

#define TOPIC_BYTES_MAX 249 /* Kafka's own bound */

/* --- look-ups --- */

#define FIND(array, count, name)                                                                   \
    do {                                                                                           \
        for (uint32_t i = 0; i < (count); i++) {                                                   \
            if (leat_str_eq((array)[i].name, (name)))                                              \
                return &(array)[i];                                                                \
        }                                                                                          \
        return NULL;                                                                               \
    } while (0)

const struct leat_processor *leat_topology_processor(const struct leat_topology *t,
                                                     struct leat_str name)
{
    FIND(t->processors, t->n_processors, name);
}

const struct leat_aggregate *leat_topology_aggregate(const struct leat_topology *t,
                                                     struct leat_str name)
{
    FIND(t->aggregates, t->n_aggregates, name);
}

const struct leat_projection *leat_topology_projection(const struct leat_topology *t,
                                                       struct leat_str name)
{
    FIND(t->projections, t->n_projections, name);
}

const struct leat_query *leat_topology_query(const struct leat_topology *t, struct leat_str name)
{
    FIND(t->queries, t->n_queries, name);
}

const struct leat_index *leat_projection_index(const struct leat_projection *p,
                                               struct leat_str name)
{
    FIND(p->indexes, p->n_indexes, name);
}

const struct leat_processor *leat_topology_handler(const struct leat_topology *t,
                                                   struct leat_str command)
{
    for (uint32_t i = 0; i < t->n_processors; i++) {
        if (leat_names_has(&t->processors[i].commands, command))
            return &t->processors[i];
    }
    return NULL;
}

const struct leat_aggregate *leat_topology_emitter(const struct leat_topology *t,
                                                   struct leat_str event)
{
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_processor *p = &t->processors[i];
        if (p->aggregate != NULL && leat_names_has(&p->emits, event))
            return p->aggregate;
    }
    return NULL;
}

int32_t leat_priority_find(const struct leat_priorities *p, struct leat_str name)
{
    for (uint32_t i = 0; i < p->n; i++) {
        if (leat_str_eq(p->at[i].name, name))
            return (int32_t)i;
    }
    return -1;
}

int32_t leat_projection_field(const struct leat_projection *p, struct leat_str name)
{
    for (uint32_t i = 0; i < p->fields.n; i++) {
        if (leat_str_eq(p->fields.at[i], name))
            return (int32_t)i;
    }
    return -1;
}

/* --- all types --- */

struct types {
    struct leat_arena *arena;
    struct leat_str *at;
    size_t n, cap;
};

static void add_type(struct types *to, struct leat_str name)
{
    struct leat_names have = {to->at, (uint32_t)to->n};
    if (name.len == 0 || leat_names_has(&have, name))
        return;
    to->at = leat_arena_grow(to->arena, to->at, sizeof *to->at, &to->cap, to->n + 1);
    to->at[to->n++] = name;
}

static void add_types(struct types *to, const struct leat_names *names)
{
    for (uint32_t i = 0; i < names->n; i++)
        add_type(to, names->at[i]);
}

struct leat_names leat_topology_types(const struct leat_topology *t, struct leat_arena *arena)
{
    struct types all = {arena, NULL, 0, 0};
    for (uint32_t i = 0; i < t->n_aggregates; i++)
        add_type(&all, t->aggregates[i].state);
    for (uint32_t i = 0; i < t->n_processors; i++) {
        add_types(&all, &t->processors[i].commands);
        add_types(&all, &t->processors[i].events);
        add_types(&all, &t->processors[i].emits);
        add_types(&all, &t->processors[i].sends);
    }
    for (uint32_t i = 0; i < t->n_sources; i++) {
        add_type(&all, t->sources[i].type);
        add_type(&all, t->sources[i].tombstone_command);
        for (uint32_t j = 0; j < t->sources[i].n_routes; j++)
            add_type(&all, t->sources[i].routes[j].type);
    }
    for (uint32_t i = 0; i < t->n_projections; i++) {
        for (uint32_t j = 0; j < t->projections[i].n_from; j++)
            add_type(&all, t->projections[i].from[j].event);
    }
    return (struct leat_names){all.at, (uint32_t)all.n};
}

const char *leat_topology_schema_path(const struct leat_topology *t, struct leat_str type,
                                      struct leat_arena *arena)
{
    for (uint32_t i = 0; i < t->n_schema_dirs; i++) {
        const char *path =
            leat_arena_printf(arena, "%s/%.*s.avsc", t->schema_dirs[i], LEAT_STR_FMT(type));
        if (leat_files_is_file(path))
            return path;
    }
    return NULL;
}

/* --- names of topics and groups --- */

struct parts {
    struct leat_str topology, processor, priority;
};

static struct leat_str fill(struct leat_loader *l, const char *pattern, const struct parts *parts)
{
    static const struct leat_str marks[] = {
        {"{topology}", 10}, {"{processor}", 11}, {"{priority}", 10}};
    const struct leat_str values[] = {parts->topology, parts->processor, parts->priority};
    struct leat_buf b;
    leat_buf_init(&b, 4096);
    for (const char *p = pattern; *p != '\0';) {
        size_t i = 0;
        while (i < 3 && strncmp(p, marks[i].at, marks[i].len) != 0)
            i++;
        if (i == 3) {
            leat_buf_putc(&b, *p++);
            continue;
        }
        leat_buf_put(&b, values[i].at, values[i].len);
        p += marks[i].len;
    }
    struct leat_str s = leat_buf_str(&b);
    struct leat_str kept = {leat_arena_cstr(l->arena, s), s.len};
    leat_buf_done(&b);
    return kept;
}

static void check_topic(struct leat_loader *l, const struct leat_place *place,
                        struct leat_str topic)
{
    for (uint32_t i = 0; i < topic.len; i++) {
        char c = topic.at[i];
        bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '_' || c == '-';
        if (ok)
            continue;
        leat_load_error(l, place, "topic '%.*s': Kafka allows letters, digits, '.', '_' and '-'",
                        LEAT_STR_FMT(topic));
        return;
    }
    if (topic.len == 0 || topic.len > TOPIC_BYTES_MAX)
        leat_load_error(l, place, "topic '%.100s': longer than %d characters", topic.at,
                        TOPIC_BYTES_MAX);
}

static const char *pattern_of(const struct leat_topic_section *s, const char *usual)
{
    return s->name == NULL ? usual : s->name;
}

static void name_processor(struct leat_loader *l, struct leat_processor *p)
{
    const struct leat_topology *t = l->t;
    struct parts parts = {t->name, p->name, {"", 0}};
    p->group = fill(l, "{topology}.{processor}", &parts).at;
    p->dlq_topic = fill(l, pattern_of(&t->dlq, "{topology}.{processor}.dlq"), &parts);
    p->anchor = p->priorities.default_index;
    check_topic(l, &p->place, p->dlq_topic);
    if (p->commands.n == 0)
        return;
    struct leat_str *topics = leat_arena_zalloc(l->arena, p->priorities.n, sizeof *topics);
    for (uint32_t i = 0; i < p->priorities.n; i++) {
        parts.priority = p->priorities.at[i].name;
        topics[i] = fill(l, pattern_of(&t->commands, "{topology}.{processor}.{priority}"), &parts);
        check_topic(l, &p->place, topics[i]);
    }
    p->topics = topics;
}

void leat_load_processor_names(struct leat_loader *l)
{
    struct leat_topology *t = l->t;
    struct parts parts = {t->name, {"", 0}, {"", 0}};
    t->events_topic = fill(l, pattern_of(&t->events, "{topology}.events"), &parts);
    t->relay_group = fill(l, "{topology}.relay", &parts).at;
    t->projector_group = fill(l, "{topology}.projector", &parts).at;
    /* The array is this load's own; const is for whoever reads the finished topology. */
    struct leat_processor *processors = l->processors;
    for (uint32_t i = 0; i < t->n_processors; i++)
        name_processor(l, &processors[i]);
}
