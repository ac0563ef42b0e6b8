/* leat new: rows go into a topology file without changing a byte that was there; names. */
#include <criterion/criterion.h>

#include "cli/new.h"
#include "cli/new_insert.h"

static struct leat_arena *arena;

static void begin(void)
{
    arena = leat_arena_new(4096, 0);
}

static void end(void)
{
    leat_arena_free(arena);
}

TestSuite(cli_new, .init = begin, .fini = end);

static const char *insert(const char *file, const char *section, const char *rows)
{
    struct leat_str text =
        leat_new_insert(leat_str_of(file), leat_str_of(section), leat_str_of(rows), arena);
    return text.len == 0 ? "" : leat_arena_cstr(arena, text);
}

Test(cli_new, rows_go_behind_the_last_entry_of_their_section)
{
    cr_assert_str_eq(insert("a: 1\n"
                            "processors:   # who decides\n"
                            "  x:\n"
                            "    commands: [A]  # one\n"
                            "  # about y\n"
                            "\n"
                            "# the read side\n"
                            "projections:\n"
                            "  p: {}\n",
                            "processors", "z:\n  commands: [B]\n"),
                     "a: 1\n"
                     "processors:   # who decides\n"
                     "  x:\n"
                     "    commands: [A]  # one\n"
                     "  # about y\n"
                     "  z:\n"
                     "    commands: [B]\n"
                     "\n"
                     "# the read side\n"
                     "projections:\n"
                     "  p: {}\n");
}

Test(cli_new, rows_are_indented_as_their_neighbours)
{
    cr_assert_str_eq(insert("processors:\n      x: {}\nb: 1\n", "processors", "y: {}\n"),
                     "processors:\n      x: {}\n      y: {}\nb: 1\n");
}

Test(cli_new, a_file_without_a_last_line_end_gets_one)
{
    cr_assert_str_eq(insert("processors:\n  x: {}", "processors", "y: {}\n"),
                     "processors:\n  x: {}\n  y: {}\n");
    cr_assert_str_eq(insert("processors:", "processors", "y: {}\n"), "processors:\n  y: {}\n");
}

Test(cli_new, a_missing_section_is_put_at_the_end)
{
    cr_assert_str_eq(insert("leat: 1\n", "projections", "p: {}\n"),
                     "leat: 1\n\nprojections:\n  p: {}\n");
    cr_assert_str_eq(insert("x:\n  projections:\n    a: 1\n", "projections", "p: {}\n"),
                     "x:\n  projections:\n    a: 1\n\nprojections:\n  p: {}\n");
}

Test(cli_new, the_line_ends_of_the_file_are_kept)
{
    cr_assert_str_eq(insert("processors:\r\n  x: {}\r\nb: 1\r\n", "processors", "y: {}\n"),
                     "processors:\r\n  x: {}\r\n  y: {}\r\nb: 1\r\n");
}

Test(cli_new, a_section_in_one_line_is_left_alone)
{
    cr_assert_str_eq(insert("processors: {x: {}}\n", "processors", "y: {}\n"), "");
    cr_assert_str_eq(insert("processors: *others\n", "processors", "y: {}\n"), "");
    cr_assert_str_eq(insert("processors: &all\n  x: {}\n", "processors", "y: {}\n"), "");
    cr_assert_str_eq(insert("{leat: 1, processors: {x: {}}}\n", "processors", "y: {}\n"), "");
}

Test(cli_new, a_key_in_quotes_is_the_same_key)
{
    cr_assert_str_eq(insert("\"processors\":\n  x: {}\n", "processors", "y: {}\n"),
                     "\"processors\":\n  x: {}\n  y: {}\n");
    cr_assert_str_eq(insert("'processors': {}\n", "processors", "y: {}\n"), "");
}

Test(cli_new, singular_and_type_names)
{
    static const char *const words[][3] = {{"orders", "order", "Order"},
                                           {"entries", "entry", "Entry"},
                                           {"boxes", "box", "Box"},
                                           {"addresses", "address", "Address"},
                                           {"status", "status", "Status"},
                                           {"stock", "stock", "Stock"},
                                           {"order_lines", "order_line", "OrderLine"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        struct leat_str one = leat_new_singular(leat_str_of(words[i][0]), arena);
        cr_expect_str_eq(one.at, words[i][1]);
        cr_expect_str_eq(leat_new_type(one, arena).at, words[i][2]);
    }
}

Test(cli_new, names_that_cannot_be_are_named)
{
    struct leat_error err = {0};
    static const char *const wrong[] = {"", "Orders", "1st", "_x", "a-b", "a.b", "a/b", "../x"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(leat_new_check_name("topology", leat_str_of(wrong[i]), &err), LEAT_INVALID);
    cr_expect_str_eq(err.msg, "'../x' cannot be the name of a topology");
    cr_expect_eq(leat_new_check_name("topology", LEAT_STR("shop_2"), &err), LEAT_OK);
}

Test(cli_new, lists_of_types)
{
    struct leat_error err = {0};
    struct leat_names names;
    cr_assert_eq(leat_new_types("emits", "A,OrderPlaced", arena, &names, &err), LEAT_OK);
    cr_assert_eq(names.n, 2);
    cr_assert_str_eq(names.at[1].at, "OrderPlaced");
    cr_assert_eq(leat_new_types("emits", NULL, arena, &names, &err), LEAT_OK);
    cr_assert_eq(names.n, 0);
    cr_assert_eq(leat_new_types("emits", "A,,B", arena, &names, &err), LEAT_INVALID);
    cr_assert_str_eq(err.msg, "--emits: '' is not the name of a type");
    cr_assert_eq(leat_new_types("emits", "order", arena, &names, &err), LEAT_INVALID);
    cr_assert_str_eq(err.msg, "--emits: 'order' is not the name of a type");
}
