/* sim_executor.c - an executor of a worker: drives a flow as src/worker/executor.c does, with every
 * wait for the store turned into an event, so that anything may happen in between. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/record_headers.h"
#include "check.h"
#include "cluster.h"

#define POLL_US SIM_MS

static void turn(struct sim_executor *e);

/* ---- orders ---- */

static void done(struct sim_executor *e);

static struct sim_call *call(struct sim_executor *e, sim_call_kind kind, sim_reply reply)
{
    struct sim_call *c = sim_call_new(e->worker->w, kind, &e->worker->actor, reply, e);
    c->processor = e->worker->processor;
    c->session = e->session;
    c->in_transaction = e->in_transaction;
    if (sim_off(e->worker->w, SIM_D_ONE_FENCE)) {
        c->lane_epochs = leat_arena_alloc(c->arena, sizeof *c->lane_epochs);
        for (int32_t k = 0; k < SIM_PARTITIONS; k++)
            (*c->lane_epochs)[k] = e->ks[k].lane_epochs;
    }
    return c;
}

static const struct leat_lane_position *position(const struct sim_letter *l, const char *topic)
{
    for (size_t i = 0; i < l->lane_count; i++) {
        if (leat_str_eq(l->at[i].topic, leat_str_of(topic)))
            return &l->at[i];
    }
    return NULL;
}

static struct leat_flow_lane lane_of(const struct sim_executor *e, const struct sim_letter *l,
                                     int32_t topic, int32_t priority, leat_lane_kind kind)
{
    bool planted = sim_off(e->worker->w, SIM_D_FINGERPRINT);
    const char *name = sim_topic_name(topic);
    const struct leat_lane_position *at = position(l, name);
    struct leat_flow_lane lane = {.topic = name,
                                  .k = l->k,
                                  .priority = priority,
                                  .kind = kind,
                                  .source = kind == LEAT_LANE_FOREIGN ? 0 : -1,
                                  .next_seq = kind == LEAT_LANE_EVENTS};
    if (at != NULL) {
        lane.next_offset = at->next_offset;
        lane.fingerprint = planted ? 0 : at->fingerprint;
        lane.next_seq = at->next_seq;
    }
    return lane;
}

static size_t lanes_of(const struct sim_executor *e, const struct sim_letter *l,
                       struct leat_flow_lane *lanes, int32_t *topics)
{
    int32_t p = e->worker->processor;
    size_t n = 0;
    if (p == SIM_ALERTS) {
        topics[0] = SIM_TOPIC_EVENTS;
        lanes[0] = lane_of(e, l, SIM_TOPIC_EVENTS, -1, LEAT_LANE_EVENTS);
        return 1;
    }
    for (int32_t q = 0; q < SIM_PRIORITIES; q++, n++) {
        topics[n] = p * SIM_PRIORITIES + q;
        lanes[n] = lane_of(e, l, topics[n], q, LEAT_LANE_COMMANDS);
    }
    if (p == 0 && l->k < SIM_FOREIGN_PARTITIONS) {
        topics[n] = SIM_TOPIC_FOREIGN;
        lanes[n++] = lane_of(e, l, SIM_TOPIC_FOREIGN, -1, LEAT_LANE_FOREIGN);
    }
    return n;
}

static bool has_lane(const struct sim_executor *e, const struct sim_letter *l, int32_t topic)
{
    int32_t priority = topic < SIM_TOPIC_EVENTS ? topic % SIM_PRIORITIES : 0;
    return !sim_off(e->worker->w, SIM_D_ONE_FENCE) || l->lane_epochs.epoch[priority] > 0;
}

static void begin_suspects(struct sim_executor *e, const struct sim_letter *l)
{
    struct leat_flow_suspect rows[SIM_LETTER_SUSPECTS];
    for (size_t i = 0; i < l->suspect_count; i++) {
        const struct sim_suspect *s = &l->suspects[i];
        rows[i] = (struct leat_flow_suspect){.id = s->id,
                                             .topic = leat_str_of(s->topic),
                                             .offset = s->offset,
                                             .tries = s->tries,
                                             .text = LEAT_STR("SIGSEGV")};
    }
    leat_flow_suspects(e->flow, l->k, rows, l->suspect_count);
}

static void begin(struct sim_executor *e, const struct sim_letter *l,
                  const struct leat_waiting_row *waiting, size_t waiting_count)
{
    struct leat_flow_lane lanes[SIM_PRIORITIES + 1];
    int32_t topics[SIM_PRIORITIES + 1];
    size_t all = lanes_of(e, l, lanes, topics), n = 0;
    for (size_t i = 0; i < all; i++) {
        if (!has_lane(e, l, topics[i]))
            continue;
        lanes[n] = lanes[i];
        topics[n++] = topics[i];
    }
    leat_flow_stop(e->flow, l->k);
    size_t first = leat_flow_start(e->flow, l->k, l->epoch, l->head, lanes, n);
    leat_assert(first + n < 64);
    leat_flow_waiting(e->flow, l->k, waiting, waiting_count);
    begin_suspects(e, l);
    e->lanes[first + n].topic = -1;
    for (size_t i = 0; i < n; i++) {
        e->lanes[first + i].topic = topics[i];
        e->lanes[first + i].k = l->k;
        e->lanes[first + i].count = lanes[i].next_seq - 1;
    }
    e->ks[l->k].epoch = l->epoch;
    e->ks[l->k].store_id = l->store_id;
    e->ks[l->k].lane_epochs = l->lane_epochs;
}

static void waiting_back(struct sim *w, struct sim_call *c)
{
    struct sim_executor *e = c->who;
    const struct sim_letter l = e->starting;
    if (c->failed) {
        e->session = sim_store_session(w);
        sim_worker_lost(e->worker, l.k, l.epoch);
    } else {
        begin(e, &l, c->waiting, c->row_count);
    }
    sim_worker_started(e->worker, l.k, !c->failed);
    done(e);
}

/* Which keys are parked must be known before anything of k is handled. */
static void obey_start(struct sim_executor *e, const struct sim_letter *l)
{
    leat_flow_stop(e->flow, l->k);
    e->ks[l->k].epoch = 0;
    e->starting = *l;
    struct sim_call *c = call(e, SIM_CALL_WAITING, waiting_back);
    c->slice = l->k;
    e->busy = true;
    sim_call_send(e->worker->w, c);
}

static void obey(struct sim_executor *e)
{
    while (e->letter_count > 0 && !e->busy) {
        struct sim_letter l = e->letters[e->first_letter];
        e->first_letter = (e->first_letter + 1) % SIM_LETTERS_MAX;
        e->letter_count--;
        if (l.epoch > 0) {
            obey_start(e, &l);
            continue;
        }
        leat_flow_stop(e->flow, l.k);
        e->ks[l.k].epoch = 0;
        sim_worker_started(e->worker, l.k, false);
    }
}

static void rung(struct sim *w, void *who, void *data)
{
    (void)w;
    (void)data;
    turn(who);
}

void sim_executor_post(struct sim_executor *e, const struct sim_letter *l)
{
    leat_assert(e->letter_count < SIM_LETTERS_MAX);
    e->letters[(e->first_letter + e->letter_count++) % SIM_LETTERS_MAX] = *l;
    struct sim_task t = {.actor = &e->worker->actor, .what = "order", .fire = rung, .who = e};
    sim_after(e->worker->w, 10, &t);
}

/* ---- one batch ---- */

static void give_back_lost(struct sim_executor *e)
{
    int64_t epoch = 0;
    for (int32_t k = leat_flow_lost(e->flow, &epoch); k >= 0; k = leat_flow_lost(e->flow, &epoch)) {
        e->ks[k].epoch = 0;
        sim_worker_lost(e->worker, k, epoch);
    }
}

static void trouble(struct sim_executor *e)
{
    e->session = sim_store_session(e->worker->w);
    e->in_transaction = false;
    leat_flow_unknown(e->flow);
    give_back_lost(e);
    e->retry_at_us = e->worker->w->now_us + (50 * SIM_MS << (e->failures < 5 ? e->failures : 5));
    e->failures++;
}

static void done(struct sim_executor *e)
{
    give_back_lost(e);
    e->busy = false;
    turn(e);
}

/* Planted: an outcome that is unknown is settled by reading the lanes, under the same epoch. */
static void settle_back(struct sim *w, struct sim_call *c)
{
    (void)w;
    struct sim_executor *e = c->who;
    leat_flow_unknown(e->flow);
    int64_t epoch = 0;
    for (int32_t k = leat_flow_lost(e->flow, &epoch); k >= 0; k = leat_flow_lost(e->flow, &epoch)) {
        struct sim_letter l = e->worker->claimed[k];
        if (c->failed) {
            sim_worker_lost(e->worker, k, epoch);
            continue;
        }
        l.lane_count = 0;
        l.head = c->fences[k].head_seq;
        for (size_t i = 0; i < c->lane_count; i++) {
            if (c->lanes[i].k == k)
                l.at[l.lane_count++] = c->lanes[i];
        }
        if (e->worker->held[k].hold == LEAT_HOLD_OWNED)
            sim_executor_post(e, &l);
    }
    done(e);
}

static void settle_by_reading(struct sim_executor *e)
{
    e->session = sim_store_session(e->worker->w);
    e->in_transaction = false;
    struct sim_call *c = call(e, SIM_CALL_FENCES, settle_back);
    c->n = SIM_PARTITIONS;
    c->ks = leat_arena_alloc(c->arena, c->n * sizeof *c->ks);
    c->fences = leat_arena_zalloc(c->arena, c->n, sizeof *c->fences);
    for (int32_t k = 0; k < SIM_PARTITIONS; k++)
        c->ks[k] = k;
    sim_call_send(e->worker->w, c);
}

static void acquit(struct sim_executor *e)
{
    struct sim_suspect s = {.processor = e->worker->processor, .tries = -1};
    while (leat_flow_acquitted(e->flow, &s.k, &s.id)) {
        struct sim_call *c = call(e, SIM_CALL_BLAME, NULL);
        c->in_transaction = false;
        c->suspect = s;
        sim_call_send(e->worker->w, c);
    }
}

static void append_back(struct sim *w, struct sim_call *c)
{
    struct sim_executor *e = c->who;
    if (c->failed && sim_off(w, SIM_D_ACQUIRE)) {
        settle_by_reading(e);
        return;
    }
    e->in_transaction = false;
    if (c->failed) {
        trouble(e);
    } else {
        leat_flow_replied(e->flow, &c->result, sim_wall_ms(&e->worker->actor, w));
        acquit(e);
        e->failures = 0;
    }
    done(e);
}

static void send_batch(struct sim *w, void *who, void *data)
{
    (void)w;
    struct sim_executor *e = who;
    e->slow.k = -1;
    sim_call_send(e->worker->w, data);
}

static void drop_batch(void *data)
{
    struct sim_call *c = data;
    leat_arena_free(c->arena);
}

/* The handlers have taken their time; kill -9 may come meanwhile, or has come from one of them. */
static void send_after(struct sim_executor *e, struct sim_call *c)
{
    struct sim *w = e->worker->w;
    int64_t spent_us = sim_dispatch_spent_us(e->worker->dispatch);
    if (e->crashed.k >= 0) {
        drop_batch(c);
        sim_cluster_signal(w, e);
        return;
    }
    if (spent_us == 0) {
        send_batch(w, e, c);
        return;
    }
    struct sim_task t = {.actor = &e->worker->actor,
                         .what = "handlers",
                         .fire = send_batch,
                         .who = e,
                         .data = c,
                         .drop = drop_batch};
    sim_after(w, spent_us, &t);
    sim_cluster_hunt(w, e, spent_us);
}

static void decide(struct sim_executor *e)
{
    struct sim *w = e->worker->w;
    e->crashed.k = -1;
    const struct leat_batch *b = leat_flow_decide(e->flow, sim_wall_ms(&e->worker->actor, w));
    if (b != NULL) {
        check_ageing(e, b);
        struct sim_call *c = call(e, SIM_CALL_APPEND, append_back);
        sim_call_copy_batch(c, b);
        send_after(e, c);
        return;
    }
    e->slow.k = -1;
    if (e->in_transaction)
        sim_call_send(w, call(e, SIM_CALL_ABORT, NULL));
    e->in_transaction = false;
    e->retry_at_us = w->now_us + POLL_US; /* the call abort makes is not free */
    done(e);
}

static void load(struct sim_executor *e, const struct leat_stream_want *wants, size_t n);

static void load_back(struct sim *w, struct sim_call *c)
{
    (void)w;
    struct sim_executor *e = c->who;
    if (c->failed) {
        trouble(e);
        done(e);
        return;
    }
    const struct leat_stream_want *wants = NULL;
    size_t n = 0;
    leat_flow_loaded(e->flow, &c->loaded);
    leat_flow_wants_again(e->flow, &wants, &n);
    if (n > 0) {
        load(e, wants, n);
    } else {
        decide(e);
    }
}

static void load(struct sim_executor *e, const struct leat_stream_want *wants, size_t n)
{
    struct sim_call *c = call(e, SIM_CALL_LOAD, load_back);
    c->n = n;
    c->wants = leat_arena_alloc(c->arena, n * sizeof *wants);
    memcpy(c->wants, wants, n * sizeof *wants);
    for (size_t i = 0; i < n; i++)
        c->wants[i].stream = leat_arena_copy(c->arena, wants[i].stream);
    sim_call_send(e->worker->w, c);
}

static void lock_back(struct sim *w, struct sim_call *c)
{
    (void)w;
    struct sim_executor *e = c->who;
    if (c->failed) {
        trouble(e);
        done(e);
        return;
    }
    e->in_transaction = true;
    if (c->n > 0) {
        load(e, c->wants, c->n);
    } else {
        decide(e);
    }
}

static void run_batch(struct sim_executor *e, bool locked)
{
    struct sim *w = e->worker->w;
    const struct leat_stream_want *wants = NULL;
    size_t n = 0;
    e->busy = true;
    leat_flow_wants(e->flow, sim_wall_ms(&e->worker->actor, w), &wants, &n);
    if (locked) {
        struct sim_call *c = call(e, SIM_CALL_LOCK, lock_back);
        sim_call_copy_batch(c, leat_flow_locks(e->flow));
        c->n = n;
        c->wants = leat_arena_alloc(c->arena, n * sizeof *wants + 1);
        memcpy(c->wants, wants, n * sizeof *wants);
        sim_call_send(w, c);
    } else if (n > 0) {
        load(e, wants, n);
    } else {
        decide(e);
    }
}

/* ---- events lanes: what the topic lacks comes from the store ---- */

static void hole_back(struct sim *w, struct sim_call *c)
{
    (void)w;
    struct sim_executor *e = c->who;
    struct leat_incoming in[64];
    if (c->failed) {
        trouble(e);
        done(e);
        return;
    }
    leat_assert(c->row_count > 0 && c->row_count <= 64);
    for (size_t i = 0; i < c->row_count; i++)
        in[i] = sim_fetched(e, &c->events[i]);
    leat_flow_fill(e->flow, c->n, in, c->row_count);
    done(e);
}

static bool fill_holes(struct sim_executor *e)
{
    size_t lane = 0;
    int64_t from = 0, to = 0;
    if (!leat_flow_hole(e->flow, &lane, &from, &to))
        return false;
    struct sim_call *c = call(e, SIM_CALL_SLICE, hole_back);
    c->slice = e->lanes[lane].k;
    c->after = from - 1;
    c->upto = to;
    c->limit = 64;
    c->n = lane;
    e->busy = true;
    sim_call_send(e->worker->w, c);
    return true;
}

/* ---- the waiting room ---- */

static void due_back(struct sim *w, struct sim_call *c)
{
    struct sim_executor *e = c->who;
    if (c->failed) { /* what is on hand has not come: as if its ks were new */
        for (size_t i = 0; i < c->n; i++)
            leat_flow_lose(e->flow, c->refs_asked[i].k);
        trouble(e);
        done(e);
        return;
    }
    (void)w;
    struct leat_flow_waiter *found = leat_arena_alloc(c->arena, (c->row_count + 1) * sizeof *found);
    for (size_t i = 0; i < c->row_count; i++)
        found[i] = sim_waiter(e, &c->waiting[i], c->asked[i]);
    leat_flow_fetched(e->flow, c->refs_asked, c->n, found, c->row_count);
    done(e);
}

static bool fetch_due(struct sim_executor *e)
{
    struct leat_waiting_ref due[16];
    size_t n = leat_flow_due(e->flow, sim_wall_ms(&e->worker->actor, e->worker->w), due, 16);
    if (n == 0)
        return false;
    struct sim_call *c = call(e, SIM_CALL_DUE, due_back);
    struct leat_waiting_ref *refs = leat_arena_alloc(c->arena, sizeof due);
    memcpy(refs, due, n * sizeof *due);
    for (size_t i = 0; i < n; i++)
        refs[i].key = leat_arena_copy(c->arena, due[i].key);
    c->refs_asked = refs;
    c->n = n;
    e->busy = true;
    sim_call_send(e->worker->w, c);
    return true;
}

/* ---- idle ---- */

static void tail_back(struct sim *w, struct sim_call *c)
{
    (void)w;
    struct sim_executor *e = c->who;
    for (size_t i = 0; !c->failed && i < leat_flow_lane_count(e->flow); i++) {
        if (leat_flow_lane(e->flow, i) != NULL)
            leat_flow_tail(e->flow, i, c->published[e->lanes[i].k].seq);
    }
    if (c->failed)
        e->session = sim_store_session(w);
    done(e);
}

static bool check_tails(struct sim_executor *e)
{
    struct sim *w = e->worker->w;
    if (e->worker->processor != SIM_ALERTS || w->now_us < e->tail_at_us || sim_off(w, SIM_D_TAIL) ||
        sim_off(w, SIM_D_SEQ_LANE))
        return false;
    e->tail_at_us = w->now_us + SIM_SECOND;
    struct sim_call *c = call(e, SIM_CALL_PUBLISHED, tail_back);
    c->n = SIM_PARTITIONS;
    c->ks = leat_arena_alloc(c->arena, c->n * sizeof *c->ks);
    c->published = leat_arena_zalloc(c->arena, c->n, sizeof *c->published);
    for (int32_t k = 0; k < SIM_PARTITIONS; k++)
        c->ks[k] = k;
    e->busy = true;
    sim_call_send(w, c);
    return true;
}

/* An idle owner asks now and then whether it still is one: else it would never hear of a store that
 * went back, or of rows that somebody else has changed. */
static void epochs_back(struct sim *w, struct sim_call *c)
{
    struct sim_executor *e = c->who;
    if (c->failed)
        e->session = sim_store_session(w);
    for (size_t i = 0; !c->failed && i < c->n; i++) {
        int32_t k = c->fences[i].k;
        if (c->fences[i].epoch == e->ks[k].epoch || e->ks[k].epoch == 0)
            continue;
        leat_flow_stop(e->flow, k);
        e->ks[k].epoch = 0;
        sim_worker_lost(e->worker, k, 0);
    }
    done(e);
}

static bool check_epochs(struct sim_executor *e)
{
    struct sim *w = e->worker->w;
    if (w->now_us < e->epoch_at_us || sim_off(w, SIM_D_IDLE_LOOK) || sim_off(w, SIM_D_ONE_FENCE))
        return false;
    e->epoch_at_us = w->now_us + SIM_SECOND;
    struct sim_call *c = call(e, SIM_CALL_FENCES, epochs_back);
    c->ks = leat_arena_alloc(c->arena, SIM_PARTITIONS * sizeof *c->ks);
    c->fences = leat_arena_zalloc(c->arena, SIM_PARTITIONS, sizeof *c->fences);
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        if (e->ks[k].epoch > 0)
            c->ks[c->n++] = k;
    }
    e->busy = true;
    sim_call_send(w, c);
    return true;
}

static void timer(struct sim *w, void *who, void *data)
{
    (void)w;
    (void)data;
    struct sim_executor *e = who;
    e->timer = false;
    turn(e);
}

static void wait_for_work(struct sim_executor *e)
{
    if (e->timer)
        return;
    struct sim *w = e->worker->w;
    e->timer = true;
    struct sim_task t = {.actor = &e->worker->actor, .what = "poll", .fire = timer, .who = e};
    sim_after(w, sim_rng_in(&w->net, 3, 40) * SIM_MS, &t);
}

static void turn(struct sim_executor *e)
{
    struct sim *w = e->worker->w;
    if (e->busy)
        return;
    obey(e);
    if (e->busy || w->failed) /* obeying may have led to a turn of its own */
        return;
    if (w->now_us < e->retry_at_us) {
        wait_for_work(e);
        return;
    }
    if (fill_holes(e) || fetch_due(e))
        return;
    bool locked = false, again = leat_flow_again(e->flow, &locked);
    for (size_t i = 0; !again && i < leat_flow_lane_count(e->flow); i++)
        sim_take_lane(e, i);
    if (again || leat_flow_ready(e->flow, sim_wall_ms(&e->worker->actor, w))) {
        run_batch(e, locked);
    } else if (!check_tails(e) && !check_epochs(e)) {
        wait_for_work(e);
    }
}

/* ---- life ---- */

/* As if they ran at once: in any order, by any of the runners. */
static void run_all(void *arg, size_t jobs, leat_flow_job job, void *ctx)
{
    struct sim_executor *e = arg;
    struct sim *w = e->worker->w;
    uint32_t order[1024];
    leat_assert(jobs <= 1024);
    for (size_t i = 0; i < jobs; i++) {
        size_t j = (size_t)sim_rng_in(&w->net, 0, (int64_t)i);
        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
    for (size_t i = 0; i < jobs; i++)
        job(ctx, order[i], (int32_t)sim_rng_in(&w->net, 0, SIM_RUNNERS_MAX - 1));
}

static void entering(void *arg, const struct leat_flow_running *what)
{
    struct sim_executor *e = arg;
    e->at[what->runner] =
        (struct sim_suspect){.processor = e->worker->processor, .k = what->lane->k, .id = what->id};
}

static void left(void *arg, int32_t runner)
{
    struct sim_executor *e = arg;
    if (sim_dispatch_crashed(e->worker->dispatch))
        e->crashed = e->at[runner];
    if (sim_dispatch_slow(e->worker->dispatch))
        e->slow = e->at[runner];
}

void sim_executor_init(struct sim_executor *e, struct sim_worker *p)
{
    struct leat_flow_config c = {.dispatch = p->dispatch,
                                 .partitions = SIM_PARTITIONS,
                                 .batch_max = p->w->batch_max,
                                 .cache_bytes = p->w->cache_bytes,
                                 .header = sim_record_header,
                                 .headers_pack = sim_record_pack,
                                 .release = sim_record_release,
                                 .run_all = p->w->at_once ? run_all : NULL,
                                 .runners = SIM_RUNNERS_MAX,
                                 .entering = entering,
                                 .left = left,
                                 .arg = e};
    *e = (struct sim_executor){
        .worker = p, .session = sim_store_session(p->w), .slow = {.k = -1}, .crashed = {.k = -1}};
    e->flow = leat_flow_new(&c);
    wait_for_work(e);
}

void sim_executor_done(struct sim_executor *e)
{
    leat_flow_free(e->flow);
    e->flow = NULL;
    if (e->out != 0) {
        sim_fail(e->worker->w, "release", "%s: %lld records were not released", e->worker->name,
                 (long long)e->out);
    }
}
