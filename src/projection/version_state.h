/* version_state.h - what stands in a version's files: how far it is, how large, who holds it back.
 * Pure reading; any process, any thread. */
#ifndef LEAT_PROJECTION_VERSION_STATE_H
#define LEAT_PROJECTION_VERSION_STATE_H

#include "base/arena.h"
#include "projection/build_file.h"
#include "projection/env.h"
#include "projection/seqrule.h"
#include "projection/versions.h"

struct leat_version_state {
    bool has_data;              /* there is something to read */
    int32_t partitions;         /* checkpoints below */
    struct leat_checkpoint *at; /* in the arena */
    uint64_t rows, skipped;
    struct leat_env_figures figures;
    int64_t complete_ms; /* 0 = never, or not known */
    bool building;
    struct leat_build_state build;
};
/* A version without files yet has no data, which is no error. */
LEAT_MUST_CHECK leat_status leat_version_look(const char *dir, struct leat_arena *arena,
                                              struct leat_version_state *ret,
                                              struct leat_error *err);

/* Is `a` at or past `b` in every slice? Slices of different stores do not count. */
bool leat_checkpoints_reach(const struct leat_checkpoint *a, const struct leat_checkpoint *b,
                            int32_t partitions);
/* Events that `a` lacks of what `b` has. */
int64_t leat_checkpoints_behind(const struct leat_checkpoint *a, const struct leat_checkpoint *b,
                                int32_t partitions);

#endif
