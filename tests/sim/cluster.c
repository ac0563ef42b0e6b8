/* cluster.c - which processes run, and what is done to them. */
#include "cluster.h"

#include "check.h"

static const struct sim_slot plan[SIM_SLOTS] = {
    {SIM_WORKER, 0, 0, NULL},          {SIM_WORKER, 0, 1, NULL},
    {SIM_WORKER, 0, 2, NULL},          {SIM_WORKER, 1, 0, NULL},
    {SIM_WORKER, 1, 1, NULL},          {SIM_WORKER, 2, 0, NULL},
    {SIM_WORKER, 2, 1, NULL},          {SIM_WORKER, SIM_ALERTS, 0, NULL},
    {SIM_WORKER, SIM_ALERTS, 1, NULL}, {SIM_RELAY, 0, 0, NULL},
    {SIM_RELAY, 0, 1, NULL},           {SIM_PROJECTOR, 0, 0, NULL},
    {SIM_PROJECTOR, 0, 1, NULL},       {SIM_PROJECTOR, 0, 2, NULL},
    {SIM_PROJECTOR, 0, 3, NULL},
};

static struct sim_actor *actor_of(struct sim_slot *s)
{
    switch (s->kind) {
    case SIM_WORKER:
        return &((struct sim_worker *)s->process)->actor;
    case SIM_RELAY:
        return sim_relay_actor(s->process);
    case SIM_PROJECTOR:
        return sim_projector_actor(s->process);
    }
    return NULL;
}

static void start(struct sim *w, void *who, void *data)
{
    (void)data;
    struct sim_slot *s = who;
    if (s->process != NULL)
        return;
    switch (s->kind) {
    case SIM_WORKER:
        s->process = sim_worker_start(w, s->processor, s->instance);
        break;
    case SIM_RELAY:
        s->process = sim_relay_start(w, s->instance);
        break;
    case SIM_PROJECTOR:
        s->process = sim_projector_start(w, s->instance);
        break;
    }
    if (sim_faulty(w, SIM_FAULT_CLOCK, 500))
        actor_of(s)->clock_ms = sim_rng_in(&w->trouble, -400, 400);
    sim_trace(w, "%s starts", actor_of(s)->name);
}

static void start_in(struct sim *w, struct sim_slot *s, int64_t delay_us)
{
    struct sim_task t = {.what = "start", .fire = start, .who = s};
    sim_after(w, delay_us, &t);
}

static void crash(struct sim_slot *s)
{
    switch (s->kind) {
    case SIM_WORKER:
        sim_worker_crash(s->process);
        break;
    case SIM_RELAY:
        sim_relay_crash(s->process);
        break;
    case SIM_PROJECTOR:
        sim_projector_crash(s->process);
        break;
    }
    s->process = NULL;
}

void sim_cluster_gone(struct sim *w, void *process)
{
    for (size_t i = 0; i < SIM_SLOTS; i++) {
        if (w->cluster->slots[i].process == process) {
            w->cluster->slots[i].process = NULL;
            start_in(w, &w->cluster->slots[i], 100 * SIM_MS);
        }
    }
}

/* ---- trouble ---- */

static int64_t restart_delay(struct sim *w)
{
    bool quick = sim_rng_permille(&w->trouble, 800);
    return sim_rng_in(&w->trouble, 20, quick ? 600 : 9000) * SIM_MS;
}

/* ---- crashes, and what a supervisor makes of them ---- */

static void blame(struct sim *w, const struct sim_suspect *s);

static void blame_back(struct sim *w, struct sim_call *c)
{
    if (c->failed)
        blame(w, &c->suspect); /* until it is written */
}

static void blame(struct sim *w, const struct sim_suspect *s)
{
    struct sim_call *c = sim_call_new(w, SIM_CALL_BLAME, &w->cluster->supervisor, blame_back, NULL);
    c->session = sim_store_session(w);
    c->suspect = *s;
    sim_call_send(w, c);
}

static struct sim_slot *slot_of(struct sim *w, const struct sim_actor *a)
{
    for (size_t i = 0; i < SIM_SLOTS; i++) {
        if (w->cluster->slots[i].process != NULL && actor_of(&w->cluster->slots[i]) == a)
            return &w->cluster->slots[i];
    }
    return NULL;
}

static void trouble_crash(struct sim *w, struct sim_slot *s)
{
    struct sim_worker *p = s->kind == SIM_WORKER ? s->process : NULL;
    sim_trace(w, "%s is killed", actor_of(s)->name);
    for (size_t i = 0; p != NULL && sim_off(w, SIM_D_EVIDENCE) && i < SIM_EXECUTORS; i++) {
        if (p->executors[i].slow.k >= 0)
            blame(w, &p->executors[i].slow); /* planted: whoever was there did it */
    }
    crash(s);
    w->cluster->crashes++;
    start_in(w, s, restart_delay(w));
}

struct death {
    struct sim_actor *actor;
    uint64_t life;
};

static void die(struct sim *w, void *who, void *data)
{
    (void)who;
    const struct death *d = data;
    struct sim_slot *s = d->actor->life == d->life ? slot_of(w, d->actor) : NULL;
    if (s != NULL)
        trouble_crash(w, s);
}

static void die_in(struct sim *w, const struct sim_actor *a, int64_t delay_us)
{
    struct death *d = leat_arena_alloc(w->arena, sizeof *d);
    struct sim_slot *s = slot_of(w, a);
    if (s == NULL)
        return;
    *d = (struct death){actor_of(s), a->life};
    struct sim_task t = {.what = "kill", .fire = die, .data = d};
    sim_after(w, delay_us, &t);
}

void sim_cluster_await(struct sim *w, const struct sim_actor *a)
{
    if (sim_faulty(w, SIM_FAULT_CRASH, 1))
        die_in(w, a, 0);
}

void sim_cluster_hunt(struct sim *w, struct sim_executor *e, int64_t within_us)
{
    if (e->slow.k >= 0 && sim_faulty(w, SIM_FAULT_KILL, 300))
        die_in(w, &e->worker->actor, sim_rng_in(&w->trouble, 0, within_us));
}

static void signalled(struct sim *w, void *who, void *data)
{
    (void)data;
    struct sim_executor *e = who;
    struct sim_slot *s = slot_of(w, &e->worker->actor);
    sim_trace(w, "%s ends with a signal", e->worker->name);
    if (!sim_off(w, SIM_D_TRIES_KEPT))
        blame(w, &e->crashed);
    w->cluster->crashes++;
    if (s != NULL) {
        crash(s);
        start_in(w, s, sim_rng_in(&w->trouble, 20, 600) * SIM_MS);
    } else {
        sim_worker_crash(e->worker); /* a paused one that has a twin */
    }
}

void sim_cluster_signal(struct sim *w, struct sim_executor *e)
{
    struct sim_task t = {.actor = &e->worker->actor, .what = "signal", .fire = signalled, .who = e};
    sim_after(w, 0, &t);
}

/* ---- other trouble ---- */

static void trouble_pause(struct sim *w, struct sim_slot *s, bool twin)
{
    int64_t for_ms = sim_rng_permille(&w->trouble, 500) ? sim_rng_in(&w->trouble, 100, 3000)
                                                        : sim_rng_in(&w->trouble, 5000, 13000);
    sim_actor_pause(w, actor_of(s), for_ms * SIM_MS);
    w->cluster->pauses++;
    if (!twin || s->kind == SIM_PROJECTOR)
        return;
    s->process = NULL; /* the paused one goes on by itself until it is fenced */
    w->cluster->twins++;
    start_in(w, s, sim_rng_in(&w->trouble, 50, 500) * SIM_MS);
}

static void trouble_leave(struct sim *w, struct sim_slot *s)
{
    if (actor_of(s)->paused)
        return;
    sim_trace(w, "%s leaves its group", actor_of(s)->name);
    if (s->kind == SIM_WORKER) {
        sim_worker_leave(s->process);
    } else if (s->kind == SIM_RELAY) {
        sim_relay_leave(s->process);
    }
}

static void trouble_away(struct sim *w)
{
    bool store = sim_rng_permille(&w->trouble, 500);
    int64_t back_us = w->now_us + sim_rng_in(&w->trouble, 200, 9000) * SIM_MS;
    sim_trace(w, "%s is away until %lld ms", store ? "the store" : "Kafka",
              (long long)(back_us / SIM_MS));
    *(store ? &w->store_back_us : &w->kafka_back_us) = back_us;
}

static void trouble_redis(struct sim *w, struct sim_cluster *c)
{
    struct sim_file_slice *s = &c->redis.slices[sim_rng_in(&w->trouble, 0, SIM_PARTITIONS - 1)];
    const struct sim_file_slice *old = &c->redis_copy.slices[s - c->redis.slices];
    switch (sim_rng_in(&w->trouble, 0, 2)) {
    case 0:
        sim_trace(w, "Redis loses the checkpoint of slice %td", s - c->redis.slices);
        s->missing = s->seq > 0;
        break;
    case 1:
        sim_trace(w, "Redis comes back as it was");
        c->redis = c->redis_copy;
        break;
    default:
        sim_trace(w, "Redis brings back an old checkpoint of slice %td", s - c->redis.slices);
        s->seq = old->seq;
        s->store_id = old->store_id;
        s->event_id = old->event_id;
        break;
    }
}

static void trouble_process(struct sim *w, struct sim_slot *s, int64_t kind)
{
    uint32_t faults = w->o.faults;
    if (kind < 45 && (faults & SIM_FAULT_CRASH) != 0) {
        trouble_crash(w, s);
    } else if (kind >= 45 && kind < 70 && (faults & SIM_FAULT_PAUSE) != 0) {
        trouble_pause(w, s, false);
    } else if (kind >= 70 && kind < 82 && (faults & SIM_FAULT_TWIN) != 0) {
        trouble_pause(w, s, true);
    } else if (kind >= 82 && kind < 90 && (faults & SIM_FAULT_MEMBER) != 0) {
        trouble_leave(w, s);
    } else if (kind >= 90 && kind < 94 && (faults & SIM_FAULT_CLOCK) != 0) {
        actor_of(s)->clock_ms += sim_rng_in(&w->trouble, -9000, 9000);
        sim_trace(w, "%s has its clock at %+lld ms", actor_of(s)->name,
                  (long long)actor_of(s)->clock_ms);
    }
}

static void trouble(struct sim *w, void *who, void *data)
{
    (void)data;
    struct sim_cluster *c = who;
    if (w->quiet)
        return;
    struct sim_task t = {.what = "trouble", .fire = trouble, .who = c};
    sim_after(w, sim_rng_in(&w->trouble, 100, 1500) * SIM_MS, &t);
    struct sim_slot *s = &c->slots[sim_rng_in(&w->trouble, 0, SIM_SLOTS - 1)];
    int64_t kind = sim_rng_in(&w->trouble, 0, 99);
    bool copies = sim_rng_permille(&w->trouble, 150);
    if (!sim_may_fail(w))
        return;
    if (s->process != NULL)
        trouble_process(w, s, kind);
    if (kind >= 94 && (w->o.faults & SIM_FAULT_TAIL) != 0) {
        sim_log_lose_tail(w, (int32_t)sim_rng_in(&w->trouble, 0, SIM_PARTITIONS - 1),
                          sim_rng_in(&w->trouble, 1, 3));
    }
    if (kind < 3 && (w->o.faults & SIM_FAULT_AWAY) != 0)
        trouble_away(w);
    if (copies)
        c->redis_copy = c->redis;
    if (kind % 10 == 3 && (w->o.faults & SIM_FAULT_REDIS) != 0)
        trouble_redis(w, c);
}

/* ---- a person at the waiting room ---- */

static void operated(struct sim *w, struct sim_call *c)
{
    static const char *const names[] = {"now", "cancel", "redrive", "drop"};
    if (!c->failed && c->changed)
        sim_trace(w, "somebody does %s to a message of slice %d", names[c->operation], c->slice);
}

static void operate_on(struct sim *w, const struct sim_suspect *on, sim_operation what)
{
    int32_t times = what == SIM_OPERATE_REDRIVE ? 2 : 1; /* the button is clicked twice */
    for (int32_t i = 0; i < times; i++) {
        struct sim_call *c =
            sim_call_new(w, SIM_CALL_OPERATE, &w->cluster->supervisor, operated, NULL);
        c->session = sim_store_session(w);
        c->operation = what;
        c->processor = on->processor;
        c->slice = on->k;
        c->id = on->id;
        sim_call_send(w, c);
    }
}

/* Where a key is held since a death of its own, nothing goes on until somebody decides. */
static void decide_held(struct sim *w)
{
    const struct sim_store *s = w->store;
    for (int32_t i = 0; i < s->waiting_count; i++) {
        const struct sim_waiting *r = &s->waiting[i];
        if (r->row.reason == LEAT_WAIT_HELD) {
            operate_on(
                w, &(struct sim_suspect){.processor = r->processor, .k = r->row.k, .id = r->row.id},
                SIM_OPERATE_DROP);
        }
    }
}

static void operate(struct sim *w, void *who, void *data)
{
    (void)data;
    const struct sim_store *s = w->store;
    struct sim_task t = {.what = "operate", .fire = operate, .who = who};
    sim_after(w, sim_rng_in(&w->trouble, 100, 2500) * SIM_MS, &t);
    if (w->quiet) {
        decide_held(w);
        return;
    }
    int64_t any = sim_rng_in(&w->trouble, 0, 1 << 20);
    bool dead = sim_rng_permille(&w->trouble, 500);
    sim_operation what = (sim_operation)sim_rng_in(&w->trouble, 0, 3);
    if ((w->o.faults & SIM_FAULT_PERSON) == 0 || !sim_may_fail(w))
        return;
    if (dead && s->dead_count > 0) {
        const struct sim_dead *d = &s->dead[any % s->dead_count];
        operate_on(w, &(struct sim_suspect){.processor = d->processor, .k = d->k, .id = d->id},
                   what);
    } else if (!dead && s->waiting_count > 0) {
        const struct sim_waiting *r = &s->waiting[any % s->waiting_count];
        operate_on(w,
                   &(struct sim_suspect){.processor = r->processor, .k = r->row.k, .id = r->row.id},
                   what);
    }
}

/* ---- the store goes back ---- */

static void adopt(struct sim *w, void *who, void *data)
{
    (void)who;
    (void)data;
    sim_store_adopt(w);
}

static void promote(struct sim *w, void *who, void *data)
{
    (void)who;
    sim_standby_promote(w, data);
    w->store_back_us = w->now_us + sim_rng_in(&w->trouble, 200, 3000) * SIM_MS;
    struct sim_task t = {.what = "adopt", .fire = adopt};
    if (w->store->adopted != w->store->timeline)
        sim_after(w, sim_rng_in(&w->trouble, 500, 6000) * SIM_MS, &t);
}

static void lag(struct sim *w, void *who, void *data)
{
    (void)who;
    (void)data;
    int64_t lag_us = sim_rng_in(&w->trouble, 1, 1500) * SIM_MS;
    if (!sim_may_fail(w))
        return;
    struct sim_task t = {.what = "promote", .fire = promote, .data = sim_standby_copy(w)};
    sim_after(w, lag_us, &t);
}

/* ---- a topic is made again: all workers of its processor are down meanwhile ---- */

static void made_again(struct sim *w, void *who, void *data)
{
    (void)data;
    struct sim_cluster *c = who;
    int32_t topic = c->recreated.topic, k = c->recreated.k;
    const struct sim_lane *l = sim_store_lane(w->store, topic, k, topic / SIM_PRIORITIES);
    struct sim_partition *p = sim_log_partition(w, topic, k);
    /* The same records in another order: some known ids, other places; more or
     * fewer than before. */
    int64_t n = p->end;
    p->end = sim_rng_in(&w->trouble, 0, n);
    for (int64_t i = 0; i < n && p->end < SIM_RECORDS_MAX; i++) {
        struct sim_record *r = p->records[i % n], *copy = leat_arena_zalloc(w->arena, 1, sizeof *r);
        *copy = *r;
        copy->timestamp_ms = sim_now_ms(w);
        copy->settled = false;
        p->records[i] = copy;
    }
    c->recreated.done = true;
    c->recreated.next_offset = l == NULL ? 0 : l->next_offset;
    c->recreated.fingerprint = l == NULL ? 0 : l->fingerprint;
    sim_trace(w, "%s %d is made again with %lld records", sim_topic_name(topic), k,
              (long long)p->end);
    for (size_t i = 0; i < SIM_SLOTS; i++)
        start_in(w, &c->slots[i], SIM_SECOND);
}

static void recreate(struct sim *w, void *who, void *data)
{
    (void)data;
    struct sim_cluster *c = who;
    c->recreated.topic = (int32_t)sim_rng_in(&w->trouble, 0, 2 * SIM_PRIORITIES - 1);
    c->recreated.k = (int32_t)sim_rng_in(&w->trouble, 0, SIM_PARTITIONS - 1);
    for (size_t i = 0; i < SIM_SLOTS; i++) {
        if (c->slots[i].kind == SIM_WORKER && c->slots[i].process != NULL)
            crash(&c->slots[i]);
    }
    struct sim_task t = {.what = "made again", .fire = made_again, .who = c};
    sim_after(w, 3 * SIM_SECOND, &t);
}

/* ---- life ---- */

void sim_cluster_start(struct sim *w)
{
    struct sim_cluster *c = leat_arena_zalloc(w->arena, 1, sizeof *c);
    memcpy(c->slots, plan, sizeof plan);
    w->cluster = c;
    for (size_t i = 0; i < SIM_SLOTS; i++)
        start_in(w, &c->slots[i], sim_rng_in(&w->work, 0, 500) * SIM_MS);
    struct sim_task t = {.what = "trouble", .fire = trouble, .who = c};
    sim_after(w, SIM_SECOND, &t);
    c->supervisor = (struct sim_actor){.name = "supervisor", .index = 0};
    sim_actor_start(w, &c->supervisor);
    struct sim_task person = {.what = "operate", .fire = operate, .who = c};
    sim_after(w, SIM_SECOND, &person);
    struct sim_task back = {.what = "lag", .fire = lag};
    int64_t at_us = sim_rng_in(&w->trouble, w->o.busy_us / 5, w->o.busy_us * 3 / 2);
    if ((w->o.faults & SIM_FAULT_BACK) != 0 && at_us < w->o.busy_us * 3 / 4)
        sim_after(w, at_us, &back);
    struct sim_task again = {.what = "recreate", .fire = recreate, .who = c};
    if ((w->o.faults & SIM_FAULT_RECREATE) != 0)
        sim_after(w, w->o.busy_us / 2, &again);
}

void sim_cluster_stop(struct sim *w)
{
    for (struct sim_worker *p = w->cluster->workers; p != NULL; p = p->next)
        sim_worker_crash(p);
    for (size_t i = 0; i < SIM_SLOTS; i++) {
        if (w->cluster->slots[i].process != NULL)
            crash(&w->cluster->slots[i]);
    }
}
