/* executor_watch.h - what an executor's lanes are at, for whoever asks why one stands still.
 * Private to the worker. The executor's thread writes, under the executor's mutex; anybody may ask,
 * while that thread is in a handler or waits for Postgres. */
#ifndef LEAT_WORKER_EXECUTOR_WATCH_H
#define LEAT_WORKER_EXECUTOR_WATCH_H

#include "worker/executor.h"
#include "worker/ownership.h"
#include "worker/watch.h"

struct watched_lane {
    struct leat_flow_lane spec; /* where it is read from; the offsets are those of its start */
    bool known;                 /* it is ours, or was until its k was lost */
    struct leat_lane_watch watch;
    int64_t until_ms; /* what holds it is tried again; unix ms, 0 = none */
    char text[200];   /* what holds it or stopped it */
};

struct executor_watch {
    size_t *lane_of; /* flow lane -> of `lanes`; of the executor's thread */
    size_t lane_of_cap;
    int64_t highs_due_ms;

    /* under the mutex */
    struct watched_lane *lanes; /* one for each lane there ever was */
    size_t lane_count, lane_cap;
    struct leat_executor_seen at;
    int64_t trouble_ms; /* the last time; mono */
    int32_t blocked_by; /* pid of Postgres, 0 = not by a lock */
    char trouble[200];
    int64_t away_since_ms; /* unix; no connection can be made since then; 0 = there is one */
    uint64_t *turns;       /* of each runner, when it was looked at last */
    int64_t *ran_since_ms; /* mono */
};

/* ---- the executor's thread ---- */
void leat_executor_doing(struct leat_executor *e, leat_doing doing);
/* A call of the store failed, or none can be made (`away`); NULL: one that writes was answered. */
void leat_executor_trouble(struct leat_executor *e, const struct leat_error *err);
void leat_executor_away(struct leat_executor *e, bool away);
/* A lane begins in the flow, or all are given up. */
void leat_executor_watch_lane(struct leat_executor *e, size_t flow_lane,
                              const struct leat_flow_lane *spec);
void leat_executor_watch_forget(struct leat_executor *e);
void leat_executor_watch(struct leat_executor *e); /* as the flow is now */
void leat_executor_watch_done(struct leat_executor *e);

/* ---- any thread ---- */
/* Adds lanes that stand still, and whether the store is away. `held` of each k. */
void leat_executor_stalled(struct leat_executor *e, const struct leat_held *held,
                           struct leat_worker_figures *add);
/* ---- the group's thread ---- */
struct leat_overdue {
    struct leat_flow_lane lane;
    size_t index;
    int64_t position, high, stalled_ms;
    int32_t on_hand;
};
/* The next lane from *at on that is to be looked at; false: none. */
bool leat_executor_overdue(struct leat_executor *e, size_t *at, struct leat_overdue *ret);
bool leat_executor_looked(struct leat_executor *e, const struct leat_overdue *o, leat_look found);

#endif
