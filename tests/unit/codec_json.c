/* JSON as people and other programs write it, into structs and by schema alone. */
#include <criterion/criterion.h>

#include "codec_dynamic.h"

static const char schema_text[] =
    "{\"type\":\"record\",\"name\":\"T\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"n\",\"type\":\"long\"},"
    "{\"name\":\"i\",\"type\":\"int\",\"default\":5},{\"name\":\"d\",\"type\":\"double\","
    "\"default\":0.5},"
    "{\"name\":\"o\",\"type\":[\"null\",\"string\"]},"
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]},"
    "\"default\":\"B\"},"
    "{\"name\":\"b\",\"type\":\"bytes\",\"default\":\"\\u00ff\"},"
    "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"int\"},\"default\":{}},"
    "{\"name\":\"f\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2},\"default\":\"xy\"},"
    "{\"name\":\"r\",\"type\":{\"type\":\"record\",\"name\":\"R\",\"fields\":["
    "{\"name\":\"x\",\"type\":\"boolean\"}]},\"default\":{\"x\":true}}]}";

struct t {
    struct leat_schema *schema;
    struct leat_arena *arena;
    const struct leat_type *type;
    char *value;
    struct leat_buf out;
    struct leat_error err;
};

static struct t t;

static void setup(void)
{
    t.arena = leat_arena_new(4096, 0);
    cr_assert_eq(leat_schema_parse(leat_str_of(schema_text), &t.schema, &t.err), LEAT_OK, "%s",
                 t.err.msg);
    t.type = dynamic_type(t.arena, t.schema);
    t.value = leat_arena_zalloc(t.arena, 1, t.type->size);
    leat_buf_init(&t.out, 1u << 20);
}

static void teardown(void)
{
    leat_buf_done(&t.out);
    leat_schema_free(t.schema);
    leat_arena_free(t.arena);
}

TestSuite(codec_json, .init = setup, .fini = teardown);

/* What a reader of the struct sees, as JSON, or the error; by schema alone it must be the same. */
static const char *through(const char *json)
{
    struct leat_str in = leat_str_of(json);
    leat_status st = leat_decode_json(t.type, in, t.arena, t.value, &t.err);
    static struct leat_error err;
    err = t.err;
    LEAT_AUTO(leat_buf_done) struct leat_buf avro;
    leat_buf_init(&avro, 1u << 20);
    cr_assert_eq(leat_schema_from_json(t.schema, in, &avro, &t.err), st, "%s", t.err.msg);
    t.err = err;
    if (st != LEAT_OK)
        return err.msg;
    leat_buf_clear(&t.out);
    cr_assert_eq(leat_schema_to_json(t.schema, leat_buf_str(&avro), &t.out, &t.err), LEAT_OK);
    size_t half = t.out.len;
    cr_assert_eq(leat_encode_json(t.type, t.value, &t.out, &t.err), LEAT_OK, "%s", t.err.msg);
    cr_assert(half * 2 == t.out.len && memcmp(t.out.at, t.out.at + half, half) == 0, "%.*s",
              (int)t.out.len, t.out.at);
    return leat_arena_cstr(t.arena, (struct leat_str){t.out.at, (uint32_t)half});
}

#define REST                                                                                       \
    "\"i\":5,\"d\":0.5,\"o\":null,\"e\":\"B\",\"b\":\"\xc3\xbf\",\"m\":{},\"f\":\"xy\","           \
    "\"r\":{\"x\":true}}"

Test(codec_json, missing_fields_take_defaults_and_unknown_ones_are_skipped)
{
    cr_assert_str_eq(through("{\"id\":\"a\",\"n\":1}"), "{\"id\":\"a\",\"n\":1," REST);
    cr_assert_str_eq(through(" { \"zz\" : [1,{\"y\":[]}] , \"n\" : 1 , \"id\" : \"a\" } "),
                     "{\"id\":\"a\",\"n\":1," REST);
}

Test(codec_json, every_field_may_be_given_in_any_order)
{
    const char *all =
        "{\"id\":\"\\u00e9\\n\",\"n\":-9223372036854775808,\"i\":-2147483648,"
        "\"d\":-1e300,\"o\":\"\",\"e\":\"A\",\"b\":\"\\u0000\\u0080z\","
        "\"m\":{\"k\":1,\"\\u006b2\":2},\"f\":\"\\u00ff\\u0001\",\"r\":{\"x\":false}}";
    cr_assert_str_eq(through(all),
                     "{\"id\":\"\xc3\xa9\\n\",\"n\":-9223372036854775808,\"i\":-2147483648,"
                     "\"d\":-1e+300,\"o\":\"\",\"e\":\"A\",\"b\":\"\\u0000\xc2\x80z\","
                     "\"m\":{\"k\":1,\"k2\":2},\"f\":\"\xc3\xbf\\u0001\",\"r\":{\"x\":false}}");
}

Test(codec_json, the_last_of_repeated_members_counts)
{
    cr_assert_str_eq(through("{\"id\":\"a\",\"id\":\"b\",\"o\":\"x\",\"o\":null,\"n\":1,\"n\":2}"),
                     "{\"id\":\"b\",\"n\":2," REST);
}

Test(codec_json, whole_numbers_may_be_written_with_a_point)
{
    cr_assert_str_eq(
        through("{\"id\":\"a\",\"n\":1e3,\"d\":7}"),
        "{\"id\":\"a\",\"n\":1000,\"i\":5,\"d\":7.0,"
        "\"o\":null,\"e\":\"B\",\"b\":\"\xc3\xbf\",\"m\":{},\"f\":\"xy\",\"r\":{\"x\":true}}");
}

Test(codec_json, mistakes_are_poison_and_name_the_field)
{
    static const struct {
        const char *json, *text;
    } bad[] = {
        {"{\"id\":\"a\"}", "field 'n' is missing"},
        {"{\"id\":1,\"n\":1}", "field 'id' at byte 6: a string was expected"},
        {"{\"id\":\"a\",\"n\":1.5}", "field 'n' at byte 14: a whole number was expected"},
        {"{\"id\":\"a\",\"n\":9223372036854775808}",
         "field 'n' at byte 14: a whole number was expected"},
        {"{\"id\":\"a\",\"n\":null}", "field 'n' at byte 14: may not be null"},
        {"{\"id\":\"a\",\"n\":1,\"i\":2147483648}",
         "field 'i' at byte 20: number does not fit an int"},
        {"{\"id\":\"a\",\"n\":1,\"e\":\"C\"}",
         "field 'e' at byte 20: not one of the enum's symbols"},
        {"{\"id\":\"a\",\"n\":1,\"b\":\"\\u0100\"}",
         "field 'b' at byte 20: a character above U+00FF is no byte"},
        {"{\"id\":\"a\",\"n\":1,\"f\":\"x\"}",
         "field 'f' at byte 20: not as many bytes as its fixed type has"},
        {"{\"id\":\"a\",\"n\":1,\"r\":{}}", "field 'x' is missing"},
        {"{\"id\":\"a\",\"n\":1,\"r\":[]}", "field 'r' at byte 20: an object was expected"},
        {"{\"id\":\"a\",\"n\":1,\"m\":{\"k\":\"v\"}}",
         "field 'm' at byte 25: a whole number was expected"},
        {"[]", "a JSON object was expected"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const char *text = leat_arena_printf(t.arena, "could not decode T: %s", bad[i].text);
        cr_expect_str_eq(through(bad[i].json), text);
    }
}

Test(codec_json, text_that_is_not_json_is_poison)
{
    static const char *const bad[] = {"",
                                      "{",
                                      "{\"id\":\"a\",\"n\":1}x",
                                      "{\"id\":\"\xff\",\"n\":1}",
                                      "{\"id\":\"a\" \"n\":1}",
                                      "{\"id\":\"a\",\"n\":01}",
                                      "nul"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_expect(strncmp(through(bad[i]), "could not decode T: ", 20) == 0, "%s", bad[i]);
}

/* ---- fields without structs ---- */

#define PATHS                                                                                      \
    {                                                                                              \
        LEAT_STR("n"), LEAT_STR("r.x"), LEAT_STR("o"), LEAT_STR("e"), LEAT_STR("r"),               \
            LEAT_STR("none"), LEAT_STR("id"), LEAT_STR("n"), LEAT_STR("d"), LEAT_STR("id.x"),      \
            LEAT_STR("m")                                                                          \
    }
#define N_PATHS 11

static void check_picked(const struct leat_value *v)
{
    cr_assert(v[0].kind == LEAT_VALUE_INT && v[0].i == 12);
    cr_assert(v[1].kind == LEAT_VALUE_BOOL && v[1].b);
    cr_assert(v[2].kind == LEAT_VALUE_NULL);
    cr_assert(v[3].kind == LEAT_VALUE_STRING && leat_str_eq(v[3].s, LEAT_STR("A")));
    cr_assert(v[4].kind == LEAT_VALUE_JSON && leat_str_eq(v[4].s, LEAT_STR("{\"x\":true}")));
    cr_assert(v[5].kind == LEAT_VALUE_NULL);
    cr_assert(v[6].kind == LEAT_VALUE_STRING && leat_str_eq(v[6].s, LEAT_STR("a\"b")));
    cr_assert(v[7].kind == LEAT_VALUE_INT && v[7].i == 12);
    cr_assert(v[8].kind == LEAT_VALUE_DOUBLE && v[8].d == 1.25);
    cr_assert(v[9].kind == LEAT_VALUE_NULL);
    cr_assert(v[10].kind == LEAT_VALUE_JSON && leat_str_eq(v[10].s, LEAT_STR("{\"k\":1}")));
}

Test(codec_json, a_picker_sees_the_same_in_avro_and_in_json)
{
    const struct leat_str paths[N_PATHS] = PATHS;
    struct leat_str json = LEAT_STR("{\"id\":\"a\\\"b\",\"n\":12,\"o\":null,\"d\":1.25,\"e\":\"A\","
                                    "\"r\":{\"x\":true},\"m\":{\"k\":1}}");
    struct leat_value values[N_PATHS];
    struct leat_picker *p = NULL;
    cr_assert_eq(leat_schema_from_json(t.schema, json, &t.out, &t.err), LEAT_OK);
    cr_assert_eq(leat_picker_new(t.schema, paths, N_PATHS, &p, &t.err), LEAT_OK);
    cr_assert_eq(leat_pick(p, leat_buf_str(&t.out), t.arena, values, &t.err), LEAT_OK, "%s",
                 t.err.msg);
    check_picked(values);
    leat_picker_free(p);
    cr_assert_eq(leat_picker_new(NULL, paths, N_PATHS, &p, &t.err), LEAT_OK);
    cr_assert_eq(leat_pick(p, json, t.arena, values, &t.err), LEAT_OK, "%s", t.err.msg);
    check_picked(values);
    leat_picker_free(p);
}

Test(codec_json, a_picker_refuses_paths_that_are_none_and_bytes_cut_short)
{
    static const char *const bad[] = {"", ".", "a.", ".a", "a..b"};
    struct leat_picker *p = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct leat_str path = leat_str_of(bad[i]);
        cr_assert_eq(leat_picker_new(t.schema, &path, 1, &p, &t.err), LEAT_INVALID, "%s", bad[i]);
    }
    struct leat_str path = LEAT_STR("n");
    struct leat_value v;
    cr_assert_eq(leat_picker_new(t.schema, &path, 1, &p, &t.err), LEAT_OK);
    cr_assert_eq(leat_pick(p, (struct leat_str){"\x02", 1}, t.arena, &v, &t.err), LEAT_POISON);
    cr_assert_str_eq(t.err.msg, "field 'id' at byte 1: not a value of its type");
    leat_picker_free(p);
}
