/* uses: base codec */
/* Any bytes as an Avro body: reading into a struct and printing as JSON agree on whether it is one,
 * and a value read is written and read again as the same. */
#include "codec_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct fixture *f = fixture_get();
    struct leat_error err = {0};
    struct leat_value picked[FIXTURE_PATHS];
    struct leat_str body = {(const char *)bytes, (uint32_t)n};
    fixture_clear(f);
    leat_status st = fixture_decode(f, f->plan, f->own_plan, body);
    leat_status text = leat_schema_to_json(f->schema, body, &f->a, &err);
    leat_status pick = leat_pick(f->avro_picker, body, f->arena, picked, &err);
    fixture_require((st == LEAT_OK || st == LEAT_POISON) && (st == text || f->a.overflow));
    if (st != LEAT_OK)
        return 0;
    fixture_require(pick == LEAT_OK);
    fixture_require(fixture_encode(f, &f->b, &err) == LEAT_OK);
    fixture_require(fixture_decode(f, f->plan, f->own_plan, leat_buf_str(&f->b)) == LEAT_OK);
    fixture_require(fixture_encode(f, &f->c, &err) == LEAT_OK);
    fixture_require(leat_str_eq(leat_buf_str(&f->b), leat_buf_str(&f->c)));
    return 0;
}
