/* redis_copy.h - a model that is in Redis as an LMDB environment, each slice exactly at the
 * checkpoint it is copied with: to be compared, or looked at in peace. Reading only. */
#ifndef LEAT_PROJECTION_REDIS_COPY_H
#define LEAT_PROJECTION_REDIS_COPY_H

#include "projection/env.h"
#include "projection/versions.h"
#include "topology/topology.h"

/* The version readers use. ABSENT: none. */
LEAT_MUST_CHECK leat_status leat_redis_current(const struct leat_topology *t,
                                               const struct leat_projection *p,
                                               char ret_version[LEAT_VERSION_BYTES],
                                               struct leat_error *err);
/* Makes the environment in `dir`, with shape, checkpoints, rows and index entries; rows that
 * several slices share are merged. RETRY: Redis is away, or the model is written faster than it is
 * read. */
LEAT_MUST_CHECK leat_status leat_redis_copy(const struct leat_topology *t,
                                            const struct leat_projection *p, const char *version,
                                            const char *dir, struct leat_env **ret,
                                            struct leat_error *err);

#endif
