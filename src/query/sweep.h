/* sweep.h - many dead letters or waiting messages, changed slice by slice in small transactions:
 * what redrive, drop, now and cancel share. One owner. */
#ifndef LEAT_QUERY_SWEEP_H
#define LEAT_QUERY_SWEEP_H

#include "store/operators.h"
#include "topology/topology.h"

#define LEAT_SWEEP_BATCH 500 /* ids of a slice per call */
#define LEAT_SWEEP_MAX   1000000

typedef enum leat_sweep_what {
    LEAT_SWEEP_REDRIVE,
    LEAT_SWEEP_DROP,
    LEAT_SWEEP_NOW,
    LEAT_SWEEP_CANCEL,
} leat_sweep_what;

struct leat_sweep_told { /* what became of one id */
    const struct leat_dead_ref *ref;
    leat_operated result;
};
struct leat_sweep {
    leat_sweep_what what;
    struct leat_store *store;
    const struct leat_topology *topology;
    struct leat_arena *arena;
    bool force;           /* REDRIVE */
    struct leat_str note; /* DROP, CANCEL: why, and who says so */
    int64_t max;          /* done at most; 0 = all */

    int64_t counts[LEAT_OPERATED_COUNT];
    int64_t seen;
    struct leat_sweep_told *told; /* of every id, in the order in which they were done */

    struct leat_sweep_lane *lanes; /* private */
    size_t lane_count, at;
    int64_t todo;
};

/* Refs of one processor and slice stand together, in the order in which they are to be done. ABSENT
 * when one is of a processor this topology does not have (REDRIVE, CANCEL). */
LEAT_MUST_CHECK leat_status leat_sweep_start(struct leat_sweep *s, const struct leat_dead_ref *refs,
                                             size_t n, struct leat_error *err);
/* One call for at most `limit` ids of the slice whose turn it is. False at the end. */
LEAT_MUST_CHECK leat_status leat_sweep_step(struct leat_sweep *s, int64_t limit, bool *ret_more,
                                            struct leat_error *err);
int64_t leat_sweep_done(const struct leat_sweep *s);
/* Refused for a reason somebody has to look at: not those that another did meanwhile. */
int64_t leat_sweep_refused(const struct leat_sweep *s);
/* Why, for a person. */
const char *leat_operated_text(leat_operated result);

#endif
