#include "worker/trial.h"

#include <stdlib.h>

#include "worker/dispatch_internal.h"
#include "worker/trial_watch.h"

#define TRIAL_BLOCK_BYTES (64u * 1024)
#define TRIAL_STATE_MAX   (64u << 20)

struct trial_stream {
    struct leat_str key;
    int64_t version;
    void *state; /* NULL: a processor without state */
    struct trial_stream *next;
};

struct leat_trial {
    struct leat_processor processor; /* with the options of this trial */
    struct leat_dispatch *dispatch;
    struct leat_arena *arena;
    struct leat_buf scratch;
    struct trial_stream *streams;
    struct leat_names unknown; /* as configured */
};

/* ---- making one ---- */

static struct leat_props merged(struct leat_arena *arena, const struct leat_props *own,
                                const struct leat_props *over)
{
    struct leat_prop *at = leat_arena_zalloc(arena, (size_t)own->n + over->n + 1, sizeof *at);
    uint32_t n = 0;
    for (uint32_t i = 0; i < over->n; i++)
        at[n++] = over->at[i];
    for (uint32_t i = 0; i < own->n; i++) {
        if (leat_props_get(over, own->at[i].name, NULL) == NULL)
            at[n++] = own->at[i];
    }
    return (struct leat_props){at, n};
}

static int64_t stands_still(void *arg)
{
    (void)arg;
    return 0;
}

static leat_claim claim(void *arg, const struct leat_effect *e, struct leat_arena *arena,
                        struct leat_str *ret_result)
{
    const struct leat_trial *t = arg;
    (void)arena;
    (void)ret_result;
    return leat_names_has(&t->unknown, e->service) ? LEAT_CLAIM_UNKNOWN : LEAT_CLAIM_MINE;
}

static void settle(void *arg, const struct leat_effect *e, const struct leat_str *result)
{
    (void)arg;
    (void)e;
    (void)result;
}

static leat_status prepare_services(struct leat_trial *t, const struct leat_names *open,
                                    struct leat_error *err)
{
    leat_dispatch_keep_effects(t->dispatch, &(struct leat_effect_keeper){claim, settle, t});
    leat_dispatch_set_clock(t->dispatch,
                            &(struct leat_dispatch_clock){stands_still, stands_still, NULL});
    for (uint32_t i = 0; open != NULL && i < open->n; i++)
        if (!leat_dispatch_open_circuit(t->dispatch, open->at[i]))
            return leat_fail(err, LEAT_INVALID, "processor '%s' has no '%.*s' in its calls",
                             t->processor.name.at, LEAT_STR_FMT(open->at[i]));
    return LEAT_OK;
}

static void trial_freep(struct leat_trial **t)
{
    leat_trial_free(*t);
}

leat_status leat_trial_new(const struct leat_trial_config *c, struct leat_trial **ret,
                           struct leat_error *err)
{
    LEAT_AUTO(trial_freep) struct leat_trial *t = calloc(1, sizeof *t);
    leat_assert(t != NULL);
    t->arena = leat_arena_new(TRIAL_BLOCK_BYTES, 0);
    leat_buf_init(&t->scratch, TRIAL_STATE_MAX);
    t->processor = *c->processor;
    if (c->unknown != NULL)
        t->unknown = *c->unknown;
    if (c->options != NULL)
        t->processor.options = merged(t->arena, &c->processor->options, c->options);
    leat_status status =
        leat_dispatch_new(c->topology, &t->processor, c->schemas, &t->dispatch, err);
    if (status == LEAT_OK)
        status = prepare_services(t, c->open, err);
    if (status != LEAT_OK)
        return status;
    *ret = LEAT_TAKE(t);
    return LEAT_OK;
}

void leat_trial_free(struct leat_trial *t)
{
    if (t == NULL)
        return;
    leat_dispatch_free(t->dispatch);
    leat_buf_done(&t->scratch);
    leat_arena_free(t->arena);
    free(t);
}

/* A handler's address, whatever its type is. */
static void watch_function(const void *holder)
{
    const void *function;
    memcpy(&function, holder, sizeof function);
    (void)leat_watch_module(function);
}

void leat_trial_watch(struct leat_trial *t)
{
    const struct leat_dispatch *d = t->dispatch;
    for (size_t i = 0; i < d->def->on_count; i++)
        watch_function(&d->def->on[i].call);
    for (size_t i = 0; d->aggregate != NULL && i < d->aggregate->fold_count; i++)
        watch_function(&d->aggregate->fold[i].call);
}

leat_status leat_trial_schema_ids(struct leat_schemas *schemas, struct leat_error *err)
{
    struct leat_str type = {0};
    int32_t next = 1;
    for (size_t i = 0; leat_schemas_at(schemas, i, &type); i++) {
        int32_t id = leat_schemas_id(schemas, type);
        next = id >= next ? id + 1 : next;
    }
    for (size_t i = 0; leat_schemas_at(schemas, i, &type); i++) {
        if (leat_schemas_id(schemas, type) != 0)
            continue;
        LEAT_TRY(leat_schemas_put(schemas, next++, type, leat_schemas_text(schemas, type), err),
                 err, "schema of '%.*s'", LEAT_STR_FMT(type));
    }
    return LEAT_OK;
}

/* ---- streams ---- */

static struct trial_stream *stream_of(struct leat_trial *t, struct leat_str key)
{
    for (struct trial_stream *s = t->streams; s != NULL; s = s->next)
        if (leat_str_eq(s->key, key))
            return s;
    struct trial_stream *s = leat_arena_zalloc(t->arena, 1, sizeof *s);
    *s = (struct trial_stream){.key = leat_arena_copy(t->arena, key), .next = t->streams};
    if (leat_dispatch_has_state(t->dispatch))
        s->state = leat_dispatch_state_new(t->dispatch, t->arena);
    t->streams = s;
    return s;
}

/* What a state keeps between two batches is its bytes: so here too. */
static leat_status through_bytes(struct leat_trial *t, struct trial_stream *s,
                                 struct leat_error *err)
{
    if (s->state == NULL)
        return LEAT_OK;
    leat_buf_clear(&t->scratch);
    LEAT_TRY(leat_dispatch_state_encode(t->dispatch, s->state, &t->scratch, err), err,
             "could not encode the state");
    struct leat_str bytes = leat_arena_copy(t->arena, leat_buf_str(&t->scratch));
    s->state = leat_dispatch_state_new(t->dispatch, t->arena);
    LEAT_TRY(leat_dispatch_state_decode(t->dispatch, bytes, t->arena, s->state, err), err,
             "could not decode the state");
    return LEAT_OK;
}

static leat_status fold(struct leat_trial *t, struct trial_stream *s, struct leat_str type,
                        struct leat_str payload, struct leat_error *err)
{
    if (s->state == NULL)
        return LEAT_OK;
    leat_watch_begin(NULL);
    leat_status status = leat_dispatch_fold(t->dispatch, type, payload, t->arena, s->state, err);
    leat_watch_end();
    LEAT_TRY(status, err, "could not fold %.*s", LEAT_STR_FMT(type));
    return through_bytes(t, s, err);
}

leat_status leat_trial_given(struct leat_trial *t, struct leat_str key, struct leat_str type,
                             struct leat_str payload, struct leat_error *err)
{
    struct trial_stream *s = stream_of(t, key);
    leat_status status = fold(t, s, type, payload, err);
    if (status == LEAT_OK)
        s->version++;
    return status;
}

struct leat_snapshot_form leat_trial_snapshot_form(const struct leat_trial *t)
{
    return leat_dispatch_snapshot_form(t->dispatch);
}

leat_status leat_trial_snapshot(struct leat_trial *t, struct leat_str key, int64_t version,
                                struct leat_str state, struct leat_error *err)
{
    struct trial_stream *s = stream_of(t, key);
    if (s->state == NULL || s->version != 0)
        return leat_fail(err, LEAT_INVALID, "a snapshot comes first, and only where state is kept");
    struct leat_str bytes = leat_arena_copy(t->arena, state);
    LEAT_TRY(leat_dispatch_state_decode(t->dispatch, bytes, t->arena, s->state, err), err,
             "could not decode the snapshot");
    s->version = version;
    return LEAT_OK;
}

leat_status leat_trial_state(struct leat_trial *t, struct leat_str key, struct leat_buf *out,
                             struct leat_error *err)
{
    struct trial_stream *s = stream_of(t, key);
    if (s->state == NULL)
        return leat_fail(err, LEAT_ABSENT, "the processor has no state");
    return leat_encode_json(t->dispatch->state, s->state, out, err);
}

/* ---- one message ---- */

static leat_status priority_of(const struct leat_trial *t, struct leat_str name, int32_t *ret,
                               struct leat_error *err)
{
    const struct leat_priorities *all = &t->processor.priorities;
    *ret = name.len == 0 ? (int32_t)all->default_index : leat_priority_find(all, name);
    return *ret >= 0 ? LEAT_OK
                     : leat_fail(err, LEAT_INVALID, "processor '%s' has no priority '%.*s'",
                                 t->processor.name.at, LEAT_STR_FMT(name));
}

/* Events and commands of the call as one list, in the order the handler made them. */
static void take_made(struct leat_trial *t, const struct leat_call *call,
                      struct leat_trial_outcome *ret)
{
    size_t n = call->event_count + call->command_count, e = 0, c = 0;
    struct leat_trial_made *made = leat_arena_zalloc(t->arena, n + 1, sizeof *made);
    for (size_t i = 0; i < n; i++) {
        bool event = c == call->command_count ||
                     (e < call->event_count && call->events[e].index < call->commands[c].index);
        if (event) {
            const struct leat_made_event *from = &call->events[e++];
            made[i] = (struct leat_trial_made){.id = from->id,
                                               .type = from->type_name,
                                               .payload = from->payload,
                                               .key = call->key};
            continue;
        }
        const struct leat_made_command *from = &call->commands[c++];
        made[i] = (struct leat_trial_made){
            .is_command = true,
            .id = from->id,
            .type = from->type_name,
            .payload = from->value,
            .key = from->key,
            .priority = from->priority,
            .headers = from->headers,
            .topic = from->topic,
            .partition = from->partition,
            .after_ms = from->due_ms == 0 ? 0 : from->due_ms - call->received_at_ms};
    }
    ret->made = made;
    ret->made_count = n;
}

/* As a worker does before the next command of the stream. */
static leat_status fold_made(struct leat_trial *t, struct trial_stream *s,
                             const struct leat_call *call, struct leat_error *err)
{
    for (size_t i = 0; i < call->event_count; i++) {
        LEAT_TRY(fold(t, s, call->events[i].type_name, call->events[i].payload, err), err,
                 "its own event");
        s->version++;
    }
    return LEAT_OK;
}

/* False when a fault broke the call off. */
static bool run_handler(struct leat_call *call, int32_t handler, const void *message,
                        const void *state, struct leat_fault *fault)
{
    if (fault != NULL && setjmp(fault->out) != 0)
        return false;
    leat_dispatch_call(call, handler, message, state);
    return true;
}

static struct leat_str own_key(struct leat_trial *t, const struct leat_trial_message *m,
                               int32_t handler, const void *message)
{
    if (m->key.len > 0)
        return m->key;
    struct leat_str key = leat_type_key(t->dispatch->def->on[handler].message, message, t->arena);
    if (key.len > 0 || leat_dispatch_has_state(t->dispatch))
        return key;
    char *id = leat_arena_alloc(t->arena, LEAT_UUID_TEXT); /* as leat sends what has no key */
    leat_uuid_format(&m->id, id);
    return leat_str_of(id);
}

static leat_status prepare(struct leat_trial *t, const struct leat_trial_message *m,
                           struct leat_call *call, int32_t *ret_handler, void **ret_message,
                           struct leat_error *err)
{
    *ret_handler = leat_dispatch_find(t->dispatch, m->type);
    if (*ret_handler < 0)
        return leat_fail(err, LEAT_INVALID, "processor '%s' has no handler for '%.*s'",
                         t->processor.name.at, LEAT_STR_FMT(m->type));
    LEAT_TRY(leat_dispatch_decode(t->dispatch, *ret_handler, m->bytes, t->arena, ret_message, err),
             err, "could not decode");
    *call = (struct leat_call){.dispatch = t->dispatch,
                               .arena = t->arena,
                               .scratch = &t->scratch,
                               .id = m->id,
                               .correlation_id = m->id,
                               .key = own_key(t, m, *ret_handler, *ret_message),
                               .type = m->type,
                               .received_at_ms = m->received_at_ms};
    if (call->key.len == 0)
        return leat_fail(err, LEAT_INVALID, "%.*s: neither the record nor its payload has a key",
                         LEAT_STR_FMT(m->type));
    return priority_of(t, m->priority, &call->priority, err);
}

leat_status leat_trial_key(struct leat_trial *t, const struct leat_trial_message *m,
                           struct leat_str *ret, struct leat_error *err)
{
    struct leat_call call;
    int32_t handler = -1;
    void *message = NULL;
    leat_status status = prepare(t, m, &call, &handler, &message, err);
    if (status == LEAT_OK)
        *ret = call.key;
    return status;
}

leat_status leat_trial_run(struct leat_trial *t, const struct leat_trial_message *m,
                           struct leat_fault *fault, struct leat_trial_outcome *ret,
                           struct leat_error *err)
{
    struct leat_call call;
    int32_t handler = -1;
    void *message = NULL;
    leat_status status = prepare(t, m, &call, &handler, &message, err);
    if (status != LEAT_OK)
        return status;
    struct trial_stream *s = stream_of(t, call.key);
    call.version = s->version;
    *ret = (struct leat_trial_outcome){
        .key = call.key, .version_before = s->version, .version_after = s->version};

    leat_dispatch_fault(t->dispatch, fault);
    leat_watch_begin(fault);
    ret->broken_off = !run_handler(&call, handler, message, s->state, fault);
    leat_watch_end();
    leat_dispatch_fault(t->dispatch, NULL);

    ret->answer = ret->broken_off ? LEAT_ANSWER_RETRY : call.answer;
    if (ret->broken_off)
        return LEAT_OK;
    ret->code = call.code;
    ret->text = call.text;
    if (call.answer != LEAT_DONE)
        return LEAT_OK;
    take_made(t, &call, ret);
    status = fold_made(t, s, &call, err);
    ret->version_after = s->version;
    return status;
}
