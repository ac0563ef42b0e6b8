/* ownership.h - who may commit for the partitions k of one processor (design 4, "Acquire"). Pure.
 *
 * Kafka's assignment says whom to ask; the epoch in the store says who may write. Acquiring: (1)
 * read the epoch, (2) let the coordinator confirm the membership by a synchronous commit, (3)
 * compare and set epoch + 1. A k that is fenced, or whose call has an unknown outcome, while Kafka
 * still assigns it to us is acquired again; refused at (2), the member leaves and rejoins. All ks
 * that need the same step take it together. Time comes in as an argument; the shell carries out the
 * actions. */
#ifndef LEAT_WORKER_OWNERSHIP_H
#define LEAT_WORKER_OWNERSHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEAT_BACKOFF_MIN_MS 20
#define LEAT_BACKOFF_MAX_MS 2000
#define LEAT_REFUSALS_MAX   5 /* refused this often in a row: leave and rejoin */

typedef enum leat_hold {
    LEAT_HOLD_NONE,    /* not assigned to us                         */
    LEAT_HOLD_READ,    /* assigned: epoch to be read                 */
    LEAT_HOLD_CONFIRM, /* epoch known: coordinator to be asked       */
    LEAT_HOLD_CLAIM,   /* confirmed: epoch to be raised              */
    LEAT_HOLD_START,   /* claimed: lanes to be placed at their offset */
    LEAT_HOLD_OWNED,
} leat_hold;

typedef enum leat_acquire {
    LEAT_ACQUIRE_WAIT, /* nothing to do before *ret_wait_ms */
    LEAT_ACQUIRE_READ,
    LEAT_ACQUIRE_CONFIRM,
    LEAT_ACQUIRE_CLAIM,
    LEAT_ACQUIRE_START,
    LEAT_ACQUIRE_REJOIN,
} leat_acquire;

struct leat_held {
    leat_hold hold;
    int64_t epoch; /* read (until claimed), then ours */
};

struct leat_ownership {
    struct leat_held *ks; /* [partitions] */
    int32_t partitions;
    int64_t not_before_ms; /* back-off after a failed step */
    int32_t failures, refusals;
};

void leat_ownership_init(struct leat_ownership *o, struct leat_held *ks, int32_t partitions);

/* Kafka's callbacks. */
void leat_ownership_assigned(struct leat_ownership *o, const int32_t *ks, size_t n);
void leat_ownership_revoked(struct leat_ownership *o, const int32_t *ks, size_t n);
/* A reply said fenced, or its outcome is unknown: acquire again. Of an epoch before the one that
 * was claimed meanwhile it says nothing new: without this, an owner that lags behind its own claims
 * would be claimed away from for ever. 0 = whatever epoch. */
void leat_ownership_lost(struct leat_ownership *o, int32_t k, int64_t epoch);

/* The next step and the ks it is for (room for `partitions`). */
leat_acquire leat_ownership_next(const struct leat_ownership *o, int64_t now_ms, int32_t *ret_ks,
                                 size_t *ret_n, int64_t *ret_wait_ms);
/* Results of the step for one k; ignored when the k has been revoked meanwhile. */
void leat_ownership_read(struct leat_ownership *o, int32_t k, int64_t epoch);
void leat_ownership_confirmed(struct leat_ownership *o, const int32_t *ks, size_t n);
void leat_ownership_refused(struct leat_ownership *o, int64_t now_ms); /* step 2 said no */
void leat_ownership_claimed(struct leat_ownership *o, int32_t k, bool won, int64_t epoch);
void leat_ownership_started(struct leat_ownership *o, int32_t k);
void leat_ownership_rejoined(struct leat_ownership *o);
/* The step could not be taken (server away): the same again after a back-off. */
void leat_ownership_failed(struct leat_ownership *o, int64_t now_ms);

#endif
