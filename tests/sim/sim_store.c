#include <stdlib.h>

#include "check.h"
#include "store.h"

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

static void fill_lanes(struct sim_call *c, const struct sim_lane *lanes, int32_t n)
{
    c->lanes = leat_arena_zalloc(c->arena, SIM_LANES_MAX, sizeof *c->lanes);
    c->lane_count = 0;
    for (int32_t i = 0; i < n; i++) {
        const struct sim_lane *l = &lanes[i];
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

static void fill_suspects(struct sim *w, struct sim_call *c)
{
    const struct sim_store *s = w->store;
    c->suspects = leat_arena_alloc(c->arena, sizeof s->suspects);
    c->suspect_count = 0;
    for (int32_t i = 0; i < s->suspect_count; i++) {
        if (s->suspects[i].processor == c->processor && asked(c, s->suspects[i].k))
            c->suspects[c->suspect_count++] = s->suspects[i];
    }
}

static void fill_fences(struct sim *w, struct sim_call *c)
{
    const struct sim_store *s = w->store;
    for (size_t i = 0; i < c->n; i++) {
        int32_t k = c->ks[i];
        c->fences[i].k = k;
        c->fences[i].epoch = s->owners[c->processor][k].epoch;
        c->fences[i].head_seq = s->slices[k].head;
        c->fences[i].store_id = s->slices[k].store_id;
    }
    if (c->seen != NULL) {
        fill_lanes(c, c->seen->lanes, c->seen->lane_count);
    } else {
        fill_lanes(c, s->lanes, s->lane_count);
    }
    fill_suspects(w, c);
}

static void won(struct sim *w, struct sim_call *c, size_t i)
{
    struct sim_owner *o = &w->store->owners[c->processor][c->ks[i]];
    check_claim(w, c, c->ks[i]);
    o->owner = c->caller;
    o->claimed_us = w->now_us;
    c->fences[i].claimed = true;
    sim_trace(w, "%s claims %d of %.*s with epoch %lld", c->actor->name, c->ks[i],
              LEAT_STR_FMT(sim_topology()->processors[c->processor].name), (long long)o->epoch);
}

/* Planted: one lane after the other. */
static void claim_lane(struct sim *w, struct sim_call *c, int32_t priority)
{
    for (size_t i = 0; i < c->n; i++) {
        struct sim_owner *o = &w->store->owners[c->processor][c->ks[i]];
        int64_t *have = &o->lanes.epoch[priority];
        int64_t *ours = &(*c->lane_epochs)[c->ks[i]].epoch[priority];
        if (*have != *ours) {
            *ours = 0;
            continue;
        }
        *ours = ++*have;
        o->epoch = *have > o->epoch ? *have : o->epoch;
        won(w, c, i);
    }
}

static void claim(struct sim *w, struct sim_call *c)
{
    if (sim_off(w, SIM_D_ONE_FENCE)) {
        claim_lane(w, c, c->half);
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        struct sim_owner *o = &w->store->owners[c->processor][c->ks[i]];
        if (o->epoch != c->expected[i])
            continue;
        o->epoch++;
        won(w, c, i);
    }
}

static void read_lane_epochs(struct sim *w, struct sim_call *c)
{
    for (int32_t k = 0; c->lane_epochs != NULL && k < SIM_PARTITIONS; k++)
        (*c->lane_epochs)[k] = w->store->owners[c->processor][k].lanes;
}

/* A supervisor writes down how a message ended its process. */
static void blame(struct sim *w, struct sim_call *c)
{
    struct sim_store *s = w->store;
    int32_t i = 0;
    while (i < s->suspect_count &&
           (s->suspects[i].processor != c->suspect.processor || s->suspects[i].k != c->suspect.k ||
            !leat_uuid_eq(&s->suspects[i].id, &c->suspect.id)))
        i++;
    if (c->suspect.tries < 0) {
        if (i < s->suspect_count)
            s->suspects[i] = s->suspects[--s->suspect_count];
        return;
    }
    leat_assert(i < SIM_SUSPECTS_MAX);
    if (i == s->suspect_count) {
        s->suspects[s->suspect_count++] = c->suspect;
        s->suspects[i].tries = 0;
    }
    s->suspects[i].tries++;
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
        const struct sim_slice *slice = &s->slices[s->streams[stream].k];
        for (int64_t seq = 1; seq <= slice->head; seq++) {
            const struct sim_stored *e = &s->events[slice->events[seq - 1]];
            if (e->stream != stream || e->version <= after)
                continue;
            leat_assert(l->event_count < cap);
            l->want[l->event_count] = (uint32_t)i;
            fill_event(w, slice->events[seq - 1], &l->events[l->event_count++]);
        }
        if (!heads[k]) {
            l->heads[l->head_count++] = (struct leat_fence_state){
                .k = k, .head_seq = s->slices[k].head, .store_id = s->slices[k].store_id};
        }
        heads[k] = true;
    }
}

static void fill_store(struct sim *w, struct sim_call *c, int32_t k)
{
    c->store_id = w->store->slices[k].store_id;
    c->parent = w->store->slices[k].parent;
    c->fork_seq = w->store->slices[k].fork_seq;
}

static void read_slice(struct sim *w, struct sim_call *c)
{
    const struct sim_slice *s = &w->store->slices[c->slice];
    int64_t to = c->upto < 0 || c->upto > s->head ? s->head : c->upto;
    fill_store(w, c, c->slice);
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
    fill_store(w, c, c->ks[0]);
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
        bool planted = sim_off(w, SIM_D_RELAY_EPOCH);
        m->claimed = m->epoch == s->relay_epoch || planted;
        if (!m->claimed)
            continue;
        check_recorded(w, m);
        if (m->seq > s->published || planted)
            s->published = m->seq;
        if (m->outbox_seq > s->outbox_published || planted)
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

void sim_store_perform(struct sim *w, struct sim_call *c)
{
    switch (c->kind) {
    case SIM_CALL_CLAIM:
        claim(w, c);
        fill_fences(w, c);
        break;
    case SIM_CALL_FENCES:
        read_lane_epochs(w, c);
        fill_fences(w, c);
        break;
    case SIM_CALL_BLAME:
        blame(w, c);
        break;
    case SIM_CALL_WAITING:
        sim_waiting_keys(w, c);
        break;
    case SIM_CALL_DUE:
        sim_waiting_rows(w, c);
        break;
    case SIM_CALL_OPERATE:
        sim_operate(w, c);
        break;
    case SIM_CALL_LOAD:
        load(w, c);
        break;
    case SIM_CALL_LOCK:
    case SIM_CALL_APPEND:
    case SIM_CALL_ABORT:
        leat_assert(!"sim_call.c does these");
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

/* ---- set-up ---- */

void sim_store_init(struct sim *w)
{
    struct sim_store *s = leat_arena_zalloc(w->arena, 1, sizeof *s);
    s->events = leat_arena_zalloc(w->arena, SIM_EVENTS_MAX, sizeof *s->events);
    s->rows = leat_arena_zalloc(w->arena, SIM_COMMANDS_MAX, sizeof *s->rows);
    s->waiting = leat_arena_alloc(w->arena, SIM_WAITING_MAX * sizeof *s->waiting);
    s->dead = leat_arena_alloc(w->arena, SIM_DEAD_MAX * sizeof *s->dead);
    s->row_hash = leat_arena_alloc(w->arena, SIM_COMMANDS_MAX * sizeof *s->row_hash);
    for (size_t i = 0; i < SIM_COMMANDS_MAX; i++)
        s->row_hash[i] = -1;
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        struct sim_slice *slice = &s->slices[k];
        slice->store_id.b[0] = 0x57; /* b[1]: forks */
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
