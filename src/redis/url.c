#include "redis/url.h"

#include <stdlib.h>
#include <string.h>

#define SCHEME       "redis://"
#define TLS_SCHEME   "rediss://"
#define DEFAULT_PORT 6379
#define DB_MAX       65535

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* False when it does not fit or a %XX is none. */
static bool unescape(const char *at, size_t len, char *to, size_t room)
{
    size_t n = 0;
    for (size_t i = 0; i < len; i++) {
        char c = at[i];
        if (c == '%') {
            int high = i + 2 < len ? hex(at[i + 1]) : -1;
            int low = i + 2 < len ? hex(at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        if (n + 1 >= room || c == 0)
            return false;
        to[n++] = c;
    }
    to[n] = 0;
    return true;
}

static bool number(const char *at, size_t len, int max, int *ret)
{
    int v = 0;
    if (len == 0 || len > 6)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (at[i] < '0' || at[i] > '9')
            return false;
        v = v * 10 + (at[i] - '0');
    }
    *ret = v;
    return v <= max;
}

static leat_status user_info(const char *at, size_t len, struct leat_redis_url *u,
                             struct leat_error *err)
{
    const char *colon = memchr(at, ':', len);
    size_t user_len = colon == NULL ? len : (size_t)(colon - at);
    bool good = unescape(at, user_len, u->user, sizeof u->user);
    if (good && colon != NULL)
        good = unescape(colon + 1, len - user_len - 1, u->password, sizeof u->password);
    return good ? LEAT_OK
                : leat_fail(err, LEAT_INVALID,
                            "the user or password of the Redis URL is too long or not escaped "
                            "well");
}

static leat_status host(const char *at, size_t len, struct leat_redis_url *u,
                        struct leat_error *err)
{
    const char *end = at + len, *colon = NULL;
    const char *name = at, *name_end = end;
    if (u->n_hosts == LEAT_REDIS_HOSTS_MAX) {
        return leat_fail(err, LEAT_INVALID, "a Redis URL names at most %d hosts",
                         LEAT_REDIS_HOSTS_MAX);
    }
    if (len > 0 && at[0] == '[') { /* [::1]:6379 */
        name_end = memchr(at, ']', len);
        name = at + 1;
        colon = name_end != NULL && name_end + 1 < end ? name_end + 1 : NULL;
    } else {
        colon = memchr(at, ':', len);
        name_end = colon == NULL ? end : colon;
    }
    int port = DEFAULT_PORT;
    bool good = name_end != NULL && name_end > name &&
                (size_t)(name_end - name) < LEAT_REDIS_HOST_MAX && (colon == NULL || *colon == ':');
    if (good && colon != NULL)
        good = number(colon + 1, (size_t)(end - colon - 1), 65535, &port) && port > 0;
    if (!good)
        return leat_fail(err, LEAT_INVALID, "'%.*s' is no host:port", (int)(len & 0xff), at);
    memcpy(u->hosts[u->n_hosts].name, name, (size_t)(name_end - name));
    u->hosts[u->n_hosts++].port = port;
    return LEAT_OK;
}

leat_status leat_redis_url_parse(const char *text, struct leat_redis_url *ret,
                                 struct leat_error *err)
{
    struct leat_redis_url u = {.n_hosts = 0};
    if (strncmp(text, TLS_SCHEME, strlen(TLS_SCHEME)) == 0) {
        return leat_fail(err, LEAT_INVALID,
                         "rediss:// is not spoken yet: put a TLS proxy such as stunnel in front");
    }
    if (strncmp(text, SCHEME, strlen(SCHEME)) != 0)
        return leat_fail(err, LEAT_INVALID, "a Redis URL starts with redis://");
    const char *at = text + strlen(SCHEME);
    const char *end = at + strcspn(at, "/?#");
    const char *sign = NULL;
    for (const char *p = at; p < end; p++)
        sign = *p == '@' ? p : sign;
    if (sign != NULL) {
        LEAT_TRY(user_info(at, (size_t)(sign - at), &u, err), err, "Redis");
        at = sign + 1;
    }
    while (at <= end) {
        size_t len = 0;
        while (at + len < end && at[len] != ',')
            len++;
        LEAT_TRY(host(at, len, &u, err), err, "Redis URL");
        at += len + 1;
    }
    if (*end == '/' && end[1] != 0 && !number(end + 1, strlen(end + 1), DB_MAX, &u.db))
        return leat_fail(err, LEAT_INVALID, "'%.20s' is no number of a Redis database", end + 1);
    if (*end == '?' || *end == '#')
        return leat_fail(err, LEAT_INVALID, "a Redis URL has no options: '%.40s'", end);
    *ret = u;
    return LEAT_OK;
}
