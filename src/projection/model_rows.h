/* model_rows.h - rows of one version of a model, wherever they are kept: what a backend (LMDB,
 * Redis) gives. Lists, filters, field selection, counts and aggregates are built on it once
 * (model_read.h); nothing above this file knows where rows are.
 *
 * A version is opened once and used by any thread; a snapshot and its walks belong to one thread.
 * What a snapshot gives borrows from its arena or from the store's own pages: good until its end,
 * a row of a walk until the next one. */
#ifndef LEAT_PROJECTION_MODEL_ROWS_H
#define LEAT_PROJECTION_MODEL_ROWS_H

#include "base/json.h"
#include "projection/shape.h"
#include "projection/versions.h"

struct leat_rows_backend;

struct leat_rows_place { /* where versions of a model are; borrowed, outlives what is opened */
    const struct leat_topology *topology;
    const struct leat_projection *declared;
    const char *data_dir; /* LMDB */
};

struct leat_rows_version { /* first member of the backend's own struct */
    const struct leat_rows_backend *backend;
    const struct leat_projection *declared; /* now: the version may be of an older declaration */
    struct leat_shape *shape;
    char version[LEAT_VERSION_BYTES];
};

struct leat_rows_snapshot { /* first member of the backend's own struct, which is in the arena */
    struct leat_rows_version *version;
    struct leat_arena *arena;
};

struct leat_model_row {
    struct leat_str key;     /* in full; parts of a joined key as leat_rule_key() writes them */
    struct leat_cell *cells; /* one per field of the shape; NULL: no such row, or keys_only */
    struct leat_str entry;   /* walks: its place in the order, 1..LEAT_INDEX_KEY_MAX bytes */
};

/* Bytes as index_key.h encodes them: an entry of the key's order is leat_row_key(), one of an
 * index's is index number, columns, row key. All bounds hold together. */
struct leat_rows_range {
    int index;                    /* number in the shape; -1: by key */
    struct leat_index_key prefix; /* every entry starts with it; by an index at least its number */
    struct leat_index_key from;   /* entries >= it; len 0: open */
    struct leat_index_key to;     /* entries <= it, or that start with it; len 0: open */
    struct leat_index_key after;  /* goes on behind this entry, in the order of the walk */
    bool descending;              /* from the last entry of the range to its first */
    bool keys_only;               /* the caller needs no cells */
};

struct leat_rows_position { /* what the rows of the snapshot are the fold of */
    int32_t n;
    const int64_t *seqs;            /* per slice, the last one applied; 0 = none */
    const struct leat_uuid *stores; /* per slice; all zero = not known yet */
    int64_t complete_ms;            /* when last known complete to the published seq; 0 = never */
};

struct leat_rows_walk; /* backend's own */

struct leat_rows_backend {
    const char *name;
    /* The version readers use. ABSENT: none was ever switched to. */
    leat_status (*current)(const struct leat_rows_place *place,
                           char ret_version[LEAT_VERSION_BYTES], struct leat_error *err);
    /* A whole version of the same declaration as `version`. ABSENT: there is none (any more). */
    leat_status (*former)(const struct leat_rows_place *place, const char *version,
                          char ret_version[LEAT_VERSION_BYTES], struct leat_error *err);
    /* Fills backend, declared, shape and version too. */
    leat_status (*open)(const struct leat_rows_place *place, const char *version,
                        struct leat_rows_version **ret, struct leat_error *err);
    void (*close)(struct leat_rows_version *v);

    /* All reads of a snapshot see one state of the model where the store can (LMDB); else its rows
     * are at least as new as its position, which is taken first (Redis). */
    leat_status (*begin)(struct leat_rows_version *v, struct leat_arena *arena,
                         struct leat_rows_snapshot **ret, struct leat_error *err);
    void (*end)(struct leat_rows_snapshot *s);
    /* Differs whenever the position differs; 0 = not known, ask for the position. */
    uint64_t (*state)(struct leat_rows_snapshot *s);
    leat_status (*position)(struct leat_rows_snapshot *s, struct leat_rows_position *ret,
                            struct leat_error *err);
    /* That of the position alone: cheap, a millisecond old at most. */
    int64_t (*complete_ms)(struct leat_rows_snapshot *s);
    leat_status (*kinds)(struct leat_rows_snapshot *s, struct leat_column_kinds *ret,
                         struct leat_error *err);
    leat_status (*count)(struct leat_rows_snapshot *s, uint64_t *ret_rows, struct leat_error *err);

    /* The rows of n keys (none empty) into rows[n], in their order: one round trip. */
    leat_status (*get)(struct leat_rows_snapshot *s, const struct leat_str *keys, uint32_t n,
                       struct leat_model_row *rows, struct leat_error *err);
    /* next: ABSENT behind the last row. close: NULL allowed. */
    leat_status (*walk)(struct leat_rows_snapshot *s, const struct leat_rows_range *range,
                        struct leat_rows_walk **ret, struct leat_error *err);
    leat_status (*next)(struct leat_rows_walk *w, struct leat_model_row *ret,
                        struct leat_error *err);
    void (*walk_close)(struct leat_rows_walk *w);

    /* Members of an open array: the first `limit` events that could not be applied, each {"slice",
     * "seq", "type", "reason"} (leat_model_skip_json). */
    leat_status (*skipped)(struct leat_rows_snapshot *s, int32_t limit, struct leat_json_writer *w,
                           struct leat_error *err);
};

/* NULL: this build reads no such models. */
const struct leat_rows_backend *leat_rows_backend_of(leat_model_store store);
extern const struct leat_rows_backend leat_rows_lmdb;

#endif
