/* plan_store.c - Postgres' side of a plan: migrations, fence rows, and what they were made for. */
#include "cli/plan.h"

static void refuse(struct leat_change_plan *p, const char *what, const char *why)
{
    leat_change_plan_add(p, LEAT_PLAN_STORE, LEAT_PLAN_REFUSE, what, why);
}

static const char *schema_of(const struct leat_change_plan *p)
{
    return leat_arena_printf(p->s.arena, "schema %s", p->s.store_options.schema);
}

static size_t count_lines(struct leat_str s)
{
    size_t n = 0;
    for (uint32_t i = 0; i < s.len; i++)
        n += s.at[i] == '\n' ? 1 : 0;
    return n;
}

static void plan_migrations(struct leat_change_plan *p)
{
    if (!p->pending.exists) {
        leat_change_plan_add(p, LEAT_PLAN_STORE, LEAT_PLAN_MAKE, schema_of(p),
                             leat_arena_printf(p->s.arena, "an event store of %d slices",
                                               p->s.topology->partitions));
    }
    for (size_t i = 0; i < p->pending.migration_count; i++) {
        const struct leat_pending_migration *m = &p->pending.migrations[i];
        leat_change_plan_add(p, LEAT_PLAN_STORE, LEAT_PLAN_MAKE,
                             leat_arena_printf(p->s.arena, "migration %s", m->name),
                             leat_arena_printf(p->s.arena, "%zu lines of SQL (--sql shows them)",
                                               count_lines(m->sql)));
        p->items[p->n - 1].sql = m->sql;
    }
}

static bool has_fences(const struct leat_change_plan *p, struct leat_str processor)
{
    for (size_t i = 0; i < p->pending.processor_count; i++) {
        if (leat_str_eq(p->pending.processors[i], processor))
            return true;
    }
    return false;
}

static void plan_processors(struct leat_change_plan *p)
{
    const struct leat_topology *t = p->s.topology;
    for (uint32_t i = 0; i < t->n_processors; i++) {
        if (has_fences(p, t->processors[i].name))
            continue;
        leat_change_plan_add(
            p, LEAT_PLAN_STORE, LEAT_PLAN_MAKE,
            leat_arena_printf(p->s.arena, "processor %s", t->processors[i].name.at),
            leat_arena_printf(p->s.arena, "%d fence rows", t->partitions));
    }
    for (size_t i = 0; i < p->pending.processor_count; i++) {
        struct leat_str name = p->pending.processors[i];
        if (leat_topology_processor(t, name) == NULL) {
            leat_change_plan_add(
                p, LEAT_PLAN_STORE, LEAT_PLAN_LEAVE,
                leat_arena_printf(p->s.arena, "processor %.*s", LEAT_STR_FMT(name)),
                "not declared (any more): its positions are kept");
        }
    }
}

static bool reads(const struct leat_topology *t, const struct leat_processor *p,
                  struct leat_str topic)
{
    for (uint32_t i = 0; p->topics != NULL && i < p->priorities.n; i++) {
        if (leat_str_eq(p->topics[i], topic))
            return true;
    }
    return p->events.n > 0 && leat_str_eq(t->events_topic, topic);
}

/* `leat run` would refuse it, when the old workers are gone already. */
static void plan_anchors(struct leat_change_plan *p)
{
    const struct leat_topology *t = p->s.topology;
    for (size_t i = 0; i < p->pending.anchor_count; i++) {
        const struct leat_anchor *a = &p->pending.anchors[i];
        const struct leat_processor *processor = leat_topology_processor(t, a->processor);
        if (processor == NULL || reads(t, processor, a->topic))
            continue;
        refuse(p, leat_arena_printf(p->s.arena, "processor %s", processor->name.at),
               leat_arena_printf(
                   p->s.arena,
                   "its group is assigned by topic %.*s, which it would no longer read: keep what "
                   "is read from it (another priority may be the default); or let it be read to "
                   "its end, stop all workers of '%s', delete its row in table anchors of "
                   "schema %s, and apply",
                   LEAT_STR_FMT(a->topic), processor->name.at, p->s.store_options.schema));
    }
}

leat_status leat_plan_store(struct leat_change_plan *p, struct leat_error *err)
{
    (void)err;
    const struct leat_pending *have = &p->pending;
    if (have->refused != NULL) {
        refuse(p, schema_of(p), have->refused);
        return LEAT_OK;
    }
    if (have->partitions != 0 && have->partitions != p->s.topology->partitions) {
        refuse(p, schema_of(p),
               leat_arena_printf(p->s.arena,
                                 "has %d partitions, the topology says %d: the number is for the "
                                 "store's life, streams would change places; a topology of another "
                                 "name has a store of its own",
                                 have->partitions, p->s.topology->partitions));
        return LEAT_OK;
    }
    plan_migrations(p);
    plan_processors(p);
    plan_anchors(p);
    return LEAT_OK;
}
