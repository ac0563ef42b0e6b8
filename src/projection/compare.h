/* compare.h - the state of a read model as one digest, and two models row by row. Pure reading:
 * everything happens within the transactions the caller holds.
 *
 * Digest: D(0) = 32 zero bytes; D(i) = SHA-256(D(i-1) || SHA-256(line i)); line i = the i-th row as
 * compact JSON, as `leat get` prints it, rows in the order of their keys' bytes (of a key of 96
 * bytes or more: its first 64 bytes, then its SHA-256). Independent of how LMDB lays pages out. */
#ifndef LEAT_PROJECTION_COMPARE_H
#define LEAT_PROJECTION_COMPARE_H

#include "projection/env.h"
#include "projection/shape.h"

#define LEAT_DIGEST_TEXT 65

struct leat_model_side {
    struct leat_env_txn *txn;
    const struct leat_shape *shape;
};

struct leat_model_sum {
    uint64_t rows, skipped;
    uint64_t damaged; /* rows whose bytes do not decode: the digest counts them by their key */
    char digest[LEAT_DIGEST_TEXT];
};
LEAT_MUST_CHECK leat_status leat_model_sum(const struct leat_model_side *side,
                                           struct leat_model_sum *ret, struct leat_error *err);

typedef enum leat_difference_kind {
    LEAT_DIFFERENT_FIELDS, /* the row is in both */
    LEAT_ONLY_LEFT,
    LEAT_ONLY_RIGHT,
    LEAT_DAMAGED_LEFT, /* bytes that are no row; `why` */
} leat_difference_kind;

struct leat_difference { /* borrowed for the call */
    leat_difference_kind kind;
    struct leat_str key;
    const struct leat_str *fields; /* names; parallel to the cells */
    uint32_t n_fields;
    const struct leat_cell *left, *right; /* NULL where there is no row */
    const char *why;
};

struct leat_comparison {
    /* in */
    struct leat_model_side left, right;
    bool common_only;    /* fields that only one declares, and indexes, are left out */
    bool sums_may_round; /* doubles that are sums of several slices: equal within 1e-9 of them */
    void (*found)(void *arg, const struct leat_difference *d);
    void *arg;
    /* out */
    uint32_t n_common;                 /* fields compared */
    uint64_t rows, different, rounded; /* rows looked at; rows that differ; cells that only round */
    uint64_t index_only_left, index_only_right; /* entries of secondary indexes */
};
/* INVALID when the two do not declare the same fields and indexes, unless `common_only`. */
LEAT_MUST_CHECK leat_status leat_models_compare(struct leat_comparison *c, struct leat_error *err);
/* Field by field equal, as the comparison sees it. */
bool leat_cell_same(const struct leat_cell *left, const struct leat_cell *right, bool may_round,
                    bool *ret_rounded);

#endif
