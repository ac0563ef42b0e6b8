/* rebuild_read.h - events of several slices read and decoded by several threads, each with a store
 * connection of its own, into blocks that the one writer takes. A slice is read by one thread at a
 * time, so its blocks come in seq order; blocks of different slices come as they come. Bounded: a
 * reader waits for the writer to give blocks back. */
#ifndef LEAT_PROJECTION_REBUILD_READ_H
#define LEAT_PROJECTION_REBUILD_READ_H

#include "projection/fold_batch.h"
#include "store/store.h"

#define LEAT_REBUILD_BLOCK 4096 /* events of a block at most */

struct leat_rebuild_block {
    struct leat_rebuild_block *next; /* private */
    struct leat_arena *arena;        /* of everything below */
    int32_t slice;
    int64_t before;            /* seq of the event before its first */
    struct leat_checkpoint at; /* of its last event */
    size_t events;
    struct leat_fold_change *changes; /* rules are the fold's */
    size_t n_changes;
    struct leat_fold_skip *skips;
    size_t n_skips;
    struct leat_stored_event *stored; /* private */
};

struct leat_rebuild_range { /* of a slice: seqs in (after, upto] */
    int32_t slice;
    int64_t after, upto;
    struct leat_uuid store_id;
};

struct leat_rebuild_reader_config {
    const struct leat_store_options *store;
    struct leat_schemas *schemas; /* unknown ids are read from the store */
    const struct leat_fold *fold; /* its projection and rules; not written to */
    int readers;                  /* threads */
    size_t blocks;                /* that there are at once; more than the writer keeps */
};

struct leat_rebuild_readers;

LEAT_MUST_CHECK leat_status leat_rebuild_readers_new(const struct leat_rebuild_reader_config *c,
                                                     struct leat_rebuild_readers **ret,
                                                     struct leat_error *err);
void leat_rebuild_readers_free(struct leat_rebuild_readers *r); /* NULL allowed; ends the threads */
/* The ranges stay where they are until all of them have come. */
void leat_rebuild_readers_start(struct leat_rebuild_readers *r,
                                const struct leat_rebuild_range *ranges, size_t n);
/* The next block, waiting at most so long: *ret NULL when none came. ABSENT: all of them have. An
 * error is a reader's: FATAL, an event is missing; RETRY, the store stays away. */
LEAT_MUST_CHECK leat_status leat_rebuild_readers_take(struct leat_rebuild_readers *r,
                                                      int timeout_ms,
                                                      struct leat_rebuild_block **ret,
                                                      struct leat_error *err);
void leat_rebuild_readers_give(struct leat_rebuild_readers *r, struct leat_rebuild_block *block);
/* While paused nothing new is asked of the store; what was asked for still comes. */
void leat_rebuild_readers_pause(struct leat_rebuild_readers *r, bool pause);

#endif
