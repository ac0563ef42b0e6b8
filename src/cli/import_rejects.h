/* import_rejects.h - the rows an import refused, with line, code, reason and the row as it stands:
 * JSON lines, or CSV when the file's name ends in .csv. Made when the first row is refused.
 * Owner: one thread. */
#ifndef LEAT_CLI_IMPORT_REJECTS_H
#define LEAT_CLI_IMPORT_REJECTS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/status.h"
#include "cli/csv.h"
#include "cli/import_fields.h"

struct leat_import_rejects {
    const char *path;
    bool csv;
    FILE *file; /* NULL until the first row */
    int64_t bytes;
    struct leat_buf row;
};

/* `keep`: bytes of an existing file that belong to this import; the rest is cut off. */
LEAT_MUST_CHECK leat_status leat_import_rejects_open(struct leat_import_rejects *r,
                                                     const char *path, int64_t keep,
                                                     struct leat_error *err);
void leat_import_rejects_close(struct leat_import_rejects *r);
LEAT_MUST_CHECK leat_status leat_import_rejects_add(struct leat_import_rejects *r,
                                                    const struct leat_csv_row *row,
                                                    const struct leat_import_refusal *why,
                                                    struct leat_error *err);
/* Everything added is in the file; *ret_bytes = its length. */
LEAT_MUST_CHECK leat_status leat_import_rejects_flush(struct leat_import_rejects *r,
                                                      int64_t *ret_bytes, struct leat_error *err);
/* Cuts off what was added after the length was `bytes`. */
LEAT_MUST_CHECK leat_status leat_import_rejects_back(struct leat_import_rejects *r, int64_t bytes,
                                                     struct leat_error *err);

#endif
