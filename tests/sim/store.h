/* store.h - the simulated store: what store/store.h promises, with a network in between.
 *
 * A call travels to the store, is carried out there in one instant (row locks make it so), and its
 * reply travels back. On the way requests and replies get lost, connections are cut, and a request
 * is carried out long after its client has given up. Locks taken by SIM_CALL_LOCK are held across
 * calls and end with the transaction, by its time limit at the latest; whoever meets them waits. */
#ifndef SIM_STORE_H
#define SIM_STORE_H

#include "model.h"
#include "store/store.h"
#include "world.h"

/* ---- calls ---- */

typedef enum sim_call_kind {
    SIM_CALL_FENCES,
    SIM_CALL_CLAIM,
    SIM_CALL_LOAD,
    SIM_CALL_LOCK,
    SIM_CALL_APPEND,
    SIM_CALL_ABORT,
    SIM_CALL_PUBLISHED,
    SIM_CALL_CLAIM_RELAY,
    SIM_CALL_RECORD,
    SIM_CALL_SLICE,
    SIM_CALL_OUTBOX,
    SIM_CALL_BLAME,   /* tries -1: forget it */
    SIM_CALL_WAITING, /* keys of a k */
    SIM_CALL_DUE,     /* rows asked for, whole */
    SIM_CALL_OPERATE,
} sim_call_kind;
typedef enum sim_operation {
    SIM_OPERATE_NOW,
    SIM_OPERATE_CANCEL,
    SIM_OPERATE_REDRIVE,
    SIM_OPERATE_DROP,
} sim_operation;

struct sim_fences { /* planted: an epoch per lane */
    int64_t epoch[SIM_PRIORITIES];
};
struct sim_suspect { /* a message, and its tries that ended with a fatal signal of its own */
    int32_t processor, k, tries;
    struct leat_uuid id;
    const char *topic; /* where it was when it ran; static; "" = in the waiting room */
    int64_t offset;
};
#define SIM_SUSPECTS_MAX 64

struct sim_call;
typedef void (*sim_reply)(struct sim *w, struct sim_call *c);

struct sim_call {
    sim_call_kind kind;
    struct sim_actor *actor;
    uint64_t life;
    sim_reply
        reply; /* called once in the actor's life: with `failed` when the outcome is unknown */
    void *who;
    struct leat_arena *arena; /* of inputs and results; freed after reply returns */
    uint64_t session;         /* of the connection; transactions belong to it */
    bool in_transaction;      /* opened by an earlier SIM_CALL_LOCK of the session */
    uint64_t caller;          /* identity for the checker: actor and life */
    bool failed;
    /* in */
    int32_t processor, slice, wait_ms;
    int32_t *ks;
    int64_t *expected, after, upto;
    size_t n, limit;
    struct leat_batch batch;
    struct leat_stream_want *wants;
    struct leat_published *moves;
    uint64_t member;                                  /* CLAIM: as the coordinator confirmed it */
    struct sim_fences (*lane_epochs)[SIM_PARTITIONS]; /* when SIM_D_ONE_FENCE is off; in and out */
    struct sim_suspect suspect;                       /* BLAME */
    const struct leat_waiting_ref *refs_asked;        /* DUE */
    sim_operation operation;                          /* OPERATE */
    struct leat_uuid id;
    /* out */
    struct leat_fence_state *fences;
    struct leat_lane_position *lanes;
    size_t lane_count;
    struct leat_loaded loaded;
    struct leat_reply result;
    struct leat_published *published;
    struct leat_stored_event *events;
    struct leat_outbox_row *rows;
    size_t row_count;
    struct leat_uuid store_id, parent; /* PUBLISHED, SLICE: of the (first) slice asked */
    int64_t fork_seq;
    struct leat_waiting_row *waiting; /* [row_count] */
    size_t *asked;
    bool changed;                 /* OPERATE */
    struct sim_suspect *suspects; /* CLAIM */
    size_t suspect_count;
    /* the network's */
    int refs;
    bool answered, half; /* half: of a planted claim, the first lane's epoch is raised */
    int64_t waits_until_us;
    struct sim_seen *seen; /* what a snapshot from before the wait shows, where that is planted */
    struct sim *world;
};

struct sim_call *sim_call_new(struct sim *w, sim_call_kind kind, struct sim_actor *actor,
                              sim_reply reply, void *who);
void sim_call_copy_batch(struct sim_call *c, const struct leat_batch *b);
void sim_call_send(struct sim *w, struct sim_call *c); /* takes it */

/* ---- tables: the checker reads them ---- */

#define SIM_EVENTS_MAX   8192
#define SIM_COMMANDS_MAX 8192
#define SIM_STREAMS_MAX  256
#define SIM_LANES_MAX    64
/* Of a `commands` that is partitioned by time; planted look-ups stay within one. */
#define SIM_TIME_PARTITION_US (10 * SIM_SECOND)

struct sim_stream {
    int32_t k;
    struct leat_str name;
    int64_t version;
    struct sim_state state; /* the checker's own fold */
    int64_t kept_version;   /* of the snapshot; 0 = none */
    struct sim_state kept;
};
struct sim_stored {
    int32_t k, stream;
    int64_t seq, version, recorded_at_us;
    struct leat_uuid id, command_id;
    struct leat_str type;
    struct sim_event_body body;
};
struct sim_row { /* of `commands` */
    int32_t k, processor, lane;
    struct leat_uuid id;
    leat_outcome outcome;
    uint32_t events, sends;
    int64_t offset, at_us;
    uint64_t settled; /* order of settling, over all */
    int32_t next;     /* hash chain */
};
struct sim_waiting {
    int32_t processor;
    struct leat_waiting_row row;
};
typedef enum sim_dead_state {
    SIM_DEAD,
    SIM_REDRIVING,
    SIM_DEAD_SETTLED,
    SIM_DROPPED,
    SIM_QUARANTINED,
} sim_dead_state;
struct sim_dead { /* a dead letter, with all it takes to handle it again */
    int32_t processor, k, redrives;
    sim_dead_state state;
    struct leat_uuid id;
    struct leat_waiting_row row;
};
#define SIM_WAITING_MAX  2048
#define SIM_DEAD_MAX     1024
#define SIM_RELEASED_MAX 1024

struct sim_outbox {
    int64_t seq;
    int32_t topic, partition;
    struct leat_str key, headers, value;
    bool key_null;
    struct sim_outbox *next;
};
struct sim_slice {
    struct leat_uuid store_id, parent;
    int64_t fork_seq;
    int64_t head, outbox_head;
    int32_t *events; /* [seq - 1] -> index of store.events */
    struct sim_outbox *outbox, **outbox_end;
    int64_t relay_epoch, published, outbox_published;
    uint64_t lock; /* session, 0 = free */
};
struct sim_owner {
    int64_t epoch;
    struct sim_fences lanes; /* planted */
    uint64_t owner;          /* caller whose claim was the last */
    int64_t claimed_us;
    uint64_t lock;
};
struct sim_lane {
    int32_t topic, k, processor;
    int64_t next_offset, next_seq;
    uint64_t fingerprint;
    int64_t bare_epoch; /* whose batch left it without */
};
struct sim_transaction { /* opened by SIM_CALL_LOCK, or for the time a commit takes */
    uint64_t session;
    int64_t until_us;
};
#define SIM_TRANSACTIONS 64
struct sim_seen {
    int32_t rows;
    int64_t versions[SIM_STREAMS_MAX], heads[SIM_PARTITIONS];
    struct sim_lane lanes[SIM_LANES_MAX];
    int32_t lane_count;
};

struct sim_store {
    struct sim_owner owners[SIM_PROCESSORS][SIM_PARTITIONS];
    struct sim_slice slices[SIM_PARTITIONS];
    struct sim_lane lanes[SIM_LANES_MAX];
    int32_t lane_count;
    struct sim_stream streams[SIM_STREAMS_MAX];
    int32_t stream_count;
    struct sim_stored *events;
    int32_t event_count;
    struct sim_row *rows;
    int32_t row_count;
    int32_t *row_hash; /* [SIM_COMMANDS_MAX], -1 = empty */
    struct sim_transaction transactions[SIM_TRANSACTIONS];
    struct sim_suspect suspects[SIM_SUSPECTS_MAX];
    int32_t suspect_count;
    uint64_t sessions, settled;
    uint64_t dead_session; /* connections up to this one are cut */
    int64_t timeline, adopted;
    struct sim_waiting *waiting; /* [SIM_WAITING_MAX] */
    struct sim_dead *dead;       /* [SIM_DEAD_MAX] */
    struct leat_uuid released[SIM_RELEASED_MAX];
    int32_t waiting_count, dead_count, released_count;
    int64_t scheduled, unscheduled, parked, retried, cancelled; /* figures of the rows */
    int64_t refused;                                            /* outbox rows put aside */
    uint64_t appends, conflicts, fenced, duplicates, snapshots, snapshots_read; /* figures */
};

void sim_store_init(struct sim *w);
uint64_t sim_store_session(struct sim *w); /* a new connection */
const struct sim_row *sim_store_row(const struct sim_store *s, int32_t k, int32_t processor,
                                    const struct leat_uuid *id);
struct sim_lane *sim_store_lane(struct sim_store *s, int32_t topic, int32_t k, int32_t processor);
int32_t sim_processor_find(struct leat_str name);

/* sim_store.c: what a call does once nothing holds it up. */
void sim_store_perform(struct sim *w, struct sim_call *c);
/* store_append.c: SIM_CALL_APPEND carried out; false: it ended in an error, nothing is done. */
bool sim_store_append(struct sim *w, struct sim_call *c);
int32_t sim_store_stream(struct sim *w, int32_t k, struct leat_str name);
/* The row of a message that a person gives up. */
void sim_store_bury(struct sim *w, int32_t processor, const struct leat_waiting_row *row);

/* ---- sim_waiting.c ---- */
void sim_waits_copy(struct sim_call *c, const struct leat_batch *b);
void sim_wait_do(struct sim *w, const struct sim_call *c, const struct leat_batch_wait *wait,
                 leat_settled settled);
void sim_dead_do(struct sim *w, const struct sim_call *c, const struct leat_batch_dead *dead);
void sim_dead_settled(struct sim *w, int32_t processor, int32_t k, const struct leat_uuid *id);
void sim_waiting_keys(struct sim *w, struct sim_call *c);
void sim_waiting_rows(struct sim *w, struct sim_call *c);
void sim_operate(struct sim *w, struct sim_call *c);

/* ---- sim_call.c: the server as a whole ---- */

/* Ends at once: transactions under way did not happen, connections are cut. */
void sim_store_crash(struct sim *w);

/* ---- standby.c: a standby that lags ---- */

struct sim_standby;
struct sim_standby *sim_standby_copy(struct sim *w);
/* The primary is gone, and with it all it has committed since the copy. */
void sim_standby_promote(struct sim *w, const struct sim_standby *s);
/* `leat store adopt`: until then a store of another timeline is not used. */
void sim_store_adopt(struct sim *w);

#endif
