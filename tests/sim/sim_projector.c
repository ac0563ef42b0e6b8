/* sim_projector.c - a projector process: reads the events topic by the seq rule and writes rows and
 * checkpoint in one transaction of the file, which another projector may be writing as well. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/record_headers.h"
#include "cluster.h"
#include "projection/seqrule.h"

#define TAKE_MAX 16
#define IDLE_US  SIM_SECOND

struct pending {
    int32_t stream;
    struct sim_event_body body;
};
struct reading { /* of one partition */
    struct leat_checkpoint have, committed;
    int64_t offset, from_offset; /* next to read; where the transaction under way began */
    struct pending pending[TAKE_MAX * 2];
    size_t pending_count;
};
struct sim_projector {
    struct sim *w;
    struct sim_actor actor;
    char name[32];
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
    const struct sim_file_slice *s = &p->w->cluster->file.slices[k];
    return (struct leat_checkpoint){
        .store_id = s->store_id, .event_id = s->event_id, .seq = s->seq};
}

static void keep(struct reading *r, int32_t stream, const struct sim_event_body *body)
{
    leat_assert(r->pending_count < sizeof r->pending / sizeof r->pending[0]);
    r->pending[r->pending_count++] = (struct pending){stream, *body};
}

static leat_seq_verdict judge(struct sim_projector *p, const struct leat_seq_event *e,
                              struct leat_seq_range *hole)
{
    struct reading *r = &p->at[p->k];
    leat_seq_verdict v = leat_seqrule_judge(&r->have, e, hole);
    if (v == LEAT_SEQ_DROP && p->w->o.plant == SIM_PLANT_NO_DROP)
        return LEAT_SEQ_APPLY;
    if (v == LEAT_SEQ_HOLE && p->w->o.plant == SIM_PLANT_NO_REPAIR)
        return LEAT_SEQ_APPLY;
    return v;
}

static bool parse(const struct sim *w, const struct sim_record *rec, int32_t k,
                  struct leat_seq_event *ret)
{
    struct leat_str text;
    char digits[24] = {0};
    if (!leat_headers_find(rec->headers, LEAT_STR("leat-seq"), &text) || text.len >= sizeof digits)
        return false;
    memcpy(digits, text.at, text.len);
    *ret = (struct leat_seq_event){.store_id = w->store->slices[k].store_id,
                                   .seq = strtoll(digits, NULL, 10)};
    return leat_headers_find(rec->headers, LEAT_STR("ce_id"), &text) &&
           leat_uuid_parse(text, &ret->event_id);
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

/* ---- the transaction ---- */

static void write_rows(struct sim_projector *p, struct reading *r)
{
    struct sim_file *file = &p->w->cluster->file;
    for (size_t i = 0; i < r->pending_count; i++) {
        const struct pending *e = &r->pending[i];
        struct sim_model_row *row = &file->rows[e->stream];
        row->sum += e->body.amount;
        row->count++;
        row->digest = leat_hash64(&e->body, sizeof e->body, row->digest);
    }
    file->slices[p->k] = (struct sim_file_slice){
        .seq = r->have.seq, .store_id = r->have.store_id, .event_id = r->have.event_id};
}

static void commit(struct sim *w, void *who, void *data)
{
    (void)data;
    struct sim_projector *p = who;
    struct reading *r = &p->at[p->k];
    struct leat_checkpoint file = checkpoint(p, p->k);
    leat_seq_reconciled found = w->o.plant == SIM_PLANT_NO_CHECKPOINT
                                    ? LEAT_RECONCILED_SAME
                                    : leat_seqrule_reconcile(&r->committed, &file);
    switch (found) {
    case LEAT_RECONCILED_SAME:
        write_rows(p, r);
        r->committed = r->have;
        break;
    case LEAT_RECONCILED_ADOPT:
    case LEAT_RECONCILED_REWIND:
        r->have = r->committed;
        r->offset = r->from_offset; /* judge them again */
        break;
    case LEAT_RECONCILED_FOREIGN:
        sim_fail(w, "foreign", "%s finds another history in its file at slice %d", p->name, p->k);
        break;
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

static void slice_back(struct sim *w, struct sim_call *c)
{
    struct sim_projector *p = c->who;
    struct reading *r = &p->at[p->k];
    if (c->failed) {
        p->session = sim_store_session(w);
        turn_in(p, 50 * SIM_MS);
        return;
    }
    for (size_t i = 0; i < c->row_count; i++) {
        const struct leat_stored_event *e = &c->events[i];
        struct leat_seq_event at = {w->store->slices[p->k].store_id, e->id, e->seq};
        struct leat_seq_range hole;
        struct sim_event_body body;
        if (leat_seqrule_judge(&r->have, &at, &hole) != LEAT_SEQ_APPLY)
            continue;
        memcpy(&body, e->payload.at, sizeof body);
        keep(r, sim_store_stream(w, p->k, e->stream), &body);
        leat_seqrule_advance(&r->have, &at);
    }
    commit_in(p);
}

static void fetch(struct sim_projector *p, const struct leat_seq_range *range)
{
    struct sim_call *c = sim_call_new(p->w, SIM_CALL_SLICE, &p->actor, slice_back, p);
    c->session = p->session;
    c->slice = p->k;
    c->after = range->from - 1;
    c->upto = range->to;
    c->limit = TAKE_MAX;
    sim_call_send(p->w, c);
}

static void tail_back(struct sim *w, struct sim_call *c)
{
    struct sim_projector *p = c->who;
    if (c->failed) {
        p->session = sim_store_session(w);
        turn_in(p, 50 * SIM_MS);
        return;
    }
    const struct leat_published *s = &c->published[0];
    struct leat_seq_range missing;
    switch (leat_seqrule_tail(&p->at[p->k].have, &s->store_id, s->seq, s->head_seq, &missing)) {
    case LEAT_TAIL_COMPLETE:
        turn_in(p, 100);
        return;
    case LEAT_TAIL_FETCH:
        fetch(p, &missing);
        return;
    case LEAT_TAIL_FOREIGN:
    case LEAT_TAIL_AHEAD:
        sim_fail(w, "foreign", "%s stands at %lld of slice %d, the store at %lld", p->name,
                 (long long)p->at[p->k].have.seq, p->k, (long long)s->head_seq);
        return;
    }
}

static void check_tail(struct sim_projector *p)
{
    struct sim_call *c = sim_call_new(p->w, SIM_CALL_PUBLISHED, &p->actor, tail_back, p);
    c->session = p->session;
    c->n = 1;
    c->ks = leat_arena_alloc(c->arena, sizeof *c->ks);
    c->ks[0] = p->k;
    c->published = leat_arena_zalloc(c->arena, 1, sizeof *c->published);
    sim_call_send(p->w, c);
}

/* ---- reading ---- */

/* Judges records up to a hole or TAKE_MAX; false when a fetch was sent instead. */
static bool read_records(struct sim_projector *p)
{
    struct reading *r = &p->at[p->k];
    const struct sim_partition *log = sim_log_partition(p->w, SIM_TOPIC_EVENTS, p->k);
    if (r->offset > log->end)
        r->offset = log->end; /* out of range: the tail was lost */
    for (int n = 0; n < TAKE_MAX && r->offset < log->end && !sim_kafka_away(p->w); n++) {
        const struct sim_record *rec = log->records[r->offset];
        struct leat_seq_event e;
        struct leat_seq_range hole;
        struct sim_event_body body;
        leat_assert(parse(p->w, rec, p->k, &e));
        switch (judge(p, &e, &hole)) {
        case LEAT_SEQ_APPLY:
            memcpy(&body, rec->value.at, sizeof body);
            keep(r, stream_of(p->w, rec, p->k), &body);
            leat_seqrule_advance(&r->have, &e);
            break;
        case LEAT_SEQ_DROP:
            break;
        case LEAT_SEQ_HOLE:
            if (r->pending_count > 0)
                return true; /* what came before it first */
            fetch(p, &hole);
            return false;
        case LEAT_SEQ_FOREIGN:
        case LEAT_SEQ_MISMATCH:
            sim_fail(p->w, "foreign", "%s: seq %lld of slice %d is another event", p->name,
                     (long long)e.seq, p->k);
            return true;
        }
        r->offset++;
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
    bool tails = p->w->o.plant != SIM_PLANT_POSITION_LOST;
    if (tails && p->w->now_us - p->checked_us > IDLE_US / SIM_PARTITIONS) {
        p->checked_us = p->w->now_us;
        check_tail(p);
        return;
    }
    turn_in(p, sim_rng_in(&p->w->net, 5, 20) * SIM_MS);
}

/* ---- life ---- */

struct sim_projector *sim_projector_start(struct sim *w, int32_t instance)
{
    struct sim_projector *p = leat_arena_zalloc(w->arena, 1, sizeof *p);
    p->w = w;
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
