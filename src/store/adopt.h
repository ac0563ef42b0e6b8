/* adopt.h - which Postgres server the store is on, and taking another one for it after a fail-over
 * or a restore. Part of store.h, with its rules about threads and errors. */
#ifndef LEAT_STORE_ADOPT_H
#define LEAT_STORE_ADOPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/uuid.h"
#include "leat/str.h"

struct leat_store;
struct leat_store_page;

struct leat_server { /* a fail-over changes the timeline, a dump put back the system */
    uint64_t system;
    int32_t timeline;
};
struct leat_servers {
    int32_t partitions;
    struct leat_server adopted, now;
    bool standby; /* the one asked takes no writes; `now.timeline` is not known: 0 */
};
/* ABSENT when there is no store. */
LEAT_MUST_CHECK leat_status leat_store_servers(struct leat_store *s, struct leat_servers *ret,
                                               struct leat_error *err);
static inline bool leat_server_is_adopted(const struct leat_servers *s)
{
    return s->adopted.system == s->now.system &&
           (s->standby || s->adopted.timeline == s->now.timeline);
}
/* Says that it is another one, with the way out as a hint. Returns `status`. */
leat_status leat_server_refuse(const struct leat_store *s, const struct leat_servers *servers,
                               leat_status status, struct leat_error *err);

struct leat_event_id {
    int64_t seq;
    struct leat_uuid id;
};
/* Events of a page's slice after a seq, in seq order, at most `limit`. */
LEAT_MUST_CHECK leat_status leat_store_event_ids(struct leat_store *s,
                                                 const struct leat_store_page *p,
                                                 struct leat_arena *arena,
                                                 struct leat_event_id **ret, size_t *ret_n,
                                                 struct leat_error *err);

struct leat_fork {
    int32_t slice;
    int64_t seq;               /* the last event that stays */
    struct leat_uuid store_id; /* given by leat_store_adopt(): from there on */
};
struct leat_lost_event { /* in the topic, not in the store */
    int32_t slice;
    int64_t seq, version, offset, published_ms;
    struct leat_uuid store_id, event_id, command_id;
    struct leat_str type, stream;
};
struct leat_adoption {
    struct leat_fork *forks; /* none: all slices keep their ids */
    const struct leat_lost_event *lost;
    const struct leat_fork *foreign; /* store ids in the topic that are no ancestors */
    size_t n_forks, n_lost, n_foreign;
};
/* Forks slices, makes foreign ids void, keeps the lost events in `lost_events`, takes this server
 * for the store, and raises every epoch, in one transaction. */
LEAT_MUST_CHECK leat_status leat_store_adopt(struct leat_store *s, struct leat_adoption *a,
                                             struct leat_error *err);

#endif
