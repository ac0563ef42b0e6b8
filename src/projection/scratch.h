/* scratch.h - a read model folded again from the store alone, in a folder of its own, by the code
 * that folds the live one. Nothing live is written. Owner: one thread. */
#ifndef LEAT_PROJECTION_SCRATCH_H
#define LEAT_PROJECTION_SCRATCH_H

#include "projection/fold.h"
#include "store/store.h"

struct leat_scratch_config {
    const struct leat_topology *topology;
    const struct leat_projection *projection; /* kept in LMDB */
    struct leat_schemas *schemas;             /* ids that are unknown are read from the store */
    struct leat_store *store;                 /* used by this thread only meanwhile */
    const char *dir;                          /* of the LMDB files; made, must hold no model yet */
};

struct leat_scratch {
    struct leat_scratch_config c;
    struct leat_fold *fold;
    struct leat_published *slices; /* one per partition, as the store had them at the opening */
    uint64_t events;               /* folded so far */
    bool *ended;                   /* per slice: an event after `until_us` was met */
    struct leat_arena *arena, *page;
};

struct leat_scratch_goal {
    const int64_t *seqs; /* fold each slice up to and with this seq; 0 = nothing of it */
    int64_t until_us;    /* stop a slice before its first event recorded later; 0 = no such limit */
    void (*tell)(void *arg, uint64_t events); /* after each page; NULL allowed */
    void *arg;
};

LEAT_MUST_CHECK leat_status leat_scratch_open(const struct leat_scratch_config *c,
                                              struct leat_scratch **ret, struct leat_error *err);
void leat_scratch_close(struct leat_scratch *s); /* NULL allowed; the files stay */
/* May be called again with later seqs. FATAL: an event is missing in the store; RETRY: the store
 * was not to be reached for a while. */
LEAT_MUST_CHECK leat_status leat_scratch_fold(struct leat_scratch *s,
                                              const struct leat_scratch_goal *goal,
                                              struct leat_error *err);

#endif
