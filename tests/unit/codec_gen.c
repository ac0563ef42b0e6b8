/* Generated headers as a compiler sees them: the contract's example builds against one, wrong
 * handlers do not, and the descriptors say where the members really are. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "codec/gen.h"
#include "codec/gen_names.h"
#include "codec/nodes.h"

#define WARNINGS                                                                                   \
    "-Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes "                \
    "-Wcast-qual -Wwrite-strings -Wswitch-enum -Wformat=2 -Werror "
#define NAMES(...)                                                                                 \
    {                                                                                              \
        (const struct leat_str[]){__VA_ARGS__},                                                    \
            sizeof((const struct leat_str[]){__VA_ARGS__}) / sizeof(struct leat_str)               \
    }
#define S LEAT_STR
#define I(text)                                                                                    \
    {                                                                                              \
        (text), sizeof(text) - 1                                                                   \
    } /* as an initialiser */

static struct leat_error err;
static char dir[] = "/tmp/leat_gen_XXXXXX";

static const struct leat_gen_aggregate shop_aggregates[] = {
    {I("order"), I("order_id"), I("OrderState")},
    {I("payment"), I("payment_id"), I("PaymentState")},
};

static const struct leat_gen_processor shop_processors[] = {
    {.name = I("orders"),
     .aggregate = 0,
     .commands = NAMES(I("PlaceOrder"), I("MarkPaid"), I("CancelOrder")),
     .emits = NAMES(I("OrderPlaced"), I("OrderPaid"), I("OrderCancelled")),
     .sends = NAMES(I("TakePayment"), I("CancelOrder"))},
    {.name = I("payments"),
     .aggregate = 1,
     .commands = NAMES(I("TakePayment"), I("SettlePayment")),
     .emits = NAMES(I("PaymentTaken"), I("PaymentRefused"))},
    {.name = I("checkout"),
     .aggregate = -1,
     .events = NAMES(I("PaymentTaken"), I("PaymentRefused")),
     .sends = NAMES(I("MarkPaid"), I("CancelOrder"))},
};

static const struct leat_gen_names shop_types =
    NAMES(I("PlaceOrder"), I("MarkPaid"), I("CancelOrder"), I("OrderPlaced"), I("OrderPaid"),
          I("OrderCancelled"), I("TakePayment"), I("SettlePayment"), I("PaymentTaken"),
          I("PaymentRefused"), I("OrderState"), I("PaymentState"));

static struct leat_gen_input shop_input(void)
{
    return (struct leat_gen_input){.topology = S("shop"),
                                   .aggregates = shop_aggregates,
                                   .n_aggregates = 2,
                                   .processors = shop_processors,
                                   .n_processors = 3,
                                   .types = shop_types};
}

static void load(struct leat_schemas *s, const char *folder, struct leat_gen_names types)
{
    for (size_t i = 0; i < types.n; i++) {
        cr_assert_eq(leat_schemas_load_file(s, &folder, 1, types.at[i], &err), LEAT_OK, "%s",
                     err.msg);
    }
}

static void write_file(const char *name, struct leat_str text)
{
    char path[200];
    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(text.at, 1, text.len, f), text.len);
    cr_assert_eq(fclose(f), 0);
}

static void generate(struct leat_gen_input *in, const char *folder, const char *name)
{
    struct leat_schemas *s = leat_schemas_new();
    struct leat_buf out;
    leat_buf_init(&out, 1u << 22);
    in->schemas = s;
    load(s, folder, in->types);
    cr_assert_eq(leat_gen_header(in, &out, &err), LEAT_OK, "%s", err.msg);
    write_file(name, leat_buf_str(&out));
    leat_buf_done(&out);
    leat_schemas_free(s);
}

/* Exit code of the compiler; what it says is in <dir>/cc.log. */
static int compile(const char *flags, const char *source)
{
    char command[1000];
    (void)snprintf(command, sizeof command,
                   "cc -std=gnu17 " WARNINGS "-I'%s/src' -I%s %s '%s' >%s/cc.log 2>&1",
                   LEAT_SOURCE_DIR, dir, flags, source, dir);
    int rc = system(command);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : -1;
}

static bool log_says(const char *what)
{
    char text[65536];
    char path[200];
    (void)snprintf(path, sizeof path, "%s/cc.log", dir);
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    return strstr(text, what) != NULL;
}

static void setup(void)
{
    cr_assert_not_null(mkdtemp(dir));
}

static void teardown(void)
{
    char command[200];
    (void)snprintf(command, sizeof command, "rm -rf %s", dir);
    cr_assert_eq(system(command), 0);
}

TestSuite(codec_gen, .init = setup, .fini = teardown, .timeout = 60);

Test(codec_gen, the_example_compiles_against_its_header)
{
    struct leat_gen_input in = shop_input();
    generate(&in, LEAT_TEST_DATA "/shop/schemas", "shop.h");
    cr_assert_eq(compile("-fsyntax-only", LEAT_TEST_DATA "/shop/order.c"), 0);
}

#define HANDLER(answer, args, on)                                                                  \
    "#include \"shop.h\"\nstatic " answer " f(" args                                               \
    ") { __builtin_abort(); }\nLEAT_PROCESSOR(p, 1, " on "(f));\n"
#define FOLDER(args, fold)                                                                         \
    "#include \"shop.h\"\nstatic void f(" args ") { __builtin_abort(); }\n"                        \
    "LEAT_AGGREGATE(a, 1, " fold "(f));\n"

Test(codec_gen, functions_of_another_type_are_refused_with_the_type_they_need)
{
    static const struct {
        const char *source, *says; /* NULL: it compiles */
    } cases[] = {
        {HANDLER("leat_answer",
                 "struct leat_ctx *x, const struct mark_paid *c, const struct order_state *s",
                 "ON_MARK_PAID"),
         NULL},
        {HANDLER("leat_answer",
                 "struct leat_ctx *x, const struct place_order *c, const struct order_state *s",
                 "ON_MARK_PAID"),
         "ON_MARK_PAID takes leat_answer fn(struct leat_ctx *, const struct mark_paid *, const "
         "struct order_state *)"},
        {HANDLER("leat_answer",
                 "struct leat_ctx *x, const struct mark_paid *c, const struct payment_state *s",
                 "ON_MARK_PAID"),
         "ON_MARK_PAID takes"},
        {HANDLER("leat_answer", "struct leat_ctx *x, const struct mark_paid *c", "ON_MARK_PAID"),
         "ON_MARK_PAID takes"},
        {HANDLER("void",
                 "struct leat_ctx *x, const struct mark_paid *c, const struct order_state *s",
                 "ON_MARK_PAID"),
         "ON_MARK_PAID takes"},
        {HANDLER("leat_answer", "struct leat_ctx *x, const struct payment_taken *e",
                 "ON_PAYMENT_TAKEN"),
         NULL},
        {HANDLER("leat_answer", "struct leat_ctx *x, const struct payment_refused *e",
                 "ON_PAYMENT_TAKEN"),
         "ON_PAYMENT_TAKEN takes leat_answer fn(struct leat_ctx *, const struct payment_taken *)"},
        {FOLDER("struct order_state *s, const struct order_paid *e", "FOLD_ORDER_PAID"), NULL},
        {FOLDER("struct payment_state *s, const struct order_paid *e", "FOLD_ORDER_PAID"),
         "FOLD_ORDER_PAID takes void fn(struct order_state *, const struct order_paid *)"},
        {FOLDER("struct order_state *s, const struct order_placed *e", "FOLD_ORDER_PAID"),
         "FOLD_ORDER_PAID takes"},
    };
    struct leat_gen_input in = shop_input();
    char path[200];
    (void)snprintf(path, sizeof path, "%s/case.c", dir);
    generate(&in, LEAT_TEST_DATA "/shop/schemas", "shop.h");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file("case.c", leat_str_of(cases[i].source));
        int rc = compile("-fsyntax-only -Wno-unused-parameter", path);
        cr_expect_eq(rc == 0, cases[i].says == NULL, "case %zu", i);
        cr_expect(cases[i].says == NULL || log_says(cases[i].says), "case %zu", i);
    }
}

/* A record in a union, a decimal in it. */
static void check_ball(const struct leat_type *type, struct leat_arena *arena, void *value,
                       struct leat_buf *again)
{
    struct leat_str ball =
        S("{\"id\":\"a\",\"hash\":\"abc\",\"kind\":\"cat\",\"maybe\":[],\"grid\":[],"
          "\"deep\":{},\"toy\":{\"Ball\":{\"price\":\"7.5\"}}}");
    cr_assert_eq(leat_decode_json(type, ball, arena, value, &err), LEAT_OK, "%s", err.msg);
    leat_buf_clear(again);
    cr_assert_eq(leat_encode_json(type, value, again, &err), LEAT_OK, "%s", err.msg);
    leat_buf_putc(again, '\0');
    cr_assert_not_null(strstr(again->at, "\"toy\":{\"org.example.Ball\":{\"price\":\"7.50\"}}}"),
                       "%s", again->at);
}

Test(codec_gen, descriptors_point_at_the_members)
{
    char so[200];
    char flags[300];
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_buf json, avro, again;
    leat_buf_init(&json, 1u << 20);
    leat_buf_init(&avro, 1u << 20);
    leat_buf_init(&again, 1u << 20);
    struct leat_gen_input in = {.topology = S("zoo"), .types = NAMES(I("Zoo"))};
    generate(&in, LEAT_TEST_DATA "/zoo/schemas", "zoo.h");
    (void)snprintf(so, sizeof so, "%s/zoo.so", dir);
    (void)snprintf(flags, sizeof flags, "-g -fPIC -shared -o %s", so);
    cr_assert_eq(compile(flags, LEAT_TEST_DATA "/zoo/zoo_types.c"), 0);
    void *lib = dlopen(so, RTLD_NOW);
    cr_assert_not_null(lib, "%s", dlerror());
    const struct leat_type *(*type_of)(void) = NULL;
    const void *(*value_of)(void) = NULL;
    *(void **)&type_of = dlsym(lib, "zoo_type");
    *(void **)&value_of = dlsym(lib, "zoo_value");
    const struct leat_type *type = type_of();

    cr_assert_eq(leat_encode_json(type, value_of(), &json, &err), LEAT_OK, "%s", err.msg);
    leat_buf_putc(&json, '\0');
    cr_assert_str_eq(
        json.at,
        "{\"id\":\"z\",\"default\":-4,\"bigNumber\":1099511627776,\"HTTPCode\":null,"
        "\"ok\":true,\"raw\":\"\xc3\xbf\\u0001\",\"hash\":\"xyz\",\"hashes\":[\"abc\"],"
        "\"kind\":\"bigDog\",\"maybe\":[null,\"bigDog\"],\"grid\":[[1.5,2.5],[]],"
        "\"deep\":{\"k\":{\"in\":\"\\u0001\\u0002\xc3\xbf\",\"no\":null}},"
        "\"cage\":{\"size\":7,\"inner\":[{\"size\":1,\"inner\":[]}]},"
        "\"cages\":{\"big\":{\"size\":9,\"inner\":[]}},\"nothing\":{},"
        "\"toy\":{\"array\":[{\"long\":5},{\"org.example.Cage\":{\"size\":3,\"inner\":[]}}]}}");
    struct leat_schema *schema = NULL;
    struct leat_plan *plan = NULL;
    void *value = leat_arena_alloc(arena, type->size);
    cr_assert_eq(leat_schema_parse(leat_str_of(type->schema), &schema, &err), LEAT_OK, "%s",
                 err.msg);
    cr_assert_eq(leat_plan_new(schema, type, &plan, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_encode_avro(type, value_of(), &avro, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_decode_avro(plan, leat_buf_str(&avro), arena, value, &err), LEAT_OK, "%s",
                 err.msg);
    cr_assert_eq(leat_encode_json(type, value, &again, &err), LEAT_OK, "%s", err.msg);
    leat_buf_putc(&again, '\0');
    cr_assert_str_eq(again.at, json.at);

    /* Defaults travel in the descriptors, quotes and trigraphs unharmed. */
    struct leat_str least =
        S("{\"id\":\"a\",\"hash\":\"abc\",\"kind\":\"cat\",\"maybe\":[],\"grid\":[],"
          "\"deep\":{}}");
    cr_assert_eq(leat_decode_json(type, least, arena, value, &err), LEAT_OK, "%s", err.msg);
    leat_buf_clear(&again);
    cr_assert_eq(leat_encode_json(type, value, &again, &err), LEAT_OK, "%s", err.msg);
    leat_buf_putc(&again, '\0');
    cr_assert_str_eq(
        again.at, "{\"id\":\"a\",\"default\":3,\"bigNumber\":null,\"HTTPCode\":1.5,\"ok\":true,"
                  "\"raw\":\"\xc3\xbf\\\"?\?/\",\"hash\":\"abc\",\"hashes\":[],\"kind\":\"cat\","
                  "\"maybe\":[],\"grid\":[],\"deep\":{},\"cage\":null,\"cages\":{},\"nothing\":{},"
                  "\"toy\":null}");
    check_ball(type, arena, value, &again);
    leat_plan_free(plan);
    leat_schema_free(schema);
    leat_buf_done(&json);
    leat_buf_done(&avro);
    leat_buf_done(&again);
    leat_arena_free(arena);
    (void)dlclose(lib);
}

/* ---- what can't become C ---- */

static const char *refused(const char *const *schemas, size_t n, const struct leat_gen_processor *p)
{
    static const struct leat_gen_aggregate aggregate = {I("a"), I("id"), I("")};
    struct leat_str names[4];
    struct leat_schemas *s = leat_schemas_new();
    struct leat_buf out;
    leat_buf_init(&out, 1u << 20);
    for (size_t i = 0; i < n; i++) {
        struct leat_schema *parsed = NULL;
        struct leat_str text = leat_str_of(schemas[i]);
        cr_assert_eq(leat_schema_parse(text, &parsed, &err), LEAT_OK, "%s", err.msg);
        static char kept[4][100];
        (void)snprintf(kept[i], sizeof kept[i], "%s", leat_schema_name(parsed));
        names[i] = leat_str_of(kept[i]);
        cr_assert_eq(leat_schemas_put(s, (int32_t)i + 1, names[i], text, &err), LEAT_OK);
        leat_schema_free(parsed);
    }
    struct leat_gen_input in = {.topology = S("x"),
                                .types = {names, n},
                                .schemas = s,
                                .aggregates = &aggregate,
                                .n_aggregates = 1,
                                .processors = p,
                                .n_processors = p == NULL ? 0 : 1};
    cr_assert_eq(leat_gen_header(&in, &out, &err), LEAT_INVALID);
    cr_assert_eq(out.len, 0);
    leat_buf_done(&out);
    leat_schemas_free(s);
    return err.msg;
}

#define RECORD(name, fields) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[" fields "]}"
#define FIELD(name, type)    "{\"name\":\"" name "\",\"type\":" type "}"
#define ENUM(name, symbols)  "{\"type\":\"enum\",\"name\":\"" name "\",\"symbols\":[" symbols "]}"

Test(codec_gen, names_that_meet_in_c_are_refused)
{
    cr_assert_str_eq(
        refused((const char *const[]){RECORD("HTTPCall", ""), RECORD("HttpCall", "")}, 2, NULL),
        "could not generate 'x.h': schema 'HttpCall': 'HTTPCall' and 'HttpCall' both "
        "become 'type http_call' in C");
    cr_assert_str_eq(refused((const char *const[]){RECORD(
                                 "A", FIELD("aB", "\"int\"") "," FIELD("a_b", "\"int\""))},
                             1, NULL),
                     "could not generate 'x.h': 'A.aB' and 'A.a_b' both become 'a.a_b' in C");
    cr_assert_str_eq(
        refused(
            (const char *const[]){RECORD("A", FIELD("s", ENUM("OrderStatus", "\"NONE\"")) "," FIELD(
                                                  "t", ENUM("OrderState", "\"NONE\"")))},
            1, NULL),
        "could not generate 'x.h': 'OrderStatus.NONE' and 'OrderState.NONE' both become "
        "'ORDER_NONE' in C");
    cr_assert_str_eq(
        refused((const char *const[]){RECORD("A", FIELD("x", RECORD("L", FIELD("v", "\"int\"")))),
                                      RECORD("B", FIELD("x", RECORD("L", FIELD("v", "\"long\""))))},
                2, NULL),
        "could not generate 'x.h': schema 'B': field 'x': 'L' is defined in one way in "
        "'A' and in another in 'B'");
    cr_assert_str_eq(refused((const char *const[]){RECORD("A", FIELD("x", "\"null\""))}, 1, NULL),
                     "could not generate 'x.h': schema 'A': field 'x': a value that is always null "
                     "has no form in C");
}

Test(codec_gen, a_command_must_hold_its_aggregates_key)
{
    struct leat_gen_processor p = {.name = S("p"), .aggregate = 0, .commands = NAMES(I("A"))};
    cr_assert_str_eq(refused((const char *const[]){RECORD("A", FIELD("x", "\"int\""))}, 1, &p),
                     "could not generate 'x.h': 'A' has no field 'id', its aggregate's key");
    cr_assert_str_eq(refused((const char *const[]){RECORD("A", FIELD("id", "\"int\""))}, 1, &p),
                     "could not generate 'x.h': field 'id' of 'A' is a key and not a string");
}

Test(codec_gen, names_become_snake_case)
{
    static const char *const names[][2] = {{"PlaceOrder", "place_order"},
                                           {"HTTPCall", "http_call"},
                                           {"orderId", "order_id"},
                                           {"OrderV2", "order_v2"},
                                           {"V2Order", "v2_order"},
                                           {"already_snake", "already_snake"},
                                           {"A", "a"},
                                           {"int", "int_"},
                                           {"Linux", "linux_"},
                                           {"my-topology", "my_topology"}};
    struct leat_arena *arena = leat_arena_new(4096, 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        cr_expect_str_eq(leat_gen_snake(arena, leat_str_of(names[i][0])), names[i][1]);
    cr_expect_str_eq(leat_gen_enum_prefix(arena, S("OrderStatus")), "ORDER");
    cr_expect_str_eq(leat_gen_enum_prefix(arena, S("LeadState")), "LEAD");
    cr_expect_str_eq(leat_gen_enum_prefix(arena, S("LeadTier")), "LEAD_TIER");
    cr_expect_str_eq(leat_gen_enum_prefix(arena, S("Status")), "STATUS");
    leat_arena_free(arena);
}
