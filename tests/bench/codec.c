/* bench_codec - ns per encode and decode of an event of twelve fields: leat's codec with the struct
 * that `leat gen` makes, avro-c's generic values, and a struct copied by hand with varints, in
 * turns within one run. Then the price of resolution (an equal schema, a later one), of going
 * without the struct's own functions, and of JSON. One thread, warm caches, no allocation but arena
 * and buffer reuse. Not included: framing, schema look-up, copying out of Kafka. The bounds of
 * issue 4 are held to the median of the ratios within one round each. One line of JSON; exit 1 when
 * one does not hold. Usage: bench_codec [rounds] */
#include "codec/codec.h"

#include <avro.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "bench_codec.h"
#include "codec_hand.h"

#define PER_ROUND  2000
#define ROUNDS_MAX 1000

#define STRING(name) "{\"name\":\"" name "\",\"type\":\"string\"},"
#define LONG(name)   "{\"name\":\"" name "\",\"type\":\"long\"},"
#define EVENT(quantity, more)                                                                      \
    "{\"type\":\"record\",\"name\":\"OrderPlaced\",\"fields\":[" STRING("order_id")                \
        STRING("customer") STRING("currency") STRING(                                              \
            "sku") "{\"name\":\"status\",\"type\":{\"type\":\"enum\",\"name\":\"Status\","         \
                   "\"symbols\":[\"NEW\","                                                         \
                   "\"PLACED\",\"PAID\",\"SENT\"]}},{\"name\":\"quantity\",\"type\":\"" quantity   \
                   "\"}," LONG("amount_cents") LONG("placed_at")                                   \
                       LONG("paid_at") "{\"name\":\"weight\",\"type\":\"double\"},{\"name\":"      \
                                       "\"express\",\"type\":\"boolean\"}" more "]}"
#define NOTE ",{\"name\":\"note\",\"type\":[\"null\",\"string\"],\"default\":null}"
#define GIFT "{\"name\":\"gift\",\"type\":[\"null\",\"string\"],\"default\":null}"

/* The same to a reader: other text, the same types. */
static const char equal_text[] =
    EVENT("int", ",{\"name\":\"note\",\"doc\":\"as printed\",\"type\":[\"null\",\"string\"],"
                 "\"default\":null}");
/* Written by a later version: a field more; read by an earlier one. */
static const char later_text[] = EVENT("int", NOTE "," GIFT);
/* The same, elsewhere than at the end. */
static const char mixed_text[] = EVENT("int", "," GIFT NOTE);

static const char json_text[] =
    "{\"order_id\":\"0190f3a2-7c41-7d2e-9b11-4f6a2c8d1e90\",\"customer\":\"Ada Lovelace\","
    "\"currency\":\"EUR\",\"sku\":\"ENG-0042\",\"status\":\"PAID\",\"quantity\":3,"
    "\"amount_cents\":1250000,\"placed_at\":1763791200000,\"paid_at\":1763791260000,"
    "\"weight\":12.5,\"express\":true,\"note\":\"please ring twice\"}";

struct bench {
    struct leat_type stepped; /* without functions of its own */
    struct leat_schema *schema, *equal, *later, *mixed;
    struct leat_plan *plan, *equal_plan, *later_plan, *mixed_plan, *stepped_plan;
    struct leat_arena *arena;
    struct leat_buf avro, later_avro, mixed_avro, out;
    struct leat_str json;
    struct order_placed value;
    struct hand_event hand;
    uint8_t hand_out[4096];
    struct leat_error err;
    avro_value_t generic;
    avro_reader_t reader;
    avro_writer_t writer;
};

static bool decode_with(struct bench *b, const struct leat_plan *plan, const struct leat_buf *from)
{
    return leat_decode_avro(plan, leat_buf_str(from), b->arena, &b->value, &b->err) == LEAT_OK;
}

static bool decode_avro(struct bench *b)
{
    return decode_with(b, b->plan, &b->avro);
}

static bool decode_equal(struct bench *b)
{
    return decode_with(b, b->equal_plan, &b->avro);
}

static bool decode_later(struct bench *b)
{
    return decode_with(b, b->later_plan, &b->later_avro);
}

static bool decode_mixed(struct bench *b)
{
    return decode_with(b, b->mixed_plan, &b->mixed_avro);
}

static bool decode_stepped(struct bench *b)
{
    return decode_with(b, b->stepped_plan, &b->avro);
}

static bool encode_as(struct bench *b, const struct leat_type *type)
{
    leat_buf_clear(&b->out);
    return leat_encode_avro(type, &b->value, &b->out, &b->err) == LEAT_OK;
}

static bool encode_avro(struct bench *b)
{
    return encode_as(b, &leat_type_order_placed);
}

static bool encode_stepped(struct bench *b)
{
    return encode_as(b, &b->stepped);
}

static bool decode_hand(struct bench *b)
{
    const uint8_t *at = (const uint8_t *)b->avro.at;
    return hand_decode(&b->hand, at, at + b->avro.len);
}

static bool encode_hand(struct bench *b)
{
    return hand_encode(&b->hand, b->hand_out, sizeof b->hand_out) == b->avro.len;
}

static bool decode_avro_c(struct bench *b)
{
    avro_reader_memory_set_source(b->reader, b->avro.at, (int64_t)b->avro.len);
    return avro_value_reset(&b->generic) == 0 && avro_value_read(b->reader, &b->generic) == 0;
}

static bool encode_avro_c(struct bench *b)
{
    avro_writer_memory_set_dest(b->writer, (char *)b->hand_out, sizeof b->hand_out);
    return avro_value_write(b->writer, &b->generic) == 0;
}

static bool decode_json(struct bench *b)
{
    return leat_decode_json(&leat_type_order_placed, b->json, b->arena, &b->value, &b->err) ==
           LEAT_OK;
}

static bool encode_json(struct bench *b)
{
    leat_buf_clear(&b->out);
    return leat_encode_json(&leat_type_order_placed, &b->value, &b->out, &b->err) == LEAT_OK;
}

static bool json_to_avro(struct bench *b)
{
    leat_buf_clear(&b->out);
    return leat_schema_from_json(b->schema, b->json, &b->out, &b->err) == LEAT_OK;
}

static const struct {
    const char *name;
    bool (*run)(struct bench *);
} steps[] = {
    {"decode_avro", decode_avro},       {"encode_avro", encode_avro},
    {"decode_hand", decode_hand},       {"encode_hand", encode_hand},
    {"decode_avro_c", decode_avro_c},   {"encode_avro_c", encode_avro_c},
    {"decode_equal", decode_equal},     {"decode_later", decode_later},
    {"decode_mixed", decode_mixed},     {"decode_stepped", decode_stepped},
    {"encode_stepped", encode_stepped}, {"decode_json", decode_json},
    {"encode_json", encode_json},       {"json_to_avro", json_to_avro},
};
enum {
    N_STEPS = sizeof steps / sizeof steps[0]
};
static double ns[N_STEPS][ROUNDS_MAX + 3];

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

/* All in turns: what else the machine does weighs on each alike. Three rounds warm up. */
static void measure(struct bench *b, size_t rounds)
{
    for (size_t r = 0; r < rounds + 3; r++) {
        for (size_t s = 0; s < N_STEPS; s++) {
            leat_arena_reset(b->arena);
            uint64_t start = now_ns();
            for (int i = 0; i < PER_ROUND; i++) {
                if (!steps[s].run(b)) {
                    (void)fprintf(stderr, "%s: %s\n", steps[s].name, b->err.msg);
                    exit(1);
                }
            }
            ns[s][r] = (double)(now_ns() - start) / PER_ROUND;
        }
    }
}

static const double *times(const char *name)
{
    for (size_t s = 0; s < N_STEPS; s++) {
        if (strcmp(steps[s].name, name) == 0)
            return ns[s] + 3;
    }
    abort();
}

struct ratio { /* of the sums of two steps each (the second may be missing), round by round */
    const char *name, *above[2], *below[2];
    double bound;
    bool at_least;
};

static const struct ratio ratios[] = {
    {"faster_than_avro_c",
     {"decode_avro_c", "encode_avro_c"},
     {"decode_avro", "encode_avro"},
     5,
     true},
    {"of_hand_written", {"decode_avro", "encode_avro"}, {"decode_hand", "encode_hand"}, 1.5, false},
    {"decode_of_hand", {"decode_avro"}, {"decode_hand"}, 1e9, false},
    {"encode_of_hand", {"encode_avro"}, {"encode_hand"}, 1e9, false},
    {"equal_schema_of_own", {"decode_equal"}, {"decode_avro"}, 1.1, false},
    {"later_schema_of_own", {"decode_later"}, {"decode_avro"}, 1e9, false},
    {"mixed_schema_of_own", {"decode_mixed"}, {"decode_avro"}, 1e9, false},
    {"stepped_of_own",
     {"decode_stepped", "encode_stepped"},
     {"decode_avro", "encode_avro"},
     1e9,
     false},
};

static double sum(const char *const *names, size_t round)
{
    return times(names[0])[round] + (names[1] == NULL ? 0 : times(names[1])[round]);
}

/* Prints quartiles; false when the median is out of bounds. */
static bool put_ratio(const struct ratio *r, size_t rounds)
{
    static double each[ROUNDS_MAX];
    for (size_t i = 0; i < rounds; i++)
        each[i] = sum(r->above, i) / sum(r->below, i);
    qsort(each, rounds, sizeof(double), by_value);
    double median = each[rounds / 2];
    (void)printf(",\"%s\":{\"p25\":%.2f,\"p50\":%.2f,\"p75\":%.2f}", r->name, each[rounds / 4],
                 median, each[rounds * 3 / 4]);
    return r->at_least ? median >= r->bound : median <= r->bound;
}

static bool report(const struct bench *b, size_t rounds)
{
    bool holds = true;
    (void)printf("{\"bench\":\"codec\",\"rounds\":%zu,\"json_bytes\":%u,\"avro_bytes\":%zu", rounds,
                 b->json.len, b->avro.len);
    for (size_t i = 0; i < sizeof ratios / sizeof ratios[0]; i++)
        holds = put_ratio(&ratios[i], rounds) && holds;
    (void)printf(",\"ns\":{");
    for (size_t s = 0; s < N_STEPS; s++) {
        qsort(ns[s] + 3, rounds, sizeof(double), by_value);
        (void)printf("%s\"%s\":{\"min\":%.0f,\"p50\":%.0f,\"p99\":%.0f}", s == 0 ? "" : ",",
                     steps[s].name, ns[s][3], ns[s][3 + rounds / 2], ns[s][3 + rounds * 99 / 100]);
    }
    (void)printf("},\"holds\":%s}\n", holds ? "true" : "false");
    return holds;
}

static bool plan_of(struct bench *b, const char *text, const struct leat_type *type,
                    struct leat_schema **schema, struct leat_plan **plan)
{
    return leat_schema_parse(leat_str_of(text), schema, &b->err) == LEAT_OK &&
           leat_plan_new(*schema, type, plan, &b->err) == LEAT_OK;
}

static bool setup_plans(struct bench *b)
{
    const struct leat_type *type = &leat_type_order_placed;
    b->stepped = *type;
    b->stepped.read = NULL;
    b->stepped.write = NULL;
    return plan_of(b, type->schema, type, &b->schema, &b->plan) &&
           plan_of(b, equal_text, type, &b->equal, &b->equal_plan) &&
           plan_of(b, later_text, type, &b->later, &b->later_plan) &&
           plan_of(b, mixed_text, type, &b->mixed, &b->mixed_plan) &&
           leat_plan_new(b->schema, &b->stepped, &b->stepped_plan, &b->err) == LEAT_OK;
}

static bool setup(struct bench *b)
{
    struct leat_buf *all[] = {&b->avro, &b->later_avro, &b->mixed_avro, &b->out};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        leat_buf_init(all[i], 1u << 20);
    b->arena = leat_arena_new(1u << 20, 1u << 20);
    b->json = leat_str_of(json_text);
    avro_schema_t oracle = NULL;
    if (avro_schema_from_json_length(leat_type_order_placed.schema,
                                     strlen(leat_type_order_placed.schema), &oracle) != 0 ||
        avro_generic_value_new(avro_generic_class_from_schema(oracle), &b->generic) != 0)
        return false;
    b->reader = avro_reader_memory("", 0);
    b->writer = avro_writer_memory((char *)b->hand_out, sizeof b->hand_out);
    return setup_plans(b) &&
           leat_schema_from_json(b->schema, b->json, &b->avro, &b->err) == LEAT_OK &&
           leat_schema_from_json(b->later, b->json, &b->later_avro, &b->err) == LEAT_OK &&
           leat_schema_from_json(b->mixed, b->json, &b->mixed_avro, &b->err) == LEAT_OK;
}

/* All three write the same bytes, or nothing is measured. */
static bool agree(struct bench *b)
{
    bool ok = decode_mixed(b) && encode_avro(b) && decode_hand(b) && decode_avro_c(b);
    ok = ok && leat_str_eq(leat_buf_str(&b->out), leat_buf_str(&b->avro));
    ok = ok && decode_avro(b) && encode_stepped(b);
    ok = ok && leat_str_eq(leat_buf_str(&b->out), leat_buf_str(&b->avro));
    ok = ok && encode_hand(b) && memcmp(b->hand_out, b->avro.at, b->avro.len) == 0;
    memset(b->hand_out, 0, b->avro.len);
    return ok && encode_avro_c(b) && memcmp(b->hand_out, b->avro.at, b->avro.len) == 0;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 200;
    if (rounds < 1 || rounds > ROUNDS_MAX) {
        (void)fprintf(stderr, "rounds: 1 to %d\n", ROUNDS_MAX);
        return 2;
    }
    static struct bench b;
    if (!setup(&b) || !agree(&b)) {
        (void)fprintf(stderr, "setup: %s\n", b.err.msg);
        return 1;
    }
    measure(&b, (size_t)rounds);
    return report(&b, (size_t)rounds) ? 0 : 1;
}
