/* eval.h - expressions of a projection, compiled against the fields picked out of its events.
 *
 * Compiling collects the paths an event type needs; a picker delivers their values in that order
 * and evaluation is then a walk over a few nodes, without look-ups by name. Nodes live in the arena
 * given to the compiler, results borrow from the event, the row or the scope's arena. Pure. */
#ifndef LEAT_PROJECTION_EVAL_H
#define LEAT_PROJECTION_EVAL_H

#include "codec/codec.h"
#include "projection/row.h"
#include "topology/expr.h"
#include "topology/models.h"

#define LEAT_PATHS_MAX 256

struct leat_paths { /* zero-initialised is empty */
    struct leat_str at[LEAT_PATHS_MAX];
    uint32_t n;
};

struct leat_event_meta {
    int64_t recorded_at_ms;
    int64_t seq;
    struct leat_str key, type, command_id; /* command_id as text, "" = none */
};

struct leat_eval_scope {
    const struct leat_value *picked; /* one per path */
    const struct leat_cell *row;     /* as it was before the event; one per field */
    const struct leat_event_meta *meta;
    struct leat_arena *arena;
};

struct leat_eval; /* a compiled expression */

struct leat_eval_compiler {
    struct leat_arena *arena;
    const struct leat_projection *projection; /* whose fields $row names */
    struct leat_paths *paths;
};
/* INVALID: too many paths, a row field that does not exist, a time zone that is not installed. */
LEAT_MUST_CHECK leat_status leat_eval_compile(struct leat_eval_compiler *c,
                                              const struct leat_expr *expr,
                                              const struct leat_eval **ret, struct leat_error *err);
/* What does not make sense (day of a text) is null. */
struct leat_cell leat_eval(const struct leat_eval *e, const struct leat_eval_scope *scope);
/* day() or hour(): a part of a key that names a time; then when that time is over, unix ms, of the
 * event's; 0: of a value that is no time. */
bool leat_eval_is_period(const struct leat_eval *e);
int64_t leat_eval_period_end(const struct leat_eval *e, const struct leat_eval_scope *scope);
/* null is equal to null only, and neither less nor greater than anything. */
bool leat_eval_condition(leat_compare compare, const struct leat_cell *left,
                         const struct leat_cell *right);
/* The same value, with the same memory. */
struct leat_cell leat_cell_of_value(const struct leat_value *v);
/* A scalar as text: what keys and concat() are made of; "" for null. */
struct leat_str leat_cell_text(const struct leat_cell *cell, struct leat_arena *arena);

#endif
