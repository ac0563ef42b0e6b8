/* keeper.h - keeps intents and results of `effects: claim` in the store, for the handlers of one
 * processor in this process: a few connections of its own, as an executor's may be in the middle of
 * a batch. Private to the worker. Threads: any. */
#ifndef LEAT_WORKER_KEEPER_H
#define LEAT_WORKER_KEEPER_H

#include "worker/dispatch.h"

struct leat_keeper;

struct leat_keeper_config {
    const struct leat_store_options *store;
    struct leat_str processor; /* lives as long as the keeper */
    int connections;           /* at most; each is made when it is first needed */
};
struct leat_keeper *leat_keeper_new(const struct leat_keeper_config *c);
void leat_keeper_free(struct leat_keeper *k); /* NULL is allowed; no handler runs any more */
/* For leat_dispatch_keep_effects(). What could not be stored because the store was away is kept in
 * memory and known to later claims: the store's being away makes no outcome unknown, unless this
 * process ends meanwhile. */
struct leat_effect_keeper leat_keeper_functions(struct leat_keeper *k);

#endif
