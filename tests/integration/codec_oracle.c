/* codec_oracle - leat's codec for a test in another language: cases on stdin, answers on stdout.
 *
 * First, schemas of types to be made as users have them, by `leat gen` and the compiler, and an
 * empty text; other types are laid out here. Case: writer's schema, reader's schema, Avro body;
 * each a 4-byte little-endian length and bytes. Answer: one byte (0: done, 1: refused), then the
 * value in the reader's schema as Avro, and as JSON; or the error's text, and nothing. What the
 * struct, the schema alone and a round trip through JSON say of one value must agree, else the
 * answer is 2 and where they do not. */
#include <stdio.h>
#include <stdlib.h>

#include "../unit/codec_dynamic.h"
#include "../unit/codec_made.h"
#include "base/table.h"
#include "codec/compare.h"

#define TEXT_MAX (4u << 20)
#define MADE_MAX 200

struct oracle {
    struct leat_arena *arena;
    struct leat_buf avro, json, other;
    struct leat_schema *writer, *reader;
    struct leat_plan *plan;
    struct leat_error err;
    struct made made;
    struct leat_arena *kept;
    struct leat_table numbers; /* schema -> number of its type in `made` */
};

static bool take(struct leat_arena *arena, struct leat_str *ret)
{
    uint32_t len = 0;
    if (fread(&len, sizeof len, 1, stdin) != 1 || len > TEXT_MAX)
        return false;
    char *at = leat_arena_alloc(arena, (size_t)len + 1);
    at[len] = '\0';
    *ret = (struct leat_str){at, len};
    return len == 0 || fread(at, len, 1, stdin) == 1;
}

static void give(struct leat_str s)
{
    (void)fwrite(&s.len, sizeof s.len, 1, stdout);
    (void)fwrite(s.at, 1, s.len, stdout);
}

static void answer(char code, struct leat_str a, struct leat_str b)
{
    (void)fputc(code, stdout);
    give(a);
    give(b);
    (void)fflush(stdout);
}

/* NULL when all agree. */
static const char *disagreement(struct oracle *o, const struct leat_type *type, void *value)
{
    struct leat_str json = leat_buf_str(&o->json);
    if (leat_schema_compare(o->writer, o->reader, NULL, NULL) > 0)
        return "what was read, and leat_schema_compare()";
    leat_buf_clear(&o->other);
    if (leat_schema_to_json(o->reader, leat_buf_str(&o->avro), &o->other, &o->err) != LEAT_OK ||
        !leat_str_eq(json, leat_buf_str(&o->other)))
        return "JSON of the struct and of the schema alone";
    leat_buf_clear(&o->other);
    if (leat_schema_from_json(o->reader, json, &o->other, &o->err) != LEAT_OK ||
        !leat_str_eq(leat_buf_str(&o->avro), leat_buf_str(&o->other)))
        return "Avro, and Avro from its JSON by the schema alone";
    leat_buf_clear(&o->other);
    if (leat_decode_json(type, json, o->arena, value, &o->err) != LEAT_OK ||
        leat_encode_avro(type, value, &o->other, &o->err) != LEAT_OK ||
        !leat_str_eq(leat_buf_str(&o->avro), leat_buf_str(&o->other)))
        return "Avro, and Avro from its JSON by the struct";
    return NULL;
}

static void run_case(struct oracle *o, struct leat_str writer, struct leat_str reader,
                     struct leat_str body)
{
    struct leat_error *err = &o->err;
    bool ok = leat_schema_parse(writer, &o->writer, err) == LEAT_OK &&
              leat_schema_parse(reader, &o->reader, err) == LEAT_OK;
    if (ok) {
        uint64_t number = 0;
        struct leat_type type = leat_table_get(&o->numbers, reader, &number)
                                    ? *made_type(&o->made, (uint32_t)number)
                                    : *dynamic_type(o->arena, o->reader);
        void *value = leat_arena_alloc(o->arena, type.size);
        type.schema = reader.at;
        ok = leat_plan_new(o->writer, &type, &o->plan, err) == LEAT_OK &&
             leat_decode_avro(o->plan, body, o->arena, value, err) == LEAT_OK &&
             leat_encode_avro(&type, value, &o->avro, err) == LEAT_OK &&
             leat_encode_json(&type, value, &o->json, err) == LEAT_OK;
        const char *what = ok ? disagreement(o, &type, value) : NULL;
        if (what != NULL) {
            answer(2, leat_str_of(what), leat_str_of(err->msg));
            return;
        }
    }
    if (ok) {
        answer(0, leat_buf_str(&o->avro), leat_buf_str(&o->json));
    } else {
        answer(1, leat_str_of(err->msg), LEAT_STR(""));
    }
}

static bool make_types(struct oracle *o)
{
    struct leat_str texts[MADE_MAX];
    uint32_t n = 0;
    made_init(&o->made);
    while (n < MADE_MAX && take(o->kept, &texts[n]) && texts[n].len > 0)
        made_add(&o->made, texts[n++]);
    if (n == 0 || n == MADE_MAX)
        return false;
    made_build(&o->made);
    for (uint32_t i = 0; i < n; i++)
        leat_table_put(&o->numbers, texts[i], i);
    return true;
}

int main(void)
{
    static struct oracle o;
    o.arena = leat_arena_new(1u << 16, 1u << 20);
    o.kept = leat_arena_new(1u << 16, 0);
    if (!make_types(&o))
        return 2;
    struct leat_buf *all[] = {&o.avro, &o.json, &o.other};
    for (size_t i = 0; i < 3; i++)
        leat_buf_init(all[i], TEXT_MAX);
    struct leat_str writer, reader, body;
    while (take(o.arena, &writer) && take(o.arena, &reader) && take(o.arena, &body)) {
        run_case(&o, writer, reader, body);
        leat_plan_free(o.plan);
        leat_schema_free(o.writer);
        leat_schema_free(o.reader);
        o.plan = NULL;
        o.writer = o.reader = NULL;
        for (size_t i = 0; i < 3; i++)
            leat_buf_clear(all[i]);
        leat_arena_reset(o.arena);
    }
    for (size_t i = 0; i < 3; i++)
        leat_buf_done(all[i]);
    leat_table_done(&o.numbers);
    leat_arena_free(o.arena);
    leat_arena_free(o.kept);
    made_done(&o.made);
    return 0;
}
