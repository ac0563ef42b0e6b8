#include "projection/version_copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "projection/env.h"

#define DECLARATION_MAX ((size_t)1 << 20)

static leat_status sync_path(const char *path, struct leat_error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool good = fd >= 0 && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        (void)close(fd);
    return good ? LEAT_OK
                : leat_fail(err, LEAT_FATAL, "could not sync '%s': %s", path, strerror(why));
}

static leat_status copy_declaration(const char *from, const char *to, struct leat_error *err)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, DECLARATION_MAX);
    leat_status status = leat_version_read(from, "declaration", DECLARATION_MAX, &text, err);
    if (status == LEAT_ABSENT) /* of a version that is older than the file */
        return LEAT_OK;
    LEAT_TRY(status, err, "copy");
    return leat_version_write(to, "declaration", leat_buf_str(&text), err);
}

/* Into a folder that is there, and on the disk when it returns. */
static leat_status copy_into(const struct leat_version_copy *c, const char *to, bool compact,
                             struct leat_error *err)
{
    char from[LEAT_MODEL_PATH_BYTES], file[LEAT_MODEL_PATH_BYTES + 16];
    struct leat_env *env = NULL;
    LEAT_TRY(leat_version_dir(c->data_dir, c->model, c->version, from, err), err, "copy");
    LEAT_TRY(leat_env_open(from, false, 0, &env, err), err, "copy");
    leat_status status = leat_env_copy(env, to, compact, err);
    leat_env_close(env);
    LEAT_TRY(status, err, "version %s", c->version);
    LEAT_TRY(copy_declaration(from, to, err), err, "copy");
    (void)snprintf(file, sizeof file, "%s/data.mdb", to);
    LEAT_TRY(sync_path(file, err), err, "copy");
    return sync_path(to, err);
}

leat_status leat_version_backup(const struct leat_version_copy *c, const char *to,
                                struct leat_error *err)
{
    char prepared[LEAT_MODEL_PATH_BYTES], dir[LEAT_MODEL_PATH_BYTES];
    LEAT_TRY(leat_version_dir(to, c->model, c->version, dir, err), err, "backup");
    if (access(dir, F_OK) == 0)
        return leat_fail(err, LEAT_INVALID, "there is a backup of it already: '%s'", dir);
    LEAT_TRY(leat_version_prepare(to, prepared, err), err, "backup");
    leat_status status = copy_into(c, prepared, false, err);
    if (status == LEAT_OK && rename(prepared, dir) != 0)
        status = leat_fail(err, LEAT_FATAL, "could not rename '%s': %s", prepared, strerror(errno));
    if (status != LEAT_OK) {
        leat_version_discard(prepared);
        return status;
    }
    return leat_version_switch(to, c->model, c->version, err);
}

leat_status leat_version_compact(const struct leat_version_copy *c,
                                 char ret_version[LEAT_VERSION_BYTES], struct leat_error *err)
{
    char prepared[LEAT_MODEL_PATH_BYTES];
    LEAT_TRY(leat_version_prepare(c->data_dir, prepared, err), err, "compact");
    leat_status status = copy_into(c, prepared, true, err);
    if (status == LEAT_OK)
        status = leat_version_add(c->data_dir, c->model, leat_version_hash(c->version), prepared,
                                  ret_version, err);
    if (status != LEAT_OK)
        leat_version_discard(prepared);
    return status;
}
