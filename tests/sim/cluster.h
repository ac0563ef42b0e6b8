/* cluster.h - the processes: workers, relays, projectors, and the trouble they are put to.
 *
 * A process is one incarnation: after a crash a new one takes its instance id. Nothing of a dead
 * one survives but its requests on the network. */
#ifndef SIM_CLUSTER_H
#define SIM_CLUSTER_H

#include "log.h"
#include "store.h"
#include "worker/flow.h"
#include "worker/ownership.h"
#include "world.h"

#define SIM_EXECUTORS   2
#define SIM_RUNNERS_MAX 3

/* ---- a worker process of one processor ---- */

#define SIM_LETTER_SUSPECTS 16

struct sim_letter { /* to an executor: stop k (epoch 0), or start it */
    int32_t k;
    int64_t epoch, head;
    struct leat_uuid store_id;
    struct leat_lane_position at[8];
    size_t lane_count;
    struct sim_suspect suspects[SIM_LETTER_SUSPECTS];
    size_t suspect_count;
    struct sim_fences lane_epochs; /* planted; 0 = not won */
};
#define SIM_LETTERS_MAX 64

struct sim_worker;

struct sim_executor {
    struct sim_worker *worker;
    struct leat_flow *flow;
    uint64_t session;
    bool busy, in_transaction, timer;
    bool settling; /* planted: lanes are read instead of acquired */
    int64_t retry_at_us, tail_at_us, epoch_at_us;
    int32_t failures;
    struct sim_letter letters[SIM_LETTERS_MAX], starting;
    size_t first_letter, letter_count;
    struct { /* per lane of the flow */
        int32_t topic, k;
        int64_t count;   /* planted: what is taken for the seq */
        int32_t starved; /* batches that went without its overdue first record */
    } lanes[64];
    struct {           /* per k */
        int64_t epoch; /* 0 = not here */
        struct leat_uuid store_id;
        struct sim_fences lane_epochs;
    } ks[SIM_PARTITIONS];
    struct sim_suspect at[SIM_RUNNERS_MAX]; /* what each runner is at */
    struct sim_suspect slow;                /* the last slow one; k -1 = none runs */
    struct sim_suspect crashed;             /* its handler has ended the process; k -1 = none */
    int64_t out;                            /* records not yet released */
};

struct sim_worker {
    struct sim *w;
    struct sim_actor actor;
    char name[32];
    int32_t processor, instance;
    struct leat_dispatch *dispatch;
    struct sim_member member;
    struct leat_ownership ownership;
    struct leat_held held[SIM_PARTITIONS];
    struct sim_letter claimed[SIM_PARTITIONS]; /* as the last claim found them */
    struct sim_executor executors[SIM_EXECUTORS];
    struct sim_fences lane_epochs[SIM_PARTITIONS]; /* planted: as read */
    uint64_t session, confirmed;                   /* confirmed: member id at the last try */
    bool busy, timer;                /* the group's thread awaits something; its back-off runs */
    bool revoke, lost;               /* callbacks not yet served */
    bool assign, ks[SIM_PARTITIONS]; /* given, not yet served */
    bool draining, leaving;
    int32_t stopping; /* executors that have not yet let go */
    uint64_t drain;
    struct sim_worker *next;
};

struct sim_worker *sim_worker_start(struct sim *w, int32_t processor, int32_t instance);
void sim_worker_crash(struct sim_worker *p);
void sim_worker_leave(struct sim_worker *p); /* leaves the group and joins again */

/* sim_executor.c */
void sim_executor_init(struct sim_executor *e, struct sim_worker *p);
void sim_executor_done(struct sim_executor *e);
void sim_executor_post(struct sim_executor *e, const struct sim_letter *l);
/* sim_records.c: as leat_flow_config has them, and what the flow is given. */
bool sim_record_header(void *arg, const struct leat_incoming *r, const char *name,
                       struct leat_str *ret_value);
void sim_record_pack(void *arg, const struct leat_incoming *r, struct leat_buf *out);
void sim_record_release(void *arg, struct leat_incoming *r);
void sim_take_lane(struct sim_executor *e, size_t lane);
struct leat_incoming sim_fetched(struct sim_executor *e, const struct leat_stored_event *stored);
struct leat_flow_waiter sim_waiter(struct sim_executor *e, const struct leat_waiting_row *row,
                                   size_t asked);
/* check_ageing.c */
void check_ageing(struct sim_executor *e, const struct leat_batch *b);
/* Back in sim_worker.c: */
void sim_worker_lost(struct sim_worker *p, int32_t k, int64_t epoch);
void sim_worker_started(struct sim_worker *p, int32_t k, bool started);

/* ---- relays and projectors ---- */

struct sim_relay;
struct sim_relay *sim_relay_start(struct sim *w, int32_t instance);
void sim_relay_crash(struct sim_relay *r);
void sim_relay_leave(struct sim_relay *r);
struct sim_actor *sim_relay_actor(struct sim_relay *r);

struct sim_projector;
struct sim_projector *sim_projector_start(struct sim *w, int32_t instance); /* from 2: Redis */
void sim_projector_crash(struct sim_projector *p);
struct sim_actor *sim_projector_actor(struct sim_projector *p);
int64_t sim_projector_at(const struct sim_projector *p, int32_t k); /* seq it knows of */

/* Rows and checkpoints, written by two projectors: an LMDB file, or what Redis holds. Rows of
 * streams belong to one slice. Shared rows are fed by several: in LMDB one row each (of slice 0),
 * in Redis one per slice, merged when read. */
#define SIM_SHARED_ROWS 5
struct sim_shared_row {
    int64_t sum, count, max;
    int64_t latest_at_us, latest_seq, latest; /* of the event recorded last */
    int32_t latest_k;
};
struct sim_file {
    struct sim_file_slice {
        int64_t seq;
        struct leat_uuid store_id, event_id;
        int64_t rows_seq; /* Redis: as the rows themselves say */
        bool missing;     /* Redis has lost the checkpoint */
        struct sim_shared_row shared[SIM_SHARED_ROWS];
    } slices[SIM_PARTITIONS];
    struct sim_model_row {
        int64_t sum, count;
        uint64_t digest; /* of the events in the order they were applied */
    } rows[SIM_STREAMS_MAX];
};
/* model_rows.c: one event into a row; merging. */
void sim_row_apply(struct sim_model_row *row, const struct sim_event_body *e);
void sim_shared_apply(const struct sim *w, struct sim_shared_row *row, const struct sim_stored *e);
void sim_shared_merge(struct sim_shared_row *into, const struct sim_shared_row *other);

/* ---- all of them ---- */

typedef enum sim_kind {
    SIM_WORKER,
    SIM_RELAY,
    SIM_PROJECTOR
} sim_kind;

struct sim_slot { /* an instance id and who runs under it now; NULL = down */
    sim_kind kind;
    int32_t processor, instance;
    void *process;
};
#define SIM_SLOTS 15

struct sim_cluster {
    struct sim_slot slots[SIM_SLOTS];
    struct sim_file file, redis, redis_copy;
    struct sim_actor supervisor; /* of all workers; also a person who operates: never fails */
    struct {                     /* SIM_FAULT_RECREATE: which lane, and where it stood */
        bool done;
        int32_t topic, k;
        int64_t next_offset;
        uint64_t fingerprint;
    } recreated;
    int32_t actors; /* made so far */
    uint64_t crashes, pauses, twins;
    struct sim_worker *workers; /* all ever made */
};

void sim_cluster_start(struct sim *w);
void sim_cluster_stop(struct sim *w);                /* frees what processes still hold */
void sim_cluster_gone(struct sim *w, void *process); /* it ended by itself: restart its slot */
/* The process that waits for something is killed there, now and then. */
void sim_cluster_await(struct sim *w, const struct sim_actor *a);
/* A handler ended its process, or kill -9 did while one ran. */
void sim_cluster_signal(struct sim *w, struct sim_executor *e);
void sim_cluster_hunt(struct sim *w, struct sim_executor *e, int64_t within_us);

#endif
