/* leat run: the roles of a topology, in processes that this one watches over, or with --dev in this
 * one, until SIGTERM or SIGINT. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/suggest.h"
#include "cli/cli.h"
#include "cli/crash_record.h"
#include "cli/family.h"
#include "cli/roles.h"
#include "cli/run_only.h"
#include "cli/session.h"
#include "cli/supervise.h"

#define RUN_PROCESSORS_MAX 64
#define RUN_WORKERS_MAX    64
#define RUN_STOP_MS        10000
#define STOP_GRACE_S       5
#define RUN_PUBLISH_MS     50 /* how old the figures are that others of the family see */

struct run_options {
    const char *topology, *role, *processors, *instance, *data, *listen, *only_key;
    const char *workers;
    int64_t session_timeout_ms, threads, stop_timeout_ms;
    bool dev;
};

/* What this process is in its family; none: it was started by hand, and runs everything itself. */
struct place {
    struct leat_family *family;
    int member;
};

#define FIELD(name) offsetof(struct run_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct run_options, topology),
    {"role", 'r', LEAT_OPT_STR, FIELD(role), "LIST", "worker,relay,projector,http", "LEAT_ROLE", 0,
     0, "Parts to run here: worker, relay, projector, http."},
    {"processors", 'p', LEAT_OPT_STR, FIELD(processors), "LIST", NULL, "LEAT_PROCESSORS", 0, 0,
     "Processors to run here (default: all)."},
    {"instance", 'i', LEAT_OPT_STR, FIELD(instance), "NAME", NULL, "LEAT_INSTANCE", 0, 0,
     "Name in the consumer groups, of nobody else: a quick restart under it keeps its partitions."},
    {"session-timeout", 0, LEAT_OPT_DURATION, FIELD(session_timeout_ms), "DURATION", "6s",
     "LEAT_SESSION_TIMEOUT", 1000, 300000, "When a silent member's partitions go to others."},
    {"threads", 0, LEAT_OPT_INT, FIELD(threads), "N", "0", "LEAT_THREADS", 0, 64,
     "Executors of each processor; 0: as the topology says."},
    {"workers", 'w', LEAT_OPT_STR, FIELD(workers), "N", "1", "LEAT_WORKERS", 0, 0,
     "Processes that handle messages, 1 to 64; auto: one for each processor of the machine."},
    {"data", 0, LEAT_OPT_STR, FIELD(data), "DIR", NULL, "LEAT_DATA", 0, 0,
     "Folder of the read models (default: .leat/<name> beside the topology)."},
    {"listen", 0, LEAT_OPT_STR, FIELD(listen), "ADDRESS", NULL, "LEAT_LISTEN", 0, 0,
     "HTTP address instead of the topology's; port 0 picks one."},
    {"stop-timeout", 0, LEAT_OPT_DURATION, FIELD(stop_timeout_ms), "DURATION", "10s", NULL, 100,
     300000, "How long stopping may take to finish what is under way."},
    {"dev", 0, LEAT_OPT_FLAG, FIELD(dev), NULL, NULL, NULL, 0, 0,
     "For the desk: apply first, text log, a line on what moves every two seconds."},
    {"only-key", 0, LEAT_OPT_STR, FIELD(only_key), "KEY", NULL, NULL, 0, 0,
     "With --dev: handle only the partition of this key, by one thread; for a debugger."},
};

static const struct leat_opt_spec spec = {
    .usage = "leat run [options]",
    .summary = "Run a topology: workers, relay, read models and HTTP.",
    .details =
        "This process only watches over others: those that handle messages (worker and relay;\n"
        "--workers says how many) and one for read models and HTTP. A handler that crashes, or\n"
        "runs longer than its processor's timeout, ends its own process, which is started again\n"
        "at once; a message that has done so three times is a dead letter. With --dev all runs\n"
        "in this process.\n\n"
        "Stops on SIGTERM or SIGINT: finishes the batches under way, publishes what is\n"
        "committed, leaves its groups. A second signal ends it at once; nothing is lost.\n\n"
        "With --only-key K the commands of K are handled, and those in front of them in its\n"
        "partition; the other partitions are left as they are, for the next ordinary run.\n"
        "While other processes run the same processors it is refused.\n\n"
        "  leat run -t leads.yaml\n"
        "  leat run -t leads.yaml --role worker --processors score --instance score-1\n"
        "  gdb --args leat run --dev --only-key L-1001 --threads 1\n",
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .args_max = 0,
};

/* ---- lists in options ---- */

static leat_status add_role(struct leat_str name, unsigned *roles, struct leat_error *err)
{
    *roles |= leat_role_of(name);
    if (leat_role_of(name) != 0)
        return LEAT_OK;
    (void)leat_fail(err, LEAT_INVALID, "--role: there is no role '%.*s'", LEAT_STR_FMT(name));
    leat_error_hint(err, "Roles are worker, relay, projector and http.");
    return LEAT_INVALID;
}

static bool next_name(const char **at, struct leat_str *ret)
{
    while (**at == ',' || **at == ' ')
        (*at)++;
    size_t len = strcspn(*at, ", ");
    *ret = (struct leat_str){*at, (uint32_t)len};
    *at += len;
    return len > 0;
}

static leat_status parse_roles(const char *list, unsigned *ret, struct leat_error *err)
{
    struct leat_str name;
    unsigned roles = 0;
    for (const char *at = list; next_name(&at, &name);)
        LEAT_TRY(add_role(name, &roles, err), err, "leat run");
    if (roles == 0)
        return leat_fail(err, LEAT_INVALID, "--role: at least one role must be named");
    *ret = roles;
    return LEAT_OK;
}

static leat_status no_processor(const struct leat_topology *t, struct leat_str name,
                                struct leat_error *err)
{
    struct leat_suggest near;
    leat_suggest_start(&near, name);
    for (uint32_t i = 0; i < t->n_processors; i++)
        leat_suggest_offer(&near, t->processors[i].name);
    (void)leat_fail(err, LEAT_INVALID, "--processors: there is no processor '%.*s' in %s",
                    LEAT_STR_FMT(name), t->path);
    if (near.best.len > 0)
        leat_error_hint(err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return LEAT_INVALID;
}

static leat_status parse_processors(const struct leat_topology *t, const char *list,
                                    struct leat_str *ret, size_t *ret_n, struct leat_error *err)
{
    struct leat_str name;
    *ret_n = 0;
    for (const char *at = list == NULL ? "" : list; next_name(&at, &name);) {
        const struct leat_processor *p = leat_topology_processor(t, name);
        if (p == NULL)
            return no_processor(t, name, err);
        if (*ret_n == RUN_PROCESSORS_MAX)
            return leat_fail(err, LEAT_INVALID, "--processors: at most %d", RUN_PROCESSORS_MAX);
        ret[(*ret_n)++] = p->name;
    }
    return LEAT_OK;
}

/* ---- running ---- */

/* What is only not there yet is said, once per start. */
static void log_unsupported(const struct leat_report *report, const struct place *at)
{
    if (at->member > 0)
        return;
    for (size_t i = 0; i < report->n; i++) {
        const struct leat_finding *f = &report->findings[i];
        leat_log(LEAT_LOG_WARN, "run", "not-run-yet", "%s:%u:%u: %s", f->place.file, f->place.line,
                 f->place.column, f->message);
    }
}

/* What would silently do something else than the file says must not run. */
static int refuse_unsupported(const struct leat_topology *t, const struct place *at)
{
    struct leat_report report = {0};
    struct leat_buf text;
    size_t errors = leat_topology_unsupported(t, &report);
    leat_buf_init(&text, 1 << 20);
    leat_report_text(&report, &text);
    if (errors > 0) {
        (void)fprintf(stderr, "%.*s", LEAT_STR_FMT(leat_buf_str(&text)));
    } else {
        log_unsupported(&report, at);
    }
    leat_buf_done(&text);
    leat_report_done(&report);
    return errors > 0 ? LEAT_EXIT_USAGE : LEAT_EXIT_GO_ON;
}

/* A terminal's Ctrl-C goes to the whole family; its supervisor says to the others what it means. */
static int block_signals(bool supervised)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    if (supervised) {
        (void)signal(SIGINT, SIG_IGN);
    } else {
        (void)sigaddset(&set, SIGINT);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    /* Before any thread starts: all inherit the mask, only the descriptor hears them. */
    if (pthread_sigmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static bool wait_readable(int fd, int timeout_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, timeout_ms) > 0;
}

/* A debugger is stopped by Ctrl-C only when the signal could be delivered: with --dev the main
 * thread takes signals the ordinary way. The first one is kept, the second one ends the process. */
static volatile sig_atomic_t dev_signal;
static int dev_signal_fd = -1;

static void on_dev_signal(int sig)
{
    uint64_t one = 1;
    int kept = errno;
    dev_signal = sig;
    (void)!write(dev_signal_fd, &one, sizeof one);
    errno = kept;
}

static void unblock_signals(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* Once all threads have started: they keep the signals blocked. */
static bool take_signals_openly(void)
{
    struct sigaction action = {.sa_handler = on_dev_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    dev_signal_fd = eventfd(0, EFD_CLOEXEC);
    if (dev_signal_fd < 0)
        return false;
    (void)sigaction(SIGTERM, &action, NULL); /* fails for no valid signal */
    (void)sigaction(SIGINT, &action, NULL);
    unblock_signals();
    return true;
}

/* The signal that came, 0 when the time was over first. */
static int signal_within(int fd, int timeout_ms)
{
    struct signalfd_siginfo info;
    if (dev_signal_fd >= 0) {
        (void)wait_readable(dev_signal_fd, timeout_ms);
        return dev_signal;
    }
    if (!wait_readable(fd, timeout_ms))
        return 0;
    return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo : SIGTERM;
}

static void on_late(int sig)
{
    static const char text[] = "leat: it did not stop in time and is ended; nothing is lost\n";
    (void)sig;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(1);
}

/* librdkafka 2.0.2 waits for ever in rd_kafka_destroy() when a topic that is read is deleted. What
 * is not stored by then is not done, so ending here is as good as kill -9: the next
 * start goes on. */
static void end_at_the_latest(int64_t timeout_ms)
{
    struct sigaction action = {.sa_handler = on_late};
    (void)sigaction(SIGALRM, &action, NULL); /* fails for no valid signal */
    (void)alarm((unsigned)((timeout_ms + 999) / 1000) + STOP_GRACE_S);
}

static void wait_for_signal(struct leat_roles *roles, int fd, bool dev)
{
    char last[256] = "", line[256];
    for (;;) {
        leat_roles_publish(roles);
        int sig = signal_within(fd, dev ? 2000 : RUN_PUBLISH_MS);
        if (sig != 0) {
            leat_log(LEAT_LOG_INFO, "run", "stopping", "%s: finishing what is under way",
                     sig == SIGINT ? "SIGINT" : "SIGTERM");
            return;
        }
        leat_roles_line(roles, line, sizeof line);
        if (dev && strcmp(line, last) != 0)
            leat_log(LEAT_LOG_INFO, "run", "moving", "%s", line);
        memcpy(last, line, sizeof last);
    }
}

static int run_roles(struct leat_session *s, const struct run_options *o, const struct place *at,
                     unsigned roles, int fd)
{
    struct leat_error err = {0};
    struct leat_str processors[RUN_PROCESSORS_MAX];
    size_t n = 0;
    if (parse_processors(s->topology, o->processors, processors, &n, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    int32_t only_k = 0;
    if (o->only_key != NULL &&
        leat_run_only(s, o->only_key, processors, n, &only_k, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    struct leat_roles_config rc = {.topology = s->topology,
                                   .schemas = s->schemas,
                                   .store = s->store_options,
                                   .roles = roles,
                                   .processors = processors,
                                   .n_processors = n,
                                   .instance_id = o->instance,
                                   .session_timeout_ms = (int32_t)o->session_timeout_ms,
                                   .threads = o->only_key != NULL ? 1 : (int32_t)o->threads,
                                   .only_k = o->only_key != NULL ? &only_k : NULL,
                                   .data_dir = s->data_dir,
                                   .listen = o->listen,
                                   .stop_timeout_ms = (int)o->stop_timeout_ms};
    rc.store.adopted_only = true;
    if (at->family != NULL) {
        rc.family = at->family;
        rc.member = &at->family->members[at->member];
        leat_running_start(&rc.member->running);
    }
    struct leat_roles *running = NULL;
    if (leat_roles_start(&rc, &running, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    if (rc.member != NULL)
        atomic_store(&rc.member->up, true);
    leat_log_kv(LEAT_LOG_INFO, "run", "started",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("topology", s->topology->name),
                                LEAT_LOG_CSTR("roles", o->role),
                                LEAT_LOG_INT("http_port", leat_roles_port(running))),
                "running");
    if (o->dev && !take_signals_openly())
        leat_log(LEAT_LOG_WARN, "run", "signals", "signals are taken as without --dev");
    if (o->only_key != NULL) {
        leat_log_kv(LEAT_LOG_INFO, "run", "only-key", LEAT_LOG_FIELDS(LEAT_LOG_INT("k", only_k)),
                    "only the partition of that key is handled; the others are left as they are");
    }
    wait_for_signal(running, fd, o->dev);
    unblock_signals(); /* a second one ends the process at once */
    end_at_the_latest(o->stop_timeout_ms);
    bool ended = leat_roles_stop(running);
    leat_log(LEAT_LOG_INFO, "run", "stopped", "stopped");
    if (!ended)
        _exit(LEAT_EXIT_OK); /* a handler still runs on what would be freed; nothing is lost */
    return LEAT_EXIT_OK;
}

int leat_cmd_apply(struct leat_cli *cli, int argc, char **argv);

static int apply_first(struct leat_cli *cli, const struct run_options *o)
{
    char verb[] = "apply", flag[] = "-t";
    char *argv[] = {verb, flag, (char *)(uintptr_t)o->topology, NULL};
    return leat_cmd_apply(cli, 3, argv);
}

static leat_status check_only_key(const struct run_options *o, int workers, struct leat_error *err)
{
    if (o->only_key == NULL)
        return LEAT_OK;
    if (!o->dev) {
        (void)leat_fail(err, LEAT_INVALID,
                        "--only-key leaves most partitions alone: it needs --dev");
        leat_error_hint(err, "leat run --dev --only-key %.100s", o->only_key);
        return LEAT_INVALID;
    }
    if (workers > 1)
        return leat_fail(err, LEAT_INVALID, "--only-key runs in one process: leave --workers out");
    if (o->only_key[0] == 0)
        return leat_fail(err, LEAT_INVALID, "--only-key: no record has an empty key");
    return LEAT_OK;
}

static leat_status parse_workers(const char *text, int *ret, struct leat_error *err)
{
    char *end = NULL;
    long n = strtol(text, &end, 10);
    if (strcmp(text, "auto") == 0) {
        n = sysconf(_SC_NPROCESSORS_ONLN);
        n = n < 1 ? 1 : n > RUN_WORKERS_MAX ? RUN_WORKERS_MAX : n;
    } else if (end == text || *end != 0 || n < 1 || n > RUN_WORKERS_MAX) {
        return leat_fail(err, LEAT_INVALID,
                         "--workers: '%.40s' is no number from 1 to %d, nor auto", text,
                         RUN_WORKERS_MAX);
    }
    *ret = (int)n;
    return LEAT_OK;
}

/* In this process. */
static int run_here(const struct run_options *o, const struct place *at, unsigned roles)
{
    int code, fd = block_signals(at->family != NULL);
    struct leat_session s;
    if (fd < 0)
        return leat_cli_errno("could not take signals");
    (void)pthread_setname_np(pthread_self(), "leat"); /* started as /proc/self/exe it is "exe" */
    if ((code = leat_session_open(&s, o->topology, o->data)) != LEAT_EXIT_GO_ON)
        return code;
    if (o->instance != NULL)
        leat_log_set_process(o->instance);
    code = leat_session_check(&s);
    if (code == LEAT_EXIT_GO_ON)
        code = refuse_unsupported(s.topology, at);
    if (code == LEAT_EXIT_GO_ON)
        code = run_roles(&s, o, at, roles, fd);
    leat_session_close(&s);
    (void)close(fd);
    return code;
}

int leat_cmd_run(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_run(struct leat_cli *cli, int argc, char **argv)
{
    struct run_options o = {0};
    struct leat_error err = {0};
    struct place at = {0};
    int workers = 1, args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    unsigned roles = 0;
    if (code != LEAT_EXIT_GO_ON)
        return code;
    at.family = leat_family_join(&at.member);
    if (at.family != NULL && at.member == LEAT_FAMILY_RECORDER)
        return leat_crash_record(at.family, o.topology);
    if (parse_roles(o.role, &roles, &err) != LEAT_OK ||
        parse_workers(o.workers, &workers, &err) != LEAT_OK ||
        check_only_key(&o, workers, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    if (o.dev) {
        leat_log_set_format(LEAT_LOG_TEXT);
        if ((code = apply_first(cli, &o)) != LEAT_EXIT_OK)
            return code;
    }
    if (at.family != NULL || (o.dev && workers == 1))
        return run_here(&o, &at, roles);
    struct leat_supervise c = {roles, workers, o.instance, argc, argv};
    return leat_supervise(cli, &c);
}
