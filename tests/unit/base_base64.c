#include <criterion/criterion.h>

#include "base/base64.h"

/* RFC 4648 section 10 */
static const struct vector {
    const char *bytes, *text;
} vectors[] = {{"", ""},
               {"f", "Zg=="},
               {"fo", "Zm8="},
               {"foo", "Zm9v"},
               {"foob", "Zm9vYg=="},
               {"fooba", "Zm9vYmE="},
               {"foobar", "Zm9vYmFy"}};

Test(base_base64, vectors_of_the_rfc_both_ways)
{
    struct leat_arena *arena = leat_arena_new(1024, 0);
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        struct leat_buf text;
        struct leat_str bytes;
        leat_buf_init(&text, 64);
        leat_base64_put(&text, leat_str_of(vectors[i].bytes));
        cr_expect(leat_str_eq(leat_buf_str(&text), leat_str_of(vectors[i].text)), "%s",
                  vectors[i].bytes);
        cr_expect(leat_base64_read(leat_str_of(vectors[i].text), arena, &bytes));
        cr_expect(leat_str_eq(bytes, leat_str_of(vectors[i].bytes)), "%s", vectors[i].text);
        leat_buf_done(&text);
    }
    leat_arena_free(arena);
}

Test(base_base64, every_byte_comes_back)
{
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_buf text;
    struct leat_str back;
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    leat_buf_init(&text, 1024);
    leat_base64_put(&text, (struct leat_str){all, 256});
    cr_assert(leat_base64_read(leat_buf_str(&text), arena, &back));
    cr_expect_eq(back.len, 256);
    cr_expect_arr_eq(back.at, all, 256);
    leat_buf_done(&text);
    leat_arena_free(arena);
}

Test(base_base64, what_is_not_the_one_text_of_some_bytes_is_refused)
{
    static const char *const wrong[] = {"Z",    "Zg",    "Zg=",  "Zg===", "Zh==", "Zm9=",
                                        "Zm 9", "Zm9\n", "====", "=Zg=",  "Z===", "Zg==Zg=="};
    struct leat_arena *arena = leat_arena_new(1024, 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct leat_str bytes;
        cr_expect_not(leat_base64_read(leat_str_of(wrong[i]), arena, &bytes), "%s", wrong[i]);
    }
    leat_arena_free(arena);
}
