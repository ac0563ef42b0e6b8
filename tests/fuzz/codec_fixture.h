/* codec_fixture.h - a schema with every kind of field and two structs made of it: one laid out
 * here, which steps read and write, and that of `leat gen`, which has functions of its own. Both
 * always say the same. The targets keep it all for the process: it is reachable, so the leak check
 * is content.
 */
#ifndef LEAT_TESTS_CODEC_FIXTURE_H
#define LEAT_TESTS_CODEC_FIXTURE_H

#include "../unit/codec_dynamic.h"
#include "fuzz_codec.h"

struct fixture {
    struct leat_schema *schema;
    struct leat_plan *plan, *own_plan;
    const struct leat_type *type;
    struct t own;             /* of leat_type_t */
    struct leat_arena *arena; /* of one input */
    struct leat_picker *avro_picker, *json_picker;
    struct leat_buf a, b, c, own_avro;
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
    leat_buf_init(&f.own_avro, 1u << 20);
    static struct leat_arena *types;
    types = leat_arena_new(1u << 16, 0);
    if (leat_schema_parse(leat_str_of(leat_type_t.schema), &f.schema, &err) != LEAT_OK)
        abort();
    f.type = dynamic_type(types, f.schema);
    f.value = leat_arena_alloc(types, f.type->size);
    if (leat_plan_new(f.schema, f.type, &f.plan, &err) != LEAT_OK ||
        leat_plan_new(f.schema, &leat_type_t, &f.own_plan, &err) != LEAT_OK ||
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
    leat_buf_clear(&f->own_avro);
}

static inline void fixture_require(bool ok)
{
    if (!ok)
        abort();
}

/* Reads the body with `plan`, and with `own` into the struct of `leat gen`; both find the same. */
static inline leat_status fixture_decode(struct fixture *f, const struct leat_plan *plan,
                                         const struct leat_plan *own, struct leat_str body)
{
    struct leat_error err = {0};
    struct leat_error own_err = {0};
    leat_status st = leat_decode_avro(plan, body, f->arena, f->value, &err);
    leat_status own_st = leat_decode_avro(own, body, f->arena, &f->own, &own_err);
    fixture_require(st == own_st && strcmp(err.msg, own_err.msg) == 0);
    return st;
}

/* Writes what was read last, to `out`; both write the same. */
static inline leat_status fixture_encode(struct fixture *f, struct leat_buf *out,
                                         struct leat_error *err)
{
    leat_status st = leat_encode_avro(f->type, f->value, out, err);
    leat_buf_clear(&f->own_avro);
    fixture_require(leat_encode_avro(&leat_type_t, &f->own, &f->own_avro, err) == st);
    fixture_require(st != LEAT_OK || leat_str_eq(leat_buf_str(out), leat_buf_str(&f->own_avro)));
    return st;
}

#endif
