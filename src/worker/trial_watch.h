/* trial_watch.h - what a module calls in the C library while its handlers run. For `leat test`: a
 * handler that asks the clock decides otherwise the next time, and one that asks for memory may not
 * get it. Works on the module's own table of addresses, in this process, for good: for processes
 * that end soon. Owner: one thread. */
#ifndef LEAT_WORKER_TRIAL_WATCH_H
#define LEAT_WORKER_TRIAL_WATCH_H

#include <stdbool.h>

#include "worker/dispatch.h"

/* From now on the modules of these functions (handlers, folds) are watched. Does nothing where the
 * machine's tables are not known, and for the program itself; true when something is watched. */
bool leat_watch_module(const void *function);
/* Around a handler or a fold. `fault` (NULL: none) counts and fails malloc() and its like. */
void leat_watch_begin(struct leat_fault *fault);
void leat_watch_end(void);

struct leat_watch_finding {
    const char *called;  /* function that no handler may call; NULL: none was */
    const char *instead; /* a sentence's part: "use leat_now(ctx)" */
};
/* The first since the last call. */
struct leat_watch_finding leat_watch_take(void);

#endif
