#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "projection/env.h"
#include "projection/versions.h"

#define HASH_DIGITS   16
#define NUMBER_MAX    99999
#define FOLDER_MODE   0750
#define NEW_PREFIX    ".new-"
#define DROPPED       ".dropped-"
#define FIRST_ENTRIES 8

/* ---- names ---- */

uint64_t leat_version_hash(const char *version)
{
    uint64_t hash = 0;
    if (strspn(version, "0123456789abcdef") != HASH_DIGITS)
        return 0;
    for (int i = 0; i < HASH_DIGITS; i++) {
        int c = version[i];
        hash = hash << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return hash;
}

/* "<16 hex>" or "<16 hex>-<n>", n from 2. */
static bool parse_version(const char *text, struct leat_version *ret)
{
    size_t len = strlen(text);
    if (len >= sizeof ret->name || (ret->hash = leat_version_hash(text)) == 0)
        return false;
    ret->number = 1;
    if (text[HASH_DIGITS] != 0) {
        char *end = NULL;
        long n = strtol(text + HASH_DIGITS + 1, &end, 10);
        if (text[HASH_DIGITS] != '-' || *end != 0 || n < 2 || n > NUMBER_MAX)
            return false;
        ret->number = (int)n;
    }
    memcpy(ret->name, text, len + 1);
    return true;
}

static leat_status models_dir(const char *data_dir, char ret[LEAT_MODEL_PATH_BYTES],
                              struct leat_error *err)
{
    int n = snprintf(ret, LEAT_MODEL_PATH_BYTES, "%s/models", data_dir);
    /* Room for the longest name that is put behind it. */
    if (n < 0 || n >= LEAT_MODEL_PATH_BYTES - 256)
        return leat_fail(err, LEAT_INVALID, "the path '%.100s…' is too long", data_dir);
    return LEAT_OK;
}

/* ---- listing ---- */

void leat_versions_free(struct leat_versions *v)
{
    free(v->at);
    *v = (struct leat_versions){0};
}

static bool has(int dir_fd, const char *file)
{
    return faccessat(dir_fd, file, F_OK, 0) == 0;
}

static int64_t written_ms(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000;
}

static bool read_entry(int models_fd, const char *name, struct leat_version *v)
{
    struct stat st;
    int fd = openat(models_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool there = fstat(fd, &st) == 0;
    v->folder = (uint64_t)st.st_ino;
    v->building = has(fd, "building");
    v->refused = has(fd, "refused");
    v->has_data = has(fd, "data.mdb");
    if (there && fstatat(fd, "declaration", &st, 0) == 0)
        v->made_ms = written_ms(&st);
    if (there && fstatat(fd, "left", &st, 0) == 0)
        v->left_ms = written_ms(&st);
    (void)close(fd);
    return there;
}

static int by_age(const void *a, const void *b)
{
    const struct leat_version *x = a, *y = b;
    if (x->hash == y->hash)
        return x->number - y->number;
    if (x->made_ms != y->made_ms)
        return x->made_ms < y->made_ms ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void add_entry(struct leat_versions *v, size_t *cap, const struct leat_version *entry)
{
    if (v->n == *cap) {
        *cap = *cap == 0 ? FIRST_ENTRIES : *cap * 2;
        v->at = realloc(v->at, *cap * sizeof *v->at);
        leat_assert(v->at != NULL);
    }
    v->at[v->n++] = *entry;
}

leat_status leat_versions_list(const char *data_dir, struct leat_str model,
                               struct leat_versions *ret, struct leat_error *err)
{
    char path[LEAT_MODEL_PATH_BYTES];
    struct leat_versions found = {0};
    size_t cap = 0;
    LEAT_TRY(models_dir(data_dir, path, err), err, "versions");
    DIR *d = opendir(path);
    if (d == NULL && errno != ENOENT)
        return leat_fail(err, LEAT_FATAL, "could not list '%s': %s", path, strerror(errno));
    const struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL) {
        struct leat_version v = {0};
        if (strncmp(e->d_name, model.at, model.len) == 0 && e->d_name[model.len] == '.' &&
            parse_version(e->d_name + model.len + 1, &v) && read_entry(dirfd(d), e->d_name, &v))
            add_entry(&found, &cap, &v);
    }
    if (d != NULL)
        (void)closedir(d);
    if (found.n > 1)
        qsort(found.at, found.n, sizeof *found.at, by_age);
    *ret = found;
    return LEAT_OK;
}

const struct leat_version *leat_versions_find(const struct leat_versions *v, const char *name)
{
    for (size_t i = 0; i < v->n; i++) {
        if (strcmp(v->at[i].name, name) == 0)
            return &v->at[i];
    }
    return NULL;
}

const struct leat_version *leat_versions_newest(const struct leat_versions *v, uint64_t hash,
                                                bool ready)
{
    const struct leat_version *best = NULL;
    for (size_t i = 0; i < v->n; i++) {
        const struct leat_version *at = &v->at[i];
        if (at->hash == hash && !at->refused && !(ready && at->building) &&
            (best == NULL || at->number > best->number))
            best = at;
    }
    return best;
}

/* The number that comes after all there are of that declaration. */
static int next_number(const struct leat_versions *v, uint64_t hash)
{
    int last = 0;
    for (size_t i = 0; i < v->n; i++) {
        if (v->at[i].hash == hash && v->at[i].number > last)
            last = v->at[i].number;
    }
    return last + 1;
}

static void name_version(uint64_t hash, int number, char ret[LEAT_VERSION_BYTES])
{
    if (number == 1) {
        (void)snprintf(ret, LEAT_VERSION_BYTES, "%016" PRIx64, hash);
    } else {
        (void)snprintf(ret, LEAT_VERSION_BYTES, "%016" PRIx64 "-%d", hash, number);
    }
}

leat_status leat_version_pick(const char *data_dir, struct leat_str model, uint64_t hash,
                              char ret_version[LEAT_VERSION_BYTES], struct leat_error *err)
{
    LEAT_AUTO(leat_versions_free) struct leat_versions all = {0};
    LEAT_TRY(leat_versions_list(data_dir, model, &all, err), err, "read model '%.*s'",
             LEAT_STR_FMT(model));
    const struct leat_version *v = leat_versions_newest(&all, hash, false);
    name_version(hash, v != NULL ? v->number : next_number(&all, hash), ret_version);
    return LEAT_OK;
}

/* ---- coming and going ---- */

leat_status leat_version_prepare(const char *data_dir, char ret_dir[LEAT_MODEL_PATH_BYTES],
                                 struct leat_error *err)
{
    static atomic_uint counter;
    char path[LEAT_MODEL_PATH_BYTES], dir[LEAT_MODEL_PATH_BYTES];
    LEAT_TRY(models_dir(data_dir, path, err), err, "new version");
    int n = snprintf(dir, sizeof dir, "%s/%s%ld-%u", path, NEW_PREFIX, (long)getpid(),
                     atomic_fetch_add(&counter, 1));
    if (n < 0 || (size_t)n >= sizeof dir)
        return leat_fail(err, LEAT_INVALID, "the path '%s' is too long", path);
    LEAT_TRY(leat_env_make_folders(path, err), err, "new version");
    leat_version_discard(dir); /* of a process that had this id before */
    if (mkdir(dir, FOLDER_MODE) != 0)
        return leat_fail(err, LEAT_FATAL, "could not make '%s': %s", dir, strerror(errno));
    memcpy(ret_dir, dir, sizeof dir);
    return LEAT_OK;
}

leat_status leat_version_add(const char *data_dir, struct leat_str model, uint64_t hash,
                             const char *prepared, char ret_version[LEAT_VERSION_BYTES],
                             struct leat_error *err)
{
    char version[LEAT_VERSION_BYTES], dir[LEAT_MODEL_PATH_BYTES];
    for (int tries = 0; tries < 3; tries++) { /* somebody else may take the number first */
        LEAT_AUTO(leat_versions_free) struct leat_versions all = {0};
        LEAT_TRY(leat_versions_list(data_dir, model, &all, err), err, "new version");
        name_version(hash, next_number(&all, hash), version);
        LEAT_TRY(leat_version_dir(data_dir, model, version, dir, err), err, "new version");
        if (rename(prepared, dir) == 0) {
            memcpy(ret_version, version, sizeof version);
            return LEAT_OK;
        }
        if (errno != EEXIST && errno != ENOTEMPTY)
            break;
    }
    return leat_fail(err, LEAT_FATAL, "could not rename '%s' to '%s': %s", prepared, dir,
                     strerror(errno));
}

void leat_version_discard(const char *dir)
{
    char path[LEAT_MODEL_PATH_BYTES + 64];
    DIR *d = opendir(dir);
    const struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL) {
        int n = snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (e->d_name[0] != '.' && n > 0 && (size_t)n < sizeof path)
            (void)unlink(path);
    }
    if (d != NULL)
        (void)closedir(d);
    (void)rmdir(dir);
}

leat_status leat_version_drop(const char *data_dir, struct leat_str model, const char *version,
                              struct leat_error *err)
{
    char dir[LEAT_MODEL_PATH_BYTES], path[LEAT_MODEL_PATH_BYTES], gone[LEAT_MODEL_PATH_BYTES];
    LEAT_TRY(models_dir(data_dir, path, err), err, "drop a version");
    LEAT_TRY(leat_version_dir(data_dir, model, version, dir, err), err, "drop a version");
    int n = snprintf(gone, sizeof gone, "%s/%s%ld-%.*s.%s", path, DROPPED, (long)getpid(),
                     LEAT_STR_FMT(model), version);
    if (n < 0 || (size_t)n >= sizeof gone)
        return leat_fail(err, LEAT_INVALID, "the path of '%s' is too long", dir);
    if (rename(dir, gone) != 0) {
        leat_status status = errno == ENOENT ? LEAT_ABSENT : LEAT_FATAL;
        return leat_fail(err, status, "could not remove '%s': %s", dir, strerror(errno));
    }
    leat_version_discard(gone);
    return LEAT_OK;
}

void leat_versions_sweep(const char *data_dir)
{
    char path[LEAT_MODEL_PATH_BYTES], dir[LEAT_MODEL_PATH_BYTES];
    struct leat_error ignored = {0};
    if (models_dir(data_dir, path, &ignored) != LEAT_OK)
        return;
    DIR *d = opendir(path);
    const struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL) {
        const char *rest = NULL;
        if (strncmp(e->d_name, NEW_PREFIX, sizeof NEW_PREFIX - 1) == 0)
            rest = e->d_name + sizeof NEW_PREFIX - 1;
        if (strncmp(e->d_name, DROPPED, sizeof DROPPED - 1) == 0)
            rest = e->d_name + sizeof DROPPED - 1;
        long pid = rest == NULL ? 0 : strtol(rest, NULL, 10);
        int n = snprintf(dir, sizeof dir, "%s/%s", path, e->d_name);
        if (pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH && n > 0 &&
            (size_t)n < sizeof dir)
            leat_version_discard(dir);
    }
    if (d != NULL)
        (void)closedir(d);
}
