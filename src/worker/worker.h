/* worker.h - runs one processor in this process: a group member and its executors (design 4).
 *
 * Threads: one for the group (rebalances, acquiring), `threads` executors, each with a Postgres
 * connection of its own and the ks with k % threads == its number. */
#ifndef LEAT_WORKER_WORKER_H
#define LEAT_WORKER_WORKER_H

#include "base/status.h"
#include "codec/schemas.h"
#include "guard/breaker.h"
#include "store/store.h"
#include "topology/topology.h"
#include "worker/watch.h"

struct leat_worker;

struct leat_worker_config {
    const struct leat_topology *topology;
    const struct leat_processor *processor;
    const struct leat_store_options *store;
    struct leat_schemas *schemas;
    const char *instance_id;    /* static membership; NULL: dynamic */
    int32_t session_timeout_ms; /* 0 = 6000 */
    int32_t threads;            /* 0 = the processor's */
    int32_t batch_max;          /* 0 = 2000 */
    size_t cache_bytes;         /* states kept by each executor; 0 = 8 MiB */
    /* Work on this k alone of those that Kafka assigns; the others stay as they are, unread. NULL:
     * all. For a debugger; the group must have no other member, who would miss them. */
    const int32_t *only_k;
    /* Called after each positive reply, from executor threads; NULL allowed. */
    void (*appended)(void *arg, const struct leat_batch *batch, const struct leat_reply *reply);
    void *arg;
};
/* How many executors a worker gets: `asked`, else the processor's `threads`, else one a CPU of this
 * machine but 2 to 4; never more than partitions. */
int32_t leat_worker_executors(const struct leat_topology *t, const struct leat_processor *p,
                              int32_t asked);

LEAT_MUST_CHECK leat_status leat_worker_start(const struct leat_worker_config *c,
                                              struct leat_worker **ret, struct leat_error *err);
/* Finishes the batches under way, commits offsets, leaves; at most timeout_ms. Frees. False: a
 * handler runs on and on, and may return yet: the process is to end, and nothing of what the worker
 * was given (topology, schemas, `arg`) may be freed before. */
bool leat_worker_stop(struct leat_worker *w, int timeout_ms);

/* A lane that has lag and makes no progress for LEAT_STALL_MS, and why; or, with lag -1, a
 * partition of the anchor topic that we do not have (-1: none of them). Times are unix ms. */
struct leat_stalled {
    char topic[250];
    int32_t partition;
    int64_t lag, since_ms;
    leat_stall why;
    int64_t because_since_ms, until_ms; /* of the reason, where it has one; else 0 */
    char text[200]; /* the reason in words, without numbers that move; one line of UTF-8. Of a
                       handler: what it runs on; "" where nobody watches over handlers */
};
#define LEAT_STALLED_MAX 16

struct leat_worker_figures {
    uint64_t batches, commands, events, accepted, rejected, dead, forwarded, duplicates, conflicts,
        retries, parked, fenced, foreign_partition, write_trips, read_trips, folded, snapshots,
        snapshots_damaged, lane_restarts;
    int32_t ks_owned;
    int32_t ks_acquiring; /* assigned, not yet ours; for 5 s, if they were lost */
    bool joined;          /* Kafka has assigned something (or nothing) at least once */
    int32_t lanes_stopped;
    char why[256]; /* the first lane that does not flow, and why; "" = all flow */
    /* Lanes held by a message that answered retry, of which the longest held one is named: */
    int32_t lanes_held;
    int64_t held_since_ms; /* unix ms */
    char held[512];        /* its topic[partition]@offset, key, id and attempt; "" = none */
    char held_text[200];   /* what the handler said */
    /* Lanes of ours; those of them that stand still, and those not for want of room to wait in: */
    int32_t lanes, lanes_stalled, lanes_unable;
    int32_t stalled_count;
    struct leat_stalled stalled[LEAT_STALLED_MAX]; /* the longest, first */
    int64_t store_away_since_ms;                   /* no connection is to be had; 0 = there is */
    char store_away[200];
};
/* Adds one, or keeps the longest. */
void leat_worker_add_stalled(struct leat_worker_figures *f, const struct leat_stalled *s);
void leat_worker_figures(struct leat_worker *w, struct leat_worker_figures *ret);
/* Of one of the processor's `calls`, in this process; times are of leat_mono_us(), in ms. */
void leat_worker_circuit(struct leat_worker *w, uint32_t call, struct leat_breaker_figures *ret);

#endif
