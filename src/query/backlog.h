/* backlog.h - what waits and is dead, counted in the store by a thread of its own, at most every
 * five seconds and only while somebody asks: who asks for metrics never waits for Postgres. Private
 * to src/query; any thread. */
#ifndef LEAT_QUERY_BACKLOG_H
#define LEAT_QUERY_BACKLOG_H

#include "query/store_pool.h"
#include "topology/topology.h"

struct leat_backlog_counts;
LEAT_MUST_CHECK leat_status leat_backlog_new(const struct leat_topology *t,
                                             struct leat_store_pool *stores,
                                             struct leat_backlog_counts **ret,
                                             struct leat_error *err);
void leat_backlog_free(struct leat_backlog_counts *b); /* NULL allowed */
/* Appends leat_waiting, leat_waiting_oldest_seconds and leat_dead_letters as counted last; nothing
 * before the first time, and while the store is away. */
void leat_backlog_metrics(struct leat_backlog_counts *b, struct leat_buf *out);

#endif
