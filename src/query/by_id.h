/* by_id.h - dead letters and waiting messages by their ids, as somebody gives them. `processor` "":
 * whichever has it. ABSENT: none has; INVALID: several have. Memory: the arena's. */
#ifndef LEAT_QUERY_BY_ID_H
#define LEAT_QUERY_BY_ID_H

#include "store/operators.h"

LEAT_MUST_CHECK leat_status leat_dead_by_id(struct leat_store *s, struct leat_str processor,
                                            const struct leat_uuid *id, struct leat_arena *arena,
                                            struct leat_dead_row *ret, struct leat_error *err);
struct leat_uuids {
    struct leat_uuid *at;
    size_t n;
};
struct leat_dead_rows {
    struct leat_dead_row *at;
    size_t n;
};
/* Each once, by processor and slice, in the order of their deaths: what a sweep wants. */
LEAT_MUST_CHECK leat_status leat_dead_by_ids(struct leat_store *s, struct leat_str processor,
                                             const struct leat_uuids *ids, struct leat_arena *arena,
                                             struct leat_dead_rows *ret, struct leat_error *err);
struct leat_dead_ref *leat_dead_refs_of(const struct leat_dead_rows *rows,
                                        struct leat_arena *arena);
LEAT_MUST_CHECK leat_status leat_waiter_by_id(struct leat_store *s, struct leat_str processor,
                                              const struct leat_uuid *id, struct leat_arena *arena,
                                              struct leat_waiter *ret, struct leat_error *err);

#endif
