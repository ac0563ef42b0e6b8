#include "cli/test_find.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX 8

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name), m = strlen(end);
    return n > m && strcmp(name + n - m, end) == 0;
}

static bool is_test(const char *name)
{
    return ends_with(name, "_test.yaml") || ends_with(name, "_test.yml");
}

/* The same file by two ways is one. */
static bool is_known(const struct leat_test_paths *to, const char *path)
{
    struct stat a, b;
    if (stat(path, &a) != 0)
        return false;
    for (uint32_t i = 0; i < to->n; i++)
        if (stat(to->at[i], &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
            return true;
    return false;
}

static void add(struct leat_arena *arena, struct leat_test_paths *to, const char *path)
{
    if (to->n == LEAT_TEST_FILES_MAX || is_known(to, path))
        return;
    to->at = leat_arena_grow(arena, (void *)(uintptr_t)to->at, sizeof *to->at, &to->cap,
                             (size_t)to->n + 1);
    to->at[to->n++] = path;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool worth_looking(const char *name)
{
    return name[0] != '.' && strcmp(name, "build") != 0;
}

/* A folder with a topology of its own is another project: its tests are not this one's. */
static bool is_other_project(const char *folder, struct leat_arena *arena)
{
    struct stat s;
    return stat(leat_arena_printf(arena, "%s/leat.yaml", folder), &s) == 0;
}

static void walk(const char *folder, int depth, struct leat_arena *arena,
                 struct leat_test_paths *to)
{
    DIR *dir = opendir(folder);
    const char **names = NULL;
    size_t n = 0, cap = 0;
    if (dir == NULL)
        return;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (!worth_looking(e->d_name))
            continue;
        names = leat_arena_grow(arena, (void *)(uintptr_t)names, sizeof *names, &cap, n + 1);
        names[n++] = leat_arena_printf(arena, "%s/%s", folder, e->d_name);
    }
    (void)closedir(dir);
    if (n > 0)
        qsort((void *)(uintptr_t)names, n, sizeof *names, by_name);
    for (size_t i = 0; i < n; i++) {
        struct stat s;
        if (lstat(names[i], &s) != 0)
            continue;
        if (S_ISDIR(s.st_mode) && depth > 0 && !is_other_project(names[i], arena))
            walk(names[i], depth - 1, arena, to);
        else if (!S_ISDIR(s.st_mode) && is_test(names[i]))
            add(arena, to, names[i]);
    }
}

leat_status leat_test_find(const char *path, struct leat_arena *arena, struct leat_test_paths *to,
                           struct leat_error *err)
{
    struct stat s;
    uint32_t before = to->n;
    if (stat(path, &s) != 0)
        return leat_fail(err, LEAT_INVALID, "there is no file or folder '%s'", path);
    if (!S_ISDIR(s.st_mode)) {
        add(arena, to, path);
        return LEAT_OK;
    }
    walk(path, DEPTH_MAX, arena, to);
    return to->n > before ? LEAT_OK
                          : leat_fail(err, LEAT_INVALID, "no *_test.yaml in folder '%s'", path);
}

/* "a/b" -> "a/", "b" -> "", "." -> "../" */
static const char *parent(const char *dir, struct leat_arena *arena)
{
    const char *slash = strrchr(dir, '/'), *last = slash == NULL ? dir : slash + 1;
    if (*last == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
        return leat_arena_printf(arena, "%s%s../", strcmp(dir, ".") == 0 ? "" : dir,
                                 strcmp(dir, ".") == 0 ? "" : "/");
    return leat_arena_cstr(arena, (struct leat_str){dir, (uint32_t)(last - dir)});
}

void leat_test_find_beside(const struct leat_topology *t, struct leat_arena *arena,
                           struct leat_test_paths *to)
{
    const char *const names[] = {"processors", "tests", t->name.at};
    const char *own = strcmp(t->dir, ".") == 0 ? "" : leat_arena_printf(arena, "%s/", t->dir);
    const char *beside = parent(t->dir, arena);
    walk(t->dir, 0, arena, to);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        walk(leat_arena_printf(arena, "%s%s", own, names[i]), DEPTH_MAX, arena, to);
        walk(leat_arena_printf(arena, "%s%s", beside, names[i]), DEPTH_MAX, arena, to);
    }
}
