#include "projection/versions.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REBUILDS_MAX 1000
#define FRESH_BYTES  8

static leat_status join(char to[LEAT_MODEL_PATH_BYTES], struct leat_error *err, const char *fmt,
                        ...) LEAT_PRINTF(3, 4);

static leat_status join(char to[LEAT_MODEL_PATH_BYTES], struct leat_error *err, const char *fmt,
                        ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(to, LEAT_MODEL_PATH_BYTES, fmt, args);
    va_end(args);
    if (n < 0 || n >= LEAT_MODEL_PATH_BYTES) {
        return leat_fail(err, LEAT_INVALID, "the path of a read model is longer than %d bytes",
                         LEAT_MODEL_PATH_BYTES);
    }
    return LEAT_OK;
}

leat_status leat_version_dir(const char *data_dir, struct leat_str model, const char *version,
                             char ret[LEAT_MODEL_PATH_BYTES], struct leat_error *err)
{
    return join(ret, err, "%s/models/%.*s.%s", data_dir, LEAT_STR_FMT(model), version);
}

leat_status leat_version_pick(const char *data_dir, struct leat_str model, uint64_t hash,
                              char ret_version[LEAT_VERSION_BYTES], struct leat_error *err)
{
    char version[LEAT_VERSION_BYTES], dir[LEAT_MODEL_PATH_BYTES], marker[LEAT_MODEL_PATH_BYTES];
    for (int n = 1; n < REBUILDS_MAX; n++) {
        if (n == 1) {
            (void)snprintf(version, sizeof version, "%016" PRIx64, hash);
        } else {
            (void)snprintf(version, sizeof version, "%016" PRIx64 "-%d", hash, n);
        }
        LEAT_TRY(leat_version_dir(data_dir, model, version, dir, err), err, "read model");
        LEAT_TRY(join(marker, err, "%s/refused", dir), err, "read model");
        if (access(marker, F_OK) != 0) {
            memcpy(ret_version, version, sizeof version);
            return LEAT_OK;
        }
    }
    return leat_fail(err, LEAT_FATAL, "read model '%.*s' was rebuilt %d times: remove old versions",
                     LEAT_STR_FMT(model), REBUILDS_MAX);
}

static leat_status write_file(const char *path, const char *text, struct leat_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return leat_fail(err, LEAT_FATAL, "could not write '%s': %s", path, strerror(errno));
    size_t len = strlen(text);
    bool good = write(fd, text, len) == (ssize_t)len && fsync(fd) == 0;
    int why = errno;
    good = close(fd) == 0 && good;
    return good ? LEAT_OK
                : leat_fail(err, LEAT_FATAL, "could not write '%s': %s", path, strerror(why));
}

leat_status leat_version_refuse(const char *dir, const char *reason, struct leat_error *err)
{
    char path[LEAT_MODEL_PATH_BYTES];
    LEAT_TRY(join(path, err, "%s/refused", dir), err, "refuse a version");
    return write_file(path, reason, err);
}

leat_status leat_version_current(const char *data_dir, struct leat_str model,
                                 char ret_version[LEAT_VERSION_BYTES], struct leat_error *err)
{
    char path[LEAT_MODEL_PATH_BYTES], text[LEAT_VERSION_BYTES];
    LEAT_TRY(join(path, err, "%s/models/%.*s.current", data_dir, LEAT_STR_FMT(model)), err,
             "read model");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return leat_fail(err, errno == ENOENT ? LEAT_ABSENT : LEAT_FATAL,
                         "read model '%.*s' has no data in '%s': %s", LEAT_STR_FMT(model), data_dir,
                         strerror(errno));
    }
    ssize_t n = read(fd, text, sizeof text - 1);
    (void)close(fd);
    if (n <= 0)
        return leat_fail(err, LEAT_FATAL, "could not read '%s'", path);
    text[n] = 0;
    text[strcspn(text, "\n")] = 0;
    if (strspn(text, "0123456789abcdef-") != strlen(text))
        return leat_fail(err, LEAT_FATAL, "'%s' does not hold a version", path);
    memcpy(ret_version, text, sizeof text);
    return LEAT_OK;
}

leat_status leat_version_switch(const char *data_dir, struct leat_str model, const char *version,
                                struct leat_error *err)
{
    char path[LEAT_MODEL_PATH_BYTES], next[LEAT_MODEL_PATH_BYTES], text[LEAT_VERSION_BYTES + 1];
    LEAT_TRY(join(path, err, "%s/models/%.*s.current", data_dir, LEAT_STR_FMT(model)), err,
             "switch a read model");
    /* Its own name per process: two projectors may switch at once. */
    LEAT_TRY(join(next, err, "%s.%ld", path, (long)getpid()), err, "switch a read model");
    (void)snprintf(text, sizeof text, "%.*s\n", LEAT_VERSION_BYTES - 1, version);
    LEAT_TRY(write_file(next, text, err), err, "switch a read model");
    if (rename(next, path) != 0)
        return leat_fail(err, LEAT_FATAL, "could not rename '%s': %s", next, strerror(errno));
    return LEAT_OK;
}

leat_status leat_fresh_open(const char *dir, bool write, int *ret_fd, struct leat_error *err)
{
    char path[LEAT_MODEL_PATH_BYTES];
    LEAT_TRY(join(path, err, "%s/fresh", dir), err, "read model");
    int fd = open(path, (write ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC, 0640);
    if (fd < 0) {
        return leat_fail(err, errno == ENOENT ? LEAT_ABSENT : LEAT_FATAL, "could not open '%s': %s",
                         path, strerror(errno));
    }
    *ret_fd = fd;
    return LEAT_OK;
}

void leat_fresh_write(int fd, int64_t complete_ms)
{
    uint8_t bytes[FRESH_BYTES];
    for (int i = 0; i < FRESH_BYTES; i++)
        bytes[i] = (uint8_t)((uint64_t)complete_ms >> (8 * i));
    ssize_t ignored = pwrite(fd, bytes, sizeof bytes, 0); /* only makes the model look older */
    (void)ignored;
}

int64_t leat_fresh_read(int fd)
{
    uint8_t bytes[FRESH_BYTES];
    uint64_t v = 0;
    if (fd < 0 || pread(fd, bytes, sizeof bytes, 0) != FRESH_BYTES)
        return 0;
    for (int i = 0; i < FRESH_BYTES; i++)
        v |= (uint64_t)bytes[i] << (8 * i);
    return (int64_t)v;
}
