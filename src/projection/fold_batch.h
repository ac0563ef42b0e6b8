/* fold_batch.h - inside of a fold: what is kept between two commits, and what a place for rows must
 * be able to do. Used by fold*.c and redis_fold.c only. */
#ifndef LEAT_PROJECTION_FOLD_BATCH_H
#define LEAT_PROJECTION_FOLD_BATCH_H

#include "projection/fold.h"

#define LEAT_FOLD_NO_ROW UINT32_MAX

struct leat_fold_change { /* one event that a rule follows */
    int32_t slice;
    uint32_t row; /* index of its row, when rows are planned ahead; or LEAT_FOLD_NO_ROW */
    const struct leat_rule *rule;
    const struct leat_value *picked;
    struct leat_event_meta meta; /* meta.seq = its seq */
    int64_t clock_ms;            /* of its slice, as of this event */
};

struct leat_fold_skip {
    int32_t slice;
    int64_t seq;
    struct leat_str text; /* "type\0reason" */
};

struct leat_fold_row { /* a row touched by the batch */
    uint64_t hash;
    int32_t slice;               /* whose row it is; 0 where all slices share rows */
    uint32_t next;               /* of the same slice, when rows are planned ahead */
    struct leat_str key, db_key; /* db_key = key, or its short form */
    struct leat_str old;         /* its bytes as kept; "" = none, or not fetched (blind) */
    struct leat_cell *cells, *old_cells;
    bool shortened, exists, existed, blind;
    bool cached;             /* old is what the backend remembers, in a form of its own */
    bool touched;            /* a change was applied to it */
    struct leat_str encoded; /* what is to be written; private to the backend */
    int todo;
    int32_t home;             /* with a ttl: whose clock it goes by */
    int64_t until, old_until; /* when it goes, unix ms; 0 = never */
    uint32_t call;            /* in C: the last call that wrote it */
    uint32_t of_stream; /* in C: the next row of its stream in the batch, or LEAT_FOLD_NO_ROW */
};

struct leat_fold_keys { /* of rows, in the work arena */
    struct leat_str *at;
    size_t n, cap;
};

struct leat_fold_index_op {
    struct leat_str key; /* in the work arena */
    bool remove;
};
#define LEAT_EXPIRY_HEAD 11 /* bytes of an expiry entry before the row's key */

/* Where rows are. */
struct leat_fold_backend {
    bool by_slice; /* rows of one key but of several slices are different rows */
    /* Writes what is kept: see leat_fold_commit(). Sets next, n_applied and the counts. */
    leat_status (*commit)(struct leat_fold *f, struct leat_error *err);
    void (*close)(struct leat_fold *f);
    /* Adds the full keys of all rows that are written and begin with `prefix`; at most `max`, then
     * INVALID. NULL: projections in C cannot be here. `arg` as of leat_fold_fetch. */
    leat_status (*scan)(struct leat_fold *f, void *arg, struct leat_str prefix, size_t max,
                        struct leat_fold_keys *ret, struct leat_error *err);
};

struct leat_fold_streams { /* in C: first row of each stream in the batch */
    struct leat_fold_stream {
        uint64_t hash;  /* of the stream's key; two streams of one hash share a list */
        uint32_t first; /* index of the row + 1; 0 = the slot is free */
    } * slots;
    size_t n_slots, n;
};

struct leat_fold_batch {
    const struct leat_fold_backend *backend;
    void *place;              /* the backend's own */
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
    struct leat_coded_guard *guard; /* of a projection in C */
    struct leat_fold_streams streams;
    uint32_t calls;
    /* Said by functions, again at each try of the transaction: the last ones of `skips`, and how
     * many were counted. */
    size_t skips_of_calls, figured_skips;
};

/* A fold without a place for rows yet. */
LEAT_MUST_CHECK leat_status leat_fold_new(const struct leat_projection *p, int32_t partitions,
                                          struct leat_fold **ret, struct leat_error *err);

/* ---- fold_rows.c: the batch in memory ---- */

/* Fills cells (all fields), exists, existed, old, old_cells of a row that is not blind. */
typedef leat_status (*leat_fold_fetch)(struct leat_fold *f, void *arg, struct leat_fold_row *row,
                                       struct leat_error *err);
/* Applies the changes that `skip_below[slice]` does not cover to rows in memory. */
LEAT_MUST_CHECK leat_status leat_fold_rows(struct leat_fold *f, leat_fold_fetch fetch, void *arg,
                                           const int64_t *skip_below, struct leat_error *err);
/* The row of a key of this batch; *ret_fresh: it is new to it and must be fetched. */
struct leat_fold_row *leat_fold_row_for(struct leat_fold *f, int32_t slice, struct leat_str key,
                                        bool *ret_fresh);
void leat_fold_start_rows(struct leat_fold_batch *b);
/* The same as leat_fold_rows() for a projection in C (coded_rows.c). */
LEAT_MUST_CHECK leat_status leat_coded_rows(struct leat_fold *f, leat_fold_fetch fetch, void *arg,
                                            const int64_t *skip_below, struct leat_error *err);
/* fold_ttl.c: rows that go by themselves. Not by the wall clock: each slice's events are the clock,
 * so that a model at a vector of seqs stays a function of the store. */
#define LEAT_EXPIRY_NO 0xff /* first byte of the entries: no index has that number */
/* A row as an event finds it: gone, if its time was over before. */
void leat_fold_row_at(const struct leat_fold *f, struct leat_fold_row *row, int64_t clock_ms);
/* The event has touched it. `scope` NULL: of a projection in C. */
void leat_fold_row_touched(const struct leat_fold *f, struct leat_fold_row *row,
                           const struct leat_fold_change *c, const struct leat_eval_scope *scope);
/* The clock by which rows of `home` go, after the batch: of the slice, or the latest of all. */
int64_t leat_fold_clock(const struct leat_fold *f, int32_t home);
/* Rows of the batch whose time is over by then. */
void leat_fold_expire_rows(struct leat_fold *f);
/* Entry of a row's end, in their order: LEAT_EXPIRY_NO, home, until, db_key. */
void leat_expiry_key(int32_t home, int64_t until, struct leat_str db_key,
                     struct leat_index_key *ret);
/* fold.c: lists the event of a change as skipped; takes back what the last try has listed. */
void leat_fold_skip_change(struct leat_fold *f, const struct leat_fold_change *c,
                           const char *reason);
void leat_fold_forget_skips(struct leat_fold *f);
/* In two steps, for a place that is far away: which rows the batch needs ... */
void leat_fold_plan_rows(struct leat_fold *f);
/* ... and, once all that are not blind were filled by the caller, the changes. */
void leat_fold_apply_planned(struct leat_fold *f, const int64_t *skip_below);
/* Cells for a row: all null. */
void leat_fold_row_empty(struct leat_fold *f, struct leat_fold_row *row);
/* Fills a row by the cells that were read for it, already in row->cells. */
void leat_fold_row_filled(struct leat_fold *f, struct leat_fold_row *row);
/* Puts into index_ops what the row's entries in all indexes need. */
void leat_fold_plan_index(struct leat_fold *f, const struct leat_fold_row *row);

#endif
