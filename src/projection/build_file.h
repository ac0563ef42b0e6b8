/* build_file.h - the mark of a version that is being built: the file `building` in its folder.
 *
 * Its builder holds it locked, so that there is one, and that a dead one is seen at once; what it
 * has done stands in it. `paused` and `pace` beside it are what a person asks of the builder.
 * Nothing of a build waits for the disk, which a kill survives and a machine going down need not: a
 * build begun before the machine started starts over. Any process, any thread. */
#ifndef LEAT_PROJECTION_BUILD_FILE_H
#define LEAT_PROJECTION_BUILD_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct leat_build_state {
    int64_t done, total; /* events; of what is known to be needed */
    int64_t per_s;
    int64_t started_ms, told_ms;
    int64_t pid;
    bool alive;         /* its builder holds it */
    bool paused;        /* is to wait */
    int64_t pace_per_s; /* events at most; 0 = as fast as it goes */
};

/* Makes the mark, in a prepared folder too, and locks it. `ret_over`: what is there of a former
 * build is worth nothing and was removed. RETRY: somebody else is building it. */
LEAT_MUST_CHECK leat_status leat_build_lock(const char *dir, int *ret_fd, bool *ret_over,
                                            struct leat_error *err);
void leat_build_unlock(int fd); /* the mark stays: the build goes on later; -1 allowed */
void leat_build_tell(int fd, const struct leat_build_state *s);
/* The version is whole and on the disk: the mark goes, and what was asked. */
LEAT_MUST_CHECK leat_status leat_build_done(const char *dir, int fd, struct leat_error *err);

/* ABSENT: it is not being built. */
LEAT_MUST_CHECK leat_status leat_build_read(const char *dir, struct leat_build_state *ret,
                                            struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_build_pause(const char *dir, bool pause, struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_build_pace(const char *dir, int64_t per_s, struct leat_error *err);
/* What is asked of a builder, cheaply: two looks at the folder. */
void leat_build_asked(const char *dir, bool *ret_paused, int64_t *ret_pace_per_s);

#endif
