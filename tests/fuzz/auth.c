/* uses: base topology codec web auth */
/* auth.c - tokens and key sets as anybody may send them: refused with a reason, or a caller with
 * what the roles give; never a crash. Input: a token as it is, newline, the claims of one that is
 * signed here, so that they are looked at, newline, a key set. */
#include <string.h>

#include "auth/auth_internal.h"
#include "base/base64.h"
#include "base/hash.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define BLOCK  64
#define NOW_MS INT64_C(1800000000000)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct leat_str take_line(struct leat_str *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->at, '\n', rest->len);
    struct leat_str line = {rest->at, end == NULL ? rest->len : (uint32_t)(end - rest->at)};
    uint32_t used = line.len + (end != NULL);
    *rest = (struct leat_str){rest->at + used, rest->len - used};
    return line;
}

static void put_url64(struct leat_buf *out, struct leat_str bytes)
{
    size_t from = out->len;
    leat_base64_put(out, bytes);
    while (out->len > from && out->at[out->len - 1] == '=')
        out->len--;
    for (char *p = out->at + from; p < out->at + out->len; p++)
        *p = (char)(*p == '+' ? '-' : *p == '/' ? '_' : *p);
}

static void hmac(struct leat_str text, struct leat_arena *arena, uint8_t ret[32])
{
    char *inner = leat_arena_alloc(arena, BLOCK + text.len);
    char outer[BLOCK + 32];
    memset(inner, 0x36, BLOCK);
    memset(outer, 0x5c, BLOCK);
    for (size_t i = 0; i < sizeof SECRET - 1; i++) {
        inner[i] = (char)(inner[i] ^ SECRET[i]);
        outer[i] = (char)(outer[i] ^ SECRET[i]);
    }
    memcpy(inner + BLOCK, text.at, text.len);
    leat_sha256(inner, BLOCK + text.len, ret);
    memcpy(outer + BLOCK, ret, 32);
    leat_sha256(outer, sizeof outer, ret);
}

static const char *signed_token(struct leat_str claims, struct leat_arena *arena)
{
    struct leat_buf token;
    uint8_t mac[32];
    leat_buf_init(&token, (size_t)1 << 20);
    put_url64(&token, LEAT_STR("{\"alg\":\"HS256\"}"));
    leat_buf_putc(&token, '.');
    put_url64(&token, claims);
    hmac(leat_buf_str(&token), arena, mac);
    leat_buf_putc(&token, '.');
    put_url64(&token, (struct leat_str){(const char *)mac, sizeof mac});
    const char *text = leat_arena_cstr(arena, leat_buf_str(&token));
    leat_buf_done(&token);
    return text;
}

/* True: admitted. What a caller is given is the topology's, and what it claims is bounded. */
static bool admit(struct leat_auth *a, const char *token, struct leat_arena *arena)
{
    struct leat_caller c;
    struct leat_error err = {0};
    const char *shown = leat_arena_printf(arena, "Bearer %s", token);
    const struct leat_credentials credentials = {.authorization = leat_str_of(shown)};
    leat_status status = leat_auth_admit(a, &credentials, NOW_MS, arena, &c, &err);
    leat_assert(status == LEAT_OK || (status == LEAT_INVALID && err.msg[0] != 0));
    if (status != LEAT_OK)
        return false;
    leat_assert((c.roles & ~UINT64_C(3)) == 0 && c.n_claims <= 64);
    return true;
}

static void check_tokens(struct leat_str token, struct leat_str claims, struct leat_arena *arena)
{
    static const struct leat_access_role roles[] = {{.name = {"clerk", 5}}, {.name = {"boss", 4}}};
    static const struct leat_access access = {.given = true,
                                              .roles = roles,
                                              .n_roles = 2,
                                              .jwt = {.given = true,
                                                      .algorithm = LEAT_JWT_HS256,
                                                      .secret = SECRET,
                                                      .roles_claim = {"roles", 5},
                                                      .leeway_ms = 30000}};
    struct leat_auth *a = NULL;
    struct leat_error err = {0};
    leat_assert(leat_auth_new(&access, &a, &err) == LEAT_OK);
    bool admitted = admit(a, leat_arena_cstr(arena, token), arena);
    leat_assert(!admitted || token.len > 40); /* signed with a secret it does not know */
    (void)admit(a, signed_token(claims, arena), arena);
    leat_auth_free(a);
}

static void check_set(struct leat_str text)
{
    struct leat_jwks *s = NULL;
    struct leat_error err = {0};
    if (leat_jwks_parse(text, &s, &err) != LEAT_OK) {
        leat_assert(err.status == LEAT_INVALID && err.msg[0] != 0);
        return;
    }
    leat_assert(s->n >= 1 && s->n <= LEAT_JWKS_KEYS_MAX);
    for (uint32_t i = 0; i < s->n; i++)
        leat_assert(strncmp(s->keys[i].pem, "-----BEGIN PUBLIC KEY", 21) == 0);
    leat_jwks_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n > 65536)
        return 0;
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_str rest = {(const char *)bytes, (uint32_t)n};
    struct leat_str token = take_line(&rest), claims = take_line(&rest);
    check_tokens(token, claims, arena);
    check_set(rest);
    leat_arena_free(arena);
    return 0;
}
