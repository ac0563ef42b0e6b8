#include <string.h>

#include "topology/loader.h"

/* --- priorities --- */

static void load_priority(struct leat_loader *l, const struct leat_yaml_pair *pair,
                          const char *path, void *entry, uint32_t index)
{
    struct leat_priority *p = entry;
    (void)index;
    p->name = pair->key;
    p->weight = 1;
    leat_load_section(l, LEAT_SECTION_PRIORITY, pair->value, path, p);
}

static void choose_default(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                           struct leat_priorities *p)
{
    uint32_t defaults = 0;
    for (uint32_t i = 0; i < p->n; i++) {
        if (!p->at[i].is_default)
            continue;
        p->default_index = i;
        defaults++;
    }
    if (defaults == 1 || p->n == 1)
        return;
    leat_load_error(l, &n->place, "%s: %s", path,
                    defaults == 0 ? "none is the default" : "more than one is the default");
    leat_report_hint(l->report, "exactly one says default: true");
}

static void load_priorities(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                            struct leat_priorities *ret)
{
    struct leat_priorities p = {NULL, 0, 0};
    p.at = leat_load_named(l, n, path, sizeof *p.at, load_priority, &p.n);
    if (p.n > LEAT_PRIORITIES_MAX) {
        leat_load_error(l, &n->place, "%s: more than %d classes", path, LEAT_PRIORITIES_MAX);
        return;
    }
    if (p.n == 0)
        return;
    choose_default(l, n, path, &p);
    *ret = p;
}

void leat_load_default_priorities(struct leat_loader *l)
{
    struct leat_priority *normal = leat_arena_zalloc(l->arena, 1, sizeof *normal);
    *normal = (struct leat_priority){LEAT_STR("normal"), 1, 0, true};
    l->t->priorities = (struct leat_priorities){normal, 1, 0};
}

LEAT_KEY_LOADER(leat_load_priorities)
{
    load_priorities(l, n, path, &((struct leat_topology *)target)->priorities);
}

LEAT_KEY_LOADER(leat_load_own_priorities)
{
    load_priorities(l, n, path, &((struct leat_processor *)target)->priorities);
}

/* --- aggregates --- */

static void load_aggregate(struct leat_loader *l, const struct leat_yaml_pair *pair,
                           const char *path, void *entry, uint32_t index)
{
    struct leat_aggregate *a = entry;
    (void)index;
    a->place = pair->place;
    a->name = pair->key;
    a->module = pair->key.at;
    a->key = a->state = (struct leat_str){"", 0};
    leat_load_section(l, LEAT_SECTION_AGGREGATE, pair->value, path, a);
}

LEAT_KEY_LOADER(leat_load_aggregates)
{
    struct leat_topology *t = target;
    t->aggregates =
        leat_load_named(l, n, path, sizeof *t->aggregates, load_aggregate, &t->n_aggregates);
}

static void unknown_aggregate(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                              struct leat_str name)
{
    struct leat_choice choice;
    leat_choice_start(&choice, name);
    for (uint32_t i = 0; i < l->t->n_aggregates; i++)
        leat_choice_offer(&choice, l->t->aggregates[i].name);
    leat_load_error(l, &n->place, "%s: no aggregate '%.*s'", path, LEAT_STR_FMT(name));
    leat_choice_hint(&choice, l->report);
}

LEAT_KEY_LOADER(leat_load_processor_aggregate)
{
    struct leat_processor *p = target;
    struct leat_str name;
    if (!leat_load_word(l, n, path, &name))
        return;
    p->aggregate = leat_topology_aggregate(l->t, name);
    if (p->aggregate != NULL)
        return;
    if (!leat_load_misspelt(l, LEAT_SECTION_ROOT, "aggregates"))
        unknown_aggregate(l, n, path, name);
    struct leat_aggregate *unknown = leat_arena_zalloc(l->arena, 1, sizeof *unknown);
    unknown->name = name;
    unknown->key = unknown->state = (struct leat_str){"", 0};
    p->aggregate = unknown; /* it has one, so that nothing more is said about that */
}

/* --- processors --- */

LEAT_KEY_LOADER(leat_load_defaults_section)
{
    leat_load_section(l, LEAT_SECTION_DEFAULTS, n, path, target);
}

LEAT_KEY_LOADER(leat_load_processor_defaults)
{
    static const char *const never[] = {"aggregate", "commands", "events",
                                        "emits",     "sends",    "module"};
    (void)target;
    if (!leat_load_is_map(l, n, path))
        return;
    for (size_t i = 0; i < sizeof never / sizeof *never; i++) {
        const struct leat_yaml *v = leat_yaml_get(n, leat_str_of(never[i]));
        if (v != NULL)
            leat_load_error(l, &v->place, "%s.%s makes no sense for all processors", path,
                            never[i]);
    }
    leat_load_overlay(l, LEAT_SECTION_PROCESSOR, n, path, &l->processor_defaults);
}

static void check_on_dead(struct leat_loader *l, const struct leat_processor *p,
                          const struct leat_yaml *n, const char *path)
{
    if (p->on_dead == LEAT_ON_DEAD_HOLD && p->retry.ordering == LEAT_ORDERING_NONE)
        leat_load_error(l, &n->place, "%s: on_dead: hold needs retry.ordering: key", path);
}

static void load_processor(struct leat_loader *l, const struct leat_yaml_pair *pair,
                           const char *path, void *entry, uint32_t index)
{
    struct leat_processor *p = entry;
    *p = l->processor_defaults;
    p->place = pair->place;
    p->index = index;
    p->name = pair->key;
    p->module = pair->key.at;
    if (p->priorities.n == 0)
        p->priorities = l->t->priorities;
    if (!leat_load_is_map(l, pair->value, path))
        return;
    leat_load_overlay(l, LEAT_SECTION_PROCESSOR, pair->value, path, p);
    leat_load_required(l, LEAT_SECTION_PROCESSOR, pair->value, path);
    check_on_dead(l, p, pair->value, path);
}

LEAT_KEY_LOADER(leat_load_processors)
{
    struct leat_topology *t = target;
    l->processors =
        leat_load_named(l, n, path, sizeof *l->processors, load_processor, &t->n_processors);
    t->processors = l->processors;
}
