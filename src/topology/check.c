#include <string.h>

#include "base/suggest.h"
#include "base/table.h"
#include "topology/files.h"
#include "topology/loader.h"

/* --- names that become C identifiers, SQL values and file names --- */

static bool is_identifier(struct leat_str s)
{
    return leat_load_is_word(s) && memchr(s.at, '.', s.len) == NULL &&
           memchr(s.at, '-', s.len) == NULL;
}

static void check_identifier(struct leat_loader *l, const struct leat_place *place,
                             const char *what, struct leat_str name)
{
    if (name.len == 0 || is_identifier(name))
        return;
    leat_load_error(l, place, "%s '%.*s' cannot be used", what, LEAT_STR_FMT(name));
    leat_report_hint(l->report, "letters, digits and '_': it becomes a name in C");
}

/* Of a name in the file, by its address. */
static const struct leat_place *place_of(const struct leat_loader *l, struct leat_str name,
                                         const struct leat_place *otherwise)
{
    return leat_topology_place(l->t, name.at, otherwise);
}

static void check_types(struct leat_loader *l, const struct leat_place *place, const char *what,
                        const struct leat_names *names)
{
    for (uint32_t i = 0; i < names->n; i++)
        check_identifier(l, place_of(l, names->at[i], place), what, names->at[i]);
}

/* --- who handles, who emits --- */

static void suggest_from(struct leat_loader *l, struct leat_str wrong, bool commands)
{
    struct leat_choice c;
    leat_choice_start(&c, wrong);
    for (uint32_t i = 0; i < l->t->n_processors; i++) {
        const struct leat_processor *p = &l->t->processors[i];
        const struct leat_names *names = commands ? &p->commands : &p->emits;
        for (uint32_t j = 0; j < names->n; j++)
            leat_choice_offer(&c, names->at[j]);
    }
    leat_choice_hint(&c, l->report);
}

static void need_handler(struct leat_loader *l, const struct leat_place *place, const char *who,
                         struct leat_str name, struct leat_str command)
{
    if (command.len == 0 || leat_topology_handler(l->t, command) != NULL ||
        leat_load_misspelt(l, LEAT_SECTION_PROCESSOR, "commands") ||
        leat_load_misspelt(l, LEAT_SECTION_ROOT, "processors"))
        return;
    leat_load_error(l, place_of(l, command, place),
                    "%s '%.*s': no processor handles the command '%.*s'", who, LEAT_STR_FMT(name),
                    LEAT_STR_FMT(command));
    suggest_from(l, command, true);
}

bool leat_load_is_event(const struct leat_topology *t, struct leat_str event)
{
    for (uint32_t i = 0; i < t->n_sources; i++) {
        const struct leat_source *s = &t->sources[i];
        if (s->is_event && leat_str_eq(s->type, event))
            return true;
        for (uint32_t j = 0; s->is_event && j < s->n_routes; j++) {
            if (leat_str_eq(s->routes[j].type, event))
                return true;
        }
    }
    return leat_topology_emitter(t, event) != NULL;
}

/* Said already in another way: a key near `emits`, or an emitter without aggregate. */
static bool is_explained(const struct leat_loader *l, struct leat_str event)
{
    if (leat_load_misspelt(l, LEAT_SECTION_PROCESSOR, "emits") ||
        leat_load_misspelt(l, LEAT_SECTION_PROCESSOR, "aggregate") ||
        leat_load_misspelt(l, LEAT_SECTION_SOURCE, "event") ||
        leat_load_misspelt(l, LEAT_SECTION_ROOT, "processors") ||
        leat_load_misspelt(l, LEAT_SECTION_ROOT, "sources"))
        return true;
    for (uint32_t i = 0; i < l->t->n_processors; i++) {
        if (leat_names_has(&l->t->processors[i].emits, event))
            return true;
    }
    return false;
}

static void need_event(struct leat_loader *l, const struct leat_place *place, const char *who,
                       struct leat_str name, struct leat_str event)
{
    const struct leat_names untold = {l->untold, (uint32_t)l->n_untold};
    if (leat_load_is_event(l->t, event) || is_explained(l, event) || leat_names_has(&untold, event))
        return;
    l->untold =
        leat_arena_grow(l->arena, l->untold, sizeof *l->untold, &l->cap_untold, l->n_untold + 1);
    l->untold[l->n_untold++] = event;
    leat_load_error(l, place_of(l, event, place), "%s '%.*s': no processor emits the event '%.*s'",
                    who, LEAT_STR_FMT(name), LEAT_STR_FMT(event));
    suggest_from(l, event, false);
}

/* --- processors --- */

static void check_handlers_once(struct leat_loader *l, const struct leat_processor *p)
{
    for (uint32_t i = 0; i < p->commands.n; i++) {
        const struct leat_processor *first = leat_topology_handler(l->t, p->commands.at[i]);
        if (first == p)
            continue;
        leat_load_error(l, place_of(l, p->commands.at[i], &p->place),
                        "command '%.*s' is handled by '%.*s' and by '%.*s'",
                        LEAT_STR_FMT(p->commands.at[i]), LEAT_STR_FMT(first->name),
                        LEAT_STR_FMT(p->name));
        leat_report_hint(l->report, "a command type has exactly one handler");
    }
}

static void emitted_by_two(struct leat_loader *l, const struct leat_processor *p, uint32_t i,
                           const struct leat_aggregate *first)
{
    leat_load_error(l, place_of(l, p->emits.at[i], &p->place),
                    "event '%.*s' belongs to '%.*s' and to '%.*s'", LEAT_STR_FMT(p->emits.at[i]),
                    LEAT_STR_FMT(first->name), LEAT_STR_FMT(p->aggregate->name));
    leat_report_hint(l->report, "an event type is of one aggregate: its key and its fold");
}

static void check_emitted_once(struct leat_loader *l, const struct leat_processor *p)
{
    for (uint32_t i = 0; p->aggregate != NULL && i < p->emits.n; i++) {
        const struct leat_aggregate *first = leat_topology_emitter(l->t, p->emits.at[i]);
        if (first != p->aggregate)
            emitted_by_two(l, p, i, first);
    }
}

static void check_shape(struct leat_loader *l, const struct leat_processor *p)
{
    const struct leat_place *at = &p->place;
    if (p->commands.n == 0 && p->events.n == 0 &&
        !leat_load_misspelt(l, LEAT_SECTION_PROCESSOR, "commands") &&
        !leat_load_misspelt(l, LEAT_SECTION_PROCESSOR, "events"))
        leat_load_error(l, at, "processor '%.*s' has neither commands nor events",
                        LEAT_STR_FMT(p->name));
    if (p->commands.n > 0 && p->events.n > 0)
        leat_load_error(l, at, "processor '%.*s' has both commands and events",
                        LEAT_STR_FMT(p->name));
    if (p->events.n > 0 && p->aggregate != NULL)
        leat_load_error(l, at, "processor '%.*s' reads events and has an aggregate",
                        LEAT_STR_FMT(p->name));
    if (p->emits.n > 0 && p->aggregate == NULL &&
        !leat_load_misspelt(l, LEAT_SECTION_PROCESSOR, "aggregate"))
        leat_load_error(l, at, "processor '%.*s' emits events, but has no aggregate",
                        LEAT_STR_FMT(p->name));
    if (leat_str_eq(p->name, LEAT_STR("relay")) || leat_str_eq(p->name, LEAT_STR("events")) ||
        leat_str_eq(p->name, LEAT_STR("projector"))) {
        leat_load_error(l, at, "processor '%.*s': the name is taken", LEAT_STR_FMT(p->name));
        leat_report_hint(l->report, "<topology>.%.*s is leat's own", LEAT_STR_FMT(p->name));
    }
}

static void check_processor(struct leat_loader *l, const struct leat_processor *p)
{
    check_identifier(l, &p->place, "processor", p->name);
    check_types(l, &p->place, "command", &p->commands);
    check_types(l, &p->place, "event", &p->events);
    check_types(l, &p->place, "event", &p->emits);
    check_types(l, &p->place, "command", &p->sends);
    check_shape(l, p);
    check_handlers_once(l, p);
    check_emitted_once(l, p);
    for (uint32_t i = 0; i < p->sends.n; i++)
        need_handler(l, &p->place, "processor", p->name, p->sends.at[i]);
    for (uint32_t i = 0; i < p->events.n; i++)
        need_event(l, &p->place, "processor", p->name, p->events.at[i]);
}

/* --- circles of commands --- */

struct walk {
    struct leat_loader *l;
    uint8_t *state; /* 0 new, 1 on the path, 2 done */
    uint32_t *path;
    struct leat_str *sent; /* what path[i] sends to path[i + 1] */
    uint32_t n;
};

/* "orders -> TakePayment -> payments -> MarkPaid -> orders", from `from` to the path's end. */
static void report_circle(struct walk *w, uint32_t from)
{
    const struct leat_processor *all = w->l->t->processors;
    uint32_t begin = 0;
    while (w->path[begin] != from)
        begin++;
    const char *text = "";
    for (uint32_t i = begin; i < w->n; i++)
        text = leat_arena_printf(w->l->arena, "%s%.*s -> %.*s -> ", text,
                                 LEAT_STR_FMT(all[w->path[i]].name), LEAT_STR_FMT(w->sent[i]));
    leat_load_warning(w->l, place_of(w->l, w->sent[begin], &all[from].place),
                      "commands may go round for ever: %s%.*s", text, LEAT_STR_FMT(all[from].name));
    leat_report_hint(w->l->report, "fine when a handler ends it, or each round waits");
}

static void walk_from(struct walk *w, uint32_t index)
{
    const struct leat_processor *p = &w->l->t->processors[index];
    w->state[index] = 1;
    w->path[w->n++] = index;
    for (uint32_t i = 0; i < p->sends.n; i++) {
        w->sent[w->n - 1] = p->sends.at[i];
        const struct leat_processor *to = leat_topology_handler(w->l->t, p->sends.at[i]);
        if (to == NULL)
            continue;
        if (w->state[to->index] == 1)
            report_circle(w, to->index);
        else if (w->state[to->index] == 0)
            walk_from(w, to->index); /* at most LEAT_NAMED_MAX deep */
    }
    w->n--;
    w->state[index] = 2;
}

static void check_circles(struct leat_loader *l)
{
    uint32_t n = l->t->n_processors;
    struct walk w = {l, leat_arena_zalloc(l->arena, n, sizeof *w.state),
                     leat_arena_zalloc(l->arena, n, sizeof *w.path),
                     leat_arena_zalloc(l->arena, n, sizeof *w.sent), 0};
    for (uint32_t i = 0; i < n; i++) {
        if (w.state[i] == 0)
            walk_from(&w, i);
    }
}

/* --- sources and topics --- */

static void check_source(struct leat_loader *l, const struct leat_source *s)
{
    check_identifier(l, &s->place, "type", s->type);
    if (!s->is_event) {
        need_handler(l, &s->place, "source", s->name, s->type);
        for (uint32_t i = 0; i < s->n_routes; i++)
            need_handler(l, &s->place, "source", s->name, s->routes[i].type);
    }
    need_handler(l, &s->place, "source", s->name, s->tombstone_command);
}

static void claim(struct leat_loader *l, struct leat_table *taken, const struct leat_place *place,
                  struct leat_str topic)
{
    bool created = false;
    if (topic.len > 0)
        (void)leat_table_at(taken, topic, &created);
    if (topic.len > 0 && !created)
        leat_load_error(l, place, "topic '%.*s' is used for two things", LEAT_STR_FMT(topic));
}

static void check_topics_apart(struct leat_loader *l)
{
    const struct leat_topology *t = l->t;
    struct leat_table taken = {0};
    claim(l, &taken, NULL, t->events_topic);
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_processor *p = &t->processors[i];
        claim(l, &taken, &p->place, p->dlq_topic);
        for (uint32_t j = 0; p->topics != NULL && j < p->priorities.n; j++)
            claim(l, &taken, &p->place, p->topics[j]);
    }
    for (uint32_t i = 0; i < t->n_sources; i++)
        claim(l, &taken, &t->sources[i].place, t->sources[i].topic);
    leat_table_done(&taken);
}

void leat_check_topology(struct leat_loader *l)
{
    const struct leat_topology *t = l->t;
    struct leat_place top = {t->path, 1, 1};
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        const struct leat_aggregate *a = &t->aggregates[i];
        check_identifier(l, &a->place, "aggregate", a->name);
        check_identifier(l, &a->place, "state", a->state);
        check_identifier(l, &a->place, "field", a->key);
    }
    for (uint32_t i = 0; i < t->n_processors; i++)
        check_processor(l, &t->processors[i]);
    for (uint32_t i = 0; i < t->n_sources; i++)
        check_source(l, &t->sources[i]);
    for (uint32_t i = 0; i < t->n_projections; i++) {
        if (t->projections[i].is_coded)
            check_identifier(l, &t->projections[i].place, "projection", t->projections[i].name);
        for (uint32_t j = 0; j < t->projections[i].n_from; j++)
            need_event(l, &t->projections[i].from[j].place, "projection", t->projections[i].name,
                       t->projections[i].from[j].event);
    }
    check_circles(l);
    check_topics_apart(l);
    if (leat_props_get(&t->kafka.common, "bootstrap.servers", NULL) == NULL &&
        !leat_load_misspelt(l, LEAT_SECTION_ROOT, "kafka")) {
        leat_load_error(l, &top, "kafka: 'bootstrap.servers' is missing");
        leat_report_hint(l->report, "such as 127.0.0.1:9092");
    }
}

/* --- schema files --- */

static const struct leat_place *place_of_type(const struct leat_topology *t, struct leat_str type)
{
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_processor *p = &t->processors[i];
        if (leat_names_has(&p->commands, type) || leat_names_has(&p->emits, type) ||
            leat_names_has(&p->events, type) || leat_names_has(&p->sends, type))
            return &p->place;
    }
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        if (leat_str_eq(t->aggregates[i].state, type))
            return &t->aggregates[i].place;
    }
    return NULL;
}

/* A type that somebody handles, emits or keeps; one that nobody does is a mistake of its own. */
static bool is_told(const struct leat_topology *t, struct leat_str type)
{
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        if (leat_str_eq(t->aggregates[i].state, type))
            return true;
    }
    return leat_topology_handler(t, type) != NULL || leat_load_is_event(t, type);
}

void leat_check_files(struct leat_loader *l)
{
    struct leat_topology *t = l->t;
    struct leat_place top = {t->path, 1, 1};
    if (t->n_schema_dirs == 0) { /* nothing said: the usual place, when it is there */
        const char **dirs = leat_arena_zalloc(l->arena, 1, sizeof *dirs);
        dirs[0] = leat_files_beside(l->arena, t->path, LEAT_STR("schemas"));
        t->schema_dirs = dirs;
        t->n_schema_dirs = 1;
    }
    if (!l->check_files)
        return;
    if (t->n_schema_dirs == 1 && !leat_files_is_dir(t->schema_dirs[0])) {
        leat_load_warning(l, &top, "no folder '%s': types are not checked", t->schema_dirs[0]);
        return;
    }
    struct leat_names types = leat_topology_types(t, l->arena);
    for (uint32_t i = 0; i < types.n; i++) {
        if (leat_topology_schema_path(t, types.at[i], l->arena) != NULL)
            continue;
        if (!is_told(t, types.at[i]))
            continue;
        leat_load_error(l, place_of(l, types.at[i], place_of_type(t, types.at[i])),
                        "no schema for '%.*s'", LEAT_STR_FMT(types.at[i]));
        leat_report_hint(l->report, "%s/%.*s.avsc", t->schema_dirs[0], LEAT_STR_FMT(types.at[i]));
    }
}
