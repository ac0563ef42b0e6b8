#include "projection/switches.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "projection/versions.h"

#define FILE_MODE 0640

struct leat_switches {
    _Atomic(uint64_t) *count; /* mapped */
    int fd;                   /* of who switches, with the lock; -1 */
};

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "the counter is shared by processes");

static int open_file(const char *path, bool write)
{
    struct stat st;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (fd < 0 && !write)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    /* Touching a page that is mapped and has no file behind it would be the end. */
    if (fstat(fd, &st) == 0 &&
        (st.st_size >= (off_t)sizeof(uint64_t) || ftruncate(fd, sizeof(uint64_t)) == 0))
        return fd;
    int why = errno;
    (void)close(fd);
    errno = why;
    return -1;
}

/* Takes the file descriptor. */
static struct leat_switches *map(int fd, bool write)
{
    void *at =
        mmap(NULL, sizeof(uint64_t), write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd, 0);
    int why = errno;
    if (at == MAP_FAILED || !write) {
        (void)close(fd);
        fd = -1;
    }
    errno = why;
    if (at == MAP_FAILED)
        return NULL;
    struct leat_switches *s = malloc(sizeof *s);
    leat_assert(s != NULL);
    *s = (struct leat_switches){at, fd};
    return s;
}

static bool path_of(char path[LEAT_MODEL_PATH_BYTES], const char *data_dir, struct leat_str model)
{
    int n = snprintf(path, LEAT_MODEL_PATH_BYTES, "%s/models/%.*s.switches", data_dir,
                     LEAT_STR_FMT(model));
    return n > 0 && n < LEAT_MODEL_PATH_BYTES;
}

struct leat_switches *leat_switches_watch(const char *data_dir, struct leat_str model)
{
    char path[LEAT_MODEL_PATH_BYTES];
    int fd = path_of(path, data_dir, model) ? open_file(path, false) : -1;
    return fd < 0 ? NULL : map(fd, false);
}

void leat_switches_free(struct leat_switches *s)
{
    if (s == NULL)
        return;
    (void)munmap((void *)(uintptr_t)s->count, sizeof(uint64_t));
    if (s->fd >= 0)
        (void)close(s->fd); /* gives the lock free */
    free(s);
}

uint64_t leat_switches_count(const struct leat_switches *s)
{
    return s == NULL ? 1 : atomic_load_explicit(s->count, memory_order_acquire);
}

leat_status leat_switches_begin(const char *data_dir, struct leat_str model,
                                struct leat_switches **ret, struct leat_error *err)
{
    char path[LEAT_MODEL_PATH_BYTES];
    struct leat_switches *s = NULL;
    int fd = path_of(path, data_dir, model) ? open_file(path, true) : -1;
    if (fd >= 0)
        s = map(fd, true);
    int rc = s == NULL ? -1 : 0;
    while (s != NULL && (rc = flock(s->fd, LOCK_EX)) != 0 && errno == EINTR)
        ;
    if (rc != 0) {
        leat_status status =
            leat_fail(err, LEAT_FATAL, "could not lock '%s': %s", path, strerror(errno));
        leat_switches_free(s);
        return status;
    }
    (void)atomic_fetch_or(s->count, 1);
    *ret = s;
    return LEAT_OK;
}

void leat_switches_end(struct leat_switches *s)
{
    (void)atomic_fetch_add(s->count, 1); /* odd since it was begun */
    leat_switches_free(s);
}
