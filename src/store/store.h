/* store.h - the event store in Postgres: one handle = one connection (design 3).
 *
 * Threads: a handle has one owner. Errors: RETRY = infrastructure (connection lost, time-out,
 * deadlock): the outcome of a write is then unknown until the lane is acquired again; FENCED only
 * through replies; FATAL = the store is not what we expect (schema missing, other system id).
 * Nothing here uses session state or named prepared statements unless options.prepare, so PgBouncer
 * in transaction mode works. Every write of a slice goes through leat_store_append(). */
#ifndef LEAT_STORE_STORE_H
#define LEAT_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/uuid.h"
#include "leat/str.h"
#include "store/append.h"
#include "store/setup.h"

struct leat_store_options {
    const char *url;              /* libpq URI */
    const char *schema;           /* Postgres schema = topology name */
    const char *application_name; /* shows in pg_stat_activity */
    bool prepare;
    int connect_timeout_ms; /* 0 = 5000 */
    int lock_timeout_ms;    /* 0 = 5000 */
    /* Only the server that was adopted will do (adopt.h): to another one no connection is made,
     * RETRY, so that who runs waits until somebody has compared what it has. */
    bool adopted_only;
};

LEAT_MUST_CHECK leat_status leat_store_open(const struct leat_store_options *o,
                                            struct leat_store **ret, struct leat_error *err);
void leat_store_close(struct leat_store *s); /* NULL allowed */
/* After RETRY: a new connection in the same handle; waits at most connect_timeout_ms. */
LEAT_MUST_CHECK leat_status leat_store_reconnect(struct leat_store *s, struct leat_error *err);
bool leat_store_connected(const struct leat_store *s);
/* Round trips made so far, for the benchmark's figures. */
struct leat_store_counts {
    uint64_t write_trips, read_trips, batches;
};
struct leat_store_counts leat_store_counts(const struct leat_store *s);
/* After a call that waited for a lock in vain: the Postgres process that may hold
 * it, once; else 0. */
int32_t leat_store_blocked_by(struct leat_store *s);

/* ---- ownership of (processor, k): one fence row for all priorities ---- */

struct leat_lane_position { /* one row of `lanes`; absent rows are not returned */
    struct leat_str topic;
    int32_t k;
    int64_t next_offset;
    uint64_t fingerprint; /* of the record before next_offset; 0 = none */
    int64_t next_seq;     /* lanes on an events topic */
};
struct leat_fence_state {
    int32_t k;
    int64_t epoch;
    int64_t head_seq;          /* of slice k */
    struct leat_uuid store_id; /* of slice k */
    bool claimed;              /* by leat_store_claim: our compare-and-set won */
};
struct leat_fence_ask {
    struct leat_str processor; /* of relays: not used */
    const int32_t *ks;
    const int64_t *expected; /* epochs, parallel to ks; only for claims */
    size_t n;
};
struct leat_fence_answer { /* in the arena; fences parallel to ks */
    struct leat_fence_state *fences;
    struct leat_lane_position *lanes;
    size_t lane_count;
    struct leat_str paused; /* why the processor is to handle nothing; "" = it is to */
};
/* The topic the processor's group subscribes to: the first one ever given stays.
 * Text in the arena. */
LEAT_MUST_CHECK leat_status leat_store_anchor(struct leat_store *s, struct leat_str processor,
                                              struct leat_str topic, struct leat_arena *arena,
                                              struct leat_str *ret_topic, struct leat_error *err);
/* Fence rows of the ks and their lanes, without locks. ABSENT when a row is missing. */
LEAT_MUST_CHECK leat_status leat_store_fences(struct leat_store *s,
                                              const struct leat_fence_ask *ask,
                                              struct leat_arena *arena,
                                              struct leat_fence_answer *ret,
                                              struct leat_error *err);
/* epoch + 1 where epoch = expected[i], waiting for calls in flight; lanes and heads are read after
 * the lock, by later statements. A k not claimed has claimed = false and the epoch found. */
LEAT_MUST_CHECK leat_status leat_store_claim(struct leat_store *s, const struct leat_fence_ask *ask,
                                             struct leat_arena *arena,
                                             struct leat_fence_answer *ret, struct leat_error *err);

/* ---- reading ---- */

struct leat_stored_event {
    int32_t slice;
    int64_t seq, version;
    int32_t schema_id;
    struct leat_uuid id, command_id, correlation_id;
    struct leat_str stream, type, payload;
    int64_t recorded_at_us;
};
/* The key of a stream id: what stands behind the aggregate's name. */
static inline struct leat_str leat_stored_key(struct leat_str stream)
{
    const char *dash = memchr(stream.at, '-', stream.len);
    uint32_t skip = dash == NULL ? 0 : (uint32_t)(dash - stream.at) + 1;
    return (struct leat_str){stream.at + skip, stream.len - skip};
}
struct leat_stream_want {
    int32_t k;
    struct leat_str stream;
    int64_t after_version; /* cached version; 0 = from the start */
    /* Start from the stream's snapshot, if it is of this form and after `after_version`; NULL: from
     * events alone. The same for all wants of a call that have one. */
    const struct leat_snapshot_form *form;
};
struct leat_loaded_snapshot {
    uint32_t want;
    bool damaged; /* its bytes are not those that were written: ask again, without */
    int64_t version;
    struct leat_str state;
};
/* For each wanted stream its snapshot if any, its events after that or `after_version`, ordered by
 * (index of want, version), and the head of every slice named, all as of one moment. */
struct leat_loaded {
    struct leat_loaded_snapshot *snapshots;
    size_t snapshot_count;
    uint32_t *want; /* per event: index into wants */
    struct leat_stored_event *events;
    size_t event_count;
    struct leat_fence_state *heads; /* k and head_seq of each slice asked; epoch 0 */
    size_t head_count;
};
LEAT_MUST_CHECK leat_status leat_store_load(struct leat_store *s,
                                            const struct leat_stream_want *wants, size_t n,
                                            struct leat_arena *arena, struct leat_loaded *ret,
                                            struct leat_error *err);
struct leat_snapshot_clean { /* one step through the snapshots of an aggregate in a slice */
    int32_t slice;
    struct leat_str prefix; /* of the aggregate's streams: "order-" */
    struct leat_snapshot_form form;
    struct leat_str after; /* stream; "" = from the start */
    int32_t limit;         /* rows looked at */
};
/* Deletes what `form` voids: snapshots of lower versions of the aggregate, and of its own version
 * with another state. *ret_after is where the next step goes on, in the arena; "" = done. */
LEAT_MUST_CHECK leat_status leat_store_clean_snapshots(
    struct leat_store *s, const struct leat_snapshot_clean *c, struct leat_arena *arena,
    struct leat_str *ret_after, int32_t *ret_removed, struct leat_error *err);
struct leat_store_page {
    int32_t slice;
    struct leat_str stream; /* leat_store_stream() only */
    int64_t after;          /* seq or, of a stream, version */
    int64_t upto;           /* leat_store_slice() only; -1 = head */
    size_t limit;
};
/* Events of a slice with seq in (after, upto], in seq order. */
LEAT_MUST_CHECK leat_status leat_store_slice(struct leat_store *s, const struct leat_store_page *p,
                                             struct leat_arena *arena,
                                             struct leat_stored_event **ret, size_t *ret_n,
                                             struct leat_error *err);
/* Events of one stream after a version. */
LEAT_MUST_CHECK leat_status leat_store_stream(struct leat_store *s, const struct leat_store_page *p,
                                              struct leat_arena *arena,
                                              struct leat_stored_event **ret, size_t *ret_n,
                                              struct leat_error *err);
struct leat_command_status {
    struct leat_uuid id;
    int32_t slice;
    int64_t first_seq, last_seq; /* of its events; for none: head at its commit in both */
    struct leat_uuid store_id;
    struct leat_str processor, type, stream, outcome /* "accepted" … */, error_code, error_text;
    int64_t received_at_us, finished_at_us;
    uint8_t payload_sha256[32]; /* of its bytes: tells another body under the same id apart */
    int32_t attempts;
    /* Outcome "waiting": for what ("retry", "parked", "scheduled", "redriven") and until when, 0 =
     * unknown; it has no position and is not finished. Else "" and 0. */
    struct leat_str waits;
    int64_t due_at_us;
};
static inline bool leat_command_waits(const struct leat_command_status *c)
{
    return c->waits.len > 0;
}
/* slice -1 = not known: all are asked. ABSENT when the command is not (yet) known. */
LEAT_MUST_CHECK leat_status leat_store_command(struct leat_store *s, int32_t slice,
                                               const struct leat_uuid *id, struct leat_arena *arena,
                                               struct leat_command_status *ret,
                                               struct leat_error *err);
struct leat_command_at {
    int32_t slice;
    struct leat_uuid id;
};
/* ret[i]: whether command i of `n` is known and waits for nothing more, or was when it was last
 * handled. One statement, for those that ask about many again and again. */
LEAT_MUST_CHECK leat_status leat_store_settled(struct leat_store *s,
                                               const struct leat_command_at *at, size_t n,
                                               struct leat_arena *arena, bool *ret,
                                               struct leat_error *err);

/* ---- the waiting room, read by the owner of the ks ---- */

struct leat_waiting_rows { /* in the arena */
    struct leat_waiting_row *at;
    size_t n;
    size_t *asked; /* leat_store_waiting_rows(): index in what was asked for */
};
struct leat_waiting_ask { /* rows of a processor */
    struct leat_str processor;
    const int32_t *ks;                   /* leat_store_waiting_keys(): of these ks */
    const struct leat_waiting_ref *refs; /* leat_store_waiting_rows(): these */
    size_t n;
};
/* All rows of the ks, by ticket: k, key, ticket, due, parks alone. */
LEAT_MUST_CHECK leat_status leat_store_waiting_keys(struct leat_store *s,
                                                    const struct leat_waiting_ask *ask,
                                                    struct leat_arena *arena,
                                                    struct leat_waiting_rows *ret,
                                                    struct leat_error *err);
/* The rows asked for by k, key, ticket, whole, in that order, as far as they are there. */
LEAT_MUST_CHECK leat_status leat_store_waiting_rows(struct leat_store *s,
                                                    const struct leat_waiting_ask *ask,
                                                    struct leat_arena *arena,
                                                    struct leat_waiting_rows *ret,
                                                    struct leat_error *err);

/* ---- relay: position and outbox of a slice, moved by epoch only forward ---- */

struct leat_published {
    int32_t slice;
    int64_t epoch, seq, outbox_seq; /* highest contiguous acknowledged */
    int64_t head_seq, head_outbox;  /* of the slice */
    struct leat_uuid store_id;
    bool claimed;
};
LEAT_MUST_CHECK leat_status leat_store_published(struct leat_store *s, const int32_t *slices,
                                                 size_t n, struct leat_arena *arena,
                                                 struct leat_published **ret,
                                                 struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_store_claim_relay(struct leat_store *s,
                                                   const struct leat_fence_ask *ask,
                                                   struct leat_arena *arena,
                                                   struct leat_published **ret,
                                                   struct leat_error *err);
/* Moves positions forward where the epoch is ours, deletes outbox rows up to outbox_seq, in one
 * trip; moves[i].claimed = false where the epoch was another's. */
LEAT_MUST_CHECK leat_status leat_store_record(struct leat_store *s, struct leat_published *moves,
                                              size_t n, struct leat_error *err);
struct leat_outbox_row {
    int32_t slice;
    int64_t seq;
    int32_t partition;
    struct leat_str topic, key, headers, value;
    bool key_null, value_null;
};
LEAT_MUST_CHECK leat_status leat_store_outbox(struct leat_store *s, const struct leat_store_page *p,
                                              struct leat_arena *arena,
                                              struct leat_outbox_row **ret, size_t *ret_n,
                                              struct leat_error *err);
/* A record the broker refuses for good: kept in outbox_refused with its reason. */
LEAT_MUST_CHECK leat_status leat_store_refuse(struct leat_store *s, int32_t slice, int64_t epoch,
                                              const struct leat_outbox_row *row, const char *reason,
                                              struct leat_error *err);

#endif
