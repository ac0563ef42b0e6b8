/* redis_versions.h - versions of a model in Redis: which there are, how far each is, made, switched
 * to and dropped by a person. The like of versions.h, for keys instead of folders.
 *
 * Of the model, in the cluster slot of {topology.model}: `current`; `versions`, a set; `dropped`,
 * names that are never used again, so that whoever still feeds one lets go of it; `held`, the
 * declaration a person holds readers against; per version `shape:<v>` (redis_keys.h), `about:<v>` =
 * hash of made, left, declaration and, while it is being built, what its builder has done and is
 * asked to, and `builder:<v>`, which goes by itself when the builder does. Any process. */
#ifndef LEAT_PROJECTION_REDIS_VERSIONS_H
#define LEAT_PROJECTION_REDIS_VERSIONS_H

#include "projection/version_state.h"
#include "redis/redis.h"
#include "topology/topology.h"

#define LEAT_REDIS_BUILDER_MS 5000 /* a builder that was silent for so long is dead */

struct leat_redis_model { /* whose versions; borrowed */
    const struct leat_topology *topology;
    const struct leat_projection *projection;
};

struct leat_redis_versions {
    struct leat_versions all;         /* older ones first; without those that were dropped */
    char current[LEAT_VERSION_BYTES]; /* "" = none */
    uint64_t held;                    /* hash of the declaration it is held against; 0 = none */
    char (*dropped)[LEAT_VERSION_BYTES];
    size_t n_dropped;
};
LEAT_MUST_CHECK leat_status leat_redis_versions_read(const struct leat_redis_model *m,
                                                     struct leat_redis_versions *ret,
                                                     struct leat_error *err);
void leat_redis_versions_free(struct leat_redis_versions *v);
bool leat_redis_version_was_dropped(const struct leat_redis_versions *v, const char *version);
/* A name that was never used: the next one of that declaration. */
void leat_redis_version_next(const struct leat_redis_versions *v, uint64_t hash,
                             char ret[LEAT_VERSION_BYTES]);

/* What stands in its keys; `full`: rows, skipped and bytes (as Redis estimates them) too. */
LEAT_MUST_CHECK leat_status leat_redis_version_look(const struct leat_redis_model *m,
                                                    const char *version, bool full,
                                                    struct leat_arena *arena,
                                                    struct leat_version_state *ret,
                                                    struct leat_error *err);
/* What it is a fold by, as declaration.h writes it; "" = not known. */
LEAT_MUST_CHECK leat_status leat_redis_version_declaration(const struct leat_redis_model *m,
                                                           const char *version,
                                                           struct leat_arena *arena,
                                                           struct leat_str *ret,
                                                           struct leat_error *err);
struct leat_str leat_redis_declaration_text(const struct leat_redis_model *m,
                                            struct leat_arena *arena);

/* Readers use it from now on; `held`: a projector of the topology's declaration leaves it so. */
LEAT_MUST_CHECK leat_status leat_redis_version_switch(const struct leat_redis_model *m,
                                                      const char *version, bool held,
                                                      struct leat_error *err);
/* Nobody uses it any more: it is none at once, then its keys go one by one, each freed by Redis'
 * own thread. */
LEAT_MUST_CHECK leat_status leat_redis_version_drop(const struct leat_redis_model *m,
                                                    const char *version, struct leat_error *err);

/* ---- one that is being built ---- */

/* A new version of the declaration, marked so. */
LEAT_MUST_CHECK leat_status leat_redis_version_make(const struct leat_redis_model *m,
                                                    char ret_version[LEAT_VERSION_BYTES],
                                                    struct leat_error *err);
/* RETRY: somebody else builds it. */
LEAT_MUST_CHECK leat_status leat_redis_build_lock(const struct leat_redis_model *m,
                                                  const char *version, struct leat_error *err);
void leat_redis_build_unlock(const struct leat_redis_model *m, const char *version);
/* Tells what is done, and what is asked of the builder. ABSENT: the version was dropped. */
LEAT_MUST_CHECK leat_status leat_redis_build_tell(const struct leat_redis_model *m,
                                                  const char *version, struct leat_build_state *s,
                                                  struct leat_error *err);
/* It is whole: the mark goes. */
LEAT_MUST_CHECK leat_status leat_redis_build_done(const struct leat_redis_model *m,
                                                  const char *version, struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_redis_build_pause(const struct leat_redis_model *m,
                                                   const char *version, bool pause,
                                                   struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_redis_build_pace(const struct leat_redis_model *m,
                                                  const char *version, int64_t per_s,
                                                  struct leat_error *err);

#endif
