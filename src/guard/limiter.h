/* limiter.h - so many requests in a sliding window, per key, within this process.
 *
 * The window slides over two buckets: those of the bucket before count by the share of it that the
 * window still covers. So at most `requests` pass in any window when they come evenly, and at most
 * twice as many when they come in two bursts at the worst places.
 *
 * It reads no clock: `now_ms` is the caller's, of one clock. Bounded: with all places taken the key
 * used longest ago is forgotten. Threads: any; a lock per part of the table. */
#ifndef LEAT_GUARD_LIMITER_H
#define LEAT_GUARD_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/str.h"

struct leat_limiter;

struct leat_limit {
    int64_t requests; /* at least 1 */
    int64_t window_ms;
};
struct leat_limited {
    bool allowed;
    int64_t remaining;      /* requests that would pass now */
    int64_t reset_ms;       /* from now, until nothing of what was counted counts any more */
    int64_t retry_after_ms; /* refused: when one will pass, if none comes before */
};

struct leat_limiter *leat_limiter_new(size_t keys_max);
void leat_limiter_free(struct leat_limiter *l); /* NULL allowed */
/* Counts one request of `key` unless it is refused. */
struct leat_limited leat_limiter_take(struct leat_limiter *l, struct leat_str key,
                                      const struct leat_limit *limit, int64_t now_ms);

/* What two buckets mean, for whoever keeps them elsewhere: `before` and `now` requests, the bucket
 * of `now` having begun `into_ms` ago. `allowed` counts the one that asks as not in `now` yet. */
struct leat_limited leat_limit_judge(const struct leat_limit *limit, int64_t before, int64_t now,
                                     int64_t into_ms);

#endif
