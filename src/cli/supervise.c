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
#include "cli/family.h"
#include "cli/roles.h"
#include "cli/supervise_watch.h"

#define SUPERVISE_ARGS_MAX    128
#define SUPERVISE_BACKOFF_MS  2000
#define SUPERVISE_QUICK_MS    3000 /* died sooner than this after its start: wait before the next */
#define SUPERVISE_FREE_DEATHS 2    /* in a row, before there is any wait */
#define SUPERVISE_START_MS    5    /* how often it looks whether the first ones are up */
#define SUPERVISE_TICK_MS     100
#define SUPERVISE_LONG_MS     200  /* a tick that took longer: the supervisor stood still as well */
#define SUPERVISE_STORE_MS    5000 /* how long a start waits for evidence to be in the store */
#define SUPERVISE_AGAIN_MS    1000 /* before the store is tried again */

struct child {
    pid_t pid; /* 0 = not running */
    unsigned roles;
    int64_t started_ms, start_at_ms;
    bool awaits_store; /* not before the evidence is written, if that goes quickly */
    bool was_up;
    int quick_deaths;
    struct leat_watch watch;
    char name[128];
};

struct supervisor {
    struct leat_cli *cli;
    const struct leat_supervise *c;
    struct leat_family *family;
    int family_fd;
    struct child children[LEAT_FAMILY_MAX];
    int n;
    pid_t recorder; /* 0 = none */
    int64_t record_at_ms, give_up_ms;
    int64_t tick_ms; /* the last one */
    int signals;     /* how often it was told to stop */
    bool stopping;
    int code;
};

static int64_t now_ms(void)
{
    return leat_mono_us() / 1000;
}

/* ---- children ---- */

/* After fork. `member`: of the family, or LEAT_FAMILY_RECORDER. */
static void exec_child(const struct supervisor *s, int member, pid_t parent)
{
    char *argv[SUPERVISE_ARGS_MAX + 8], role[64] = "--role=";
    int n = 0;
    sigset_t none;
    /* It is as if all had died with the supervisor: the next start finds nobody in its way. */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    leat_family_send(s->family_fd, member);
    argv[n++] = (char *)(uintptr_t)s->cli->program;
    for (int a = 0; a < s->c->argc && n < SUPERVISE_ARGS_MAX; a++)
        argv[n++] = s->c->argv[a];
    /* The last one given counts. */
    argv[n++] = (char *)(uintptr_t) "--workers=1";
    argv[n++] = (char *)(uintptr_t) "--no-dev";
    if (member >= 0) {
        leat_roles_names(s->children[member].roles, role + strlen(role),
                         sizeof role - strlen(role));
        argv[n++] = role;
    }
    if (member >= 0) {
        argv[n++] = (char *)(uintptr_t) "--instance";
        argv[n++] = (char *)(uintptr_t)s->children[member].name;
    }
    argv[n] = NULL;
    (void)execv("/proc/self/exe", argv);
    _exit(127);
}

static pid_t spawn(const struct supervisor *s, int member)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        exec_child(s, member, parent);
    if (pid < 0) {
        leat_log(LEAT_LOG_ERROR, "run", "fork-failed", "could not start a process: %s",
                 strerror(errno));
    }
    return pid > 0 ? pid : 0;
}

static void start_child(struct supervisor *s, int i)
{
    struct child *c = &s->children[i];
    leat_watch_clear(&c->watch);
    c->started_ms = now_ms();
    c->awaits_store = false;
    c->pid = spawn(s, i);
    if (c->pid == 0) {
        c->start_at_ms = now_ms() + SUPERVISE_AGAIN_MS;
        return;
    }
    leat_log_kv(LEAT_LOG_INFO, "run", "worker-started",
                LEAT_LOG_FIELDS(LEAT_LOG_CSTR("instance", c->name), LEAT_LOG_INT("pid", c->pid)),
                "process started");
}

static void stop_all(struct supervisor *s)
{
    s->stopping = true;
    for (int i = 0; i < s->n; i++) {
        if (s->children[i].pid > 0)
            (void)kill(s->children[i].pid, SIGTERM);
    }
}

/* One that SIGTERM met before it could take it had nothing under way. */
static int code_of_stopped(int status)
{
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGTERM ? LEAT_EXIT_OK : LEAT_EXIT_FAILED;
    return WEXITSTATUS(status);
}

/* What can't start ends the whole: on its first start whatever the reason, later when its files are
 * wrong, as they stay so. */
static bool can_not_start(const struct child *c, int status)
{
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 &&
           (!c->was_up || WEXITSTATUS(status) == LEAT_EXIT_USAGE);
}

static void wait_before_next(struct child *c, bool crashed)
{
    int64_t now = now_ms();
    bool quick = !crashed && now - c->started_ms < SUPERVISE_QUICK_MS;
    c->quick_deaths = quick ? c->quick_deaths + 1 : 0;
    int n = c->quick_deaths < SUPERVISE_FREE_DEATHS ? 0 : c->quick_deaths - SUPERVISE_FREE_DEATHS;
    int64_t wait = n == 0 ? 0 : 100LL << (n < 10 ? n : 10);
    c->start_at_ms = now + (wait < SUPERVISE_BACKOFF_MS ? wait : SUPERVISE_BACKOFF_MS);
    c->awaits_store = crashed;
}

static void child_ended(struct supervisor *s, struct child *c, int status)
{
    uint32_t member = (uint32_t)(c - s->children);
    c->was_up |= atomic_load(&s->family->members[member].up);
    c->pid = 0;
    uint32_t marks = leat_watch_collect(s->family, member);
    bool crashed = marks > 0;
    (void)atomic_fetch_add(&s->family->crashes, marks);
    leat_family_clear(s->family, member); /* nobody says any more how it does */
    if (crashed) {
        s->record_at_ms = now_ms();
        s->give_up_ms = now_ms() + SUPERVISE_STORE_MS;
    }
    if (s->stopping) {
        if (s->code == LEAT_EXIT_OK && s->signals < 2)
            s->code = code_of_stopped(status);
        return;
    }
    if (!crashed && can_not_start(c, status)) {
        s->code = WEXITSTATUS(status);
        stop_all(s);
        return;
    }
    wait_before_next(c, crashed);
    (void)atomic_fetch_add(&s->family->restarts, 1);
    leat_log_kv(LEAT_LOG_ERROR, "run", "worker-died",
                LEAT_LOG_FIELDS(LEAT_LOG_CSTR("instance", c->name),
                                LEAT_LOG_INT("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0),
                                LEAT_LOG_INT("exit", WIFEXITED(status) ? WEXITSTATUS(status) : 0)),
                "a process ended; it is started again");
}

/* ---- evidence ---- */

static void recorder_ended(struct supervisor *s, int status)
{
    s->recorder = 0;
    if (leat_watch_forget_written(s->family) == 0)
        return;
    s->record_at_ms = now_ms() + SUPERVISE_AGAIN_MS;
    leat_log_kv(LEAT_LOG_WARN, "run", "evidence-kept",
                LEAT_LOG_FIELDS(LEAT_LOG_INT("pieces", s->family->evidence_count),
                                LEAT_LOG_INT("status", status)),
                "what crashed could not be written to the store yet; it is kept");
}

static void record_due(struct supervisor *s)
{
    if (s->recorder != 0 || s->family->evidence_count == 0 || now_ms() < s->record_at_ms)
        return;
    s->recorder = spawn(s, LEAT_FAMILY_RECORDER);
    if (s->recorder == 0)
        s->record_at_ms = now_ms() + SUPERVISE_AGAIN_MS;
}

static bool recording(const struct supervisor *s)
{
    return s->family->evidence_count > 0 && now_ms() < s->give_up_ms;
}

static void reap(struct supervisor *s)
{
    int status = 0;
    for (pid_t pid = waitpid(-1, &status, WNOHANG); pid > 0; pid = waitpid(-1, &status, WNOHANG)) {
        if (pid == s->recorder)
            recorder_ended(s, status);
        for (int i = 0; i < s->n; i++) {
            if (s->children[i].pid == pid)
                child_ended(s, &s->children[i], status);
        }
    }
}

/* ---- the circle ---- */

/* One after the other at first: when they can't start, one of them says so. */
static bool may_start(const struct supervisor *s, int i)
{
    const struct child *c = &s->children[i];
    return c->pid == 0 && c->start_at_ms <= now_ms() && !(c->awaits_store && recording(s)) &&
           (i == 0 || s->children[i - 1].was_up);
}

static void start_due(struct supervisor *s)
{
    for (int i = 0; i < s->n && !s->stopping; i++) {
        struct child *c = &s->children[i];
        c->was_up |= c->pid > 0 && atomic_load(&s->family->members[i].up);
        if (may_start(s, i))
            start_child(s, i);
    }
}

static int wait_ms(const struct supervisor *s)
{
    for (int i = 0; i < s->n && !s->stopping; i++) {
        if (!s->children[i].was_up)
            return SUPERVISE_START_MS;
    }
    return SUPERVISE_TICK_MS;
}

static bool any_running(const struct supervisor *s)
{
    for (int i = 0; i < s->n; i++) {
        if (s->children[i].pid > 0)
            return true;
    }
    return s->recorder > 0 || recording(s);
}

static void tick(struct supervisor *s)
{
    int64_t ran_ms = now_ms() - s->tick_ms;
    if (ran_ms < SUPERVISE_TICK_MS)
        return;
    s->tick_ms += ran_ms;
    /* Whoever stood still longer than that was not alone: the supervisor did as well. */
    if (ran_ms > SUPERVISE_LONG_MS)
        ran_ms = SUPERVISE_LONG_MS;
    for (int i = 0; i < s->n; i++) {
        struct child *c = &s->children[i];
        if (c->pid > 0 && (uint32_t)i < s->family->worker_count)
            leat_watch_tick(&c->watch, &s->family->members[i].running, c->pid, ran_ms);
    }
}

static void supervise(struct supervisor *s, int fd)
{
    s->tick_ms = now_ms();
    while (!s->stopping || any_running(s)) {
        struct signalfd_siginfo info;
        struct pollfd p = {.fd = fd, .events = POLLIN};
        start_due(s);
        record_due(s);
        if (poll(&p, 1, wait_ms(s)) > 0 && read(fd, &info, sizeof info) == sizeof info &&
            info.ssi_signo != SIGCHLD) {
            s->signals++;
            stop_all(s);
        }
        reap(s);
        tick(s);
    }
}

/* Workers have an id in their groups, so that one that is started again has its partitions back at
 * once; without --instance one that nobody else has. Who is told to stop leaves all the same. */
static void name_child(struct supervisor *s, int i)
{
    struct child *c = &s->children[i];
    bool worker = (uint32_t)i < s->family->worker_count;
    const char *given = s->c->instance;
    char name[LEAT_UUID_TEXT + 16];
    if (given == NULL) {
        char id[LEAT_UUID_TEXT];
        struct leat_uuid random = leat_uuid_v4();
        leat_uuid_format(&random, id);
        (void)snprintf(name, sizeof name, "%s-%.8s", worker ? "worker" : "http", id);
        given = name;
    }
    if (!worker && s->c->instance != NULL) {
        (void)snprintf(c->name, sizeof c->name, "%s-http", given);
    } else if (worker && s->c->instance != NULL && s->family->worker_count > 1) {
        (void)snprintf(c->name, sizeof c->name, "%s-%d", given, i);
    } else {
        (void)snprintf(c->name, sizeof c->name, "%s", given);
    }
    c->roles = s->c->roles &
               (worker ? LEAT_ROLE_WORKER | LEAT_ROLE_RELAY : LEAT_ROLE_PROJECTOR | LEAT_ROLE_HTTP);
}

static int take_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGCHLD);
    return sigprocmask(SIG_BLOCK, &set, NULL) != 0 ? -1 : signalfd(-1, &set, SFD_CLOEXEC);
}

int leat_supervise(struct leat_cli *cli, const struct leat_supervise *c)
{
    struct leat_error err = {0};
    struct supervisor s = {.cli = cli, .c = c, .family_fd = -1};
    if (c->argc >= SUPERVISE_ARGS_MAX) {
        (void)leat_fail(&err, LEAT_INVALID, "at most %d arguments", SUPERVISE_ARGS_MAX - 1);
        return leat_cli_fail(&err);
    }
    int fd = take_signals();
    if (fd < 0)
        return leat_cli_errno("could not take signals");
    uint32_t workers =
        (c->roles & (LEAT_ROLE_WORKER | LEAT_ROLE_RELAY)) != 0 ? (uint32_t)c->workers : 0;
    uint32_t others = (c->roles & (LEAT_ROLE_PROJECTOR | LEAT_ROLE_HTTP)) != 0;
    if (leat_family_new(workers, others, &s.family, &s.family_fd, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    s.n = (int)(workers + others);
    for (int i = 0; i < s.n; i++)
        name_child(&s, i);
    supervise(&s, fd);
    (void)close(fd);
    if (s.signals > 1) { /* as a process that was not asked twice would have ended */
        sigset_t set;
        (void)sigemptyset(&set);
        (void)sigaddset(&set, SIGTERM);
        (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
        (void)raise(SIGTERM);
    }
    return s.code;
}
