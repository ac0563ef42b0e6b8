#include <criterion/criterion.h>

#include "projection/eval.h"
#include "projection/zone.h"

static struct leat_arena *arena;
static struct leat_paths paths;

static void set_up(void)
{
    arena = leat_arena_new(4096, 0);
    paths.n = 0;
}

static void tear_down(void)
{
    leat_arena_free(arena);
}

static const struct leat_eval *compile(const char *text)
{
    static const struct leat_projection none = {.name = {"p", 1}};
    struct leat_eval_compiler c = {.arena = arena, .projection = &none, .paths = &paths};
    const struct leat_expr *expr = NULL;
    const struct leat_eval *e = NULL;
    struct leat_error err = {0};
    cr_assert_eq(leat_expr_parse(arena, leat_str_of(text), true, &expr, &err), LEAT_OK, "%s",
                 err.msg);
    cr_assert_eq(leat_eval_compile(&c, expr, &e, &err), LEAT_OK, "%s", err.msg);
    return e;
}

static struct leat_cell eval(const char *text)
{
    static const struct leat_event_meta meta = {.recorded_at_ms = 1774745999999, /* 00:59:59.999Z */
                                                .seq = 9,
                                                .key = {"k-1", 3},
                                                .type = {"Paid", 4},
                                                .command_id = {NULL, 0}};
    struct leat_value picked[4] = {{.kind = LEAT_VALUE_NULL}};
    picked[0] = (struct leat_value){.kind = LEAT_VALUE_STRING, .s = LEAT_STR("MiXed \xc3\x84")};
    const struct leat_eval *e = compile(text);
    struct leat_eval_scope scope = {.picked = picked, .meta = &meta, .arena = arena};
    return leat_eval(e, &scope);
}

static void assert_text(const char *text, const char *expected)
{
    struct leat_cell cell = eval(text);
    struct leat_str s = leat_cell_text(&cell, arena);
    cr_assert(leat_str_eq(s, leat_str_of(expected)), "%s: '%.*s' is not '%s'", text,
              LEAT_STR_FMT(s), expected);
}

TestSuite(eval, .init = set_up, .fini = tear_down);

Test(eval, literals_fields_and_meta)
{
    assert_text("placed", "placed");
    assert_text("42", "42");
    assert_text("true", "true");
    assert_text("$.name", "MiXed \xc3\x84");
    assert_text("$meta.key", "k-1");
    assert_text("$meta.seq", "9");
    assert_text("$meta.type", "Paid");
    cr_assert_eq(eval("$meta.command_id").kind, LEAT_CELL_NULL);
    cr_assert_eq(eval("$meta.header.x").kind, LEAT_CELL_NULL);
    cr_assert_eq(paths.n, 1, "a path is picked once");
}

Test(eval, functions)
{
    assert_text("lower($.name)", "mixed \xc3\x84");
    assert_text("concat($meta.type, -, $meta.seq)", "Paid-9");
    assert_text("day($meta.time)", "2026-03-29");
    assert_text("hour($meta.time)", "2026-03-29T00");
    cr_assert_eq(eval("day($.name)").kind, LEAT_CELL_NULL);
}

/* Clocks in Berlin went from 02:00 to 03:00 at 01:00Z that day. */
Test(eval, local_days_follow_the_zone)
{
    const struct leat_zone *berlin = NULL, *kathmandu = NULL;
    struct leat_error err = {0};
    cr_assert_eq(leat_zone_load("Europe/Berlin", &berlin, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_zone_offset(berlin, 1774745999), 3600);
    cr_assert_eq(leat_zone_offset(berlin, 1774746000), 7200);
    cr_assert_eq(leat_zone_load("Asia/Kathmandu", &kathmandu, &err), LEAT_OK);
    cr_assert_eq(leat_zone_offset(kathmandu, 1774746000), 20700);
    cr_assert_eq(leat_zone_offset(NULL, 0), 0);
    assert_text("day($meta.time, 'Pacific/Auckland')", "2026-03-29");
    assert_text("hour($meta.time, 'America/New_York')", "2026-03-28T20");
}

Test(eval, a_zone_that_is_none_is_an_error)
{
    const struct leat_zone *z = NULL;
    struct leat_error err = {0};
    cr_assert_eq(leat_zone_load("Europe/Berln", &z, &err), LEAT_INVALID);
    cr_assert_eq(leat_zone_load("../../etc/passwd", &z, &err), LEAT_INVALID);
    cr_assert_eq(leat_zone_load("tzdata.zi", &z, &err), LEAT_INVALID);
}

Test(eval, comparing_with_null)
{
    struct leat_cell none = {.kind = LEAT_CELL_NULL}, one = {.kind = LEAT_CELL_INT, .i = 1};
    cr_assert(leat_eval_condition(LEAT_COMPARE_EQ, &none, &none));
    cr_assert(leat_eval_condition(LEAT_COMPARE_NE, &none, &one));
    cr_assert_not(leat_eval_condition(LEAT_COMPARE_LT, &none, &one));
    cr_assert_not(leat_eval_condition(LEAT_COMPARE_GE, &one, &none));
    cr_assert(leat_eval_condition(LEAT_COMPARE_GE, &one, &one));
}
