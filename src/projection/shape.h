/* shape.h - what a model's environment says about itself, so that any process can read it without
 * the topology it was built by: field names, indexes, checkpoints. Kept in the meta database. */
#ifndef LEAT_PROJECTION_SHAPE_H
#define LEAT_PROJECTION_SHAPE_H

#include "projection/env.h"
#include "projection/index_key.h"
#include "projection/row.h"
#include "projection/seqrule.h"
#include "topology/topology.h"

#define LEAT_INDEXES_MAX 32

struct leat_shape_index {
    struct leat_str name;
    struct leat_index_column columns[LEAT_INDEX_COLUMNS_MAX];
    uint32_t n_columns;
};
struct leat_shape {
    struct leat_arena *arena;
    struct leat_str *fields;
    uint32_t n_fields;
    struct leat_shape_index indexes[LEAT_INDEXES_MAX];
    uint32_t n_indexes;
    int32_t partitions;
};

/* INVALID when a bound is passed (index columns, indexes). */
LEAT_MUST_CHECK leat_status leat_shape_of(const struct leat_projection *p, int32_t partitions,
                                          struct leat_shape **ret, struct leat_error *err);
void leat_shape_free(struct leat_shape *s);
/* Index number by name; -1 when there is none. */
int leat_shape_index(const struct leat_shape *s, struct leat_str name);

/* The shape as bytes and back; false = damaged. */
#define LEAT_SHAPE_BYTES_MAX ((size_t)256 * 1024)
void leat_shape_text(const struct leat_shape *s, struct leat_buf *out);
bool leat_shape_of_text(struct leat_str text, struct leat_shape **ret);
LEAT_MUST_CHECK leat_status leat_shape_write(struct leat_env_txn *t, const struct leat_shape *s,
                                             struct leat_error *err);
/* ABSENT in an environment that was never written to. */
LEAT_MUST_CHECK leat_status leat_shape_read(struct leat_env_txn *t, struct leat_shape **ret,
                                            struct leat_error *err);

/* One checkpoint per partition; all zero in a new environment. */
LEAT_MUST_CHECK leat_status leat_checkpoints_read(struct leat_env_txn *t, int32_t partitions,
                                                  struct leat_checkpoint *ret,
                                                  struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_checkpoints_write(struct leat_env_txn *t, int32_t partitions,
                                                   const struct leat_checkpoint *at,
                                                   struct leat_error *err);

/* Their clocks are written apart, by models with a `ttl` only, and are read along with them. */
LEAT_MUST_CHECK leat_status leat_clocks_write(struct leat_env_txn *t, int32_t partitions,
                                              const struct leat_checkpoint *at,
                                              struct leat_error *err);

/* Which kinds of value each index column has held: bit (1 << leat_cell_kind). Lets a reader turn
 * "42" in a query into a number or a text. */
struct leat_column_kinds {
    uint8_t bits[LEAT_INDEXES_MAX][LEAT_INDEX_COLUMNS_MAX];
};
LEAT_MUST_CHECK leat_status leat_column_kinds_read(struct leat_env_txn *t,
                                                   struct leat_column_kinds *ret,
                                                   struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_column_kinds_write(struct leat_env_txn *t,
                                                    const struct leat_column_kinds *kinds,
                                                    struct leat_error *err);

#endif
