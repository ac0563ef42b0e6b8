#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "projection/index_key.h"
#include "projection/row.h"

static struct leat_cell null_cell(void)
{
    return (struct leat_cell){.kind = LEAT_CELL_NULL};
}
static struct leat_cell boolean(bool b)
{
    return (struct leat_cell){.kind = LEAT_CELL_BOOL, .b = b};
}
static struct leat_cell integer(int64_t i)
{
    return (struct leat_cell){.kind = LEAT_CELL_INT, .i = i};
}
static struct leat_cell real(double d)
{
    return (struct leat_cell){.kind = LEAT_CELL_DOUBLE, .d = d};
}
static struct leat_cell text(const char *s)
{
    return (struct leat_cell){.kind = LEAT_CELL_STRING, .s = leat_str_of(s)};
}

static void assert_json(const struct leat_cell *cell, const char *expected)
{
    struct leat_buf out;
    struct leat_json_writer w;
    leat_buf_init(&out, 4096);
    leat_json_writer_init(&w, &out);
    leat_cell_json(cell, &w);
    struct leat_str s = leat_buf_str(&out);
    cr_assert(leat_str_eq(s, leat_str_of(expected)), "%.*s is not %s", LEAT_STR_FMT(s), expected);
    leat_buf_done(&out);
}

Test(row, round_trip_of_every_kind)
{
    struct leat_cell cells[] = {null_cell(), boolean(true),      boolean(false),       integer(0),
                                integer(-1), integer(INT64_MIN), integer(INT64_MAX),   real(-0.5),
                                real(1e300), text(""),           text("h\xc3\xa4user")};
    enum {
        N = sizeof cells / sizeof *cells
    };
    struct leat_cell got[N + 2];
    struct leat_buf out;
    struct leat_str key;
    struct leat_error err = {0};
    leat_buf_init(&out, LEAT_ROW_BYTES_MAX);
    leat_row_encode(cells, N, LEAT_STR("the whole key"), &out);
    cr_assert_eq(leat_row_decode(leat_buf_str(&out), got, N + 2, &key, &err), LEAT_OK, "%s",
                 err.msg);
    cr_assert(leat_str_eq(key, LEAT_STR("the whole key")));
    for (int i = 0; i < N; i++)
        cr_assert(leat_cell_equal(&cells[i], &got[i]), "cell %d", i);
    cr_assert_eq(got[N].kind, LEAT_CELL_NULL, "fields added later read as null");
    leat_buf_done(&out);
}

Test(row, damaged_bytes_are_poison_at_every_length_and_bit)
{
    struct leat_cell cells[] = {integer(123456), text("some text"), real(2.5)};
    struct leat_cell got[3];
    struct leat_buf out;
    leat_buf_init(&out, 1024);
    leat_row_encode(cells, 3, LEAT_STR("k"), &out);
    for (size_t n = 0; n < out.len; n++) {
        char *cut = malloc(n + 1);
        memcpy(cut, out.at, n);
        cr_assert_eq(leat_row_decode((struct leat_str){cut, (uint32_t)n}, got, 3, NULL, NULL),
                     LEAT_POISON);
        free(cut);
    }
    for (size_t i = 0; i < out.len * 8; i++) {
        out.at[i / 8] = (char)(out.at[i / 8] ^ 1 << i % 8);
        (void)!leat_row_decode(leat_buf_str(&out), got, 3, NULL, NULL); /* must only not crash */
        out.at[i / 8] = (char)(out.at[i / 8] ^ 1 << i % 8);
    }
    leat_buf_done(&out);
}

Test(row, operations)
{
    struct leat_arena *a = leat_arena_new(4096, 0);
    struct leat_cell cell = null_cell(), one = integer(1), half = real(0.5), word = text("x");
    cr_assert(leat_row_apply(&cell, LEAT_ROW_ADD, &one, 0, a));
    cr_assert(leat_row_apply(&cell, LEAT_ROW_ADD, &one, 0, a));
    assert_json(&cell, "2");
    cr_assert(leat_row_apply(&cell, LEAT_ROW_ADD, &half, 0, a));
    assert_json(&cell, "2.5");
    cr_assert_not(leat_row_apply(&cell, LEAT_ROW_ADD, &word, 0, a), "no number");
    assert_json(&cell, "2.5");
    struct leat_cell least = null_cell(), nothing = null_cell();
    cr_assert(leat_row_apply(&least, LEAT_ROW_MIN, &half, 0, a));
    cr_assert(leat_row_apply(&least, LEAT_ROW_MIN, &one, 0, a));
    cr_assert(leat_row_apply(&least, LEAT_ROW_MIN, &nothing, 0, a));
    assert_json(&least, "0.5");
    cr_assert(leat_row_apply(&least, LEAT_ROW_MAX, &one, 0, a));
    assert_json(&least, "1");
    struct leat_cell huge = integer(INT64_MAX);
    cr_assert(leat_row_apply(&huge, LEAT_ROW_ADD, &one, 0, a));
    cr_assert_eq(huge.kind, LEAT_CELL_DOUBLE);
    leat_arena_free(a);
}

Test(row, append_keeps_the_last_ones)
{
    struct leat_arena *a = leat_arena_new(4096, 0);
    struct leat_cell cell = null_cell();
    for (int i = 0; i < 5; i++) {
        struct leat_cell item = integer(i);
        cr_assert(leat_row_apply(&cell, LEAT_ROW_APPEND, &item, 3, a));
    }
    assert_json(&cell, "[2,3,4]");
    leat_arena_free(a);
}

Test(row, collect_is_a_set_that_does_not_depend_on_order)
{
    struct leat_arena *a = leat_arena_new(4096, 0);
    const char *forward[] = {"b", "a", "c", "a", "d"}, *backward[] = {"d", "c", "a", "b", "b"};
    struct leat_cell x = null_cell(), y = null_cell();
    for (int i = 0; i < 5; i++) {
        struct leat_cell u = text(forward[i]), v = text(backward[i]);
        cr_assert(leat_row_apply(&x, LEAT_ROW_COLLECT, &u, 3, a));
        cr_assert(leat_row_apply(&y, LEAT_ROW_COLLECT, &v, 3, a));
    }
    assert_json(&x, "[\"a\",\"b\",\"c\"]");
    cr_assert(leat_cell_equal(&x, &y));
    leat_arena_free(a);
}

static struct leat_index_key key_of(struct leat_cell cell, bool descending)
{
    struct leat_index_key k;
    leat_index_key_start(&k, 3);
    leat_index_key_column(&k, &cell, descending);
    return k;
}

static int order_of(struct leat_cell a, struct leat_cell b, bool descending)
{
    struct leat_index_key x = key_of(a, descending), y = key_of(b, descending);
    uint32_t n = x.len < y.len ? x.len : y.len;
    int order = memcmp(x.bytes, y.bytes, n);
    return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

Test(index_key, bytes_sort_as_the_values_do)
{
    struct leat_cell sorted[] = {
        null_cell(),
        boolean(false),
        boolean(true),
        real(NAN),
        real(-INFINITY),
        integer(INT64_MIN),
        integer(-300),
        real(-1.5),
        integer(-1),
        real(-1e-300),
        integer(0),
        real(1e-300),
        integer(1),
        real(1.5),
        integer(255),
        integer(256),
        integer((1LL << 53)),
        integer((1LL << 53) + 1),
        integer((1LL << 53) + 2),
        integer(INT64_MAX - 1),
        integer(INT64_MAX),
        real(1e19),
        real(INFINITY),
        text(""),
        text("a"),
        text("a\x01"),
        text("aa"),
        text("b"),
    };
    enum {
        N = sizeof sorted / sizeof *sorted
    };
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            int expected = (i > j) - (i < j);
            int up = order_of(sorted[i], sorted[j], false);
            int down = order_of(sorted[i], sorted[j], true);
            cr_assert_eq((up > 0) - (up < 0), expected, "%d against %d", i, j);
            cr_assert_eq((down > 0) - (down < 0), -expected, "%d against %d, descending", i, j);
            int plain = leat_cell_compare(&sorted[i], &sorted[j]);
            cr_assert_eq((plain > 0) - (plain < 0), expected, "%d against %d, compared", i, j);
        }
    }
}

Test(index_key, equal_numbers_have_equal_keys)
{
    cr_assert_eq(order_of(integer(42), real(42.0), false), 0);
    cr_assert_eq(order_of(real(0.0), real(-0.0), false), 0);
}

Test(index_key, a_zero_byte_does_not_end_a_text)
{
    struct leat_cell a = text(""), b = text("");
    a.s = (struct leat_str){"a\0b", 3};
    b.s = (struct leat_str){"a", 1};
    cr_assert_gt(order_of(a, b, false), 0);
    cr_assert_lt(order_of(a, b, true), 0);
}

Test(index_key, the_row_key_is_found_behind_any_columns)
{
    struct leat_cell cells[] = {text("t\0e"), integer(-7), null_cell(), boolean(true)};
    cells[0].s.len = 3;
    struct leat_index_column columns[] = {{0, true}, {1, false}, {2, true}, {3, false}};
    struct leat_index_key k;
    struct leat_str row_key;
    leat_index_key_start(&k, 1);
    for (int i = 0; i < 4; i++)
        leat_index_key_column(&k, &cells[i], columns[i].descending);
    leat_index_key_end(&k, LEAT_STR("lead-1"));
    struct leat_str entry = {(const char *)k.bytes, k.len};
    cr_assert(leat_index_key_row(entry, columns, 4, &row_key));
    cr_assert(leat_str_eq(row_key, LEAT_STR("lead-1")));
    for (uint32_t n = 0; n < k.len - 6; n++)
        cr_assert_not(leat_index_key_row((struct leat_str){entry.at, n}, columns, 4, &row_key));
}

Test(index_key, long_keys_are_shortened_and_stay_distinct)
{
    char a[200], b[200];
    uint8_t scratch_a[LEAT_ROW_KEY_MAX], scratch_b[LEAT_ROW_KEY_MAX];
    bool shortened = false;
    memset(a, 'x', sizeof a);
    memset(b, 'x', sizeof b);
    b[199] = 'y';
    struct leat_str x = leat_row_key((struct leat_str){a, 200}, scratch_a, &shortened);
    cr_assert(shortened);
    struct leat_str y = leat_row_key((struct leat_str){b, 200}, scratch_b, &shortened);
    cr_assert_eq(x.len, LEAT_ROW_KEY_MAX);
    cr_assert_not(leat_str_eq(x, y));
    (void)leat_row_key((struct leat_str){a, LEAT_ROW_KEY_MAX - 1}, scratch_a, &shortened);
    cr_assert_not(shortened);
}
