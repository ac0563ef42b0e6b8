/* executor_internal.h - shared by executor.c and executor_orders.c; nobody else includes it. */
#ifndef LEAT_WORKER_EXECUTOR_INTERNAL_H
#define LEAT_WORKER_EXECUTOR_INTERNAL_H

#include <pthread.h>

#include "store/lineage.h"
#include "worker/executor.h"
#include "worker/executor_watch.h"
#include "worker/flow_records.h"
#include "worker/pool.h"
#include "worker/running.h"
#include "worker/sync.h"

#define LANE_TOPIC_MAX    256
#define EXECUTOR_TAKE_MAX 1024

struct order { /* from the group's thread */
    struct leat_executor_start start;
    struct order *next;
};

struct leat_executor {
    struct leat_released released; /* first: what flow_records.h takes for `arg` */
    struct leat_executor_config c;
    pthread_t thread;
    int wake_fd;
    struct leat_flow *flow;
    struct leat_pool *pool;             /* NULL: handlers run one by one */
    struct leat_running_slot **running; /* of each runner; NULL: it is not watched */
    struct leat_store *store;
    struct leat_arena *arena;    /* replies and loads, one batch */
    struct leat_lineage lineage; /* of a policy: as of when it last acquired */
    struct leat_group *group;    /* as last seen by the thread */
    size_t *group_lane;          /* flow lane -> lane of the group */
    size_t group_lane_cap;
    struct leat_waiting_ref due[EXECUTOR_TAKE_MAX];
    int64_t commit_due_ms, retry_at_ms, tail_due_ms, standing_due_ms;
    int32_t failures;
    int64_t batch_us; /* when the last batch began */
    bool small;       /* it was */
    bool started;     /* a first record was seen */
    bool more;        /* a lane had more than was taken: do not wait */

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    struct leat_group *next_group;
    struct order *orders, **orders_end;
    bool stop, stopped, quit, ended;
    struct lane_stop {
        size_t lane;
        char why[200];
        struct lane_stop *next;
    } * lane_stops; /* that nothing was done about yet */
    struct leat_worker_figures figures;
    struct executor_watch watch;
};

/* executor_orders.c; the executor's thread calls them. */
bool leat_executor_obey(struct leat_executor *e); /* false: quit */
void leat_executor_obey_stop(struct leat_executor *e);
void leat_executor_drop_orders(struct leat_executor *e); /* mutex held, or nobody else there */
void leat_executor_publish(struct leat_executor *e);     /* figures */
/* executor_lineage.c: what of the events topic is part of the store's history. */
bool leat_executor_lineage(struct leat_executor *e, const struct leat_executor_start *s);
bool leat_executor_is_void(void *arg, const struct leat_incoming *r, int32_t k, int64_t seq);
/* executor_running.c: tells the supervisor what is being run. */
void leat_executor_watched(struct leat_executor *e, struct leat_flow_config *fc);
void leat_executor_acquit(struct leat_executor *e); /* after a reply: who had crashed, is settled */
/* executor.c */
void leat_executor_done(struct leat_executor *e);
void leat_executor_start_over(struct leat_executor *e); /* the connection is a new one */
/* False: there was none. A new one, if it could be had, has been started over with. */
bool leat_executor_connected(struct leat_executor *e);
void leat_executor_give_back_lost(struct leat_executor *e);
/* executor_standing.c */
void leat_executor_standing(struct leat_executor *e);

#endif
