/* versions.h - folders of a model on disk, and which one readers use.
 *
 *   <data_dir>/models/<name>.<hash>[-<n>]/   one version: LMDB files, `fresh`, `refused` (a reason)
 *   <data_dir>/models/<name>.current         the version readers open, replaced by rename
 *
 * The hash is of the declaration; n counts rebuilds of the same declaration, each made because the
 * one before was refused (another store's, or a history that is gone). */
#ifndef LEAT_PROJECTION_VERSIONS_H
#define LEAT_PROJECTION_VERSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "leat/str.h"

#define LEAT_VERSION_BYTES    32
#define LEAT_MODEL_PATH_BYTES 1024

/* The newest version of that declaration that is not refused; it need not exist yet. */
LEAT_MUST_CHECK leat_status leat_version_pick(const char *data_dir, struct leat_str model,
                                              uint64_t hash, char ret_version[LEAT_VERSION_BYTES],
                                              struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_version_dir(const char *data_dir, struct leat_str model,
                                             const char *version, char ret[LEAT_MODEL_PATH_BYTES],
                                             struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_version_refuse(const char *dir, const char *reason,
                                                struct leat_error *err);
/* ABSENT when no version was ever switched to. */
LEAT_MUST_CHECK leat_status leat_version_current(const char *data_dir, struct leat_str model,
                                                 char ret_version[LEAT_VERSION_BYTES],
                                                 struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_version_switch(const char *data_dir, struct leat_str model,
                                                const char *version, struct leat_error *err);

/* When the version was last known complete to the published seq: unix ms in a small file of its
 * own, so that an idle model is not written to. 0 = never. */
LEAT_MUST_CHECK leat_status leat_fresh_open(const char *dir, bool write, int *ret_fd,
                                            struct leat_error *err);
void leat_fresh_write(int fd, int64_t complete_ms);
int64_t leat_fresh_read(int fd);

#endif
