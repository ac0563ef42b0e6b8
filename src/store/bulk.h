/* bulk.h - many events of one slice, as a stream: COPY in binary form, for rebuilds.
 *
 * Between begin and the end the handle serves nothing else, and the server keeps a snapshot open:
 * ask for ranges that are read within seconds. Threads and errors as store.h. */
#ifndef LEAT_STORE_BULK_H
#define LEAT_STORE_BULK_H

#include "store/store.h"

struct leat_bulk_range { /* seqs in (after, upto] */
    int32_t slice;
    int64_t after, upto;
};
LEAT_MUST_CHECK leat_status leat_store_bulk_begin(struct leat_store *s,
                                                  const struct leat_bulk_range *range,
                                                  struct leat_error *err);
/* The next events in seq order, at most `max`, into `ret`; texts in the arena. Only seq, id,
 * command_id, stream, type, payload and recorded_at_us are filled. Fewer than `max`: that was all,
 * and the handle is free again. */
LEAT_MUST_CHECK leat_status leat_store_bulk_next(struct leat_store *s, struct leat_arena *arena,
                                                 struct leat_stored_event *ret, size_t max,
                                                 size_t *ret_n, struct leat_error *err);
/* Gives up what has not come yet: the handle must be connected again. */
void leat_store_bulk_stop(struct leat_store *s);

#endif
