/* Both directions against avro-c, over random schemas and values: what leat writes, avro-c reads as
 * the same values and writes as the same bytes; what avro-c wrote, leat reads as the same values.
 */
#include <avro.h>
#include <criterion/criterion.h>

#include "codec/plan.h"
#include "codec_made.h"
#include "codec_random.h"

#define SCHEMAS 300
#define MADE    24
#define VALUES  10

static void compare_record(avro_value_t *v, const struct leat_type *type, const char *base);

static void compare_items(avro_value_t *v, const struct leat_field *f, const char *base);

static void compare_text(avro_value_t *v, const struct leat_field *f, const char *base)
{
    struct leat_str s = leat_field_str(f, base);
    const void *at = NULL;
    const char *text = NULL;
    size_t size = 0;
    if (f->kind == LEAT_KIND_STRING) {
        cr_assert_eq(avro_value_get_string(v, &text, &size), 0);
        size--; /* avro-c counts the NUL */
        at = text;
    } else {
        cr_assert_eq(avro_value_get_bytes(v, &at, &size), 0);
    }
    cr_assert_eq(size, s.len);
    cr_assert(size == 0 || memcmp(at, s.at, size) == 0);
}

static void compare_scalar(avro_value_t *v, const struct leat_field *f, const char *at)
{
    int b = 0;
    int32_t i = 0;
    int64_t l = 0;
    float fl = 0;
    double d = 0;
    const void *bytes = NULL;
    size_t size = 0;
    if (f->kind == LEAT_KIND_BOOL) {
        cr_assert(avro_value_get_boolean(v, &b) == 0 && (b != 0) == *(const bool *)at);
    } else if (f->kind == LEAT_KIND_INT) {
        cr_assert(avro_value_get_int(v, &i) == 0 && i == LEAT_LOAD(int32_t, at));
    } else if (f->kind == LEAT_KIND_LONG) {
        cr_assert(avro_value_get_long(v, &l) == 0 && l == LEAT_LOAD(int64_t, at));
    } else if (f->kind == LEAT_KIND_FLOAT) {
        cr_assert(avro_value_get_float(v, &fl) == 0 && memcmp(&fl, at, sizeof fl) == 0);
    } else if (f->kind == LEAT_KIND_DOUBLE) {
        cr_assert(avro_value_get_double(v, &d) == 0 && memcmp(&d, at, sizeof d) == 0);
    } else if (f->kind == LEAT_KIND_ENUM) {
        cr_assert(avro_value_get_enum(v, &b) == 0 && b == LEAT_LOAD(int32_t, at));
    } else {
        cr_assert(avro_value_get_fixed(v, &bytes, &size) == 0 && size == f->item_bytes &&
                  memcmp(bytes, at, size) == 0);
    }
}

static void compare(avro_value_t *v, const struct leat_field *f, const char *base)
{
    avro_value_t branch;
    if (f->has_offset >= 0) {
        int which = 0;
        cr_assert_eq(avro_value_get_discriminant(v, &which), 0);
        cr_assert_eq(which != f->null_branch, *(const bool *)(base + f->has_offset));
        if (which == f->null_branch)
            return;
        cr_assert_eq(avro_value_get_current_branch(v, &branch), 0);
        v = &branch;
    }
    if (f->kind == LEAT_KIND_UNION) {
        int which = 0;
        cr_assert_eq(avro_value_get_discriminant(v, &which), 0);
        cr_assert_eq(which, LEAT_LOAD(int32_t, base + f->offset));
        cr_assert_eq(avro_value_get_current_branch(v, &branch), 0);
        compare(&branch, &f->item[which], base + f->offset);
    } else if (f->kind == LEAT_KIND_NULL) {
        cr_assert_eq(avro_value_get_type(v), AVRO_NULL);
    } else if (f->kind == LEAT_KIND_RECORD) {
        compare_record(v, f->record, base + f->offset);
    } else if (f->kind == LEAT_KIND_ARRAY || f->kind == LEAT_KIND_MAP) {
        compare_items(v, f, base);
    } else if (f->kind == LEAT_KIND_STRING || f->kind == LEAT_KIND_BYTES) {
        compare_text(v, f, base);
    } else {
        compare_scalar(v, f, base + f->offset);
    }
}

static void compare_items(avro_value_t *v, const struct leat_field *f, const char *base)
{
    struct leat_items items = leat_field_items(f, base);
    size_t size = 0;
    cr_assert_eq(avro_value_get_size(v, &size), 0);
    cr_assert_eq(size, items.len);
    for (size_t i = 0; i < size; i++) {
        const char *item = (const char *)items.at + i * f->item_bytes;
        const char *key = NULL;
        avro_value_t child;
        cr_assert_eq(avro_value_get_by_index(v, i, &child, &key), 0);
        if (f->kind == LEAT_KIND_MAP)
            cr_assert(leat_str_eq(leat_str_of(key), LEAT_LOAD(struct leat_str, item)));
        compare(&child, f->item, item);
    }
}

static void compare_record(avro_value_t *v, const struct leat_type *type, const char *base)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        avro_value_t child;
        const char *name = NULL;
        cr_assert_eq(avro_value_get_by_index(v, i, &child, &name), 0);
        cr_assert_str_eq(name, type->fields[i].name);
        compare(&child, &type->fields[i], base);
    }
}

struct subject {
    struct leat_arena *arena;
    struct leat_schema *schema;
    struct leat_plan *plan;
    const struct leat_type *type;
    avro_schema_t oracle;
    avro_value_iface_t *iface;
};

static void check_value(struct subject *s, uint64_t *state)
{
    struct leat_error err = {0};
    struct leat_buf out;
    leat_buf_init(&out, 1u << 20);
    char *value = leat_arena_zalloc(s->arena, 1, s->type->size);
    char *again = leat_arena_zalloc(s->arena, 1, s->type->size);
    random_record(state, s->arena, s->type, value, 0);
    cr_assert_eq(leat_encode_avro(s->type, value, &out, &err), LEAT_OK, "%s", err.msg);

    avro_value_t v;
    cr_assert_eq(avro_generic_value_new(s->iface, &v), 0);
    avro_reader_t reader = avro_reader_memory(out.at, (int64_t)out.len);
    cr_assert_eq(avro_value_read(reader, &v), 0, "%s", avro_strerror());
    compare_record(&v, s->type, value);

    char *written = leat_arena_alloc(s->arena, out.len + 64);
    avro_writer_t writer = avro_writer_memory(written, (int64_t)out.len + 64);
    cr_assert_eq(avro_value_write(writer, &v), 0);
    cr_assert_eq(avro_writer_tell(writer), (int64_t)out.len);
    cr_assert(out.len == 0 || memcmp(written, out.at, out.len) == 0);

    struct leat_str body = {written, (uint32_t)out.len};
    cr_assert_eq(leat_decode_avro(s->plan, body, s->arena, again, &err), LEAT_OK, "%s", err.msg);
    compare_record(&v, s->type, again);
    avro_reader_free(reader);
    avro_writer_free(writer);
    avro_value_decref(&v);
    leat_buf_done(&out);
}

/* Of a type laid out here, or of `type`. */
static void check_schema(struct leat_str text, const struct leat_type *type, uint64_t *state)
{
    struct leat_error err = {0};
    struct subject s = {.arena = leat_arena_new(1u << 16, 0)};
    cr_assert_eq(leat_schema_parse(text, &s.schema, &err), LEAT_OK, "%s: %.*s", err.msg,
                 LEAT_STR_FMT(text));
    s.type = type == NULL ? dynamic_type(s.arena, s.schema) : type;
    cr_assert_eq(leat_plan_new(s.schema, s.type, &s.plan, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(s.plan->top->read, s.type->read, "an equal schema is read by the type's own");
    cr_assert_eq(avro_schema_from_json_length(text.at, text.len, &s.oracle), 0);
    s.iface = avro_generic_class_from_schema(s.oracle);
    for (int k = 0; k < VALUES; k++)
        check_value(&s, state);
    avro_value_iface_decref(s.iface);
    avro_schema_decref(s.oracle);
    leat_plan_free(s.plan);
    leat_schema_free(s.schema);
    leat_arena_free(s.arena);
}

Test(codec_oracle, random_records_read_and_write_as_avro_c_does)
{
    uint64_t state = 20261122;
    for (int i = 0; i < SCHEMAS; i++) {
        struct leat_buf text;
        leat_buf_init(&text, 1u << 20);
        random_schema(&state, &text);
        check_schema(leat_buf_str(&text), NULL, &state);
        leat_buf_done(&text);
    }
}

Test(codec_oracle, types_of_leat_gen_read_and_write_as_avro_c_does, .timeout = 110)
{
    uint64_t state = 5;
    uint32_t own = 0;
    struct made made;
    struct leat_buf texts[MADE];
    made_init(&made);
    for (uint32_t i = 0; i < MADE; i++) {
        leat_buf_init(&texts[i], 1u << 20);
        random_schema(&state, &texts[i]);
        made_add(&made, leat_buf_str(&texts[i]));
    }
    made_build(&made);
    for (uint32_t i = 0; i < MADE; i++) {
        own += made_type(&made, i)->read != NULL;
        check_schema(leat_buf_str(&texts[i]), made_type(&made, i), &state);
        leat_buf_done(&texts[i]);
    }
    made_done(&made);
    cr_assert_gt(own, MADE / 2);
}

/* The same values through JSON, with and without structs, end as the same Avro bytes. */
Test(codec_oracle, json_round_trips_keep_every_value)
{
    uint64_t state = 7;
    for (int i = 0; i < SCHEMAS; i++) {
        struct leat_error err = {0};
        struct leat_arena *arena = leat_arena_new(1u << 16, 0);
        struct leat_schema *schema = NULL;
        struct leat_buf text, avro, json, back, json2;
        struct leat_buf *all[] = {&text, &avro, &json, &back, &json2};
        for (size_t k = 0; k < 5; k++)
            leat_buf_init(all[k], 1u << 22);
        random_schema(&state, &text);
        cr_assert_eq(leat_schema_parse(leat_buf_str(&text), &schema, &err), LEAT_OK);
        const struct leat_type *type = dynamic_type(arena, schema);
        char *value = leat_arena_zalloc(arena, 1, type->size);
        random_record(&state, arena, type, value, 0);
        cr_assert_eq(leat_encode_avro(type, value, &avro, &err), LEAT_OK, "%s", err.msg);
        cr_assert_eq(leat_encode_json(type, value, &json, &err), LEAT_OK, "%s", err.msg);

        cr_assert_eq(leat_schema_to_json(schema, leat_buf_str(&avro), &json2, &err), LEAT_OK, "%s",
                     err.msg);
        cr_assert(leat_str_eq(leat_buf_str(&json), leat_buf_str(&json2)), "%.*s\n%.*s",
                  (int)json.len, json.at, (int)json2.len, json2.at);
        cr_assert_eq(leat_schema_from_json(schema, leat_buf_str(&json), &back, &err), LEAT_OK, "%s",
                     err.msg);
        cr_assert(leat_str_eq(leat_buf_str(&avro), leat_buf_str(&back)));

        memset(value, 0xff, type->size);
        cr_assert_eq(leat_decode_json(type, leat_buf_str(&json), arena, value, &err), LEAT_OK, "%s",
                     err.msg);
        leat_buf_clear(&back);
        cr_assert_eq(leat_encode_avro(type, value, &back, &err), LEAT_OK, "%s", err.msg);
        cr_assert(leat_str_eq(leat_buf_str(&avro), leat_buf_str(&back)));
        for (size_t k = 0; k < 5; k++)
            leat_buf_done(all[k]);
        leat_schema_free(schema);
        leat_arena_free(arena);
    }
}
