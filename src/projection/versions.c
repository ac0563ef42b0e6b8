#include "projection/versions.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "projection/switches.h"

#define FRESH_BYTES   8
#define LEFT          "left"
#define HELD          "held "
#define CURRENT_BYTES (2 * LEAT_VERSION_BYTES + 16)

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

static leat_status write_bytes(const char *path, struct leat_str text, struct leat_error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return leat_fail(err, LEAT_FATAL, "could not write '%s': %s", path, strerror(errno));
    bool good = write(fd, text.at, text.len) == (ssize_t)text.len && fsync(fd) == 0;
    int why = errno;
    good = close(fd) == 0 && good;
    return good ? LEAT_OK
                : leat_fail(err, LEAT_FATAL, "could not write '%s': %s", path, strerror(why));
}

static leat_status write_file(const char *path, const char *text, struct leat_error *err)
{
    return write_bytes(path, leat_str_of(text), err);
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

/* Says of both versions since when readers have left them; a switch holds without it. */
static void note_left(const char *data_dir, struct leat_str model, const char *before,
                      const char *now)
{
    char dir[LEAT_MODEL_PATH_BYTES], path[LEAT_MODEL_PATH_BYTES];
    struct leat_error ignored = {0};
    if (strcmp(before, now) == 0)
        return;
    bool noted = before[0] != 0 &&
                 leat_version_dir(data_dir, model, before, dir, &ignored) == LEAT_OK &&
                 leat_version_write(dir, LEFT, leat_str_of(now), &ignored) == LEAT_OK;
    (void)noted;
    if (join(path, &ignored, "%s/models/%.*s.%s/" LEFT, data_dir, LEAT_STR_FMT(model), now) ==
        LEAT_OK)
        (void)unlink(path);
}

static leat_status replace_current(const char *data_dir, struct leat_str model, const char *version,
                                   const char *text, struct leat_error *err)
{
    char before[LEAT_VERSION_BYTES] = "";
    struct leat_error absent = {0};
    char path[LEAT_MODEL_PATH_BYTES], next[LEAT_MODEL_PATH_BYTES];
    LEAT_TRY(join(path, err, "%s/models/%.*s.current", data_dir, LEAT_STR_FMT(model)), err,
             "switch a read model");
    /* Its own name per process: two projectors may switch at once. */
    LEAT_TRY(join(next, err, "%s.%ld", path, (long)getpid()), err, "switch a read model");
    LEAT_TRY(write_file(next, text, err), err, "switch a read model");
    struct leat_switches *s = NULL;
    LEAT_TRY(leat_switches_begin(data_dir, model, &s, err), err, "switch a read model");
    if (leat_version_current(data_dir, model, before, &absent) != LEAT_OK)
        before[0] = 0;
    int rc = rename(next, path);
    int why = errno;
    leat_switches_end(s);
    if (rc != 0)
        return leat_fail(err, LEAT_FATAL, "could not rename '%s': %s", next, strerror(why));
    note_left(data_dir, model, before, version);
    return LEAT_OK;
}

leat_status leat_version_switch(const char *data_dir, struct leat_str model, const char *version,
                                struct leat_error *err)
{
    char text[LEAT_VERSION_BYTES + 1];
    (void)snprintf(text, sizeof text, "%.*s\n", LEAT_VERSION_BYTES - 1, version);
    return replace_current(data_dir, model, version, text, err);
}

leat_status leat_version_hold(const char *data_dir, struct leat_str model, const char *version,
                              uint64_t declared, struct leat_error *err)
{
    char text[CURRENT_BYTES];
    (void)snprintf(text, sizeof text, "%.*s\n" HELD "%016" PRIx64 "\n", LEAT_VERSION_BYTES - 1,
                   version, declared);
    return replace_current(data_dir, model, version, text, err);
}

bool leat_version_is_held(const char *data_dir, struct leat_str model, uint64_t declared)
{
    char path[LEAT_MODEL_PATH_BYTES], text[CURRENT_BYTES], want[CURRENT_BYTES];
    struct leat_error ignored = {0};
    if (join(path, &ignored, "%s/models/%.*s.current", data_dir, LEAT_STR_FMT(model)) != LEAT_OK)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        (void)close(fd);
    text[n < 0 ? 0 : n] = 0;
    (void)snprintf(want, sizeof want, "\n" HELD "%016" PRIx64 "\n", declared);
    return strstr(text, want) != NULL;
}

uint64_t leat_version_stamp(const char *data_dir, struct leat_str model)
{
    char path[LEAT_MODEL_PATH_BYTES];
    struct leat_error ignored = {0};
    struct stat st;
    if (join(path, &ignored, "%s/models/%.*s.current", data_dir, LEAT_STR_FMT(model)) != LEAT_OK ||
        stat(path, &st) != 0)
        return 0;
    /* An inode number may be used again, but not at the same moment. */
    uint64_t at = (uint64_t)st.st_ctim.tv_sec * 1000000000U + (uint64_t)st.st_ctim.tv_nsec;
    return (at << 1 | 1) ^ (uint64_t)st.st_ino << 40;
}

/* ---- small files ---- */

leat_status leat_version_write(const char *dir, const char *file, struct leat_str text,
                               struct leat_error *err)
{
    char path[LEAT_MODEL_PATH_BYTES], next[LEAT_MODEL_PATH_BYTES];
    LEAT_TRY(join(path, err, "%s/%s", dir, file), err, "write");
    LEAT_TRY(join(next, err, "%s.%ld", path, (long)getpid()), err, "write");
    leat_status status = write_bytes(next, text, err);
    if (status == LEAT_OK && rename(next, path) != 0)
        status = leat_fail(err, LEAT_FATAL, "could not rename '%s': %s", next, strerror(errno));
    return status;
}

leat_status leat_version_read(const char *dir, const char *file, size_t max, struct leat_buf *out,
                              struct leat_error *err)
{
    char path[LEAT_MODEL_PATH_BYTES], part[4096];
    LEAT_TRY(join(path, err, "%s/%s", dir, file), err, "read");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return leat_fail(err, errno == ENOENT ? LEAT_ABSENT : LEAT_FATAL, "could not open '%s': %s",
                         path, strerror(errno));
    }
    ssize_t n = 0;
    size_t have = 0;
    while (have < max && (n = read(fd, part, sizeof part)) > 0) {
        leat_buf_put(out, part, (size_t)n);
        have += (size_t)n;
    }
    (void)close(fd);
    return n >= 0 ? LEAT_OK : leat_fail(err, LEAT_FATAL, "could not read '%s'", path);
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
