/* plan_topics.c - Kafka's side of a plan. A config is altered where nothing can be lost by it. */
#include <strings.h>

#include "base/units.h"
#include "cli/plan.h"

#define KAFKA_MS 30000

static void add_topic(struct leat_change_plan *p, const char *name,
                      const struct leat_props *configs)
{
    struct leat_topic_spec *t = &p->topics[p->topic_count++];
    struct leat_kafka_prop *config =
        leat_arena_zalloc(p->s.arena, (size_t)configs->n + 1, sizeof *config);
    int64_t replication = 1;
    *t = (struct leat_topic_spec){
        .name = name, .partitions = p->s.topology->partitions, .config = config};
    for (uint32_t i = 0; i < configs->n; i++) {
        const struct leat_prop *c = &configs->at[i];
        size_t k = 0;
        while (k < t->config_count && strcmp(config[k].name, c->name) != 0)
            k++;
        if (strcmp(c->name, "replication.factor") == 0) {
            (void)leat_parse_int(leat_str_of(c->value), &replication);
        } else { /* a section's own value comes after the one of the defaults */
            config[k] = (struct leat_kafka_prop){c->name, c->value};
            t->config_count += k == t->config_count ? 1 : 0;
        }
    }
    t->replication = (int32_t)replication;
}

static void declare(struct leat_change_plan *p)
{
    const struct leat_topology *t = p->s.topology;
    size_t max = 1;
    for (uint32_t i = 0; i < t->n_processors; i++)
        max += (size_t)t->processors[i].priorities.n + 1;
    p->topics = leat_arena_zalloc(p->s.arena, max, sizeof *p->topics);
    p->alters = leat_arena_zalloc(p->s.arena, max, sizeof *p->alters);
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_processor *q = &t->processors[i];
        for (uint32_t c = 0; q->topics != NULL && c < q->priorities.n; c++)
            add_topic(p, q->topics[c].at, &t->commands.configs);
        add_topic(p, q->dlq_topic.at, &t->dlq.configs);
    }
    add_topic(p, t->events_topic.at, &t->events.configs);
}

static const struct leat_topic_spec *find_declared(const struct leat_change_plan *p,
                                                   const char *name)
{
    for (size_t i = 0; i < p->topic_count; i++) {
        if (strcmp(p->topics[i].name, name) == 0)
            return &p->topics[i];
    }
    return NULL;
}

static void see_sources(struct leat_change_plan *p, const char *topic)
{
    for (uint32_t i = 0; i < p->s.topology->n_sources; i++) {
        if (leat_str_eq(p->s.topology->sources[i].topic, leat_str_of(topic)))
            p->source_live[i] = true;
    }
}

/* What is declared or bears the topology's name; *live is in the order of names. */
static leat_status find_live(struct leat_change_plan *p, struct leat_error *err)
{
    struct leat_topic_live *all = NULL;
    size_t n = 0;
    const char *prefix = leat_arena_printf(p->s.arena, "%s.", p->s.topology->name.at);
    leat_status st = leat_admin_topics(p->admin, p->s.arena, &all, &n, KAFKA_MS, err);
    if (st != LEAT_OK)
        return st;
    p->source_live =
        leat_arena_zalloc(p->s.arena, p->s.topology->n_sources + 1u, sizeof *p->source_live);
    for (size_t i = 0; i < n; i++) {
        see_sources(p, all[i].name);
        if (find_declared(p, all[i].name) != NULL ||
            strncmp(all[i].name, prefix, strlen(prefix)) == 0)
            all[p->live_count++] = all[i];
    }
    p->live = all;
    return leat_admin_configs(p->admin, all, p->live_count, p->s.arena, KAFKA_MS, err);
}

static leat_status count_records(struct leat_change_plan *p, const struct leat_topic_live *t,
                                 int64_t *ret, struct leat_error *err)
{
    size_t n = (size_t)t->partitions;
    struct leat_position *at = leat_arena_zalloc(p->s.arena, n, sizeof *at);
    struct leat_watermarks *marks = leat_arena_zalloc(p->s.arena, n, sizeof *marks);
    for (size_t i = 0; i < n; i++)
        at[i] = (struct leat_position){t->name, (int32_t)i, 0};
    LEAT_TRY(leat_admin_watermarks(p->admin, at, n, marks, KAFKA_MS, err), err, "topic '%s'",
             t->name);
    *ret = 0;
    for (size_t i = 0; i < n; i++)
        *ret += marks[i].high - marks[i].low;
    return LEAT_OK;
}

/* --- what exists --- */

static const struct leat_topic_config *find_config(const struct leat_topic_live *t,
                                                   const char *name)
{
    for (size_t i = 0; i < t->config_count; i++) {
        if (strcmp(t->configs[i].name, name) == 0)
            return &t->configs[i];
    }
    return NULL;
}

/* -1, Kafka's "without limit", is the largest. */
static bool is_lower(const char *from, const char *to)
{
    int64_t a = 0, b = 0;
    if (leat_parse_int(leat_str_of(from), &a) != LEAT_UNITS_OK ||
        leat_parse_int(leat_str_of(to), &b) != LEAT_UNITS_OK)
        return false;
    return b >= 0 && (a < 0 || b < a);
}

static bool deletes(const char *name, const char *from, const char *to)
{
    if (strcmp(name, "cleanup.policy") == 0)
        return true;
    return (strcmp(name, "retention.ms") == 0 || strcmp(name, "retention.bytes") == 0) &&
           is_lower(from, to);
}

static leat_status judge_config(struct leat_change_plan *p, const struct leat_topic_live *live,
                                const struct leat_topic_config *is, const char *wanted,
                                bool *ret_change, struct leat_error *err)
{
    bool events = leat_str_eq(p->s.topology->events_topic, leat_str_of(live->name));
    const char *what = leat_arena_printf(p->s.arena, "%s: %s -> %s", is->name, is->value, wanted);
    int64_t records = 0;
    if (!events && deletes(is->name, is->value, wanted)) {
        leat_status st = count_records(p, live, &records, err);
        if (st != LEAT_OK)
            return st;
    }
    *ret_change = records == 0;
    if (records > 0)
        what = leat_arena_printf(
            p->s.arena,
            "%s: Kafka would delete some of its %lld records, which are nowhere else; "
            "let them be read first, or change it with Kafka's own tools",
            what, (long long)records);
    leat_change_plan_add(p, LEAT_PLAN_TOPICS, records > 0 ? LEAT_PLAN_REFUSE : LEAT_PLAN_CHANGE,
                         live->name, what);
    return LEAT_OK;
}

static leat_status compare_configs(struct leat_change_plan *p, const struct leat_topic_spec *spec,
                                   const struct leat_topic_live *live, struct leat_error *err)
{
    struct leat_kafka_prop *changes =
        leat_arena_zalloc(p->s.arena, spec->config_count + 1, sizeof *changes);
    size_t n = 0;
    if (live->config_error != NULL) {
        leat_change_plan_add(p, LEAT_PLAN_TOPICS, LEAT_PLAN_LEAVE, spec->name,
                             leat_arena_printf(p->s.arena, "its configs cannot be looked at: %s",
                                               live->config_error));
        return LEAT_OK;
    }
    for (size_t i = 0; i < spec->config_count; i++) {
        const struct leat_kafka_prop *wanted = &spec->config[i];
        const struct leat_topic_config *is = find_config(live, wanted->name);
        bool change = false;
        if (is == NULL) {
            leat_change_plan_add(p, LEAT_PLAN_TOPICS, LEAT_PLAN_REFUSE, spec->name,
                                 leat_arena_printf(p->s.arena,
                                                   "%s: this Kafka has no such topic config",
                                                   wanted->name));
            continue;
        }
        if (strcasecmp(is->value, wanted->value) == 0)
            continue;
        leat_status st = judge_config(p, live, is, wanted->value, &change, err);
        if (st != LEAT_OK)
            return st;
        if (change)
            changes[n++] = *wanted;
    }
    if (n > 0)
        p->alters[p->alter_count++] = (struct leat_plan_alter){live, changes, n};
    return LEAT_OK;
}

static leat_status compare(struct leat_change_plan *p, const struct leat_topic_spec *spec,
                           const struct leat_topic_live *live, struct leat_error *err)
{
    if (live->partitions != spec->partitions) {
        leat_change_plan_add(
            p, LEAT_PLAN_TOPICS, LEAT_PLAN_REFUSE, spec->name,
            leat_arena_printf(p->s.arena,
                              "has %d partitions, the topology says %d: the number is for the "
                              "store's life, keys would change places",
                              live->partitions, spec->partitions));
        return LEAT_OK;
    }
    if (live->replicas != spec->replication)
        leat_change_plan_add(
            p, LEAT_PLAN_TOPICS, LEAT_PLAN_LEAVE, spec->name,
            leat_arena_printf(p->s.arena,
                              "replication.factor: is %d, the topology says %d; Kafka's "
                              "kafka-reassign-partitions changes it",
                              live->replicas, spec->replication));
    return compare_configs(p, spec, live, err);
}

static void plan_new(struct leat_change_plan *p, const struct leat_topic_spec *spec)
{
    const char *text = leat_arena_printf(p->s.arena, "%d partitions, replication.factor %d",
                                         spec->partitions, spec->replication);
    for (size_t i = 0; i < spec->config_count; i++)
        text = leat_arena_printf(p->s.arena, "%s, %s %s", text, spec->config[i].name,
                                 spec->config[i].value);
    leat_change_plan_add(p, LEAT_PLAN_TOPICS, LEAT_PLAN_MAKE, spec->name, text);
}

static bool is_source(const struct leat_change_plan *p, const char *topic)
{
    for (uint32_t i = 0; i < p->s.topology->n_sources; i++) {
        if (leat_str_eq(p->s.topology->sources[i].topic, leat_str_of(topic)))
            return true;
    }
    return false;
}

static leat_status plan_undeclared(struct leat_change_plan *p, const struct leat_topic_live *live,
                                   struct leat_error *err)
{
    int64_t records = 0;
    leat_status st = count_records(p, live, &records, err);
    if (st == LEAT_OK)
        leat_change_plan_add(
            p, LEAT_PLAN_TOPICS, LEAT_PLAN_LEAVE, live->name,
            leat_arena_printf(p->s.arena, "not declared (any more): left as it is, %lld records",
                              (long long)records));
    return st;
}

/* Of somebody else: how many partitions and for how long is not ours to say. */
static void plan_sources(struct leat_change_plan *p)
{
    for (uint32_t i = 0; i < p->s.topology->n_sources; i++) {
        const struct leat_source *s = &p->s.topology->sources[i];
        if (s->topic.len > 0 && !p->source_live[i])
            leat_change_plan_add(
                p, LEAT_PLAN_TOPICS, LEAT_PLAN_FOREIGN, leat_arena_cstr(p->s.arena, s->topic),
                leat_arena_printf(p->s.arena,
                                  "is missing: it belongs to somebody else (source '%.*s'); ask "
                                  "its owner, or create it with Kafka's own kafka-topics",
                                  LEAT_STR_FMT(s->name)));
    }
}

leat_status leat_plan_topics(struct leat_change_plan *p, struct leat_error *err)
{
    declare(p);
    leat_status st = find_live(p, err);
    for (size_t i = 0; i < p->topic_count && st == LEAT_OK; i++) {
        const struct leat_topic_live *live = NULL;
        for (size_t k = 0; k < p->live_count && live == NULL; k++)
            live = strcmp(p->live[k].name, p->topics[i].name) == 0 ? &p->live[k] : NULL;
        if (live == NULL)
            plan_new(p, &p->topics[i]);
        else
            st = compare(p, &p->topics[i], live, err);
    }
    for (size_t k = 0; k < p->live_count && st == LEAT_OK; k++) {
        if (find_declared(p, p->live[k].name) == NULL && !is_source(p, p->live[k].name))
            st = plan_undeclared(p, &p->live[k], err);
    }
    if (st == LEAT_OK)
        plan_sources(p);
    return st;
}
