/* projection_filter.c - tests on fields as askers write them, and what rows they leave in. */
#include <criterion/criterion.h>

#include "projection/model_filter.h"

static struct leat_str names[] = {{"total", 5}, {"note", 4}, {"paid", 4}, {"tags", 4}, {"gone", 4}};
static struct leat_shape shape = {.fields = names, .n_fields = 5};
static struct leat_projection declared = {.name = {"orders", 6}};
static const struct leat_rows_version version = {.declared = &declared, .shape = &shape};
static struct leat_arena *arena;
static struct leat_cell cells[5];

static void make(void)
{
    arena = leat_arena_new(4096, 0);
    struct leat_cell item = {.kind = LEAT_CELL_STRING, .s = {"blue", 4}};
    cells[0] = (struct leat_cell){.kind = LEAT_CELL_INT, .i = 42};
    cells[1] = (struct leat_cell){.kind = LEAT_CELL_STRING, .s = {"Ann, \"x\"", 8}};
    cells[2] = (struct leat_cell){.kind = LEAT_CELL_BOOL, .b = true};
    cells[3] = (struct leat_cell){.kind = LEAT_CELL_NULL};
    cr_assert(leat_row_apply(&cells[3], LEAT_ROW_APPEND, &item, 10, arena));
    cells[4] = (struct leat_cell){.kind = LEAT_CELL_NULL};
}

static void drop(void)
{
    leat_arena_free(arena);
}

TestSuite(projection_filter, .init = make, .fini = drop, .timeout = 20);

static bool holds(const char *text)
{
    struct leat_filter f;
    struct leat_error err = {0};
    cr_assert_eq(leat_filter_parse(&version, leat_str_of(text), arena, &f, &err), LEAT_OK, "%s: %s",
                 text, err.msg);
    return leat_filter_holds(&f, cells);
}

Test(projection_filter, what_holds_and_what_does_not)
{
    static const char *const yes[] = {"",           "total=42",
                                      "total=42.0", "total=1|42|x",
                                      "total!=1|2", "total>=42,total<=42",
                                      "total>41.5", "note=\"Ann, \"\"x\"\"\"",
                                      "note^=Ann",  "paid=true",
                                      "paid!=null", "tags*=blue",
                                      "gone=null",  "gone!=\"null\"",
                                      "note>=Ann"};
    static const char *const no[] = {
        "total=\"42\"", "total=null", "total<42",  "total>42",
        "total^=4",     "note=ann",   "note<5",    "paid=false",
        "paid=1",       "tags*=red",  "tags=blue", "gone=\"null\"",
        "gone>0",       "gone^=\"\"", "gone*=a",   "total=42,paid=false",
        "total!=42|43"};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++)
        cr_assert(holds(yes[i]), "%s", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof *no; i++)
        cr_assert(!holds(no[i]), "%s", no[i]);
}

Test(projection_filter, what_is_no_test_is_refused_by_name)
{
    static const char *const wrong[][2] = {{"totl=1", "has no field 'totl'"},
                                           {"total", "'total' is no test"},
                                           {",", "'' is no test"},
                                           {"total=1,,paid=true", "'' is no test"},
                                           {"paid<true", "only equal or not"},
                                           {"note^=null", "only equal or not"}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct leat_filter f;
        struct leat_error err = {0};
        cr_assert_eq(leat_filter_parse(&version, leat_str_of(wrong[i][0]), arena, &f, &err),
                     LEAT_INVALID, "%s", wrong[i][0]);
        cr_assert(strstr(err.msg, "parameter 'where'") != NULL, "%s", err.msg);
        cr_assert(strstr(err.msg, wrong[i][1]) != NULL, "%s", err.msg);
    }
}

Test(projection_filter, chosen_fields_come_in_declared_order_and_once)
{
    struct leat_chosen c;
    struct leat_error err = {0};
    cr_assert_eq(leat_choose_fields(&version, LEAT_STR("paid,key,total,paid"), &c, &err), LEAT_OK);
    cr_assert(!c.all);
    cr_assert_eq(c.n, 2);
    cr_assert_eq(c.at[0], 0);
    cr_assert_eq(c.at[1], 2);
    cr_assert_eq(leat_choose_fields(&version, LEAT_STR(""), &c, &err), LEAT_OK);
    cr_assert(c.all);
}
