/* limits.h - how often a caller may ask: counted in this process, or in Redis by all of them.
 * Threads: any. */
#ifndef LEAT_QUERY_LIMITS_H
#define LEAT_QUERY_LIMITS_H

#include "guard/limiter.h"
#include "topology/topology.h"

struct leat_limits;

LEAT_MUST_CHECK leat_status leat_limits_new(const struct leat_topology *t, struct leat_limits **ret,
                                            struct leat_error *err);
void leat_limits_free(struct leat_limits *l); /* NULL allowed */
/* `key` names the caller. While Redis is away (looked for once a second) the process counts alone.
 */
struct leat_limited leat_limits_take(struct leat_limits *l, struct leat_str key,
                                     const struct leat_limit *limit);

#endif
