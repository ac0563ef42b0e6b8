#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HELP_BYTES_MAX     65536
#define FINDINGS_BYTES_MAX (256 * 1024)

static struct { /* see leat_cli_each(): --help hands over its table instead of printing it */
    const struct leat_cli_command *command;
    leat_cli_visit visit;
    void *arg;
} visitor;

void leat_cli_each(struct leat_cli *cli, leat_cli_visit visit, void *arg)
{
    for (unsigned i = 0; i < leat_cli_command_count; i++) {
        const struct leat_cli_command *c = &leat_cli_commands[i];
        char name[32] = "", flag[] = "--help";
        char *argv[] = {name, flag, NULL};
        leat_assert(strlen(c->name) < sizeof name);
        memcpy(name, c->name, strlen(c->name));
        visitor.command = c;
        visitor.visit = visit;
        visitor.arg = arg;
        if (c->run != NULL)
            (void)c->run(cli, 2, argv); /* --help: says what it is and does nothing */
    }
    visitor.visit = NULL;
}

/* One write where possible: lines of several processes do not mix. */
static bool write_all(int fd, const char *at, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

int leat_cli_print(const struct leat_buf *text)
{
    if (text->overflow) {
        (void)fprintf(stderr, "leat: the answer is larger than %zu bytes\n", text->max);
        return LEAT_EXIT_FAILED;
    }
    if (write_all(STDOUT_FILENO, text->at, text->len))
        return LEAT_EXIT_OK;
    return leat_cli_errno("could not write to standard output");
}

int leat_cli_errno(const char *what)
{
    (void)fprintf(stderr, "leat: %s: %s\n", what, strerror(errno));
    return LEAT_EXIT_FAILED;
}

static int exit_code(leat_status status)
{
    switch (status) {
    case LEAT_OK:
        return LEAT_EXIT_OK;
    case LEAT_INVALID:
        return LEAT_EXIT_USAGE;
    case LEAT_ABSENT:
        return LEAT_EXIT_NO;
    case LEAT_RETRY:
    case LEAT_POISON:
    case LEAT_FENCED:
    case LEAT_FATAL:
        break;
    }
    return LEAT_EXIT_FAILED;
}

int leat_cli_fail(const struct leat_error *err)
{
    (void)fprintf(stderr, "leat: %s\n", err->msg);
    if (err->hint[0] != '\0')
        (void)fprintf(stderr, "      %s\n", err->hint);
    return exit_code(err->status);
}

static int show_help(const struct leat_opt_spec *spec)
{
    if (visitor.visit != NULL) {
        visitor.visit(visitor.command, spec, visitor.arg);
        return LEAT_EXIT_OK;
    }
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, HELP_BYTES_MAX);
    leat_opt_help(spec, &text);
    return leat_cli_print(&text);
}

int leat_cli_parse(const struct leat_opt_spec *spec, int argc, char **argv, void *target,
                   int *ret_args)
{
    struct leat_error err = {0};
    struct leat_opt_result result = {0};
    if (leat_opt_parse(spec, argc, argv, target, &result, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    *ret_args = result.args;
    return result.help ? show_help(spec) : LEAT_EXIT_GO_ON;
}

static bool is_worth_showing(const struct leat_report *r, bool warnings)
{
    return r->errors > 0 || (warnings && r->warnings > 0);
}

int leat_cli_topology(const char *path, bool warnings, struct leat_topology **ret)
{
    struct leat_error err = {0};
    struct leat_report report = {0};
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, FINDINGS_BYTES_MAX);
    leat_status status = leat_topology_load(path, ret, &report, &err);
    if (is_worth_showing(&report, warnings)) {
        leat_report_text_from(&report, warnings ? LEAT_SEVERITY_WARNING : LEAT_SEVERITY_ERROR,
                              &text);
        (void)write_all(STDERR_FILENO, text.at, text.len);
    } else if (status != LEAT_OK) {
        (void)leat_cli_fail(&err);
    }
    leat_report_done(&report);
    return status == LEAT_OK ? LEAT_EXIT_GO_ON : exit_code(status);
}
