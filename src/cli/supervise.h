/* supervise.h - one process that keeps several workers of the same topology running. */
#ifndef LEAT_CLI_SUPERVISE_H
#define LEAT_CLI_SUPERVISE_H

#include "cli/cli.h"

/* Starts `n` processes of this program with the same arguments; the first has all roles asked for,
 * the others worker and relay. One that dies is started again (at once, later with back-off);
 * SIGTERM and SIGINT are passed on and all ends are awaited. Returns an exit code. */
int leat_supervise(struct leat_cli *cli, int n, const char *instance, int argc, char **argv);

#endif
