/* supervise.h - `leat run` without --dev: one process that runs nothing itself and keeps the others
 * running, so that a handler that crashes or hangs takes one worker with it and is found. */
#ifndef LEAT_CLI_SUPERVISE_H
#define LEAT_CLI_SUPERVISE_H

#include "cli/cli.h"

struct leat_supervise {
    unsigned roles; /* asked for, LEAT_ROLE_*: worker and relay run in processes of their own */
    int workers;    /* how many of those */
    const char *instance; /* NULL: ids of their own making */
    int argc;             /* of `leat run`: what its children get, and more */
    char **argv;
};
/* Runs until all have ended after SIGTERM or SIGINT, which are passed on (a second one ends all at
 * once), or until one of them can't start. One that ends otherwise is started again: at once, later
 * with back-off, after a crash in a handler once that is in the store. Returns an exit code. */
int leat_supervise(struct leat_cli *cli, const struct leat_supervise *c);

#endif
