/* redis_rebuild.h - rebuild.h for a model in Redis: a version built from the store beside the one
 * in use. Slices are read in parallel; what is published meanwhile is taken too, round after round,
 * until little is left; then the mark goes and projectors feed it. Every batch is compared and set:
 * a build that ended in any way is gone on with from what stands there. */
#ifndef LEAT_PROJECTION_REDIS_REBUILD_H
#define LEAT_PROJECTION_REDIS_REBUILD_H

#include "projection/rebuild.h"
#include "projection/redis_versions.h"

/* As leat_rebuild_run(); data_dir is not looked at, the version is there, marked as being built.
 * RETRY too when Redis is away. ABSENT: the version was dropped meanwhile. */
LEAT_MUST_CHECK leat_status leat_redis_rebuild(const struct leat_rebuild_config *c,
                                               struct leat_rebuild_result *ret,
                                               struct leat_error *err);

#endif
