/* coded_guard.h - what stands between a projection's C code that crashes or never ends, and a model
 * that never gets past one event.
 *
 * Which event a function is at stands in a file of the model's folder, as mapped memory: two stores
 * per event, and it outlives the process. An event at which the code ended the process
 * (coded_end.h: kill -9 counts for nothing) LEAT_GUARD_TRIES times is not given to the function
 * again. A function that is at one event for LEAT_GUARD_SECONDS
 * ($LEAT_ROWS_DEADLINE_S) ends the process, which counts as such a time. Owner: the fold's thread.
 */
#ifndef LEAT_PROJECTION_CODED_GUARD_H
#define LEAT_PROJECTION_CODED_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "leat/str.h"

#define LEAT_GUARD_TRIES   3
#define LEAT_GUARD_SECONDS 30

struct leat_coded_guard;

LEAT_MUST_CHECK leat_status leat_guard_open(const char *dir, struct leat_str model,
                                            struct leat_coded_guard **ret, struct leat_error *err);
void leat_guard_close(struct leat_coded_guard *g); /* NULL allowed */
/* Before the function is called. False: it must not be, for this event. */
bool leat_guard_enter(struct leat_coded_guard *g, int32_t slice, int64_t seq);
void leat_guard_leave(struct leat_coded_guard *g);

#endif
