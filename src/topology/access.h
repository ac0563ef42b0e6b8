/* access.h - who may ask what over HTTP, as `http.auth` and `http.limits` declare it. Immutable
 * after loading; memory is the topology's. */
#ifndef LEAT_TOPOLOGY_ACCESS_H
#define LEAT_TOPOLOGY_ACCESS_H

#include "topology/expr.h"
#include "topology/models.h"
#include "topology/names.h"

#define LEAT_ROLES_MAX         64
#define LEAT_RATE_REQUESTS_MAX 1000000

struct leat_rate {    /* a sliding window */
    int64_t requests; /* 0: no limit */
    int64_t window_ms;
};

struct leat_access_filter { /* a row is seen when its field has this value */
    uint32_t field;
    struct leat_str claim;         /* of whoever asks; "" = `value` */
    const struct leat_expr *value; /* a constant */
};
struct leat_access_model {
    const struct leat_projection *model;
    const struct leat_access_filter *where;
    uint32_t n_where;
    struct leat_names mask; /* fields that read as null */
};

struct leat_access_role {
    struct leat_str name;
    struct leat_names commands;
    bool all_commands, all_models;
    const struct leat_access_model *models;
    uint32_t n_models;
    bool streams, operate;
    struct leat_rate rate; /* requests 0: the section's */
};

struct leat_access_claim {
    struct leat_str name, value;
};
struct leat_access_key {
    struct leat_str name;
    const char *sha256; /* 64 hex digits */
    struct leat_names roles;
    const struct leat_access_claim *claims;
    uint32_t n_claims;
};

typedef enum leat_jwt_algorithm {
    LEAT_JWT_RS256,
    LEAT_JWT_HS256,
} leat_jwt_algorithm;

struct leat_access_jwt {
    bool given;
    leat_jwt_algorithm algorithm;
    const char *secret; /* HS256 */
    const char *jwks;   /* RS256: file, or address (with "://") */
    const char *ca;     /* certificates to trust there; NULL: the system's */
    const char *issuer, *audience;
    struct leat_str roles_claim;
    int64_t leeway_ms, refresh_ms;
};

typedef enum leat_rate_per {
    LEAT_RATE_PER_CALLER, /* key or subject; the address of whoever has none */
    LEAT_RATE_PER_ADDRESS,
} leat_rate_per;

struct leat_access {
    bool given; /* `http.auth` is there: without it only this machine is answered */
    const struct leat_access_role *roles;
    uint32_t n_roles;
    const struct leat_access_key *keys;
    uint32_t n_keys;
    struct leat_access_jwt jwt;
    struct leat_names anonymous; /* roles of who shows nothing; none: 401 */
    struct leat_rate rate;       /* http.limits; requests 0: none */
    leat_rate_per rate_per;
    bool rate_shared; /* counted in Redis */
    bool forwarded;   /* the address is the last one of X-Forwarded-For */
};

/* False: it would answer other machines and nothing says who may ask. `listen`: address:port. */
bool leat_access_serves(const struct leat_access *a, const char *listen);

#endif
