/* flow.h - the life of a batch in one executor, without I/O.
 *
 * The shell (executor.c; tests/sim) drives it in a circle:
 *
 *   leat_flow_quota   how many records may be taken from each lane now
 *   leat_flow_offer   the records taken, in offset order per lane
 *   leat_flow_wants   streams whose state is not known      -> shell loads them -> leat_flow_loaded
 *                     (those of leat_flow_wants_again a second time)
 *   leat_flow_decide  runs the handlers, fills a leat_batch -> shell appends it ->
 * leat_flow_replied
 *
 * and again from `wants` while leat_flow_again() says that conflicts are to be decided on fresh
 * state. A reply that never came: leat_flow_unknown(); the ks must then be acquired again.
 *
 * What must hold: a lane's offset never passes an unsettled record; within a key, records of a lane
 * are decided in order, also after one was answered retry: then the later ones wait behind it, from
 * whatever lane; nothing decided on state that did not come to be is kept. */
#ifndef LEAT_WORKER_FLOW_H
#define LEAT_WORKER_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "store/store.h"
#include "worker/dispatch.h"
#include "worker/waiting.h"

struct leat_flow;

/* A record as the flow sees it; slices stay valid until the flow lets go of it (`release`). */
struct leat_incoming {
    int64_t offset, timestamp_ms;
    struct leat_str key, value;
    bool key_null, value_null;
    void *handle; /* the shell's: given back to release() when the record is settled or dropped */
};

typedef enum leat_lane_kind {
    LEAT_LANE_COMMANDS, /* own command topic, partition k < N         */
    LEAT_LANE_FOREIGN,  /* a `source`, or a partition >= N of ours: every record is forwarded */
    LEAT_LANE_EVENTS,   /* the events topic, for a policy: follows the seq rule */
    LEAT_LANE_WAITING,  /* the flow's own: rows of the waiting room that are due */
} leat_lane_kind;

/* A handler that is about to be called, for whoever watches over it. */
struct leat_flow_running {
    const struct leat_flow_lane *lane; /* of its message */
    int64_t offset;
    struct leat_uuid id;
    struct leat_str key, type;
    int32_t runner; /* as in leat_flow_job */
};

/* Job i of those that run_all was asked for, on the runner that has this number. */
typedef void (*leat_flow_job)(void *ctx, size_t i, int32_t runner);

struct leat_flow_config {
    struct leat_dispatch *dispatch; /* shared, immutable after start */
    int32_t partitions;
    int32_t batch_max;  /* records per call, 1..10000 */
    size_t cache_bytes; /* state cache of this executor */
    /* Reads header `name` of a record; false = absent. */
    bool (*header)(void *arg, const struct leat_incoming *r, const char *name,
                   struct leat_str *ret_value);
    /* All headers packed, appended to `out`. */
    void (*headers_pack)(void *arg, const struct leat_incoming *r, struct leat_buf *out);
    void (*release)(void *arg, struct leat_incoming *r);
    /* An event of the topic that is no part of the store's history: lost by a fail-over. It is
     * passed over. NULL: there are none. */
    bool (*is_void)(void *arg, const struct leat_incoming *r, int32_t k, int64_t seq);
    /* A schema id is not known here: take over what the store has by now. Not OK: it could not be
     * asked; the record waits. NULL: there is nobody to ask. */
    leat_status (*refresh_schemas)(void *arg);
    /* Runs job(ctx, i, runner) for each i < jobs, in any order, at once by up to `runners` of them,
     * each of which runs one at a time; returns when all are done. NULL: handlers run one by one.
     * What they decide does not depend on it. */
    void (*run_all)(void *arg, size_t jobs, leat_flow_job job, void *ctx);
    int32_t runners;
    /* Before and after each call of a handler, on the thread that makes it. Both or neither. */
    void (*entering)(void *arg, const struct leat_flow_running *what);
    void (*left)(void *arg, int32_t runner);
    void *arg;
};

struct leat_flow_lane {
    const char *topic; /* static while the flow lives; as in the store's lanes */
    int32_t k;
    int32_t priority; /* index of the topology's priorities; -1 for foreign and events */
    leat_lane_kind kind;
    int32_t source;       /* index of the topology's source, for FOREIGN of a source; else -1 */
    int64_t next_offset;  /* from the store: where to read */
    uint64_t fingerprint; /* of the record before; 0 = none known */
    int64_t next_seq;     /* EVENTS */
};

typedef enum leat_hold_cause {
    LEAT_HELD_BY_RETRY = 0, /* it can't be judged now: history, schema, too many conflicts */
    LEAT_HELD_BY_CIRCUIT,   /* a service its handler calls is away */
    LEAT_HELD_BY_ROOM,      /* it would wait, and the waiting room is full */
} leat_hold_cause;

/* The record that can not be handled now, through no fault of its own, and holds its lane. */
struct leat_flow_hold {
    leat_hold_cause cause;
    int64_t offset, since_ms, until_ms; /* unix ms: the first time; when it is tried again */
    struct leat_uuid id;                /* of the command, or of the event on an EVENTS lane */
    int32_t attempt;                    /* times so far, from 1 */
    char key[96], text[200];            /* one line of valid UTF-8 each, cut where too long */
};

struct leat_flow *leat_flow_new(const struct leat_flow_config *c);
void leat_flow_free(struct leat_flow *f); /* releases every record */

/* k has been acquired with this epoch; its lanes replace what the flow had of k. Gives the index of
 * the first lane (the rest follow) for quota and offer. */
size_t leat_flow_start(struct leat_flow *f, int32_t k, int64_t epoch, int64_t head_seq,
                       const struct leat_flow_lane *lanes, size_t n);
/* k is no longer ours (or is to be acquired again): drop its records and cached states. */
void leat_flow_stop(struct leat_flow *f, int32_t k);
void leat_flow_stop_all(struct leat_flow *f);

size_t leat_flow_lane_count(const struct leat_flow *f);
const struct leat_flow_lane *leat_flow_lane(const struct leat_flow *f,
                                            size_t lane); /* NULL: gone */
/* How many records lane i may be asked for now: by weight, age and what is held back. 0 = none. */
int32_t leat_flow_quota(struct leat_flow *f, size_t lane, int64_t now_ms);
/* Where a lane stands: offset of the next record wanted from Kafka. */
int64_t leat_flow_position(const struct leat_flow *f, size_t lane);
int64_t leat_flow_committed(const struct leat_flow *f, size_t lane); /* durable low-water mark */

int32_t leat_flow_on_hand(const struct leat_flow *f, size_t lane); /* taken, not settled */

/* Takes records (in offset order). False: the lane is stopped now, with the reason in
 * leat_flow_lane_stopped (the record before next_offset is not the one the store knows: topic
 * re-created or truncated). */
bool leat_flow_offer(struct leat_flow *f, size_t lane, struct leat_incoming *records, size_t n,
                     int64_t now_ms);
const char *leat_flow_lane_stopped(const struct leat_flow *f, size_t lane); /* NULL = flowing */
void leat_flow_lane_stop(struct leat_flow *f, size_t lane, const char *reason);

/* ---- the waiting room: what was answered retry, and what stands behind it ---- */

/* All rows of k, by ticket, right after leat_flow_start: key, ticket, due, parks are read. */
void leat_flow_waiting(struct leat_flow *f, int32_t k, const struct leat_waiting_row *rows,
                       size_t n);
/* Rows that are due and not on hand, to be read whole and given to leat_flow_fetched, found or not,
 * before anything else is asked of the flow. Keys stay valid until then. */
size_t leat_flow_due(struct leat_flow *f, int64_t now_ms, struct leat_waiting_ref *ret, size_t max);
struct leat_flow_waiter {
    size_t asked;                /* index in what leat_flow_due gave */
    struct leat_incoming in;     /* key and value of `row`; the handle keeps both */
    struct leat_waiting_row row; /* slices valid until `in` is released */
};
/* `found` in the order asked for. */
void leat_flow_fetched(struct leat_flow *f, const struct leat_waiting_ref *asked, size_t n_asked,
                       const struct leat_flow_waiter *found, size_t n);

/* ---- crashes: messages whose handler has ended its process (running.h) ---- */

struct leat_flow_suspect {
    struct leat_uuid id;
    struct leat_str topic; /* as of its lane, "" = from the waiting room */
    int64_t offset;
    int32_t tries; /* so far; with the third one it is a dead letter */
    bool hung;
    struct leat_str text; /* what happened, one line */
};
/* All that the store knows of k, after leat_flow_start. Copied. Each of them is handled in a batch
 * of its own. */
void leat_flow_suspects(struct leat_flow *f, int32_t k, const struct leat_flow_suspect *rows,
                        size_t n);
/* After a reply, until false: it is settled, whatever became of it; the store may forget it. */
bool leat_flow_acquitted(struct leat_flow *f, int32_t *ret_k, struct leat_uuid *ret_id);

/* Anything to decide now? Records on hand that are not held back. */
bool leat_flow_ready(const struct leat_flow *f, int64_t now_ms);
/* When something held back or waiting becomes due (unix ms), or INT64_MAX. */
int64_t leat_flow_due_ms(const struct leat_flow *f);

/* Streams to load for the coming decision; also decodes the records. Valid until replied. */
void leat_flow_wants(struct leat_flow *f, int64_t now_ms, const struct leat_stream_want **ret,
                     size_t *ret_n);
/* Processor and fences of the coming batch, for leat_store_lock(). */
const struct leat_batch *leat_flow_locks(const struct leat_flow *f);
void leat_flow_loaded(struct leat_flow *f, const struct leat_loaded *loaded);
/* Streams whose snapshot turned out damaged or undecodable, to be loaded from their events: until
 * there are none, load them and call leat_flow_loaded again. Valid until then. */
void leat_flow_wants_again(const struct leat_flow *f, const struct leat_stream_want **ret,
                           size_t *ret_n);
/* Runs handlers. The batch is the flow's until replied; NULL = nothing is to be written (every
 * record was held back), and neither replied nor unknown must be called. */
const struct leat_batch *leat_flow_decide(struct leat_flow *f, int64_t now_ms);
/* Applies a reply. Lost ks are stopped inside; ask leat_flow_lost for them. */
void leat_flow_replied(struct leat_flow *f, const struct leat_reply *reply, int64_t now_ms);
/* The call's outcome is unknown, or the store is away: nothing may be believed of these ks. All ks
 * that were in the batch are stopped; they come out of leat_flow_lost. */
void leat_flow_unknown(struct leat_flow *f);
/* What holds a lane; NULL = nothing does. */
const struct leat_flow_hold *leat_flow_held(const struct leat_flow *f, size_t lane);
/* Why nothing is handled: the processor is paused. NULL = it is not. */
const char *leat_flow_paused(const struct leat_flow *f);
/* By too many dead letters, since leat_flow_pause was called last: everybody is to be told. */
bool leat_flow_flooded(const struct leat_flow *f);
/* As everybody is told; NULL: go on. */
void leat_flow_pause(struct leat_flow *f, const char *reason);
/* As acquired; 0 = k is not ours. */
int64_t leat_flow_epoch(const struct leat_flow *f, int32_t k);
/* What is known of k can't be believed any more: it must be acquired again. */
void leat_flow_lose(struct leat_flow *f, int32_t k);
/* Next k that must be acquired again, and the epoch it had; or -1. */
int32_t leat_flow_lost(struct leat_flow *f, int64_t *ret_epoch);
/* Conflicts wait to be decided again, before new records are taken; `locked` = this time the state
 * is to be read under the lock (second conflict of a record). */
bool leat_flow_again(const struct leat_flow *f, bool *ret_locked);

/* A lane on an events topic that misses seqs [from, to]: fetch them from the store and give them to
 * leat_flow_fill, in seq order, before deciding on. False = none misses any. */
bool leat_flow_hole(const struct leat_flow *f, size_t *ret_lane, int64_t *ret_from,
                    int64_t *ret_to);
void leat_flow_fill(struct leat_flow *f, size_t lane, struct leat_incoming *events, size_t n);
/* An idle events lane learns how far its slice is published: what it has not seen is a hole. */
void leat_flow_tail(struct leat_flow *f, size_t lane, int64_t published_seq);

struct leat_flow_figures {
    uint64_t batches, commands, events, accepted, rejected, dead, forwarded, duplicates, conflicts,
        retries, fenced, foreign_partition;
    uint64_t parked, released; /* put behind others of their key; taken from the waiting room */
    uint64_t folded, snapshots, snapshots_damaged; /* events read to load states; rows */
};
const struct leat_flow_figures *leat_flow_figures(const struct leat_flow *f);

#endif
