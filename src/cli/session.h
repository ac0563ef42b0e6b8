/* session.h - a topology with its schemas and store, as the verbs that touch servers need them. */
#ifndef LEAT_CLI_SESSION_H
#define LEAT_CLI_SESSION_H

#include "codec/schemas.h"
#include "store/store.h"
#include "topology/topology.h"

struct leat_session {
    struct leat_topology *topology;
    struct leat_schemas *schemas; /* files of all types, and the ids the store has for them */
    struct leat_store_options store_options;
    struct leat_store *store;
    const char *data_dir; /* read models: --data, $LEAT_DATA, else <topology dir>/.leat/<name> */
    struct leat_arena *arena;
};

/* Topology, the schema files of all its types and the modules of its projections in C (their
 * versions are part of the models'); no server is asked. Returns LEAT_EXIT_GO_ON or the code to
 * return; errors are printed. `data` NULL: the default. */
int leat_session_files(struct leat_session *s, const char *topology_path, const char *data);
/* The same without the modules of projections in C, which may not be built yet. */
int leat_session_types(struct leat_session *s, const char *topology_path);
/* Whether read models and sources fit the schemas, as `leat check` looks at it: LEAT_EXIT_GO_ON, or
 * the code to return; mistakes are printed. For what would act on them. */
int leat_session_check(const struct leat_session *s);
/* The files, then connects, checks that the store is ready (else says: leat apply) and takes over
 * the schema ids. */
int leat_session_open(struct leat_session *s, const char *topology_path, const char *data);
/* For what only reads events: types are as the store has them, the newest of each; schema files are
 * not looked at, so an edit that is not applied stops nothing. */
int leat_session_open_stored(struct leat_session *s, const char *topology_path, const char *data);
void leat_session_close(struct leat_session *s);

#endif
