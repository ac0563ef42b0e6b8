#include "cli/import_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/hash.h"

#define WINDOW_BYTES ((size_t)4 * LEAT_CSV_ROW_BYTES_MAX)
#define BLOCK_BYTES  ((size_t)1 << 20)
#define BLOCKS_MAX   ((size_t)1 << 20) /* 1 TiB */

leat_status leat_import_source_open(struct leat_import_source *s, const char *path, bool jsonl,
                                    char delimiter, struct leat_error *err)
{
    *s = (struct leat_import_source){.path = path, .jsonl = jsonl, .fd = -1};
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        int cause = errno;
        if (fd >= 0)
            (void)close(fd);
        return leat_fail(err, LEAT_INVALID, "could not open '%s': %s", path, strerror(cause));
    }
    if (!S_ISREG(st.st_mode)) {
        (void)close(fd);
        (void)leat_fail(err, LEAT_INVALID, "'%s' is not a regular file", path);
        leat_error_hint(err, "Write a pipe or a terminal to a file first: an import that was "
                             "stopped has to go back in it.");
        return LEAT_INVALID;
    }
    s->fd = fd;
    s->bytes = st.st_size;
    s->modified_ms = (int64_t)st.st_mtim.tv_sec * 1000 + st.st_mtim.tv_nsec / 1000000;
    s->window = malloc(WINDOW_BYTES);
    if (s->window == NULL) {
        (void)close(fd);
        return leat_fail(err, LEAT_FATAL, "out of memory");
    }
    leat_csv_init(&s->csv, delimiter);
    return LEAT_OK;
}

void leat_import_source_close(struct leat_import_source *s)
{
    if (s->window == NULL)
        return;
    (void)close(s->fd);
    free(s->window);
    s->window = NULL;
    leat_csv_done(&s->csv);
}

/* Up to n bytes at `offset`; fewer only at the end of the file. */
static leat_status read_at(const struct leat_import_source *s, void *to, size_t n, int64_t offset,
                           size_t *ret_n, struct leat_error *err)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = pread(s->fd, (char *)to + have, n - have, offset + (int64_t)have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return leat_fail(err, LEAT_FATAL, "could not read '%s': %s", s->path, strerror(errno));
        if (got == 0)
            break;
        have += (size_t)got;
    }
    *ret_n = have;
    return LEAT_OK;
}

leat_status leat_import_source_digest(const struct leat_import_source *s, uint8_t ret_digest[32],
                                      struct leat_error *err)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf digests;
    leat_buf_init(&digests, BLOCKS_MAX * 32);
    leat_status status = LEAT_OK;
    char *block = malloc(BLOCK_BYTES);
    if (block == NULL)
        return leat_fail(err, LEAT_FATAL, "out of memory");
    for (size_t got = BLOCK_BYTES, i = 0; status == LEAT_OK && got == BLOCK_BYTES; i++) {
        uint8_t digest[32];
        status = read_at(s, block, BLOCK_BYTES, (int64_t)(i * BLOCK_BYTES), &got, err);
        if (status != LEAT_OK)
            break;
        leat_sha256(block, got, digest);
        leat_buf_put(&digests, digest, sizeof digest);
    }
    free(block);
    if (status == LEAT_OK && digests.overflow)
        status = leat_fail(err, LEAT_INVALID, "'%s' is too large", s->path);
    if (status == LEAT_OK)
        leat_sha256(digests.at, digests.len, ret_digest);
    return status;
}

leat_status leat_import_source_seek(struct leat_import_source *s, int64_t offset, int64_t line,
                                    struct leat_error *err)
{
    if (offset < 0 || offset > s->bytes)
        return leat_fail(err, LEAT_INVALID, "'%s' has no byte %jd", s->path, (intmax_t)offset);
    s->begin = s->end = 0;
    s->last = false;
    s->csv.offset = offset;
    s->csv.line = line;
    s->csv.skipping = false;
    return LEAT_OK;
}

static leat_status refill(struct leat_import_source *s, struct leat_error *err)
{
    size_t left = s->end - s->begin;
    if (left > 0)
        memmove(s->window, s->window + s->begin, left);
    s->begin = 0;
    s->end = left;
    size_t got = 0;
    int64_t offset = s->csv.offset + (int64_t)left;
    leat_status status = read_at(s, s->window + left, WINDOW_BYTES - left, offset, &got, err);
    if (status != LEAT_OK)
        return status;
    s->end += got;
    s->last = s->end < WINDOW_BYTES;
    return LEAT_OK;
}

leat_status leat_import_source_next(struct leat_import_source *s, struct leat_csv_row *ret,
                                    bool *ret_end, struct leat_error *err)
{
    *ret_end = false;
    for (;;) {
        struct leat_str window = {s->window + s->begin, (uint32_t)(s->end - s->begin)};
        size_t used = 0;
        leat_csv_result how = s->jsonl ? leat_csv_next_line(&s->csv, window, s->last, &used, ret)
                                       : leat_csv_next(&s->csv, window, s->last, &used, ret);
        s->begin += used;
        if (how == LEAT_CSV_ROW || how == LEAT_CSV_BAD)
            return LEAT_OK;
        if (how == LEAT_CSV_END) {
            *ret_end = true;
            return LEAT_OK;
        }
        leat_status status = refill(s, err);
        if (status != LEAT_OK)
            return status;
    }
}
