/* cache.h - states of streams an executor has lately decided on, as Avro bytes with their version.
 *
 * An entry is right as of `as_of`, a seq of its slice. Bounded in bytes; what has not been used
 * since the hand last came by goes first. Of one version of the aggregate: a process loads its
 * modules once, and a cache does not outlive it. Owner: one executor. Entries move: a pointer is
 * valid until the next put. */
#ifndef LEAT_WORKER_CACHE_H
#define LEAT_WORKER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/str.h"

struct leat_cache;

struct leat_cached {
    int64_t version, as_of;
    struct leat_str state;
};

struct leat_cache *leat_cache_new(size_t max_bytes, int32_t partitions);
void leat_cache_free(struct leat_cache *c);
bool leat_cache_get(struct leat_cache *c, int32_t k, struct leat_str key, struct leat_cached *ret);
void leat_cache_put(struct leat_cache *c, int32_t k, struct leat_str key,
                    const struct leat_cached *value);
void leat_cache_drop(struct leat_cache *c, int32_t k, struct leat_str key);
void leat_cache_drop_slice(struct leat_cache *c, int32_t k); /* constant time */
size_t leat_cache_bytes(const struct leat_cache *c);
size_t leat_cache_count(const struct leat_cache *c);

#endif
