/* append.h - the one write of slices: a batch and the store's reply to it. Included by store.h,
 * whose words on threads and errors hold here too. */
#ifndef LEAT_STORE_APPEND_H
#define LEAT_STORE_APPEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/uuid.h"
#include "leat/str.h"

struct leat_store;

/* One call, one transaction, one round trip (design 3, steps 1-6). */

typedef enum leat_outcome {
    LEAT_OUTCOME_ACCEPTED = 1,  /* commands row, events, outbox rows            */
    LEAT_OUTCOME_REJECTED = 2,  /* commands row with error code and text        */
    LEAT_OUTCOME_DEAD = 3,      /* commands row with its bytes, dlq outbox row  */
    LEAT_OUTCOME_FORWARDED = 4, /* no commands row: outbox row to the right k   */
    LEAT_OUTCOME_WAITING = 5    /* no commands row yet: a row of `waiting`      */
} leat_outcome;

struct leat_batch_fence { /* each (k) once */
    int32_t k;
    int64_t epoch; /* -1: no fence asked (append_events, import, admin) */
    int64_t since; /* head seq as of which all its expected versions are right; -1 = look up */
};
struct leat_batch_lane { /* each (topic, k) once; k has a fence row in the batch */
    struct leat_str topic;
    int32_t k;
    int64_t first_offset; /* must equal lanes.next_offset, where there is a row */
    int64_t next_offset;  /* where the lane stands when everything in the batch is settled */
    uint64_t fingerprint;
    int64_t next_seq; /* lanes on events topics, else 0 */
};
struct leat_batch_command {
    int32_t k;
    int32_t lane;   /* index into lanes; -1 = none (admin) */
    int64_t offset; /* of its record; low-water mark when it does not settle */
    struct leat_uuid id;
    struct leat_str type, stream, source, priority, error_code, error_text, payload;
    int64_t received_at_ms;
    int64_t expected_version; /* of the stream before its first event; -1 = any */
    int32_t attempts;
    leat_outcome outcome;
    struct leat_uuid correlation_id, causation_id; /* zero = own id */
};
struct leat_batch_event { /* in the order of commands; versions follow from expected_version */
    uint32_t command;     /* index into commands */
    int32_t schema_id;
    struct leat_uuid id;
    struct leat_str type, payload;
};
struct leat_batch_outbox { /* in the order of commands */
    uint32_t command;
    int32_t partition; /* of the target topic */
    struct leat_str topic, key, headers /* as record_headers.h packs them */, value;
    bool key_null, value_null;
};
/* Which snapshots may be believed: those of the same folding into the same state. */
struct leat_snapshot_form {
    int32_t aggregate_version; /* of LEAT_AGGREGATE */
    uint64_t state_schema;     /* fingerprint */
};
struct leat_batch_snapshot { /* a stream's state after the last of its commands in the batch */
    uint32_t command;        /* that one: the snapshot is kept if it is stored */
    int64_t version;
    struct leat_str state;
};
typedef enum leat_wait_reason {
    LEAT_WAIT_RETRY = 1,     /* its handler answered retry */
    LEAT_WAIT_PARKED = 2,    /* its key has others before it */
    LEAT_WAIT_SCHEDULED = 3, /* a command to be sent at its time */
    LEAT_WAIT_HELD = 4,      /* dead, and its key is held until somebody decides */
    LEAT_WAIT_REDRIVEN = 5,  /* dead, and given another chance */
} leat_wait_reason;
#define LEAT_NEVER_MS INT64_MAX

struct leat_waiting_ref { /* a row of table `waiting` */
    int32_t k;
    struct leat_str key;
    int64_t ticket;
};
struct leat_waiting_row { /* the whole of it, of table `waiting` */
    int32_t k;
    struct leat_str key;
    int64_t ticket;
    leat_wait_reason reason;
    bool parks;
    bool value_null;
    int32_t attempt;
    int64_t due_ms; /* unix ms, LEAT_NEVER_MS */
    struct leat_uuid id;
    struct leat_str type, priority;
    struct leat_str topic; /* with partition and offset: its place; SCHEDULED: where it goes */
    int32_t partition;
    int64_t offset, event_seq;
    int64_t received_at_ms, first_at_ms; /* 0 = was never answered retry */
    struct leat_str error_code, error, headers, value;
};
typedef enum leat_wait_op {
    LEAT_WAIT_PUT = 1,    /* all of the row */
    LEAT_WAIT_TAKE = 2,   /* k, key, ticket */
    LEAT_WAIT_AGAIN = 3,  /* k, key, ticket, and new: reason, due, attempt, first, error */
    LEAT_WAIT_CANCEL = 4, /* k, id: the row scheduled under it, if it is still there */
} leat_wait_op;
struct leat_batch_wait {
    leat_wait_op op;
    int32_t command; /* done if that one is stored; -1: with the fence of k alone */
    struct leat_waiting_row row;
};
struct leat_batch_dead { /* what `dead_letters` keeps beside the command's row */
    uint32_t command;
    struct leat_str key, topic, error_class, headers, value;
    int32_t partition, handler_version;
    int64_t offset, event_seq, first_at_ms, last_at_ms;
    uint32_t value_bytes;
    bool value_null;
    uint8_t value_sha256[32];
};
struct leat_batch {
    struct leat_str processor;
    struct leat_batch_fence *fences;
    struct leat_batch_lane *lanes;
    struct leat_batch_command *commands;
    struct leat_batch_event *events;
    struct leat_batch_outbox *outbox;
    size_t fence_count, lane_count, command_count, event_count, outbox_count;
    struct leat_snapshot_form snapshot_form;
    struct leat_batch_snapshot *snapshots; /* each stream once; they cost nothing when none */
    size_t snapshot_count;
    struct leat_batch_wait *waits; /* in the order in which they are to be done */
    struct leat_batch_dead *dead;
    size_t wait_count, dead_count;
};

typedef enum leat_settled {
    LEAT_SETTLED_STORED = 0,
    LEAT_SETTLED_DUPLICATE = 1, /* (slice, processor, id) is known: nothing of it was written. The
                                   processor belongs to the key: policies share event ids */
    LEAT_SETTLED_CONFLICT = 2,  /* or follows, in this batch, a duplicate or conflict of its stream:
                                   decide again on fresh state; its lane stands at or before it */
    LEAT_SETTLED_LEFT_OUT = 3,  /* its k was fenced or its lane's offset differed */
} leat_settled;

typedef enum leat_fence_result {
    LEAT_FENCE_OK = 0,
    LEAT_FENCE_LOST = 1,  /* another epoch */
    LEAT_FENCE_OFFSET = 2 /* a lane of this k does not stand at first_offset */
} leat_fence_result;

struct leat_reply_fence { /* in the order of batch fences */
    leat_fence_result result;
    int64_t head_before, head_after; /* seqs (head_before, head_after] were given, in batch order,
                                        to the events of stored commands of this k */
    int64_t outbox_before, outbox_after; /* the same for outbox rows */
    struct leat_uuid store_id;
};
struct leat_reply {
    int64_t recorded_at_us; /* unix, the store's clock: same for all events of the call */
    struct leat_reply_fence *fences;
    uint8_t *settled;             /* leat_settled per command */
    size_t conflicts, duplicates; /* how many; both 0 on the usual path */
    /* per lane, where it stands now: next_offset, unless commands of it did not settle. A lane with
     * next_seq > 0 then does not move at all; any other stands at the lowest offset not settled. */
    int64_t *lane_offsets;
};
/* Blocks until the reply. Text of the payload is not interpreted. Reply lives in the arena. */
LEAT_MUST_CHECK leat_status leat_store_append(struct leat_store *s, const struct leat_batch *b,
                                              struct leat_arena *arena, struct leat_reply *ret,
                                              struct leat_error *err);
/* The second try after a conflict: opens a transaction, takes the batch's fence and head rows in
 * the same order as append does, leaves them locked; the caller loads state, decides, and calls
 * append (which then commits) or abort. Not more than idle_in_transaction_session_timeout in
 * between. */
LEAT_MUST_CHECK leat_status leat_store_lock(struct leat_store *s, const struct leat_batch *b,
                                            struct leat_error *err);
void leat_store_abort(struct leat_store *s);

#endif
