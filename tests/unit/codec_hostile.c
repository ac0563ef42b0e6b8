/* Bytes that nobody should have written: every one is refused, or is a value; memory stays small.
 */
#include <criterion/criterion.h>

#include "codec_made.h"
#include "codec_random.h"

#define RECORD(fields)    "{\"type\":\"record\",\"name\":\"T\",\"fields\":[" fields "]}"
#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"

static struct leat_error err;

static const char *decode(const char *schema, const void *bytes, uint32_t len)
{
    struct leat_schema *s = NULL;
    struct leat_plan *plan = NULL;
    struct leat_arena *arena = leat_arena_new(4096, 0);
    cr_assert_eq(leat_schema_parse(leat_str_of(schema), &s, &err), LEAT_OK, "%s", err.msg);
    const struct leat_type *type = dynamic_type(arena, s);
    void *value = leat_arena_alloc(arena, type->size);
    cr_assert_eq(leat_plan_new(s, type, &plan, &err), LEAT_OK, "%s", err.msg);
    size_t before = leat_arena_used(arena);
    leat_status st = leat_decode_avro(plan, (struct leat_str){bytes, len}, arena, value, &err);
    cr_assert(st == LEAT_OK || st == LEAT_POISON);
    cr_assert_leq(leat_arena_used(arena) - before, 64 + 64 * (size_t)len);
    leat_plan_free(plan);
    leat_schema_free(s);
    leat_arena_free(arena);
    return st == LEAT_OK ? "ok" : err.msg;
}

#define BYTES(literal) (literal), (uint32_t)(sizeof(literal) - 1)

Test(codec_hostile, lengths_and_numbers_that_lie_are_poison)
{
    const char *s = RECORD(FIELD("s", "\"string\""));
    const char *l = RECORD(FIELD("l", "\"long\""));
    const char *i = RECORD(FIELD("i", "\"int\""));
    const char *a = RECORD(FIELD("a", "{\"type\":\"array\",\"items\":\"long\"}"));
    const char *b = RECORD(FIELD("b", "\"boolean\""));
    const char *u = RECORD(FIELD("u", "[\"null\",\"int\"]"));
    cr_assert_str_eq(decode(s, BYTES("\x0a"
                                     "abc")),
                     "could not decode T: field 's' at byte 1: longer than the bytes left");
    cr_assert_str_eq(decode(s, BYTES("\x01")),
                     "could not decode T: field 's' at byte 1: longer than the bytes left");
    cr_assert_str_eq(decode(s, BYTES("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01")),
                     "could not decode T: field 's' at byte 10: longer than the bytes left");
    cr_assert_str_eq(decode(s, BYTES("\x04\xff\xfe")),
                     "could not decode T: field 's' at byte 3: not valid UTF-8");
    cr_assert_str_eq(decode(l, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02")),
                     "could not decode T: field 'l' at byte 0: number is cut short or too long");
    cr_assert_str_eq(decode(l, BYTES("")),
                     "could not decode T: field 'l' at byte 0: number is cut short or too long");
    cr_assert_str_eq(decode(i, BYTES("\x80\x80\x80\x80\x20")),
                     "could not decode T: field 'i' at byte 5: number does not fit an int");
    cr_assert_str_eq(decode(a, BYTES("\xfe\xff\xff\xff\x0f\x00")),
                     "could not decode T: field 'a' at byte 5: more items than bytes left");
    cr_assert_str_eq(decode(a, BYTES("\x01\xff\xff\xff\x0f")),
                     "could not decode T: field 'a' at byte 5: more items than bytes left");
    cr_assert_str_eq(decode(b, BYTES("\x02")),
                     "could not decode T: field 'b' at byte 0: not a boolean");
    cr_assert_str_eq(decode(u, BYTES("\x04\x02")),
                     "could not decode T: field 'u' at byte 1: not a branch of its union");
    cr_assert_str_eq(decode(l, BYTES("\x02\x02")),
                     "could not decode T: 1 bytes are left after the last field");
}

Test(codec_hostile, arrays_in_several_blocks_and_with_sizes_are_read)
{
    const char *a = RECORD(FIELD("a", "{\"type\":\"array\",\"items\":\"long\"}"));
    cr_assert_str_eq(decode(a, BYTES("\x02\x02\x03\x04\x04\x06\x04\x08\x0a\x00")), "ok");
}

Test(codec_hostile, depth_is_bounded)
{
    const char *tree = RECORD(FIELD("kids", "{\"type\":\"array\",\"items\":\"T\"}"));
    char bytes[200];
    memset(bytes, 2, sizeof bytes); /* one item, which has one item, which ... */
    cr_assert_str_eq(decode(tree, bytes, sizeof bytes),
                     "could not decode T: records are nested too deeply");
}

/* Every prefix and thousands of changed bytes of real values, through all ways of reading. */
Test(codec_hostile, damaged_values_never_do_more_than_fail, .timeout = 60)
{
    uint64_t state = 3;
    for (int i = 0; i < 60; i++) {
        struct leat_arena *arena = leat_arena_new(1u << 16, 0);
        struct leat_schema *schema = NULL;
        struct leat_plan *plan = NULL;
        struct leat_buf text, avro, json;
        leat_buf_init(&text, 1u << 20);
        leat_buf_init(&avro, 1u << 20);
        leat_buf_init(&json, 1u << 20);
        random_schema(&state, &text);
        cr_assert_eq(leat_schema_parse(leat_buf_str(&text), &schema, &err), LEAT_OK);
        const struct leat_type *type = dynamic_type(arena, schema);
        char *value = leat_arena_zalloc(arena, 1, type->size);
        random_record(&state, arena, type, value, 0);
        cr_assert_eq(leat_encode_avro(type, value, &avro, &err), LEAT_OK);
        cr_assert_eq(leat_plan_new(schema, type, &plan, &err), LEAT_OK);
        for (int k = 0; k < 200; k++) {
            uint32_t len =
                k < 100 ? random_below(&state, (uint32_t)avro.len + 1) : (uint32_t)avro.len;
            char *bytes = malloc(len + 1u); /* its own allocation: an overrun is seen */
            cr_assert_not_null(bytes);
            if (len > 0)
                memcpy(bytes, avro.at, len);
            for (uint32_t n = random_below(&state, 3); k >= 100 && len > 0 && n > 0; n--)
                bytes[random_below(&state, len)] = (char)random_next(&state);
            struct leat_str body = {bytes, len};
            leat_buf_clear(&json);
            leat_status a = leat_decode_avro(plan, body, arena, value, &err);
            leat_status b = leat_schema_to_json(schema, body, &json, &err);
            cr_assert_eq(a, b, "struct %d, text %d", a, b);
            if (a == LEAT_OK)
                cr_assert_eq(leat_encode_avro(type, value, &json, &err), LEAT_OK, "%s", err.msg);
            free(bytes);
        }
        leat_plan_free(plan);
        leat_schema_free(schema);
        leat_buf_done(&text);
        leat_buf_done(&avro);
        leat_buf_done(&json);
        leat_arena_free(arena);
    }
}

struct twins { /* one schema, read by steps and by functions of the type's own */
    struct leat_arena *arena;
    const struct leat_type *types[2];
    struct leat_plan *plans[2];
    struct leat_buf avro, again[2];
};

/* A prefix of a value, or all of it with some bytes changed, in an allocation of its own. */
static struct leat_str damaged(uint64_t *state, const struct leat_buf *avro, bool cut)
{
    uint32_t all = (uint32_t)avro->len;
    uint32_t len = cut ? random_below(state, all + 1) : all;
    char *bytes = malloc(len + 1u);
    cr_assert_not_null(bytes);
    if (len > 0)
        memcpy(bytes, avro->at, len);
    for (uint32_t n = random_below(state, 3); !cut && len > 0 && n > 0; n--)
        bytes[random_below(state, len)] = (char)random_next(state);
    return (struct leat_str){bytes, len};
}

static void read_alike(struct twins *t, struct leat_str body)
{
    char said[sizeof err.msg] = "";
    leat_status first = LEAT_OK;
    for (int k = 0; k < 2; k++) {
        void *value = leat_arena_alloc(t->arena, t->types[k]->size);
        leat_status st = leat_decode_avro(t->plans[k], body, t->arena, value, &err);
        leat_buf_clear(&t->again[k]);
        if (st == LEAT_OK)
            st = leat_encode_avro(t->types[k], value, &t->again[k], &err);
        if (k == 0) {
            first = st;
            memcpy(said, err.msg, sizeof said);
        }
        cr_assert_eq(st, first);
        cr_assert(st == LEAT_OK || strcmp(err.msg, said) == 0, "'%s' and '%s'", said, err.msg);
    }
    cr_assert(leat_str_eq(leat_buf_str(&t->again[0]), leat_buf_str(&t->again[1])));
}

/* No room, or all but enough. */
static void write_bounded(const struct leat_type *type, const char *value, size_t bytes)
{
    for (size_t max = 0; max <= bytes; max += max < 8 || max + 8 > bytes ? 1 : 7) {
        struct leat_buf out;
        leat_buf_init(&out, max);
        leat_status st = leat_encode_avro(type, value, &out, &err);
        cr_assert_eq(st, max == bytes ? LEAT_OK : LEAT_POISON, "%zu of %zu: %s", max, bytes,
                     err.msg);
        cr_assert_eq(out.len, max == bytes ? bytes : 0);
        leat_buf_done(&out);
    }
}

/* Each text and enum in turn is one that has no form. */
static void write_spoilt(const struct leat_type *type, char *value)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct leat_field *f = &type->fields[i];
        char kept[sizeof(struct leat_str)];
        char *at = value + f->offset;
        struct leat_buf out;
        if (f->kind != LEAT_KIND_STRING && f->kind != LEAT_KIND_ENUM)
            continue;
        size_t size = f->kind == LEAT_KIND_ENUM ? sizeof(int32_t) : sizeof kept;
        memcpy(kept, at, size);
        leat_field_set_present(f, value, true);
        if (f->kind == LEAT_KIND_ENUM) {
            LEAT_STORE(int32_t, at, (int32_t)f->symbol_count - (i % 2 == 0 ? 0 : 1000));
        } else {
            LEAT_STORE(struct leat_str, at, LEAT_STR("a text that is long enough \xc3"));
        }
        leat_buf_init(&out, 1u << 20);
        cr_assert_eq(leat_encode_avro(type, value, &out, &err), LEAT_POISON);
        cr_assert_not_null(strstr(err.msg, f->kind == LEAT_KIND_ENUM
                                               ? "': not one of the enum's symbols"
                                               : "': not valid UTF-8"));
        leat_buf_done(&out);
        memcpy(at, kept, size);
    }
}

/* Each text in turn is longer than the room that was asked for without it. */
static void write_long(struct twins *t, char *value)
{
    const struct leat_type *type = t->types[1];
    char long_text[3000];
    memset(long_text, 'x', sizeof long_text);
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct leat_field *f = &type->fields[i];
        if (f->kind != LEAT_KIND_STRING)
            continue;
        struct leat_str kept = leat_field_str(f, value);
        char *again = leat_arena_alloc(t->arena, type->size);
        struct leat_buf out;
        leat_field_set_present(f, value, true);
        LEAT_STORE(struct leat_str, value + f->offset,
                   ((struct leat_str){long_text, sizeof long_text}));
        leat_buf_init(&out, 1u << 20);
        cr_assert_eq(leat_encode_avro(type, value, &out, &err), LEAT_OK, "%s", err.msg);
        cr_assert_leq(out.len, out.cap);
        cr_assert_eq(leat_decode_avro(t->plans[1], leat_buf_str(&out), t->arena, again, &err),
                     LEAT_OK, "%s", err.msg);
        cr_assert(leat_str_eq(leat_field_str(f, again), leat_field_str(f, value)));
        leat_buf_done(&out);
        LEAT_STORE(struct leat_str, value + f->offset, kept);
    }
}

static void check_twins(struct leat_str text, const struct leat_type *made, uint64_t *state)
{
    struct twins t = {.arena = leat_arena_new(1u << 16, 0)};
    struct leat_schema *schema = NULL;
    struct leat_buf *bufs[] = {&t.avro, &t.again[0], &t.again[1]};
    for (size_t i = 0; i < 3; i++)
        leat_buf_init(bufs[i], 1u << 20);
    cr_assert_eq(leat_schema_parse(text, &schema, &err), LEAT_OK);
    t.types[0] = dynamic_type(t.arena, schema);
    t.types[1] = made;
    for (int k = 0; k < 2; k++)
        cr_assert_eq(leat_plan_new(schema, t.types[k], &t.plans[k], &err), LEAT_OK);
    char *value = leat_arena_zalloc(t.arena, 1, made->size);
    random_record(state, t.arena, made, value, 0);
    cr_assert_eq(leat_encode_avro(made, value, &t.avro, &err), LEAT_OK);
    write_bounded(made, value, t.avro.len);
    for (int k = 0; k < 400; k++) {
        struct leat_str body = damaged(state, &t.avro, k < 200);
        read_alike(&t, body);
        free((void *)(uintptr_t)body.at);
    }
    write_spoilt(made, value);
    write_long(&t, value);
    for (int k = 0; k < 2; k++)
        leat_plan_free(t.plans[k]);
    for (size_t i = 0; i < 3; i++)
        leat_buf_done(bufs[i]);
    leat_schema_free(schema);
    leat_arena_free(t.arena);
}

/* What is damaged is refused with the same words at the same byte, or is the same value. */
Test(codec_hostile, types_of_leat_gen_refuse_what_the_steps_refuse, .timeout = 110)
{
    enum {
        N = 16
    };
    uint64_t state = 11;
    struct made made;
    struct leat_buf texts[N];
    made_init(&made);
    for (uint32_t i = 0; i < N; i++) {
        leat_buf_init(&texts[i], 1u << 20);
        random_schema(&state, &texts[i]);
        made_add(&made, leat_buf_str(&texts[i]));
    }
    made_build(&made);
    for (uint32_t i = 0; i < N; i++) {
        check_twins(leat_buf_str(&texts[i]), made_type(&made, i), &state);
        leat_buf_done(&texts[i]);
    }
    made_done(&made);
}

Test(codec_hostile, a_value_over_the_limit_leaves_the_buffer_as_it_was)
{
    struct leat_schema *s = NULL;
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_buf out;
    leat_buf_init(&out, 16);
    cr_assert_eq(leat_schema_parse(leat_str_of(RECORD(FIELD("s", "\"string\""))), &s, &err),
                 LEAT_OK);
    const struct leat_type *type = dynamic_type(arena, s);
    struct leat_str value = LEAT_STR("123456789012345");
    leat_buf_puts(&out, "xx");
    cr_assert_eq(leat_encode_avro(type, &value, &out, &err), LEAT_POISON);
    cr_assert_str_eq(err.msg,
                     "could not encode T: field 's': value is larger than the limit of 16 bytes");
    cr_assert_eq(out.len, 2);
    leat_buf_done(&out);
    leat_buf_init(&out, 16);
    cr_assert_eq(leat_encode_avro(type, &value, &out, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(out.len, 16);
    leat_buf_done(&out);
    leat_schema_free(s);
    leat_arena_free(arena);
}

Test(codec_hostile, values_that_have_no_form_are_refused_when_written)
{
    struct leat_schema *s = NULL;
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_buf out;
    leat_buf_init(&out, 1000);
    const char *text =
        RECORD(FIELD("e", "{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}") "," FIELD(
            "d", "\"double\"") "," FIELD("s", "\"string\""));
    cr_assert_eq(leat_schema_parse(leat_str_of(text), &s, &err), LEAT_OK);
    const struct leat_type *type = dynamic_type(arena, s);
    struct {
        int32_t e;
        double d;
        struct leat_str s;
    } value = {1, 0, {"\xff", 1}};
    cr_assert_eq(leat_encode_avro(type, &value, &out, &err), LEAT_POISON);
    cr_assert_str_eq(err.msg, "could not encode T: field 'e': not one of the enum's symbols");
    value.e = 0;
    cr_assert_eq(leat_encode_avro(type, &value, &out, &err), LEAT_POISON);
    cr_assert_str_eq(err.msg, "could not encode T: field 's': not valid UTF-8");
    value.s = LEAT_STR("x");
    value.d = __builtin_inf();
    cr_assert_eq(leat_encode_avro(type, &value, &out, &err), LEAT_OK);
    leat_buf_clear(&out);
    cr_assert_eq(leat_encode_json(type, &value, &out, &err), LEAT_POISON);
    cr_assert_str_eq(err.msg,
                     "could not encode T: field 'd': JSON has no form for a number that is "
                     "not finite");
    cr_assert_eq(out.len, 0);
    leat_buf_done(&out);
    leat_schema_free(s);
    leat_arena_free(arena);
}
