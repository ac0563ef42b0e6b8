/* row_cache.h - rows of a model as their folder wrote them last, so that they need not be fetched.
 *
 * Bounded in bytes, in two generations: what was written lately is in the young one; when that is
 * full it becomes the old one, whose rows are forgotten. A slice is dropped when somebody else may
 * have written it. A slice that began empty is known whole until something of it was forgotten: a
 * key that is not here has no row. No I/O. Owner: one thread. */
#ifndef LEAT_PROJECTION_ROW_CACHE_H
#define LEAT_PROJECTION_ROW_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/str.h"

struct leat_row_cache;

typedef enum leat_row_cached {
    LEAT_CACHED_UNKNOWN,
    LEAT_CACHED_ABSENT, /* there is no such row */
    LEAT_CACHED_ROW,
} leat_row_cached;

/* max_bytes: of keys and rows; fewer than 64 KiB hold nothing. */
struct leat_row_cache *leat_row_cache_new(int32_t slices, size_t max_bytes);
void leat_row_cache_free(struct leat_row_cache *c); /* NULL allowed */

/* Before many gets, for each of them in two rounds: memory that is far away is fetched meanwhile.
 */
void leat_row_cache_expect(const struct leat_row_cache *c, uint64_t hash, bool second_round);
/* `hash` follows key and slice. ROW: *ret is borrowed until the next put. */
leat_row_cached leat_row_cache_get(const struct leat_row_cache *c, int32_t slice, uint64_t hash,
                                   struct leat_str key, struct leat_str *ret);
/* `row` "" = there is none. */
void leat_row_cache_put(struct leat_row_cache *c, int32_t slice, uint64_t hash, struct leat_str key,
                        struct leat_str row);
/* Nothing is known of the slice any more; or, `empty`, that it has no rows. */
void leat_row_cache_drop(struct leat_row_cache *c, int32_t slice, bool empty);

#endif
