/* redis_pool.h - connections to Redis for those who read models: shared by the process, one thread
 * at a time each, at most 16 per server. They stay open until the process ends. */
#ifndef LEAT_PROJECTION_REDIS_POOL_H
#define LEAT_PROJECTION_REDIS_POOL_H

#include "redis/redis.h"
#include "topology/topology.h"

/* Ready for commands. RETRY: Redis is away, or all are taken for as long as redis.timeout. */
LEAT_MUST_CHECK leat_status leat_redis_take(const struct leat_topology *t, struct leat_redis **ret,
                                            struct leat_error *err);
void leat_redis_give(struct leat_redis *r); /* what is pending on it is dropped */

#endif
