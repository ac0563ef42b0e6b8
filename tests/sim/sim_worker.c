/* sim_worker.c - a worker process: the thread that serves the group and acquires partitions. */
#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "cluster.h"

#define DRAIN_US (2 * SIM_SECOND)

static void pump(struct sim_worker *p);

static struct sim_executor *executor_of(struct sim_worker *p, int32_t k)
{
    return &p->executors[k % SIM_EXECUTORS];
}

/* ---- acquiring ---- */

static void call_done(struct sim_worker *p, bool failed)
{
    p->busy = false;
    if (failed) {
        p->session = sim_store_session(p->w);
        leat_ownership_failed(&p->ownership, sim_now_ms(p->w));
    }
}

static void read_back(struct sim *w, struct sim_call *c)
{
    (void)w;
    struct sim_worker *p = c->who;
    call_done(p, c->failed);
    for (size_t i = 0; !c->failed && i < c->n; i++) {
        if (c->lane_epochs != NULL)
            p->lane_epochs[c->ks[i]] = (*c->lane_epochs)[c->ks[i]];
        leat_ownership_read(&p->ownership, c->fences[i].k, c->fences[i].epoch);
    }
    pump(p);
}

static void keep_claim(struct sim_worker *p, const struct sim_call *c, size_t i)
{
    struct sim_letter *l = &p->claimed[c->fences[i].k];
    *l = (struct sim_letter){
        .k = c->fences[i].k, .epoch = c->fences[i].epoch, .head = c->fences[i].head_seq};
    for (size_t j = 0; j < c->lane_count; j++) {
        if (c->lanes[j].k == l->k)
            l->at[l->lane_count++] = c->lanes[j];
    }
    for (size_t j = 0; j < c->suspect_count; j++) {
        if (c->suspects[j].k == l->k && l->suspect_count < SIM_LETTER_SUSPECTS)
            l->suspects[l->suspect_count++] = c->suspects[j];
    }
    l->store_id = c->fences[i].store_id;
    if (c->lane_epochs != NULL)
        l->lane_epochs = (*c->lane_epochs)[l->k];
}

static void claim_back(struct sim *w, struct sim_call *c)
{
    (void)w;
    struct sim_worker *p = c->who;
    call_done(p, c->failed);
    for (size_t i = 0; !c->failed && i < c->n; i++) {
        if (c->fences[i].claimed)
            keep_claim(p, c, i);
        leat_ownership_claimed(&p->ownership, c->fences[i].k, c->fences[i].claimed,
                               c->fences[i].epoch);
    }
    pump(p);
}

static void send_fences(struct sim_worker *p, sim_call_kind kind, const int32_t *ks, size_t n)
{
    struct sim_call *c =
        sim_call_new(p->w, kind, &p->actor, kind == SIM_CALL_CLAIM ? claim_back : read_back, p);
    c->processor = p->processor;
    c->session = p->session;
    c->n = n;
    c->ks = leat_arena_alloc(c->arena, n * sizeof *c->ks);
    c->expected = leat_arena_alloc(c->arena, n * sizeof *c->expected);
    c->fences = leat_arena_zalloc(c->arena, n, sizeof *c->fences);
    for (size_t i = 0; i < n; i++) {
        c->ks[i] = ks[i];
        c->expected[i] = p->held[ks[i]].epoch;
    }
    c->member = p->confirmed != 0 ? p->confirmed : p->member.member;
    if (sim_off(p->w, SIM_D_ONE_FENCE)) {
        c->lane_epochs = leat_arena_alloc(c->arena, sizeof *c->lane_epochs);
        memcpy(c->lane_epochs, p->lane_epochs, sizeof p->lane_epochs);
    }
    p->busy = true;
    sim_call_send(p->w, c);
}

static void confirm_back(struct sim *w, void *who, void *ok)
{
    struct sim_worker *p = who;
    int32_t ks[SIM_PARTITIONS];
    size_t n = 0;
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        if (p->held[k].hold == LEAT_HOLD_CONFIRM)
            ks[n++] = k;
    }
    p->busy = false;
    if (ok != NULL) {
        leat_ownership_confirmed(&p->ownership, ks, n);
    } else {
        leat_ownership_refused(&p->ownership, sim_now_ms(w));
    }
    pump(p);
}

static void start_lanes(struct sim_worker *p, const int32_t *ks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sim_executor_post(executor_of(p, ks[i]), &p->claimed[ks[i]]);
    p->busy = n > 0; /* until they have started: the thread waits for the flows */
    p->stopping = (int32_t)n;
}

void sim_worker_started(struct sim_worker *p, int32_t k, bool started)
{
    if (started)
        leat_ownership_started(&p->ownership, k);
    if (p->stopping == 0 || --p->stopping > 0)
        return;
    if (p->draining) {
        p->draining = false;
        sim_member_join(&p->member);
    }
    p->busy = false;
    pump(p);
}

void sim_worker_lost(struct sim_worker *p, int32_t k, int64_t epoch)
{
    if (!sim_off(p->w, SIM_D_REACQUIRE))
        leat_ownership_lost(&p->ownership, k, epoch);
    pump(p);
}

/* ---- the group's callbacks ---- */

static void on_assigned(void *who, const int32_t *ks, size_t n)
{
    struct sim_worker *p = who;
    p->assign = true;
    memset(p->ks, 0, sizeof p->ks);
    for (size_t i = 0; i < n; i++)
        p->ks[ks[i]] = true;
    pump(p);
}

static void on_revoked(void *who, bool lost)
{
    struct sim_worker *p = who;
    p->revoke = true;
    p->assign = false;
    p->lost = lost;
    pump(p);
}

static void on_fatal(void *who)
{
    struct sim_worker *p = who;
    sim_trace(p->w, "%s: another process has this instance id", p->name);
    sim_worker_crash(p);
    sim_cluster_gone(p->w, p);
}

static void drain_limit(struct sim *w, void *who, void *data)
{
    (void)w;
    struct sim_worker *p = who;
    if (!p->draining || p->drain != (uint64_t)(uintptr_t)data)
        return;
    p->draining = false;
    p->stopping = 0;
    p->busy = false;
    sim_member_join(&p->member);
    pump(p);
}

static void serve_revoked(struct sim_worker *p)
{
    int32_t ks[SIM_PARTITIONS];
    for (int32_t k = 0; k < SIM_PARTITIONS; k++)
        ks[k] = k;
    p->revoke = false;
    leat_ownership_revoked(&p->ownership, ks, SIM_PARTITIONS);
    p->busy = p->draining = true;
    p->stopping = SIM_PARTITIONS;
    struct sim_task t = {.actor = &p->actor,
                         .what = "drain limit",
                         .fire = drain_limit,
                         .who = p,
                         .data = (void *)(uintptr_t)++p->drain};
    sim_after(p->w, DRAIN_US, &t);
    for (int32_t k = 0; k < SIM_PARTITIONS; k++)
        sim_executor_post(executor_of(p, k), &(struct sim_letter){.k = k});
}

static void serve_assigned(struct sim_worker *p)
{
    int32_t ks[SIM_PARTITIONS];
    size_t n = 0;
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        if (p->ks[k])
            ks[n++] = k;
    }
    p->assign = false;
    leat_ownership_assigned(&p->ownership, ks, n);
}

static void back_off_over(struct sim *w, void *who, void *data)
{
    (void)w;
    (void)data;
    struct sim_worker *p = who;
    p->timer = false;
    pump(p);
}

static void wait(struct sim_worker *p, int64_t wait_ms)
{
    if (p->timer || wait_ms == INT64_MAX)
        return;
    p->timer = true;
    struct sim_task t = {.actor = &p->actor, .what = "back-off", .fire = back_off_over, .who = p};
    sim_after(p->w, wait_ms * SIM_MS, &t);
}

static void rejoin(struct sim_worker *p)
{
    sim_trace(p->w, "%s leaves and joins again", p->name);
    sim_member_leave(&p->member);
    leat_ownership_rejoined(&p->ownership);
    p->assign = false;
    p->revoke = true; /* the flows let go, then it joins */
}

static void step(struct sim_worker *p)
{
    int32_t ks[SIM_PARTITIONS];
    size_t n = 0;
    int64_t wait_ms = 0;
    switch (leat_ownership_next(&p->ownership, sim_now_ms(p->w), ks, &n, &wait_ms)) {
    case LEAT_ACQUIRE_WAIT:
        wait(p, wait_ms);
        break;
    case LEAT_ACQUIRE_READ:
        send_fences(p, SIM_CALL_FENCES, ks, n);
        break;
    case LEAT_ACQUIRE_CONFIRM:
        if (sim_off(p->w, SIM_D_CONFIRM)) {
            leat_ownership_confirmed(&p->ownership, ks, n);
            pump(p);
            break;
        }
        p->busy = true;
        p->confirmed = p->member.member;
        sim_member_commit(&p->member, confirm_back);
        break;
    case LEAT_ACQUIRE_CLAIM:
        send_fences(p, SIM_CALL_CLAIM, ks, n);
        break;
    case LEAT_ACQUIRE_START:
        start_lanes(p, ks, n);
        break;
    case LEAT_ACQUIRE_REJOIN:
        rejoin(p);
        pump(p);
        break;
    }
}

/* One thread: callbacks first, one step at a time. */
static void pump(struct sim_worker *p)
{
    if (p->busy)
        return;
    if (p->leaving) {
        p->leaving = false;
        rejoin(p);
    }
    if (p->revoke) {
        serve_revoked(p);
    } else if (p->assign) {
        serve_assigned(p);
        pump(p);
    } else
        step(p);
}

/* ---- life ---- */

struct sim_worker *sim_worker_start(struct sim *w, int32_t processor, int32_t instance)
{
    struct sim_worker *p = leat_arena_zalloc(w->arena, 1, sizeof *p);
    p->w = w;
    p->processor = processor;
    p->instance = instance;
    (void)snprintf(p->name, sizeof p->name, "%.*s-%d/%d",
                   LEAT_STR_FMT(sim_topology()->processors[processor].name), instance,
                   ++w->cluster->actors);
    p->actor = (struct sim_actor){.name = p->name, .index = w->cluster->actors};
    p->next = w->cluster->workers;
    w->cluster->workers = p;
    sim_actor_start(w, &p->actor);
    p->dispatch = sim_dispatch_new(processor, w);
    p->session = sim_store_session(w);
    leat_ownership_init(&p->ownership, p->held, SIM_PARTITIONS);
    for (size_t i = 0; i < SIM_EXECUTORS; i++)
        sim_executor_init(&p->executors[i], p);
    p->member = (struct sim_member){.w = w,
                                    .actor = &p->actor,
                                    .group = processor,
                                    .instance = instance,
                                    .assigned = on_assigned,
                                    .revoked = on_revoked,
                                    .fatal = on_fatal,
                                    .who = p};
    sim_member_start(&p->member);
    return p;
}

void sim_worker_crash(struct sim_worker *p)
{
    if (!p->actor.up)
        return;
    sim_actor_crash(p->w, &p->actor);
    for (size_t i = 0; i < SIM_EXECUTORS; i++)
        sim_executor_done(&p->executors[i]);
    leat_dispatch_free(p->dispatch);
}

void sim_worker_leave(struct sim_worker *p)
{
    p->leaving = true;
    pump(p);
}
