/* versions.h - folders of a model on disk, and which one readers use.
 *
 *   <data_dir>/models/<name>.<hash>[-<n>]/   one version: LMDB files and
 *       fresh        when it was last known complete
 *       refused      it must not be used: a reason
 *       building     it is not whole yet (build_file.h): nobody but its builder opens it
 *       declaration  what it is a fold by (topology/declaration.h)
 *       left         readers used it; since the file was written they use another
 *   <data_dir>/models/<name>.current         the version readers open, replaced by rename
 *   <data_dir>/models/<name>.switches        a counter that goes with it (switches.h)
 *   <data_dir>/models/.new-*, .dropped-*     being made, being removed
 *
 * The hash is of the declaration; n counts the versions of one declaration: rebuilds asked for, and
 * those made because the one before was refused (another store's, or a history that is gone).
 * Folders come and go by rename: whoever lists them sees whole ones. Any process, any thread. */
#ifndef LEAT_PROJECTION_VERSIONS_H
#define LEAT_PROJECTION_VERSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/status.h"
#include "leat/str.h"

#define LEAT_VERSION_BYTES    32
#define LEAT_MODEL_PATH_BYTES 1024

struct leat_version {
    char name[LEAT_VERSION_BYTES];
    uint64_t hash; /* of its declaration */
    int number;    /* of its declaration's versions: 1 .. */
    bool refused, building, has_data;
    uint64_t folder; /* inode: another folder under the same name is another version */
    int64_t made_ms; /* 0 = unknown */
    int64_t left_ms; /* when readers were switched from it to another; 0 = never, or unknown */
};
struct leat_versions { /* of one model, older ones first */
    struct leat_version *at;
    size_t n;
};
/* None is no error. Free with leat_versions_free(). */
LEAT_MUST_CHECK leat_status leat_versions_list(const char *data_dir, struct leat_str model,
                                               struct leat_versions *ret, struct leat_error *err);
void leat_versions_free(struct leat_versions *v);
/* NULL when there is none of that name. */
const struct leat_version *leat_versions_find(const struct leat_versions *v, const char *name);
/* The one with the highest number of that declaration that is not refused; NULL. `ready`: nor being
 * built. */
const struct leat_version *leat_versions_newest(const struct leat_versions *v, uint64_t hash,
                                                bool ready);

/* A folder to make a version in, unseen by others: models/.new-… */
LEAT_MUST_CHECK leat_status leat_version_prepare(const char *data_dir,
                                                 char ret_dir[LEAT_MODEL_PATH_BYTES],
                                                 struct leat_error *err);
/* Makes a prepared folder the next version of that declaration. */
LEAT_MUST_CHECK leat_status leat_version_add(const char *data_dir, struct leat_str model,
                                             uint64_t hash, const char *prepared,
                                             char ret_version[LEAT_VERSION_BYTES],
                                             struct leat_error *err);
/* Removes the folder, at once for everybody who looks for it; who has it open reads on. */
LEAT_MUST_CHECK leat_status leat_version_drop(const char *data_dir, struct leat_str model,
                                              const char *version, struct leat_error *err);
/* Removes a folder of models/ that nobody sees (prepared, dropped), with what is in it. */
void leat_version_discard(const char *dir);
/* Removes what processes that are gone have left of making and dropping. */
void leat_versions_sweep(const char *data_dir);

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
/* The same by a person who means it: a projector whose declaration has that hash leaves it so. */
LEAT_MUST_CHECK leat_status leat_version_hold(const char *data_dir, struct leat_str model,
                                              const char *version, uint64_t declared,
                                              struct leat_error *err);
/* Is the current version held against that declaration? */
bool leat_version_is_held(const char *data_dir, struct leat_str model, uint64_t declared);
/* Differs whenever a model was switched meanwhile; 0 = there is no current version. One stat(). */
uint64_t leat_version_stamp(const char *data_dir, struct leat_str model);
uint64_t leat_version_hash(const char *version); /* of a version's name; 0 = it is none */

/* A small text file of a version's folder (or beside it), whole or not there. */
LEAT_MUST_CHECK leat_status leat_version_write(const char *dir, const char *file,
                                               struct leat_str text, struct leat_error *err);
/* ABSENT when there is none; at most `max` bytes. */
LEAT_MUST_CHECK leat_status leat_version_read(const char *dir, const char *file, size_t max,
                                              struct leat_buf *out, struct leat_error *err);

/* When the version was last known complete to the published seq: unix ms in a small file of its
 * own, so that an idle model is not written to. 0 = never. */
LEAT_MUST_CHECK leat_status leat_fresh_open(const char *dir, bool write, int *ret_fd,
                                            struct leat_error *err);
void leat_fresh_write(int fd, int64_t complete_ms);
int64_t leat_fresh_read(int fd);

#endif
