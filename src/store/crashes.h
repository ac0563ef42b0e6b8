/* crashes.h - messages whose handler ended its process, as known to the store. Part of store.h,
 * with its rules about threads and errors. */
#ifndef LEAT_STORE_CRASHES_H
#define LEAT_STORE_CRASHES_H

#include <stdbool.h>

#include "store/store.h"

struct leat_crash {
    struct leat_str processor; /* empty in what leat_store_suspects gives */
    int32_t k;
    struct leat_uuid id;
    struct leat_str topic; /* as in the store's lanes */
    int64_t offset;
    int32_t signal; /* 0: none */
    bool hung;
    struct leat_str handler, text; /* its type; one line for people */
    struct leat_uuid evidence;     /* in: of this piece */
    int32_t tries;                 /* out */
};
/* Counts one more try against the message unless this evidence is known already. */
LEAT_MUST_CHECK leat_status leat_store_record_crash(struct leat_store *s,
                                                    const struct leat_crash *c, int32_t *ret_tries,
                                                    struct leat_error *err);
/* What stands against messages of the ks that are not settled, by k; in the arena. */
LEAT_MUST_CHECK leat_status leat_store_suspects(struct leat_store *s,
                                                const struct leat_fence_ask *ask,
                                                struct leat_arena *arena, struct leat_crash **ret,
                                                size_t *ret_n, struct leat_error *err);
/* These are settled (k and id count): nothing stands against them any more. */
LEAT_MUST_CHECK leat_status leat_store_acquit(struct leat_store *s, struct leat_str processor,
                                              const struct leat_crash *settled, size_t n,
                                              struct leat_error *err);

#endif
