/* sim_relay.c - a relay process: owns slices through its group, publishes events and outbox rows in
 * order, records what has been acknowledged without a gap. */
#include <stdio.h>

#include "base/record_headers.h"
#include "cluster.h"
#include "relay/window.h"

#define READ_LIMIT 16

struct owned {
    bool ours;
    int64_t epoch;
    uint64_t turn; /* raised at each start: acks of former ones do not count */
    struct leat_uuid store_id;
    struct leat_window events, outbox;
    int64_t highest[2]; /* acknowledged, gaps or not; for what is planted */
    bool stopped;       /* the topic's end is not the store's */
};
struct sim_relay {
    struct sim *w;
    struct sim_actor actor;
    char name[32];
    struct sim_member member;
    struct leat_ownership ownership;
    struct leat_held held[SIM_PARTITIONS];
    struct leat_published claimed[SIM_PARTITIONS];
    struct owned slices[SIM_PARTITIONS];
    struct sim_producer producer;
    uint64_t session;
    bool busy, timer, revoke, assign, ks[SIM_PARTITIONS];
    int32_t next; /* slice and kind to look at: k * 2 + outbox */
};

static void pump(struct sim_relay *r);

/* ---- publishing ---- */

struct opaque {
    int32_t k;
    bool outbox;
    uint64_t turn;
    int64_t seq;
};

/* A delivery failed: everything that is not acknowledged in one piece goes out again, in order. */
static void send_again(struct sim_relay *r)
{
    sim_producer_renew(&r->producer);
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        leat_window_rewind(&r->slices[k].events);
        leat_window_rewind(&r->slices[k].outbox);
    }
}

static void acked(struct sim *w, void *who, void *data, sim_delivery what)
{
    struct sim_relay *r = who;
    const struct opaque *o = data;
    struct owned *s = &r->slices[o->k];
    if (what == SIM_DELIVERY_REFUSED && !sim_off(w, SIM_D_REFUSED)) {
        w->store->refused++; /* put aside, in the store */
        what = SIM_DELIVERED;
    }
    if (what != SIM_DELIVERED) {
        send_again(r);
    } else if (s->ours && s->turn == o->turn) {
        leat_window_ack(o->outbox ? &s->outbox : &s->events, o->seq);
        if (o->seq > s->highest[o->outbox])
            s->highest[o->outbox] = o->seq;
    }
}

/* Some dead letters: with the headers that say why, they are larger than the broker allows. */
static bool refuses(const struct sim_message *m)
{
    struct sim_command c;
    if (m->topic < SIM_TOPIC_DLQ || m->value.len != sizeof c)
        return false;
    memcpy(&c, m->value.at, sizeof c);
    return c.number % 3 == 0;
}

static void produce(struct sim_relay *r, const struct sim_message *m, const struct opaque *o)
{
    struct opaque *kept = leat_arena_alloc(r->w->arena, sizeof *kept);
    *kept = *o;
    sim_produce(r->w, &r->producer, m, kept);
}

/* Records are keyed by the aggregate's key: "account-a" -> "a". */
static struct leat_str key_of(struct leat_str stream)
{
    const char *dash = memchr(stream.at, '-', stream.len);
    uint32_t skip = (uint32_t)(dash + 1 - stream.at);
    return (struct leat_str){stream.at + skip, stream.len - skip};
}

static void publish_event(struct sim_relay *r, const struct leat_stored_event *e)
{
    struct leat_buf headers;
    leat_buf_init(&headers, 4096);
    sim_headers(&headers, &e->id, e->type);
    sim_headers_event(&headers, &r->slices[e->slice].store_id, e->seq, e->recorded_at_us);
    struct sim_message m = {.topic = SIM_TOPIC_EVENTS,
                            .partition = e->slice,
                            .key = key_of(e->stream),
                            .headers = leat_buf_str(&headers),
                            .value = e->payload};
    produce(r, &m, &(struct opaque){e->slice, false, r->slices[e->slice].turn, e->seq});
    leat_buf_done(&headers);
}

static void publish_row(struct sim_relay *r, const struct leat_outbox_row *row)
{
    struct sim_message m = {.topic = sim_topic_find(row->topic),
                            .partition = row->partition,
                            .key = row->key,
                            .headers = row->headers,
                            .value = row->value,
                            .key_null = row->key_null};
    produce(r, &m, &(struct opaque){row->slice, true, r->slices[row->slice].turn, row->seq});
}

/* A new connection may be to a server that lacks the last commits of the one before: every slice is
 * acquired again, as in src/relay/relay.c. */
static void call_done(struct sim_relay *r, const struct sim_call *c)
{
    r->busy = false;
    if (!c->failed)
        return;
    r->session = sim_store_session(r->w);
    for (int32_t k = 0; k < SIM_PARTITIONS && !sim_off(r->w, SIM_D_START_OVER); k++) {
        r->slices[k].ours = false;
        leat_ownership_lost(&r->ownership, k, 0);
    }
}

static void slice_back(struct sim *w, struct sim_call *c)
{
    (void)w;
    struct sim_relay *r = c->who;
    struct leat_window *t = &r->slices[c->slice].events;
    call_done(r, c);
    for (size_t i = 0; !c->failed && i < c->row_count && r->slices[c->slice].ours; i++) {
        if (c->events[i].seq != t->next)
            break; /* rewound meanwhile */
        publish_event(r, &c->events[i]);
        leat_window_sent(t, 1);
    }
    pump(r);
}

static void outbox_back(struct sim *w, struct sim_call *c)
{
    (void)w;
    struct sim_relay *r = c->who;
    struct leat_window *t = &r->slices[c->slice].outbox;
    call_done(r, c);
    for (size_t i = 0; !c->failed && i < c->row_count && r->slices[c->slice].ours; i++) {
        /* Rewound; or another relay owns the slice by now and has deleted rows. */
        if (c->rows[i].seq != t->next)
            break;
        publish_row(r, &c->rows[i]);
        leat_window_sent(t, 1);
    }
    pump(r);
}

static struct sim_call *call(struct sim_relay *r, sim_call_kind kind, sim_reply reply)
{
    struct sim_call *c = sim_call_new(r->w, kind, &r->actor, reply, r);
    c->session = r->session;
    r->busy = true;
    return c;
}

static bool read_next(struct sim_relay *r)
{
    for (int32_t i = 0; i < 2 * SIM_PARTITIONS; i++) {
        int32_t at = r->next;
        int32_t k = at / 2;
        struct owned *s = &r->slices[k];
        struct leat_window *t = at % 2 == 0 ? &s->events : &s->outbox;
        const struct sim_slice *store = &r->w->store->slices[k];
        r->next = (r->next + 1) % (2 * SIM_PARTITIONS);
        /* A real relay is woken or polls heads; here it just knows. */
        leat_window_head(t, at % 2 == 0 ? store->head : store->outbox_head);
        if (!s->ours || s->stopped || !leat_window_behind(t) || leat_window_room(t) < READ_LIMIT)
            continue;
        struct sim_call *c = call(r, at % 2 == 0 ? SIM_CALL_SLICE : SIM_CALL_OUTBOX,
                                  at % 2 == 0 ? slice_back : outbox_back);
        c->slice = k;
        c->after = t->next - 1;
        c->upto = -1;
        c->limit = READ_LIMIT;
        sim_call_send(r->w, c);
        return true;
    }
    return false;
}

/* ---- recording ---- */

static void record_back(struct sim *w, struct sim_call *c)
{
    (void)w;
    struct sim_relay *r = c->who;
    call_done(r, c);
    for (size_t i = 0; !c->failed && i < c->n; i++) {
        const struct leat_published *m = &c->moves[i];
        struct owned *s = &r->slices[m->slice];
        if (!s->ours || s->epoch != m->epoch)
            continue;
        if (!m->claimed) {
            s->ours = false;
            leat_ownership_lost(&r->ownership, m->slice, 0);
            continue;
        }
        leat_window_recorded(&s->events, m->seq < s->events.acked ? m->seq : s->events.acked);
        leat_window_recorded(&s->outbox,
                             m->outbox_seq < s->outbox.acked ? m->outbox_seq : s->outbox.acked);
    }
    pump(r);
}

static bool record(struct sim_relay *r)
{
    struct leat_published moves[SIM_PARTITIONS];
    size_t n = 0;
    bool gaps = sim_off(r->w, SIM_D_CONTIGUOUS);
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        const struct owned *s = &r->slices[k];
        if (!s->ours ||
            (s->events.acked <= s->events.recorded && s->outbox.acked <= s->outbox.recorded))
            continue;
        moves[n++] = (struct leat_published){.slice = k,
                                             .epoch = s->epoch,
                                             .seq = gaps ? s->highest[0] : s->events.acked,
                                             .outbox_seq = gaps ? s->highest[1] : s->outbox.acked};
    }
    if (n == 0)
        return false;
    struct sim_call *c = call(r, SIM_CALL_RECORD, record_back);
    c->n = n;
    c->moves = leat_arena_alloc(c->arena, sizeof moves);
    memcpy(c->moves, moves, sizeof moves);
    sim_call_send(r->w, c);
    return true;
}

/* ---- owning ---- */

static void read_back(struct sim *w, struct sim_call *c)
{
    (void)w;
    struct sim_relay *r = c->who;
    call_done(r, c);
    if (c->failed)
        leat_ownership_failed(&r->ownership, sim_now_ms(w));
    for (size_t i = 0; !c->failed && i < c->n; i++)
        leat_ownership_read(&r->ownership, c->published[i].slice, c->published[i].epoch);
    pump(r);
}

static void claim_back(struct sim *w, struct sim_call *c)
{
    struct sim_relay *r = c->who;
    call_done(r, c);
    if (c->failed)
        leat_ownership_failed(&r->ownership, sim_now_ms(w));
    for (size_t i = 0; !c->failed && i < c->n; i++) {
        const struct leat_published *p = &c->published[i];
        r->claimed[p->slice] = *p;
        leat_ownership_claimed(&r->ownership, p->slice, p->claimed, p->epoch);
    }
    pump(r);
}

static void claim(struct sim_relay *r, sim_call_kind kind, const int32_t *ks, size_t n)
{
    struct sim_call *c = call(r, kind, kind == SIM_CALL_CLAIM_RELAY ? claim_back : read_back);
    c->n = n;
    c->ks = leat_arena_alloc(c->arena, n * sizeof *c->ks);
    c->expected = leat_arena_alloc(c->arena, n * sizeof *c->expected);
    c->published = leat_arena_zalloc(c->arena, n, sizeof *c->published);
    for (size_t i = 0; i < n; i++) {
        c->ks[i] = ks[i];
        c->expected[i] = r->held[ks[i]].epoch;
    }
    sim_call_send(r->w, c);
}

static void confirm_back(struct sim *w, void *who, void *ok)
{
    struct sim_relay *r = who;
    int32_t ks[SIM_PARTITIONS];
    size_t n = 0;
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        if (r->held[k].hold == LEAT_HOLD_CONFIRM)
            ks[n++] = k;
    }
    r->busy = false;
    if (ok != NULL) {
        leat_ownership_confirmed(&r->ownership, ks, n);
    } else {
        leat_ownership_refused(&r->ownership, sim_now_ms(w));
    }
    pump(r);
}

/* As leat's relay does before the first record goes out. Here it just looks into the store. */
static bool end_is_ours(const struct sim *w, int32_t k)
{
    const struct sim_partition *p = sim_log_partition(w, SIM_TOPIC_EVENTS, k);
    const struct sim_slice *slice = &w->store->slices[k];
    struct sim_position at;
    if (p->end == 0 || sim_off(w, SIM_D_STORE_ID))
        return true;
    if (!sim_position_of(p->records[p->end - 1], &at))
        return false;
    if (!leat_uuid_eq(&at.store_id, &slice->store_id))
        return leat_uuid_eq(&at.store_id, &slice->parent);
    return at.seq <= slice->head &&
           leat_uuid_eq(&w->store->events[slice->events[at.seq - 1]].id, &at.event_id);
}

static void start(struct sim_relay *r, const int32_t *ks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct leat_published *p = &r->claimed[ks[i]];
        struct owned *s = &r->slices[ks[i]];
        bool lost = sim_off(r->w, SIM_D_POSITION);
        s->ours = true;
        s->epoch = p->epoch;
        s->store_id = p->store_id;
        s->stopped = !end_is_ours(r->w, ks[i]);
        s->highest[0] = p->seq;
        s->highest[1] = p->outbox_seq;
        s->turn++;
        leat_window_start(&s->events, lost ? p->head_seq : p->seq, p->head_seq);
        leat_window_start(&s->outbox, p->outbox_seq, p->head_outbox);
        s->events.recorded = p->seq;
        leat_ownership_started(&r->ownership, ks[i]);
    }
}

static void let_go(struct sim_relay *r)
{
    int32_t ks[SIM_PARTITIONS];
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        ks[k] = k;
        r->slices[k].ours = false;
    }
    leat_ownership_revoked(&r->ownership, ks, SIM_PARTITIONS);
}

static bool serve_callbacks(struct sim_relay *r)
{
    if (r->revoke) {
        r->revoke = false;
        let_go(r);
        sim_member_join(&r->member);
        return true;
    }
    if (!r->assign)
        return false;
    int32_t ks[SIM_PARTITIONS];
    size_t n = 0;
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        if (r->ks[k])
            ks[n++] = k;
    }
    r->assign = false;
    leat_ownership_assigned(&r->ownership, ks, n);
    return true;
}

/* True when a step was taken or is under way. */
static bool step(struct sim_relay *r)
{
    int32_t ks[SIM_PARTITIONS];
    size_t n = 0;
    int64_t wait_ms = 0;
    switch (leat_ownership_next(&r->ownership, sim_now_ms(r->w), ks, &n, &wait_ms)) {
    case LEAT_ACQUIRE_WAIT:
        return false;
    case LEAT_ACQUIRE_READ:
        claim(r, SIM_CALL_PUBLISHED, ks, n);
        return true;
    case LEAT_ACQUIRE_CONFIRM:
        r->busy = true;
        sim_member_commit(&r->member, confirm_back);
        return true;
    case LEAT_ACQUIRE_CLAIM:
        claim(r, SIM_CALL_CLAIM_RELAY, ks, n);
        return true;
    case LEAT_ACQUIRE_START:
        start(r, ks, n);
        return true;
    case LEAT_ACQUIRE_REJOIN:
        sim_relay_leave(r);
        return true;
    }
    return false;
}

static void timer(struct sim *w, void *who, void *data)
{
    (void)w;
    (void)data;
    struct sim_relay *r = who;
    r->timer = false;
    pump(r);
}

static void pump(struct sim_relay *r)
{
    while (!r->busy && (serve_callbacks(r) || step(r)))
        ;
    if (r->busy || record(r) || read_next(r) || r->timer)
        return;
    r->timer = true;
    struct sim_task t = {.actor = &r->actor, .what = "relay turn", .fire = timer, .who = r};
    sim_after(r->w, sim_rng_in(&r->w->net, 5, 40) * SIM_MS, &t);
}

/* ---- life ---- */

static void on_assigned(void *who, const int32_t *ks, size_t n)
{
    struct sim_relay *r = who;
    memset(r->ks, 0, sizeof r->ks);
    for (size_t i = 0; i < n; i++)
        r->ks[ks[i]] = true;
    r->assign = true;
    pump(r);
}

static void on_revoked(void *who, bool lost)
{
    (void)lost;
    struct sim_relay *r = who;
    r->revoke = true;
    r->assign = false;
    pump(r);
}

static void on_fatal(void *who)
{
    struct sim_relay *r = who;
    sim_relay_crash(r);
    sim_cluster_gone(r->w, r);
}

struct sim_relay *sim_relay_start(struct sim *w, int32_t instance)
{
    struct sim_relay *r = leat_arena_zalloc(w->arena, 1, sizeof *r);
    r->w = w;
    (void)snprintf(r->name, sizeof r->name, "relay-%d/%d", instance, ++w->cluster->actors);
    r->actor = (struct sim_actor){.name = r->name, .index = w->cluster->actors};
    sim_actor_start(w, &r->actor);
    r->session = sim_store_session(w);
    r->producer =
        (struct sim_producer){.actor = &r->actor, .acked = acked, .refuses = refuses, .who = r};
    leat_ownership_init(&r->ownership, r->held, SIM_PARTITIONS);
    r->member = (struct sim_member){.w = w,
                                    .actor = &r->actor,
                                    .group = SIM_PROCESSORS,
                                    .instance = instance,
                                    .assigned = on_assigned,
                                    .revoked = on_revoked,
                                    .fatal = on_fatal,
                                    .who = r};
    sim_member_start(&r->member);
    pump(r);
    return r;
}

void sim_relay_crash(struct sim_relay *r)
{
    if (r->actor.up)
        sim_actor_crash(r->w, &r->actor);
}

void sim_relay_leave(struct sim_relay *r)
{
    sim_member_leave(&r->member);
    leat_ownership_rejoined(&r->ownership);
    r->assign = false;
    r->revoke = true;
    pump(r);
}

struct sim_actor *sim_relay_actor(struct sim_relay *r)
{
    return &r->actor;
}
