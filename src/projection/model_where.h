/* model_where.h - which rows a query's `where` leaves in: fields equal to constants or to other
 * fields of the row. Owner: one thread. */
#ifndef LEAT_PROJECTION_MODEL_WHERE_H
#define LEAT_PROJECTION_MODEL_WHERE_H

#include "projection/shape.h"

struct leat_where_test {
    uint32_t field;
    int32_t other;          /* field it must be equal to; -1: */
    struct leat_cell value; /* this value */
};
struct leat_where {
    struct leat_where_test *tests; /* in the arena */
    uint32_t n;
};

/* RETRY: the version that is served does not have such a field yet. */
LEAT_MUST_CHECK leat_status leat_where_of(const struct leat_query *q,
                                          const struct leat_shape *shape, struct leat_arena *arena,
                                          struct leat_where *ret, struct leat_error *err);
bool leat_where_holds(const struct leat_where *w, const struct leat_cell *cells);

#endif
