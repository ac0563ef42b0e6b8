/* model_rows_redis.h - inside of reading rows from Redis. Used by model_*_redis.c only. */
#ifndef LEAT_PROJECTION_MODEL_ROWS_REDIS_H
#define LEAT_PROJECTION_MODEL_ROWS_REDIS_H

#include "projection/model_rows.h"
#include "projection/redis_keys.h"
#include "projection/redis_row.h"

struct leat_redis_version {
    struct leat_rows_version public;
    const struct leat_topology *topology;
    struct leat_arena *arena;
    struct leat_redis_form form;
    struct leat_redis_keys keys;
    struct leat_row_names names;
};
struct leat_redis_snapshot {
    struct leat_rows_snapshot public;
    struct leat_redis *redis; /* this thread's until the end */
    struct leat_checkpoint *at;
    int64_t complete_ms;
    struct leat_column_kinds kinds;
};

static inline struct leat_redis_snapshot *leat_redis_snapshot_of(struct leat_rows_snapshot *s)
{
    return (struct leat_redis_snapshot *)s;
}
static inline struct leat_redis_version *leat_redis_version_of(struct leat_rows_snapshot *s)
{
    return (struct leat_redis_version *)s->version;
}

void leat_redis_send_row(struct leat_redis_snapshot *s, int32_t slice, struct leat_str db_key);
/* Adds what the answer holds to the row: its first, or by the model's operations. *ret->cells stays
 * NULL when there is none. Memory: `arena`. */
LEAT_MUST_CHECK leat_status leat_redis_read_row(struct leat_redis_snapshot *s,
                                                struct leat_arena *arena,
                                                struct leat_model_row *ret, struct leat_error *err);

/* The latest of the slices' clocks: what rows that they share go by (fold_ttl.c). */
int64_t leat_redis_clock(const struct leat_redis_snapshot *s);
/* cells := cells and more: what two slices have folded of one row. */
void leat_redis_join(const struct leat_redis_form *form, uint32_t n, struct leat_cell *cells,
                     const struct leat_cell *more, struct leat_arena *arena);

/* ---- model_walk_redis.c ---- */
leat_status leat_redis_walk(struct leat_rows_snapshot *s, const struct leat_rows_range *range,
                            struct leat_rows_walk **ret, struct leat_error *err);
leat_status leat_redis_next(struct leat_rows_walk *w, struct leat_model_row *ret,
                            struct leat_error *err);
void leat_redis_walk_close(struct leat_rows_walk *w);

extern const struct leat_rows_backend leat_rows_redis;

#endif
