/* leat new projection: a read model of the events there are. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/suggest.h"
#include "cli/cli.h"
#include "cli/new.h"
#include "cli/new_change.h"
#include "codec/schemas.h"

#define FIELDS_MAX 200

/* Names in the array `fields` of an Avro record, without `key`. */
static leat_status read_fields(struct leat_str array, struct leat_str key, struct leat_str *names,
                               uint32_t *ret_n, struct leat_error *err)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, array);
    LEAT_TRY(leat_json_next(&r, &t, err), err, "fields");
    for (uint32_t n = 0; n < FIELDS_MAX;) {
        struct leat_json_reader ahead = r;
        struct leat_str field;
        LEAT_TRY(leat_json_next(&ahead, &t, err), err, "fields");
        *ret_n = n;
        if (t.kind == LEAT_JSON_ARRAY_END)
            return LEAT_OK;
        LEAT_TRY(leat_json_skip(&r, &field, err), err, "fields");
        LEAT_TRY(leat_json_find(field, LEAT_STR("name"), &t, NULL, err), err, "fields");
        if (!leat_str_eq(t.text, key))
            names[n++] = t.text;
    }
    return LEAT_OK;
}

static leat_status fields_of(const struct leat_topology *t, struct leat_str event,
                             struct leat_str key, struct leat_arena *arena, struct leat_names *ret,
                             struct leat_error *err)
{
    struct leat_json_token token;
    struct leat_str raw;
    struct leat_str *names = leat_arena_zalloc(arena, FIELDS_MAX, sizeof *names);
    struct leat_schemas *schemas = leat_schemas_new();
    uint32_t n = 0;
    leat_status status =
        leat_schemas_load_file(schemas, t->schema_dirs, t->n_schema_dirs, event, err);
    if (status == LEAT_OK) {
        status = leat_json_find(leat_schemas_text(schemas, event), LEAT_STR("fields"), &token, &raw,
                                err);
    }
    if (status == LEAT_OK)
        status = read_fields(raw, key, names, &n, err);
    for (uint32_t i = 0; i < n; i++)
        names[i] = leat_str_of(leat_arena_cstr(arena, names[i]));
    leat_schemas_free(schemas);
    *ret = (struct leat_names){names, n};
    return status;
}

/* Every event there is, in the file's order. */
static struct leat_names all_events(const struct leat_topology *t, struct leat_str of_aggregate,
                                    struct leat_arena *arena)
{
    struct leat_str *names = NULL;
    size_t cap = 0;
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_processor *p = &t->processors[i];
        bool wanted = p->aggregate != NULL &&
                      (of_aggregate.len == 0 || leat_str_eq(p->aggregate->name, of_aggregate));
        for (uint32_t j = 0; wanted && j < p->emits.n; j++) {
            if (leat_names_has(&(struct leat_names){names, n}, p->emits.at[j]))
                continue;
            names = leat_arena_grow(arena, names, sizeof *names, &cap, n + (size_t)1);
            names[n++] = p->emits.at[j];
        }
    }
    return (struct leat_names){names, n};
}

static const char *joined(const struct leat_names *names, struct leat_arena *arena)
{
    const char *text = "";
    for (uint32_t i = 0; i < names->n; i++)
        text = leat_arena_printf(arena, "%s%s%s", text, i == 0 ? "" : ", ", names->at[i].at);
    return text;
}

/* --from, else the events of the aggregate that has the projection's name, else of the only one. */
static leat_status choose_events(const struct leat_new_options *o, const struct leat_topology *t,
                                 struct leat_new_projection *p, struct leat_arena *arena,
                                 struct leat_error *err)
{
    struct leat_names all = all_events(t, (struct leat_str){"", 0}, arena);
    if (o->from == NULL) {
        struct leat_str aggregate = leat_new_singular(p->name, arena);
        if (t->n_aggregates == 1)
            aggregate = t->aggregates[0].name;
        if (leat_topology_aggregate(t, aggregate) != NULL)
            p->events = all_events(t, aggregate, arena);
        if (p->events.n > 0)
            return LEAT_OK;
        (void)leat_fail(err, LEAT_INVALID, "which events does '%s' read?", p->name.at);
        leat_error_hint(err, "--from with any of: %s.", joined(&all, arena));
        return LEAT_INVALID;
    }
    if (leat_new_types("from", o->from, arena, &p->events, err) != LEAT_OK)
        return LEAT_INVALID;
    for (uint32_t i = 0; i < p->events.n; i++) {
        if (leat_names_has(&all, p->events.at[i]))
            continue;
        struct leat_suggest s;
        leat_suggest_start(&s, p->events.at[i]);
        for (uint32_t j = 0; j < all.n; j++)
            leat_suggest_offer(&s, all.at[j]);
        (void)leat_fail(err, LEAT_INVALID, "--from: no processor emits '%s'", p->events.at[i].at);
        if (s.best.len > 0)
            leat_error_hint(err, "Did you mean '%.*s'?", LEAT_STR_FMT(s.best));
        return LEAT_INVALID;
    }
    return LEAT_OK;
}

/* A row keyed by the stream's key may be set; any other one is fed by several partitions. */
static leat_status choose_key(const struct leat_new_options *o, const struct leat_topology *t,
                              struct leat_new_projection *p, struct leat_arena *arena,
                              struct leat_error *err)
{
    struct leat_names *fields = leat_arena_zalloc(arena, p->events.n, sizeof *fields);
    const struct leat_aggregate *first = leat_topology_emitter(t, p->events.at[0]);
    p->key = o->key == NULL ? first->key : leat_str_of(o->key);
    p->own_key = true;
    for (uint32_t i = 0; i < p->events.n; i++) {
        const struct leat_aggregate *a = leat_topology_emitter(t, p->events.at[i]);
        p->own_key &= a == first && leat_str_eq(p->key, a->key);
        LEAT_TRY(fields_of(t, p->events.at[i], (struct leat_str){"", 0}, arena, &fields[i], err),
                 err, "projection");
        if (leat_names_has(&fields[i], p->key)) {
            LEAT_TRY(fields_of(t, p->events.at[i], p->key, arena, &fields[i], err), err,
                     "projection");
            continue;
        }
        (void)leat_fail(err, LEAT_INVALID, "--key: '%s' has no field '%s'", p->events.at[i].at,
                        p->key.at);
        leat_error_hint(err, "It has: %s.", joined(&fields[i], arena));
        return LEAT_INVALID;
    }
    p->fields = fields;
    return LEAT_OK;
}

static leat_status fill(const struct leat_new_options *o, const struct leat_topology *t,
                        struct leat_new_projection *p, struct leat_arena *arena,
                        struct leat_error *err)
{
    if (leat_new_check_name("projection", p->name, err) != LEAT_OK)
        return LEAT_INVALID;
    if (leat_topology_projection(t, p->name) != NULL)
        return leat_fail(err, LEAT_INVALID, "there is a projection '%s' already", p->name.at);
    if (choose_events(o, t, p, arena, err) != LEAT_OK)
        return LEAT_INVALID;
    return choose_key(o, t, p, arena, err);
}

static leat_status may_be_coded(const struct leat_new_options *o,
                                const struct leat_new_projection *p, struct leat_error *err)
{
    if (!o->c || p->own_key)
        return LEAT_OK;
    (void)leat_fail(err, LEAT_INVALID, "--c: '%s' is not the stream's key of all these events",
                    p->key.at);
    leat_error_hint(err, "A projection in C has rows of one stream each: see leat/rows.h.");
    return LEAT_INVALID;
}

int leat_new_make_projection(const struct leat_new_options *o, struct leat_str name)
{
    struct leat_error err = {0};
    struct leat_new_change c;
    int code = leat_new_change_open(&c, o->topology);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    struct leat_new_files f = {
        .arena = c.arena, .force = o->force, .dry_run = o->dry_run, .json = o->json};
    struct leat_new_projection p = {.name = name};
    if (fill(o, c.t, &p, c.arena, &err) == LEAT_OK && may_be_coded(o, &p, &err) == LEAT_OK) {
        if (o->c) {
            leat_new_file(&f, LEAT_NEW_WRITE,
                          leat_arena_printf(c.arena, "%s/projections/%s.c", c.t->dir, name.at),
                          leat_new_coded(&p, c.t->name, c.arena));
        }
        leat_new_change_insert(&c, "projections",
                               o->c ? leat_new_coded_rows(&p, c.arena)
                                    : leat_new_projection_rows(&p, c.arena));
        code = leat_new_change_write(&c, &f);
        if (o->c && code == LEAT_EXIT_OK)
            (void)fprintf(stderr, "leat: its module is built like a processor's: with "
                                  "projections/*.c among SOURCES in CMakeLists.txt\n");
    } else {
        code = leat_cli_fail(&err);
    }
    leat_new_change_done(&c);
    return code;
}
