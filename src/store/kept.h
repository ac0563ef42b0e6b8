/* kept.h - what reading dead letters and reading what waits have in common. Inside store. */
#ifndef LEAT_STORE_KEPT_H
#define LEAT_STORE_KEPT_H

#include "store/operators.h"
#include "store/pg.h"

/* Parameter of a filter: null is any key. */
void leat_kept_key(struct leat_pg_params *p, bool has_key, struct leat_str key);
/* Rows of (processor, slice, id) in the order of `sql`. */
LEAT_MUST_CHECK leat_status leat_kept_refs(struct leat_store *s, const char *sql,
                                           struct leat_arena *arena, struct leat_dead_ref **ret,
                                           size_t *ret_n, struct leat_error *err);

#endif
