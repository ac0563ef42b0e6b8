/* model_range.h - a question about many rows made ready: names and values as the asker wrote them
 * become numbers of fields and bytes of bounds. Inside of reading a model. */
#ifndef LEAT_PROJECTION_MODEL_RANGE_H
#define LEAT_PROJECTION_MODEL_RANGE_H

#include "projection/model_filter.h"
#include "projection/model_read.h"
#include "projection/model_where.h"

#define LEAT_LIST_BYTES_MAX 14336 /* of what a cursor belongs to */

/* index, from, to, equal, prefix and descending as bounds. */
LEAT_MUST_CHECK leat_status leat_range_of(struct leat_rows_snapshot *s,
                                          const struct leat_model_range *r,
                                          struct leat_rows_range *ret, struct leat_error *err);
/* What a cursor belongs to, in a fixed form. */
void leat_range_name(const struct leat_model_range *r, struct leat_buf *out);

struct leat_scan { /* the rows of a range for which all tests hold, one by one */
    struct leat_rows_snapshot *snapshot;
    const struct leat_rows_backend *backend;
    struct leat_rows_range range;
    struct leat_rows_walk *walk;
    struct leat_filter filter;
    struct leat_where where;
    const struct leat_model_guard *guard;
    uint64_t looked_at, looked_at_max;
    int64_t until_us;
};
/* `keys_only`: the caller needs no cells (a filter still gets them). `cursor`: r->cursor is read.
 */
LEAT_MUST_CHECK leat_status leat_scan_begin(struct leat_model_read *read,
                                            const struct leat_model_range *r, bool keys_only,
                                            struct leat_scan *ret, struct leat_error *err);
/* The next row, whether it is wanted or not. ABSENT behind the last one. */
LEAT_MUST_CHECK leat_status leat_scan_look(struct leat_scan *s, struct leat_model_row *ret,
                                           bool *ret_wanted, struct leat_error *err);
/* The next wanted row. ABSENT; INVALID when more was looked at than LEAT_MODEL_LOOK_MAX allows. */
LEAT_MUST_CHECK leat_status leat_scan_next(struct leat_scan *s, struct leat_model_row *ret,
                                           struct leat_error *err);
void leat_scan_end(struct leat_scan *s);

#endif
