/* redis_fold_internal.h - what redis_fold.c (a model version in Redis, its checkpoints, its switch)
 * and redis_batch.c (one batch of it) share. Owner: the fold's thread. */
#ifndef LEAT_PROJECTION_REDIS_FOLD_INTERNAL_H
#define LEAT_PROJECTION_REDIS_FOLD_INTERNAL_H

#include "projection/fold_batch.h"
#include "projection/redis_fold.h"
#include "projection/redis_row.h"
#include "projection/row_cache.h"

struct leat_redis_slice {
    bool loaded, active, clear;
    bool in_flight; /* the last script was sent, its answer was not read yet */
    bool due;       /* so it is with the one before */
    bool doubted;   /* one was not done, or it is not known: look before the next one */
    bool asks;      /* of the batch: rows or checkpoint are fetched */
    bool recalled;  /* of the batch: rows are as the cache has them */
    char *at;       /* the checkpoint as it was found or written last; "" = none */
    uint32_t at_len, at_cap;
    uint32_t first_row; /* of the batch; linked by `next` */
};

struct leat_redis_place {
    const struct leat_topology *topology;
    struct leat_redis *redis; /* of this fold alone */
    bool in_flight;
    uint64_t trusted;
    struct leat_arena *arena;
    struct leat_redis_keys keys;
    struct leat_row_names names;
    struct leat_redis_slice *slices;
    struct leat_row_cache *cache; /* rows as of `at`; NULL: no rule reads rows */
    struct leat_str shape_text, declaration;
    const char *version;
    bool is_current; /* readers use it, as far as we know */
    uint64_t cleared;
    struct leat_buf text, packed;
};

static inline struct leat_redis_place *leat_redis_place_of(const struct leat_fold *f)
{
    return f->batch->place;
}

static inline struct leat_str leat_redis_at_of(const struct leat_redis_slice *s)
{
    return (struct leat_str){s->at, s->at_len};
}

/* ---- redis_fold.c ---- */
void leat_redis_keep_at(struct leat_redis_slice *s, struct leat_str text);
/* The slice may be another than this fold has written; `empty`: it has no rows. */
void leat_redis_forget_rows(struct leat_redis_place *p, int32_t k, bool empty);
/* Reads the answers of the batch before the last one. */
LEAT_MUST_CHECK leat_status leat_redis_settle_due(struct leat_fold *f, struct leat_error *err);
/* Connected to a server that may be trusted, with no answer of an earlier batch outstanding. */
LEAT_MUST_CHECK leat_status leat_redis_fold_ready(struct leat_fold *f, struct leat_error *err);
leat_seq_reconciled leat_redis_judge(struct leat_fold *f, int32_t k, struct leat_str text,
                                     struct leat_checkpoint *file);
LEAT_MUST_CHECK leat_status leat_redis_clear_marked(struct leat_fold *f, struct leat_error *err);

/* ---- redis_batch.c ---- */
/* There and back, and there again, all slices at once. What fails before the last step leaves the
 * batch kept, to be tried again. What was sent counts as written; if it was not, the checkpoint is
 * found behind, and its events are read again. */
LEAT_MUST_CHECK leat_status leat_redis_commit(struct leat_fold *f, struct leat_error *err);

#endif
