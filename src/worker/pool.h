/* pool.h - threads that run the jobs of one call together with the caller: `concurrency: n`.
 * Owner: one executor. */
#ifndef LEAT_WORKER_POOL_H
#define LEAT_WORKER_POOL_H

#include "base/status.h"
#include "worker/flow.h"

struct leat_pool;

/* `threads` in all, the caller's among them; at least 2. FATAL when they can't be started. */
LEAT_MUST_CHECK leat_status leat_pool_new(int32_t threads, struct leat_pool **ret,
                                          struct leat_error *err);
/* job(ctx, i, runner) for each i < jobs, each once, in any order, by runners 0 .. threads - 1 (0 is
 * the caller; each runs one job at a time). Returns when all are done: what they wrote is seen. */
void leat_pool_run(struct leat_pool *p, size_t jobs, leat_flow_job job, void *ctx);
void leat_pool_free(struct leat_pool *p); /* NULL allowed; nothing may be running */

#endif
