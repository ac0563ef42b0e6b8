/* cli.h - what every verb shares: its table row, common options, errors and exit codes.
 * Results go to stdout, everything else to stderr. Main thread. */
#ifndef LEAT_CLI_CLI_H
#define LEAT_CLI_CLI_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/opt.h"
#include "base/status.h"
#include "topology/topology.h"

enum { /* contract 6 */
    LEAT_EXIT_OK = 0,
    LEAT_EXIT_FAILED = 1,
    LEAT_EXIT_USAGE = 2, /* wrong call, or an invalid file */
    LEAT_EXIT_NO = 3,    /* the answer is no: not found, different, would change */
    LEAT_EXIT_GO_ON = -1 /* of the helpers below: no reason to stop */
};

struct leat_cli {
    const char *program; /* argv[0] */
};

/* argv[0] is the verb. Returns an exit code. */
typedef int (*leat_cli_run)(struct leat_cli *cli, int argc, char **argv);

struct leat_cli_command {
    const char *name, *help;
    leat_cli_run run; /* NULL: not in this version */
};
extern const struct leat_cli_command leat_cli_commands[];
extern const unsigned leat_cli_command_count;

/* Rows for the option tables of verbs: -t/--topology and --json. */
#define LEAT_CLI_TOPOLOGY(type, field)                                                             \
    {                                                                                              \
        "topology", 't', LEAT_OPT_STR, offsetof(type, field), "FILE", "leat.yaml",                 \
            "LEAT_TOPOLOGY", 0, 0, "Topology file."                                                \
    }
#define LEAT_CLI_JSON(type, field)                                                                 \
    {                                                                                              \
        "json", 0, LEAT_OPT_FLAG, offsetof(type, field), NULL, NULL, NULL, 0, 0,                   \
            "Print JSON for programs."                                                             \
    }

/* Parses; prints help or the error. LEAT_EXIT_GO_ON, or the code to return. */
int leat_cli_parse(const struct leat_opt_spec *spec, int argc, char **argv, void *target,
                   int *ret_args);
/* Prints "leat: <message>" and the hint; the exit code of its status (ABSENT is "no"). */
int leat_cli_fail(const struct leat_error *err);
/* "leat: <what>: <errno's text>"; LEAT_EXIT_FAILED. */
int leat_cli_errno(const char *what);
/* Loads a topology, printing all findings; LEAT_EXIT_GO_ON or the code to return. Warnings are
 * printed only when `warnings`. */
int leat_cli_topology(const char *path, bool warnings, struct leat_topology **ret);
/* Writes to stdout; LEAT_EXIT_FAILED when stdout is gone. */
int leat_cli_print(const struct leat_buf *text);
/* Calls `visit` with the table of each verb that there is, in the order of commands.def: what the
 * reference, the man pages and the completions are printed from. */
typedef void (*leat_cli_visit)(const struct leat_cli_command *command,
                               const struct leat_opt_spec *spec, void *arg);
void leat_cli_each(struct leat_cli *cli, leat_cli_visit visit, void *arg);

#endif
