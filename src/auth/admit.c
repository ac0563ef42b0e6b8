/* Who asks: by key, by token, or nobody in particular. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "auth/auth_internal.h"
#include "base/hash.h"
#include "base/json.h"

#define CLAIMS_MAX    64
#define KEY_BYTES_MAX 512
#define DIGEST_BYTES  32

leat_status leat_auth_new(const struct leat_access *access, struct leat_auth **ret,
                          struct leat_error *err)
{
    struct leat_auth *a = calloc(1, sizeof *a);
    leat_assert(a != NULL);
    a->access = access;
    if (access->jwt.given && access->jwt.jwks != NULL) {
        leat_status status = leat_signers_new(&access->jwt, &a->signers, err);
        if (status != LEAT_OK) {
            leat_auth_free(a);
            return status;
        }
    }
    *ret = a;
    return LEAT_OK;
}

void leat_auth_free(struct leat_auth *a)
{
    if (a == NULL)
        return;
    leat_signers_free(a->signers);
    free(a);
}

static uint64_t role_bits(const struct leat_access *a, struct leat_str name)
{
    for (uint32_t i = 0; i < a->n_roles; i++)
        if (leat_str_eq(a->roles[i].name, name))
            return UINT64_C(1) << i;
    return 0; /* a role of somebody else's */
}

static uint64_t roles_of(const struct leat_access *a, const struct leat_names *names)
{
    uint64_t bits = 0;
    for (uint32_t i = 0; i < names->n; i++)
        bits |= role_bits(a, names->at[i]);
    return bits;
}

/* ---- keys ---- */

static uint8_t nibble(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* All of both is looked at, wherever they differ. */
static bool same_digest(const uint8_t digest[DIGEST_BYTES], const char *hex)
{
    unsigned differ = 0;
    for (size_t i = 0; i < DIGEST_BYTES; i++)
        differ |= digest[i] ^ (unsigned)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
    return differ == 0;
}

static bool admit_key(const struct leat_access *a, struct leat_str key, struct leat_caller *ret)
{
    uint8_t digest[DIGEST_BYTES];
    const struct leat_access_key *found = NULL;
    if (key.len == 0 || key.len > KEY_BYTES_MAX)
        return false;
    leat_sha256(key.at, key.len, digest);
    for (uint32_t i = 0; i < a->n_keys; i++)
        if (same_digest(digest, a->keys[i].sha256))
            found = &a->keys[i];
    if (found == NULL)
        return false;
    *ret = (struct leat_caller){.name = found->name,
                                .roles = roles_of(a, &found->roles),
                                .claims = found->claims,
                                .n_claims = found->n_claims};
    return true;
}

/* ---- tokens ---- */

static uint64_t spaced_roles(const struct leat_access *a, struct leat_str text)
{
    uint64_t bits = 0;
    while (text.len > 0) {
        const char *space = memchr(text.at, ' ', text.len);
        uint32_t n = space == NULL ? text.len : (uint32_t)(space - text.at);
        bits |= role_bits(a, (struct leat_str){text.at, n});
        uint32_t step = n + (space != NULL);
        text = (struct leat_str){text.at + step, text.len - step};
    }
    return bits;
}

static leat_status listed_roles(const struct leat_access *a, struct leat_json_reader *r,
                                struct leat_arena *arena, uint64_t *ret, struct leat_error *err)
{
    struct leat_json_token t;
    for (;;) {
        LEAT_TRY(leat_json_next(r, &t, err), err, "roles");
        if (t.kind == LEAT_JSON_ARRAY_END)
            return LEAT_OK;
        if (t.kind != LEAT_JSON_STRING)
            return leat_fail(err, LEAT_INVALID, "a role of the token is no text");
        *ret |= role_bits(a, leat_json_unescape(&t, arena));
    }
}

struct claims {
    const struct leat_access *access;
    struct leat_caller *caller;
    struct leat_access_claim at[CLAIMS_MAX];
    uint32_t n;
};

/* Texts, numbers and true or false can be compared with a field; anything else is no claim. */
static leat_status take_claim(struct claims *claims, struct leat_json_reader *r,
                              struct leat_str name, struct leat_arena *arena,
                              struct leat_error *err)
{
    const struct leat_access *a = claims->access;
    struct leat_caller *c = claims->caller;
    struct leat_json_reader before = *r;
    struct leat_json_token t;
    bool roles = leat_str_eq(name, a->jwt.roles_claim);
    LEAT_TRY(leat_json_next(r, &t, err), err, "claims");
    if (t.kind == LEAT_JSON_ARRAY_BEGIN && roles)
        return listed_roles(a, r, arena, &c->roles, err);
    if (t.kind == LEAT_JSON_ARRAY_BEGIN || t.kind == LEAT_JSON_OBJECT_BEGIN) {
        *r = before;
        return leat_json_skip(r, NULL, err);
    }
    if (t.kind == LEAT_JSON_NULL)
        return LEAT_OK;
    struct leat_str value = t.kind == LEAT_JSON_STRING ? leat_json_unescape(&t, arena)
                            : t.kind == LEAT_JSON_BOOL ? leat_str_of(t.boolean ? "true" : "false")
                                                       : leat_arena_copy(arena, t.text);
    if (roles && t.kind == LEAT_JSON_STRING)
        c->roles |= spaced_roles(a, value);
    if (leat_str_eq(name, LEAT_STR("sub")))
        c->name = value;
    if (claims->n < CLAIMS_MAX)
        claims->at[claims->n++] = (struct leat_access_claim){leat_arena_copy(arena, name), value};
    return LEAT_OK;
}

static leat_status read_claims(const struct leat_access *a, struct leat_str json,
                               struct leat_arena *arena, struct leat_caller *ret,
                               struct leat_error *err)
{
    struct claims *claims = leat_arena_zalloc(arena, 1, sizeof *claims);
    struct leat_caller c = {.name = {"", 0}, .claims = claims->at};
    claims->access = a;
    claims->caller = &c;
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, json);
    LEAT_TRY(leat_json_next(&r, &t, err), err, "token");
    for (;;) {
        LEAT_TRY(leat_json_next(&r, &t, err), err, "token");
        if (t.kind == LEAT_JSON_OBJECT_END)
            break;
        struct leat_str name = leat_json_unescape(&t, arena);
        LEAT_TRY(take_claim(claims, &r, name, arena, err), err, "token");
    }
    c.n_claims = claims->n;
    *ret = c;
    return LEAT_OK;
}

/* ---- the request ---- */

static struct leat_str bearer(struct leat_str authorization)
{
    static const char scheme[] = "Bearer ";
    const uint32_t n = sizeof scheme - 1;
    struct leat_str rest = {"", 0};
    if (authorization.len > n && strncasecmp(authorization.at, scheme, n) == 0)
        rest = (struct leat_str){authorization.at + n, authorization.len - n};
    while (rest.len > 0 && rest.at[0] == ' ')
        rest = (struct leat_str){rest.at + 1, rest.len - 1};
    return rest;
}

/* Two points: header.payload.signature. */
static bool looks_like_token(struct leat_str s)
{
    uint32_t points = 0;
    for (uint32_t i = 0; i < s.len; i++)
        points += s.at[i] == '.';
    return points == 2;
}

static leat_status admit_token(struct leat_auth *a, struct leat_str token, int64_t now_ms,
                               struct leat_arena *arena, struct leat_caller *ret,
                               struct leat_error *err)
{
    struct leat_str claims;
    leat_status status = leat_jwt_verify(a, token, now_ms, arena, &claims, err);
    if (status == LEAT_OK)
        status = read_claims(a->access, claims, arena, ret, err);
    if (status != LEAT_OK && status != LEAT_RETRY)
        err->status = status = LEAT_INVALID;
    return status;
}

leat_status leat_auth_admit(struct leat_auth *a, const struct leat_credentials *c, int64_t now_ms,
                            struct leat_arena *arena, struct leat_caller *ret,
                            struct leat_error *err)
{
    const struct leat_access *access = a->access;
    bool shown = c->authorization.at != NULL || c->api_key.at != NULL;
    struct leat_str secret = c->api_key.at != NULL ? c->api_key : bearer(c->authorization);
    *ret = (struct leat_caller){.name = {"", 0}, .roles = roles_of(access, &access->anonymous)};
    if (!access->given || (!shown && access->anonymous.n > 0))
        return LEAT_OK;
    if (!shown) {
        (void)leat_fail(err, LEAT_INVALID, "a key or token is needed");
        leat_error_hint(err, "Authorization: Bearer <key or token>, or X-API-Key: <key>");
        return LEAT_INVALID;
    }
    if (admit_key(access, secret, ret))
        return LEAT_OK;
    if (c->api_key.at == NULL && access->jwt.given && looks_like_token(secret))
        return admit_token(a, secret, now_ms, arena, ret, err);
    return leat_fail(err, LEAT_INVALID, "this key is not known here");
}
