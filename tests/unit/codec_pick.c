/* A picker whose message was written with an older schema than its reader has. */
#include <criterion/criterion.h>

#include "codec/codec.h"

#define N 7

static const char WRITER[] =
    "{\"type\":\"record\",\"name\":\"E\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"},"
    "{\"name\":\"place\",\"type\":\"string\"},{\"name\":\"r\",\"type\":{\"type\":\"record\","
    "\"name\":\"R\",\"fields\":[{\"name\":\"x\",\"type\":\"int\"}]}}]}";
static const char READER[] =
    "{\"type\":\"record\",\"name\":\"E\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"},"
    "{\"name\":\"shelf\",\"type\":\"string\",\"aliases\":[\"place\"],\"default\":\"?\"},"
    "{\"name\":\"n\",\"type\":\"int\",\"default\":7},"
    "{\"name\":\"d\",\"type\":\"double\",\"default\":1},"
    "{\"name\":\"r\",\"type\":{\"type\":\"record\",\"name\":\"R\",\"fields\":["
    "{\"name\":\"x\",\"type\":\"int\"},{\"name\":\"y\",\"type\":\"string\",\"default\":\"q\"}]}},"
    "{\"name\":\"w\",\"type\":{\"type\":\"record\",\"name\":\"W\",\"fields\":["
    "{\"name\":\"a\",\"type\":\"long\"}]},\"default\":{\"a\":5}}]}";
static const struct leat_str paths[N] = {
    {"id", 2}, {"shelf", 5}, {"n", 1}, {"d", 1}, {"r.y", 3}, {"w.a", 3}, {"nobody", 6},
};

static void check(const struct leat_value *v)
{
    cr_expect(v[0].kind == LEAT_VALUE_STRING && leat_str_eq(v[0].s, LEAT_STR("i")));
    cr_expect(v[2].kind == LEAT_VALUE_INT && v[2].i == 7);
    cr_expect(v[3].kind == LEAT_VALUE_DOUBLE && v[3].d > 0.99 && v[3].d < 1.01);
    cr_expect(v[4].kind == LEAT_VALUE_STRING && leat_str_eq(v[4].s, LEAT_STR("q")));
    cr_expect_eq(v[6].kind, LEAT_VALUE_NULL);
}

Test(codec_pick, what_the_message_lacks_has_the_readers_alias_or_default)
{
    struct leat_error err = {0};
    struct leat_schema *writer = NULL;
    struct leat_schema *reader = NULL;
    struct leat_picker *p = NULL;
    struct leat_value v[N];
    struct leat_arena *arena = leat_arena_new(1024, 0);
    cr_assert_eq(leat_schema_parse(leat_str_of(WRITER), &writer, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_schema_parse(leat_str_of(READER), &reader, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_picker_reading(writer, reader, paths, N, &p, &err), LEAT_OK, "%s", err.msg);
    struct leat_str avro = LEAT_STR("\x02i\x04"
                                    "A3\x02"); /* id i, place A3, r.x 1 */
    cr_assert_eq(leat_pick(p, avro, arena, v, &err), LEAT_OK, "%s", err.msg);
    check(v);
    cr_expect(v[1].kind == LEAT_VALUE_STRING && leat_str_eq(v[1].s, LEAT_STR("A3")));
    cr_expect(v[5].kind == LEAT_VALUE_INT && v[5].i == 5);
    leat_picker_free(p);

    cr_assert_eq(leat_picker_reading(NULL, reader, paths, N, &p, &err), LEAT_OK, "%s", err.msg);
    struct leat_str json = LEAT_STR("{\"id\":\"i\",\"shelf\":null,\"r\":{\"x\":1}}");
    cr_assert_eq(leat_pick(p, json, arena, v, &err), LEAT_OK, "%s", err.msg);
    check(v);
    cr_expect_eq(v[1].kind, LEAT_VALUE_NULL, "null is a value, not a lack");
    leat_picker_free(p);
    leat_schema_free(writer);
    leat_schema_free(reader);
    leat_arena_free(arena);
}
