#include "cli/import_progress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"

#define FILE_BYTES_MAX 8192

/* "encode": what the schema refuses after everything else has passed. */
const char *const leat_import_code_names[LEAT_IMPORT_CODES] = {
    "columns", "quote", "too-long", "utf8", "type", "key", "json", "field", "encode"};

void leat_import_count_refusal(struct leat_import_counts *c, const char *code)
{
    c->refused++;
    for (size_t i = 0; i < LEAT_IMPORT_CODES; i++) {
        if (strcmp(code, leat_import_code_names[i]) == 0)
            c->by_code[i]++;
    }
}

static leat_status get_int(struct leat_str text, const char *name, int64_t *ret,
                           struct leat_error *err)
{
    struct leat_json_token t;
    LEAT_TRY(leat_json_find(text, leat_str_of(name), &t, NULL, err), err, "progress");
    if (t.kind != LEAT_JSON_INT)
        return leat_fail(err, LEAT_INVALID, "'%s' is no number", name);
    *ret = t.integer;
    return LEAT_OK;
}

static leat_status get_names(struct leat_str text, struct leat_import_progress *p,
                             struct leat_error *err)
{
    struct leat_json_token t;
    LEAT_TRY(leat_json_find(text, LEAT_STR("command"), &t, NULL, err), err, "progress");
    (void)snprintf(p->command, sizeof p->command, "%.*s", LEAT_STR_FMT(t.text));
    LEAT_TRY(leat_json_find(text, LEAT_STR("import_id"), &t, NULL, err), err, "progress");
    if (!leat_uuid_parse(t.text, &p->id))
        return leat_fail(err, LEAT_INVALID, "'import_id' is no UUID");
    LEAT_TRY(leat_json_find(text, LEAT_STR("finished"), &t, NULL, err), err, "progress");
    p->finished = t.kind == LEAT_JSON_BOOL && t.boolean;
    return LEAT_OK;
}

static leat_status read_fields(struct leat_str text, struct leat_import_progress *p,
                               struct leat_error *err)
{
    struct {
        const char *name;
        int64_t *to;
    } fields[] = {
        {"bytes", &p->bytes},      {"modified_ms", &p->modified_ms},     {"offset", &p->offset},
        {"line", &p->line},        {"rejects_bytes", &p->rejects_bytes}, {"rows", &p->counts.rows},
        {"sent", &p->counts.sent}, {"refused", &p->counts.refused},
    };
    LEAT_TRY(get_names(text, p, err), err, "progress");
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        LEAT_TRY(get_int(text, fields[i].name, fields[i].to, err), err, "progress");
    struct leat_json_token t;
    struct leat_str codes = {0};
    LEAT_TRY(leat_json_find(text, LEAT_STR("refused_by_code"), &t, &codes, err), err, "progress");
    for (size_t i = 0; i < LEAT_IMPORT_CODES; i++) {
        LEAT_TRY(get_int(codes, leat_import_code_names[i], &p->counts.by_code[i], err), err,
                 "progress");
    }
    return LEAT_OK;
}

leat_status leat_import_progress_load(const char *path, struct leat_import_progress *ret,
                                      struct leat_error *err)
{
    char text[FILE_BYTES_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return leat_fail(err, LEAT_ABSENT, "no progress file '%s'", path);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    int cause = errno;
    if (fd >= 0)
        (void)close(fd);
    if (n < 0)
        return leat_fail(err, LEAT_FATAL, "could not read '%s': %s", path, strerror(cause));
    struct leat_import_progress p = {0};
    if (read_fields((struct leat_str){text, (uint32_t)n}, &p, err) != LEAT_OK) {
        leat_error_wrap(err, "'%s' is not the progress of an import", path);
        leat_error_hint(err, "Remove it, or start over with --restart.");
        return LEAT_INVALID;
    }
    *ret = p;
    return LEAT_OK;
}

static void write_fields(struct leat_buf *out, const struct leat_import_progress *p)
{
    char id[LEAT_UUID_TEXT];
    struct leat_json_writer w;
    leat_uuid_format(&p->id, id);
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_cstr(&w, "command", p->command);
    leat_json_put_cstr(&w, "import_id", id);
    leat_json_put_int(&w, "bytes", p->bytes);
    leat_json_put_int(&w, "modified_ms", p->modified_ms);
    leat_json_put_int(&w, "offset", p->offset);
    leat_json_put_int(&w, "line", p->line);
    leat_json_put_int(&w, "rows", p->counts.rows);
    leat_json_put_int(&w, "sent", p->counts.sent);
    leat_json_put_int(&w, "refused", p->counts.refused);
    leat_json_key(&w, LEAT_STR("refused_by_code"));
    leat_json_begin_object(&w);
    for (size_t i = 0; i < LEAT_IMPORT_CODES; i++)
        leat_json_put_int(&w, leat_import_code_names[i], p->counts.by_code[i]);
    leat_json_end_object(&w);
    leat_json_put_int(&w, "rejects_bytes", p->rejects_bytes);
    leat_json_put_bool(&w, "finished", p->finished);
    leat_json_end_object(&w);
    leat_buf_putc(out, '\n');
}

static bool write_all(int fd, struct leat_str s)
{
    for (uint32_t done = 0; done < s.len;) {
        ssize_t n = write(fd, s.at + done, s.len - done);
        if (n < 0 && errno != EINTR)
            return false;
        done += n > 0 ? (uint32_t)n : 0;
    }
    return true;
}

leat_status leat_import_progress_save(const char *path, const struct leat_import_progress *p,
                                      struct leat_error *err)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    char temporary[4096];
    leat_buf_init(&text, FILE_BYTES_MAX);
    write_fields(&text, p);
    leat_assert(!text.overflow);
    int n = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (n < 0 || (size_t)n >= sizeof temporary)
        return leat_fail(err, LEAT_INVALID, "the path '%s' is too long", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = fd >= 0 && write_all(fd, leat_buf_str(&text)) && fsync(fd) == 0;
    int cause = errno;
    if (fd >= 0 && close(fd) != 0 && good) {
        good = false;
        cause = errno;
    }
    if (good && rename(temporary, path) != 0) {
        good = false;
        cause = errno;
    }
    if (!good)
        return leat_fail(err, LEAT_FATAL, "could not write '%s': %s", path, strerror(cause));
    return LEAT_OK;
}
