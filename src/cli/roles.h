/* roles.h - the parts of a running leat in one process: workers, relay, projector, HTTP. */
#ifndef LEAT_CLI_ROLES_H
#define LEAT_CLI_ROLES_H

#include "base/status.h"
#include "codec/schemas.h"
#include "store/store.h"
#include "topology/topology.h"

enum { /* bits */
    LEAT_ROLE_WORKER = 1,
    LEAT_ROLE_RELAY = 2,
    LEAT_ROLE_PROJECTOR = 4,
    LEAT_ROLE_HTTP = 8,
    LEAT_ROLE_ALL = 15,
};

/* The bit of a role's name, 0: there is none of that name. */
unsigned leat_role_of(struct leat_str name);
void leat_roles_names(unsigned roles, char *ret, size_t room); /* "worker,relay" */

struct leat_family;
struct leat_family_member;
struct leat_roles_config {
    const struct leat_topology *topology;
    struct leat_schemas *schemas;
    struct leat_store_options store;
    unsigned roles;
    const struct leat_str *processors; /* of this process; n 0 = all */
    size_t n_processors;
    const char *instance_id; /* NULL: dynamic members */
    int32_t session_timeout_ms, threads;
    const int32_t *only_k; /* workers work on this k alone; NULL: all */
    const char *data_dir, *listen;
    int stop_timeout_ms;
    /* Whose processes' figures are told beside ours, and where ours stand; NULL: it is alone. */
    const struct leat_family *family;
    struct leat_family_member *member;
};

struct leat_roles;
/* Starts everything, or nothing: on failure what had started is stopped again. */
LEAT_MUST_CHECK leat_status leat_roles_start(const struct leat_roles_config *c,
                                             struct leat_roles **ret, struct leat_error *err);
/* Stops intake first (HTTP, workers), then relay and projector, so that what is
 * committed goes out. */
bool leat_roles_stop(struct leat_roles *r);
/* Of a family: lets the others see how this process does. One thread. */
void leat_roles_publish(struct leat_roles *r);
int leat_roles_port(const struct leat_roles *r); /* HTTP; 0 = none */
/* One line about what moves, for the text log of --dev. */
void leat_roles_line(struct leat_roles *r, char *ret, size_t room);

#endif
