#include <criterion/criterion.h>
#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/hash.h"
#include "base/status.h"
#include "base/table.h"

Test(arena, hands_out_aligned_memory_that_does_not_overlap)
{
    struct leat_arena *a = leat_arena_new(256, 1024);
    unsigned char *parts[100];
    for (size_t i = 0; i < 100; i++) {
        parts[i] = leat_arena_alloc(a, i * 7);
        cr_assert_eq((uintptr_t)parts[i] % 16, 0);
        memset(parts[i], (int)i, i * 7);
    }
    for (size_t i = 0; i < 100; i++) {
        for (size_t j = 0; j < i * 7; j++)
            cr_assert_eq(parts[i][j], i);
    }
    leat_arena_free(a);
}

Test(arena, reset_keeps_no_more_than_it_was_told)
{
    struct leat_arena *a = leat_arena_new(1024, 4096);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 100; i++)
            memset(leat_arena_alloc(a, 500), 1, 500);
        cr_assert_geq(leat_arena_used(a), 50000);
        leat_arena_reset(a);
        cr_assert_eq(leat_arena_used(a), 0);
    }
    char *big = leat_arena_alloc(a, 1000000);
    big[999999] = 1;
    leat_arena_free(a);
}

Test(arena, copies_and_formats)
{
    struct leat_arena *a = leat_arena_new(64, 0);
    cr_expect_str_eq(leat_arena_printf(a, "%s-%d", "lane", 7), "lane-7");
    cr_expect_str_eq(leat_arena_cstr(a, (struct leat_str){"abcdef", 3}), "abc");
    cr_expect(leat_str_eq(leat_arena_copy(a, LEAT_STR("abc")), LEAT_STR("abc")));
    size_t cap = 0;
    int *numbers = NULL;
    for (int i = 0; i < 1000; i++) {
        numbers = leat_arena_grow(a, numbers, sizeof *numbers, &cap, (size_t)i + 1);
        numbers[i] = i;
    }
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(numbers[i], i);
    leat_arena_free(a);
}

Test(buf, stops_at_its_maximum_and_says_so)
{
    struct leat_buf b;
    leat_buf_init(&b, 10);
    leat_buf_puts(&b, "12345678");
    leat_buf_puts(&b, "abc");
    cr_expect(b.overflow);
    leat_buf_putc(&b, 'x');
    cr_expect(leat_str_eq(leat_buf_str(&b), LEAT_STR("12345678")), "nothing after an overflow");
    leat_buf_clear(&b);
    leat_buf_printf(&b, "%010d", 7);
    cr_expect_not(b.overflow);
    cr_expect(leat_str_eq(leat_buf_str(&b), LEAT_STR("0000000007")));
    leat_buf_done(&b);
}

Test(buf, formats_longer_than_its_scratch)
{
    struct leat_buf b;
    leat_buf_init(&b, 100000);
    leat_buf_printf(&b, "%0*d", 5000, 1);
    cr_expect_eq(b.len, 5000);
    leat_buf_done(&b);
}

Test(table, agrees_with_an_array_through_random_puts_and_deletes)
{
    struct leat_table t = {0};
    static uint64_t model[500];
    uint64_t seed = 1;
    size_t live = 0;
    for (int step = 0; step < 200000; step++) {
        seed = leat_hash64(&step, sizeof step, seed);
        size_t i = seed % 500;
        char key[64];
        int n =
            snprintf(key, sizeof key, i % 2 == 0 ? "k%zu" : "a-long-key-of-more-than-16-%zu", i);
        struct leat_str k = {key, (uint32_t)n};
        uint64_t value = 0;
        cr_assert_eq(leat_table_get(&t, k, &value), model[i] != 0);
        cr_assert_eq(value, model[i]);
        if ((seed >> 20) % 2 == 0) {
            cr_assert_eq(leat_table_delete(&t, k), model[i] != 0);
            live -= model[i] != 0 ? 1 : 0;
            model[i] = 0;
        } else {
            live += model[i] == 0 ? 1 : 0;
            model[i] = (uint64_t)step + 1;
            leat_table_put(&t, k, model[i]);
        }
        cr_assert_eq(t.count, live);
    }
    leat_table_done(&t);
}

Test(status, wraps_outside_in_and_bounds_the_text)
{
    struct leat_error err = {0};
    cr_expect_eq(leat_fail(&err, LEAT_RETRY, "connection refused"), LEAT_RETRY);
    leat_error_wrap(&err, "append to slice %d", 7);
    cr_expect_str_eq(err.msg, "append to slice 7: connection refused");
    for (int i = 0; i < 100; i++)
        leat_error_wrap(&err, "layer %d", i);
    cr_expect_eq(strlen(err.msg), sizeof err.msg - 1);
    leat_fail(&err, LEAT_INVALID, "again: %s", err.msg);
    cr_expect_eq(strncmp(err.msg, "again: layer 99: layer 98", 25), 0);
    leat_error_wrap(NULL, "no error wanted");
    cr_expect_eq(leat_fail(NULL, LEAT_FATAL, "x"), LEAT_FATAL);
}
