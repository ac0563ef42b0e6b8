#include "cli/new_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/cli.h"

#define LISTING_BYTES_MAX ((size_t)LEAT_NEW_FILES_MAX * (PATH_MAX + 64))

void leat_new_file(struct leat_new_files *f, leat_new_act act, const char *path,
                   struct leat_str text)
{
    leat_assert(f->n < LEAT_NEW_FILES_MAX);
    f->at[f->n++] = (struct leat_new_file){act, path, text};
}

static leat_status refuse_existing(const struct leat_new_files *f, struct leat_error *err)
{
    struct stat s;
    for (uint32_t i = 0; i < f->n && !f->force; i++) {
        if (f->at[i].act != LEAT_NEW_WRITE || lstat(f->at[i].path, &s) != 0)
            continue;
        (void)leat_fail(err, LEAT_FATAL, "'%s' exists", f->at[i].path);
        leat_error_hint(err, "Nothing was written; --force overwrites.");
        return LEAT_FATAL;
    }
    return LEAT_OK;
}

static leat_status make_folders(char *path, struct leat_error *err)
{
    for (char *p = strchr(path + 1, '/'); p != NULL; p = strchr(p + 1, '/')) {
        *p = '\0';
        bool ok = mkdir(path, 0777) == 0 || errno == EEXIST;
        int number = errno;
        if (!ok) {
            (void)leat_fail(err, LEAT_FATAL, "could not make folder '%s': %s", path,
                            strerror(number));
        }
        *p = '/';
        if (!ok)
            return LEAT_FATAL;
    }
    return LEAT_OK;
}

static leat_status write_one(const struct leat_new_files *f, const struct leat_new_file *file,
                             struct leat_error *err)
{
    struct stat old;
    char *path = leat_arena_printf(f->arena, "%s", file->path);
    const char *beside = leat_arena_printf(f->arena, "%s.%ld", file->path, (long)getpid());
    LEAT_TRY(make_folders(path, err), err, "%s", path);
    bool existed = stat(path, &old) == 0;
    FILE *out = fopen(beside, "wxe");
    if (out == NULL)
        return leat_fail(err, LEAT_FATAL, "could not write '%s': %s", path, strerror(errno));
    bool ok = fwrite(file->text.at, 1, file->text.len, out) == file->text.len;
    ok = (!existed || fchmod(fileno(out), old.st_mode & 07777) == 0) && ok;
    ok = fclose(out) == 0 && ok && rename(beside, path) == 0;
    if (ok)
        return LEAT_OK;
    (void)leat_fail(err, LEAT_FATAL, "could not write '%s': %s", path, strerror(errno));
    (void)unlink(beside);
    return LEAT_FATAL;
}

static const char *word_of(leat_new_act act, bool dry_run)
{
    switch (act) {
    case LEAT_NEW_WRITE:
        return dry_run ? "would write" : "wrote";
    case LEAT_NEW_KEEP:
        return dry_run ? "would keep" : "kept";
    case LEAT_NEW_CHANGE:
        break;
    }
    return dry_run ? "would change" : "changed";
}

static void put_json(const struct leat_new_files *f, struct leat_buf *text)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, text);
    leat_json_begin_object(&w);
    leat_json_put_bool(&w, "dry_run", f->dry_run);
    leat_json_key(&w, LEAT_STR("files"));
    leat_json_begin_array(&w);
    for (uint32_t i = 0; i < f->n; i++) {
        leat_json_begin_object(&w);
        leat_json_put_cstr(&w, "file", f->at[i].path);
        leat_json_put_cstr(&w, "act", word_of(f->at[i].act, f->dry_run));
        leat_json_end_object(&w);
    }
    leat_json_end_array(&w);
    leat_json_end_object(&w);
    leat_buf_putc(text, '\n');
}

static int show(const struct leat_new_files *f)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, LISTING_BYTES_MAX);
    if (f->json)
        put_json(f, &text);
    for (uint32_t i = 0; i < f->n && !f->json; i++)
        leat_buf_printf(&text, "%s %s\n", word_of(f->at[i].act, f->dry_run), f->at[i].path);
    return leat_cli_print(&text);
}

int leat_new_write(const struct leat_new_files *f)
{
    struct leat_error err = {0};
    if (refuse_existing(f, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    for (uint32_t i = 0; i < f->n && !f->dry_run; i++) {
        if (f->at[i].act != LEAT_NEW_KEEP && write_one(f, &f->at[i], &err) != LEAT_OK)
            return leat_cli_fail(&err);
    }
    return show(f);
}
