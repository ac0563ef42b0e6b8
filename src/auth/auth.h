/* auth.h - who asks, and what they may do: API keys and signed tokens against `http.auth`.
 *
 * A caller is made per request and borrows from its arena; what they may is a walk over the
 * topology's roles. Threads: any; the key set is replaced as a whole behind a lock. Without
 * `http.auth` everybody may everything (and only this machine is answered). */
#ifndef LEAT_AUTH_AUTH_H
#define LEAT_AUTH_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "topology/access.h"

struct leat_auth;

/* `access` must outlive it. INVALID: the file of the key set cannot be read, or holds no key. */
LEAT_MUST_CHECK leat_status leat_auth_new(const struct leat_access *access, struct leat_auth **ret,
                                          struct leat_error *err);
void leat_auth_free(struct leat_auth *a); /* NULL allowed */

struct leat_credentials { /* header values as sent; at == NULL: not sent */
    struct leat_str authorization, api_key;
};
struct leat_caller {
    struct leat_str name; /* of the key, or the token's `sub`; "" = anonymous */
    uint64_t roles;       /* bit i: access.roles[i] */
    const struct leat_access_claim *claims;
    uint32_t n_claims;
};
/* INVALID: not to be admitted, and why, without a word about what was shown. RETRY: the keys that a
 * token needs are being read. `now_ms`: unix. */
LEAT_MUST_CHECK leat_status leat_auth_admit(struct leat_auth *a, const struct leat_credentials *c,
                                            int64_t now_ms, struct leat_arena *arena,
                                            struct leat_caller *ret, struct leat_error *err);

/* ---- may.c: pure ---- */

bool leat_may_send(const struct leat_access *a, const struct leat_caller *c, struct leat_str type);
bool leat_may_stream(const struct leat_access *a, const struct leat_caller *c);
bool leat_may_operate(const struct leat_access *a, const struct leat_caller *c);

struct leat_grant { /* how a model is read */
    bool given;
    bool none;                             /* no row fits: a claim is missing */
    const struct leat_access_model *model; /* NULL: all of it */
};
struct leat_grant leat_may_read(const struct leat_access *a, const struct leat_caller *c,
                                const struct leat_projection *model);
/* What a filter's field must be, as text. */
struct leat_str leat_grant_value(const struct leat_access_filter *f, const struct leat_caller *c,
                                 struct leat_arena *arena);
/* The highest of the caller's roles, else the section's; requests 0: none. */
struct leat_rate leat_rate_of(const struct leat_access *a, const struct leat_caller *c);

#endif
