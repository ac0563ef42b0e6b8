/* backlog.h - how much waits and is dead, by processor, for metrics and people. Part of store.h,
 * with its rules about threads and errors. It counts rows: not to be asked at every turn. */
#ifndef LEAT_STORE_BACKLOG_H
#define LEAT_STORE_BACKLOG_H

#include "store/operators.h"

struct leat_backlog {
    struct leat_str processor;
    int64_t waiting;   /* rows */
    int64_t oldest_us; /* unix: since when the oldest one waits, scheduled commands left out; 0 =
                          none does */
    int64_t due_us;    /* of the next one that has a time; 0 = none has */
    int64_t dead[LEAT_DEAD_STATES];
};
/* Processors of which something waits or is dead, by name; in the arena. */
LEAT_MUST_CHECK leat_status leat_store_backlog(struct leat_store *s, struct leat_arena *arena,
                                               struct leat_backlog **ret, size_t *ret_n,
                                               struct leat_error *err);

#endif
