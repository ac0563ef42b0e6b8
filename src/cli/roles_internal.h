/* roles_internal.h - shared by roles.c and roles_figures.c; nobody else includes it. */
#ifndef LEAT_CLI_ROLES_INTERNAL_H
#define LEAT_CLI_ROLES_INTERNAL_H

#include <pthread.h>

#include "cli/family.h"
#include "cli/roles.h"
#include "projection/projection.h"
#include "query/query.h"

#define ROLES_WORKERS_MAX LEAT_FAMILY_PROCESSORS

struct leat_roles {
    struct leat_roles_config c;
    pthread_rwlock_t relay_lock; /* readers: executors; writer: who ends the relay */
    struct leat_relay *relay;
    struct leat_projector *projector;
    struct leat_worker *workers[ROLES_WORKERS_MAX];
    const struct leat_processor *processors[ROLES_WORKERS_MAX];
    size_t worker_count;
    struct leat_http *http;
    int64_t started_ms;
    struct leat_family_figures own; /* of leat_roles_publish */
};

/* roles_figures.c: what the HTTP server asks, of this process and of its family. Any thread. */
void leat_roles_metrics(void *arg, struct leat_buf *out);
const char *leat_roles_ready(void *arg); /* NULL = it is */
void leat_roles_details(void *arg, struct leat_json_writer *reasons_of,
                        struct leat_json_writer *stalled);

#endif
