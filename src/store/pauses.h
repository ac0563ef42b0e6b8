/* pauses.h - processors that stand still until a person says go on. Threads and errors as in
 * store.h. */
#ifndef LEAT_STORE_PAUSES_H
#define LEAT_STORE_PAUSES_H

#include "store/store.h"

struct leat_pause {
    struct leat_str processor, reason, by; /* by: "flood", or who asked */
    int64_t since_ms;                      /* unix */
};
/* *ret_paused false: it is paused already, for the reason it has. */
LEAT_MUST_CHECK leat_status leat_store_pause(struct leat_store *s, const struct leat_pause *pause,
                                             bool *ret_paused, struct leat_error *err);
/* ABSENT: it is not paused. */
LEAT_MUST_CHECK leat_status leat_store_resume(struct leat_store *s, struct leat_str processor,
                                              struct leat_error *err);
/* In the arena, by processor. */
LEAT_MUST_CHECK leat_status leat_store_pauses(struct leat_store *s, struct leat_arena *arena,
                                              struct leat_pause **ret, size_t *ret_n,
                                              struct leat_error *err);

#endif
