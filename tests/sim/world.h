/* world.h - the simulated world: virtual clock, event queue, random numbers, processes that can
 * crash and pause, and the one place where a broken invariant is reported.
 *
 * One run = one struct sim = one seed: everything random comes from its three streams, everything
 * that happens is an event, so the same seed and options give the same history (its hash is
 * printed). */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "plants.h"

#define SIM_MS     INT64_C(1000)
#define SIM_SECOND INT64_C(1000000)

/* ---- random numbers: xoshiro256**, seeded by splitmix64 ---- */

struct sim_rng {
    uint64_t s[4];
};
void sim_rng_init(struct sim_rng *r, uint64_t seed);
uint64_t sim_rng_next(struct sim_rng *r);
int64_t sim_rng_in(struct sim_rng *r, int64_t from, int64_t to); /* both inclusive */
bool sim_rng_permille(struct sim_rng *r, int32_t permille);

/* ---- what may go wrong, and which defence is taken away ---- */

typedef enum sim_fault {
    SIM_FAULT_CRASH = 1 << 0,  /* a process ends, also at any of its waits; started again */
    SIM_FAULT_PAUSE = 1 << 1,  /* a process stops, often past its session, and resumes */
    SIM_FAULT_TWIN = 1 << 2,   /* its replacement starts under the same instance id meanwhile */
    SIM_FAULT_CUT = 1 << 3,    /* requests and replies of the store are lost */
    SIM_FAULT_LATE = 1 << 4,   /* the store carries out a request its client has given up */
    SIM_FAULT_MEMBER = 1 << 5, /* members leave and join */
    SIM_FAULT_COPY = 1 << 6,   /* clients and zombies publish a record twice */
    SIM_FAULT_STRAY = 1 << 7,  /* records in a partition their key does not belong to */
    SIM_FAULT_TAIL = 1 << 8,   /* Kafka loses the last records of an events partition */
    SIM_FAULT_ODD = 1 << 9,    /* undecodable, poison and retrying commands, refused records */
    SIM_FAULT_AWAY = 1 << 10,  /* nobody reaches the store, or Kafka, for a while */
    SIM_FAULT_DISK = 1 << 11,  /* a commit of the store holds its locks for up to seconds */
    SIM_FAULT_CLOCK = 1 << 12, /* wall clocks of processes step and differ */
    SIM_FAULT_BACK = 1 << 13,  /* the store fails over to a standby that lacks the last commits */
    SIM_FAULT_REDIS = 1 << 14, /* Redis loses checkpoints, or comes back older */
    SIM_FAULT_KILL = 1 << 15,  /* handlers that crash; kill -9 while slow handlers run */
    SIM_FAULT_PERSON =
        1 << 16, /* somebody hurries, cancels, redrives, drops what waits or is dead */
    SIM_FAULT_ALL = (1 << 17) - 1,
    SIM_FAULT_RECREATE = 1 << 17, /* by itself: a command topic is deleted and made again; its lane
                                     must stop and wait for a person */
} sim_fault;
const char *sim_fault_name(sim_fault f);

#define SIM_SET_MAX 16384 /* commands and faults that can be left out one by one */

struct sim_options {
    uint64_t seed;
    uint32_t faults;               /* sim_fault bits */
    const struct sim_plant *plant; /* NULL = none */
    bool verbose;
    int32_t commands;    /* how many clients send */
    int64_t busy_us;     /* faults and clients stop after this */
    int64_t quiet_us;    /* faults stop after this already */
    int64_t deadline_us; /* then everything must be settled by this */
    /* Left out, by number, in the order in which they are drawn; NULL = none. For minimising. */
    const uint8_t *no_command, *no_fault;
};

/* ---- processes ---- */

struct sim;
struct sim_event;

struct sim_actor {
    const char *name;
    int32_t index;
    bool up;
    bool paused;
    int64_t clock_ms; /* its wall clock is ahead of the world's by this */
    uint64_t life;    /* raised by every start and crash: events of another life are dropped */
    struct sim_event *deferred, **deferred_end;
    struct sim_actor *next; /* all that ever were */
};

typedef void (*sim_fire)(struct sim *w, void *who, void *data);

struct sim {
    struct sim_options o;
    int64_t now_us;
    uint64_t steps, hash;
    struct sim_rng work, net, trouble;
    int32_t batch_max; /* drawn from the seed: tiny batches and caches meet other paths */
    size_t cache_bytes;
    bool at_once;   /* handlers of different keys */
    bool flood;     /* one class gets more than fits for a while */
    uint32_t drawn; /* faults so far */
    struct sim_event **heap;
    size_t heap_len, heap_cap;
    uint64_t order;
    struct sim_event *spare;
    struct sim_actor *actors;
    struct leat_arena *arena;             /* lives as long as the run */
    bool quiet;                           /* no more faults */
    int64_t store_back_us, kafka_back_us; /* away until then */
    bool failed;
    char invariant[64];
    char why[512];
    struct sim_store *store;
    struct sim_log *log;
    struct sim_cluster *cluster; /* processes */
    struct sim_check *check;
    struct sim_outside *outside; /* what handlers do to the world: model.h */
};

void sim_init(struct sim *w, const struct sim_options *o);
void sim_done(struct sim *w);

/* `fire(w, who, data)` after `delay_us`, unless `actor` (NULL: the world itself) has crashed or
 * been restarted meanwhile: then `drop(data)`. A paused actor gets its events when it resumes.
 * `what` is static text, for the trace and the hash. */
struct sim_task {
    struct sim_actor *actor;
    uint64_t life; /* of the actor it is for; 0 = the present one */
    const char *what;
    sim_fire fire;
    void *who, *data;
    void (*drop)(void *data);
};
void sim_after(struct sim *w, int64_t delay_us, const struct sim_task *t);

/* Takes events until `until_us`, a broken invariant or an empty queue. */
void sim_run(struct sim *w, int64_t until_us);

void sim_actor_start(struct sim *w, struct sim_actor *a);
void sim_actor_crash(struct sim *w, struct sim_actor *a);
void sim_actor_pause(struct sim *w, struct sim_actor *a, int64_t for_us);

bool sim_faulty(struct sim *w, sim_fault f, int32_t permille); /* drawn from `trouble` */
bool sim_may_fail(struct sim *w);     /* numbers a fault; false = it is left out, or all is quiet */
int64_t sim_net_delay(struct sim *w); /* 0.1 .. 3 ms, seldom more */
static inline int64_t sim_now_ms(const struct sim *w)
{
    return 1600000000000 + w->now_us / SIM_MS;
}

/* What a process reads from its wall clock; clients, brokers and the store have the world's. */
static inline int64_t sim_wall_ms(const struct sim_actor *a, const struct sim *w)
{
    return sim_now_ms(w) + a->clock_ms;
}

/* The defence has been taken away. */
static inline bool sim_off(const struct sim *w, sim_defence d)
{
    return w->o.plant != NULL && (w->o.plant->off >> d & 1) != 0;
}

static inline bool sim_kafka_away(const struct sim *w)
{
    return w->now_us < w->kafka_back_us;
}

/* The first one is kept and ends the run. */
void sim_fail(struct sim *w, const char *invariant, const char *fmt, ...) LEAT_PRINTF(3, 4);
void sim_trace(struct sim *w, const char *fmt, ...) LEAT_PRINTF(2, 3);
void sim_mix(struct sim *w, uint64_t value);

#endif
