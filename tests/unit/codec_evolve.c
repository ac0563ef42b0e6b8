/* Unions of several branches, aliases, enum defaults, logical types: what the reader's own schema
 * adds to reading what another one wrote. */
#include <criterion/criterion.h>

#include "codec/decimal.h"
#include "codec_dynamic.h"
#include "leat/decimal.h"

#define RECORD(fields)            "{\"type\":\"record\",\"name\":\"T\",\"fields\":[" fields "]}"
#define FIELD(name, type)         "{\"name\":\"" name "\",\"type\":" type "}"
#define FIELD_OR(name, type, def) "{\"name\":\"" name "\",\"type\":" type ",\"default\":" def "}"
#define CARD                                                                                       \
    "{\"type\":\"record\",\"name\":\"pay.Card\",\"fields\":[" FIELD("no", "\"string\"") "]}"
#define DECIMAL(p, s)                                                                              \
    "{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":" #p ",\"scale\":" #s "}"

static struct leat_error err;

/* The value as the reader sees it, or the error's text. */
static const char *read_as(const char *writer, const char *reader, const char *json)
{
    static struct leat_buf out;
    LEAT_AUTO(leat_buf_done) struct leat_buf avro;
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_schema *w = NULL;
    struct leat_schema *r = NULL;
    struct leat_plan *plan = NULL;
    cr_assert_eq(leat_schema_parse(leat_str_of(writer), &w, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_schema_parse(leat_str_of(reader), &r, &err), LEAT_OK, "%s", err.msg);
    struct leat_type type = *dynamic_type(arena, r);
    type.schema = reader;
    void *value = leat_arena_alloc(arena, type.size);
    leat_buf_done(&out);
    leat_buf_init(&out, 1u << 20);
    leat_buf_init(&avro, 1u << 20);
    memset(value, 0xee, type.size);
    bool ok = leat_schema_from_json(w, leat_str_of(json), &avro, &err) == LEAT_OK &&
              leat_plan_new(w, &type, &plan, &err) == LEAT_OK &&
              leat_decode_avro(plan, leat_buf_str(&avro), arena, value, &err) == LEAT_OK &&
              leat_encode_json(&type, value, &out, &err) == LEAT_OK;
    leat_buf_putc(&out, '\0');
    leat_plan_free(plan);
    leat_schema_free(w);
    leat_schema_free(r);
    leat_arena_free(arena);
    return ok ? out.at : err.msg;
}

Test(codec_evolve, unions_of_several_branches_keep_the_branch)
{
    const char *u = RECORD(FIELD("u", "[\"null\",\"long\",\"string\"," CARD "]"));
    cr_assert_str_eq(read_as(u, u, "{\"u\":null}"), "{\"u\":null}");
    cr_assert_str_eq(read_as(u, u, "{\"u\":{\"long\":-7}}"), "{\"u\":{\"long\":-7}}");
    cr_assert_str_eq(read_as(u, u, "{\"u\":{\"pay.Card\":{\"no\":\"4\"}}}"),
                     "{\"u\":{\"pay.Card\":{\"no\":\"4\"}}}");
    cr_assert_str_eq(read_as(u, u, "{\"u\":{\"Card\":{\"no\":\"4\"}}}"),
                     "{\"u\":{\"pay.Card\":{\"no\":\"4\"}}}");
    cr_assert_str_eq(read_as(u, u, "{\"u\":{\"boolean\":true}}"),
                     "could not encode T: field 'u': an object with the name of a branch of the "
                     "union was expected");
    cr_assert_str_eq(read_as(u, u, "{\"u\":{\"long\":1,\"string\":\"x\"}}"),
                     "could not encode T: field 'u': an object of one branch was expected");
}

Test(codec_evolve, unions_meet_other_unions_and_plain_types)
{
    const char *a = RECORD(FIELD("u", "[\"null\",\"int\",\"string\"," CARD "]"));
    const char *b = RECORD(FIELD("u", "[" CARD ",\"bytes\",\"double\",\"null\"]"));
    cr_assert_str_eq(read_as(a, b, "{\"u\":{\"int\":3}}"), "{\"u\":{\"double\":3.0}}");
    cr_assert_str_eq(read_as(a, b, "{\"u\":{\"string\":\"x\"}}"), "{\"u\":{\"bytes\":\"x\"}}");
    cr_assert_str_eq(read_as(a, b, "{\"u\":{\"Card\":{\"no\":\"4\"}}}"),
                     "{\"u\":{\"pay.Card\":{\"no\":\"4\"}}}");
    cr_assert_str_eq(read_as(a, b, "{\"u\":null}"), "{\"u\":null}");
    const char *plain = RECORD(FIELD("u", "\"long\""));
    const char *optional = RECORD(FIELD("u", "[\"null\",\"long\"]"));
    cr_assert_str_eq(read_as(plain, b, "{\"u\":4}"), "{\"u\":{\"double\":4.0}}");
    cr_assert_str_eq(read_as(optional, b, "{\"u\":4}"), "{\"u\":{\"double\":4.0}}");
    cr_assert_str_eq(read_as(optional, b, "{\"u\":null}"), "{\"u\":null}");
    cr_assert_str_eq(read_as(a, plain, "{\"u\":{\"int\":5}}"), "{\"u\":5}");
    cr_assert_str_eq(read_as(a, optional, "{\"u\":null}"), "{\"u\":null}");
    cr_assert_str_eq(read_as(a, optional, "{\"u\":{\"int\":5}}"), "{\"u\":5}");
    cr_assert_str_eq(read_as(a, plain, "{\"u\":{\"string\":\"x\"}}"),
                     "could not decode T: field 'u' at byte 1: the writer's branch of the union "
                     "has no place here");
    cr_assert_str_eq(read_as(RECORD(FIELD("u", "\"boolean\"")), b, "{\"u\":true}"),
                     "could not read schema 'T' as T: field 'u': boolean can't be read as union");
}

Test(codec_evolve, a_unions_default_is_of_its_first_branch)
{
    const char *r = RECORD(FIELD("a", "\"int\"") "," FIELD_OR(
        "u", "[" CARD ",\"long\"]",
        "{\"no\":\"1\"}") "," FIELD_OR("n", "[\"null\",\"long\",\"string\"]",
                                       "null") "," FIELD_OR("s", "[\"string\",\"long\"]", "\"x\""));
    const char *all = "{\"a\":1,\"u\":{\"pay.Card\":{\"no\":\"1\"}},\"n\":null,"
                      "\"s\":{\"string\":\"x\"}}";
    cr_assert_str_eq(read_as(RECORD(FIELD("a", "\"int\"")), r, "{\"a\":1}"), all);
    cr_assert_str_eq(read_as(r, r, "{\"a\":1}"), all);
}

Test(codec_evolve, fields_and_types_are_found_by_their_aliases)
{
    const char *w = RECORD(FIELD("mail", "\"string\"") "," FIELD("b", "\"int\""));
    const char *r = RECORD("{\"name\":\"email\",\"aliases\":[\"e_mail\",\"mail\"],\"type\":"
                           "\"string\"}," FIELD("b", "\"int\""));
    cr_assert_str_eq(read_as(w, r, "{\"mail\":\"x\",\"b\":1}"), "{\"email\":\"x\",\"b\":1}");
    const char *u = RECORD(
        FIELD("u", "[\"null\",{\"type\":\"record\",\"name\":\"Other\",\"fields\":[]},{\"type\":"
                   "\"record\",\"name\":\"Plastic\",\"aliases\":[\"pay.Card\"],\"fields\":[" FIELD(
                       "no", "\"string\"") "]}]"));
    cr_assert_str_eq(
        read_as(RECORD(FIELD("u", "[\"null\"," CARD "]")), u, "{\"u\":{\"no\":\"4\"}}"),
        "{\"u\":{\"Plastic\":{\"no\":\"4\"}}}");
    const char *nested = RECORD(FIELD(
        "in", "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"N\",\"fields\":[{"
              "\"name\":\"new\",\"aliases\":[\"old\"],\"type\":\"int\"}]}}"));
    const char *before = RECORD(FIELD(
        "in", "{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"N\",\"fields\":[{"
              "\"name\":\"old\",\"type\":\"int\"}]}}"));
    cr_assert_str_eq(read_as(before, nested, "{\"in\":[{\"old\":4}]}"), "{\"in\":[{\"new\":4}]}");
}

Test(codec_evolve, an_unknown_symbol_is_the_enums_default)
{
    const char *w =
        RECORD(FIELD("e", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\",\"C\"]}"));
    const char *r = RECORD(FIELD("e", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"NEW\","
                                      "\"UNKNOWN\",\"A\"],\"default\":\"UNKNOWN\"}"));
    cr_assert_str_eq(read_as(w, r, "{\"e\":\"A\"}"), "{\"e\":\"A\"}");
    cr_assert_str_eq(read_as(w, r, "{\"e\":\"C\"}"), "{\"e\":\"UNKNOWN\"}");
}

Test(codec_evolve, decimals_are_text_in_json_and_keep_their_scale)
{
    const char *d = RECORD(FIELD("d", DECIMAL(6, 2)));
    static const char *const kept[] = {"12.50", "0.00", "-0.01", "9999.99", "-9999.99",
                                       "-1.28", "1.27", "1.28",  "-1.29"};
    char json[100];
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        (void)snprintf(json, sizeof json, "{\"d\":\"%s\"}", kept[i]);
        cr_assert_str_eq(read_as(d, d, json), json);
    }
    cr_assert_str_eq(read_as(d, d, "{\"d\":12.5}"), "{\"d\":\"12.50\"}");
    cr_assert_str_eq(read_as(d, d, "{\"d\":-3}"), "{\"d\":\"-3.00\"}");
    cr_assert_str_eq(read_as(d, d, "{\"d\":\"1.005\"}"),
                     "could not encode T: field 'd': a decimal with fewer digits behind the point "
                     "was expected");
    cr_assert_str_eq(read_as(d, d, "{\"d\":\"10000\"}"),
                     "could not encode T: field 'd': a decimal with fewer digits was expected");
    cr_assert_str_eq(read_as(d, d, "{\"d\":\"1,5\"}"),
                     "could not encode T: field 'd': a decimal like \"-12.50\" was expected");
    cr_assert_str_eq(
        read_as(d, RECORD(FIELD("d", DECIMAL(6, 3))), "{\"d\":1}"),
        "could not read schema 'T' as T: field 'd': decimal of scale 2 can't be read as scale 3");
}

Test(codec_evolve, units_of_time_are_not_mixed_up)
{
    const char *millis = RECORD(FIELD("t", "{\"type\":\"long\",\"logicalType\":"
                                           "\"timestamp-millis\"}"));
    const char *micros = RECORD(FIELD("t", "{\"type\":\"long\",\"logicalType\":"
                                           "\"timestamp-micros\"}"));
    const char *bare = RECORD(FIELD("t", "\"long\""));
    cr_assert_str_eq(read_as(bare, millis, "{\"t\":5}"), "{\"t\":5}");
    cr_assert_str_eq(read_as(millis, micros, "{\"t\":5}"),
                     "could not read schema 'T' as T: field 't': timestamp-millis can't be read as "
                     "timestamp-micros");
}

Test(codec_evolve, decimals_in_c_are_whole_numbers)
{
    static const int64_t numbers[] = {0,    1,     -1,        127,       128,       -128,
                                      -129, 32767, INT32_MAX, INT64_MAX, INT64_MIN, 1250};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        uint8_t room[8];
        char text[LEAT_DECIMAL_TEXT_MAX + 1];
        char expected[40];
        uint32_t len = 0;
        int64_t again = 7;
        struct leat_str bytes = leat_decimal_put(numbers[i], room);
        cr_assert(leat_decimal_get(bytes, &again));
        cr_assert_eq(again, numbers[i]);
        cr_assert(leat_decimal_text(bytes, 0, text, &len));
        text[len] = 0;
        (void)snprintf(expected, sizeof expected, "%lld", (long long)numbers[i]);
        cr_assert_str_eq(text, expected);
    }
    int64_t v = 0;
    cr_assert(leat_decimal_get(LEAT_STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe"), &v));
    cr_assert_eq(v, -2);
    cr_assert_not(leat_decimal_get(LEAT_STR("\x01\0\0\0\0\0\0\0\0"), &v));
    cr_assert_not(leat_decimal_get(LEAT_STR("\0\xff\xff\xff\xff\xff\xff\xff\xff"), &v));
}
