/* auth_internal.h - what admit.c, jwt.c and jwks.c share. */
#ifndef LEAT_AUTH_AUTH_INTERNAL_H
#define LEAT_AUTH_AUTH_INTERNAL_H

#include <pthread.h>

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
/* The RSA keys for signatures of a set; others are passed over. INVALID: no set, or none of these
 * in it. Pure. */
LEAT_MUST_CHECK leat_status leat_jwks_parse(struct leat_str text, struct leat_jwks **ret,
                                            struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_jwks_read(const char *path, struct leat_jwks **ret,
                                           struct leat_error *err);
void leat_jwks_free(struct leat_jwks *s); /* NULL allowed */

struct leat_auth {
    const struct leat_access *access;
    pthread_mutex_t lock; /* of what follows */
    struct leat_jwks *jwks;
    int64_t read_at_ms, tried_at_ms;
};

/* The claims of a token that is signed, in force and meant for us, as JSON text in the arena. */
LEAT_MUST_CHECK leat_status leat_jwt_verify(struct leat_auth *a, struct leat_str token,
                                            int64_t now_ms, struct leat_arena *arena,
                                            struct leat_str *ret, struct leat_error *err);

#endif
