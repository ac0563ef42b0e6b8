/* uses: base codec */
/* Any bytes as the JSON of a command: reading into a struct and encoding by schema agree, on
 * whether it is one and on the Avro bytes it stands for; what is printed reads back as the same
 * value. */
#include "codec_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct fixture *f = fixture_get();
    struct leat_error err = {0};
    struct leat_value picked[FIXTURE_PATHS];
    struct leat_str json = {(const char *)bytes, (uint32_t)n};
    fixture_clear(f);
    leat_status st = leat_decode_json(f->type, json, f->arena, f->value, &err);
    leat_status by_schema = leat_schema_from_json(f->schema, json, &f->a, &err);
    leat_status pick = leat_pick(f->json_picker, json, f->arena, picked, &err);
    fixture_require(st == LEAT_OK || st == LEAT_POISON);
    /* The struct's reader stops at the first of repeated members that is wrong, the other takes the
     * last: only a value both take is compared. */
    if (st != LEAT_OK)
        return 0;
    fixture_require(by_schema == LEAT_OK && pick == LEAT_OK);
    fixture_require(leat_encode_avro(f->type, f->value, &f->b, &err) == LEAT_OK);
    fixture_require(leat_str_eq(leat_buf_str(&f->a), leat_buf_str(&f->b)));
    leat_buf_clear(&f->a);
    fixture_require(leat_encode_json(f->type, f->value, &f->a, &err) == LEAT_OK);
    fixture_require(leat_decode_json(f->type, leat_buf_str(&f->a), f->arena, f->value, &err) ==
                    LEAT_OK);
    fixture_require(leat_encode_avro(f->type, f->value, &f->c, &err) == LEAT_OK);
    fixture_require(leat_str_eq(leat_buf_str(&f->b), leat_buf_str(&f->c)));
    return 0;
}
