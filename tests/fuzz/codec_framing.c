/* uses: base codec */
/* Any bytes as a record's value: framed Avro of a known or unknown schema, JSON, or neither. */
#include "codec/schemas.h"
#include "codec_fixture.h"

#define OLD                                                                                        \
    "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"l\",\"type\":\"int\"},"           \
    "{\"name\":\"gone\",\"type\":{\"type\":\"map\",\"values\":\"bytes\"}},"                        \
    "{\"name\":\"s\",\"type\":\"string\"}]}"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct leat_schemas *schemas(void)
{
    static struct leat_schemas *s;
    struct leat_error err = {0};
    if (s != NULL)
        return s;
    s = leat_schemas_new();
    fixture_require(leat_schemas_put(s, 1, LEAT_STR("T"), LEAT_STR(OLD), &err) == LEAT_OK);
    fixture_require(leat_schemas_put(s, 2, LEAT_STR("T"), leat_str_of(leat_type_t.schema), &err) ==
                    LEAT_OK);
    return s;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct fixture *f = fixture_get();
    struct leat_schemas *s = schemas();
    struct leat_error err = {0};
    struct leat_str value = {(const char *)bytes, (uint32_t)n};
    fixture_clear(f);
    leat_status st = leat_schemas_decode(s, f->type, value, f->arena, f->value, &err);
    leat_status text = leat_schemas_to_json(s, value, &f->a, &err);
    fixture_require(st == LEAT_OK || st == LEAT_POISON || st == LEAT_ABSENT);
    fixture_require((st == LEAT_ABSENT) == (text == LEAT_ABSENT));
    /* What the old schema has and the struct has not is passed over, and may be anything. */
    bool skips = n > 4 && bytes[0] == 0 && bytes[4] == 1;
    fixture_require(st != LEAT_OK || skips || text == LEAT_OK || f->a.overflow);
    leat_status status = leat_schemas_from_json(s, LEAT_STR("T"), true, value, &f->b, &err);
    (void)status; /* either is fine; what counts is that it ends */
    return 0;
}
