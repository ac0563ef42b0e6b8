/* blocked.h - private to src/store: who held the lock that a call waited for in vain. */
#ifndef LEAT_STORE_BLOCKED_H
#define LEAT_STORE_BLOCKED_H

#include "store/pg.h"

/* After a lock time-out: puts pid, age and state of the oldest transaction that has a fence, head
 * or relay row into the hint of err, and its pid where leat_store_blocked_by() finds it. Otherwise
 * only forgets that one. */
void leat_store_say_who_blocks(struct leat_store *s, struct leat_error *err);

#endif
