/* trim.h - rows that are done with go when they have been kept long enough (`store.keep_commands`,
 * `store.keep_dead_letters`). Threads and errors as in store.h; a call whose outcome is unknown may
 * be made again. */
#ifndef LEAT_STORE_TRIM_H
#define LEAT_STORE_TRIM_H

#include "store/store.h"

struct leat_trim {
    int64_t keep_commands_ms, keep_dead_letters_ms;
    int32_t pages; /* of a table, looked at in one step */
};
struct leat_trimmed {
    struct leat_str what; /* a table, in the arena; "" = nothing is to be done now */
    int32_t slice;        /* -1: the table is not one of a slice */
    int64_t removed;      /* rows, by this step */
    bool ended;           /* the pass through the table, which removed `passed` rows */
    int64_t passed;
    int64_t wait_ms; /* until the next pass is due; 0 = go on */
};
/* One step of a pass that is due. Any number of processes may ask: each pass is made once. */
LEAT_MUST_CHECK leat_status leat_store_trim(struct leat_store *s, const struct leat_trim *t,
                                            struct leat_arena *arena, struct leat_trimmed *ret,
                                            struct leat_error *err);

#endif
