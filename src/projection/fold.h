/* fold.h - one model version being written: events in, rows and checkpoints out, batch by batch.
 *
 * Taking an event (leat_fold_take) judges it by the seq rule, picks its fields and keeps it;
 * nothing is written. leat_fold_commit() writes all kept events, folding rows of one key in memory
 * first, and compares the checkpoints where the rows are: what another projector has already
 * applied is left out (interleavings 18). Where rows are kept is a backend's matter (fold_batch.h):
 * in LMDB all slices in one transaction, in Redis each slice in one script (redis_fold.h). Owner:
 * one thread. */
#ifndef LEAT_PROJECTION_FOLD_H
#define LEAT_PROJECTION_FOLD_H

#include "codec/schemas.h"
#include "projection/rules.h"
#include "projection/shape.h"
#include "topology/topology.h"

struct leat_fold_event { /* from Kafka or from the store; borrowed until the next commit */
    int32_t slice;
    int64_t next_offset; /* behind its Kafka record; 0 = came from the store */
    struct leat_seq_event at;
    struct leat_event_meta meta;
    struct leat_str payload; /* as it travels */
};

struct leat_fold_figures {
    uint64_t applied, dropped, foreign, mismatched, skipped, transactions, rows_put;
    uint64_t adopted, rewound; /* slices that another projector or an old copy had moved */
};

struct leat_fold {
    const struct leat_projection *projection;
    int32_t partitions;
    struct leat_env *env; /* LMDB; else NULL */
    struct leat_shape *shape;
    struct leat_rules *rules;
    struct leat_checkpoint *committed; /* per slice: as it was written or found last */
    struct leat_checkpoint *seen;      /* committed and what is kept for the next commit */
    struct leat_fold_figures figures;
    struct leat_fold_batch *batch; /* private */
};

/* Opens (and makes) the environment in `dir`; map_bytes as leat_env_open(). */
LEAT_MUST_CHECK leat_status leat_fold_open(const struct leat_projection *p, int32_t partitions,
                                           const char *dir, size_t map_bytes,
                                           struct leat_fold **ret, struct leat_error *err);
void leat_fold_close(struct leat_fold *f); /* NULL allowed; what is kept is dropped */

/* LEAT_SEQ_APPLY: kept. LEAT_SEQ_HOLE: *ret_hole is missing, nothing was kept. Bytes that do not
 * decode move the checkpoint and are listed among what the model skipped. */
leat_seq_verdict leat_fold_take(struct leat_fold *f, const struct leat_fold_event *e,
                                const struct leat_schemas *schemas,
                                struct leat_seq_range *ret_hole);
/* Number of events kept since the last commit, and whether any of them may change a row. */
size_t leat_fold_kept(const struct leat_fold *f, bool *ret_changes);
/* FENCED: the file's checkpoint is of another store or history; nothing was written, this version
 * must be given up. RETRY (Redis): the server is away; everything is still kept, commit again.
 * FATAL: LMDB or the disk. After an error but RETRY nothing is kept any more and `seen` is
 * `committed` again: the events must come again. */
LEAT_MUST_CHECK leat_status leat_fold_commit(struct leat_fold *f, struct leat_error *err);
/* Before the first event of a new environment: the store it is built from. */
void leat_fold_set_store(struct leat_fold *f, int32_t slice, const struct leat_uuid *store_id);
/* Why the event at (slice, seq) was skipped was written as "type\0reason". */
void leat_fold_skip_key(int32_t slice, int64_t seq, uint8_t ret_key[12]);

#endif
