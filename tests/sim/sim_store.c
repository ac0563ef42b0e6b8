#include <stdlib.h>

#include "check.h"
#include "store.h"

#define LOCK_TIMEOUT_US (5 * SIM_SECOND)
#define IDLE_TIMEOUT_US (5 * SIM_SECOND)
#define LOCK_POLL_US    (5 * SIM_MS)

/* ---- calls on the network ---- */

struct sim_call *sim_call_new(struct sim *w, sim_call_kind kind, struct sim_actor *actor,
                              sim_reply reply, void *who)
{
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct sim_call *c = leat_arena_zalloc(arena, 1, sizeof *c);
    c->kind = kind;
    c->actor = actor;
    c->life = actor->life;
    c->reply = reply;
    c->who = who;
    c->arena = arena;
    c->caller = actor->life * 1000 + (uint64_t)actor->index;
    c->world = w;
    c->refs = 1;
    return c;
}

static void release(void *data)
{
    struct sim_call *c = data;
    if (--c->refs == 0)
        leat_arena_free(c->arena);
}

static const char *const call_names[] = {
    "fences",    "claim",       "load",   "lock",  "append", "abort",
    "published", "relay claim", "record", "slice", "outbox",
};

static void arrive_back(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sim_call *c = data;
    if (!c->answered) {
        c->answered = true;
        if (c->reply != NULL)
            c->reply(w, c);
    }
    release(c);
}

static void answer_in(struct sim *w, struct sim_call *c, int64_t delay_us)
{
    c->refs++;
    struct sim_task t = {.actor = c->actor,
                         .life = c->life,
                         .what = call_names[c->kind],
                         .fire = arrive_back,
                         .data = c,
                         .drop = release};
    sim_after(w, delay_us, &t);
}

static void give_up(struct sim *w, void *who, void *data)
{
    struct sim_call *c = data;
    if (!c->answered)
        c->failed = true;
    arrive_back(w, who, data);
}

static void give_up_in(struct sim *w, struct sim_call *c, int64_t delay_us)
{
    c->refs++;
    struct sim_task t = {.actor = c->actor,
                         .life = c->life,
                         .what = "cut",
                         .fire = give_up,
                         .data = c,
                         .drop = release};
    sim_after(w, delay_us, &t);
}

static void carry_out(struct sim *w, void *who, void *data);

static void execute_in(struct sim *w, struct sim_call *c, int64_t delay_us)
{
    c->refs++;
    struct sim_task t = {
        .what = call_names[c->kind], .fire = carry_out, .data = c, .drop = release};
    sim_after(w, delay_us, &t);
}

void sim_call_send(struct sim *w, struct sim_call *c)
{
    int64_t there = sim_net_delay(w);
    bool cut = sim_faulty(w, SIM_FAULT_CUT, 12);
    bool late = sim_faulty(w, SIM_FAULT_LATE, 8);
    if (sim_rng_permille(&w->net, 8))
        there += sim_rng_in(&w->net, 50, 900) * SIM_MS; /* the disk, a checkpoint */
    if (cut || late) {
        bool quick = sim_rng_permille(&w->trouble, 700);
        int64_t gone = sim_rng_in(&w->trouble, 1, quick ? 60 : 5000) * SIM_MS;
        give_up_in(w, c, gone);
        if (late) {
            there = gone + sim_rng_in(&w->trouble, 0, quick ? 100 : 4000) * SIM_MS;
        } else if (sim_rng_permille(&w->trouble, 500)) {
            there = -1;
        }
    }
    if (w->now_us < w->store_back_us && there >= 0) {
        give_up_in(w, c, sim_rng_in(&w->net, 1, 200) * SIM_MS);
        there = -1;
    }
    c->waits_until_us = -1;
    if (there >= 0)
        execute_in(w, c, there);
    release(c);
}

/* ---- locks ---- */

static struct sim_transaction *transaction_of(struct sim_store *s, uint64_t session)
{
    for (size_t i = 0; i < 16; i++) {
        if (s->transactions[i].session == session)
            return &s->transactions[i];
    }
    return NULL;
}

static void end_transaction(struct sim_store *s, uint64_t session)
{
    struct sim_transaction *t = transaction_of(s, session);
    if (t == NULL)
        return;
    *t = (struct sim_transaction){0};
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        if (s->slices[k].lock == session)
            s->slices[k].lock = 0;
        for (int32_t p = 0; p < SIM_PROCESSORS; p++) {
            if (s->owners[p][k].lock == session)
                s->owners[p][k].lock = 0;
        }
    }
}

static void expire_transactions(struct sim *w)
{
    for (size_t i = 0; i < 16; i++) {
        const struct sim_transaction *t = &w->store->transactions[i];
        if (t->session != 0 && t->until_us <= w->now_us) {
            sim_trace(w, "store ends the idle transaction of session %llu",
                      (unsigned long long)t->session);
            end_transaction(w->store, t->session);
        }
    }
}

static bool blocks(uint64_t lock, uint64_t session)
{
    return lock != 0 && lock != session;
}

static bool must_wait(const struct sim_store *s, const struct sim_call *c)
{
    bool fences =
        c->kind == SIM_CALL_CLAIM || c->kind == SIM_CALL_APPEND || c->kind == SIM_CALL_LOCK;
    if (!fences)
        return false;
    for (size_t i = 0; c->kind == SIM_CALL_CLAIM && i < c->n; i++) {
        if (blocks(s->owners[c->processor][c->ks[i]].lock, c->session))
            return true;
    }
    for (size_t i = 0; c->kind != SIM_CALL_CLAIM && i < c->batch.fence_count; i++) {
        int32_t k = c->batch.fences[i].k;
        if (blocks(s->owners[c->processor][k].lock, c->session) ||
            blocks(s->slices[k].lock, c->session))
            return true;
    }
    return false;
}

static void take_locks(struct sim *w, struct sim_call *c)
{
    struct sim_store *s = w->store;
    struct sim_transaction *t = transaction_of(s, 0);
    leat_assert(t != NULL && transaction_of(s, c->session) == NULL);
    *t = (struct sim_transaction){c->session, w->now_us + IDLE_TIMEOUT_US};
    for (size_t i = 0; i < c->batch.fence_count; i++) {
        int32_t k = c->batch.fences[i].k;
        s->owners[c->processor][k].lock = c->session;
        s->slices[k].lock = c->session;
    }
}

/* ---- fences ---- */

int32_t sim_processor_find(struct leat_str name)
{
    const struct leat_topology *t = sim_topology();
    for (int32_t i = 0; i < SIM_PROCESSORS; i++) {
        if (leat_str_eq(name, t->processors[i].name))
            return i;
    }
    leat_assert(!"a processor of the topology");
    return -1;
}

static bool asked(const struct sim_call *c, int32_t k)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->ks[i] == k)
            return true;
    }
    return false;
}

static void fill_fences(struct sim *w, struct sim_call *c)
{
    const struct sim_store *s = w->store;
    c->lanes = leat_arena_zalloc(c->arena, SIM_LANES_MAX, sizeof *c->lanes);
    for (size_t i = 0; i < c->n; i++) {
        int32_t k = c->ks[i];
        c->fences[i].k = k;
        c->fences[i].epoch = s->owners[c->processor][k].epoch;
        c->fences[i].head_seq = s->slices[k].head;
        c->fences[i].store_id = s->slices[k].store_id;
    }
    for (int32_t i = 0; i < s->lane_count; i++) {
        const struct sim_lane *l = &s->lanes[i];
        if (l->processor == c->processor && asked(c, l->k)) {
            c->lanes[c->lane_count++] =
                (struct leat_lane_position){.topic = leat_str_of(sim_topic_name(l->topic)),
                                            .k = l->k,
                                            .next_offset = l->next_offset,
                                            .fingerprint = l->fingerprint,
                                            .next_seq = l->next_seq};
        }
    }
}

static void claim(struct sim *w, struct sim_call *c)
{
    for (size_t i = 0; i < c->n; i++) {
        struct sim_owner *o = &w->store->owners[c->processor][c->ks[i]];
        if (o->epoch != c->expected[i])
            continue;
        o->epoch++;
        o->owner = c->caller;
        c->fences[i].claimed = true;
        sim_trace(w, "%s claims %d of %.*s with epoch %lld", c->actor->name, c->ks[i],
                  LEAT_STR_FMT(sim_topology()->processors[c->processor].name), (long long)o->epoch);
    }
}

/* ---- reading ---- */

static void fill_event(struct sim *w, int32_t index, struct leat_stored_event *ret)
{
    const struct sim_stored *e = &w->store->events[index];
    *ret = (struct leat_stored_event){.slice = e->k,
                                      .seq = e->seq,
                                      .version = e->version,
                                      .schema_id = 1,
                                      .id = e->id,
                                      .command_id = e->command_id,
                                      .correlation_id = e->command_id,
                                      .stream = w->store->streams[e->stream].name,
                                      .type = e->type,
                                      .payload = {(const char *)&e->body, sizeof e->body},
                                      .recorded_at_us = e->recorded_at_us};
}

/* Rotten ones: most are seen by the store, some have lost bytes and do not decode. */
static int64_t load_snapshot(struct sim *w, struct sim_call *c, size_t want, int32_t stream)
{
    const struct sim_stream *s = &w->store->streams[stream];
    int64_t after = c->wants[want].after_version;
    if (c->wants[want].form == NULL || s->kept_version <= after)
        return after;
    struct leat_str state = {(const char *)&s->kept, sizeof s->kept};
    bool rotten = sim_faulty(w, SIM_FAULT_ODD, 100), damaged = rotten;
    if (rotten && sim_rng_permille(&w->trouble, 300)) {
        state.len--;
        damaged = false;
    }
    c->loaded.snapshots[c->loaded.snapshot_count++] = (struct leat_loaded_snapshot){
        (uint32_t)want, damaged, s->kept_version, leat_arena_copy(c->arena, state)};
    w->store->snapshots_read++;
    return s->kept_version;
}

static void load(struct sim *w, struct sim_call *c)
{
    struct sim_store *s = w->store;
    size_t cap = (size_t)s->event_count * c->n + 1;
    struct leat_loaded *l = &c->loaded;
    bool heads[SIM_PARTITIONS] = {false};
    if (cap > SIM_EVENTS_MAX)
        cap = SIM_EVENTS_MAX;
    l->want = leat_arena_alloc(c->arena, cap * sizeof *l->want);
    l->events = leat_arena_alloc(c->arena, cap * sizeof *l->events);
    l->heads = leat_arena_zalloc(c->arena, SIM_PARTITIONS, sizeof *l->heads);
    l->snapshots = leat_arena_alloc(c->arena, (c->n + 1) * sizeof *l->snapshots);
    for (size_t i = 0; i < c->n; i++) {
        int32_t k = c->wants[i].k;
        int32_t stream = sim_store_stream(w, k, c->wants[i].stream);
        int64_t after = load_snapshot(w, c, i, stream);
        for (int64_t seq = 1; seq <= s->slices[k].head; seq++) {
            const struct sim_stored *e = &s->events[s->slices[k].events[seq - 1]];
            if (e->stream != stream || e->version <= after)
                continue;
            leat_assert(l->event_count < cap);
            l->want[l->event_count] = (uint32_t)i;
            fill_event(w, s->slices[k].events[seq - 1], &l->events[l->event_count++]);
        }
        if (!heads[k]) {
            l->heads[l->head_count++] = (struct leat_fence_state){
                .k = k, .head_seq = s->slices[k].head, .store_id = s->slices[k].store_id};
        }
        heads[k] = true;
    }
}

static void read_slice(struct sim *w, struct sim_call *c)
{
    const struct sim_slice *s = &w->store->slices[c->slice];
    int64_t to = c->upto < 0 || c->upto > s->head ? s->head : c->upto;
    c->events = leat_arena_alloc(c->arena, (c->limit + 1) * sizeof *c->events);
    for (int64_t seq = c->after + 1; seq <= to && c->row_count < c->limit; seq++)
        fill_event(w, s->events[seq - 1], &c->events[c->row_count++]);
}

/* ---- the relay's ---- */

static void fill_published(struct sim *w, struct sim_call *c)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct sim_slice *s = &w->store->slices[c->ks[i]];
        bool claimed = c->published[i].claimed;
        c->published[i] = (struct leat_published){.slice = c->ks[i],
                                                  .epoch = s->relay_epoch,
                                                  .seq = s->published,
                                                  .outbox_seq = s->outbox_published,
                                                  .head_seq = s->head,
                                                  .head_outbox = s->outbox_head,
                                                  .store_id = s->store_id,
                                                  .claimed = claimed};
    }
}

static void claim_relay(struct sim *w, struct sim_call *c)
{
    for (size_t i = 0; i < c->n; i++) {
        struct sim_slice *s = &w->store->slices[c->ks[i]];
        if (s->relay_epoch != c->expected[i])
            continue;
        s->relay_epoch++;
        c->published[i].claimed = true;
        sim_trace(w, "%s claims slice %d with relay epoch %lld", c->actor->name, c->ks[i],
                  (long long)s->relay_epoch);
    }
}

static void record(struct sim *w, struct sim_call *c)
{
    for (size_t i = 0; i < c->n; i++) {
        struct leat_published *m = &c->moves[i];
        struct sim_slice *s = &w->store->slices[m->slice];
        m->claimed = m->epoch == s->relay_epoch;
        if (!m->claimed)
            continue;
        check_recorded(w, m);
        if (m->seq > s->published)
            s->published = m->seq;
        if (m->outbox_seq > s->outbox_published)
            s->outbox_published = m->outbox_seq;
        while (s->outbox != NULL && s->outbox->seq <= m->outbox_seq)
            s->outbox = s->outbox->next;
        if (s->outbox == NULL)
            s->outbox_end = &s->outbox;
    }
}

static void read_outbox(struct sim *w, struct sim_call *c)
{
    c->rows = leat_arena_alloc(c->arena, (c->limit + 1) * sizeof *c->rows);
    const struct sim_outbox *o = w->store->slices[c->slice].outbox;
    for (; o != NULL && c->row_count < c->limit; o = o->next) {
        if (o->seq <= c->after)
            continue;
        c->rows[c->row_count++] =
            (struct leat_outbox_row){.slice = c->slice,
                                     .seq = o->seq,
                                     .partition = o->partition,
                                     .topic = leat_str_of(sim_topic_name(o->topic)),
                                     .key = o->key,
                                     .headers = o->headers,
                                     .value = o->value,
                                     .key_null = o->key_null};
    }
}

/* ---- carrying out ---- */

static void perform(struct sim *w, struct sim_call *c)
{
    switch (c->kind) {
    case SIM_CALL_CLAIM:
        claim(w, c);
        fill_fences(w, c);
        break;
    case SIM_CALL_FENCES:
        fill_fences(w, c);
        break;
    case SIM_CALL_LOAD:
        load(w, c);
        break;
    case SIM_CALL_LOCK:
        take_locks(w, c);
        break;
    case SIM_CALL_APPEND:
        sim_store_append(w, c);
        end_transaction(w->store, c->session);
        break;
    case SIM_CALL_ABORT:
        end_transaction(w->store, c->session);
        break;
    case SIM_CALL_CLAIM_RELAY:
        claim_relay(w, c);
        fill_published(w, c);
        break;
    case SIM_CALL_PUBLISHED:
        fill_published(w, c);
        break;
    case SIM_CALL_RECORD:
        record(w, c);
        break;
    case SIM_CALL_SLICE:
        read_slice(w, c);
        break;
    case SIM_CALL_OUTBOX:
        read_outbox(w, c);
        break;
    }
}

static void carry_out(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sim_call *c = data;
    expire_transactions(w);
    struct sim_transaction *t = transaction_of(w->store, c->session);
    if (c->waits_until_us < 0)
        c->waits_until_us = w->now_us + LOCK_TIMEOUT_US;
    if (c->in_transaction && t == NULL) {
        c->failed = true; /* the server ended it: the connection is gone, nothing was done */
    } else if (must_wait(w->store, c)) {
        if (w->now_us < c->waits_until_us) {
            execute_in(w, c, LOCK_POLL_US);
            release(c);
            return;
        }
        c->failed = true;
    } else {
        perform(w, c);
        if (c->in_transaction && t != NULL && t->session == c->session)
            t->until_us = w->now_us + IDLE_TIMEOUT_US;
    }
    answer_in(w, c, sim_net_delay(w));
    release(c);
}

/* ---- set-up ---- */

void sim_store_init(struct sim *w)
{
    struct sim_store *s = leat_arena_zalloc(w->arena, 1, sizeof *s);
    s->events = leat_arena_zalloc(w->arena, SIM_EVENTS_MAX, sizeof *s->events);
    s->rows = leat_arena_zalloc(w->arena, SIM_COMMANDS_MAX, sizeof *s->rows);
    s->row_hash = leat_arena_alloc(w->arena, SIM_COMMANDS_MAX * sizeof *s->row_hash);
    for (size_t i = 0; i < SIM_COMMANDS_MAX; i++)
        s->row_hash[i] = -1;
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        struct sim_slice *slice = &s->slices[k];
        slice->store_id.b[0] = 0x57;
        slice->store_id.b[15] = (uint8_t)(k + 1);
        slice->events = leat_arena_alloc(w->arena, SIM_EVENTS_MAX * sizeof *slice->events);
        slice->outbox_end = &slice->outbox;
    }
    w->store = s;
}

uint64_t sim_store_session(struct sim *w)
{
    return ++w->store->sessions;
}
