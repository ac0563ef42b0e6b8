/* uses: base topology codec web auth */
/* Who is admitted and what they may: keys, tokens, roles, filters. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/auth_internal.h"
#include "auth_tokens.h"
#include "topology/topology.h"

#define NOW INT64_C(1800000000000)

static struct leat_projection orders = {.name = {"orders", 6}}, carts = {.name = {"carts", 5}};
static struct leat_access_filter by_tenant[] = {{.field = 2, .claim = {"tenant", 6}}};
static struct leat_access_model clerk_models[] = {
    {.model = &orders, .where = by_tenant, .n_where = 1}};
static struct leat_str clerk_commands[] = {{"PlaceOrder", 10}};
static struct leat_access_role roles[] = {
    {.name = {"clerk", 5}, .commands = {clerk_commands, 1}, .models = clerk_models, .n_models = 1},
    {.name = {"boss", 4}, .all_models = true, .streams = true, .rate = {1000, 60000}},
    {.name = {"ops", 3}, .operate = true, .all_commands = true, .rate = {20, 1000}},
};
static struct leat_str website_roles[] = {{"clerk", 5}}, ops_roles[] = {{"ops", 3}, {"boss", 4}};
static struct leat_access_claim website_claims[] = {{{"tenant", 6}, {"acme", 4}}};
static struct leat_access_key keys[] = {
    /* sha256 of "website-key" and "ops-key" */
    {.name = {"website", 7}, .roles = {website_roles, 1}, .claims = website_claims, .n_claims = 1},
    {.name = {"ops", 3}, .roles = {ops_roles, 2}},
};
static struct leat_access access_;
static struct leat_arena *arena;
static char jwks_path[64];

static void start(void)
{
    arena = leat_arena_new(4096, 0);
    keys[0].sha256 = "60d787edd2a158502b909831a2020ca3a491a6b4001312e6c88b1b6f818db88d";
    keys[1].sha256 = "2c69bc9111c27110a9b9a7974ba3f8ac0c053c16b23a0738115ee829fbc4d57b";
    access_ = (struct leat_access){.given = true,
                                   .roles = roles,
                                   .n_roles = 3,
                                   .keys = keys,
                                   .n_keys = 2,
                                   .rate = {100, 60000}};
    (void)snprintf(jwks_path, sizeof jwks_path, "/tmp/leat_jwks_%d", (int)getpid());
    FILE *f = fopen(jwks_path, "w");
    cr_assert(f != NULL && fputs(jwks, f) >= 0 && fclose(f) == 0);
}

static void stop(void)
{
    (void)remove(jwks_path);
    leat_arena_free(arena);
}

TestSuite(auth_admit, .init = start, .fini = stop);

static struct leat_auth *open_auth(void)
{
    struct leat_auth *a = NULL;
    struct leat_error err = {0};
    cr_assert_eq(leat_auth_new(&access_, &a, &err), LEAT_OK, "%s", err.msg);
    return a;
}

static void with_rs256(void)
{
    access_.jwt = (struct leat_access_jwt){.given = true,
                                           .algorithm = LEAT_JWT_RS256,
                                           .jwks = jwks_path,
                                           .issuer = "https://id.example",
                                           .audience = "shop",
                                           .roles_claim = LEAT_STR("roles"),
                                           .leeway_ms = 30000,
                                           .refresh_ms = 300000};
}

static leat_status admit(struct leat_auth *a, const char *authorization, int64_t now_ms,
                         struct leat_caller *ret, struct leat_error *err)
{
    struct leat_credentials c = {.authorization = leat_str_of(authorization)};
    return leat_auth_admit(a, &c, now_ms, arena, ret, err);
}

static const char *bearer(const char *token)
{
    return leat_arena_printf(arena, "Bearer %s", token);
}

Test(auth_admit, a_key_is_known_by_its_hash_in_either_header)
{
    struct leat_auth *a = open_auth();
    struct leat_caller c;
    struct leat_error err = {0};
    cr_assert_eq(admit(a, "Bearer website-key", NOW, &c, &err), LEAT_OK, "%s", err.msg);
    cr_expect(leat_str_eq(c.name, LEAT_STR("website")));
    cr_expect_eq(c.roles, 1);
    struct leat_credentials by_key = {.api_key = LEAT_STR("ops-key")};
    cr_assert_eq(leat_auth_admit(a, &by_key, NOW, arena, &c, &err), LEAT_OK);
    cr_expect_eq(c.roles, 6);
    const char *wrong[] = {"Bearer website-kez",   "Bearer ",    "Bearer", "", "Basic website-key",
                           "Bearer website-key x", "website-key"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(admit(a, wrong[i], NOW, &c, &err), LEAT_INVALID, "%s", wrong[i]);
    leat_auth_free(a);
}

Test(auth_admit, who_shows_nothing_is_anonymous_or_refused)
{
    static struct leat_str anonymous[] = {{"clerk", 5}};
    struct leat_auth *a = open_auth();
    struct leat_caller c;
    struct leat_error err = {0};
    struct leat_credentials nothing = {.authorization = {NULL, 0}};
    cr_expect_eq(leat_auth_admit(a, &nothing, NOW, arena, &c, &err), LEAT_INVALID);
    access_.anonymous = (struct leat_names){anonymous, 1};
    cr_assert_eq(leat_auth_admit(a, &nothing, NOW, arena, &c, &err), LEAT_OK);
    cr_expect_eq(c.roles, 1);
    cr_expect_eq(admit(a, "Bearer wrong", NOW, &c, &err), LEAT_INVALID, "a wrong key is no key");
    leat_auth_free(a);
}

Test(auth_admit, a_token_brings_its_roles_and_claims)
{
    with_rs256();
    struct leat_auth *a = open_auth();
    struct leat_caller c;
    struct leat_error err = {0};
    cr_assert_eq(admit(a, bearer(rs256), NOW, &c, &err), LEAT_OK, "%s", err.msg);
    cr_expect(leat_str_eq(c.name, LEAT_STR("ann")));
    cr_expect_eq(c.roles, 1, "clerk; the other role is somebody else's");
    struct leat_grant g = leat_may_read(&access_, &c, &orders);
    cr_assert(g.given && !g.none && g.model == clerk_models);
    cr_expect(leat_str_eq(leat_grant_value(&by_tenant[0], &c, arena), LEAT_STR("acme")));
    leat_auth_free(a);
}

Test(auth_admit, a_token_that_is_not_right_is_refused_and_says_why)
{
    with_rs256();
    struct leat_auth *a = open_auth();
    struct leat_caller c;
    const struct {
        const char *token, *why;
        int64_t now_ms;
    } all[] = {
        {rs256, "no longer valid", INT64_C(2000000030000)},
        {rs256, "not valid yet", INT64_C(1699999969999)},
        {hs256, "not signed with RS256", NOW},
        {confused, "not signed with RS256", NOW},
        {unsigned_token, "not signed with RS256", NOW},
        {other_key, "signature is not right", NOW},
        {without_exp, "never ends", NOW},
        {"a.b.c", "no JSON Web Token", NOW},
        {"..", "no JSON Web Token", NOW},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct leat_error err = {0};
        cr_expect_eq(admit(a, bearer(all[i].token), all[i].now_ms, &c, &err), LEAT_INVALID, "%s",
                     all[i].why);
        cr_expect(strstr(err.msg, all[i].why) != NULL, "%zu: %s", i, err.msg);
    }
    struct leat_error err = {0};
    cr_expect_eq(admit(a, bearer(rs256), INT64_C(2000000029999), &c, &err), LEAT_OK, "leeway");
    cr_expect_eq(admit(a, bearer(without_kid), NOW, &c, &err), LEAT_OK, "the only key of the set");
    access_.jwt.audience = "bank";
    cr_expect_eq(admit(a, bearer(rs256), NOW, &c, &err), LEAT_INVALID);
    cr_expect(strstr(err.msg, "aud") != NULL, "%s", err.msg);
    access_.jwt.audience = NULL;
    access_.jwt.issuer = "https://elsewhere";
    cr_expect_eq(admit(a, bearer(rs256), NOW, &c, &err), LEAT_INVALID);
    cr_expect(strstr(err.msg, "iss") != NULL, "%s", err.msg);
    leat_auth_free(a);
}

Test(auth_admit, a_shared_secret_signs_too_and_roles_may_be_one_text)
{
    with_rs256();
    access_.jwt.algorithm = LEAT_JWT_HS256;
    access_.jwt.jwks = NULL;
    access_.jwt.secret = "0123456789abcdef0123456789abcdef";
    struct leat_auth *a = open_auth();
    struct leat_caller c;
    struct leat_error err = {0};
    cr_assert_eq(admit(a, bearer(hs256), NOW, &c, &err), LEAT_OK, "%s", err.msg);
    cr_expect_eq(c.roles, 3);
    cr_expect_eq(admit(a, bearer(rs256), NOW, &c, &err), LEAT_INVALID);
    cr_expect_eq(admit(a, bearer(confused), NOW, &c, &err), LEAT_INVALID);
    leat_auth_free(a);
}

Test(auth_admit, one_byte_changed_anywhere_in_a_token_is_noticed)
{
    with_rs256();
    struct leat_auth *a = open_auth();
    struct leat_caller c;
    struct leat_error err = {0};
    size_t len = strlen(rs256), signature = (size_t)(strrchr(rs256, '.') - rs256);
    for (size_t i = 0; i + 1 < len; i += i < signature ? 7 : 31) {
        char *token = leat_arena_cstr(arena, leat_str_of(rs256));
        token[i] = token[i] == 'A' ? 'B' : 'A';
        cr_expect_eq(admit(a, bearer(token), NOW, &c, &err), LEAT_INVALID, "byte %zu", i);
    }
    leat_auth_free(a);
}

Test(auth_admit, what_a_caller_may_do_is_what_its_roles_name)
{
    struct leat_caller clerk = {.roles = 1}, boss = {.roles = 2}, both = {.roles = 3},
                       ops = {.roles = 4};
    cr_expect(leat_may_send(&access_, &clerk, LEAT_STR("PlaceOrder")));
    cr_expect_not(leat_may_send(&access_, &clerk, LEAT_STR("CancelOrder")));
    cr_expect(leat_may_send(&access_, &ops, LEAT_STR("CancelOrder")));
    cr_expect_not(leat_may_stream(&access_, &clerk));
    cr_expect(leat_may_stream(&access_, &boss));
    cr_expect_not(leat_may_operate(&access_, &boss));
    cr_expect(leat_may_operate(&access_, &ops));
    cr_expect_not(leat_may_read(&access_, &clerk, &carts).given);
    cr_expect(leat_may_read(&access_, &clerk, &orders).none, "no tenant: no row");
    cr_expect(leat_may_read(&access_, &both, &orders).model == clerk_models,
              "the first that names it");
    cr_expect(leat_may_read(&access_, &both, &carts).model == NULL);
    cr_expect_eq(leat_rate_of(&access_, &clerk).requests, 100);
    cr_expect_eq(leat_rate_of(&access_, &both).requests, 1000);
    cr_expect_eq(leat_rate_of(&access_, &(struct leat_caller){.roles = 6}).requests, 20,
                 "20/s is more");
    struct leat_access open = {.given = false};
    cr_expect(leat_may_send(&open, &clerk, LEAT_STR("X")) && leat_may_operate(&open, &clerk));
    cr_expect(leat_may_read(&open, &clerk, &carts).given);
}

Test(auth_admit, a_key_set_that_is_none_is_refused)
{
    const char *all[] = {"",
                         "[]",
                         "{}",
                         "{\"keys\":{}}",
                         "{\"keys\":[]}",
                         "{\"keys\":[1]}",
                         "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"}]}",
                         "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"!\",\"e\":\"AQAB\"}]}",
                         "{\"keys\":[{\"kty\":\"RSA\"}]}"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct leat_jwks *s = NULL;
        struct leat_error err = {0};
        cr_expect_eq(leat_jwks_parse(leat_str_of(all[i]), &s, &err), LEAT_INVALID, "%s", all[i]);
        cr_expect_gt(strlen(err.msg), 0);
    }
}
