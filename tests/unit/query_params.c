/* uses: base topology codec kafka store redis guard web auth projection query */
#include <criterion/criterion.h>

#include "query/http.h"
#include "query/keys.h"

static struct leat_arena *arena;
static struct leat_target target;
static struct leat_error err;

static void set_up(void)
{
    arena = leat_arena_new(4096, 0);
    err = (struct leat_error){0};
}

static void tear_down(void)
{
    leat_arena_free(arena);
}

static leat_status parse(const char *raw)
{
    return leat_target_parse(leat_str_of(raw), arena, &target, &err);
}

static void assert_str(struct leat_str s, const char *expected)
{
    cr_assert(leat_str_eq(s, leat_str_of(expected)), "'%.*s' is not '%s'", LEAT_STR_FMT(s),
              expected);
}

TestSuite(params, .init = set_up, .fini = tear_down);

Test(params, a_target_is_taken_apart_and_decoded)
{
    struct leat_str value;
    cr_assert_eq(parse("/v1/models/le%61ds/a%2Fb/c?from=x%2Cy&limit=5&to=a+b&empty="), LEAT_OK);
    cr_assert_eq(target.n_segments, 5);
    assert_str(target.segments[2], "leads");
    assert_str(target.segments[3], "a/b");
    assert_str(target.tails[3], "a/b/c");
    cr_assert(leat_target_param(&target, "from", &value));
    assert_str(value, "x,y");
    cr_assert(leat_target_param(&target, "to", &value));
    assert_str(value, "a b");
    cr_assert(leat_target_param(&target, "empty", &value));
    assert_str(value, "");
    cr_assert_not(leat_target_param(&target, "missing", &value));
}

Test(params, a_plus_in_a_path_is_a_plus)
{
    cr_assert_eq(parse("/v1/models/leads/a+b"), LEAT_OK);
    assert_str(target.segments[3], "a+b");
}

Test(params, text_is_the_same_whether_it_had_to_be_decoded)
{
    static const char *const paths[] = {"/v1/models/a/b", "/v1/m%6fdels/a/b", "/v1/models/a/%62"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        cr_assert_eq(parse(paths[i]), LEAT_OK);
        cr_assert_eq(target.n_segments, 4);
        assert_str(target.segments[1], "models");
        assert_str(target.tails[2], "a/b");
        assert_str(target.tails[3], "b");
    }
    cr_assert_neq(parse("/v1/\xff"), LEAT_OK);
    cr_assert_neq(leat_target_parse(LEAT_STR("/v1/a\0b"), arena, &target, &err), LEAT_OK);
}

Test(params, what_is_not_text_is_refused)
{
    static const char *const bad[] = {"",     "x",      "/%",     "/%4",           "/%zz",
                                      "/%00", "/a?%ff", "/%c3/x", "/a?b=%ed%a0%80"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(parse(bad[i]), LEAT_INVALID, "%s", bad[i]);
    char many[] = "/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q";
    cr_assert_eq(parse(many), LEAT_INVALID);
    many[sizeof many - 3] = 0;
    cr_assert_eq(parse(many), LEAT_OK);
}

Test(params, unknown_and_doubled_parameters_are_named)
{
    cr_assert_eq(parse("/x?limti=5"), LEAT_OK);
    cr_assert_eq(leat_target_allow(&target, "index,from,to,limit,cursor", &err), LEAT_INVALID);
    cr_assert_str_eq(err.msg, "there is no parameter 'limti'");
    cr_assert_str_eq(err.hint, "did you mean 'limit'?");
    cr_assert_eq(parse("/x?status=open"), LEAT_OK);
    cr_assert_eq(leat_target_allow(&target, "index,from,to", &err), LEAT_INVALID);
    cr_assert_str_eq(err.hint, "here are: index,from,to");
    cr_assert_eq(parse("/x?limit=5&limit=5"), LEAT_OK);
    cr_assert_eq(leat_target_allow(&target, "limit", &err), LEAT_INVALID);
    cr_assert_str_eq(err.msg, "parameter 'limit' is given twice");
    cr_assert_eq(parse("/x?a=1"), LEAT_OK);
    cr_assert_eq(leat_target_allow(&target, "", &err), LEAT_INVALID);
}

Test(params, numbers_have_bounds)
{
    int64_t n = -1;
    cr_assert_eq(parse("/x?a=1000&b=0&c=ten"), LEAT_OK);
    cr_assert_eq(leat_target_int(&target, "a", 1, 1000, &n, &err), LEAT_OK);
    cr_assert_eq(n, 1000);
    cr_assert_eq(leat_target_int(&target, "z", 1, 1000, &n, &err), LEAT_OK);
    cr_assert_eq(n, 1000, "absent: as it was");
    cr_assert_eq(leat_target_int(&target, "b", 1, 1000, &n, &err), LEAT_INVALID);
    cr_assert_str_eq(err.msg, "parameter 'b' must be a whole number from 1 to 1000");
    cr_assert_eq(leat_target_int(&target, "c", 1, 1000, &n, &err), LEAT_INVALID);
    cr_assert_eq(n, 1000, "untouched on failure");
}

Test(params, routes_by_method_and_path)
{
    char methods[64];
    struct leat_request rq = {0};
    cr_assert_eq(leat_target_parse(LEAT_STR("/v1/models/m/a/b%2Fc"), arena, &rq.target, &err),
                 LEAT_OK);
    rq.route = leat_route_find("GET", &rq.target, methods);
    cr_assert_not_null(rq.route);
    assert_str(leat_route_value(&rq, "model"), "m");
    assert_str(leat_route_value(&rq, "key"), "a/b/c");
    cr_assert_null(leat_route_find("PUT", &rq.target, methods));
    cr_assert_str_eq(methods, "GET, HEAD, OPTIONS");
    cr_assert_eq(parse("/v1/models/m/"), LEAT_OK);
    cr_assert_str_eq(leat_route_find("GET", &target, methods)->pattern, "/v1/models/{model}");
    cr_assert_eq(parse("/v1/commands/X"), LEAT_OK);
    cr_assert_str_eq(leat_route_find("POST", &target, methods)->pattern, "/v1/commands/{command}");
    cr_assert_str_eq(leat_route_find("HEAD", &target, methods)->pattern, "/v1/commands/{command}");
    static const char *const none[] = {"/v1", "/v1/model/m", "/v1/modelss/m", "/v1//m",
                                       "/v1/models"};
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        cr_assert_eq(parse(none[i]), LEAT_OK);
        cr_assert_null(leat_route_find("GET", &target, methods), "%s", none[i]);
        cr_assert_str_eq(methods, "");
    }
}

Test(params, prefer_wait_is_found_among_others_and_bounded)
{
    cr_assert_eq(leat_prefer_wait_ms(LEAT_STR("wait=5")), 5000);
    cr_assert_eq(leat_prefer_wait_ms(LEAT_STR("respond-async, Wait=2 ")), 2000);
    cr_assert_eq(leat_prefer_wait_ms(LEAT_STR("wait=999999")), 60000);
    cr_assert_eq(leat_prefer_wait_ms(LEAT_STR("wait=-1")), 0);
    cr_assert_eq(leat_prefer_wait_ms(LEAT_STR("wait=,wait")), 0);
    cr_assert_eq(leat_prefer_wait_ms(LEAT_STR("")), 0);
}

Test(params, an_idempotency_key_names_one_command_per_topology)
{
    struct leat_uuid a, b, c, plain;
    cr_assert_eq(leat_idempotency_id(LEAT_STR("shop"), LEAT_STR(" order 1 "), &a, &err), LEAT_OK);
    cr_assert_eq(leat_idempotency_id(LEAT_STR("shop"), LEAT_STR("order 1"), &b, &err), LEAT_OK);
    cr_assert_eq(leat_idempotency_id(LEAT_STR("other"), LEAT_STR("order 1"), &c, &err), LEAT_OK);
    cr_assert(leat_uuid_eq(&a, &b));
    cr_assert_not(leat_uuid_eq(&a, &c));
    struct leat_str uuid = LEAT_STR("0197f3a2-4c1e-7b6a-9f00-8d3f1c2b7a10");
    cr_assert_eq(leat_idempotency_id(LEAT_STR("shop"), uuid, &plain, &err), LEAT_OK);
    char text[LEAT_UUID_TEXT];
    leat_uuid_format(&plain, text);
    assert_str(uuid, text);
    cr_assert_eq(leat_idempotency_id(LEAT_STR("shop"), LEAT_STR("a\x01"), &a, &err), LEAT_INVALID);
}

Test(params, the_same_key_with_another_body_is_told_apart)
{
    struct leat_keys *k = leat_keys_new(2);
    struct leat_uuid id = {{1}}, second = {{2}}, third = {{3}};
    struct leat_str type = LEAT_STR("Pay");
    cr_assert_eq(leat_keys_check(k, &id, type, LEAT_STR("{}")), LEAT_KEY_NEW);
    cr_assert_eq(leat_keys_check(k, &id, type, LEAT_STR("{}")), LEAT_KEY_SAME);
    cr_assert_eq(leat_keys_check(k, &id, type, LEAT_STR("{ }")), LEAT_KEY_OTHER);
    cr_assert_eq(leat_keys_check(k, &id, LEAT_STR("Buy"), LEAT_STR("{}")), LEAT_KEY_OTHER);
    (void)leat_keys_check(k, &second, type, LEAT_STR("{}"));
    (void)leat_keys_check(k, &third, type, LEAT_STR("{}"));
    cr_assert_eq(leat_keys_check(k, &id, type, LEAT_STR("x")), LEAT_KEY_NEW, "the oldest went");
    leat_keys_free(k);
}
