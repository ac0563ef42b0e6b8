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

#define SIM_EXECUTORS 2

/* ---- a worker process of one processor ---- */

struct sim_letter { /* to an executor: stop k (epoch 0), or start it */
    int32_t k;
    int64_t epoch, head;
    struct leat_lane_position at[8];
    size_t lane_count;
};
#define SIM_LETTERS_MAX 64

struct sim_worker;

struct sim_executor {
    struct sim_worker *worker;
    struct leat_flow *flow;
    uint64_t session;
    bool busy, in_transaction, timer;
    bool settling; /* planted: lanes are read instead of acquired */
    int64_t retry_at_us, tail_at_us;
    int32_t failures;
    struct sim_letter letters[SIM_LETTERS_MAX];
    size_t first_letter, letter_count;
    struct { /* per lane of the flow */
        int32_t topic, k;
    } lanes[64];
    int64_t out; /* records not yet released */
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
    uint64_t session;
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
/* Back in sim_worker.c: */
void sim_worker_lost(struct sim_worker *p, int32_t k);
void sim_worker_started(struct sim_worker *p, int32_t k, bool started);

/* ---- relays and projectors ---- */

struct sim_relay;
struct sim_relay *sim_relay_start(struct sim *w, int32_t instance);
void sim_relay_crash(struct sim_relay *r);
void sim_relay_leave(struct sim_relay *r);
struct sim_actor *sim_relay_actor(struct sim_relay *r);

struct sim_projector;
struct sim_projector *sim_projector_start(struct sim *w, int32_t instance);
void sim_projector_crash(struct sim_projector *p);
struct sim_actor *sim_projector_actor(struct sim_projector *p);
int64_t sim_projector_at(const struct sim_projector *p, int32_t k); /* seq it knows of */

/* The LMDB file both projectors write: rows and checkpoints. */
struct sim_file {
    struct sim_file_slice {
        int64_t seq;
        struct leat_uuid store_id, event_id;
    } slices[SIM_PARTITIONS];
    struct sim_model_row {
        int64_t sum, count;
        uint64_t digest; /* of the events in the order they were applied */
    } rows[SIM_STREAMS_MAX];
};

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
#define SIM_SLOTS 13

struct sim_cluster {
    struct sim_slot slots[SIM_SLOTS];
    struct sim_file file;
    struct { /* SIM_FAULT_RECREATE: which lane, and where it stood */
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

#endif
