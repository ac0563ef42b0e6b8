/* model_changes.h - which rows of a model an event concerns, by the model's own rules: what a
 * stream of changes is made of. Owner: one thread. */
#ifndef LEAT_PROJECTION_MODEL_CHANGES_H
#define LEAT_PROJECTION_MODEL_CHANGES_H

#include "codec/schemas.h"
#include "store/store.h"
#include "topology/topology.h"

struct leat_changes;

/* INVALID: the model is written in C, its rows are its own affair. */
LEAT_MUST_CHECK leat_status leat_changes_new(const struct leat_projection *p,
                                             struct leat_changes **ret, struct leat_error *err);
void leat_changes_free(struct leat_changes *c); /* NULL allowed */
/* The keys of the rows that n events concern, each once, in the order of their last event; in the
 * arena. Events that the model does not follow, or that do not decode, concern none. */
struct leat_changed {
    struct leat_str *keys;
    uint32_t n;
};
void leat_changes_keys(struct leat_changes *c, const struct leat_schemas *schemas,
                       const struct leat_stored_event *events, size_t n, struct leat_arena *arena,
                       struct leat_changed *ret);

#endif
