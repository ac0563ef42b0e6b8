/* http_get.h - one small GET to a leat on this machine or another, bounded in time and bytes. */
#ifndef LEAT_CLI_HTTP_GET_H
#define LEAT_CLI_HTTP_GET_H

#include "base/arena.h"
#include "base/status.h"
#include "leat/str.h"

#define LEAT_LISTEN_DEFAULT "127.0.0.1:8080" /* as the HTTP role's */

struct leat_address {
    char host[256], port[16];
};
/* "127.0.0.1:8080", "[::1]:80", ":8080"; an address that listens everywhere is asked at loopback.
 * INVALID when it is none. */
LEAT_MUST_CHECK leat_status leat_address_parse(const char *text, struct leat_address *ret,
                                               struct leat_error *err);
/* A connected socket, -1 with *ret_why: "connection refused" and the like (static text). */
int leat_address_connect(const struct leat_address *a, int timeout_ms, const char **ret_why);

struct leat_http_answer {
    int status;
    struct leat_str body; /* in the arena */
};
/* RETRY when there is no answer. */
LEAT_MUST_CHECK leat_status leat_http_get(const struct leat_address *a, const char *path,
                                          int timeout_ms, struct leat_arena *arena,
                                          struct leat_http_answer *ret, struct leat_error *err);

#endif
