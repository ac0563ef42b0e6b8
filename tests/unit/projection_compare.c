/* Cells as the comparison of a replay sees them. */
#include <criterion/criterion.h>

#include "projection/compare.h"

static struct leat_cell number(double d)
{
    return (struct leat_cell){.kind = LEAT_CELL_DOUBLE, .d = d};
}

static struct leat_cell whole(int64_t i)
{
    return (struct leat_cell){.kind = LEAT_CELL_INT, .i = i};
}

static bool same(struct leat_cell a, struct leat_cell b, bool may_round, bool *ret_rounded)
{
    return leat_cell_same(&a, &b, may_round, ret_rounded);
}

Test(projection_compare, sums_round_only_where_they_may)
{
    bool rounded = true;
    double sum = 0.1 + 0.2;
    cr_expect(same(number(0.3), number(0.3), false, &rounded) && !rounded);
    cr_expect(!same(number(sum), number(0.3), false, &rounded) && !rounded);
    cr_expect(same(number(sum), number(0.3), true, &rounded) && rounded);
    cr_expect(!same(number(0.3001), number(0.3), true, &rounded) && !rounded);
    cr_expect(same(number(1e300), number(1e300 * (1 + 1e-12)), true, &rounded) && rounded);
    cr_expect(!same(number(1), number(-1), true, &rounded));
}

Test(projection_compare, whole_numbers_and_texts_never_round)
{
    bool rounded = false;
    struct leat_cell text = {.kind = LEAT_CELL_STRING, .s = LEAT_STR("7")};
    struct leat_cell null = {.kind = LEAT_CELL_NULL};
    cr_expect(!same(whole(INT64_MAX), whole(INT64_MAX - 1), true, &rounded));
    cr_expect(!same(whole(7), text, true, &rounded));
    cr_expect(!same(null, whole(0), true, &rounded));
    cr_expect(same(whole(3), number(3.0000000001), true, &rounded) && rounded);
}
