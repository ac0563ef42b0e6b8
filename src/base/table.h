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
bool leat_table_get(const struct leat_table *t, struct leat_str key, uint64_t *ret_value);
/* The value's place, created as 0 when absent; valid until the next put or delete. */
uint64_t *leat_table_at(struct leat_table *t, struct leat_str key, bool *ret_created);
void leat_table_put(struct leat_table *t, struct leat_str key, uint64_t value); /* replaces */
bool leat_table_delete(struct leat_table *t, struct leat_str key);

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
