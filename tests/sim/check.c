#include "check.h"

#include <stdio.h>
#include <stdlib.h>

#include "cluster.h"

void check_init(struct sim *w)
{
    w->outside = leat_arena_zalloc(w->arena, 1, sizeof *w->outside);
    w->outside->of =
        leat_arena_zalloc(w->arena, (size_t)w->o.commands + 1, sizeof(struct sim_effect *));
    struct sim_check *c = leat_arena_zalloc(w->arena, 1, sizeof *c);
    c->sent = leat_arena_zalloc(w->arena, (size_t)w->o.commands + 1, sizeof *c->sent);
    for (int32_t t = 0; t < SIM_TOPICS; t++) {
        for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
            for (int32_t i = 0; i < SIM_KEYS; i++)
                c->last_offset[t][k][i] = -1;
        }
    }
    w->check = c;
}

/* ---- the store goes back ---- */

struct sim_check_mark {
    uint64_t settled;
    int64_t last_offset[SIM_TOPICS][SIM_PARTITIONS][SIM_KEYS];
};

struct sim_check_mark *check_mark(struct sim *w)
{
    struct sim_check_mark *m = leat_arena_alloc(w->arena, sizeof *m);
    m->settled = w->check->settled;
    memcpy(m->last_offset, w->check->last_offset, sizeof m->last_offset);
    return m;
}

void check_back(struct sim *w, const struct sim_check_mark *m)
{
    memcpy(w->check->last_offset, m->last_offset, sizeof m->last_offset);
    for (int32_t t = 0; t < SIM_TOPICS; t++) {
        for (int32_t k = 0; k < sim_topic_partitions(t); k++) {
            const struct sim_partition *p = sim_log_partition(w, t, k);
            for (int64_t i = 0; i < p->end; i++) {
                if (p->records[i]->settled > m->settled)
                    p->records[i]->settled = 0;
            }
        }
    }
}

/* ---- at every commit ---- */

/* Who claims k from another must have been given it, by the coordinator, after that one's claim. */
void check_claim(struct sim *w, const struct sim_call *c, int32_t k)
{
    const struct sim_owner *o = &w->store->owners[c->processor][k];
    if (o->owner != 0 && o->owner != c->caller && !sim_off(w, SIM_D_ONE_FENCE) &&
        !sim_group_gave(w, c->processor, k, c->member, o->claimed_us)) {
        sim_fail(w, "usurped", "%s claims partition %d, which nobody has given it since %.3f s",
                 c->actor->name, k, (double)o->claimed_us / 1e6);
    }
}

void check_owner(struct sim *w, const struct sim_call *c, int32_t k)
{
    const struct sim_owner *o = &w->store->owners[c->processor][k];
    if (o->owner != c->caller) {
        sim_fail(w, "two-owners", "%s commits for partition %d, claimed last by process %llu",
                 c->actor->name, k, (unsigned long long)(o->owner % 1000));
    }
}

void check_command(struct sim *w, const struct leat_batch_command *c, const struct sim_stream *s)
{
    char seen[SIM_SEEN_TEXT];
    if (c->outcome != LEAT_OUTCOME_REJECTED)
        return;
    (void)snprintf(seen, sizeof seen, "%016llx", (unsigned long long)s->state.seen);
    if (!leat_str_eq(c->error_text, leat_str_of(seen))) {
        sim_fail(w, "imaginary-state", "a command of %.*s was rejected on a state it never had",
                 LEAT_STR_FMT(s->name));
    }
}

void check_event(struct sim *w, const struct sim_stored *e, struct sim_stream *s)
{
    if (e->body.seen != s->state.seen) {
        sim_fail(w, "imaginary-state",
                 "event %u of command %u of %.*s (version %lld) was decided on a state the stream "
                 "never had",
                 e->body.index, e->body.number, LEAT_STR_FMT(s->name), (long long)e->version);
    }
    sim_fold(&s->state, &e->body);
}

void check_snapshot(struct sim *w, const struct leat_batch_snapshot *kept,
                    const struct sim_stream *s)
{
    if (kept->version == s->version && kept->state.len == sizeof s->state &&
        memcmp(kept->state.at, &s->state, sizeof s->state) == 0)
        return;
    sim_fail(w, "snapshot", "of %.*s, version %lld: the stream is at %lld, or was never like that",
             LEAT_STR_FMT(s->name), (long long)kept->version, (long long)s->version);
}

static int32_t key_index(const struct leat_batch_command *c)
{
    /* "account-<letter>": one letter per account, see client.c. */
    if (c->stream.len < 9 || memcmp(c->stream.at, "account-", 8) != 0)
        return -1;
    int32_t i = c->stream.at[8] - 'a';
    return i >= 0 && i < SIM_KEYS ? i : -1;
}

static void note_wait(struct sim *w, const struct sim_record *r)
{
    int64_t waited_us = (sim_now_ms(w) - r->timestamp_ms) * SIM_MS;
    if (waited_us > w->check->waited_us)
        w->check->waited_us = waited_us;
}

void check_settled(struct sim *w, const struct sim_call *call, const struct leat_batch_command *c,
                   leat_settled settled)
{
    if (c->lane < 0 || call->processor == SIM_ALERTS)
        return;
    const struct leat_batch_lane *l = &call->batch.lanes[c->lane];
    int32_t topic = sim_topic_find(l->topic);
    const struct sim_partition *p = sim_log_partition(w, topic, l->k);
    if (w->cluster->recreated.done && w->cluster->recreated.topic == topic)
        return;
    if (c->offset < 0 || c->offset >= p->end) {
        sim_fail(w, "settled", "offset %lld of %s %d is not in the log", (long long)c->offset,
                 sim_topic_name(topic), l->k);
        return;
    }
    struct sim_record *r = p->records[c->offset];
    if (r->settled == 0 && topic < SIM_TOPIC_EVENTS && topic % SIM_PRIORITIES == 1)
        note_wait(w, r);
    r->settled = ++w->check->settled;
    int32_t key = key_index(c);
    bool decided = c->outcome == LEAT_OUTCOME_ACCEPTED || c->outcome == LEAT_OUTCOME_REJECTED;
    if (settled != LEAT_SETTLED_STORED || !decided || key < 0)
        return;
    int64_t *last = &w->check->last_offset[topic][l->k][key];
    if (c->offset <= *last) {
        sim_fail(w, "order", "%s %d: key %c at offset %lld was handled after offset %lld",
                 sim_topic_name(topic), l->k, 'a' + key, (long long)c->offset, (long long)*last);
    }
    *last = c->offset;
}

static bool alerts_on(const struct sim_stored *e)
{
    return leat_str_eq(e->type, LEAT_STR("Deposited"));
}

/* A policy's lane: every event it asks for below next_seq has its row. */
static void check_events_lane(struct sim *w, const struct sim_call *c, const struct sim_lane *lane,
                              int64_t next_seq)
{
    const struct sim_slice *slice = &w->store->slices[lane->k];
    if (sim_off(w, SIM_D_SEQ_LANE))
        return;
    int64_t from = lane->next_seq < 1 ? 1 : lane->next_seq;
    if (next_seq < from || next_seq > slice->head + 1) {
        sim_fail(w, "lane", "%s moves events %d from seq %lld to %lld, head is %lld",
                 c->actor->name, lane->k, (long long)from, (long long)next_seq,
                 (long long)slice->head);
    }
    for (int64_t seq = from; seq < next_seq && !w->failed; seq++) {
        const struct sim_stored *e = &w->store->events[slice->events[seq - 1]];
        if (alerts_on(e) && sim_store_row(w->store, lane->k, SIM_ALERTS, &e->id) == NULL) {
            sim_fail(w, "low-water", "%s passes event %lld of slice %d, which has no row",
                     c->actor->name, (long long)seq, lane->k);
        }
    }
}

void check_lane(struct sim *w, const struct sim_call *c, const struct sim_lane *lane, int64_t next,
                int64_t next_seq)
{
    if (lane->topic == SIM_TOPIC_EVENTS) {
        check_events_lane(w, c, lane, next_seq);
        return;
    }
    const struct sim_partition *p = sim_log_partition(w, lane->topic, lane->k);
    if (w->cluster->recreated.done && w->cluster->recreated.topic == lane->topic)
        return; /* check_recreated() looks at it */
    if (next < lane->next_offset || next > p->end) {
        sim_fail(w, "lane", "%s moves %s %d from %lld to %lld of %lld", c->actor->name,
                 sim_topic_name(lane->topic), lane->k, (long long)lane->next_offset,
                 (long long)next, (long long)p->end);
        return;
    }
    for (int64_t i = lane->next_offset; i < next; i++) {
        if (!p->records[i]->settled) {
            sim_fail(w, "low-water", "%s moves %s %d to %lld, past the unsettled offset %lld",
                     c->actor->name, sim_topic_name(lane->topic), lane->k, (long long)next,
                     (long long)i);
            return;
        }
    }
}

void check_recorded(struct sim *w, const struct leat_published *move)
{
    const struct sim_slice *s = &w->store->slices[move->slice];
    if (move->seq > s->head || move->outbox_seq > s->outbox_head) {
        sim_fail(w, "published", "slice %d: recorded seq %lld, outbox %lld; heads are %lld, %lld",
                 move->slice, (long long)move->seq, (long long)move->outbox_seq, (long long)s->head,
                 (long long)s->outbox_head);
    }
    if (sim_off(w, SIM_D_RELAY_EPOCH) &&
        (move->seq < s->published || move->outbox_seq < s->outbox_published)) {
        sim_fail(w, "published", "slice %d: its position goes back from %lld, %lld to %lld, %lld",
                 move->slice, (long long)s->published, (long long)s->outbox_published,
                 (long long)move->seq, (long long)move->outbox_seq);
    }
}

/* ---- is anything left to do? ---- */

static char left[200];

static const char *unfinished_lane(const struct sim *w, int32_t topic, int32_t k)
{
    const struct sim_partition *p = sim_log_partition(w, topic, k);
    int32_t processor = topic == SIM_TOPIC_FOREIGN ? 0 : topic / SIM_PRIORITIES;
    const struct sim_lane *l = sim_store_lane(w->store, topic, k, processor);
    int64_t at = l == NULL ? 0 : l->next_offset;
    if (at == p->end)
        return NULL;
    (void)snprintf(left, sizeof left, "%s %d stands at %lld of %lld", sim_topic_name(topic), k,
                   (long long)at, (long long)p->end);
    return left;
}

static const char *unfinished_slice(const struct sim *w, int32_t k)
{
    const struct sim_slice *s = &w->store->slices[k];
    const struct sim_lane *alerts = sim_store_lane(w->store, SIM_TOPIC_EVENTS, k, SIM_ALERTS);
    if ((alerts == NULL ? 1 : alerts->next_seq) != s->head + 1) {
        (void)snprintf(left, sizeof left, "alerts stand before seq %lld of slice %d, head is %lld",
                       (long long)(alerts == NULL ? 1 : alerts->next_seq), k, (long long)s->head);
        return left;
    }
    if (s->published == s->head && s->outbox_published == s->outbox_head &&
        w->cluster->file.slices[k].seq == s->head && w->cluster->redis.slices[k].seq == s->head &&
        !w->cluster->redis.slices[k].missing)
        return NULL;
    (void)snprintf(left, sizeof left,
                   "slice %d: head %lld, published %lld, applied %lld, in Redis %lld; outbox %lld "
                   "of %lld",
                   k, (long long)s->head, (long long)s->published,
                   (long long)w->cluster->file.slices[k].seq,
                   (long long)w->cluster->redis.slices[k].seq, (long long)s->outbox_published,
                   (long long)s->outbox_head);
    return left;
}

/* Two projectors on one file: each must get to the end, not only the one that wrote last. */
static const char *unfinished_projector(const struct sim *w, int32_t k)
{
    for (size_t i = 0; i < SIM_SLOTS; i++) {
        const struct sim_slot *s = &w->cluster->slots[i];
        if (s->kind != SIM_PROJECTOR || s->process == NULL ||
            sim_projector_at(s->process, k) == w->store->slices[k].head)
            continue;
        (void)snprintf(left, sizeof left, "projector %d stands at %lld of slice %d, head is %lld",
                       s->instance, (long long)sim_projector_at(s->process, k), k,
                       (long long)w->store->slices[k].head);
        return left;
    }
    return NULL;
}

const char *check_unfinished(struct sim *w)
{
    const char *why = NULL;
    for (int32_t t = 0; t < SIM_TOPIC_DLQ && why == NULL; t++) {
        for (int32_t k = 0; k < sim_topic_partitions(t) && why == NULL; k++) {
            if (t != SIM_TOPIC_EVENTS)
                why = unfinished_lane(w, t, k);
        }
    }
    if (why == NULL)
        why = check_waiting_left(w, left, sizeof left);
    for (int32_t k = 0; k < SIM_PARTITIONS && why == NULL; k++)
        why = unfinished_slice(w, k);
    for (int32_t k = 0; k < SIM_PARTITIONS && why == NULL; k++)
        why = unfinished_projector(w, k);
    return why;
}

/* ---- the end: commands ---- */

static void events_of_row(struct sim *w, const struct sim_row *r, const int32_t *count)
{
    const struct sim_sent *sent = w->check->sent;
    for (int32_t i = 0; i < w->check->sent_count; i++) {
        const struct sim_sent *s = &sent[i];
        if (!s->known_id || s->processor != r->processor || !leat_uuid_eq(&s->id, &r->id))
            continue;
        uint32_t expected = r->outcome == LEAT_OUTCOME_ACCEPTED ? s->command.events : 0;
        if ((uint32_t)count[s->command.number] != expected) {
            sim_fail(w, "events-once", "command %u has %d events instead of %u", s->command.number,
                     count[s->command.number], expected);
        }
    }
}

static void effects_of_row(struct sim *w, const struct sim_sent *s, const struct sim_row *r)
{
    uint32_t n = 0;
    for (const struct sim_effect *e = w->outside->of[s->command.number]; e != NULL; e = e->next)
        n++;
    if (s->command.mail && r->outcome == LEAT_OUTCOME_ACCEPTED && n != 1) {
        sim_fail(w, "effect-once", "what command %u asks of the world was done %u times",
                 s->command.number, n);
    }
}

/* What does not decode has no key to be forwarded by: it is dead where it was found. */
static const struct sim_row *row_of(const struct sim *w, const struct sim_sent *s)
{
    const struct sim_row *r = sim_store_row(w->store, s->k, s->processor, &s->id);
    for (int32_t k = 0; k < SIM_PARTITIONS && r == NULL && s->command.magic != SIM_MAGIC; k++)
        r = sim_store_row(w->store, k, s->processor, &s->id);
    return r;
}

static void sent_has_row(struct sim *w, const struct sim_sent *s, const int32_t *count)
{
    uint32_t number = s->command.number;
    if (s->left_out)
        return;
    if (!s->known_id) {
        if (!s->record->settled)
            sim_fail(w, "accepted-once", "the record of command %u was never settled", number);
        if (!s->dead && !s->may_die && !s->may_reject && count[number] != s->command.events) {
            sim_fail(w, "events-once", "command %u (without id) has %d events instead of %u",
                     number, count[number], s->command.events);
        }
        return;
    }
    const struct sim_row *r = row_of(w, s);
    if (r == NULL) {
        sim_fail(w, "accepted-once", "command %u is nowhere", number);
        return;
    }
    bool rejected = r->outcome == LEAT_OUTCOME_REJECTED, dead = r->outcome == LEAT_OUTCOME_DEAD;
    if ((dead != s->dead && !s->may_die) || (rejected && !s->may_reject))
        sim_fail(w, "outcome", "command %u has outcome %d", number, (int)r->outcome);
    events_of_row(w, r, count);
    effects_of_row(w, s, r);
}

static void rows_are_unique(struct sim *w)
{
    const struct sim_store *s = w->store;
    for (int32_t i = 0; i < s->row_count; i++) {
        const struct sim_row *r = &s->rows[i];
        if (sim_store_row(s, r->k, r->processor, &r->id) != r) {
            sim_fail(w, "accepted-once", "a command of %s has two rows in slice %d",
                     sim_topology()->processors[r->processor].name.at, r->k);
        }
    }
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct leat_uuid));
}

static void events_are_unique(struct sim *w)
{
    const struct sim_store *s = w->store;
    size_t n = (size_t)s->event_count;
    struct leat_uuid *ids = leat_arena_alloc(w->arena, (n + 1) * sizeof *ids);
    for (size_t i = 0; i < n; i++)
        ids[i] = s->events[i].id;
    qsort(ids, n, sizeof *ids, by_id);
    for (size_t i = 1; i < n; i++) {
        if (leat_uuid_eq(&ids[i - 1], &ids[i]))
            sim_fail(w, "events-once", "an event is in the store twice");
    }
}

/* Every accepted deposit that sends has its one audit; there are no others. */
static void audits_match(struct sim *w)
{
    int32_t audits = 0, sends = 0;
    for (int32_t i = 0; i < w->store->row_count; i++) {
        const struct sim_row *r = &w->store->rows[i];
        audits += r->processor == SIM_AUDITS;
        sends += r->processor != SIM_AUDITS && r->outcome == LEAT_OUTCOME_ACCEPTED
                     ? (int32_t)r->sends
                     : 0;
    }
    sends += w->store->released_count;
    /* What a store that went back had sent stays sent; given up since, it is sent for nothing. */
    int64_t astray = w->store->timeline == 0 ? 0 : w->check->cancelled + w->store->unscheduled;
    if (audits < sends || audits > sends + astray)
        sim_fail(w, "sent-once", "%d commands were sent to audits, %d are settled", sends, audits);
}

/* The policy has handled every event it asks for, and nothing else. */
static void alerts_match(struct sim *w)
{
    int32_t events = 0, rows = 0;
    for (int32_t i = 0; i < w->store->event_count; i++)
        events += alerts_on(&w->store->events[i]);
    for (int32_t i = 0; i < w->store->row_count; i++)
        rows += w->store->rows[i].processor == SIM_ALERTS;
    if (events != rows)
        sim_fail(w, "policy-once", "%d events for alerts, %d are settled", events, rows);
}

static void check_commands(struct sim *w)
{
    int32_t *count = leat_arena_zalloc(w->arena, (size_t)w->o.commands + 1, sizeof *count);
    for (int32_t i = 0; i < w->store->event_count; i++) {
        const struct sim_stored *e = &w->store->events[i];
        if (!leat_str_eq(e->type, LEAT_STR("Audited")))
            count[e->body.number]++;
    }
    rows_are_unique(w);
    events_are_unique(w);
    for (int32_t i = 0; i < w->check->sent_count; i++)
        sent_has_row(w, &w->check->sent[i], count);
    check_scheduled(w);
    audits_match(w);
    alerts_match(w);
}

/* ---- the end: store, topic, model ---- */

static void check_dense(struct sim *w)
{
    int64_t versions[SIM_STREAMS_MAX] = {0};
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        const struct sim_slice *s = &w->store->slices[k];
        for (int64_t seq = 1; seq <= s->head; seq++) {
            const struct sim_stored *e = &w->store->events[s->events[seq - 1]];
            if (e->seq != seq || e->version != ++versions[e->stream]) {
                sim_fail(w, "dense", "slice %d seq %lld: seq %lld, version %lld", k, (long long)seq,
                         (long long)e->seq, (long long)e->version);
            }
        }
    }
}

/* As a plain consumer sees it: copies by seq dropped, the rest in order and the store's. */
static void check_topic(struct sim *w, int32_t k)
{
    const struct sim_partition *p = sim_log_partition(w, SIM_TOPIC_EVENTS, k);
    const struct sim_slice *s = &w->store->slices[k];
    int64_t last = 0;
    for (int64_t i = 0; i < p->end; i++) {
        struct sim_position at;
        if (!sim_position_of(p->records[i], &at) ||
            (leat_uuid_eq(&at.store_id, &s->parent) && at.seq > s->fork_seq))
            continue; /* of what the store has lost: its id says so */
        if (at.seq < 1 || at.seq > s->head ||
            !leat_uuid_eq(&w->store->events[s->events[at.seq - 1]].id, &at.event_id)) {
            sim_fail(w, "topic", "events %d offset %lld: seq %lld is not the store's", k,
                     (long long)i, (long long)at.seq);
        } else if (at.seq > last + 1 && w->log->lost == 0) {
            sim_fail(w, "topic", "events %d offset %lld: seq %lld follows %lld", k, (long long)i,
                     (long long)at.seq, (long long)last);
        }
        if (at.seq > last)
            last = at.seq;
    }
    if (last != s->head && w->log->lost == 0) {
        sim_fail(w, "topic", "events %d end with seq %lld, the slice with %lld", k, (long long)last,
                 (long long)s->head);
    }
}

static void check_rows(struct sim *w, const struct sim_file *file, const struct sim_model_row *fold)
{
    for (int32_t i = 0; i < w->store->stream_count; i++) {
        const struct sim_model_row *have = &file->rows[i];
        if (have->digest != fold[i].digest || have->count != fold[i].count) {
            sim_fail(w, "model", "%.*s%s: %lld events in the model, %lld in the store",
                     LEAT_STR_FMT(w->store->streams[i].name),
                     file == &w->cluster->redis ? " in Redis" : "", (long long)have->count,
                     (long long)fold[i].count);
        }
    }
}

static void check_shared(struct sim *w, const struct sim_file *file,
                         const struct sim_shared_row *fold)
{
    for (int32_t i = 0; i < SIM_SHARED_ROWS; i++) {
        struct sim_shared_row have = {0};
        for (int32_t k = 0; k < SIM_PARTITIONS; k++)
            sim_shared_merge(&have, &file->slices[k].shared[i]);
        if (have.sum != fold[i].sum || have.count != fold[i].count || have.max != fold[i].max ||
            have.latest != fold[i].latest) {
            sim_fail(w, "shared-rows",
                     "row %d%s: %lld events, the last one %lld; a fold of the store has %lld, %lld",
                     i, file == &w->cluster->redis ? " in Redis" : "", (long long)have.count,
                     (long long)have.latest, (long long)fold[i].count, (long long)fold[i].latest);
        }
    }
}

static void check_model(struct sim *w)
{
    struct sim_model_row fold[SIM_STREAMS_MAX] = {{0}};
    struct sim_shared_row shared[SIM_SHARED_ROWS] = {{0}};
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        for (int64_t seq = 1; seq <= w->store->slices[k].head; seq++) {
            const struct sim_stored *e = &w->store->events[w->store->slices[k].events[seq - 1]];
            struct sim_shared_row one[1] = {{0}};
            sim_row_apply(&fold[e->stream], &e->body);
            sim_shared_apply(w, one, e);
            sim_shared_merge(&shared[e->body.number % SIM_SHARED_ROWS], one);
        }
    }
    check_rows(w, &w->cluster->file, fold);
    check_rows(w, &w->cluster->redis, fold);
    check_shared(w, &w->cluster->file, shared);
    check_shared(w, &w->cluster->redis, shared);
}

/* Without faults nobody loses a fence: who does works in circles. */
static void check_calm(struct sim *w)
{
    if (w->o.faults == 0 && w->o.plant == NULL && w->store->fenced > 0) {
        sim_fail(w, "calm", "%llu batches were fenced in a run without faults",
                 (unsigned long long)w->store->fenced);
    }
}

void check_end(struct sim *w)
{
    check_calm(w);
    check_commands(w);
    check_dense(w);
    for (int32_t k = 0; k < SIM_PARTITIONS; k++)
        check_topic(w, k);
    check_model(w);
}

/* A lane that knew its last record does not move in a topic that was made again. */
void check_recreated(struct sim *w)
{
    int32_t topic = w->cluster->recreated.topic, k = w->cluster->recreated.k;
    const struct sim_lane *l = sim_store_lane(w->store, topic, k, topic / SIM_PRIORITIES);
    if (w->cluster->recreated.fingerprint == 0 || l == NULL)
        return;
    if (l->next_offset != w->cluster->recreated.next_offset) {
        sim_fail(w, "recreated", "%s %d went on from %lld to %lld in the new topic",
                 sim_topic_name(topic), k, (long long)w->cluster->recreated.next_offset,
                 (long long)l->next_offset);
    }
}
