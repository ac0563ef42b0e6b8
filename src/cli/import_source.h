/* import_source.h - a CSV or JSONL file, read row by row, from any row on.
 * Owner: one thread. A row lives until the next call on the source. */
#ifndef LEAT_CLI_IMPORT_SOURCE_H
#define LEAT_CLI_IMPORT_SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "cli/csv.h"

struct leat_import_source {
    const char *path;
    bool jsonl;
    int fd;
    int64_t bytes, modified_ms; /* when it was opened */
    char *window;
    size_t begin, end; /* of what is not yet read, in the window */
    bool last;         /* the window ends where the file ends */
    struct leat_csv csv;
};

/* Regular files only: an import must be able to go back. On success free with _close. */
LEAT_MUST_CHECK leat_status leat_import_source_open(struct leat_import_source *s, const char *path,
                                                    bool jsonl, char delimiter,
                                                    struct leat_error *err);
void leat_import_source_close(struct leat_import_source *s); /* zero-initialised is allowed */
/* SHA-256 over the whole content (as a digest of the digests of its 1 MiB blocks). */
LEAT_MUST_CHECK leat_status leat_import_source_digest(const struct leat_import_source *s,
                                                      uint8_t ret_digest[32],
                                                      struct leat_error *err);
/* Goes on at a row's beginning. */
LEAT_MUST_CHECK leat_status leat_import_source_seek(struct leat_import_source *s, int64_t offset,
                                                    int64_t line, struct leat_error *err);
/* The next row, refused ones included (row.problem). *ret_end: there is none. */
LEAT_MUST_CHECK leat_status leat_import_source_next(struct leat_import_source *s,
                                                    struct leat_csv_row *ret, bool *ret_end,
                                                    struct leat_error *err);

#endif
