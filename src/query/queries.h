/* queries.h - named queries of the topology, as HTTP and `leat list --query` run them.
 *
 * With an index: the rows whose leading columns equal the parameters, in the index's order; without
 * one: the row of the key the parameters make, or with `where` all rows in the order of their keys.
 * Every query takes `fields`; those that give rows also `limit` (at most its own), `order` (asc,
 * desc) and `cursor`. A parameter of its own of such a name hides it. */
#ifndef LEAT_QUERY_QUERIES_H
#define LEAT_QUERY_QUERIES_H

#include "projection/model_read.h"
#include "query/params.h"

/* ABSENT names the nearest. */
LEAT_MUST_CHECK leat_status leat_query_find(const struct leat_topology *t, struct leat_str name,
                                            const struct leat_query **ret, struct leat_error *err);
/* One row, not a list of rows? */
bool leat_query_is_row(const struct leat_query *q);
/* Names of its parameters, `limit` and the like included, comma-separated as leat_target_allow()
 * takes them; *in the arena. */
const char *leat_query_params(const struct leat_query *q, struct leat_arena *arena);
/* The parameters a caller must give. */
struct leat_names leat_query_needs(const struct leat_query *q);
/* `given` was checked with leat_target_allow(). A row as leat_read_get() gives it, or rows as
 * leat_read_list() does. INVALID: a parameter is missing or does not fit. */
LEAT_MUST_CHECK leat_status leat_query_run(const struct leat_query *q, struct leat_model_read *m,
                                           const struct leat_target *given, struct leat_buf *out,
                                           struct leat_error *err);

#endif
