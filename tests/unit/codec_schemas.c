/* The set of schemas: files, rows of the store, ids, plans and bytes as they travel. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "codec/schemas.h"
#include "codec_dynamic.h"

static struct leat_error err;

static const char *const shop_dirs[] = {"/nonexistent", LEAT_TEST_DATA "/shop/schemas"};

static struct leat_schemas *shop(void)
{
    struct leat_schemas *s = leat_schemas_new();
    cr_assert_eq(leat_schemas_load_file(s, shop_dirs, 2, LEAT_STR("PlaceOrder"), &err), LEAT_OK,
                 "%s", err.msg);
    cr_assert_eq(leat_schemas_load_file(s, shop_dirs, 2, LEAT_STR("OrderState"), &err), LEAT_OK,
                 "%s", err.msg);
    return s;
}

Test(codec_schemas, types_in_files_of_their_own_are_inlined)
{
    struct leat_schemas *s = shop();
    struct leat_str text = leat_schemas_text(s, LEAT_STR("PlaceOrder"));
    cr_assert_str_eq(
        text.at,
        "{\"type\":\"record\",\"name\":\"PlaceOrder\",\"doc\":\"A customer asks for an "
        "order.\",\"fields\":[{\"name\":\"order_id\",\"type\":\"string\"},{\"name\":"
        "\"customer_id\",\"type\":\"string\"},{\"name\":\"currency\",\"type\":\"string\","
        "\"default\":\"EUR\"},{\"name\":\"lines\",\"type\":{\"type\":\"array\",\"items\":"
        "{\"type\":\"record\",\"name\":\"OrderLine\",\"fields\":[{\"name\":\"sku\",\"type\":"
        "\"string\"},{\"name\":\"quantity\",\"type\":\"int\"},{\"name\":\"price_cents\","
        "\"type\":\"long\"}]}}},{\"name\":\"note\",\"type\":[\"null\",\"string\"],"
        "\"default\":null}]}");
    cr_assert_eq(leat_schemas_id(s, LEAT_STR("PlaceOrder")), 0);
    cr_assert_null(leat_schemas_current(s, LEAT_STR("OrderLine")));
    struct leat_str name;
    cr_assert(leat_schemas_at(s, 0, &name) && leat_schemas_at(s, 1, &name));
    cr_assert_not(leat_schemas_at(s, 2, &name));
    leat_schemas_free(s);
}

static char dir[] = "/tmp/leat_codec_XXXXXX";

static void write_schema(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s.avsc", dir, name);
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    cr_assert_geq(fputs(text, f), 0);
    cr_assert_eq(fclose(f), 0);
}

static const char *load_error(const char *name, const char *text)
{
    const char *dirs[] = {dir};
    struct leat_schemas *s = leat_schemas_new();
    if (text != NULL)
        write_schema(name, text);
    cr_assert_neq(leat_schemas_load_file(s, dirs, 1, leat_str_of(name), &err), LEAT_OK);
    leat_schemas_free(s);
    return err.msg;
}

Test(codec_schemas, files_that_are_wrong_are_named)
{
    cr_assert_not_null(mkdtemp(dir));
    cr_assert_str_eq(load_error("None", NULL), "no schema file 'None.avsc'");
    cr_assert_eq(err.status, LEAT_ABSENT);
    cr_assert_str_eq(load_error("../x", NULL), "'../x' is not a type's name");
    cr_assert_str_eq(load_error("A", "{\"type\":\"record\",\"name\":\"B\",\"fields\":[]}"),
                     "schema file 'A.avsc' defines 'B'");
    cr_assert_str_eq(
        load_error("C", "{\"type\":\"record\",\"name\":\"C\",\"fields\":[{\"name\":\"a\","
                        "\"type\":\"Missing\"}]}"),
        "could not read schema file 'C.avsc': type 'Missing' is not defined: no schema "
        "file 'Missing.avsc'");
    cr_assert_eq(err.status, LEAT_INVALID);
    char expected[200];
    (void)snprintf(expected, sizeof expected, "could not read '%s/D.avsc': ", dir);
    cr_assert(strncmp(load_error("D", "{\"type\":"), expected, strlen(expected)) == 0, "%s",
              err.msg);
    cr_assert(strncmp(load_error("D", "{} {}"), expected, strlen(expected)) == 0, "%s", err.msg);
    static const char *const files[] = {"A", "C", "D"};
    for (size_t i = 0; i < 3; i++) {
        (void)snprintf(expected, sizeof expected, "%s/%s.avsc", dir, files[i]);
        (void)unlink(expected);
    }
    (void)rmdir(dir);
}

#define ONE "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}"
#define TWO                                                                                        \
    "{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":\"a\",\"type\":\"long\"},"          \
    "{\"name\":\"b\",\"type\":\"string\",\"default\":\"-\"}]}"

Test(codec_schemas, rows_give_ids_to_files_and_stand_alone_without)
{
    struct leat_schemas *s = shop();
    struct leat_str place = LEAT_STR("PlaceOrder");
    struct leat_str text = leat_schemas_text(s, place);
    cr_assert_eq(leat_schemas_put(s, 3, LEAT_STR("T"), LEAT_STR(ONE), &err), LEAT_OK);
    cr_assert_eq(leat_schemas_put(s, 5, place, text, &err), LEAT_OK);
    cr_assert_eq(leat_schemas_id(s, place), 5);
    cr_assert_eq(leat_schemas_id(s, LEAT_STR("T")), 3);
    cr_assert_eq(leat_schemas_put(s, 9, LEAT_STR("T"), LEAT_STR(TWO), &err), LEAT_OK);
    cr_assert_eq(leat_schemas_put(s, 9, LEAT_STR("T"), LEAT_STR(TWO), &err), LEAT_OK);
    cr_assert_eq(leat_schemas_id(s, LEAT_STR("T")), 9);
    cr_assert_eq(leat_schemas_put(s, 4, LEAT_STR("T"), LEAT_STR(TWO), &err), LEAT_OK);
    cr_assert_eq(leat_schemas_id(s, LEAT_STR("T")), 9);
    cr_assert_eq(leat_schemas_put(s, 9, LEAT_STR("T"), LEAT_STR(ONE), &err), LEAT_INVALID);
    cr_assert_str_eq(err.msg, "schema id 9 has two texts");
    cr_assert_eq(leat_schemas_put(s, 0, LEAT_STR("T"), LEAT_STR(ONE), &err), LEAT_INVALID);
    cr_assert_not_null(leat_schemas_by_id(s, 3));
    cr_assert_null(leat_schemas_by_id(s, 77));
    leat_schemas_free(s);
}

Test(codec_schemas, framed_bytes_of_an_old_schema_are_read_as_the_struct_of_today)
{
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_schemas *s = leat_schemas_new();
    struct leat_buf bytes, json;
    leat_buf_init(&bytes, 1000);
    leat_buf_init(&json, 1000);
    cr_assert_eq(leat_schemas_put(s, 3, LEAT_STR("T"), LEAT_STR(ONE), &err), LEAT_OK);
    cr_assert_eq(
        leat_schemas_from_json(s, LEAT_STR("T"), true, LEAT_STR("{\"a\":4}"), &bytes, &err),
        LEAT_OK, "%s", err.msg);
    cr_assert(bytes.len == 6 && memcmp(bytes.at, "\0\0\0\0\3\x08", 6) == 0);
    cr_assert_eq(leat_schemas_put(s, 4, LEAT_STR("T"), LEAT_STR(TWO), &err), LEAT_OK);

    const struct leat_type *type = dynamic_type(arena, leat_schemas_by_id(s, 4));
    struct {
        int64_t a;
        struct leat_str b;
    } value;
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(leat_schemas_decode(s, type, leat_buf_str(&bytes), arena, &value, &err),
                     LEAT_OK, "%s", err.msg);
        cr_assert(value.a == 4 && leat_str_eq(value.b, LEAT_STR("-")));
    }
    cr_assert_eq(
        leat_schemas_decode(s, type, LEAT_STR("{\"a\":6,\"b\":\"x\"}"), arena, &value, &err),
        LEAT_OK);
    cr_assert(value.a == 6 && leat_str_eq(value.b, LEAT_STR("x")));
    cr_assert_eq(leat_schemas_to_json(s, leat_buf_str(&bytes), &json, &err), LEAT_OK);
    cr_assert(leat_str_eq(leat_buf_str(&json), LEAT_STR("{\"a\":4}")));
    leat_buf_clear(&json);
    cr_assert_eq(leat_schemas_to_json(s, LEAT_STR(" {\"a\": 4} "), &json, &err), LEAT_OK);
    cr_assert(leat_str_eq(leat_buf_str(&json), LEAT_STR(" {\"a\": 4} ")));

    bytes.at[4] = 8;
    cr_assert_eq(leat_schemas_decode(s, type, leat_buf_str(&bytes), arena, &value, &err),
                 LEAT_ABSENT);
    cr_assert_str_eq(err.msg, "schema id 8 is not known");
    cr_assert_eq(leat_schemas_decode(s, type, (struct leat_str){"\0\0", 2}, arena, &value, &err),
                 LEAT_POISON);
    cr_assert_eq(leat_schemas_decode(s, type, LEAT_STR(""), arena, &value, &err), LEAT_POISON);
    leat_buf_done(&bytes);
    leat_buf_done(&json);
    leat_schemas_free(s);
    leat_arena_free(arena);
}

Test(codec_schemas, json_that_does_not_fit_the_type_is_refused_in_either_form)
{
    struct leat_schemas *s = shop();
    struct leat_buf out;
    leat_buf_init(&out, 1000);
    struct leat_str state = LEAT_STR("OrderState");
    struct leat_str good = LEAT_STR("{ \"status\": \"PAID\" }");
    cr_assert_eq(leat_schemas_from_json(s, state, false, good, &out, &err), LEAT_OK, "%s", err.msg);
    cr_assert(leat_str_eq(leat_buf_str(&out), good));
    leat_buf_clear(&out);
    cr_assert_eq(
        leat_schemas_from_json(s, state, false, LEAT_STR("{\"status\":\"X\"}"), &out, &err),
        LEAT_POISON);
    cr_assert_str_eq(err.msg, "could not encode OrderState: field 'status': a symbol of enum "
                              "'OrderStatus' was expected: NONE, PLACED, PAID, CANCELLED");
    cr_assert_eq(leat_schemas_from_json(s, state, true, good, &out, &err), LEAT_INVALID);
    cr_assert_str_eq(err.hint, "Run 'leat apply' first.");
    cr_assert_eq(leat_schemas_from_json(s, LEAT_STR("No"), true, good, &out, &err), LEAT_ABSENT);
    cr_assert_eq(out.len, 0);
    leat_buf_done(&out);
    leat_schemas_free(s);
}

/* ---- threads ---- */

struct shared {
    struct leat_schemas *s;
    const struct leat_type *type;
    int32_t last;
};

static void *read_all(void *arg)
{
    struct shared *sh = arg;
    struct leat_error e = {0};
    struct leat_arena *arena = leat_arena_new(4096, 4096);
    for (int32_t id = 1; id <= sh->last; id++) {
        char bytes[6] = {0, 0, 0, (char)(id >> 8), (char)id, 8};
        int64_t value[8] = {0};
        leat_status st;
        do {
            st =
                leat_schemas_decode(sh->s, sh->type, (struct leat_str){bytes, 6}, arena, value, &e);
        } while (st == LEAT_ABSENT);
        if (st != LEAT_OK || value[0] != 4)
            return arg;
        leat_arena_reset(arena);
    }
    leat_arena_free(arena);
    return NULL;
}

Test(codec_schemas, rows_may_arrive_while_others_read)
{
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_schema *two = NULL;
    cr_assert_eq(leat_schema_parse(LEAT_STR(TWO), &two, &err), LEAT_OK);
    struct shared sh = {leat_schemas_new(), dynamic_type(arena, two), 500};
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, read_all, &sh), 0);
    for (int32_t id = 1; id <= sh.last; id++)
        cr_assert_eq(leat_schemas_put(sh.s, id, LEAT_STR("T"), LEAT_STR(ONE), &err), LEAT_OK);
    for (size_t i = 0; i < 3; i++) {
        void *failed = NULL;
        cr_assert_eq(pthread_join(threads[i], &failed), 0);
        cr_assert_null(failed);
    }
    leat_schemas_free(sh.s);
    leat_schema_free(two);
    leat_arena_free(arena);
}
