/* import_show.h - tells how far an import is: one line that changes on a terminal, else a log line
 * every few seconds. */
#ifndef LEAT_CLI_IMPORT_SHOW_H
#define LEAT_CLI_IMPORT_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/import_progress.h"

struct leat_import_show {
    bool on, terminal;
    int64_t started_us, next_us;
    int64_t first_offset, first_row; /* where this run began */
    int64_t bytes;                   /* of the file */
};

void leat_import_show_start(struct leat_import_show *s, bool on,
                            const struct leat_import_progress *from);
void leat_import_show(struct leat_import_show *s, const struct leat_import_counts *counts,
                      int64_t offset);
/* `why` something takes long; shown at once. */
void leat_import_show_waiting(struct leat_import_show *s, int64_t unacknowledged);
void leat_import_show_end(struct leat_import_show *s); /* leaves the terminal's line */

#endif
