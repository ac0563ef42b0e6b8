/* import_run.h - the loop of an import: rows out of the file, commands to the broker, progress
 * kept.
 *
 * Once a second everything sent is waited for and the progress file written; so all before its
 * offset is acknowledged. A broker that is away is waited for; deliveries that fail are sent again
 * from the last progress. Ids do not change, so nothing is done twice. Owner: one thread. */
#ifndef LEAT_CLI_IMPORT_RUN_H
#define LEAT_CLI_IMPORT_RUN_H

#include <signal.h>
#include <stdbool.h>

#include "base/status.h"
#include "cli/import_fields.h"
#include "cli/import_progress.h"
#include "cli/import_rejects.h"
#include "cli/import_source.h"

struct leat_schema;
struct leat_sender;

struct leat_import {
    struct leat_import_source *source; /* at the first row to read */
    struct leat_import_plan *plan;
    struct leat_str type, priority; /* priority "" = default */
    bool any_fields;                /* names in nested values need not be the schema's */
    bool ids;                       /* the plan makes the commands' ids, else row offsets do */
    struct leat_sender *sender;     /* NULL: dry run */
    const struct leat_schema *schema;
    struct leat_import_rejects *rejects; /* NULL: refused rows are only counted */
    const char *progress_path;           /* NULL: no progress file */
    struct leat_import_progress *acked;  /* as loaded, or of a new import; kept up to date */
    int64_t refused_max;                 /* stop when more rows are refused; -1 = never */
    bool show;                           /* how far it is, on stderr */
    const volatile sig_atomic_t *stop;   /* set by a signal handler */
};

/* Ends at the end of the file (acked->finished), when *stop is set (RETRY), or with an error. */
LEAT_MUST_CHECK leat_status leat_import_run(const struct leat_import *im, struct leat_error *err);

#endif
