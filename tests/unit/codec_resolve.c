/* Reading what was written with another schema: JSON in by the writer's, JSON out by the reader's.
 */
#include <criterion/criterion.h>

#include "codec_dynamic.h"

#define RECORD(fields)            "{\"type\":\"record\",\"name\":\"T\",\"fields\":[" fields "]}"
#define FIELD(name, type)         "{\"name\":\"" name "\",\"type\":" type "}"
#define FIELD_OR(name, type, def) "{\"name\":\"" name "\",\"type\":" type ",\"default\":" def "}"
#define ENUM(symbols)             "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[" symbols "]}"

static struct leat_error err;

static struct leat_schema *parse(const char *text)
{
    struct leat_schema *s = NULL;
    cr_assert_eq(leat_schema_parse(leat_str_of(text), &s, &err), LEAT_OK, "%s", err.msg);
    return s;
}

/* The value as the reader sees it, or the error's text. */
static const char *read_as(const char *writer, const char *reader, const char *json)
{
    static struct leat_buf out;
    LEAT_AUTO(leat_buf_done) struct leat_buf avro;
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_schema *w = parse(writer);
    struct leat_schema *r = parse(reader);
    struct leat_plan *plan = NULL;
    const struct leat_type *type = dynamic_type(arena, r);
    void *value = leat_arena_alloc(arena, type->size);
    leat_buf_done(&out); /* of the call before */
    leat_buf_init(&out, 1u << 20);
    leat_buf_init(&avro, 1u << 20);
    memset(value, 0xee, type->size);
    bool ok = leat_schema_from_json(w, leat_str_of(json), &avro, &err) == LEAT_OK &&
              leat_plan_new(w, type, &plan, &err) == LEAT_OK &&
              leat_decode_avro(plan, leat_buf_str(&avro), arena, value, &err) == LEAT_OK &&
              leat_encode_json(type, value, &out, &err) == LEAT_OK;
    leat_buf_putc(&out, '\0');
    leat_plan_free(plan);
    leat_schema_free(w);
    leat_schema_free(r);
    leat_arena_free(arena);
    return ok ? out.at : err.msg;
}

Test(codec_resolve, fields_are_matched_by_name_and_unknown_ones_skipped)
{
    const char *w = RECORD(FIELD("a", "\"int\"") "," FIELD(
        "gone", "{\"type\":\"array\",\"items\":{\"type\":\"map\","
                "\"values\":\"string\"}}") "," FIELD("b", "\"string\""));
    const char *r = RECORD(FIELD("b", "\"string\"") "," FIELD("a", "\"int\""));
    cr_assert_str_eq(read_as(w, r, "{\"a\":7,\"gone\":[{\"k\":\"v\"},{}],\"b\":\"x\"}"),
                     "{\"b\":\"x\",\"a\":7}");
}

Test(codec_resolve, numbers_are_promoted)
{
    const char *w =
        RECORD(FIELD("a", "\"int\"") "," FIELD("b", "\"int\"") "," FIELD("c", "\"int\"") "," FIELD(
            "d", "\"long\"") "," FIELD("e", "\"long\"") "," FIELD("f", "\"float\""));
    const char *r = RECORD(
        FIELD("a", "\"long\"") "," FIELD("b", "\"float\"") "," FIELD("c", "\"double\"") "," FIELD(
            "d", "\"float\"") "," FIELD("e", "\"double\"") "," FIELD("f", "\"double\""));
    cr_assert_str_eq(read_as(w, r, "{\"a\":-1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":0.5}"),
                     "{\"a\":-1,\"b\":2.0,\"c\":3.0,\"d\":4.0,\"e\":5.0,\"f\":0.5}");
    cr_assert_str_eq(
        read_as(RECORD(FIELD("a", "\"long\"")), RECORD(FIELD("a", "\"int\"")), "{\"a\":1}"),
        "could not read schema 'T' as T: field 'a': long can't be read as int");
}

Test(codec_resolve, bytes_and_strings_are_interchangeable)
{
    cr_assert_str_eq(read_as(RECORD(FIELD("a", "\"bytes\"")), RECORD(FIELD("a", "\"string\"")),
                             "{\"a\":\"abc\"}"),
                     "{\"a\":\"abc\"}");
    cr_assert_str_eq(read_as(RECORD(FIELD("a", "\"bytes\"")), RECORD(FIELD("a", "\"string\"")),
                             "{\"a\":\"\\u00ff\"}"),
                     "could not decode T: field 'a' at byte 2: not valid UTF-8");
}

Test(codec_resolve, a_field_the_writer_lacks_takes_the_readers_default)
{
    const char *r =
        RECORD(FIELD("a", "\"int\"") "," FIELD_OR("s", "\"string\"", "\"EUR\"") "," FIELD_OR(
            "n", "\"long\"",
            "-7") "," FIELD_OR("l", "{\"type\":\"array\",\"items\":\"int\"}",
                               "[1,2]") "," FIELD_OR("o", "[\"null\",\"int\"]",
                                                     "null") "," FIELD_OR("e", ENUM("\"X\",\"Y\""),
                                                                          "\"Y\""));
    cr_assert_str_eq(read_as(RECORD(FIELD("a", "\"int\"")), r, "{\"a\":1}"),
                     "{\"a\":1,\"s\":\"EUR\",\"n\":-7,\"l\":[1,2],\"o\":null,\"e\":\"Y\"}");
    cr_assert_str_eq(
        read_as(RECORD(FIELD("a", "\"int\"")), RECORD(FIELD("b", "\"int\"")), "{\"a\":1}"),
        "could not read schema 'T' as T: field 'b' is not in the writer's schema and "
        "has no default");
}

Test(codec_resolve, null_and_value_meet_optional_fields)
{
    const char *plain = RECORD(FIELD("a", "\"int\""));
    const char *first = RECORD(FIELD("a", "[\"null\",\"int\"]"));
    const char *last = RECORD(FIELD("a", "[\"long\",\"null\"]"));
    cr_assert_str_eq(read_as(plain, first, "{\"a\":3}"), "{\"a\":3}");
    cr_assert_str_eq(read_as(first, plain, "{\"a\":3}"), "{\"a\":3}");
    cr_assert_str_eq(read_as(first, last, "{\"a\":3}"), "{\"a\":3}");
    cr_assert_str_eq(read_as(first, last, "{\"a\":null}"), "{\"a\":null}");
    cr_assert_str_eq(read_as(first, plain, "{\"a\":null}"),
                     "could not decode T: field 'a' at byte 1: is null where a value is needed");
    cr_assert_str_eq(read_as(RECORD(FIELD("a", "\"null\"")), first, "{\"a\":null}"),
                     "{\"a\":null}");
}

Test(codec_resolve, enums_are_matched_by_symbol)
{
    const char *w = RECORD(FIELD("e", ENUM("\"A\",\"B\",\"C\"")));
    const char *r = RECORD(FIELD("e", ENUM("\"C\",\"A\"")));
    cr_assert_str_eq(read_as(w, r, "{\"e\":\"C\"}"), "{\"e\":\"C\"}");
    cr_assert_str_eq(read_as(w, r, "{\"e\":\"A\"}"), "{\"e\":\"A\"}");
    cr_assert_str_eq(read_as(w, r, "{\"e\":\"B\"}"),
                     "could not decode T: field 'e' at byte 1: the writer's enum symbol is not "
                     "known here");
}

Test(codec_resolve, records_may_hold_themselves_in_arrays)
{
    const char *tree = RECORD(
        FIELD("v", "\"int\"") "," FIELD_OR("kids", "{\"type\":\"array\",\"items\":\"T\"}", "[]"));
    const char *json =
        "{\"v\":1,\"kids\":[{\"v\":2,\"kids\":[{\"v\":3,\"kids\":[]}]},{\"v\":4,\"kids\":[]}]}";
    cr_assert_str_eq(read_as(tree, tree, json), json);
}

/* ---- schemas that are refused ---- */

static const char *refused(const char *text)
{
    struct leat_schema *s = NULL;
    cr_assert_eq(leat_schema_parse(leat_str_of(text), &s, &err), LEAT_INVALID);
    cr_assert_null(s);
    return err.msg;
}

Test(codec_schema, what_can_not_be_carried_is_refused_with_field_and_schema)
{
    cr_assert_str_eq(refused(RECORD(FIELD("u", "[\"null\",\"int\",[\"string\"]]"))),
                     "schema 'T': field 'u': a union is a branch of a union");
    cr_assert_str_eq(refused(RECORD(FIELD("u", "[\"null\",\"int\",\"T\"]"))),
                     "schema 'T': record 'T' contains itself");
    cr_assert_str_eq(
        refused(RECORD(FIELD("e", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"],"
                                  "\"default\":\"B\"}"))),
        "schema 'T': field 'e': the default of enum 'E' is \"B\", which is not one of its symbols");
    cr_assert_str_eq(refused(RECORD(FIELD_OR("u", "[\"int\",\"string\",\"bytes\"]", "\"x\""))),
                     "schema 'T': default of field 'u': a whole number was expected");
    cr_assert_str_eq(refused(RECORD(FIELD("a", "\"int\"") "," FIELD("b", "\"T\""))),
                     "schema 'T': record 'T' contains itself");
    cr_assert_str_eq(refused(RECORD(FIELD("a", "{\"type\":\"array\",\"items\":\"null\"}"))),
                     "schema 'T': array items of type 'null' take no bytes");
    cr_assert_str_eq(refused(RECORD(FIELD_OR("a", "\"int\"", "\"x\""))),
                     "schema 'T': default of field 'a': a whole number was expected");
    cr_assert_str_eq(refused(""), "not an Avro schema: the text is empty");
    cr_assert(strncmp(refused("{"), "not an Avro schema: ", 20) == 0);
    cr_assert(strncmp(refused("\"nope\""), "not an Avro schema: ", 20) == 0);
}

Test(codec_schema, fingerprint_is_the_one_other_tools_print)
{
    /* Apache Avro's own table of fingerprints. */
    static const struct {
        const char *schema;
        uint64_t fingerprint;
    } known[] = {{"\"int\"", UINT64_C(0x7275d51a3f395c8f)},
                 {"\"string\"", UINT64_C(0x8f014872634503c7)},
                 {"{\"type\":\"array\",\"items\":\"int\"}", 0}};
    for (size_t i = 0; i < 2; i++) {
        struct leat_schema *s = parse(known[i].schema);
        cr_assert_eq(leat_schema_fingerprint(s), known[i].fingerprint, "%s: %llx", known[i].schema,
                     (unsigned long long)leat_schema_fingerprint(s));
        leat_schema_free(s);
    }
}

Test(codec_schema, fingerprint_ignores_docs_and_defaults_but_not_types)
{
    struct leat_schema *a = parse(RECORD(FIELD("a", "\"int\"")));
    struct leat_schema *b =
        parse(RECORD(FIELD_OR("a", "{\"type\":\"int\",\"logicalType\":\"date\"}", "4")));
    struct leat_schema *c = parse(RECORD(FIELD("a", "\"long\"")));
    cr_assert_eq(leat_schema_fingerprint(a), leat_schema_fingerprint(b));
    cr_assert_neq(leat_schema_fingerprint(a), leat_schema_fingerprint(c));
    cr_assert_str_eq(leat_schema_name(a), "T");
    leat_schema_free(a);
    leat_schema_free(b);
    leat_schema_free(c);
}
