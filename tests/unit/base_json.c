/* uses: base */
#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/json.h"

/* Reads a whole text; on success also writes it again through the writer. */
static leat_status copy(struct leat_str text, struct leat_buf *out, struct leat_error *err)
{
    struct leat_json_reader r;
    struct leat_json_writer w;
    struct leat_arena *arena = leat_arena_new(1024, 0);
    leat_json_reader_init(&r, text);
    leat_json_writer_init(&w, out);
    leat_status status = LEAT_OK;
    struct leat_json_token t = {.kind = LEAT_JSON_NULL};
    while (status == LEAT_OK && t.kind != LEAT_JSON_END) {
        status = leat_json_next(&r, &t, err);
        if (status != LEAT_OK)
            break;
        switch (t.kind) {
        case LEAT_JSON_END:
            break;
        case LEAT_JSON_OBJECT_BEGIN:
            leat_json_begin_object(&w);
            break;
        case LEAT_JSON_OBJECT_END:
            leat_json_end_object(&w);
            break;
        case LEAT_JSON_ARRAY_BEGIN:
            leat_json_begin_array(&w);
            break;
        case LEAT_JSON_ARRAY_END:
            leat_json_end_array(&w);
            break;
        case LEAT_JSON_KEY:
            leat_json_key(&w, leat_json_unescape(&t, arena));
            break;
        case LEAT_JSON_STRING:
            leat_json_str(&w, leat_json_unescape(&t, arena));
            break;
        case LEAT_JSON_INT:
            leat_json_int(&w, t.integer);
            break;
        case LEAT_JSON_DOUBLE:
            leat_json_double(&w, t.number);
            break;
        case LEAT_JSON_BOOL:
            leat_json_bool(&w, t.boolean);
            break;
        case LEAT_JSON_NULL:
            leat_json_null(&w);
            break;
        }
    }
    leat_arena_free(arena);
    return status;
}

static void expect_copy(const char *text, const char *want)
{
    struct leat_buf out;
    struct leat_error err = {0};
    leat_buf_init(&out, 100000);
    cr_expect_eq(copy(leat_str_of(text), &out, &err), LEAT_OK, "%s: %s", text, err.msg);
    leat_buf_putc(&out, '\0');
    cr_expect_str_eq(out.at, want);
    leat_buf_done(&out);
}

Test(json, round_trips)
{
    expect_copy(" { \"a\" : [ 1 , -2.5 , true , false , null , \"x\\ny\" ] , \"b\":{} } ",
                "{\"a\":[1,-2.5,true,false,null,\"x\\ny\"],\"b\":{}}");
    expect_copy("[]", "[]");
    expect_copy("9223372036854775807", "9223372036854775807");
    expect_copy("-9223372036854775808", "-9223372036854775808");
    expect_copy("9223372036854775808", "9.223372036854776e+18");
    expect_copy("0.1", "0.1");
    expect_copy("1e3", "1000.0");
    expect_copy("123456789.125", "123456789.125");
    expect_copy("5e-324", "4.94065645841247e-324");
    expect_copy("\"\\u00e9\\ud83d\\ude00\\u0000\\u001f\\/\"", "\"é😀\\u0000\\u001f/\"");
}

static void expect_error(const char *text, const char *want)
{
    struct leat_buf out;
    struct leat_error err = {0};
    leat_buf_init(&out, 100000);
    cr_expect_eq(copy(leat_str_of(text), &out, &err), LEAT_POISON, "%s", text);
    cr_expect_str_eq(err.msg, want);
    leat_buf_done(&out);
}

Test(json, errors_say_what_and_where)
{
    expect_error("", "text ends at byte 0, expected a value");
    expect_error("{\"a\":1", "text ends at byte 6, expected ',' or '}'");
    expect_error("[1,]", "expected a value at byte 3");
    expect_error("{\"a\":1,}", "expected a key at byte 7");
    expect_error("{a:1}", "expected a key at byte 1");
    expect_error("{\"a\" 1}", "expected ':' at byte 5");
    expect_error("[1 2]", "expected ',' or ']' at byte 3");
    expect_error("1 2", "more text after the value at byte 2");
    expect_error("01", "more text after the value at byte 1");
    expect_error("-", "malformed number at byte 0");
    expect_error("1.", "malformed number at byte 0");
    expect_error("1e", "malformed number at byte 0");
    expect_error("1e999", "number too large at byte 0");
    expect_error("\"abc", "string from byte 0 has no end");
    expect_error("\"a\\x\"", "malformed escape at byte 2");
    expect_error("\"\\ud800\"", "malformed escape at byte 1");
    expect_error("\"\\udc00\"", "malformed escape at byte 1");
    expect_error("\"a\nb\"", "control character in a string at byte 2");
    expect_error("\"\xc0\xaf\"", "invalid UTF-8 at byte 1");
    expect_error("\"\xed\xa0\x80\"", "invalid UTF-8 at byte 1");
    expect_error("nul", "expected a value at byte 0");
    expect_error("]", "expected a value at byte 0");
}

Test(json, depth_is_bounded)
{
    char text[200];
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    struct leat_buf out;
    struct leat_error err = {0};
    leat_buf_init(&out, 1000);
    cr_expect_eq(copy((struct leat_str){text, 128}, &out, &err), LEAT_OK);
    memset(text, '[', 65);
    leat_buf_clear(&out);
    cr_expect_eq(copy((struct leat_str){text, 65}, &out, &err), LEAT_POISON);
    cr_expect_str_eq(err.msg, "nested more than 64 deep at byte 64");
    leat_buf_done(&out);
}

Test(json, writes_invalid_utf8_as_replacement)
{
    struct leat_buf out;
    struct leat_json_writer w;
    leat_buf_init(&out, 1000);
    leat_json_writer_init(&w, &out);
    leat_json_begin_array(&w);
    leat_json_str(&w, LEAT_STR("a\xff"
                               "b\xe2\x82"));
    leat_json_double(&w, NAN);
    leat_json_cstr(&w, NULL);
    leat_json_end_array(&w);
    cr_expect(leat_str_eq(leat_buf_str(&out), LEAT_STR("[\"a\xef\xbf\xbd"
                                                       "b\xef\xbf\xbd\xef\xbf\xbd\",null,null]")));
    leat_buf_done(&out);
}

Test(json, find_and_skip)
{
    struct leat_str text = LEAT_STR("{\"x\":{\"id\":0,\"l\":[1,[2]]},\"i\\u0064\":\"k1\",\"n\":7}");
    struct leat_json_token t;
    struct leat_str raw;
    struct leat_error err = {0};
    cr_assert_eq(leat_json_find(text, LEAT_STR("id"), &t, &raw, &err), LEAT_OK, "%s", err.msg);
    cr_expect_eq(t.kind, LEAT_JSON_STRING);
    cr_expect(leat_json_token_is(&t, LEAT_STR("k1")));
    cr_assert_eq(leat_json_find(text, LEAT_STR("x"), &t, &raw, &err), LEAT_OK);
    cr_expect(leat_str_eq(raw, LEAT_STR("{\"id\":0,\"l\":[1,[2]]}")));
    cr_expect_eq(leat_json_find(text, LEAT_STR("z"), &t, &raw, &err), LEAT_ABSENT);
    cr_expect_eq(leat_json_find(LEAT_STR("[]"), LEAT_STR("z"), &t, &raw, &err), LEAT_POISON);
}

/* --- against jansson: the same texts are accepted, and mean the same --- */

static uint64_t next_random(uint64_t *seed)
{
    return *seed = leat_hash64(seed, sizeof *seed, 7);
}

static void mutate(char *text, size_t *len, size_t cap, uint64_t *seed)
{
    static const char alphabet[] = "{}[]\",:0123456789.eE+-\\untrflase \xc3\xa9\xff\x01";
    for (uint64_t n = next_random(seed) % 4; n > 0; n--) {
        size_t at = next_random(seed) % (*len + 1);
        char c = alphabet[next_random(seed) % (sizeof alphabet - 1)];
        switch (next_random(seed) % 3) {
        case 0:
            if (at < *len)
                text[at] = c;
            break;
        case 1:
            if (*len < cap) {
                memmove(text + at + 1, text + at, *len - at);
                text[at] = c;
                ++*len;
            }
            break;
        default:
            if (at < *len) {
                memmove(text + at, text + at + 1, *len - at - 1);
                --*len;
            }
        }
    }
}

static void compare_with_jansson(struct leat_str text)
{
    json_error_t jerr;
    json_t *want = json_loadb(text.at, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &jerr);
    struct leat_buf out;
    struct leat_error err = {0};
    leat_buf_init(&out, 100000);
    leat_status status = copy(text, &out, &err);
    /* jansson refuses integers beyond int64; we read them as doubles, as RFC 8259 lets us. It
     * also lets a lone \u0000 in a key fail. */
    bool known = want == NULL && (strstr(jerr.text, "too big") != NULL ||
                                  strstr(jerr.text, "NUL byte in object key") != NULL);
    if (!known)
        cr_assert_eq(status == LEAT_OK, want != NULL, "%.*s: ours '%s', theirs '%s'",
                     LEAT_STR_FMT(text), err.msg, jerr.text);
    if (want != NULL) {
        json_t *got = json_loadb(out.at, out.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &jerr);
        cr_assert(json_equal(want, got), "%.*s became %.*s", LEAT_STR_FMT(text), (int)out.len,
                  out.at);
        json_decref(got);
    }
    json_decref(want);
    leat_buf_done(&out);
}

Test(json, agrees_with_jansson_on_mutated_texts, .timeout = 60)
{
    static const char *const seeds[] = {
        "{\"lead_id\":\"l-17\",\"score\":12.5,\"tags\":[\"a\",\"b\\n\"],\"ok\":true,\"no\":null}",
        "[1,-0,0.5,1e10,-1.25E-3,12345678901234,[[[]]],{\"a\":{\"b\":{}}}]",
        "\"\\u00e9\\ud83d\\ude00 plain \xc3\xa9 \\\\ \\\" end\"",
        "  {\"k\" : \"a long string without anything special in it, to cross words\"}  ",
    };
    uint64_t seed = 42;
    for (int i = 0; i < 100000; i++) {
        char text[256];
        const char *from = seeds[next_random(&seed) % (sizeof seeds / sizeof *seeds)];
        size_t len = strlen(from);
        memcpy(text, from, len);
        mutate(text, &len, sizeof text, &seed);
        compare_with_jansson((struct leat_str){text, (uint32_t)len});
    }
}

Test(json, doubles_survive_exactly)
{
    uint64_t seed = 3;
    for (int i = 0; i < 50000; i++) {
        uint64_t bits = next_random(&seed);
        double v;
        memcpy(&v, &bits, sizeof v);
        if (!isfinite(v))
            continue;
        struct leat_buf out;
        struct leat_json_writer w;
        struct leat_json_reader r;
        struct leat_json_token t;
        leat_buf_init(&out, 100);
        leat_json_writer_init(&w, &out);
        leat_json_double(&w, v);
        leat_json_reader_init(&r, leat_buf_str(&out));
        cr_assert_eq(leat_json_next(&r, &t, NULL), LEAT_OK);
        cr_assert_eq(t.kind, LEAT_JSON_DOUBLE);
        cr_assert_eq(memcmp(&t.number, &v, sizeof v), 0, "%.*s", (int)out.len, out.at);
        leat_buf_done(&out);
    }
}

static void as_printf(double v, char text[40])
{
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, 40, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    if (strpbrk(text, ".e") == NULL)
        memcpy(text + strlen(text), ".0", 3);
}

static void compare_with_printf(double v)
{
    char expected[40];
    struct leat_buf out;
    struct leat_json_writer w;
    as_printf(v, expected);
    leat_buf_init(&out, 100);
    leat_json_writer_init(&w, &out);
    leat_json_double(&w, v);
    leat_buf_putc(&out, 0);
    cr_assert_str_eq(out.at, expected);
    leat_buf_done(&out);
}

Test(json, doubles_of_few_digits_are_those_of_printf)
{
    static const double scales[] = {1, 8, 10, 100, 1000, 4096, 1e6, 1e7, 1e-3, 3};
    uint64_t seed = 4;
    for (int i = 0; i < 200000; i++) {
        double v = (double)(next_random(&seed) % 10000000) / scales[i % 10];
        compare_with_printf(i % 3 == 0 ? -v : v);
        compare_with_printf(nextafter(v, INFINITY));
    }
    static const double edges[] = {
        0.0,    -0.0,       1e-4,     9.9e-5,  0.1 + 0.2,         999999999.5,
        1e9,    1e15,       1e16,     0.12345, 999999999.999,     0.0001235,
        1e-300, 123456.789, 0.999999, 1e21,    4503599627370496.5};
    for (size_t i = 0; i < sizeof edges / sizeof *edges; i++)
        compare_with_printf(edges[i]);
}

Test(json, text_is_escaped_wherever_the_character_is)
{
    static const struct {
        const char *text, *json;
    } one[] = {{"\"", "\\\""},          {"\\", "\\\\"},   {"\n", "\\n"},
               {"\x1f", "\\u001f"},     {"\x7f", "\x7f"}, {"\xc3\xa4", "\xc3\xa4"},
               {"\xff", "\xef\xbf\xbd"}};
    for (size_t c = 0; c < sizeof one / sizeof *one; c++) {
        for (int at = 0; at < 24; at++) {
            char text[64], expected[64];
            struct leat_buf out;
            struct leat_json_writer w;
            int n = snprintf(text, sizeof text, "%.*s%s%.*s", at, "abcdefghijklmnopqrstuvwx",
                             one[c].text, 24 - at, "ABCDEFGHIJKLMNOPQRSTUVWX");
            (void)snprintf(expected, sizeof expected, "\"%.*s%s%.*s\"", at,
                           "abcdefghijklmnopqrstuvwx", one[c].json, 24 - at,
                           "ABCDEFGHIJKLMNOPQRSTUVWX");
            leat_buf_init(&out, 100);
            leat_json_writer_init(&w, &out);
            leat_json_str(&w, (struct leat_str){text, (uint32_t)n});
            leat_buf_putc(&out, 0);
            cr_assert_str_eq(out.at, expected);
            leat_buf_done(&out);
        }
    }
}
