/* JSON Web Key Sets (RFC 7517): the RSA keys that verify signatures. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth_internal.h"
#include "base/base64.h"
#include "base/json.h"
#include "base/rsa_pem.h"

/* base64url without padding, as in RFC 7515. */
static bool read_url64(struct leat_str text, struct leat_arena *arena, struct leat_str *ret)
{
    static const char padding[] = "==";
    char *plain = leat_arena_printf(arena, "%.*s%.*s", LEAT_STR_FMT(text),
                                    (int)((4 - text.len % 4) % 4 % 3), padding);
    for (char *p = plain; *p != '\0'; p++)
        *p = (char)(*p == '-' ? '+' : *p == '_' ? '/' : *p);
    return leat_base64_read(leat_str_of(plain), arena, ret);
}

struct member {
    const char *name;
    struct leat_str value; /* "" = absent */
};
enum {
    KTY,
    USE,
    ALG,
    KID,
    N,
    E,
    MEMBERS
};

static leat_status read_members(struct leat_json_reader *r, struct leat_arena *arena,
                                struct member m[MEMBERS], struct leat_error *err)
{
    struct leat_json_token t;
    for (;;) {
        LEAT_TRY(leat_json_next(r, &t, err), err, "key set");
        if (t.kind == LEAT_JSON_OBJECT_END)
            return LEAT_OK;
        int which = 0;
        while (which < MEMBERS && !leat_json_token_is(&t, leat_str_of(m[which].name)))
            which++;
        struct leat_json_reader before = *r;
        LEAT_TRY(leat_json_next(r, &t, err), err, "key set");
        if (which < MEMBERS && t.kind == LEAT_JSON_STRING) {
            m[which].value = leat_json_unescape(&t, arena);
        } else {
            *r = before;
            LEAT_TRY(leat_json_skip(r, NULL, err), err, "key set");
        }
    }
}

static bool is_or_absent(const struct member *m, const char *wanted)
{
    return m->value.len == 0 || leat_str_eq(m->value, leat_str_of(wanted));
}

/* False: not a key we could use. */
static bool make_key(const struct member m[MEMBERS], struct leat_arena *arena, struct leat_jwk *ret)
{
    struct leat_str n, e;
    struct leat_error err = {0};
    *ret = (struct leat_jwk){.kid = m[KID].value};
    return leat_str_eq(m[KTY].value, LEAT_STR("RSA")) && is_or_absent(&m[USE], "sig") &&
           is_or_absent(&m[ALG], "RS256") && read_url64(m[N].value, arena, &n) &&
           read_url64(m[E].value, arena, &e) &&
           leat_rsa_pem(n, e, arena, &ret->pem, &err) == LEAT_OK;
}

static leat_status read_key(struct leat_json_reader *r, struct leat_jwks *s, struct leat_error *err)
{
    struct member m[MEMBERS] = {{"kty", {"", 0}}, {"use", {"", 0}}, {"alg", {"", 0}},
                                {"kid", {"", 0}}, {"n", {"", 0}},   {"e", {"", 0}}};
    struct leat_jwk key;
    LEAT_TRY(read_members(r, s->arena, m, err), err, "key set");
    if (!make_key(m, s->arena, &key))
        return LEAT_OK;
    if (s->n == LEAT_JWKS_KEYS_MAX)
        return leat_fail(err, LEAT_INVALID, "more than %d keys", LEAT_JWKS_KEYS_MAX);
    s->keys[s->n++] = key;
    return LEAT_OK;
}

static leat_status read_set(struct leat_str text, struct leat_jwks *s, struct leat_error *err)
{
    struct leat_json_token t;
    struct leat_str raw;
    struct leat_json_reader r;
    LEAT_TRY(leat_json_find(text, LEAT_STR("keys"), &t, &raw, err), err, "key set");
    if (t.kind != LEAT_JSON_ARRAY_BEGIN)
        return leat_fail(err, LEAT_INVALID, "'keys' is no array");
    leat_json_reader_init(&r, raw);
    LEAT_TRY(leat_json_next(&r, &t, err), err, "key set");
    for (;;) {
        LEAT_TRY(leat_json_next(&r, &t, err), err, "key set");
        if (t.kind == LEAT_JSON_ARRAY_END)
            break;
        if (t.kind != LEAT_JSON_OBJECT_BEGIN)
            return leat_fail(err, LEAT_INVALID, "a key of the set is no object");
        LEAT_TRY(read_key(&r, s, err), err, "key set");
    }
    return s->n > 0 ? LEAT_OK
                    : leat_fail(err, LEAT_INVALID,
                                "no RSA key of 2048 bits or more for signatures in it");
}

leat_status leat_jwks_parse(struct leat_str text, struct leat_jwks **ret, struct leat_error *err)
{
    struct leat_jwks *s = calloc(1, sizeof *s);
    leat_assert(s != NULL);
    s->arena = leat_arena_new(4096, 0);
    leat_status status = read_set(leat_arena_copy(s->arena, text), s, err); /* kids borrow */
    if (status == LEAT_OK) {
        *ret = s;
        return LEAT_OK;
    }
    leat_jwks_free(s);
    err->status = LEAT_INVALID;
    return LEAT_INVALID;
}

leat_status leat_jwks_read(const char *path, struct leat_jwks **ret, struct leat_error *err)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    char block[4096];
    leat_buf_init(&text, LEAT_JWKS_BYTES_MAX);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return leat_fail(err, LEAT_INVALID, "could not open '%.200s': %s", path, strerror(errno));
    size_t n = fread(block, 1, sizeof block, f);
    for (; n > 0; n = fread(block, 1, sizeof block, f))
        leat_buf_put(&text, block, n);
    bool failed = ferror(f) != 0;
    (void)fclose(f);
    if (failed || text.overflow)
        return leat_fail(err, LEAT_INVALID, "could not read '%.200s': %s", path,
                         failed ? "the file system fails" : "it is larger than 256 KiB");
    LEAT_TRY(leat_jwks_parse(leat_buf_str(&text), ret, err), err, "%.200s", path);
    return LEAT_OK;
}

void leat_jwks_free(struct leat_jwks *s)
{
    if (s == NULL)
        return;
    leat_arena_free(s->arena);
    free(s);
}
