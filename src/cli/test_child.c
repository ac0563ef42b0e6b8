#include "cli/test_child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"

#define ANSWER_BYTES_MAX (64u << 20)

struct child {
    pid_t pid;
    int from; /* what it writes: its result */
    char *note;
    bool in_time;
    int status; /* as waitpid() says */
};

/* ---- in the child ---- */

static _Noreturn void run_and_exit(const struct leat_test_run *run, int to)
{
    struct leat_buf out;
    struct leat_json_writer w;
    struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none); /* a crash here is an answer, not an accident */
    (void)dup2(STDERR_FILENO, STDOUT_FILENO);
    leat_buf_init(&out, ANSWER_BYTES_MAX);
    leat_json_writer_init(&w, &out);
    leat_test_run_case(run, &w);
    size_t sent = 0;
    while (!out.overflow && sent < out.len) {
        ssize_t n = write(to, out.at + sent, out.len - sent);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        sent += (size_t)n;
    }
    (void)fflush(NULL);
    _exit(0);
}

/* ---- in the parent ---- */

static leat_status start(const struct leat_test_run *run, struct child *c, struct leat_error *err)
{
    int ends[2];
    void *note =
        mmap(NULL, LEAT_TEST_NOTE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (note == MAP_FAILED)
        return leat_fail(err, LEAT_RETRY, "could not share memory: %s", strerror(errno));
    c->note = note;
    if (pipe(ends) != 0)
        return leat_fail(err, LEAT_RETRY, "could not make a pipe: %s", strerror(errno));
    (void)fflush(NULL);
    c->pid = fork();
    if (c->pid == 0) {
        struct leat_test_run mine = *run;
        mine.note = c->note;
        (void)close(ends[0]);
        run_and_exit(&mine, ends[1]);
    }
    (void)close(ends[1]);
    c->from = ends[0];
    if (c->pid > 0)
        return LEAT_OK;
    (void)close(c->from);
    return leat_fail(err, LEAT_RETRY, "could not start a process: %s", strerror(errno));
}

static void read_answer(struct child *c, int64_t until_us, struct leat_buf *out)
{
    char bytes[16384];
    for (;;) {
        int64_t left_ms = (until_us - leat_mono_us()) / 1000;
        struct pollfd p = {.fd = c->from, .events = POLLIN};
        c->in_time = left_ms > 0;
        if (!c->in_time)
            return;
        int ready = poll(&p, 1, (int)left_ms);
        if (ready <= 0)
            continue;
        ssize_t n = read(c->from, bytes, sizeof bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        leat_buf_put(out, bytes, (size_t)n);
    }
}

static const char *where(const struct child *c)
{
    return c->note[0] == '\0' ? "the start" : c->note;
}

/* A result for a child that gave none. */
static void failed(const struct child *c, int64_t timeout_ms, struct leat_arena *arena,
                   struct leat_test_result *ret)
{
    const char *text;
    char duration[LEAT_UNITS_TEXT];
    *ret = (struct leat_test_result){.died = true};
    if (!c->in_time)
        text = leat_arena_printf(arena, "not done after %s in %s",
                                 leat_format_duration(timeout_ms, duration), where(c));
    else if (WIFSIGNALED(c->status))
        text = leat_arena_printf(arena, "SIG%s in %s", sigabbrev_np(WTERMSIG(c->status)), where(c));
    else
        text = leat_arena_printf(arena, "the process ended with code %d in %s",
                                 WEXITSTATUS(c->status), where(c));
    ret->problems = leat_arena_zalloc(arena, 1, sizeof *ret->problems);
    ret->problems[0].what = leat_str_of(text);
    ret->n_problems = 1;
}

leat_status leat_test_in_child(const struct leat_test_run *run, int64_t timeout_ms,
                               struct leat_arena *arena, struct leat_test_result *ret,
                               struct leat_error *err)
{
    struct child c = {.in_time = true};
    struct leat_buf out;
    int64_t begin_us = leat_mono_us();
    leat_status status = start(run, &c, err);
    if (status == LEAT_OK) {
        leat_buf_init(&out, ANSWER_BYTES_MAX);
        read_answer(&c, begin_us + timeout_ms * 1000, &out);
        if (!c.in_time)
            (void)kill(c.pid, SIGKILL);
        (void)close(c.from);
        while (waitpid(c.pid, &c.status, 0) < 0 && errno == EINTR)
            continue;
        struct leat_str json = leat_arena_copy(arena, leat_buf_str(&out));
        leat_buf_done(&out);
        bool whole = c.in_time && WIFEXITED(c.status) && WEXITSTATUS(c.status) == 0;
        if (!whole || leat_test_result_read(json, arena, ret, NULL) != LEAT_OK)
            failed(&c, timeout_ms, arena, ret);
        ret->us = leat_mono_us() - begin_us;
    }
    if (c.note != NULL)
        (void)munmap(c.note, LEAT_TEST_NOTE_BYTES);
    return status;
}

leat_status leat_test_right_here(const struct leat_test_run *run, struct leat_arena *arena,
                                 struct leat_test_result *ret, struct leat_error *err)
{
    char note[LEAT_TEST_NOTE_BYTES] = "";
    struct leat_test_run mine = *run;
    struct leat_buf out;
    struct leat_json_writer w;
    int64_t begin_us = leat_mono_us();
    mine.note = note;
    leat_buf_init(&out, ANSWER_BYTES_MAX);
    leat_json_writer_init(&w, &out);
    leat_test_run_case(&mine, &w);
    struct leat_str json = leat_arena_copy(arena, leat_buf_str(&out));
    leat_buf_done(&out);
    LEAT_TRY(leat_test_result_read(json, arena, ret, err), err, "case");
    ret->us = leat_mono_us() - begin_us;
    return LEAT_OK;
}
