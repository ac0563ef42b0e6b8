/* table.h - map from bytes to a word (a number or a pointer), open addressing. Keys are copied;
 * what a pointer points to stays the caller's. Owner: one thread. Out of memory aborts. */
#ifndef LEAT_BASE_TABLE_H
#define LEAT_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/str.h"

struct leat_table_slot; /* private */

struct leat_table { /* zero-initialised is empty and valid */
    struct leat_table_slot *slots;
    size_t cap, count;
};

void leat_table_done(struct leat_table *t); /* frees; the struct is empty again */
void leat_table_clear(struct leat_table *t);
bool leat_table_get(const struct leat_table *t, struct leat_str key, uint64_t *ret_value);
/* The value's place, created as 0 when absent; valid until the next put or delete. */
uint64_t *leat_table_at(struct leat_table *t, struct leat_str key, bool *ret_created);
void leat_table_put(struct leat_table *t, struct leat_str key, uint64_t value); /* replaces */
bool leat_table_delete(struct leat_table *t, struct leat_str key);
/* Starts with *cursor = 0; no put or delete while it runs. False at the end. */
bool leat_table_next(const struct leat_table *t, size_t *cursor, struct leat_str *ret_key,
                     uint64_t *ret_value);

static inline void *leat_table_get_ptr(const struct leat_table *t, struct leat_str key)
{
    uint64_t value = 0;
    return leat_table_get(t, key, &value) ? (void *)(uintptr_t)value : NULL;
}

static inline void leat_table_put_ptr(struct leat_table *t, struct leat_str key, void *value)
{
    leat_table_put(t, key, (uint64_t)(uintptr_t)value);
}

#endif
