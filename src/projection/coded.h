/* coded.h - projections in C: what modules have registered, bound to what the topology declares,
 * and the calls of their functions in a fold. What a function may do: leat/rows.h.
 *
 * A binding belongs to one set of rules, thus to one thread. Events are decoded where they are
 * taken (leat_rule_pick), functions run where rows are read and written: inside of the transaction.
 */
#ifndef LEAT_PROJECTION_CODED_H
#define LEAT_PROJECTION_CODED_H

#include "codec/codec.h"
#include "leat/rows.h"
#include "projection/row.h"
#include "topology/models.h"

struct leat_coded {
    const struct leat_projection_def *def;
    const struct leat_projection *projection;
    struct leat_schema *schema; /* of a row */
    struct leat_picker *picker; /* its fields, in the declared order */
    const struct leat_field **key_fields;
    struct leat_buf bytes; /* of the row that is being put */
};

/* NULL: no module has registered a projection of that name. */
const struct leat_projection_def *leat_coded_find(struct leat_str name);
/* INVALID: there is none, or it was compiled for other events or fields than are declared. */
LEAT_MUST_CHECK leat_status leat_coded_bind(const struct leat_projection *p,
                                            struct leat_coded **ret, struct leat_error *err);
void leat_coded_free(struct leat_coded *c); /* NULL allowed */
/* The function for an event; NULL: none. */
const struct leat_rows_on *leat_coded_on(const struct leat_coded *c, struct leat_str event);
/* The declaration's hash with the version of its code, if that is loaded. */
uint64_t leat_coded_hash(const struct leat_projection *p);

#endif
