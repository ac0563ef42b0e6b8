/* Signed tokens. The algorithm is the topology's: what a token says of itself only must not differ,
 * or a public key could be made to serve as a shared secret. */
#include <jwt.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth_internal.h"
#include "base/json.h"

static void freep_jwt(jwt_t **j)
{
    jwt_free(*j);
}

static void freep_text(char **text)
{
    free(*text);
}

static leat_status key_of(struct leat_auth *a, const char *token, struct leat_arena *arena,
                          struct leat_str *ret, struct leat_error *err)
{
    const struct leat_access_jwt *j = &a->access->jwt;
    bool shared = j->algorithm == LEAT_JWT_HS256;
    const char *wanted = shared ? "HS256" : "RS256";
    LEAT_AUTO(freep_jwt) jwt_t *unverified = NULL;
    if (jwt_decode(&unverified, token, NULL, 0) != 0)
        return leat_fail(err, LEAT_INVALID, "this is no JSON Web Token");
    const char *alg = jwt_get_header(unverified, "alg");
    if (alg == NULL || strcmp(alg, wanted) != 0)
        return leat_fail(err, LEAT_INVALID, "the token is not signed with %s", wanted);
    if (!shared)
        return leat_signers_find(a->signers, leat_str_of(jwt_get_header(unverified, "kid")), arena,
                                 ret, err);
    *ret = leat_str_of(j->secret);
    return LEAT_OK;
}

/* ---- what it says ---- */

/* A NumericDate, in ms. */
static leat_status when(struct leat_str claims, const char *name, int64_t *ret,
                        struct leat_error *err)
{
    struct leat_json_token t;
    leat_status status = leat_json_find(claims, leat_str_of(name), &t, NULL, err);
    if (status == LEAT_ABSENT)
        return LEAT_ABSENT;
    if (status == LEAT_OK && t.kind == LEAT_JSON_INT && t.integer >= 0 &&
        t.integer < INT64_C(1) << 40) {
        *ret = t.integer * 1000;
        return LEAT_OK;
    }
    if (status == LEAT_OK && t.kind == LEAT_JSON_DOUBLE && t.number >= 0 && t.number < 1e12) {
        *ret = (int64_t)(t.number * 1000);
        return LEAT_OK;
    }
    return leat_fail(err, LEAT_INVALID, "the token's '%s' is no time", name);
}

static leat_status check_times(const struct leat_access_jwt *j, struct leat_str claims,
                               int64_t now_ms, struct leat_error *err)
{
    int64_t at = 0;
    leat_status status = when(claims, "exp", &at, err);
    if (status == LEAT_ABSENT)
        return leat_fail(err, LEAT_INVALID, "the token never ends: it has no 'exp'");
    if (status != LEAT_OK)
        return status;
    if (now_ms >= at + j->leeway_ms)
        return leat_fail(err, LEAT_INVALID, "the token is no longer valid");
    status = when(claims, "nbf", &at, err);
    if (status == LEAT_ABSENT)
        return LEAT_OK;
    if (status == LEAT_OK && now_ms < at - j->leeway_ms)
        return leat_fail(err, LEAT_INVALID, "the token is not valid yet");
    return status;
}

/* A text, or a list that holds it. */
static bool says(struct leat_str claims, const char *name, const char *wanted)
{
    struct leat_error err = {0};
    struct leat_json_token t;
    struct leat_str raw;
    struct leat_json_reader r;
    if (leat_json_find(claims, leat_str_of(name), &t, &raw, &err) != LEAT_OK)
        return false;
    if (t.kind == LEAT_JSON_STRING)
        return leat_json_token_is(&t, leat_str_of(wanted));
    if (t.kind != LEAT_JSON_ARRAY_BEGIN)
        return false;
    leat_json_reader_init(&r, raw);
    while (leat_json_next(&r, &t, &err) == LEAT_OK && t.kind != LEAT_JSON_END)
        if (t.kind == LEAT_JSON_STRING && leat_json_token_is(&t, leat_str_of(wanted)))
            return true;
    return false;
}

leat_status leat_jwt_verify(struct leat_auth *a, struct leat_str token, int64_t now_ms,
                            struct leat_arena *arena, struct leat_str *ret, struct leat_error *err)
{
    const struct leat_access_jwt *j = &a->access->jwt;
    struct leat_str key = {0};
    if (token.len > LEAT_TOKEN_BYTES_MAX)
        return leat_fail(err, LEAT_INVALID, "the token has more than %d bytes",
                         LEAT_TOKEN_BYTES_MAX);
    const char *text = leat_arena_cstr(arena, token);
    leat_status status = key_of(a, text, arena, &key, err);
    if (status != LEAT_OK)
        return status;
    LEAT_AUTO(freep_jwt) jwt_t *jwt = NULL;
    if (jwt_decode(&jwt, text, (const unsigned char *)key.at, (int)key.len) != 0 ||
        jwt_get_alg(jwt) != (j->algorithm == LEAT_JWT_HS256 ? JWT_ALG_HS256 : JWT_ALG_RS256))
        return leat_fail(err, LEAT_INVALID, "the token's signature is not right");
    LEAT_AUTO(freep_text) char *json = jwt_get_grants_json(jwt, NULL);
    if (json == NULL)
        return leat_fail(err, LEAT_INVALID, "the token has no claims");
    struct leat_str claims = leat_arena_copy(arena, leat_str_of(json));
    LEAT_TRY(check_times(j, claims, now_ms, err), err, "token");
    if (j->issuer != NULL && !says(claims, "iss", j->issuer))
        return leat_fail(err, LEAT_INVALID, "the token is not from who is trusted here ('iss')");
    if (j->audience != NULL && !says(claims, "aud", j->audience))
        return leat_fail(err, LEAT_INVALID, "the token is not meant for this service ('aud')");
    *ret = claims;
    return LEAT_OK;
}
