/* lane.h - a thread for questions that may take long (counts, groups), one after the other, so that
 * those that answer single rows never wait behind one. The connection is suspended meanwhile. */
#ifndef LEAT_QUERY_LANE_H
#define LEAT_QUERY_LANE_H

#include "query/http.h"

#define LEAT_LANE_MAX 64 /* questions that wait; more are refused */

struct leat_lane;

LEAT_MUST_CHECK leat_status leat_lane_new(struct leat_lane **ret, struct leat_error *err);
/* Called by a handler: it runs again on the lane's thread with rq->on_lane set, and must answer
 * then. On OK the request is the lane's until it is resumed. RETRY: too many, or stopping. */
LEAT_MUST_CHECK leat_status leat_lane_take(struct leat_lane *l, struct leat_request *rq,
                                           struct leat_error *err);
/* Answers those that have begun; 503 for those that wait. */
void leat_lane_close(struct leat_lane *l);
void leat_lane_free(struct leat_lane *l); /* NULL allowed */

#endif
