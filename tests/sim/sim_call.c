/* sim_call.c - calls of the store: on the network, before locks, in the server. */
#include <stdlib.h>

#include "check.h"
#include "cluster.h"
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
    "fences", "claim", "load",   "lock",  "append",  "abort", "published", "relay claim",
    "record", "slice", "outbox", "blame", "waiting", "due",   "operate",
};

static void arrive_back(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sim_call *c = data;
    if (!c->answered) {
        c->answered = true;
        sim_cluster_await(w, c->actor);
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
    sim_cluster_await(w, c->actor);
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
    for (size_t i = 0; i < SIM_TRANSACTIONS; i++) {
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
    if (sim_off(w, SIM_D_IDLE_LIMIT))
        return;
    for (size_t i = 0; i < SIM_TRANSACTIONS; i++) {
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
    if (c->kind == SIM_CALL_OPERATE)
        return s->owners[c->processor][c->slice].lock != 0;
    if (c->kind != SIM_CALL_CLAIM && c->kind != SIM_CALL_APPEND && c->kind != SIM_CALL_LOCK)
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

static void take_locks(struct sim *w, struct sim_call *c, int64_t until_us)
{
    struct sim_store *s = w->store;
    struct sim_transaction *t = transaction_of(s, 0);
    leat_assert(t != NULL && transaction_of(s, c->session) == NULL);
    *t = (struct sim_transaction){c->session, until_us};
    for (size_t i = 0; i < c->batch.fence_count; i++) {
        int32_t k = c->batch.fences[i].k;
        s->owners[c->processor][k].lock = c->session;
        s->slices[k].lock = c->session;
    }
}

void sim_store_crash(struct sim *w)
{
    for (size_t i = 0; i < SIM_TRANSACTIONS; i++) {
        if (w->store->transactions[i].session != 0)
            end_transaction(w->store, w->store->transactions[i].session);
    }
    w->store->dead_session = w->store->sessions;
}

/* ---- carrying out ---- */

static int64_t commit_us(struct sim *w)
{
    int64_t us = sim_rng_in(&w->net, 20, 800);
    if (!sim_faulty(w, SIM_FAULT_DISK, 15))
        return us;
    bool quick = sim_rng_permille(&w->trouble, 700);
    return sim_rng_in(&w->trouble, 20, quick ? 300 : 4500) * SIM_MS;
}

/* The locks are held until the commit is on disk; nobody sees anything of it before. */
static void commit(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sim_call *c = data;
    if (c->session <= w->store->dead_session) {
        c->failed = true;
    } else {
        c->failed = !sim_store_append(w, c);
        end_transaction(w->store, c->session);
    }
    answer_in(w, c, sim_net_delay(w));
    release(c);
}

static void commit_in(struct sim *w, struct sim_call *c)
{
    struct sim_transaction *t = transaction_of(w->store, c->session);
    if (t == NULL) {
        take_locks(w, c, INT64_MAX);
    } else {
        t->until_us = INT64_MAX;
    }
    c->refs++;
    struct sim_task task = {.what = "commit", .fire = commit, .data = c, .drop = release};
    sim_after(w, commit_us(w), &task);
    release(c);
}

/* Planted: statements that read before they wait see what was there then. */
static void see(struct sim *w, struct sim_call *c)
{
    const struct sim_store *s = w->store;
    bool stale = (c->kind == SIM_CALL_APPEND && sim_off(w, SIM_D_FRESH_APPEND)) ||
                 (c->kind == SIM_CALL_CLAIM && sim_off(w, SIM_D_FRESH_CLAIM));
    if (!stale)
        return;
    c->seen = leat_arena_zalloc(c->arena, 1, sizeof *c->seen);
    c->seen->rows = s->row_count;
    for (int32_t i = 0; i < SIM_STREAMS_MAX; i++)
        c->seen->versions[i] = i < s->stream_count ? s->streams[i].version : 0;
    for (int32_t k = 0; k < SIM_PARTITIONS; k++)
        c->seen->heads[k] = s->slices[k].head;
    memcpy(c->seen->lanes, s->lanes, sizeof s->lanes);
    c->seen->lane_count = s->lane_count;
}

/* False: it is still under way. */
static bool work(struct sim *w, struct sim_call *c)
{
    struct sim_transaction *t = transaction_of(w->store, c->session);
    switch (c->kind) {
    case SIM_CALL_LOCK:
        take_locks(w, c, w->now_us + IDLE_TIMEOUT_US);
        return true;
    case SIM_CALL_APPEND:
        commit_in(w, c);
        return false;
    case SIM_CALL_ABORT:
        end_transaction(w->store, c->session);
        return true;
    case SIM_CALL_CLAIM:
        if (sim_off(w, SIM_D_ONE_FENCE) && !c->half) {
            sim_store_perform(w, c);
            c->half = true;
            execute_in(w, c, sim_rng_in(&w->net, 0, 1500) * SIM_MS);
            release(c);
            return false;
        }
        break;
    case SIM_CALL_FENCES:
    case SIM_CALL_LOAD:
    case SIM_CALL_PUBLISHED:
    case SIM_CALL_CLAIM_RELAY:
    case SIM_CALL_RECORD:
    case SIM_CALL_SLICE:
    case SIM_CALL_OUTBOX:
    case SIM_CALL_BLAME:
    case SIM_CALL_WAITING:
    case SIM_CALL_DUE:
    case SIM_CALL_OPERATE:
        break;
    }
    sim_store_perform(w, c);
    if (c->in_transaction && t != NULL)
        t->until_us = w->now_us + IDLE_TIMEOUT_US;
    return true;
}

static void carry_out(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sim_call *c = data;
    struct sim_store *s = w->store;
    expire_transactions(w);
    if (c->waits_until_us < 0) {
        c->waits_until_us = w->now_us + LOCK_TIMEOUT_US;
        see(w, c);
    }
    bool ended = c->in_transaction && transaction_of(s, c->session) == NULL;
    if (ended || c->session <= s->dead_session || s->timeline != s->adopted) {
        c->failed = true; /* the connection is gone, or the server is not the one we know */
    } else if (must_wait(s, c)) {
        if (w->now_us < c->waits_until_us) {
            execute_in(w, c, LOCK_POLL_US);
            release(c);
            return;
        }
        c->failed = true;
    } else if (!work(w, c)) {
        return;
    }
    answer_in(w, c, sim_net_delay(w));
    release(c);
}
