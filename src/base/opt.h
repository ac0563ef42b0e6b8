/* opt.h - command-line options from a table: parsing, help and error texts. No output of its own.
 * Precedence: default < environment < flag. Texts in the result point into argv, the environment
 * or the table. */
#ifndef LEAT_BASE_OPT_H
#define LEAT_BASE_OPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"

typedef enum leat_opt_type {
    LEAT_OPT_FLAG,     /* bool: --json, --no-json */
    LEAT_OPT_STR,      /* const char *            */
    LEAT_OPT_INT,      /* int64_t                 */
    LEAT_OPT_DURATION, /* int64_t, ms: 5s         */
    LEAT_OPT_SIZE,     /* int64_t, bytes: 1MiB    */
    LEAT_OPT_LIST,     /* struct leat_opt_list: given again and again, in order */
} leat_opt_type;

#define LEAT_OPT_LIST_MAX 64

struct leat_opt_list {
    const char *at[LEAT_OPT_LIST_MAX];
    uint32_t n;
};

struct leat_opt {
    const char *name; /* without dashes */
    char letter;      /* -t, or 0 */
    leat_opt_type type;
    size_t offset;    /* offsetof the field in the caller's struct */
    const char *arg;  /* what help calls the value: FILE, N, DURATION */
    const char *def;  /* as text, parsed like an argument; NULL: the field stays as it is */
    const char *env;  /* variable that overrides the default, or NULL */
    int64_t min, max; /* INT DURATION SIZE: inclusive; both 0 = unbounded */
    const char *help; /* one line */
};

struct leat_opt_spec {
    const char *usage;   /* "leat send [options] <Type> [field=value …]" */
    const char *summary; /* one sentence */
    const char *details; /* paragraphs after the options (examples); NULL allowed */
    const struct leat_opt *opts;
    size_t n_opts;
    int args_min, args_max; /* positional arguments; args_max -1: any number */
};

#define LEAT_OPTS(array) (array), sizeof(array) / sizeof *(array)

struct leat_opt_result {
    int args;  /* argv[1 .. args] are now the positional arguments, in order */
    bool help; /* --help or -h was given: nothing was checked, nothing was set */
};

/* Fills `target` (the struct the offsets point into; zero it first). Options and arguments may be
 * mixed; "--" ends the options. argv[0] is skipped. Errors are LEAT_INVALID and name the flag, what
 * is allowed and the nearest valid flag. */
LEAT_MUST_CHECK leat_status leat_opt_parse(const struct leat_opt_spec *spec, int argc, char **argv,
                                           void *target, struct leat_opt_result *ret,
                                           struct leat_error *err);
void leat_opt_help(const struct leat_opt_spec *spec, struct leat_buf *ret_text);
/* The options as rows of a Markdown table. */
void leat_opt_markdown(const struct leat_opt_spec *spec, struct leat_buf *ret_text);

#endif
