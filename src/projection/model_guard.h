/* model_guard.h - rows and fields of a model that whoever asks may not see: laid over a snapshot
 * once, then every question of it is answered without them. Owner: the snapshot's thread. */
#ifndef LEAT_PROJECTION_MODEL_GUARD_H
#define LEAT_PROJECTION_MODEL_GUARD_H

#include "projection/model_read.h"

struct leat_guard_field {
    struct leat_str field, value; /* a row is seen when its field reads as this text */
};
struct leat_guard_rules { /* borrowed until the snapshot ends */
    bool none;            /* no row at all */
    const struct leat_guard_field *where;
    uint32_t n_where;
    const struct leat_str *mask; /* fields that read as null, and order or find nothing */
    uint32_t n_mask;
};

void leat_model_guard(struct leat_model_read *r, const struct leat_guard_rules *rules);

/* ---- for those who read rows ---- */

/* True: the row may be seen; its masked cells are null then. */
bool leat_guard_row(const struct leat_model_guard *g, struct leat_model_row *row);
bool leat_guard_hides_rows(const struct leat_model_guard *g);
/* INVALID: the index orders by a masked field. `index`: number in the shape, or -1. */
LEAT_MUST_CHECK leat_status leat_guard_index(const struct leat_model_guard *g,
                                             const struct leat_shape *shape, int index,
                                             struct leat_error *err);

#endif
