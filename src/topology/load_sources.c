#include <string.h>

#include "topology/loader.h"

static void route_entry(struct leat_loader *l, const struct leat_yaml_pair *pair, const char *path,
                        struct leat_source_route *r)
{
    r->value = pair->key;
    r->type = (struct leat_str){"", 0};
    (void)leat_load_word(l, pair->value, path, &r->type);
}

/* Values of a foreign header may be any text, so this is no map of names. */
LEAT_KEY_LOADER(leat_load_route_map)
{
    struct leat_source *s = target;
    if (!leat_load_is_map(l, n, path))
        return;
    if (n->n > LEAT_NAMED_MAX) {
        leat_load_error(l, &n->place, "%s: more than %d entries", path, LEAT_NAMED_MAX);
        return;
    }
    struct leat_source_route *routes = leat_arena_zalloc(l->arena, n->n, sizeof *routes);
    for (uint32_t i = 0; i < n->n; i++)
        route_entry(l, &n->pairs[i], leat_load_path(l, path, n->pairs[i].key), &routes[i]);
    s->routes = routes;
    s->n_routes = n->n;
}

static void load_type(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                      struct leat_source *s)
{
    if (n->kind != LEAT_YAML_MAP) {
        (void)leat_load_word(l, n, path, &s->type);
        return;
    }
    leat_load_section(l, LEAT_SECTION_ROUTE, n, path, s);
    if ((s->route_header.len > 0) == (s->route_field != NULL))
        leat_load_error(l, &n->place, "%s: needs 'header' or 'field', one of them", path);
}

LEAT_KEY_LOADER(leat_load_source_command)
{
    load_type(l, n, path, target);
}

LEAT_KEY_LOADER(leat_load_source_event)
{
    struct leat_source *s = target;
    s->is_event = true;
    load_type(l, n, path, s);
    leat_load_later(l, &n->place, true, path, "not run yet by this version");
}

LEAT_KEY_LOADER(leat_load_tombstone)
{
    struct leat_source *s = target;
    struct leat_str word;
    if (!leat_load_word(l, n, path, &word))
        return;
    s->tombstone = LEAT_TOMBSTONE_COMMAND;
    if (leat_str_eq(word, LEAT_STR("skip")))
        s->tombstone = LEAT_TOMBSTONE_SKIP;
    else if (leat_str_eq(word, LEAT_STR("dead")))
        s->tombstone = LEAT_TOMBSTONE_DEAD;
    else
        s->tombstone_command = word;
}

LEAT_KEY_LOADER(leat_load_source_priority)
{
    struct leat_source *s = target;
    struct leat_str name;
    struct leat_choice choice;
    if (!leat_load_word(l, n, path, &name))
        return;
    s->priority = leat_priority_find(&l->t->priorities, name);
    if (s->priority >= 0)
        return;
    leat_choice_start(&choice, name);
    for (uint32_t i = 0; i < l->t->priorities.n; i++)
        leat_choice_offer(&choice, l->t->priorities.at[i].name);
    leat_load_error(l, &n->place, "%s: no priority '%.*s'", path, LEAT_STR_FMT(name));
    leat_choice_hint(&choice, l->report);
}

static void load_source(struct leat_loader *l, const struct leat_yaml_pair *pair, const char *path,
                        void *entry, uint32_t index)
{
    struct leat_source *s = entry;
    s->place = pair->place;
    s->index = index;
    s->name = pair->key;
    s->priority = -1;
    s->type = s->topic = s->route_header = s->tombstone_command = (struct leat_str){"", 0};
    leat_load_section(l, LEAT_SECTION_SOURCE, pair->value, path, s);
    bool command = leat_yaml_get(pair->value, LEAT_STR("command")) != NULL;
    bool event = leat_yaml_get(pair->value, LEAT_STR("event")) != NULL;
    if (command == event)
        leat_load_error(l, &pair->place, "%s: needs 'command' or 'event', one of them", path);
}

LEAT_KEY_LOADER(leat_load_sources)
{
    struct leat_topology *t = target;
    t->sources = leat_load_named(l, n, path, sizeof *t->sources, load_source, &t->n_sources);
}
