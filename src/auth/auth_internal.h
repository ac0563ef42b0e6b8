/* auth_internal.h - what admit.c, jwt.c, signers.c and jwks.c share. */
#ifndef LEAT_AUTH_AUTH_INTERNAL_H
#define LEAT_AUTH_AUTH_INTERNAL_H

#include "auth/auth.h"
#include "base/buf.h"

#define LEAT_JWKS_BYTES_MAX  (256U << 10)
#define LEAT_JWKS_KEYS_MAX   64
#define LEAT_TOKEN_BYTES_MAX 8192

struct leat_jwk {
    struct leat_str kid; /* "" = none given */
    const char *pem;
};
struct leat_jwks { /* a key set; memory of its own arena */
    struct leat_arena *arena;
    struct leat_jwk keys[LEAT_JWKS_KEYS_MAX];
    uint32_t n;
};
/* The RSA keys for signatures of a set; others, and those that are none, are passed over (RFC 7517
 * 5). INVALID: no set, or none of these in it. Pure. */
LEAT_MUST_CHECK leat_status leat_jwks_parse(struct leat_str text, struct leat_jwks **ret,
                                            struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_jwks_read(const char *path, struct leat_jwks **ret,
                                           struct leat_error *err);
void leat_jwks_free(struct leat_jwks *s); /* NULL allowed */

/* ---- signers.c: the key set in force ---- */
struct leat_signers;

/* Of j->jwks; `j` must outlive it. INVALID: the file cannot be read, or holds no key. An address is
 * read meanwhile, and may be away. */
LEAT_MUST_CHECK leat_status leat_signers_new(const struct leat_access_jwt *j,
                                             struct leat_signers **ret, struct leat_error *err);
void leat_signers_free(struct leat_signers *s); /* NULL allowed */
/* The key's text (PEM) in the arena; kid "": the only one there is. Any thread; waits for no
 * address. INVALID: not known. RETRY: not known yet. */
LEAT_MUST_CHECK leat_status leat_signers_find(struct leat_signers *s, struct leat_str kid,
                                              struct leat_arena *arena, struct leat_str *ret,
                                              struct leat_error *err);

struct leat_auth {
    const struct leat_access *access;
    struct leat_signers *signers; /* NULL: no RS256 */
};

/* ---- jwt.c ---- */

/* The claims of a token that is signed, in force and meant for us, as JSON text in the arena.
 * INVALID, or RETRY: see leat_signers_find(). */
LEAT_MUST_CHECK leat_status leat_jwt_verify(struct leat_auth *a, struct leat_str token,
                                            int64_t now_ms, struct leat_arena *arena,
                                            struct leat_str *ret, struct leat_error *err);

#endif
