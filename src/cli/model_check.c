/* leat model check: in a process of its own, as a file that is broken enough ends who reads it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/model_verbs.h"
#include "projection/verify.h"

#define FINDINGS_MAX ((size_t)4 << 20)

struct findings {
    struct leat_json_writer *w;
    int64_t left;
};

static void add_finding(void *arg, const char *what)
{
    struct findings *f = arg;
    if (f->left-- > 0)
        leat_json_cstr(f->w, what);
}

static void put_counts(const struct leat_verify *v, const struct leat_error *err, bool good,
                       struct leat_json_writer *w)
{
    leat_json_put_bool(w, "good", good);
    leat_json_put_int(w, "rows", (int64_t)v->sum.rows);
    leat_json_put_int(w, "index_entries", (int64_t)v->index_entries);
    leat_json_put_int(w, "events", v->events);
    leat_json_put_int(w, "skipped", (int64_t)v->sum.skipped);
    leat_json_put_int(w, "damaged", (int64_t)v->damaged);
    leat_json_put_int(w, "missing", (int64_t)v->missing);
    leat_json_put_int(w, "stray", (int64_t)v->stray);
    leat_json_put_int(w, "bad_positions", (int64_t)v->bad_positions);
    leat_json_put_cstr(w, "digest", v->sum.digest);
    if (err->msg[0] != 0)
        leat_json_put_cstr(w, "error", err->msg);
}

/* In the child: the whole answer as JSON into the pipe. */
static void verify_into(const struct leat_model_call *c, const char *version, int fd)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    struct leat_buf out;
    struct leat_json_writer w;
    struct leat_error err = {0};
    leat_buf_init(&out, FINDINGS_MAX);
    leat_json_writer_init(&w, &out);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "model", c->projection->name);
    leat_json_put_cstr(&w, "version", version);
    leat_json_key(&w, LEAT_STR("findings"));
    leat_json_begin_array(&w);
    struct findings f = {.w = &w, .left = c->o->limit};
    struct leat_verify v = {.found = add_finding, .arg = &f};
    leat_status status = leat_version_dir(c->s.data_dir, c->projection->name, version, dir, &err);
    if (status == LEAT_OK)
        status = leat_version_verify(dir, &v, &err);
    leat_json_end_array(&w);
    put_counts(&v, &err, status == LEAT_OK && leat_verify_is_good(&v), &w);
    leat_json_end_object(&w);
    for (size_t done = 0; done < out.len;) {
        ssize_t n = write(fd, out.at + done, out.len - done);
        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    leat_buf_done(&out);
}

/* What a broken file does to this process is told by the other one, once. */
static void end_quietly(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE};
    struct rlimit none = {0, 0};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        (void)signal(signals[i], SIG_DFL);
    (void)setrlimit(RLIMIT_CORE, &none);
    if (null >= 0)
        (void)dup2(null, STDERR_FILENO);
}

/* *ret_signal: what ended the child, 0 = nothing did. */
static leat_status verify_apart(const struct leat_model_call *c, const char *version,
                                struct leat_buf *out, int *ret_signal, struct leat_error *err)
{
    int ends[2], state = 0;
    char part[4096];
    ssize_t n = 0;
    if (pipe(ends) != 0)
        return leat_fail(err, LEAT_FATAL, "could not make a pipe: %s", strerror(errno));
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        end_quietly();
        verify_into(c, version, ends[1]);
        _exit(0);
    }
    (void)close(ends[1]);
    while (child > 0 && ((n = read(ends[0], part, sizeof part)) > 0 || (n < 0 && errno == EINTR)))
        leat_buf_put(out, part, n > 0 ? (size_t)n : 0);
    (void)close(ends[0]);
    if (child < 0)
        return leat_fail(err, LEAT_FATAL, "could not start a process: %s", strerror(errno));
    while (waitpid(child, &state, 0) < 0 && errno == EINTR)
        ;
    *ret_signal = WIFSIGNALED(state) ? WTERMSIG(state) : 0;
    return LEAT_OK;
}

static void show_findings(struct leat_str json, struct leat_buf *out)
{
    struct leat_json_token t;
    struct leat_str list = {0};
    struct leat_error err = {0};
    if (leat_json_find(json, LEAT_STR("findings"), &t, &list, &err) != LEAT_OK)
        return;
    struct leat_json_reader r;
    leat_json_reader_init(&r, list);
    while (leat_json_next(&r, &t, &err) == LEAT_OK && t.kind != LEAT_JSON_END) {
        if (t.kind == LEAT_JSON_STRING)
            leat_buf_printf(out, "  %.*s\n", LEAT_STR_FMT(t.text));
    }
}

static int64_t number(struct leat_str json, const char *name)
{
    struct leat_json_token t;
    struct leat_error err = {0};
    return leat_json_find(json, leat_str_of(name), &t, NULL, &err) == LEAT_OK ? t.integer : 0;
}

static void show(const struct leat_model_call *c, const char *version, struct leat_str json,
                 bool good, struct leat_buf *out)
{
    struct leat_json_token t;
    struct leat_error err = {0};
    leat_buf_printf(out, "%s: version %s %s\n", c->projection->name.at, version,
                    good ? "is whole" : "is DAMAGED");
    leat_buf_printf(out, "%" PRId64 " rows, %" PRId64 " index entries, %" PRId64 " events",
                    number(json, "rows"), number(json, "index_entries"), number(json, "events"));
    if (leat_json_find(json, LEAT_STR("digest"), &t, NULL, &err) == LEAT_OK && good)
        leat_buf_printf(out, "\ndigest %.*s\n", LEAT_STR_FMT(t.text));
    else
        leat_buf_printf(out,
                        ": %" PRId64 " rows damaged, %" PRId64 " index entries missing, %" PRId64
                        " without a row, %" PRId64 " checkpoints bad\n",
                        number(json, "damaged"), number(json, "missing"), number(json, "stray"),
                        number(json, "bad_positions"));
    if (leat_json_find(json, LEAT_STR("error"), &t, NULL, &err) == LEAT_OK)
        leat_buf_printf(out, "  %.*s\n", LEAT_STR_FMT(t.text));
    show_findings(json, out);
}

static void put_killed(const struct leat_model_call *c, const char *version, int number,
                       struct leat_buf *out)
{
    struct leat_json_writer w;
    char text[160];
    (void)snprintf(text, sizeof text, "reading the file ended with signal %d: it is broken",
                   number);
    leat_buf_clear(out);
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "model", c->projection->name);
    leat_json_put_cstr(&w, "version", version);
    leat_json_put_bool(&w, "good", false);
    leat_json_put_cstr(&w, "error", text);
    leat_json_end_object(&w);
}

static leat_status choose(const struct leat_model_call *c, const char **ret, struct leat_error *err)
{
    const struct leat_version *v = NULL;
    if (c->o->version == NULL && c->current[0] == 0)
        return leat_fail(err, LEAT_ABSENT, "model '%s' has no data in '%s'", c->projection->name.at,
                         c->s.data_dir);
    *ret = c->current;
    if (c->o->version == NULL)
        return LEAT_OK;
    LEAT_TRY(leat_model_version(c, c->o->version, &v, err), err, "check");
    *ret = v->name;
    return LEAT_OK;
}

int leat_model_check_run(struct leat_model_call *c)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf json;
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    struct leat_json_token t;
    struct leat_error err = {0};
    const char *version = NULL;
    int ended_by = 0;
    leat_buf_init(&json, FINDINGS_MAX);
    leat_buf_init(&text, 2 * FINDINGS_MAX);
    if (choose(c, &version, &err) != LEAT_OK ||
        verify_apart(c, version, &json, &ended_by, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    if (ended_by != 0 || json.len == 0)
        put_killed(c, version, ended_by, &json);
    bool good = leat_json_find(leat_buf_str(&json), LEAT_STR("good"), &t, NULL, &err) == LEAT_OK &&
                t.boolean;
    if (!c->o->json)
        show(c, version, leat_buf_str(&json), good, &text);
    leat_buf_putc(&json, '\n');
    int code = leat_cli_print(c->o->json ? &json : &text);
    if (code == LEAT_EXIT_OK && !good && !c->o->json)
        (void)fprintf(stderr, "leat: leat model rebuild %s --switch makes it anew\n",
                      c->projection->name.at);
    return code != LEAT_EXIT_OK || good ? code : LEAT_EXIT_NO;
}
