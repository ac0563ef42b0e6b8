/* codec_fixture.h - a schema with every kind of field and the struct made of it. The targets keep
 * it for the process: it is reachable, so the leak check is content. */
#ifndef LEAT_TESTS_CODEC_FIXTURE_H
#define LEAT_TESTS_CODEC_FIXTURE_H

#include "../unit/codec_dynamic.h"

static const char fixture_text[] =
    "{\"type\":\"record\",\"name\":\"T\",\"fields\":["
    "{\"name\":\"s\",\"type\":\"string\"},{\"name\":\"b\",\"type\":\"boolean\",\"default\":true},"
    "{\"name\":\"i\",\"type\":\"int\",\"default\":5},{\"name\":\"l\",\"type\":\"long\",\"default\":"
    "-1},"
    "{\"name\":\"f\",\"type\":\"float\",\"default\":1},{\"name\":\"d\",\"type\":\"double\","
    "\"default\":0.5},"
    "{\"name\":\"y\",\"type\":\"bytes\",\"default\":\"\\u00ff\"},"
    "{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":2},\"default\":\"xy\"},"
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\",\"B\"]},"
    "\"default\":\"B\"},"
    "{\"name\":\"o\",\"type\":[\"null\",\"string\"],\"default\":null},"
    "{\"name\":\"p\",\"type\":[\"long\",\"null\"],\"default\":0},"
    "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"items\":[\"null\",\"int\"]},\"default\":[]},"
    "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":{\"type\":\"array\",\"items\":"
    "\"string\"}},"
    "\"default\":{}},"
    "{\"name\":\"u\",\"type\":[\"null\",\"string\",{\"type\":\"array\",\"items\":[\"long\","
    "\"boolean\"]},"
    "{\"type\":\"record\",\"name\":\"C\",\"fields\":[{\"name\":\"c\",\"type\":{\"type\":\"bytes\","
    "\"logicalType\":\"decimal\",\"precision\":9,\"scale\":2}}]}],\"default\":null},"
    "{\"name\":\"k\",\"type\":{\"type\":\"array\",\"items\":\"T\"},\"default\":[]}]}";

struct fixture {
    struct leat_schema *schema;
    struct leat_plan *plan;
    const struct leat_type *type;
    struct leat_arena *arena; /* of one input */
    struct leat_picker *avro_picker, *json_picker;
    struct leat_buf a, b, c;
    char *value;
};

#define FIXTURE_PATHS 6

static inline struct fixture *fixture_get(void)
{
    static struct fixture f;
    static const struct leat_str paths[FIXTURE_PATHS] = {{"s", 1}, {"p", 1}, {"k", 1},
                                                         {"e", 1}, {"m", 1}, {"y", 1}};
    if (f.schema != NULL)
        return &f;
    struct leat_error err = {0};
    f.arena = leat_arena_new(1u << 16, 1u << 16);
    leat_buf_init(&f.a, 1u << 20);
    leat_buf_init(&f.b, 1u << 20);
    leat_buf_init(&f.c, 1u << 20);
    static struct leat_arena *types;
    types = leat_arena_new(1u << 16, 0);
    if (leat_schema_parse(leat_str_of(fixture_text), &f.schema, &err) != LEAT_OK)
        abort();
    f.type = dynamic_type(types, f.schema);
    f.value = leat_arena_alloc(types, f.type->size);
    if (leat_plan_new(f.schema, f.type, &f.plan, &err) != LEAT_OK ||
        leat_picker_new(f.schema, paths, FIXTURE_PATHS, &f.avro_picker, &err) != LEAT_OK ||
        leat_picker_new(NULL, paths, FIXTURE_PATHS, &f.json_picker, &err) != LEAT_OK)
        abort();
    return &f;
}

static inline void fixture_clear(struct fixture *f)
{
    leat_arena_reset(f->arena);
    leat_buf_clear(&f->a);
    leat_buf_clear(&f->b);
    leat_buf_clear(&f->c);
}

static inline void fixture_require(bool ok)
{
    if (!ok)
        abort();
}

#endif
