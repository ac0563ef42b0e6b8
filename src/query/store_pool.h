/* store_pool.h - a few store connections shared by the threads that answer requests. Opened when
 * first needed; a broken one is opened again by whoever takes it next. Any thread. */
#ifndef LEAT_QUERY_STORE_POOL_H
#define LEAT_QUERY_STORE_POOL_H

#include "base/status.h"
#include "store/store.h"

struct leat_store_pool;

struct leat_store_pool *leat_store_pool_new(const struct leat_store_options *options, int size);
void leat_store_pool_free(struct leat_store_pool *p); /* NULL allowed; all must have been given */
/* Waits at most two seconds for a free connection; RETRY when there is none or the store is away.
 */
LEAT_MUST_CHECK leat_status leat_store_pool_take(struct leat_store_pool *p, struct leat_store **ret,
                                                 struct leat_error *err);
void leat_store_pool_give(struct leat_store_pool *p, struct leat_store *s);

#endif
