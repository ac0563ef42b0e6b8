#include "projection/redis_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "projection/redis_fold.h"

#define POOL_MAX 16

struct pool { /* of one URL */
    struct pool *next;
    char *url;
    struct leat_redis *at[POOL_MAX];
    bool busy[POOL_MAX];
};

static pthread_mutex_t pools_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pools_free = PTHREAD_COND_INITIALIZER;
static struct pool *pools;

static struct pool *pool_of(const char *url)
{
    struct pool *p = pools;
    while (p != NULL && strcmp(p->url, url) != 0)
        p = p->next;
    if (p != NULL)
        return p;
    p = calloc(1, sizeof *p);
    leat_assert(p != NULL);
    p->url = strdup(url);
    leat_assert(p->url != NULL);
    p->next = pools;
    pools = p;
    return p;
}

/* One that is open rather than one to be opened; -1: all are busy. */
static int free_slot(const struct pool *p)
{
    int found = -1;
    for (int i = 0; i < POOL_MAX; i++) {
        if (!p->busy[i] && (found < 0 || (p->at[i] != NULL && p->at[found] == NULL)))
            found = i;
    }
    return found;
}

static leat_status take_slot(const struct leat_topology *t, struct leat_redis **ret,
                             struct leat_error *err)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += t->redis.timeout_ms / 1000 + 1;
    struct pool *p = pool_of(t->redis.url);
    int slot = free_slot(p);
    for (int rc = 0; slot < 0 && rc == 0; slot = free_slot(p))
        rc = pthread_cond_timedwait(&pools_free, &pools_lock, &until);
    if (slot < 0)
        return leat_fail(err, LEAT_RETRY, "all %d connections to Redis are in use", POOL_MAX);
    if (p->at[slot] == NULL)
        LEAT_TRY(leat_redis_of_topology(t, &p->at[slot], err), err, "redis.url");
    p->busy[slot] = true;
    *ret = p->at[slot];
    return LEAT_OK;
}

leat_status leat_redis_take(const struct leat_topology *t, struct leat_redis **ret,
                            struct leat_error *err)
{
    struct leat_redis *r = NULL;
    (void)pthread_mutex_lock(&pools_lock);
    leat_status status = take_slot(t, &r, err);
    (void)pthread_mutex_unlock(&pools_lock);
    if (status != LEAT_OK)
        return status;
    leat_assert(r != NULL);
    status = leat_redis_ready(r, err);
    if (status != LEAT_OK) {
        leat_redis_give(r);
        return status;
    }
    *ret = r;
    return LEAT_OK;
}

void leat_redis_give(struct leat_redis *r)
{
    if (r == NULL)
        return;
    if (leat_redis_pending(r) > 0)
        leat_redis_drop(r);
    (void)pthread_mutex_lock(&pools_lock);
    for (struct pool *p = pools; p != NULL; p = p->next) {
        for (int i = 0; i < POOL_MAX; i++) {
            if (p->at[i] == r)
                p->busy[i] = false;
        }
    }
    (void)pthread_cond_signal(&pools_free);
    (void)pthread_mutex_unlock(&pools_lock);
}
