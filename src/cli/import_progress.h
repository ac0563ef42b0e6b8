/* import_progress.h - how far an import is, in a file beside the data: `<file>.leat-import.json`.
 *
 * It holds only what the broker has acknowledged: everything before `offset` is done, whatever
 * happened since. Written to a temporary file and renamed, so it is whole or the former one. */
#ifndef LEAT_CLI_IMPORT_PROGRESS_H
#define LEAT_CLI_IMPORT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"

#define LEAT_IMPORT_CODES 9

struct leat_import_counts {
    int64_t rows, sent, refused;
    int64_t by_code[LEAT_IMPORT_CODES]; /* refused; see leat_import_code_names */
};
extern const char *const leat_import_code_names[LEAT_IMPORT_CODES];
void leat_import_count_refusal(struct leat_import_counts *c, const char *code);

struct leat_import_progress {
    char command[128];
    struct leat_uuid id;        /* of the import: rows' command ids are made from it */
    int64_t bytes, modified_ms; /* of the data file when the import began */
    int64_t offset, line;       /* where the next row begins */
    int64_t rejects_bytes;      /* length of the rejects file that belongs to it */
    struct leat_import_counts counts;
    bool finished;
};

/* ABSENT when there is none; INVALID when it cannot be understood. */
LEAT_MUST_CHECK leat_status leat_import_progress_load(const char *path,
                                                      struct leat_import_progress *ret,
                                                      struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_import_progress_save(const char *path,
                                                      const struct leat_import_progress *p,
                                                      struct leat_error *err);

#endif
