/* batch.h - private to src/store: a batch numbered as if all of it is stored, ready to be sent.
 * Pure. */
#ifndef LEAT_STORE_BATCH_H
#define LEAT_STORE_BATCH_H

#include "store/pg.h"

/* Index arrays are parallel to the batch's arrays; all live in the arena. */
struct leat_plan {
    size_t *fence_of;    /* sorted position -> index in batch fences, k ascending */
    int32_t *command_at; /* per command: sorted position of its fence, from 1 */
    int32_t *lane_at;    /* per lane: the same */
    int32_t *wait_at;    /* per row of the waiting room: the same */
    int32_t *events_of;  /* per sorted fence: events, outbox rows */
    int32_t *outbox_of;
    int32_t *first, *last; /* per command: its events relative to the head; none: the slice's */
    int32_t *event_rel;    /* per event */
    int64_t *event_version;
    int32_t *outbox_rel; /* per outbox row */
    int32_t *order;      /* stored commands from 1, by (fence, id): neighbours in the index */
    size_t order_count;
    int32_t *event_order; /* events from 1, by fence: one slice's leaf after the other */
    bool look_up;         /* expected versions cannot be trusted as they are */
    bool odd_outcome;     /* anything but accepted */
    bool odd_attempts, odd_error, odd_correlation, odd_causation;
};

/* INVALID when the batch breaks what store.h says of it. */
LEAT_MUST_CHECK leat_status leat_plan_batch(const struct leat_batch *b, struct leat_arena *arena,
                                            struct leat_plan *ret, struct leat_error *err);
/* The parameters of append_batch(), in its order. */
void leat_plan_params(const struct leat_batch *b, const struct leat_plan *plan, int lock_timeout_ms,
                      struct leat_arena *arena, struct leat_pg_params *p);
#define LEAT_APPEND_PARAMS 51
/* What append_batch_with() takes after those: snapshots.c, then waiting.c. */
void leat_snapshot_params(const struct leat_batch *b, struct leat_pg_params *p);
#define LEAT_SNAPSHOT_PARAMS 6
void leat_wait_params(const struct leat_batch *b, const struct leat_plan *plan,
                      struct leat_pg_params *p);
#define LEAT_WAIT_PARAMS 22
void leat_dead_params(const struct leat_batch *b, struct leat_pg_params *p);
#define LEAT_DEAD_PARAMS 14
/* Of a snapshot's row: damaged bytes, or bytes of another stream, have another. */
int64_t leat_snapshot_checksum(struct leat_str stream, int64_t version, struct leat_str state);

#endif
