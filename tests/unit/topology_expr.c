#include <criterion/criterion.h>

#include "topology/expr.h"

static struct leat_arena *arena;

static void open_arena(void)
{
    arena = leat_arena_new(4096, 0);
}

static void close_arena(void)
{
    leat_arena_free(arena);
}

TestSuite(expr, .init = open_arena, .fini = close_arena);

static const struct leat_expr *parse(const char *text, bool plain)
{
    const struct leat_expr *e = NULL;
    struct leat_error err = {0};
    cr_assert_eq(leat_expr_parse(arena, leat_str_of(text), plain, &e, &err), LEAT_OK, "%s: %s",
                 text, err.msg);
    return e;
}

Test(expr, bare_words_follow_yaml_and_quoted_ones_stay_text)
{
    cr_expect_eq(parse("placed", true)->kind, LEAT_EXPR_STRING);
    cr_expect_eq(parse("12", true)->kind, LEAT_EXPR_INT);
    cr_expect_eq(parse("12", true)->integer, 12);
    cr_expect_eq(parse("-1.5e3", true)->kind, LEAT_EXPR_DOUBLE);
    cr_expect_eq(parse("true", true)->kind, LEAT_EXPR_BOOL);
    cr_expect_eq(parse("", true)->kind, LEAT_EXPR_NULL);
    cr_expect_eq(parse("0x10", true)->kind, LEAT_EXPR_STRING);
    cr_expect_eq(parse("nan", true)->kind, LEAT_EXPR_STRING);
    cr_expect_eq(parse("12", false)->kind, LEAT_EXPR_STRING);
    cr_expect_eq(parse("", false)->kind, LEAT_EXPR_STRING);
    cr_expect_eq(parse("of (the) day", true)->kind, LEAT_EXPR_STRING);
    cr_expect_str_eq(parse("'$5 isn''t it'", false)->text.at, "$5 isn't it");
}

Test(expr, references)
{
    const struct leat_expr *e = parse("$.address.city", true);
    cr_expect_eq(e->kind, LEAT_EXPR_FIELD);
    cr_expect_eq(e->n_path, 2);
    cr_expect_str_eq(e->path[1].at, "city");
    cr_expect_str_eq(e->text.at, "address.city");
    cr_expect_eq(parse("$meta.recorded_at", true)->meta, LEAT_META_RECORDED_AT);
    e = parse("$meta.header.content-type", true);
    cr_expect_eq(e->kind, LEAT_EXPR_HEADER);
    cr_expect_str_eq(e->text.at, "content-type");
    cr_expect_eq(parse("$row.total", true)->kind, LEAT_EXPR_ROW);
}

Test(expr, functions_nest_and_take_zones)
{
    const struct leat_expr *e = parse("concat(lower($.a), '-', day($meta.time, Europe/Berlin))", 1);
    cr_expect_eq(e->n_args, 3);
    cr_expect_eq(e->args[0]->fn, LEAT_FN_LOWER);
    cr_expect_str_eq(e->args[1]->text.at, "-");
    cr_expect_str_eq(e->args[2]->zone, "Europe/Berlin");
    cr_expect_eq(e->args[2]->n_args, 1);
    cr_expect(
        leat_expr_equal(e, parse("concat(lower($.a),'-',day($meta.time,'Europe/Berlin'))", 0)));
    cr_expect_not(leat_expr_equal(e, parse("concat(lower($.a),'-',day($meta.time))", 0)));
    cr_expect_not(leat_expr_is_constant(e));
    cr_expect(leat_expr_is_constant(parse("concat(a, 1)", true)));
}

static void expect_error(const char *text, const char *want)
{
    const struct leat_expr *e = NULL;
    struct leat_error err = {0};
    cr_expect_eq(leat_expr_parse(arena, leat_str_of(text), true, &e, &err), LEAT_INVALID, "%s",
                 text);
    cr_expect_str_eq(err.msg, want);
    cr_expect_null(e, "untouched on failure");
}

Test(expr, errors_name_the_column)
{
    expect_error("$foo", "not a reference at column 1 of the expression");
    expect_error("$.", "expected a field's name at column 3 of the expression");
    expect_error("$.a b", "more text after the value at column 5 of the expression");
    expect_error("$.a.b.c.d.e.f.g.h.i",
                 "a path of more than 8 fields at column 3 of the expression");
}

Test(expr, errors_of_calls)
{
    expect_error("lower()", "lower() takes 1 to 1 arguments, not 0 at column 1 of the expression");
    expect_error("day($.a, $.b)", "day(): the zone must be a name such as 'Europe/Berlin' at "
                                  "column 1 of the expression");
    expect_error("concat($.a $.b)", "expected ',' or ')' at column 12 of the expression");
    expect_error("concat('a)", "no closing quote at column 8 of the expression");
    expect_error("lower(lower(lower(lower(lower(lower(lower(lower(lower(a)))))))))",
                 "functions nested more than 8 deep at column 49 of the expression");
}

Test(expr, conditions)
{
    struct leat_condition c;
    struct leat_error err = {0};
    cr_assert_eq(leat_condition_parse(arena, LEAT_STR("$.score>=70"), &c, &err), LEAT_OK);
    cr_expect_eq(c.compare, LEAT_COMPARE_GE);
    cr_expect_eq(c.right->integer, 70);
    cr_assert_eq(leat_condition_parse(arena, LEAT_STR(" lower($.tier) != 'a b' "), &c, &err),
                 LEAT_OK);
    cr_expect_eq(c.compare, LEAT_COMPARE_NE);
    cr_expect_str_eq(c.right->text.at, "a b");
    cr_expect_eq(leat_condition_parse(arena, LEAT_STR("$.a"), &c, &err), LEAT_INVALID);
    cr_expect_str_eq(err.msg, "expected ==, !=, <, <=, > or >= at column 4 of the expression");
}
