/* shares.h - which partitions this process folds into Redis: its share of the events topic, as the
 * consumer group `<topology>.projector` gives it. A matter of cost: what two processes fold at once
 * is settled by the checkpoint in Redis. Own thread; any thread asks. */
#ifndef LEAT_PROJECTION_SHARES_H
#define LEAT_PROJECTION_SHARES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "topology/topology.h"

struct leat_shares;

struct leat_shares_config {
    const struct leat_topology *topology;
    const char *instance_id;    /* NULL: a dynamic member; copied */
    int32_t session_timeout_ms; /* 0 = the group's default */
};
LEAT_MUST_CHECK leat_status leat_shares_start(const struct leat_shares_config *c,
                                              struct leat_shares **ret, struct leat_error *err);
/* A dynamic member leaves the group, so that others take over at once. */
void leat_shares_stop(struct leat_shares *s); /* NULL allowed */
/* Number of changes so far; with ret_owned (one per partition) the partitions as of that change. */
uint64_t leat_shares_owned(struct leat_shares *s, bool *ret_owned);

#endif
