#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "projection/redis_row.h"

#define FIELDS 9

static const struct leat_str fields[FIELDS] = {
    {"text", 4}, {"n", 1},   {"d", 1},     {"yes", 3},       {"none", 4},
    {"list", 4}, {"rec", 3}, {"bytes", 5}, {"odd\"name", 8},
};

static struct leat_arena *arena;
static struct leat_row_names names;
static struct leat_buf text;

static void set_up(void)
{
    struct leat_error err = {0};
    arena = leat_arena_new(4096, 0);
    leat_buf_init(&text, 1 << 20);
    cr_assert_eq(leat_row_names_of(fields, FIELDS, arena, &names, &err), LEAT_OK);
}

static void tear_down(void)
{
    leat_buf_done(&text);
    leat_arena_free(arena);
}

TestSuite(redis_row, .init = set_up, .fini = tear_down);

static struct leat_cell string(const char *s)
{
    return (struct leat_cell){.kind = LEAT_CELL_STRING, .s = leat_str_of(s)};
}

static struct leat_cell list_of(const struct leat_cell *items, uint32_t n)
{
    struct leat_cell list = {.kind = LEAT_CELL_NULL};
    for (uint32_t i = 0; i < n; i++)
        cr_assert(leat_row_apply(&list, LEAT_ROW_APPEND, &items[i], 100, arena));
    return list;
}

/* What is written is read back to the bit: the packed form tells. */
static void assert_same(const struct leat_cell *cells, struct leat_str key)
{
    struct leat_cell read[FIELDS];
    struct leat_buf before, after;
    const struct leat_row_own own = {key, key.len % 2 == 0 ? 0 : INT64_C(1792454400000)};
    struct leat_row_own got = {{NULL, 0}, 0};
    struct leat_error err = {0};
    leat_buf_clear(&text);
    leat_row_text(&names, cells, &own, &text);
    cr_assert_eq(leat_row_of_text(&names, leat_buf_str(&text), arena, read, &got, &err), LEAT_OK,
                 "%.*s: %s", LEAT_STR_FMT(leat_buf_str(&text)), err.msg);
    leat_buf_init(&before, 1 << 20);
    leat_buf_init(&after, 1 << 20);
    leat_row_encode(cells, FIELDS, key, &before);
    leat_row_encode(read, FIELDS, got.key, &after);
    cr_expect(leat_str_eq(leat_buf_str(&before), leat_buf_str(&after)), "%.*s",
              LEAT_STR_FMT(leat_buf_str(&text)));
    leat_buf_done(&before);
    leat_buf_done(&after);
}

Test(redis_row, a_plain_row_is_the_object_that_leat_get_prints)
{
    const struct leat_cell items[] = {string("a"), {.kind = LEAT_CELL_INT, .i = 2}};
    struct leat_cell cells[FIELDS] = {
        string("x\"y"),
        {.kind = LEAT_CELL_INT, .i = -7},
        {.kind = LEAT_CELL_DOUBLE, .d = 2},
        {.kind = LEAT_CELL_BOOL, .b = true},
        {.kind = LEAT_CELL_NULL},
        list_of(items, 2),
        {.kind = LEAT_CELL_JSON, .s = LEAT_STR("{ \"a\": [1, {\"b\": 2}] }")},
        {.kind = LEAT_CELL_NULL},
        string(""),
    };
    assert_same(cells, LEAT_STR(""));
    cr_assert(leat_str_eq(leat_buf_str(&text),
                          LEAT_STR("{\"text\":\"x\\\"y\",\"n\":-7,\"d\":2.0,\"yes\":true,"
                                   "\"none\":null,\"list\":[\"a\",2],"
                                   "\"rec\":{ \"a\": [1, {\"b\": 2}] },\"bytes\":null,"
                                   "\"odd\\\"name\":\"\"}")),
              "%.*s", LEAT_STR_FMT(leat_buf_str(&text)));
}

Test(redis_row, what_json_cannot_say_is_kept_all_the_same)
{
    const struct leat_cell bytes = {.kind = LEAT_CELL_BYTES, .s = {"\0\xff\x01", 3}};
    struct leat_cell cells[FIELDS] = {
        {.kind = LEAT_CELL_STRING, .s = {"bad \xff utf-8", 11}},
        {.kind = LEAT_CELL_INT, .i = INT64_MIN},
        {.kind = LEAT_CELL_DOUBLE, .d = NAN},
        {.kind = LEAT_CELL_DOUBLE, .d = -INFINITY},
        {.kind = LEAT_CELL_DOUBLE, .d = 9007199254740993.0},
        list_of(&bytes, 1),
        {.kind = LEAT_CELL_JSON, .s = LEAT_STR("[1, 2]")},
        bytes,
        {.kind = LEAT_CELL_JSON, .s = LEAT_STR("\"text\"")},
    };
    assert_same(cells, LEAT_STR(""));
    assert_same(cells, (struct leat_str){"key\xff", 4});
    cells[2].d = 1e300;
    cells[3].d = -0.0;
    cells[4] = (struct leat_cell){.kind = LEAT_CELL_LIST, .s = {"", 0}};
    assert_same(cells, LEAT_STR("k"));
}

Test(redis_row, fields_of_another_declaration_are_passed_over)
{
    struct leat_cell read[FIELDS];
    struct leat_error err = {0};
    struct leat_str row = LEAT_STR("{\"n\":1,\"gone\":[{\"x\":1}],\"text\":\"a\",\"d\":1e3}");
    cr_assert_eq(leat_row_of_text(&names, row, arena, read, NULL, &err), LEAT_OK, "%s", err.msg);
    cr_expect_eq(read[1].i, 1);
    cr_expect(leat_str_eq(read[0].s, LEAT_STR("a")));
    cr_expect_eq(read[2].kind, LEAT_CELL_DOUBLE);
    cr_expect_eq(read[8].kind, LEAT_CELL_NULL);
}

Test(redis_row, damaged_text_is_poison)
{
    static const char *const damaged[] = {
        "",
        "[]",
        "{\"n\":",
        "{\"list\":[[1]]}",
        "{\"n\":1",
        "{\"n\"}",
        "{\"rec\":{\"a\"",
        "{\"_leat\":{\"exact\":{\"n\":\"!\"}}}",
        "{\"_leat\":{\"key\":5}}",
        "{\"_leat\":{\"until\":\"x\"}}",
        "{\"n\":99999999999999999999e999}",
    };
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        struct leat_cell read[FIELDS];
        struct leat_error err = {0};
        cr_expect_eq(leat_row_of_text(&names, leat_str_of(damaged[i]), arena, read, NULL, &err),
                     LEAT_POISON, "%s", damaged[i]);
    }
}

Test(redis_row, the_name_of_our_own_member_is_taken)
{
    const struct leat_str taken = LEAT_STR("_leat");
    struct leat_error err = {0};
    cr_assert_eq(leat_row_names_of(&taken, 1, arena, &names, &err), LEAT_INVALID);
    cr_assert_str_eq(err.msg, "a field of a model in Redis cannot be named '_leat'");
}
