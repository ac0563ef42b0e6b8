/* url.h - what a redis:// URL says. Private to this folder. */
#ifndef LEAT_REDIS_URL_H
#define LEAT_REDIS_URL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define LEAT_REDIS_HOSTS_MAX 16
#define LEAT_REDIS_HOST_MAX  256

struct leat_redis_url {
    struct {
        char name[LEAT_REDIS_HOST_MAX];
        int port;
    } hosts[LEAT_REDIS_HOSTS_MAX];
    size_t n_hosts;
    char user[128], password[512]; /* "" = none */
    int db;
};

/* INVALID: what is wrong, without the password. */
LEAT_MUST_CHECK leat_status leat_redis_url_parse(const char *text, struct leat_redis_url *ret,
                                                 struct leat_error *err);

#endif
