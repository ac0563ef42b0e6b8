/* Names in a command's JSON that its schema does not know, at any depth. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "codec/field_check.h"

#define LINE                                                                                       \
    "{\"type\":\"record\",\"name\":\"Line\",\"fields\":[{\"name\":\"sku\",\"type\":\"string\"},"   \
    "{\"name\":\"notes\",\"type\":[\"null\",\"string\"],\"default\":null}]}"
#define ORDER                                                                                      \
    "{\"type\":\"record\",\"name\":\"Order\",\"fields\":["                                         \
    "{\"name\":\"id\",\"type\":\"string\"},"                                                       \
    "{\"name\":\"lines\",\"type\":{\"type\":\"array\",\"items\":" LINE "},\"default\":[]},"        \
    "{\"name\":\"best\",\"type\":[\"null\",\"Line\"],\"default\":null},"                           \
    "{\"name\":\"by\",\"type\":{\"type\":\"map\",\"values\":{\"type\":\"array\",\"items\":"        \
    "\"Line\"}},\"default\":{}},"                                                                  \
    "{\"name\":\"any\",\"type\":[\"null\",\"string\",\"Line\"],\"default\":null}]}"

/* "" or "<message> (<hint>)": as a command is read, or of the check alone. */
static const char *check(const char *json, bool encode)
{
    static char text[1200];
    struct leat_schema *s = NULL;
    struct leat_error err = {0};
    struct leat_buf out;
    struct leat_arena *arena = leat_arena_new(1024, 0);
    leat_buf_init(&out, 4096);
    cr_assert_eq(leat_schema_parse(LEAT_STR(ORDER), &s, &err), LEAT_OK, "%s", err.msg);
    leat_status status = leat_schema_from_json(s, leat_str_of(json), &out, &err);
    cr_assert_eq(encode ? LEAT_POISON : LEAT_OK, status, "%s", err.msg);
    if (!encode)
        status = leat_check_fields(s, leat_str_of(json), arena, &err);
    text[0] = '\0';
    if (status != LEAT_OK && err.hint[0] != '\0')
        (void)snprintf(text, sizeof text, "%s (%s)", err.msg, err.hint);
    else if (status != LEAT_OK)
        (void)snprintf(text, sizeof text, "%s", err.msg);
    leat_schema_free(s);
    leat_arena_free(arena);
    leat_buf_done(&out);
    return text;
}

Test(codec_field_check, known_names_pass)
{
    static const char *const good[] = {
        "{\"id\":\"a\"}",
        "{\"id\":\"a\",\"lines\":[{\"sku\":\"s\"},{\"sku\":\"t\",\"notes\":\"n\"}]}",
        "{\"id\":\"a\",\"best\":null,\"any\":null}",
        "{\"id\":\"a\",\"best\":{\"sku\":\"s\"},\"by\":{\"any key\":[{\"sku\":\"s\"}],\"k\":[]}}",
        "{\"id\":\"a\",\"any\":{\"Line\":{\"sku\":\"s\"}}}",
        "{\"id\":\"a\",\"any\":{\"string\":\"{}\"}}",
        "{\"\\u0069d\":\"a\"}",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_expect_str_eq(check(good[i], false), "", "%s", good[i]);
}

Test(codec_field_check, unknown_names_are_told_with_their_path_and_the_nearest)
{
    static const char *const rows[][2] = {
        {"{\"id\":\"a\",\"line\":1}", "Order has no field 'line' (did you mean 'lines'?)"},
        {"{\"id\":\"a\",\"lines\":[{\"sku\":\"s\",\"note\":1}]}",
         "Order has no field 'lines[0].note' (did you mean 'notes'?)"},
        {"{\"id\":\"a\",\"lines\":[{\"sku\":\"s\"},{\"sku\":\"s\",\"zzz\":1}]}",
         "Order has no field 'lines[1].zzz' (there are sku, notes)"},
        {"{\"id\":\"a\",\"best\":{\"sku\":\"s\",\"skuu\":\"\"}}",
         "Order has no field 'best.skuu' (did you mean 'sku'?)"},
        {"{\"id\":\"a\",\"by\":{\"x\":[],\"y y\":[{\"sku\":\"s\",\"n\\u006fte\":{}}]}}",
         "Order has no field 'by[y y][0].note' (did you mean 'notes'?)"},
        {"{\"id\":\"a\",\"any\":{\"Line\":{\"sku\":\"s\",\"notess\":\"\"}}}",
         "Order has no field 'any.Line.notess' (did you mean 'notes'?)"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_str_eq(check(rows[i][0], false), rows[i][1]);
}

Test(codec_field_check, a_missing_field_names_the_slip_that_meant_it)
{
    cr_expect_str_eq(check("{\"idd\":\"a\"}", true),
                     "could not encode Order: field 'id' is missing; did 'idd' mean it?");
    cr_expect_str_eq(check("{\"other\":\"a\",\"lines\":[]}", true),
                     "could not encode Order: field 'id' is missing");
    cr_expect_str_eq(check("{\"id\":\"a\",\"lines\":[{\"sku\":\"\"},{\"skv\":\"\"}]}", true),
                     "could not encode Order: field 'lines': item 1: field 'sku' is missing; did "
                     "'skv' mean it?");
}

Test(codec_field_check, long_paths_are_cut)
{
    char key[901], json[2000];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = '\0';
    (void)snprintf(json, sizeof json, "{\"id\":\"a\",\"by\":{\"%s\":[{\"sku\":\"s\",\"nope\":1}]}}",
                   key);
    cr_expect_eq(strncmp(check(json, false), "Order has no field 'by[kkk", 26), 0);
}
