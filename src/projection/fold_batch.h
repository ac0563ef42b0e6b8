/* fold_batch.h - inside of a fold: what is kept between two commits. Used by fold*.c only. */
#ifndef LEAT_PROJECTION_FOLD_BATCH_H
#define LEAT_PROJECTION_FOLD_BATCH_H

#include "projection/fold.h"

struct leat_fold_change { /* one event that a rule follows */
    int32_t slice;
    const struct leat_rule *rule;
    const struct leat_value *picked;
    struct leat_event_meta meta; /* meta.seq = its seq */
};

struct leat_fold_skip {
    int32_t slice;
    int64_t seq;
    struct leat_str text; /* "type\0reason" */
};

struct leat_fold_row { /* a row touched by the batch */
    uint64_t hash;
    struct leat_str key, db_key; /* db_key = key, or its short form */
    struct leat_str old;         /* bytes in the file; "" = none, or not fetched (blind) */
    struct leat_cell *cells, *old_cells;
    bool shortened, exists, existed;
};

struct leat_fold_index_op {
    struct leat_str key; /* in the work arena */
    bool remove;
};

struct leat_fold_batch {
    struct leat_arena *picks; /* values of the kept events: until the commit is done */
    struct leat_arena *work;  /* rows: until a try of the transaction is over */
    struct leat_fold_change *changes;
    size_t n_changes, cap_changes;
    struct leat_fold_skip *skips;
    size_t n_skips, cap_skips;
    size_t n_kept;
    struct leat_fold_row *rows;
    size_t n_rows, cap_rows;
    struct leat_fold_index_op *index_ops;
    size_t n_index_ops, cap_index_ops;
    uint32_t *slots; /* open addressing: index of the row + 1 */
    size_t n_slots;
    struct leat_buf encoded;
    struct leat_column_kinds kinds, kinds_in_file;
    struct leat_checkpoint *next; /* per slice: what the transaction writes */
    uint64_t skipped_in_file, rows_put, misfits, adopted, rewound;
};

/* Applies the changes that `skip_below[slice]` does not cover to rows in memory. */
LEAT_MUST_CHECK leat_status leat_fold_rows(struct leat_fold *f, struct leat_env_txn *t,
                                           const int64_t *skip_below, struct leat_error *err);
/* Writes the rows and their index entries. */
LEAT_MUST_CHECK leat_status leat_fold_flush(struct leat_fold *f, struct leat_env_txn *t,
                                            struct leat_error *err);

#endif
