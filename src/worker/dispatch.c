#include "worker/dispatch.h"

#include <stdio.h>
#include <stdlib.h>

#include "worker/dispatch_internal.h"

const char *leat_options_get(const struct leat_options *o, const char *key, const char *fallback)
{
    if (strcmp(key, "topology.dir") == 0)
        return o->dir;
    return leat_props_get(o->props, key, fallback);
}

bool leat_options_path(const struct leat_options *o, const char *key, const char *fallback,
                       char *ret_path, size_t room)
{
    const char *path = leat_options_get(o, key, fallback);
    bool absolute = path[0] == '/';
    int n = snprintf(ret_path, room, "%s%s%s", absolute ? "" : o->dir, absolute ? "" : "/", path);
    return n >= 0 && (size_t)n < room;
}

/* ---- making one ---- */

/* A module compiled against another schema would write bytes that the id does not describe. */
static leat_status check_schema(const struct leat_dispatch *d, const struct leat_type *type,
                                struct leat_error *err)
{
    const struct leat_schema *now = leat_schemas_current(d->schemas, leat_str_of(type->name));
    if (now == NULL)
        return leat_fail(err, LEAT_INVALID, "type '%s' is not of this topology", type->name);
    struct leat_schema *built = NULL;
    LEAT_TRY(leat_schema_parse(leat_str_of(type->schema), &built, err), err, "type '%s'",
             type->name);
    bool same = leat_schema_fingerprint(built) == leat_schema_fingerprint(now);
    leat_schema_free(built);
    if (same)
        return LEAT_OK;
    (void)leat_fail(err, LEAT_INVALID, "the module was built with another schema of '%s'",
                    type->name);
    leat_error_hint(err, "Run `leat gen` and build the module again.");
    return LEAT_INVALID;
}

static bool declared(const struct leat_processor *p, struct leat_str type)
{
    return leat_names_has(&p->commands, type) || leat_names_has(&p->events, type);
}

static leat_status check_all_handled(const struct leat_dispatch *d, const struct leat_names *names,
                                     struct leat_error *err)
{
    for (uint32_t i = 0; i < names->n; i++)
        if (leat_dispatch_find(d, names->at[i]) < 0)
            return leat_fail(err, LEAT_INVALID, "the module has no handler for '%s'",
                             names->at[i].at);
    return LEAT_OK;
}

static leat_status check_handlers(struct leat_dispatch *d, struct leat_error *err)
{
    d->types = calloc(d->def->on_count + 1, sizeof *d->types);
    leat_assert(d->types != NULL);
    for (size_t i = 0; i < d->def->on_count; i++) {
        const struct leat_on *on = &d->def->on[i];
        d->types[i] = leat_str_of(on->message->name);
        if (!declared(d->processor, d->types[i]))
            return leat_fail(err, LEAT_INVALID,
                             "the module handles '%s', which the topology does not give it",
                             on->message->name);
        if ((on->state != NULL) != (d->processor->aggregate != NULL))
            return leat_fail(err, LEAT_INVALID, "handler of '%s': %s", on->message->name,
                             on->state != NULL ? "it takes a state, but there is no aggregate"
                                               : "it takes no state, but there is an aggregate");
        LEAT_TRY(check_schema(d, on->message, err), err, "handler");
        if (on->state != NULL)
            d->state = on->state;
    }
    LEAT_TRY(check_all_handled(d, &d->processor->commands, err), err, "commands");
    return check_all_handled(d, &d->processor->events, err);
}

static leat_status init_state(struct leat_dispatch *d, struct leat_error *err)
{
    const struct leat_aggregate *a = d->processor->aggregate;
    if (a == NULL)
        return LEAT_OK;
    d->aggregate = leat_registry_aggregate(a->name);
    if (d->aggregate == NULL)
        return leat_fail(err, LEAT_INVALID, "no module has LEAT_AGGREGATE(%s, …)", a->name.at);
    for (size_t i = 0; i < d->aggregate->fold_count; i++)
        if (strcmp(d->aggregate->fold[i].state->name, d->state->name) != 0)
            return leat_fail(err, LEAT_INVALID,
                             "LEAT_AGGREGATE(%s, …) folds '%s' into '%s', but the handlers take "
                             "'%s'",
                             a->name.at, d->aggregate->fold[i].event->name,
                             d->aggregate->fold[i].state->name, d->state->name);
    char *prefix = malloc((size_t)a->name.len + 2);
    leat_assert(prefix != NULL);
    (void)snprintf(prefix, (size_t)a->name.len + 2, "%s-", a->name.at);
    d->prefix = leat_str_of(prefix);
    LEAT_TRY(check_schema(d, d->state, err), err, "state");
    LEAT_TRY(leat_schema_parse(leat_str_of(d->state->schema), &d->state_schema, err), err, "state");
    return leat_plan_new(d->state_schema, d->state, &d->state_plan, err);
}

static leat_status init_outs(struct leat_dispatch *d, struct leat_error *err)
{
    const struct leat_names *emits = &d->processor->emits, *sends = &d->processor->sends;
    d->events = calloc((size_t)emits->n + 1, sizeof *d->events);
    d->commands = calloc((size_t)sends->n + 1, sizeof *d->commands);
    leat_assert(d->events != NULL && d->commands != NULL);
    for (uint32_t i = 0; i < emits->n; i++)
        d->events[d->event_count++] = (struct dispatch_out){
            .name = emits->at[i], .schema_id = leat_schemas_id(d->schemas, emits->at[i])};
    for (uint32_t i = 0; i < sends->n; i++) {
        const struct leat_processor *to = leat_topology_handler(d->topology, sends->at[i]);
        if (to == NULL)
            return leat_fail(err, LEAT_INVALID, "nobody handles '%s'", sends->at[i].at);
        d->commands[d->command_count++] =
            (struct dispatch_out){.name = sends->at[i],
                                  .schema_id = leat_schemas_id(d->schemas, sends->at[i]),
                                  .to = to,
                                  .topics = to->topics};
    }
    return LEAT_OK;
}

static leat_status open_module(struct leat_dispatch *d, struct leat_error *err)
{
    if (d->def->open == NULL)
        return LEAT_OK;
    char why[300] = "it gave no reason";
    d->module_data = d->def->open(&d->options, why, sizeof why);
    if (d->module_data == NULL)
        return leat_fail(err, LEAT_INVALID, "the module could not open: %s", why);
    d->opened = true;
    return LEAT_OK;
}

static void dispatch_freep(struct leat_dispatch **d)
{
    leat_dispatch_free(*d);
}

leat_status leat_dispatch_new(const struct leat_topology *t, const struct leat_processor *processor,
                              struct leat_schemas *schemas, struct leat_dispatch **ret,
                              struct leat_error *err)
{
    LEAT_AUTO(dispatch_freep) struct leat_dispatch *d = calloc(1, sizeof *d);
    leat_assert(d != NULL);
    d->topology = t;
    d->processor = processor;
    d->schemas = schemas;
    d->options = (struct leat_options){&processor->options, t->dir};
    leat_services_new(d);
    d->def = leat_registry_processor(processor->name);
    if (d->def == NULL)
        return leat_fail(err, LEAT_INVALID, "no module has LEAT_PROCESSOR(%s, …)",
                         processor->name.at);
    LEAT_TRY(check_handlers(d, err), err, "processor '%s'", processor->name.at);
    LEAT_TRY(init_state(d, err), err, "processor '%s'", processor->name.at);
    LEAT_TRY(init_outs(d, err), err, "processor '%s'", processor->name.at);
    LEAT_TRY(open_module(d, err), err, "processor '%s'", processor->name.at);
    *ret = LEAT_TAKE(d);
    return LEAT_OK;
}

void leat_dispatch_free(struct leat_dispatch *d)
{
    if (d == NULL)
        return;
    if (d->opened && d->def->close != NULL)
        d->def->close(d->module_data);
    leat_services_free(d);
    leat_plan_free(d->state_plan);
    leat_schema_free(d->state_schema);
    if (d->prefix.len > 0)
        free((void *)(uintptr_t)d->prefix.at);
    free(d->types);
    free(d->events);
    free(d->commands);
    free(d);
}

/* ---- facts ---- */

const struct leat_processor *leat_dispatch_processor(const struct leat_dispatch *d)
{
    return d->processor;
}

const struct leat_topology *leat_dispatch_topology(const struct leat_dispatch *d)
{
    return d->topology;
}

int32_t leat_dispatch_find(const struct leat_dispatch *d, struct leat_str type)
{
    for (size_t i = 0; i < d->def->on_count; i++)
        if (leat_str_eq(d->types[i], type))
            return (int32_t)i;
    return -1;
}

int32_t leat_dispatch_only(const struct leat_dispatch *d)
{
    return d->processor->commands.n == 1 ? leat_dispatch_find(d, d->processor->commands.at[0]) : -1;
}

struct leat_str leat_dispatch_type(const struct leat_dispatch *d, int32_t handler)
{
    return d->types[handler];
}

struct leat_str leat_dispatch_name(const struct leat_dispatch *d)
{
    return d->processor->name;
}

int leat_dispatch_version(const struct leat_dispatch *d)
{
    return d->def->version;
}

struct leat_str leat_dispatch_prefix(const struct leat_dispatch *d)
{
    return d->prefix;
}

void leat_dispatch_fault(struct leat_dispatch *d, struct leat_fault *fault)
{
    d->fault = fault;
}

bool leat_dispatch_has_state(const struct leat_dispatch *d)
{
    return d->state != NULL;
}

/* ---- messages ---- */

leat_status leat_dispatch_decode(const struct leat_dispatch *d, int32_t handler,
                                 struct leat_str bytes, struct leat_arena *arena,
                                 void **ret_message, struct leat_error *err)
{
    const struct leat_type *type = d->def->on[handler].message;
    void *message = leat_arena_alloc(arena, type->size);
    LEAT_TRY(leat_schemas_decode(d->schemas, type, bytes, arena, message, err), err, "%s",
             type->name);
    *ret_message = message;
    return LEAT_OK;
}

struct leat_str leat_dispatch_key(const struct leat_dispatch *d, int32_t handler,
                                  const void *message)
{
    return leat_type_key(d->def->on[handler].message, message, NULL);
}

struct leat_str leat_type_key(const struct leat_type *type, const void *value,
                              struct leat_arena *arena)
{
    for (uint32_t i = 0; type->key != NULL && i < type->field_count; i++) {
        const struct leat_field *field = &type->fields[i];
        const char *at = (const char *)value + field->offset;
        if (strcmp(field->name, type->key) != 0)
            continue;
        if (field->kind == LEAT_KIND_STRING)
            return *(const struct leat_str *)(const void *)at;
        if (field->kind == LEAT_KIND_LONG && arena != NULL)
            return leat_str_of(
                leat_arena_printf(arena, "%lld", (long long)*(const int64_t *)(const void *)at));
        if (field->kind == LEAT_KIND_INT && arena != NULL)
            return leat_str_of(leat_arena_printf(arena, "%d", *(const int32_t *)(const void *)at));
    }
    return (struct leat_str){0};
}

/* ---- state ---- */

struct leat_snapshot_form leat_dispatch_snapshot_form(const struct leat_dispatch *d)
{
    if (d->state == NULL)
        return (struct leat_snapshot_form){0};
    return (struct leat_snapshot_form){d->aggregate->version,
                                       leat_schema_fingerprint(d->state_schema)};
}

int64_t leat_dispatch_snapshot_every(const struct leat_dispatch *d)
{
    return d->state == NULL ? 0 : d->processor->aggregate->snapshot_every;
}

void *leat_dispatch_state_new(const struct leat_dispatch *d, struct leat_arena *arena)
{
    return leat_arena_zalloc(arena, 1, d->state->size);
}

leat_status leat_dispatch_state_decode(const struct leat_dispatch *d, struct leat_str bytes,
                                       struct leat_arena *arena, void *state,
                                       struct leat_error *err)
{
    return leat_decode_avro(d->state_plan, bytes, arena, state, err);
}

leat_status leat_dispatch_state_encode(const struct leat_dispatch *d, const void *state,
                                       struct leat_buf *out, struct leat_error *err)
{
    return leat_encode_avro(d->state, state, out, err);
}

leat_status leat_dispatch_fold(const struct leat_dispatch *d, struct leat_str type,
                               struct leat_str payload, struct leat_arena *arena, void *state,
                               struct leat_error *err)
{
    for (size_t i = 0; i < d->aggregate->fold_count; i++) {
        const struct leat_fold *fold = &d->aggregate->fold[i];
        if (!leat_str_eq(leat_str_of(fold->event->name), type))
            continue;
        void *event = leat_arena_alloc(arena, fold->event->size);
        LEAT_TRY(leat_schemas_decode(d->schemas, fold->event, payload, arena, event, err), err,
                 "event %s", fold->event->name);
        fold->call(state, event);
        return LEAT_OK;
    }
    return LEAT_OK;
}
