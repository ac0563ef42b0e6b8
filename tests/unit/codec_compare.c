/* What leat_schema_compare() says of a writer and a reader, with the path. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "codec/compare.h"

#define RECORD(fields)            "{\"type\":\"record\",\"name\":\"T\",\"fields\":[" fields "]}"
#define FIELD(name, type)         "{\"name\":\"" name "\",\"type\":" type "}"
#define FIELD_OR(name, type, def) "{\"name\":\"" name "\",\"type\":" type ",\"default\":" def "}"
#define ENUM(symbols)             "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[" symbols "]}"
#define ARRAY(items)              "{\"type\":\"array\",\"items\":" items "}"

static char said[4096];

static void found(void *arg, const struct leat_compare_finding *f)
{
    (void)arg;
    size_t len = strlen(said);
    (void)snprintf(said + len, sizeof said - len, "%s%s: %s%s", len == 0 ? "" : "; ", f->path,
                   f->reason, f->sometimes ? "?" : "");
}

static const char *compare(const char *writer, const char *reader)
{
    struct leat_error err = {0};
    struct leat_schema *w = NULL;
    struct leat_schema *r = NULL;
    cr_assert_eq(leat_schema_parse(leat_str_of(writer), &w, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_schema_parse(leat_str_of(reader), &r, &err), LEAT_OK, "%s", err.msg);
    said[0] = '\0';
    size_t n = leat_schema_compare(w, r, found, NULL);
    cr_assert_eq(n == 0, said[0] == '\0');
    leat_schema_free(w);
    leat_schema_free(r);
    return said;
}

Test(codec_compare, what_may_change)
{
    const char *w = RECORD(FIELD("a", "\"int\"") "," FIELD("b", "\"string\"") "," FIELD(
        "gone", "\"long\"") "," FIELD("e", ENUM("\"A\"")));
    const char *r =
        RECORD(FIELD("b", "[\"null\",\"bytes\"]") "," FIELD("a", "\"double\"") "," FIELD_OR(
            "c", "\"int\"", "1") "," FIELD("e", ENUM("\"B\",\"A\"")) ",{\"name\":\"now\","
                                                                     "\"aliases\":[\"gone\"],"
                                                                     "\"type\":\"long\"}");
    cr_assert_str_eq(compare(w, r), "");
    cr_assert_str_eq(compare(w, w), "");
}

Test(codec_compare, every_reason_is_told_with_its_path)
{
    const char *w = RECORD(
        FIELD("a", "\"long\"") "," FIELD("l", ARRAY("{\"type\":\"record\",\"name\":\"L\","
                                                    "\"fields\":[" FIELD("p", "\"string\"") "]}")));
    const char *r = RECORD(FIELD("a", "\"int\"") "," FIELD("n", "\"int\"") "," FIELD(
        "l", ARRAY("{\"type\":\"record\",\"name\":\"L\",\"fields\":[" FIELD("p", "\"int\"") "]}")));
    cr_assert_str_eq(compare(w, r), "a: long can't be read as int; "
                                    "n: not in the writer's schema and has no default; "
                                    "l[].p: string can't be read as int");
}

Test(codec_compare, some_values_only)
{
    cr_assert_str_eq(
        compare(RECORD(FIELD("e", ENUM("\"A\",\"B\""))), RECORD(FIELD("e", ENUM("\"A\"")))),
        "e: symbol 'B' is not known to the reader?");
    cr_assert_str_eq(
        compare(RECORD(FIELD("o", "[\"null\",\"int\"]")), RECORD(FIELD("o", "\"long\""))),
        "o: null can't be read as long?");
    cr_assert_str_eq(compare(RECORD(FIELD("u", "[\"null\",\"int\",\"string\"]")),
                             RECORD(FIELD("u", "[\"null\",\"long\",\"boolean\"]"))),
                     "u: string is no branch of the reader's union?");
    cr_assert_str_eq(compare(RECORD(FIELD("u", "\"string\"")),
                             RECORD(FIELD("u", "[\"null\",\"long\",\"boolean\"]"))),
                     "u: string is no branch of the reader's union");
}

Test(codec_compare, types_that_hold_themselves_end)
{
    const char *tree = RECORD(FIELD("v", "\"int\"") "," FIELD("kids", ARRAY("\"T\"")));
    const char *other = RECORD(FIELD("v", "\"boolean\"") "," FIELD("kids", ARRAY("\"T\"")));
    cr_assert_str_eq(compare(tree, tree), "");
    cr_assert_str_eq(compare(tree, other), "v: int can't be read as boolean");
}
