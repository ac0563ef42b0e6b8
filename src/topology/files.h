/* files.h - the few files a topology needs: itself, its includes, values, schemas. Of this
 * folder, and of src/cli/test_*. */
#ifndef LEAT_TOPOLOGY_FILES_H
#define LEAT_TOPOLOGY_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/status.h"
#include "leat/str.h"

/* Regular files only, no longer than max_bytes. INVALID with the reason. */
LEAT_MUST_CHECK leat_status leat_files_read(struct leat_arena *arena, const char *path,
                                            size_t max_bytes, struct leat_str *ret_text,
                                            struct leat_error *err);
/* `name` as it is when absolute, else in the folder of `file`. */
const char *leat_files_beside(struct leat_arena *arena, const char *file, struct leat_str name);
const char *leat_files_dir(struct leat_arena *arena, const char *file); /* "." without a slash */
bool leat_files_same(const char *a, const char *b); /* one file, whatever the paths */
bool leat_files_is_dir(const char *path);
bool leat_files_is_file(const char *path);

#endif
