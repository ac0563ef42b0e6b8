#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct sim_event {
    int64_t at_us;
    uint64_t order;
    uint64_t life;
    struct sim_task task;
    struct sim_event *next; /* spare or deferred */
};

/* ---- random numbers ---- */

void sim_rng_init(struct sim_rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) {
        seed += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = seed;
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        r->s[i] = z ^ (z >> 31);
    }
}

static uint64_t rotate(uint64_t x, int by)
{
    return (x << by) | (x >> (64 - by));
}

uint64_t sim_rng_next(struct sim_rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

int64_t sim_rng_in(struct sim_rng *r, int64_t from, int64_t to)
{
    return from + (int64_t)(sim_rng_next(r) % (uint64_t)(to - from + 1));
}

bool sim_rng_permille(struct sim_rng *r, int32_t permille)
{
    return sim_rng_in(r, 0, 999) < permille;
}

/* ---- names ---- */

const char *sim_fault_name(sim_fault f)
{
    static const char *const names[] = {"crash", "pause", "twin",  "cut",  "late",   "member",
                                        "copy",  "stray", "tail",  "odd",  "away",   "disk",
                                        "clock", "back",  "redis", "kill", "person", "recreate"};
    size_t i = 0;
    while (i < sizeof names / sizeof names[0] && 1u << i != (uint32_t)f)
        i++;
    return i < sizeof names / sizeof names[0] ? names[i] : NULL;
}

/* ---- life of a run ---- */

void sim_init(struct sim *w, const struct sim_options *o)
{
    *w = (struct sim){.o = *o, .hash = UINT64_C(0xcbf29ce484222325)};
    sim_rng_init(&w->work, o->seed * 3 + 1);
    sim_rng_init(&w->net, o->seed * 3 + 2);
    sim_rng_init(&w->trouble, o->seed * 3 + 3);
    static const size_t caches[] = {0, 300, 1500, 1 << 20};
    static const int32_t batches[] = {1, 3, 16, 40, 200};
    w->cache_bytes = caches[sim_rng_in(&w->work, 0, 3)];
    w->batch_max = batches[sim_rng_in(&w->work, 0, 4)];
    w->at_once = sim_rng_permille(&w->work, 500);
    w->flood = sim_rng_permille(&w->work, 150);
    w->arena = leat_arena_new(1 << 16, 0);
}

static void undefer(struct sim *w, struct sim_actor *a);

static void drop_event(struct sim_event *e)
{
    if (e->task.drop != NULL)
        e->task.drop(e->task.data);
}

void sim_done(struct sim *w)
{
    for (struct sim_actor *a = w->actors; a != NULL; a = a->next)
        undefer(w, a);
    for (size_t i = 0; i < w->heap_len; i++) {
        drop_event(w->heap[i]);
        free(w->heap[i]);
    }
    while (w->spare != NULL) {
        struct sim_event *next = w->spare->next;
        free(w->spare);
        w->spare = next;
    }
    free(w->heap);
    leat_arena_free(w->arena);
}

/* ---- queue ---- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static void push(struct sim *w, struct sim_event *e)
{
    if (w->heap_len == w->heap_cap) {
        w->heap_cap = w->heap_cap == 0 ? 1024 : w->heap_cap * 2;
        w->heap = realloc(w->heap, w->heap_cap * sizeof(struct sim_event *));
        leat_assert(w->heap != NULL);
    }
    size_t i = w->heap_len++;
    for (; i > 0 && before(e, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = e;
}

static struct sim_event *pop(struct sim *w)
{
    struct sim_event *first = w->heap[0];
    struct sim_event *last = w->heap[--w->heap_len];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= w->heap_len)
            break;
        if (child + 1 < w->heap_len && before(w->heap[child + 1], w->heap[child]))
            child++;
        if (!before(w->heap[child], last))
            break;
        w->heap[i] = w->heap[child];
        i = child;
    }
    w->heap[i] = last;
    return first;
}

void sim_after(struct sim *w, int64_t delay_us, const struct sim_task *t)
{
    struct sim_event *e = w->spare;
    if (e != NULL) {
        w->spare = e->next;
    } else {
        e = malloc(sizeof *e);
    }
    leat_assert(e != NULL);
    leat_assert(delay_us >= 0);
    *e = (struct sim_event){.at_us = w->now_us + delay_us,
                            .order = w->order++,
                            .life = t->actor != NULL && t->life == 0 ? t->actor->life : t->life,
                            .task = *t};
    push(w, e);
}

static void spare(struct sim *w, struct sim_event *e)
{
    e->next = w->spare;
    w->spare = e;
}

void sim_mix(struct sim *w, uint64_t value)
{
    w->hash = (w->hash ^ value) * UINT64_C(0x100000001b3);
    w->hash ^= w->hash >> 29;
}

static void fire(struct sim *w, struct sim_event *e)
{
    w->steps++;
    sim_mix(w, (uint64_t)w->now_us);
    sim_mix(w, (uint64_t)(unsigned char)e->task.what[0] * 31 +
                   (uint64_t)(unsigned char)e->task.what[1]);
    sim_mix(w, e->task.actor == NULL ? 999 : (uint64_t)e->task.actor->index);
    struct sim_task t = e->task;
    spare(w, e);
    t.fire(w, t.who, t.data);
}

static void take(struct sim *w, struct sim_event *e)
{
    struct sim_actor *a = e->task.actor;
    w->now_us = e->at_us;
    if (a != NULL && (!a->up || a->life != e->life)) {
        drop_event(e);
        spare(w, e);
    } else if (a != NULL && a->paused) {
        e->next = NULL;
        *a->deferred_end = e;
        a->deferred_end = &e->next;
    } else {
        fire(w, e);
    }
}

void sim_run(struct sim *w, int64_t until_us)
{
    while (!w->failed && w->heap_len > 0 && w->heap[0]->at_us <= until_us)
        take(w, pop(w));
    if (!w->failed && w->now_us < until_us)
        w->now_us = until_us;
}

/* ---- processes ---- */

static void undefer(struct sim *w, struct sim_actor *a)
{
    struct sim_event *e = a->deferred;
    a->deferred = NULL;
    a->deferred_end = &a->deferred;
    while (e != NULL) {
        struct sim_event *next = e->next;
        e->at_us = w->now_us;
        e->order = w->order++;
        push(w, e);
        e = next;
    }
}

void sim_actor_start(struct sim *w, struct sim_actor *a)
{
    leat_assert(!a->up);
    a->up = true;
    a->life++;
    a->deferred_end = &a->deferred;
    a->next = w->actors;
    w->actors = a;
}

void sim_actor_crash(struct sim *w, struct sim_actor *a)
{
    a->up = false;
    a->paused = false;
    a->life++;
    undefer(w, a); /* they are dropped when they come up */
}

static void resume(struct sim *w, void *who, void *data)
{
    struct sim_actor *a = who;
    uint64_t life = (uint64_t)(uintptr_t)data;
    if (!a->up || a->life != life || !a->paused)
        return;
    sim_trace(w, "%s resumes", a->name);
    a->paused = false;
    undefer(w, a);
}

void sim_actor_pause(struct sim *w, struct sim_actor *a, int64_t for_us)
{
    if (!a->up || a->paused)
        return;
    sim_trace(w, "%s pauses for %lld ms", a->name, (long long)(for_us / SIM_MS));
    a->paused = true;
    struct sim_task t = {
        .what = "resume", .fire = resume, .who = a, .data = (void *)(uintptr_t)a->life};
    sim_after(w, for_us, &t);
}

/* ---- chance ---- */

bool sim_may_fail(struct sim *w)
{
    if (w->quiet || w->now_us >= w->o.quiet_us)
        return false;
    uint32_t n = w->drawn++;
    return w->o.no_fault == NULL || n >= SIM_SET_MAX || !w->o.no_fault[n];
}

bool sim_faulty(struct sim *w, sim_fault f, int32_t permille)
{
    return !w->quiet && (w->o.faults & (uint32_t)f) != 0 &&
           sim_rng_permille(&w->trouble, permille) && sim_may_fail(w);
}

int64_t sim_net_delay(struct sim *w)
{
    int64_t us = sim_rng_in(&w->net, 100, 3000);
    return sim_rng_permille(&w->net, 10) ? us * 50 : us;
}

/* ---- reports ---- */

void sim_fail(struct sim *w, const char *invariant, const char *fmt, ...)
{
    if (w->failed)
        return;
    w->failed = true;
    (void)snprintf(w->invariant, sizeof w->invariant, "%s", invariant);
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(w->why, sizeof w->why, fmt, args);
    va_end(args);
    sim_trace(w, "BROKEN %s: %s", w->invariant, w->why);
}

void sim_trace(struct sim *w, const char *fmt, ...)
{
    if (!w->o.verbose)
        return;
    va_list args;
    va_start(args, fmt);
    printf("%10.3f ms  ", (double)w->now_us / 1000.0);
    (void)vprintf(fmt, args);
    printf("\n");
    va_end(args);
}
