/* handlers.c - worker/dispatch.h for the simulated processors; see model.h. */
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/record_headers.h"
#include "model.h"
#include "world.h"

struct doing {
    int64_t spent_us;
    bool crashed, slow;
};
struct leat_dispatch {
    int32_t processor;
    struct sim *w;
    struct doing *doing;
};

static const char *const names[SIM_PROCESSORS] = {"deposits", "withdrawals", "audits", "alerts"};
static const char *const types[SIM_PROCESSORS] = {"Deposit", "Withdraw", "Audit", "Deposited"};
static const char *const event_types[SIM_PROCESSORS] = {"Deposited", "Withdrawn", "Audited", ""};
static const char *const prefixes[SIM_PROCESSORS] = {"account-", "account-", "audit-", ""};

struct leat_dispatch *sim_dispatch_new(int32_t processor, struct sim *w)
{
    struct leat_dispatch *d = calloc(1, sizeof *d);
    leat_assert(d != NULL);
    d->doing = leat_arena_zalloc(w->arena, 1, sizeof *d->doing);
    d->processor = processor;
    d->w = w;
    return d;
}

int64_t sim_dispatch_spent_us(struct leat_dispatch *d)
{
    int64_t us = d->doing->spent_us;
    d->doing->spent_us = 0;
    return us;
}

bool sim_dispatch_slow(const struct leat_dispatch *d)
{
    return d->doing->slow;
}

bool sim_dispatch_crashed(struct leat_dispatch *d)
{
    bool crashed = d->doing->crashed;
    d->doing->crashed = false;
    return crashed;
}

void leat_dispatch_free(struct leat_dispatch *d)
{
    free(d);
}

const struct leat_processor *leat_dispatch_processor(const struct leat_dispatch *d)
{
    static struct leat_processor patient[SIM_PROCESSORS]; /* planted: nobody ages */
    static struct leat_priority classes[SIM_PRIORITIES];
    const struct leat_processor *p = &sim_topology()->processors[d->processor];
    if (!sim_off(d->w, SIM_D_AGEING))
        return p;
    for (int32_t i = 0; i < SIM_PRIORITIES; i++) {
        classes[i] = p->priorities.at[i];
        classes[i].max_wait_ms = 0;
    }
    patient[d->processor] = *p;
    patient[d->processor].priorities.at = classes;
    return &patient[d->processor];
}

const struct leat_topology *leat_dispatch_topology(const struct leat_dispatch *d)
{
    (void)d;
    return sim_topology();
}

int32_t leat_dispatch_find(const struct leat_dispatch *d, struct leat_str type)
{
    return leat_str_eq(type, leat_str_of(types[d->processor])) ? 0 : -1;
}

int32_t leat_dispatch_only(const struct leat_dispatch *d)
{
    (void)d;
    return 0;
}

struct leat_str leat_dispatch_type(const struct leat_dispatch *d, int32_t handler)
{
    (void)handler;
    return leat_str_of(types[d->processor]);
}

struct leat_str leat_dispatch_name(const struct leat_dispatch *d)
{
    return leat_str_of(names[d->processor]);
}

int leat_dispatch_version(const struct leat_dispatch *d)
{
    (void)d;
    return 1;
}

struct leat_str leat_dispatch_prefix(const struct leat_dispatch *d)
{
    return leat_str_of(prefixes[d->processor]);
}

bool leat_dispatch_has_state(const struct leat_dispatch *d)
{
    return d->processor != SIM_ALERTS;
}

leat_status leat_dispatch_decode(const struct leat_dispatch *d, int32_t handler,
                                 struct leat_str bytes, struct leat_arena *arena,
                                 void **ret_message, struct leat_error *err)
{
    (void)handler;
    struct sim_command *c = leat_arena_zalloc(arena, 1, sizeof *c);
    struct sim_event_body e;
    if (d->processor == SIM_ALERTS) { /* an event: what the policy needs of it */
        leat_assert(bytes.len == sizeof e);
        memcpy(&e, bytes.at, sizeof e);
        *c =
            (struct sim_command){.behaviour = SIM_ACCEPT, .send = e.index == 0, .number = e.number};
        *ret_message = c;
        return LEAT_OK;
    }
    if (bytes.len != sizeof *c)
        return leat_fail(err, LEAT_POISON, "%u bytes", bytes.len);
    memcpy(c, bytes.at, sizeof *c);
    if (c->magic != SIM_MAGIC)
        return leat_fail(err, LEAT_POISON, "bad magic");
    *ret_message = c;
    return LEAT_OK;
}

struct leat_str leat_dispatch_key(const struct leat_dispatch *d, int32_t handler,
                                  const void *message)
{
    (void)d;
    (void)handler;
    const struct sim_command *c = message;
    return (struct leat_str){c->key, (uint32_t)strnlen(c->key, sizeof c->key)};
}

/* ---- state ---- */

struct leat_snapshot_form leat_dispatch_snapshot_form(const struct leat_dispatch *d)
{
    (void)d;
    return (struct leat_snapshot_form){1, 1};
}

int64_t leat_dispatch_snapshot_every(const struct leat_dispatch *d)
{
    const struct leat_aggregate *a = leat_dispatch_processor(d)->aggregate;
    return a == NULL ? 0 : a->snapshot_every;
}

void sim_fold(struct sim_state *s, const struct sim_event_body *e)
{
    s->seen = leat_hash64(e, sizeof *e, s->seen);
    s->balance += e->amount;
    s->count++;
}

void *leat_dispatch_state_new(const struct leat_dispatch *d, struct leat_arena *arena)
{
    (void)d;
    return leat_arena_zalloc(arena, 1, sizeof(struct sim_state));
}

leat_status leat_dispatch_state_decode(const struct leat_dispatch *d, struct leat_str bytes,
                                       struct leat_arena *arena, void *state,
                                       struct leat_error *err)
{
    (void)d;
    (void)arena;
    if (bytes.len != sizeof(struct sim_state))
        return leat_fail(err, LEAT_FATAL, "state of %u bytes", bytes.len);
    memcpy(state, bytes.at, sizeof(struct sim_state));
    return LEAT_OK;
}

leat_status leat_dispatch_state_encode(const struct leat_dispatch *d, const void *state,
                                       struct leat_buf *out, struct leat_error *err)
{
    (void)d;
    (void)err;
    leat_buf_put(out, state, sizeof(struct sim_state));
    return LEAT_OK;
}

leat_status leat_dispatch_fold(const struct leat_dispatch *d, struct leat_str type,
                               struct leat_str payload, struct leat_arena *arena, void *state,
                               struct leat_error *err)
{
    (void)d;
    (void)type;
    (void)arena;
    struct sim_event_body e;
    if (payload.len != sizeof e)
        return leat_fail(err, LEAT_FATAL, "event of %u bytes", payload.len);
    memcpy(&e, payload.at, sizeof e);
    sim_fold(state, &e);
    return LEAT_OK;
}

/* ---- the handlers ---- */

static void put_number(struct leat_buf *out, struct leat_str name, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)value);
    leat_headers_put(out, name, (struct leat_str){text, (uint32_t)n});
}

void sim_headers_event(struct leat_buf *out, const struct leat_uuid *store_id, int64_t seq,
                       int64_t recorded_at_us)
{
    char text[LEAT_UUID_TEXT];
    leat_uuid_format(store_id, text);
    put_number(out, LEAT_STR("leat-seq"), seq);
    put_number(out, LEAT_STR("ce_time"), recorded_at_us);
    leat_headers_put(out, LEAT_STR("leat-store"), leat_str_of(text));
}

void sim_headers(struct leat_buf *out, const struct leat_uuid *id, struct leat_str type)
{
    char text[LEAT_UUID_TEXT];
    leat_uuid_format(id, text);
    leat_headers_put(out, LEAT_STR("ce_id"), leat_str_of(text));
    if (type.len > 0)
        leat_headers_put(out, LEAT_STR("ce_type"), type);
}

static leat_answer refuse(struct leat_call *call, leat_answer answer, const char *code,
                          const struct sim_state *s)
{
    char *text = leat_arena_alloc(call->arena, SIM_SEEN_TEXT);
    (void)snprintf(text, SIM_SEEN_TEXT, "%016llx", (unsigned long long)s->seen);
    call->code = leat_str_of(code);
    call->text = leat_str_of(text);
    return answer;
}

static void emit(struct leat_call *call, const struct sim_command *c, struct sim_state s)
{
    static const struct leat_type no_type = {.name = "sim"};
    int32_t p = call->dispatch->processor;
    call->events = leat_arena_zalloc(call->arena, c->events, sizeof *call->events);
    call->event_count = c->events;
    for (uint32_t i = 0; i < c->events; i++) {
        struct sim_event_body *e = leat_arena_zalloc(call->arena, 1, sizeof *e);
        *e = (struct sim_event_body){s.seen, c->amount, c->number, i};
        sim_fold(&s, e);
        call->events[i] = (struct leat_made_event){
            .type = &no_type,
            .schema_id = 1,
            .id = leat_uuid_child(&call->id, leat_dispatch_name(call->dispatch), 'e', i),
            .type_name = leat_str_of(event_types[p]),
            .payload = {(const char *)e, sizeof *e}};
    }
}

/* Of the command that is sent, and of the call that is made: the same at every execution, unless
 * that is planted. */
static struct leat_uuid made_id(const struct leat_call *call, char kind)
{
    struct sim *w = call->dispatch->w;
    struct leat_uuid id = leat_uuid_child(&call->id, leat_dispatch_name(call->dispatch), kind, 0);
    if (sim_off(w, kind == 'c' ? SIM_D_STABLE_IDS : SIM_D_EFFECT_KEY)) {
        uint64_t n = sim_rng_next(&w->net);
        memcpy(&id.b[8], &n, sizeof n);
    }
    return id;
}

/* The provider does it at once, and knows a key it has seen. */
static void call_outside(struct leat_call *call, const struct sim_command *c)
{
    struct sim *w = call->dispatch->w;
    struct leat_uuid key = made_id(call, 'x');
    struct sim_effect **first = &w->outside->of[c->number];
    for (const struct sim_effect *e = *first; e != NULL; e = e->next) {
        if (leat_uuid_eq(&e->key, &key))
            return;
    }
    struct sim_effect *made = leat_arena_alloc(w->arena, sizeof *made);
    *made = (struct sim_effect){key, *first};
    *first = made;
}

/* The command to audits: of another key, so of another partition and stream. */
static void send(struct leat_call *call, const struct sim_command *c)
{
    struct sim_command *out = leat_arena_zalloc(call->arena, 1, sizeof *out);
    *out = (struct sim_command){
        .magic = SIM_MAGIC, .behaviour = SIM_ACCEPT, .events = 1, .number = c->number, .amount = 1};
    (void)snprintf(out->key, sizeof out->key, "a%u", c->number % 5);
    struct leat_str key = leat_arena_copy(call->arena, leat_str_of(out->key));
    struct leat_uuid id = made_id(call, 'c');
    struct leat_buf headers;
    leat_buf_init(&headers, 4096);
    sim_headers(&headers, &id, leat_str_of(types[SIM_AUDITS]));
    call->commands = leat_arena_zalloc(call->arena, 1, sizeof *call->commands);
    call->command_count = 1;
    call->commands[0] = (struct leat_made_command){
        .id = id,
        .topic = sim_topic_name(SIM_AUDITS * SIM_PRIORITIES + (call->priority > 0)),
        .partition = leat_partition(key, SIM_PARTITIONS),
        .due_ms = c->later_ms == 0 ? 0 : sim_now_ms(call->dispatch->w) + c->later_ms,
        .type_name = leat_str_of(types[SIM_AUDITS]),
        .priority = call->priority > 0 ? LEAT_STR("cold") : LEAT_STR("hot"),
        .key = key,
        .headers = leat_arena_copy(call->arena, leat_buf_str(&headers)),
        .value = {(const char *)out, sizeof *out}};
    leat_buf_done(&headers);
}

/* Of what another command has scheduled, if that is still to be sent. */
static void cancel(struct leat_call *call, const struct sim_command *c)
{
    call->cancels = leat_arena_alloc(call->arena, sizeof *call->cancels);
    call->cancels[0] = leat_uuid_child(&c->target, leat_dispatch_name(call->dispatch), 'c', 0);
    call->cancel_count = 1;
}

static leat_answer run(struct leat_call *call, const struct sim_command *c,
                       const struct sim_state *s)
{
    if (c->behaviour == SIM_POISON)
        return refuse(call, LEAT_ANSWER_POISON, "poison", s);
    if (c->behaviour == SIM_CRASH) {
        call->dispatch->doing->crashed = true;
        return LEAT_DONE;
    }
    if (c->behaviour == SIM_RETRY && call->dispatch->w->now_us / 1000 < c->ready_ms)
        return refuse(call, LEAT_ANSWER_RETRY, "retry", s);
    if (c->behaviour == SIM_DEBIT && s->balance + c->amount < 0)
        return refuse(call, LEAT_ANSWER_REJECTED, "balance", s);
    if (c->mail)
        call_outside(call, c);
    if (c->events > 0)
        emit(call, c, *s);
    if (c->send)
        send(call, c);
    if (c->cancels)
        cancel(call, c);
    return LEAT_DONE;
}

void leat_dispatch_call(struct leat_call *call, int32_t handler, const void *message,
                        const void *state)
{
    (void)handler;
    call->events = NULL;
    call->commands = NULL;
    call->event_count = call->command_count = call->cancel_count = 0;
    call->dispatch->doing->slow = ((const struct sim_command *)message)->slow_ms >= SIM_SLOW_MS;
    call->dispatch->doing->spent_us += ((const struct sim_command *)message)->slow_ms * SIM_MS;
    call->answer = run(call, message, state);
}
