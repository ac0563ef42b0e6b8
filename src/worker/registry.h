/* registry.h - what loaded modules have registered, and the loading of modules. */
#ifndef LEAT_WORKER_REGISTRY_H
#define LEAT_WORKER_REGISTRY_H

#include "base/status.h"
#include "topology/topology.h"

/* Loads the shared objects of the processors named (all when n == 0) and of all aggregates:
 * `module` as a path, or as <name>.so in $LEAT_MODULES, <topology dir>/modules,
 * <exe dir>/modules/<topology>, <exe dir>/modules, <exe dir>/../lib/leat/modules. Aggregates come
 * first: a processor that its aggregate's module registers needs no module of its own. INVALID
 * names the module and the places looked at. They stay loaded. Main thread, before
 * anything runs. */
LEAT_MUST_CHECK leat_status leat_modules_load(const struct leat_topology *t,
                                              const struct leat_str *processors, size_t n,
                                              struct leat_error *err);
/* Those of all projections written in C; one that is nowhere is passed over: whoever folds by it
 * says so. Before leat_modules_load(), likewise. */
LEAT_MUST_CHECK leat_status leat_modules_load_projections(const struct leat_topology *t,
                                                          struct leat_error *err);
/* Path of a module's file, looked for as above; NULL when it is nowhere. Nothing is loaded. */
const char *leat_module_path(const struct leat_topology *t, const char *module,
                             struct leat_arena *arena);

#endif
