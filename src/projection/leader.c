#include "projection/leader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "projection/versions.h"

#define BEAT_EVERY_US 200000
#define PAUSED_US     2000000

leat_status leat_leader_open(struct leat_leader *l, const char *data_dir, struct leat_error *err)
{
    char path[LEAT_MODEL_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/models/projector.lock", data_dir);
    *l = (struct leat_leader){.fd = -1};
    if (n < 0 || n >= (int)sizeof path)
        return leat_fail(err, LEAT_INVALID, "the data folder's path is too long");
    l->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (l->fd < 0)
        return leat_fail(err, LEAT_FATAL, "could not open '%s': %s", path, strerror(errno));
    return LEAT_OK;
}

void leat_leader_close(struct leat_leader *l)
{
    if (l->fd >= 0)
        (void)close(l->fd); /* and with it the lock */
    l->fd = -1;
}

/* The machine's monotonic clock is the same for all its processes; after a restart of the machine
 * an old beat lies in the future, which counts as none. */
static bool beats(const struct leat_leader *l, int64_t mono_us)
{
    int64_t beat_us = 0;
    if (pread(l->fd, &beat_us, sizeof beat_us, 0) != (ssize_t)sizeof beat_us)
        return false;
    return beat_us <= mono_us && mono_us - beat_us < PAUSED_US;
}

bool leat_leader_works(struct leat_leader *l, int64_t mono_us)
{
    if (!l->locked)
        l->locked = flock(l->fd, LOCK_EX | LOCK_NB) == 0;
    if (!l->locked)
        return !beats(l, mono_us);
    if (mono_us - l->beat_us >= BEAT_EVERY_US || l->beat_us == 0) {
        l->beat_us = mono_us;
        ssize_t ignored = pwrite(l->fd, &mono_us, sizeof mono_us, 0); /* others then work too */
        (void)ignored;
    }
    return true;
}
