/* uses: base codec */
/* Any text as a writer's schema, any bytes as a body of it, read with a schema of ours that has
 * every kind of field. Input: schema, a zero byte, body. What resolves and decodes is a value of
 * ours: it is written, read and written again as the same; what the writer's schema cannot read,
 * the plan cannot either. */
#include <string.h>

#include "codec_fixture.h"

#define SCHEMA_BYTES_MAX 8192

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
const char *__lsan_default_suppressions(void);

/* avro-c loses what it has made of a schema that turns out wrong (a name twice, say). Of good ones
 * the unit tests see what is lost. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libavro.so";
}

static void check_value(struct fixture *f)
{
    struct leat_error err = {0};
    if (fixture_encode(f, &f->b, &err) != LEAT_OK) {
        fixture_require(f->b.overflow || err.status == LEAT_POISON);
        return;
    }
    fixture_require(fixture_decode(f, f->plan, f->own_plan, leat_buf_str(&f->b)) == LEAT_OK);
    fixture_require(fixture_encode(f, &f->c, &err) == LEAT_OK);
    fixture_require(leat_str_eq(leat_buf_str(&f->b), leat_buf_str(&f->c)));
}

static void read_body(struct fixture *f, const struct leat_schema *writer, struct leat_str body)
{
    struct leat_error err = {0};
    struct leat_plan *plan = NULL;
    struct leat_plan *own = NULL;
    leat_status text = leat_schema_to_json(writer, body, &f->a, &err);
    fixture_require(text == LEAT_OK || text == LEAT_POISON);
    leat_status made = leat_plan_new(writer, f->type, &plan, &err);
    fixture_require(made == LEAT_OK || made == LEAT_INVALID);
    if (made != LEAT_OK) {
        fixture_require(err.msg[0] != 0);
        return;
    }
    fixture_require(leat_plan_new(writer, &leat_type_t, &own, &err) == LEAT_OK);
    leat_status read = fixture_decode(f, plan, own, body);
    fixture_require(read == LEAT_OK || read == LEAT_POISON);
    if (read == LEAT_OK)
        check_value(f);
    leat_plan_free(plan);
    leat_plan_free(own);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct fixture *f = fixture_get();
    struct leat_error err = {0};
    struct leat_schema *writer = NULL;
    const uint8_t *zero = n == 0 ? NULL : memchr(bytes, 0, n);
    size_t len = zero == NULL ? n : (size_t)(zero - bytes);
    if (len > SCHEMA_BYTES_MAX)
        return 0;
    fixture_clear(f);
    leat_status parsed =
        leat_schema_parse((struct leat_str){(const char *)bytes, (uint32_t)len}, &writer, &err);
    if (parsed != LEAT_OK) {
        fixture_require(parsed == LEAT_INVALID && err.msg[0] != 0);
        return 0;
    }
    struct leat_str body = {"", 0};
    if (zero != NULL)
        body = (struct leat_str){(const char *)zero + 1, (uint32_t)(n - len - 1)};
    read_body(f, writer, body);
    leat_schema_free(writer);
    return 0;
}
