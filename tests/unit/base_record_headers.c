#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/record_headers.h"

Test(base_record_headers, what_is_put_comes_back_in_order)
{
    struct leat_buf b;
    leat_buf_init(&b, 1024);
    leat_headers_put(&b, LEAT_STR("ce_id"), LEAT_STR("42"));
    leat_headers_put_null(&b, LEAT_STR("nothing"));
    leat_headers_put(&b, LEAT_STR(""), LEAT_STR(""));
    cr_assert_not(b.overflow);

    struct leat_headers_iter it = {leat_buf_str(&b)};
    struct leat_str name;
    struct leat_str value;
    bool null = true;
    cr_assert(leat_headers_next(&it, &name, &value, &null));
    cr_expect(leat_str_eq(name, LEAT_STR("ce_id")) && leat_str_eq(value, LEAT_STR("42")) && !null);
    cr_assert(leat_headers_next(&it, &name, &value, &null));
    cr_expect(leat_str_eq(name, LEAT_STR("nothing")) && value.len == 0 && null);
    cr_assert(leat_headers_next(&it, &name, &value, &null));
    cr_expect(name.len == 0 && value.len == 0 && !null);
    cr_expect_not(leat_headers_next(&it, &name, &value, &null));
    cr_expect_eq(it.rest.len, 0);
    leat_buf_done(&b);
}

Test(base_record_headers, form_is_big_endian_lengths)
{
    struct leat_buf b;
    leat_buf_init(&b, 1024);
    leat_headers_put(&b, LEAT_STR("ab"), LEAT_STR("c"));
    leat_headers_put_null(&b, LEAT_STR("d"));
    cr_expect(leat_str_eq(leat_buf_str(&b), LEAT_STR("\0\2ab\0\0\0\1c\0\1d\xff\xff\xff\xff")));
    leat_buf_done(&b);
}

Test(base_record_headers, find_gives_the_first_value_and_skips_nulls)
{
    struct leat_buf b;
    leat_buf_init(&b, 1024);
    leat_headers_put_null(&b, LEAT_STR("x"));
    leat_headers_put(&b, LEAT_STR("x"), LEAT_STR("1"));
    leat_headers_put(&b, LEAT_STR("x"), LEAT_STR("2"));
    struct leat_str value = {0};
    cr_assert(leat_headers_find(leat_buf_str(&b), LEAT_STR("x"), &value));
    cr_expect(leat_str_eq(value, LEAT_STR("1")));
    cr_expect_not(leat_headers_find(leat_buf_str(&b), LEAT_STR("y"), &value));
    leat_buf_done(&b);
}

Test(base_record_headers, every_cut_of_the_bytes_ends_without_reading_past_them)
{
    struct leat_buf b;
    leat_buf_init(&b, 1024);
    leat_headers_put(&b, LEAT_STR("name"), LEAT_STR("value"));
    leat_headers_put(&b, LEAT_STR("n"), LEAT_STR("v"));
    for (uint32_t len = 0; len < b.len; len++) {
        char *cut = malloc(len + 1); /* an exact copy, so that sanitizers see an overrun */
        memcpy(cut, b.at, len);
        struct leat_headers_iter it = {{cut, len}};
        struct leat_str name;
        struct leat_str value;
        bool null = false;
        int n = 0;
        while (leat_headers_next(&it, &name, &value, &null))
            n++;
        cr_expect_eq(n, len < 15 ? 0 : 1, "cut at %u", len);
        free(cut);
    }
    leat_buf_done(&b);
}

Test(base_record_headers, lengths_that_lie_are_malformed)
{
    struct leat_headers_iter huge_value = {LEAT_STR("\0\1a\x7f\xff\xff\xff"
                                                    "b")};
    struct leat_headers_iter negative = {LEAT_STR("\0\1a\xff\xff\xff\xfe"
                                                  "b")};
    struct leat_headers_iter huge_name = {LEAT_STR("\xff\xff"
                                                   "abcdefgh")};
    struct leat_str name;
    struct leat_str value;
    bool null = false;
    cr_expect_not(leat_headers_next(&huge_value, &name, &value, &null));
    cr_expect_not(leat_headers_next(&negative, &name, &value, &null));
    cr_expect_not(leat_headers_next(&huge_name, &name, &value, &null));
    cr_expect_gt(huge_value.rest.len, 0);
}

Test(base_record_headers, a_name_too_long_overflows_instead_of_lying)
{
    struct leat_buf b;
    leat_buf_init(&b, 1 << 20);
    static char name[0x10000];
    memset(name, 'n', sizeof name);
    leat_headers_put(&b, (struct leat_str){name, sizeof name}, LEAT_STR("v"));
    cr_expect(b.overflow);
    leat_buf_done(&b);
}
