/* by_id.h - dead letters and waiting messages by their ids, as somebody gives them. `processor` "":
 * whichever has it. ABSENT: none has; INVALID: several have. Memory: the arena's. */
#ifndef LEAT_QUERY_BY_ID_H
#define LEAT_QUERY_BY_ID_H

#include "store/operators.h"

LEAT_MUST_CHECK leat_status leat_dead_by_id(struct leat_store *s, struct leat_str processor,
                                            const struct leat_uuid *id, struct leat_arena *arena,
                                            struct leat_dead_row *ret, struct leat_error *err);
/* Each once, by processor and slice, in the order of their deaths: what a sweep wants. */
LEAT_MUST_CHECK leat_status leat_dead_by_ids(struct leat_store *s, struct leat_str processor,
                                             const struct leat_uuid *ids, size_t n,
                                             struct leat_arena *arena, struct leat_dead_row **ret,
                                             size_t *ret_n, struct leat_error *err);
struct leat_dead_ref *leat_dead_refs_of(const struct leat_dead_row *rows, size_t n,
                                        struct leat_arena *arena);
LEAT_MUST_CHECK leat_status leat_waiter_by_id(struct leat_store *s, struct leat_str processor,
                                              const struct leat_uuid *id, struct leat_arena *arena,
                                              struct leat_waiter *ret, struct leat_error *err);

#endif
