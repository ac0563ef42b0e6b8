/* model_filter.h - which rows an asker wants: tests on any fields, all of which must hold. Pure.
 *
 *   status=placed|paid,total>=5,name^="Ann, ",tags*=blue,note!=null
 *
 * Operators: = != < <= > >=, ^= starts with, *= contains (a text a part of it, a list an item).
 * Values: as many as wanted with | between them after = and !=. A value means what the row's cell
 * is: 42 is a number beside a number and a text beside a text, and so with true and false; null is
 * no value at all, "null" in quotes the text. Different kinds are never equal, less or greater. */
#ifndef LEAT_PROJECTION_MODEL_FILTER_H
#define LEAT_PROJECTION_MODEL_FILTER_H

#include "projection/model_values.h"

#define LEAT_FILTER_TESTS_MAX  16
#define LEAT_FILTER_VALUES_MAX 64 /* of one test */

typedef enum leat_filter_op {
    LEAT_FILTER_EQ,
    LEAT_FILTER_NE,
    LEAT_FILTER_LT,
    LEAT_FILTER_LE,
    LEAT_FILTER_GT,
    LEAT_FILTER_GE,
    LEAT_FILTER_STARTS,
    LEAT_FILTER_HAS,
} leat_filter_op;

struct leat_filter_value {
    struct leat_cell text, number; /* number.kind NULL: it is none */
    leat_cell_kind special;        /* NULL, BOOL: `null`, `true`, `false` as such; else STRING */
    bool is_true;
};
struct leat_filter_test {
    uint32_t field;
    leat_filter_op op;
    struct leat_filter_value *values; /* in the arena */
    uint32_t n_values;
};
struct leat_filter {
    struct leat_filter_test tests[LEAT_FILTER_TESTS_MAX];
    uint32_t n;
};

/* Empty text: every row. */
LEAT_MUST_CHECK leat_status leat_filter_parse(const struct leat_rows_version *v,
                                              struct leat_str text, struct leat_arena *arena,
                                              struct leat_filter *ret, struct leat_error *err);
bool leat_filter_holds(const struct leat_filter *f, const struct leat_cell *cells);

#endif
