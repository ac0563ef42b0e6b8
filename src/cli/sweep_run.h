/* sweep_run.h - a sweep (query/sweep.h) from a terminal: its pace, its progress on standard error,
 * what came of it on standard output. Main thread. */
#ifndef LEAT_CLI_SWEEP_RUN_H
#define LEAT_CLI_SWEEP_RUN_H

#include "query/sweep.h"

struct leat_sweep_run {
    struct leat_sweep *sweep;
    const char *done;  /* "redriven" */
    const char *again; /* what to do when it breaks off, a sentence */
    int64_t per_s;     /* 0: as fast as it goes */
    bool ids;          /* these were asked for one by one: each is told */
    bool json;
};
/* Exit code: 0; 3 when something was refused; 1 when it broke off. */
int leat_sweep_run(struct leat_sweep_run *r);

/* "100/s" or "100"; *ret stays 0 for NULL. */
LEAT_MUST_CHECK leat_status leat_sweep_rate(const char *text, int64_t *ret, struct leat_error *err);
/* UUIDs of the arguments. */
LEAT_MUST_CHECK leat_status leat_sweep_ids(char **args, int n, struct leat_arena *arena,
                                           struct leat_uuid **ret, struct leat_error *err);
/* `text` and who says so ($USER), in the arena. */
struct leat_str leat_sweep_note(const char *text, struct leat_arena *arena);

#endif
