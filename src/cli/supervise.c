#include "cli/supervise.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define SUPERVISE_ARGS_MAX   128
#define SUPERVISE_BACKOFF_MS 5000
#define SUPERVISE_QUICK_MS   3000 /* died sooner than this after its start: wait before the next */

struct child {
    pid_t pid; /* 0 = not running */
    int64_t started_ms, start_at_ms;
    int quick_deaths;
    char instance[128];
};

struct supervisor {
    struct leat_cli *cli;
    struct child children[64];
    int n;
    int argc;
    char **argv;
    bool stopping;
};

static void exec_child(const struct supervisor *s, int i)
{
    char *argv[SUPERVISE_ARGS_MAX + 8];
    int n = 0;
    sigset_t none;
    /* Should the supervisor itself be killed, its workers drain and end. */
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    argv[n++] = (char *)(uintptr_t)s->cli->program;
    for (int a = 0; a < s->argc && n < SUPERVISE_ARGS_MAX; a++)
        argv[n++] = s->argv[a];
    /* The last one given counts. */
    argv[n++] = (char *)(uintptr_t) "--workers=1";
    argv[n++] = (char *)(uintptr_t) "--no-dev";
    argv[n++] = (char *)(uintptr_t) "--instance";
    argv[n++] = (char *)(uintptr_t)s->children[i].instance;
    if (i > 0)
        argv[n++] = (char *)(uintptr_t) "--role=worker,relay";
    argv[n] = NULL;
    (void)execv("/proc/self/exe", argv);
    _exit(127);
}

static void start_child(struct supervisor *s, int i)
{
    struct child *c = &s->children[i];
    c->started_ms = leat_now_ms();
    pid_t pid = fork();
    if (pid == 0)
        exec_child(s, i);
    c->pid = pid > 0 ? pid : 0;
    leat_log_kv(LEAT_LOG_INFO, "run", "worker-started",
                LEAT_LOG_FIELDS(LEAT_LOG_CSTR("instance", c->instance), LEAT_LOG_INT("pid", pid)),
                "worker process started");
}

static void child_ended(struct supervisor *s, pid_t pid, int status)
{
    int64_t now_ms = leat_now_ms();
    for (int i = 0; i < s->n; i++) {
        struct child *c = &s->children[i];
        if (c->pid != pid)
            continue;
        c->pid = 0;
        bool quick = now_ms - c->started_ms < SUPERVISE_QUICK_MS;
        c->quick_deaths = quick ? c->quick_deaths + 1 : 0;
        int64_t wait =
            c->quick_deaths == 0 ? 0 : 100LL << (c->quick_deaths < 6 ? c->quick_deaths : 6);
        c->start_at_ms = now_ms + (wait < SUPERVISE_BACKOFF_MS ? wait : SUPERVISE_BACKOFF_MS);
        if (!s->stopping)
            leat_log_kv(
                LEAT_LOG_ERROR, "run", "worker-died",
                LEAT_LOG_FIELDS(LEAT_LOG_CSTR("instance", c->instance),
                                LEAT_LOG_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
                                LEAT_LOG_INT("exit", WIFEXITED(status) ? WEXITSTATUS(status) : 0)),
                "a worker process ended; it is started again");
    }
}

static void reap(struct supervisor *s)
{
    int status = 0;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG))
        child_ended(s, pid, status);
}

static int64_t start_due(struct supervisor *s)
{
    int64_t now_ms = leat_now_ms(), wait = 60000;
    for (int i = 0; i < s->n && !s->stopping; i++) {
        struct child *c = &s->children[i];
        if (c->pid == 0 && c->start_at_ms <= now_ms)
            start_child(s, i);
        else if (c->pid == 0 && c->start_at_ms - now_ms < wait)
            wait = c->start_at_ms - now_ms;
    }
    return wait;
}

static bool any_running(const struct supervisor *s)
{
    for (int i = 0; i < s->n; i++)
        if (s->children[i].pid > 0)
            return true;
    return false;
}

static void pass_on(struct supervisor *s, int sig)
{
    s->stopping = true;
    for (int i = 0; i < s->n; i++)
        if (s->children[i].pid > 0)
            (void)kill(s->children[i].pid, sig);
}

static int supervise(struct supervisor *s, int fd)
{
    while (!s->stopping || any_running(s)) {
        struct signalfd_siginfo info;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int64_t wait = start_due(s);
        if (poll(&p, 1, (int)wait) > 0 && read(fd, &info, sizeof info) == sizeof info &&
            info.ssi_signo != SIGCHLD)
            pass_on(s, SIGTERM);
        reap(s);
    }
    return LEAT_EXIT_OK;
}

int leat_supervise(struct leat_cli *cli, int n, const char *instance, int argc, char **argv)
{
    struct supervisor s = {.cli = cli, .n = n, .argc = argc, .argv = argv};
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGCHLD);
    if (argc > SUPERVISE_ARGS_MAX - 1 || sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return leat_cli_errno("could not take signals");
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0)
        return leat_cli_errno("could not take signals");
    for (int i = 0; i < n; i++)
        (void)snprintf(s.children[i].instance, sizeof s.children[i].instance, "%s-%d",
                       instance == NULL ? "local" : instance, i);
    int code = supervise(&s, fd);
    (void)close(fd);
    return code;
}
