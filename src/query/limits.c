#include "query/limits.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "guard/breaker.h"
#include "redis/redis.h"

#define KEYS_MAX      65536
#define REDIS_MS      100 /* for one answer: whoever asks waits for it */
#define REDIS_AWAY_MS 1000
#define KEY_BYTES     128

/* One key per caller and window: bucket, requests in it and in the one before. The server's clock,
 * as those of the processes differ. */
static const char script[] =
    "local t = redis.call('TIME')\n"
    "local ms = t[1] * 1000 + math.floor(t[2] / 1000)\n"
    "local requests, window = tonumber(ARGV[1]), tonumber(ARGV[2])\n"
    "local bucket = math.floor(ms / window)\n"
    "local kept = redis.call('HMGET', KEYS[1], 'b', 'n', 'p')\n"
    "local b, n, p = tonumber(kept[1]) or 0, tonumber(kept[2]) or 0, tonumber(kept[3]) or 0\n"
    "if b == bucket - 1 then p = n elseif b ~= bucket then p = 0 end\n"
    "if b ~= bucket then n = 0 end\n"
    "local into = ms % window\n"
    "local now = n\n"
    "if math.ceil(p * (window - into) / window) + n < requests then n = n + 1 end\n"
    "redis.call('HSET', KEYS[1], 'b', bucket, 'n', n, 'p', p)\n"
    "redis.call('PEXPIRE', KEYS[1], 2 * window)\n"
    "return {p, now, into}\n";
static const char *const scripts[] = {script};

struct leat_limits {
    struct leat_limiter *own;
    struct leat_str name;     /* of the topology */
    pthread_mutex_t lock;     /* of the connection */
    struct leat_redis *redis; /* NULL: not shared */
    struct leat_breaker *breaker;
};

leat_status leat_limits_new(const struct leat_topology *t, struct leat_limits **ret,
                            struct leat_error *err)
{
    struct leat_limits *l = calloc(1, sizeof *l);
    leat_assert(l != NULL);
    l->own = leat_limiter_new(KEYS_MAX);
    l->name = t->name;
    (void)pthread_mutex_init(&l->lock, NULL);
    if (t->http.access.rate_shared) {
        struct leat_redis_options o = {
            .url = t->redis.url, .scripts = scripts, .n_scripts = 1, .timeout_ms = REDIS_MS};
        struct leat_breaker_config b = {.failures = 1, .open_for_ms = REDIS_AWAY_MS, .trials = 1};
        l->breaker = leat_breaker_new(&b);
        leat_status status = leat_redis_open(&o, &l->redis, err);
        if (status != LEAT_OK) {
            leat_limits_free(l);
            return status;
        }
    }
    *ret = l;
    return LEAT_OK;
}

void leat_limits_free(struct leat_limits *l)
{
    if (l == NULL)
        return;
    leat_redis_close(l->redis);
    leat_breaker_free(l->breaker);
    leat_limiter_free(l->own);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

/* Held: l->lock. */
static leat_status ask(struct leat_limits *l, struct leat_str key, const struct leat_limit *limit,
                       struct leat_limited *ret, struct leat_error *err)
{
    const struct leat_redis_reply *r = NULL;
    LEAT_TRY(leat_redis_ready(l->redis, err), err, "limits");
    leat_redis_script(l->redis, 0, 1, 2);
    leat_redis_arg(l->redis, key);
    leat_redis_arg_int(l->redis, limit->requests);
    leat_redis_arg_int(l->redis, limit->window_ms);
    LEAT_TRY(leat_redis_reply(l->redis, &r, err), err, "limits");
    if (leat_redis_count(r) != 3)
        return leat_fail(err, LEAT_RETRY, "limits: an answer of another form");
    *ret = leat_limit_judge(limit, leat_redis_int(leat_redis_item(r, 0)),
                            leat_redis_int(leat_redis_item(r, 1)),
                            leat_redis_int(leat_redis_item(r, 2)));
    return LEAT_OK;
}

/* The caller's name may be long and is nobody else's business: its hash stands for it. */
static struct leat_str redis_key(const struct leat_limits *l, struct leat_str key,
                                 const struct leat_limit *limit, char text[KEY_BYTES])
{
    uint8_t digest[32];
    char hex[33];
    leat_sha256(key.at, key.len, digest);
    for (int i = 0; i < 16; i++)
        (void)snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
    (void)snprintf(text, KEY_BYTES, "%.*s.limits.%lld.{%s}", LEAT_STR_FMT(l->name),
                   (long long)limit->window_ms, hex);
    return leat_str_of(text);
}

static bool take_shared(struct leat_limits *l, struct leat_str key, const struct leat_limit *limit,
                        struct leat_limited *ret)
{
    char text[KEY_BYTES];
    struct leat_error err = {0};
    struct leat_breaker_pass pass = leat_breaker_begin(l->breaker, leat_mono_us() / 1000);
    if (!pass.allowed)
        return false;
    struct leat_str shared = redis_key(l, key, limit, text);
    (void)pthread_mutex_lock(&l->lock);
    leat_status status = ask(l, shared, limit, ret, &err);
    if (status != LEAT_OK)
        leat_redis_drop(l->redis);
    (void)pthread_mutex_unlock(&l->lock);
    leat_breaker_end(l->breaker, &pass, status == LEAT_OK, leat_mono_us() / 1000);
    if (status != LEAT_OK)
        leat_log_limited(LEAT_LOG_WARN, "query", "limits", "%s; counting alone", err.msg);
    return status == LEAT_OK;
}

struct leat_limited leat_limits_take(struct leat_limits *l, struct leat_str key,
                                     const struct leat_limit *limit)
{
    struct leat_limited ret;
    if (l->redis != NULL && take_shared(l, key, limit, &ret))
        return ret;
    return leat_limiter_take(l->own, key, limit, leat_now_ms());
}
