/* arena.h - bump memory with one lifetime, usually a batch: nothing in it is freed alone.
 * Owner: one thread. leat_arena_reset() keeps the blocks up to `keep_bytes` for the next batch. */
#ifndef LEAT_BASE_ARENA_H
#define LEAT_BASE_ARENA_H

#include <stddef.h>

#include "base/status.h"
#include "leat/str.h"

struct leat_arena;

struct leat_arena *leat_arena_new(size_t block_bytes, size_t keep_bytes); /* ends without memory */
void leat_arena_free(struct leat_arena *a);
void leat_arena_reset(struct leat_arena *a);
/* 16-byte aligned, not zeroed; never NULL (out of memory ends the process, with a message). */
void *leat_arena_alloc(struct leat_arena *a, size_t bytes);
void *leat_arena_zalloc(struct leat_arena *a, size_t count, size_t size);
struct leat_str leat_arena_copy(struct leat_arena *a, struct leat_str s);
char *leat_arena_cstr(struct leat_arena *a, struct leat_str s); /* NUL-terminated copy */
char *leat_arena_printf(struct leat_arena *a, const char *fmt, ...) LEAT_PRINTF(2, 3);
size_t leat_arena_used(const struct leat_arena *a);
/* Grows an array whose elements live in the arena: returns the (moved) array with room for
 * `need` elements; *cap is updated. Old memory stays in the arena until reset. */
void *leat_arena_grow(struct leat_arena *a, void *array, size_t elem_bytes, size_t *cap,
                      size_t need);

#endif
