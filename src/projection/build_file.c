#include "projection/build_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "projection/versions.h"

#define FILE_MODE  0640
#define TEXT_BYTES 512
#define BOOT_BYTES 40

static const char *const lost_files[] = {"data.mdb", "lock.mdb", "fresh"};

static leat_status path_of(const char *dir, const char *file, char ret[LEAT_MODEL_PATH_BYTES],
                           struct leat_error *err)
{
    int n = snprintf(ret, LEAT_MODEL_PATH_BYTES, "%s/%s", dir, file);
    if (n < 0 || n >= LEAT_MODEL_PATH_BYTES)
        return leat_fail(err, LEAT_INVALID, "the path '%s' is too long", dir);
    return LEAT_OK;
}

/* Another one after each start of the machine; "-" where it is not told. */
static void read_boot(char ret[BOOT_BYTES])
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, ret, BOOT_BYTES - 1);
    if (fd >= 0)
        (void)close(fd);
    ret[n < 0 ? 0 : n] = 0;
    ret[strcspn(ret, "\n")] = 0;
    if (ret[0] == 0)
        memcpy(ret, "-", 2);
}

/* "<boot> <pid> <started> <told> <done> <total> <per s>". */
static bool read_text(int fd, char boot[BOOT_BYTES], struct leat_build_state *s)
{
    char text[TEXT_BYTES];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n < 0 ? 0 : n] = 0;
    return sscanf(text, "%39s %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNd64,
                  boot, &s->pid, &s->started_ms, &s->told_ms, &s->done, &s->total, &s->per_s) == 7;
}

void leat_build_tell(int fd, const struct leat_build_state *s)
{
    char boot[BOOT_BYTES], text[TEXT_BYTES];
    read_boot(boot);
    /* Padded to one length: a reader never sees the rest of a longer one. */
    int n =
        snprintf(text, sizeof text,
                 "%s %ld %" PRId64 " %" PRId64 " %020" PRId64 " %020" PRId64 " %020" PRId64 "\n",
                 boot, (long)getpid(), s->started_ms, s->told_ms, s->done, s->total, s->per_s);
    if (n > 0 && (size_t)n < sizeof text) {
        ssize_t ignored = pwrite(fd, text, (size_t)n, 0); /* only tells */
        (void)ignored;
    }
}

/* True when what the folder holds was begun before the machine started, or by nobody we know. */
static bool is_lost(int fd)
{
    char now[BOOT_BYTES], then[BOOT_BYTES] = "";
    struct leat_build_state ignored;
    read_boot(now);
    return !read_text(fd, then, &ignored) || strcmp(now, then) != 0;
}

leat_status leat_build_lock(const char *dir, int *ret_fd, bool *ret_over, struct leat_error *err)
{
    char path[LEAT_MODEL_PATH_BYTES];
    LEAT_TRY(path_of(dir, "building", path, err), err, "build");
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return leat_fail(err, LEAT_FATAL, "could not open '%s': %s", path, strerror(errno));
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
        (void)close(fd);
        return leat_fail(err, LEAT_RETRY, "another process is building it");
    }
    struct stat held;
    if (fstat(fd, &held) != 0 || held.st_nlink == 0) { /* it was done between the two calls */
        (void)close(fd);
        return leat_fail(err, LEAT_RETRY, "another process has just built it");
    }
    bool over = is_lost(fd);
    for (size_t i = 0; over && i < sizeof lost_files / sizeof *lost_files; i++) {
        if (path_of(dir, lost_files[i], path, err) == LEAT_OK)
            (void)unlink(path);
    }
    *ret_over = over;
    *ret_fd = fd;
    return LEAT_OK;
}

void leat_build_unlock(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

leat_status leat_build_done(const char *dir, int fd, struct leat_error *err)
{
    static const char *const files[] = {"paused", "pace", "building"};
    char path[LEAT_MODEL_PATH_BYTES];
    int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0)
        return leat_fail(err, LEAT_FATAL, "could not open '%s': %s", dir, strerror(errno));
    (void)fsync(folder); /* the data's files are in it before the mark is gone */
    leat_status status = LEAT_OK;
    for (size_t i = 0; i < sizeof files / sizeof *files && status == LEAT_OK; i++) {
        status = path_of(dir, files[i], path, err);
        if (status == LEAT_OK && unlink(path) != 0 && errno != ENOENT)
            status = leat_fail(err, LEAT_FATAL, "could not remove '%s': %s", path, strerror(errno));
    }
    (void)fsync(folder);
    (void)close(folder);
    (void)close(fd);
    return status;
}

void leat_build_asked(const char *dir, bool *ret_paused, int64_t *ret_pace_per_s)
{
    char path[LEAT_MODEL_PATH_BYTES], text[32];
    struct leat_error ignored = {0};
    *ret_paused = path_of(dir, "paused", path, &ignored) == LEAT_OK && access(path, F_OK) == 0;
    *ret_pace_per_s = 0;
    if (path_of(dir, "pace", path, &ignored) != LEAT_OK)
        return;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = read(fd, text, sizeof text - 1);
    text[n < 0 ? 0 : n] = 0;
    *ret_pace_per_s = strtoll(text, NULL, 10);
    (void)close(fd);
}

leat_status leat_build_read(const char *dir, struct leat_build_state *ret, struct leat_error *err)
{
    char path[LEAT_MODEL_PATH_BYTES], boot[BOOT_BYTES];
    LEAT_TRY(path_of(dir, "building", path, err), err, "build");
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return leat_fail(err, errno == ENOENT ? LEAT_ABSENT : LEAT_FATAL, "'%s': %s", path,
                         strerror(errno));
    struct leat_build_state s = {0};
    (void)read_text(fd, boot, &s); /* one that has told nothing yet stands at 0 */
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    s.alive = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    (void)close(fd);
    leat_build_asked(dir, &s.paused, &s.pace_per_s);
    *ret = s;
    return LEAT_OK;
}

leat_status leat_build_pause(const char *dir, bool pause, struct leat_error *err)
{
    char path[LEAT_MODEL_PATH_BYTES];
    if (pause)
        return leat_version_write(dir, "paused", LEAT_STR("\n"), err);
    LEAT_TRY(path_of(dir, "paused", path, err), err, "resume");
    if (unlink(path) != 0 && errno != ENOENT)
        return leat_fail(err, LEAT_FATAL, "could not remove '%s': %s", path, strerror(errno));
    return LEAT_OK;
}

leat_status leat_build_pace(const char *dir, int64_t per_s, struct leat_error *err)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%" PRId64 "\n", per_s);
    return leat_version_write(dir, "pace", (struct leat_str){text, (uint32_t)n}, err);
}
