#include "guard/limiter.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/status.h"

#define PARTS 16
#define WAYS  8 /* places a key may have */

struct place {
    uint64_t key; /* hash; 0 = free */
    int64_t window_ms, bucket;
    uint64_t used; /* turn of the last use */
    int64_t before, now;
};
struct part {
    pthread_mutex_t lock;
    uint64_t turn;
    struct place *places;
};
struct leat_limiter {
    size_t sets; /* of WAYS places, per part */
    struct part parts[PARTS];
};

struct leat_limiter *leat_limiter_new(size_t keys_max)
{
    struct leat_limiter *l = calloc(1, sizeof *l);
    leat_assert(l != NULL);
    l->sets = keys_max / (PARTS * (size_t)WAYS) + 1;
    for (int i = 0; i < PARTS; i++) {
        (void)pthread_mutex_init(&l->parts[i].lock, NULL);
        l->parts[i].places = calloc(l->sets * WAYS, sizeof *l->parts[i].places);
        leat_assert(l->parts[i].places != NULL);
    }
    return l;
}

void leat_limiter_free(struct leat_limiter *l)
{
    if (l == NULL)
        return;
    for (int i = 0; i < PARTS; i++) {
        (void)pthread_mutex_destroy(&l->parts[i].lock);
        free(l->parts[i].places);
    }
    free(l);
}

struct leat_limited leat_limit_judge(const struct leat_limit *limit, int64_t before, int64_t now,
                                     int64_t into_ms)
{
    int64_t window = limit->window_ms;
    /* before * left / window, rounded up: a limit is not to be passed by rounding */
    int64_t weighed = (before * (window - into_ms) + window - 1) / window;
    int64_t left = limit->requests - weighed - now;
    struct leat_limited ret = {.allowed = left > 0,
                               .remaining = left > 0 ? left - 1 : 0,
                               .reset_ms = 2 * window - into_ms};
    if (ret.allowed)
        return ret;
    if (now >= limit->requests) {
        /* Only in the next bucket, when enough of this one has slid out of the window. */
        int64_t over = now - limit->requests + 1;
        ret.retry_after_ms = window - into_ms + (over * window + now - 1) / now;
    } else {
        int64_t may = limit->requests - now - 1; /* of the bucket before, to let one pass */
        ret.retry_after_ms = window - into_ms - may * window / before;
    }
    return ret;
}

static void slide(struct place *p, const struct leat_limit *limit, int64_t now_ms)
{
    int64_t bucket = now_ms / limit->window_ms;
    if (p->window_ms != limit->window_ms)
        p->before = p->now = 0;
    else if (bucket == p->bucket + 1)
        p->before = p->now;
    else if (bucket != p->bucket)
        p->before = 0;
    if (p->window_ms != limit->window_ms || bucket != p->bucket)
        p->now = 0;
    p->window_ms = limit->window_ms;
    p->bucket = bucket;
}

static struct place *place_of(struct leat_limiter *l, struct part *part, uint64_t key)
{
    struct place *set = &part->places[key / PARTS % l->sets * WAYS];
    struct place *oldest = set;
    for (int i = 0; i < WAYS; i++) {
        if (set[i].key == key)
            return &set[i];
        if (set[i].used < oldest->used)
            oldest = &set[i];
    }
    *oldest = (struct place){.key = key};
    return oldest;
}

struct leat_limited leat_limiter_take(struct leat_limiter *l, struct leat_str key,
                                      const struct leat_limit *limit, int64_t now_ms)
{
    uint64_t hash = leat_hash64(key.at, key.len, (uint64_t)(uintptr_t)l) | 1;
    struct part *part = &l->parts[hash >> 60 & (PARTS - 1)];
    (void)pthread_mutex_lock(&part->lock);
    struct place *p = place_of(l, part, hash);
    p->used = ++part->turn;
    slide(p, limit, now_ms);
    struct leat_limited ret = leat_limit_judge(limit, p->before, p->now, now_ms % limit->window_ms);
    p->now += ret.allowed;
    (void)pthread_mutex_unlock(&part->lock);
    return ret;
}
