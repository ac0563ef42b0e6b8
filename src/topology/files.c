#include "topology/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static leat_status read_all(int fd, char *to, size_t len, size_t *ret_len)
{
    size_t have = 0;
    while (have < len) {
        ssize_t n = read(fd, to + have, len - have);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return LEAT_INVALID;
        if (n == 0)
            break;
        have += (size_t)n;
    }
    *ret_len = have;
    return LEAT_OK;
}

static leat_status read_open(struct leat_arena *arena, int fd, const char *path, size_t max_bytes,
                             struct leat_str *ret_text, struct leat_error *err)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return leat_fail(err, LEAT_INVALID, "could not read '%s': %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return leat_fail(err, LEAT_INVALID, "could not read '%s': not a file", path);
    if (st.st_size < 0 || (size_t)st.st_size > max_bytes)
        return leat_fail(err, LEAT_INVALID, "could not read '%s': larger than %zu bytes", path,
                         max_bytes);
    char *to = leat_arena_alloc(arena, (size_t)st.st_size + 1);
    size_t len = 0;
    if (read_all(fd, to, (size_t)st.st_size, &len) != LEAT_OK)
        return leat_fail(err, LEAT_INVALID, "could not read '%s': %s", path, strerror(errno));
    to[len] = '\0';
    *ret_text = (struct leat_str){to, (uint32_t)len};
    return LEAT_OK;
}

leat_status leat_files_read(struct leat_arena *arena, const char *path, size_t max_bytes,
                            struct leat_str *ret_text, struct leat_error *err)
{
    /* NONBLOCK: opening a named pipe must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return leat_fail(err, LEAT_INVALID, "could not read '%s': %s", path, strerror(errno));
    leat_status status = read_open(arena, fd, path, max_bytes, ret_text, err);
    (void)close(fd);
    return status;
}

const char *leat_files_dir(struct leat_arena *arena, const char *file)
{
    const char *slash = strrchr(file, '/');
    if (slash == NULL)
        return ".";
    if (slash == file)
        return "/";
    return leat_arena_cstr(arena, (struct leat_str){file, (uint32_t)(slash - file)});
}

const char *leat_files_beside(struct leat_arena *arena, const char *file, struct leat_str name)
{
    if (name.len > 0 && name.at[0] == '/')
        return leat_arena_cstr(arena, name);
    const char *slash = strrchr(file, '/');
    int dir = slash == NULL ? 0 : (int)(slash - file) + 1;
    return leat_arena_printf(arena, "%.*s%.*s", dir, file, LEAT_STR_FMT(name));
}

bool leat_files_same(const char *a, const char *b)
{
    struct stat sa, sb;
    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

bool leat_files_is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool leat_files_is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}
