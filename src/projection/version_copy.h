/* version_copy.h - copies of a version: a backup elsewhere, or one without free pages beside it.
 * The model may be written to meanwhile: a copy is the state of one moment. Any process, any
 * thread. */
#ifndef LEAT_PROJECTION_VERSION_COPY_H
#define LEAT_PROJECTION_VERSION_COPY_H

#include "projection/versions.h"

struct leat_version_copy {
    const char *data_dir;
    struct leat_str model;
    const char *version;
};
/* `to` becomes a data folder in which this version is the model's current one; one that holds
 * another version of that name already: INVALID. */
LEAT_MUST_CHECK leat_status leat_version_backup(const struct leat_version_copy *c, const char *to,
                                                struct leat_error *err);
/* The next version of its declaration, a compacted copy: fed from where it stands. */
LEAT_MUST_CHECK leat_status leat_version_compact(const struct leat_version_copy *c,
                                                 char ret_version[LEAT_VERSION_BYTES],
                                                 struct leat_error *err);

#endif
