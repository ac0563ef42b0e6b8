/* bench_codec - ns per decode and encode of one command of about 200 bytes of JSON, as Avro and as
 * JSON; beside it avro-c's generic values. One thread, warm caches; no allocation but arena and
 * buffer reuse. Not included: framing, schema look-up, copying out of Kafka.
 * Usage: bench_codec [rounds] */
#include <avro.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../unit/codec_dynamic.h"

#define PER_ROUND  2000
#define ROUNDS_MAX 1000

static const char schema_text[] =
    "{\"type\":\"record\",\"name\":\"CreateLead\",\"fields\":["
    "{\"name\":\"lead_id\",\"type\":\"string\"},{\"name\":\"name\",\"type\":\"string\"},"
    "{\"name\":\"email\",\"type\":\"string\"},{\"name\":\"phone\",\"type\":[\"null\",\"string\"]},"
    "{\"name\":\"state\",\"type\":\"string\"},{\"name\":\"employees\",\"type\":\"int\"},"
    "{\"name\":\"budget_cents\",\"type\":\"long\"},{\"name\":\"source\",\"type\":\"string\"},"
    "{\"name\":\"created_at\",\"type\":\"long\"}]}";

static const char json_text[] =
    "{\"lead_id\":\"0190f3a2-7c41-7d2e-9b11-4f6a2c8d1e90\",\"name\":\"Ada Lovelace\","
    "\"email\":\"ada@analytical-engines.example\",\"phone\":\"+44 20 7946 0958\",\"state\":\"NY\","
    "\"employees\":42,\"budget_cents\":1250000,\"source\":\"web\",\"created_at\":1763791200000}";

struct bench {
    const struct leat_type *type;
    struct leat_schema *schema;
    struct leat_plan *plan;
    struct leat_arena *arena;
    struct leat_buf avro, out;
    struct leat_str json;
    char *value;
    struct leat_error err;
    avro_value_t generic;
    avro_reader_t reader;
};

static bool decode_avro(struct bench *b)
{
    return leat_decode_avro(b->plan, leat_buf_str(&b->avro), b->arena, b->value, &b->err) ==
           LEAT_OK;
}

static bool encode_avro(struct bench *b)
{
    leat_buf_clear(&b->out);
    return leat_encode_avro(b->type, b->value, &b->out, &b->err) == LEAT_OK;
}

static bool decode_json(struct bench *b)
{
    return leat_decode_json(b->type, b->json, b->arena, b->value, &b->err) == LEAT_OK;
}

static bool encode_json(struct bench *b)
{
    leat_buf_clear(&b->out);
    return leat_encode_json(b->type, b->value, &b->out, &b->err) == LEAT_OK;
}

static bool json_to_avro(struct bench *b)
{
    leat_buf_clear(&b->out);
    return leat_schema_from_json(b->schema, b->json, &b->out, &b->err) == LEAT_OK;
}

static bool decode_avro_c(struct bench *b)
{
    avro_reader_memory_set_source(b->reader, b->avro.at, (int64_t)b->avro.len);
    return avro_value_reset(&b->generic) == 0 && avro_value_read(b->reader, &b->generic) == 0;
}

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void measure(struct bench *b, const char *name, bool (*step)(struct bench *), size_t rounds)
{
    static double ns[ROUNDS_MAX];
    static bool first = true;
    for (size_t r = 0; r < rounds + 3; r++) { /* three rounds to warm up */
        leat_arena_reset(b->arena);
        uint64_t start = now_ns();
        for (int i = 0; i < PER_ROUND; i++) {
            if (!step(b)) {
                (void)fprintf(stderr, "%s: %s\n", name, b->err.msg);
                exit(1);
            }
        }
        if (r >= 3)
            ns[r - 3] = (double)(now_ns() - start) / PER_ROUND;
    }
    qsort(ns, rounds, sizeof *ns, by_value);
    (void)printf("%s\"%s\":{\"min\":%.0f,\"p50\":%.0f,\"p99\":%.0f}", first ? "" : ",", name, ns[0],
                 ns[rounds / 2], ns[rounds * 99 / 100]);
    first = false;
}

static bool setup(struct bench *b)
{
    b->arena = leat_arena_new(1u << 20, 1u << 20);
    leat_buf_init(&b->avro, 1u << 20);
    leat_buf_init(&b->out, 1u << 20);
    b->json = leat_str_of(json_text);
    if (leat_schema_parse(leat_str_of(schema_text), &b->schema, &b->err) != LEAT_OK)
        return false;
    b->type = dynamic_type(leat_arena_new(1u << 16, 0), b->schema);
    b->value = calloc(1, b->type->size);
    avro_schema_t oracle = NULL;
    if (b->value == NULL || avro_schema_from_json_literal(schema_text, &oracle) != 0)
        return false;
    if (avro_generic_value_new(avro_generic_class_from_schema(oracle), &b->generic) != 0)
        return false;
    b->reader = avro_reader_memory("", 0);
    return leat_plan_new(b->schema, b->type, &b->plan, &b->err) == LEAT_OK &&
           leat_schema_from_json(b->schema, b->json, &b->avro, &b->err) == LEAT_OK;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 200;
    if (rounds < 1 || rounds > ROUNDS_MAX) {
        (void)fprintf(stderr, "rounds: 1 to %d\n", ROUNDS_MAX);
        return 2;
    }
    static struct bench b;
    if (!setup(&b)) {
        (void)fprintf(stderr, "setup: %s\n", b.err.msg);
        return 1;
    }
    (void)printf("{\"bench\":\"codec\",\"rounds\":%ld,\"json_bytes\":%u,\"avro_bytes\":%zu,"
                 "\"ns\":{",
                 rounds, b.json.len, b.avro.len);
    measure(&b, "decode_json", decode_json, (size_t)rounds);
    measure(&b, "encode_json", encode_json, (size_t)rounds);
    measure(&b, "decode_avro", decode_avro, (size_t)rounds);
    measure(&b, "encode_avro", encode_avro, (size_t)rounds);
    measure(&b, "json_to_avro", json_to_avro, (size_t)rounds);
    measure(&b, "decode_avro_c", decode_avro_c, (size_t)rounds);
    (void)printf("}}\n");
    return 0;
}
