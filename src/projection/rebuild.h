/* rebuild.h - a version of a read model built from the store beside the one in use.
 *
 * Slices are read and decoded in parallel (rebuild_read.h), rows written by the caller's thread in
 * large transactions that do not wait for the disk. What is published meanwhile is taken too, round
 * after round, until little is left; then all of it is brought to the disk, the folder's mark goes
 * (build_file.h) and whoever feeds the models goes on from its checkpoints, by seq. A build that
 * ends in any other way is gone on with from what it has written. */
#ifndef LEAT_PROJECTION_REBUILD_H
#define LEAT_PROJECTION_REBUILD_H

#include <stdatomic.h>

#include "codec/schemas.h"
#include "projection/build_file.h"
#include "projection/versions.h"
#include "store/store.h"
#include "topology/topology.h"

struct leat_rebuild_config {
    const struct leat_topology *topology;
    const struct leat_projection *projection; /* kept in LMDB */
    struct leat_schemas *schemas;             /* shared; unknown ids are read from the store */
    const struct leat_store_options *store;
    const char *data_dir;
    const char *version; /* its folder is there, with or without a mark */
    int readers;         /* store connections that read; 0 = 2 */
    int64_t pace_per_s;  /* 0 = as asked by the folder's file `pace`, else as fast as it goes */
    const atomic_bool *stop;
    void (*tell)(void *arg, const struct leat_build_state *s); /* twice a second; NULL allowed */
    void *arg;
};

struct leat_rebuild_result {
    uint64_t events, rows_put, transactions; /* of this run */
    int64_t resumed;                         /* events that a former run had done */
    int64_t took_ms;
};

/* RETRY: stopped, somebody else builds it, or the store stays away: call again to go on. FATAL: the
 * store lacks an event, or LMDB or the disk failed. */
LEAT_MUST_CHECK leat_status leat_rebuild_run(const struct leat_rebuild_config *c,
                                             struct leat_rebuild_result *ret,
                                             struct leat_error *err);
/* A new version of the declaration, marked as being built, with what it is a fold by. */
LEAT_MUST_CHECK leat_status leat_rebuild_make(const char *data_dir,
                                              const struct leat_topology *topology,
                                              const struct leat_projection *projection,
                                              char ret_version[LEAT_VERSION_BYTES],
                                              struct leat_error *err);
/* Writes into a version's folder what it is a fold by, unless it is there. */
LEAT_MUST_CHECK leat_status leat_rebuild_declare(const char *dir,
                                                 const struct leat_topology *topology,
                                                 const struct leat_projection *projection,
                                                 struct leat_error *err);

#endif
