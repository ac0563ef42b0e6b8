/* supervise_watch.h - the supervisor's eyes: handlers that run too long, and what stands in the
 * slots of a process that has ended. */
#ifndef LEAT_CLI_SUPERVISE_WATCH_H
#define LEAT_CLI_SUPERVISE_WATCH_H

#include "cli/family.h"

#define LEAT_WATCH_GRACE_MS 500  /* over a processor's `timeout` */
#define LEAT_WATCH_KILL_MS  2000 /* from SIGABRT, which leaves a core, to SIGKILL */

struct leat_watch { /* of one process */
    struct leat_running_clock clock;
    int64_t aborted_ms; /* its time since SIGABRT; -1: not sent */
};
void leat_watch_clear(struct leat_watch *w);
/* `ms` have gone by. A call that runs too long is marked, logged, and its process ended. */
void leat_watch_tick(struct leat_watch *w, struct leat_running_table *t, pid_t pid, int64_t ms);
/* After the process has ended: takes its marks over into the family's evidence, with a line in the
 * log for each. How many there were. */
uint32_t leat_watch_collect(struct leat_family *f, uint32_t member);
/* Drops what is in the store by now; how many are left. */
uint32_t leat_watch_forget_written(struct leat_family *f);

#endif
