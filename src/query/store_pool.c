#include "query/store_pool.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define POOL_MAX 16
#define WAIT_S   2

struct leat_store_pool {
    struct leat_store_options options;
    pthread_mutex_t lock;
    pthread_cond_t given;
    struct leat_store *at[POOL_MAX]; /* NULL: not opened yet */
    bool busy[POOL_MAX];
    int size;
};

struct leat_store_pool *leat_store_pool_new(const struct leat_store_options *options, int size)
{
    leat_assert(size > 0 && size <= POOL_MAX);
    struct leat_store_pool *p = calloc(1, sizeof *p);
    leat_assert(p != NULL);
    p->options = *options;
    p->size = size;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->given, NULL);
    return p;
}

void leat_store_pool_free(struct leat_store_pool *p)
{
    if (p == NULL)
        return;
    for (int i = 0; i < p->size; i++) {
        leat_assert(!p->busy[i]);
        leat_store_close(p->at[i]);
    }
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_cond_destroy(&p->given);
    free(p);
}

/* An open connection before one that must be made. */
static int find_free(const struct leat_store_pool *p)
{
    int found = -1;
    for (int i = 0; i < p->size; i++) {
        if (p->busy[i])
            continue;
        if (p->at[i] != NULL)
            return i;
        found = found < 0 ? i : found;
    }
    return found;
}

static int take_slot(struct leat_store_pool *p)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;
    (void)pthread_mutex_lock(&p->lock);
    int slot = find_free(p), rc = 0;
    while (slot < 0 && rc == 0) {
        rc = pthread_cond_timedwait(&p->given, &p->lock, &until);
        slot = find_free(p);
    }
    if (slot >= 0)
        p->busy[slot] = true;
    (void)pthread_mutex_unlock(&p->lock);
    return slot;
}

static void give_slot(struct leat_store_pool *p, int slot)
{
    (void)pthread_mutex_lock(&p->lock);
    p->busy[slot] = false;
    (void)pthread_cond_signal(&p->given);
    (void)pthread_mutex_unlock(&p->lock);
}

leat_status leat_store_pool_take(struct leat_store_pool *p, struct leat_store **ret,
                                 struct leat_error *err)
{
    int slot = take_slot(p);
    if (slot < 0)
        return leat_fail(err, LEAT_RETRY, "all %d connections to the store are busy", p->size);
    leat_status status = LEAT_OK;
    if (p->at[slot] == NULL) {
        status = leat_store_open(&p->options, &p->at[slot], err);
    } else if (!leat_store_connected(p->at[slot])) {
        status = leat_store_reconnect(p->at[slot], err);
    }
    if (status != LEAT_OK) {
        give_slot(p, slot);
        return status;
    }
    *ret = p->at[slot];
    return LEAT_OK;
}

void leat_store_pool_give(struct leat_store_pool *p, struct leat_store *s)
{
    for (int i = 0; i < p->size; i++) {
        if (p->at[i] == s) {
            give_slot(p, i);
            return;
        }
    }
    leat_assert(s == NULL);
}
