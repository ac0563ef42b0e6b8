/* sim_projector.c - a projector process: reads the events topic by the seq rule and writes rows and
 * checkpoint in one transaction, into an LMDB file or into Redis, which another projector may be
 * writing as well. */
#include <stdio.h>

#include "base/record_headers.h"
#include "cluster.h"
#include "projection/seqrule.h"

#define TAKE_MAX 16
#define IDLE_US  SIM_SECOND

struct reading { /* of one partition */
    struct leat_checkpoint have, committed;
    int64_t offset, from_offset; /* next to read; where the transaction under way began */
    struct sim_stored pending[TAKE_MAX * 2];
    size_t pending_count;
};
struct sim_projector {
    struct sim *w;
    struct sim_actor actor;
    char name[32];
    bool redis;
    struct sim_file *file;
    struct reading at[SIM_PARTITIONS];
    uint64_t session;
    int32_t k; /* the one that is served */
    int64_t checked_us;
};

static void turn(struct sim_projector *p);

static void turn_event(struct sim *w, void *who, void *data)
{
    (void)w;
    (void)data;
    turn(who);
}

static void turn_in(struct sim_projector *p, int64_t delay_us)
{
    struct sim_task t = {.actor = &p->actor, .what = "fold", .fire = turn_event, .who = p};
    sim_after(p->w, delay_us, &t);
}

/* ---- one event ---- */

static struct leat_checkpoint checkpoint(const struct sim_projector *p, int32_t k)
{
    const struct sim_file_slice *s = &p->file->slices[k];
    if (s->missing)
        return (struct leat_checkpoint){0};
    return (struct leat_checkpoint){
        .store_id = s->store_id, .event_id = s->event_id, .seq = s->seq};
}

static void keep(struct reading *r, const struct sim_stored *e)
{
    leat_assert(r->pending_count < sizeof r->pending / sizeof r->pending[0]);
    r->pending[r->pending_count++] = *e;
}

static leat_seq_verdict judge(struct sim_projector *p, const struct leat_seq_event *e,
                              struct leat_seq_range *hole)
{
    struct reading *r = &p->at[p->k];
    leat_seq_verdict v = leat_seqrule_judge(&r->have, e, hole);
    if (v == LEAT_SEQ_DROP && sim_off(p->w, SIM_D_DROP))
        return LEAT_SEQ_APPLY;
    if (v == LEAT_SEQ_HOLE && sim_off(p->w, SIM_D_REPAIR))
        return LEAT_SEQ_APPLY;
    if (v == LEAT_SEQ_MISMATCH && sim_off(p->w, SIM_D_STORE_ID))
        return LEAT_SEQ_DROP;
    return v;
}

static int32_t stream_of(struct sim *w, const struct sim_record *rec, int32_t k)
{
    struct leat_str type = {0};
    char name[32];
    (void)leat_headers_find(rec->headers, LEAT_STR("ce_type"), &type);
    const char *prefix = leat_str_eq(type, LEAT_STR("Audited")) ? "audit" : "account";
    (void)snprintf(name, sizeof name, "%s-%.*s", prefix, LEAT_STR_FMT(rec->key));
    return sim_store_stream(w, k, leat_str_of(name));
}

static struct sim_stored event_of(const struct sim_projector *p, const struct sim_record *rec,
                                  const struct sim_position *at)
{
    struct sim_stored e = {.k = p->k,
                           .stream = stream_of(p->w, rec, p->k),
                           .seq = at->seq,
                           .recorded_at_us = at->recorded_at_us};
    leat_assert(rec->value.len == sizeof e.body);
    memcpy(&e.body, rec->value.at, sizeof e.body);
    return e;
}

/* ---- the transaction ---- */

/* Shared rows of LMDB have no slice: with one, all are folded anew. */
static void rebuild(struct sim_projector *p, int32_t k)
{
    const struct sim_store *s = p->w->store;
    sim_trace(p->w, "%s builds slice %d anew", p->name, k);
    if (!p->redis) {
        memset(p->file, 0, sizeof *p->file);
        return;
    }
    p->file->slices[k] = (struct sim_file_slice){0};
    for (int32_t i = 0; i < s->stream_count; i++) {
        if (s->streams[i].k == k)
            p->file->rows[i] = (struct sim_model_row){0};
    }
}

static void write_rows(struct sim_projector *p, struct reading *r)
{
    struct sim_file_slice *s = &p->file->slices[p->k];
    struct sim_file_slice *shared = p->redis ? s : &p->file->slices[0];
    for (size_t i = 0; i < r->pending_count; i++) {
        const struct sim_stored *e = &r->pending[i];
        sim_row_apply(&p->file->rows[e->stream], &e->body);
        sim_shared_apply(p->w, &shared->shared[e->body.number % SIM_SHARED_ROWS], e);
    }
    s->seq = s->rows_seq = r->have.seq;
    s->store_id = r->have.store_id;
    s->event_id = r->have.event_id;
    s->missing = false;
}

static void read_again(struct sim_projector *p, struct reading *r)
{
    r->have = r->committed = checkpoint(p, p->k);
    r->offset = r->from_offset;
}

/* What Redis has lost shows in the slice itself. */
static bool redis_is_whole(struct sim_projector *p)
{
    const struct sim_file_slice *s = &p->file->slices[p->k];
    if (s->missing)
        return sim_off(p->w, SIM_D_REDIS_MISSING);
    return s->rows_seq == s->seq || sim_off(p->w, SIM_D_REDIS_OLDER);
}

/* Inside the write: what stands there now decides. */
static void commit(struct sim *w, void *who, void *data)
{
    (void)data;
    struct sim_projector *p = who;
    struct reading *r = &p->at[p->k];
    struct leat_checkpoint file = checkpoint(p, p->k);
    if (!redis_is_whole(p)) {
        rebuild(p, p->k);
        read_again(p, r);
    } else if (sim_off(w, SIM_D_CHECKPOINT) ||
               leat_seqrule_reconcile(&r->committed, &file) == LEAT_RECONCILED_SAME) {
        write_rows(p, r);
        r->committed = r->have;
    } else {
        read_again(p, r); /* adopt, rewind, or another store's by now: as it stands there */
    }
    r->pending_count = 0;
    turn_in(p, 100);
}

static void commit_in(struct sim_projector *p)
{
    struct sim_task t = {.actor = &p->actor, .what = "write", .fire = commit, .who = p};
    sim_after(p->w, sim_rng_in(&p->w->net, 200, 8000), &t);
}

/* ---- from the store ---- */

static struct sim_call *call(struct sim_projector *p, sim_call_kind kind, sim_reply reply)
{
    struct sim_call *c = sim_call_new(p->w, kind, &p->actor, reply, p);
    c->session = p->session;
    return c;
}

static bool failed(struct sim_projector *p, const struct sim_call *c)
{
    if (!c->failed)
        return false;
    p->session = sim_store_session(p->w);
    p->at[p->k].pending_count = 0;
    p->at[p->k].have = p->at[p->k].committed;
    p->at[p->k].offset = p->at[p->k].from_offset;
    turn_in(p, 50 * SIM_MS);
    return true;
}

/* The slice is of another store than the checkpoint: of a fork of it that has all
 * we have, or not. */
static void fork_or_rebuild(struct sim_projector *p, const struct sim_call *c)
{
    struct reading *r = &p->at[p->k];
    bool ours = leat_uuid_eq(&r->have.store_id, &c->parent) && r->have.seq <= c->fork_seq;
    if (ours) {
        r->have.store_id = c->store_id;
    } else {
        rebuild(p, p->k);
        for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
            if (k == p->k || !p->redis)
                p->at[k].have = p->at[k].committed = checkpoint(p, k);
        }
    }
    commit_in(p);
}

static void slice_back(struct sim *w, struct sim_call *c)
{
    struct sim_projector *p = c->who;
    struct reading *r = &p->at[p->k];
    if (failed(p, c))
        return;
    for (size_t i = 0; i < c->row_count; i++) {
        const struct leat_stored_event *e = &c->events[i];
        struct leat_seq_event at = {c->store_id, e->id, e->seq};
        struct leat_seq_range hole;
        leat_seq_verdict v = leat_seqrule_judge(&r->have, &at, &hole);
        if (v == LEAT_SEQ_FOREIGN) {
            r->pending_count = 0;
            r->have = r->committed;
            fork_or_rebuild(p, c);
            return;
        }
        if (v != LEAT_SEQ_APPLY)
            continue;
        struct sim_stored s = {.k = p->k,
                               .stream = sim_store_stream(w, p->k, e->stream),
                               .seq = e->seq,
                               .recorded_at_us = e->recorded_at_us};
        memcpy(&s.body, e->payload.at, sizeof s.body);
        keep(r, &s);
        leat_seqrule_advance(&r->have, &at);
    }
    commit_in(p);
}

static void fetch(struct sim_projector *p, const struct leat_seq_range *range)
{
    struct sim_call *c = call(p, SIM_CALL_SLICE, slice_back);
    c->slice = p->k;
    c->after = range->from - 1;
    c->upto = range->to;
    c->limit = TAKE_MAX;
    sim_call_send(p->w, c);
}

static void tail_back(struct sim *w, struct sim_call *c)
{
    struct sim_projector *p = c->who;
    struct reading *r = &p->at[p->k];
    if (failed(p, c))
        return;
    const struct leat_published *s = &c->published[0];
    struct leat_seq_range missing;
    switch (leat_seqrule_tail(&r->have, &s->store_id, s->seq, s->head_seq, &missing)) {
    case LEAT_TAIL_COMPLETE:
        if (p->redis) {
            commit_in(p); /* nothing comes: does it still hold what it held? */
        } else {
            turn_in(p, 100);
        }
        return;
    case LEAT_TAIL_FETCH:
        fetch(p, &missing);
        return;
    case LEAT_TAIL_FOREIGN:
        fork_or_rebuild(p, c);
        return;
    case LEAT_TAIL_AHEAD:
        if (!sim_off(w, SIM_D_STORE_ID)) {
            sim_fail(w, "reader", "%s stands at %lld of slice %d, the store at %lld", p->name,
                     (long long)r->have.seq, p->k, (long long)s->head_seq);
        }
        turn_in(p, 100);
        return;
    }
}

/* A record of another store: of its past, and to be passed over, or of what it is now. */
static void foreign_back(struct sim *w, struct sim_call *c)
{
    (void)w;
    struct sim_projector *p = c->who;
    struct reading *r = &p->at[p->k];
    if (failed(p, c))
        return;
    if (!leat_uuid_eq(&r->have.store_id, &c->store_id)) {
        fork_or_rebuild(p, c);
        return;
    }
    r->offset++;
    turn_in(p, 10);
}

static void ask_published(struct sim_projector *p, sim_reply reply)
{
    struct sim_call *c = call(p, SIM_CALL_PUBLISHED, reply);
    c->n = 1;
    c->ks = leat_arena_alloc(c->arena, sizeof *c->ks);
    c->ks[0] = p->k;
    c->published = leat_arena_zalloc(c->arena, 1, sizeof *c->published);
    sim_call_send(p->w, c);
}

/* ---- reading ---- */

typedef enum step {
    STEP_NEXT,
    STEP_END,    /* enough for this transaction */
    STEP_CALLED, /* the store is asked first */
} step;

static step read_record(struct sim_projector *p, struct reading *r, const struct sim_record *rec)
{
    struct sim_position at;
    struct leat_seq_range hole;
    bool ours = sim_position_of(rec, &at);
    leat_assert(ours);
    struct leat_seq_event e = {at.store_id, at.event_id, at.seq};
    switch (judge(p, &e, &hole)) {
    case LEAT_SEQ_APPLY:;
        struct sim_stored event = event_of(p, rec, &at);
        keep(r, &event);
        leat_seqrule_advance(&r->have, &e);
        break;
    case LEAT_SEQ_DROP:
        break;
    case LEAT_SEQ_HOLE:
        if (r->pending_count > 0)
            return STEP_END; /* what came before it first */
        fetch(p, &hole);
        return STEP_CALLED;
    case LEAT_SEQ_FOREIGN:
        if (r->pending_count > 0)
            return STEP_END;
        ask_published(p, foreign_back);
        return STEP_CALLED;
    case LEAT_SEQ_MISMATCH:
        sim_fail(p->w, "reader", "%s: seq %lld of slice %d is another event", p->name,
                 (long long)e.seq, p->k);
        return STEP_END;
    }
    r->offset++;
    return STEP_NEXT;
}

/* Judges records up to a hole or TAKE_MAX; false when the store was asked instead. */
static bool read_records(struct sim_projector *p)
{
    struct reading *r = &p->at[p->k];
    const struct sim_partition *log = sim_log_partition(p->w, SIM_TOPIC_EVENTS, p->k);
    if (r->offset > log->end)
        r->offset = log->end; /* out of range: the tail was lost */
    for (int n = 0; n < TAKE_MAX && r->offset < log->end && !sim_kafka_away(p->w); n++) {
        step s = read_record(p, r, log->records[r->offset]);
        if (s != STEP_NEXT)
            return s == STEP_END;
    }
    return true;
}

static void turn(struct sim_projector *p)
{
    p->k = (p->k + 1) % SIM_PARTITIONS;
    struct reading *r = &p->at[p->k];
    r->from_offset = r->offset;
    if (!read_records(p))
        return;
    if (r->pending_count > 0) {
        commit_in(p);
        return;
    }
    bool tails = !sim_off(p->w, SIM_D_TAIL);
    if (tails && p->w->now_us - p->checked_us > IDLE_US / SIM_PARTITIONS) {
        p->checked_us = p->w->now_us;
        ask_published(p, tail_back);
        return;
    }
    turn_in(p, sim_rng_in(&p->w->net, 5, 20) * SIM_MS);
}

/* ---- life ---- */

struct sim_projector *sim_projector_start(struct sim *w, int32_t instance)
{
    struct sim_projector *p = leat_arena_zalloc(w->arena, 1, sizeof *p);
    p->w = w;
    p->redis = instance >= 2;
    p->file = p->redis ? &w->cluster->redis : &w->cluster->file;
    (void)snprintf(p->name, sizeof p->name, "projector-%d/%d", instance, ++w->cluster->actors);
    p->actor = (struct sim_actor){.name = p->name, .index = w->cluster->actors};
    sim_actor_start(w, &p->actor);
    p->session = sim_store_session(w);
    for (int32_t k = 0; k < SIM_PARTITIONS; k++)
        p->at[k].have = p->at[k].committed = checkpoint(p, k);
    turn_in(p, 100);
    return p;
}

void sim_projector_crash(struct sim_projector *p)
{
    if (p->actor.up)
        sim_actor_crash(p->w, &p->actor);
}

struct sim_actor *sim_projector_actor(struct sim_projector *p)
{
    return &p->actor;
}

int64_t sim_projector_at(const struct sim_projector *p, int32_t k)
{
    return p->at[k].committed.seq;
}
