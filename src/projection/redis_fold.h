/* redis_fold.h - a fold whose rows are in Redis: each slice by itself, one script per batch.
 *
 * A slice's rows and its checkpoint are one key, compared and set in one script: whatever Redis has
 * lost or somebody else has written shows in the checkpoint, and the fold goes on from what stands
 * there: ahead (another projector) is adopted, behind (a lagging replica, an old copy) is folded
 * again from there, missing (flushed, evicted) from the beginning, of another store or history, or
 * torn (a key of the slice is gone) is cleared first. So a projector need not own a slice to be
 * harmless; owning it (shares.h) is a matter of cost. A slice takes events once it was loaded.
 *
 * Rows written lately are remembered, for as long as every script finds the checkpoint it expects:
 * a batch of such rows alone is written without asking for anything.
 *
 * A commit does not wait for its scripts' answers, so that Redis writes while the next batch is
 * folded: `committed` is what was sent. Whether it stands there is seen by the next commit or look;
 * when it does not, figures.rewound tells, and the events after it must be read again.
 *
 * Every function answers RETRY while the server is away, or refused because it evicts. */
#ifndef LEAT_PROJECTION_REDIS_FOLD_H
#define LEAT_PROJECTION_REDIS_FOLD_H

#include "projection/fold.h"
#include "projection/redis_keys.h"

struct leat_redis_fold_config {
    const struct leat_topology *topology;
    const struct leat_projection *projection;
    const char *version;
    struct leat_str declaration; /* kept beside the rows, as declaration.h writes it */
    size_t cache_bytes;          /* for rows written lately, which then need not be fetched */
};
/* Does not connect. INVALID: the declaration. */
LEAT_MUST_CHECK leat_status leat_redis_fold_open(const struct leat_redis_fold_config *c,
                                                 struct leat_fold **ret, struct leat_error *err);

/* Reads the checkpoints of these slices. What is kept of them must have been committed or is
 * dropped. */
LEAT_MUST_CHECK leat_status leat_redis_fold_load(struct leat_fold *f, const int32_t *ks, size_t n,
                                                 struct leat_error *err);
bool leat_redis_fold_loaded(const struct leat_fold *f, int32_t k);
void leat_redis_fold_unload(struct leat_fold *f, int32_t k); /* it belongs to another now */
/* Nothing is kept. Does what was written last still stand there, and are these slices whole? Where
 * so and complete_ms[i] > 0, that time becomes the slice's `fresh`. Else goes on from what stands
 * there. Also (re)writes what the version looks like. */
LEAT_MUST_CHECK leat_status leat_redis_fold_look(struct leat_fold *f, const int32_t *ks, size_t n,
                                                 const int64_t *complete_ms,
                                                 struct leat_error *err);
/* Removes the slice's rows: it is folded again from the first event. */
LEAT_MUST_CHECK leat_status leat_redis_fold_clear(struct leat_fold *f, int32_t k,
                                                  struct leat_error *err);
/* Removes all its slices: the version was dropped. */
LEAT_MUST_CHECK leat_status leat_redis_fold_remove(struct leat_fold *f, struct leat_error *err);
void leat_redis_fold_set_current(struct leat_fold *f, bool current); /* as is known elsewhere */
uint64_t leat_redis_fold_cleared(const struct leat_fold *f);         /* slices, so far */

/* Makes the version the one readers use when there is none yet, or it is at or past that one in
 * every slice, whoever folds it. */
LEAT_MUST_CHECK leat_status leat_redis_fold_switch(struct leat_fold *f, bool *ret_current,
                                                   bool *ret_switched, struct leat_error *err);

/* A connection as the topology says, with the scripts. */
LEAT_MUST_CHECK leat_status leat_redis_of_topology(const struct leat_topology *t,
                                                   struct leat_redis **ret, struct leat_error *err);
/* Ready, and on each new connection: the server does not evict, unless the topology allows it.
 * *seen = connections looked at; starts as 0. */
LEAT_MUST_CHECK leat_status leat_redis_trusted(struct leat_redis *r, const struct leat_topology *t,
                                               uint64_t *seen, struct leat_error *err);

#endif
