/* leat test: *_test.yaml through the real code, without servers (contract 8). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/session.h"
#include "cli/test_child.h"
#include "cli/test_find.h"
#include "cli/test_report.h"
#include "worker/registry.h"
#include "worker/trial.h"

#define TEXT_BYTES_MAX (64u << 20)

struct test_options {
    const char *topology, *only, *junit;
    int64_t timeout_ms;
    bool json, faults, fork;
};

#define FIELD(name) offsetof(struct test_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct test_options, topology),
    {"only", 0, LEAT_OPT_STR, FIELD(only), "TEXT", NULL, NULL, 0, 0,
     "Only cases whose 'it' or processor has this in it."},
    {"faults", 0, LEAT_OPT_FLAG, FIELD(faults), NULL, "true", NULL, 0, 0,
     "Run each case again for every call in it that can fail; --no-faults leaves that out."},
    {"fork", 0, LEAT_OPT_FLAG, FIELD(fork), NULL, "true", NULL, 0, 0,
     "Run each case in a process of its own; --no-fork is for debuggers."},
    {"timeout", 0, LEAT_OPT_DURATION, FIELD(timeout_ms), "DURATION", "30s", NULL, 100, 3600000,
     "A case that takes longer has failed."},
    {"junit", 0, LEAT_OPT_STR, FIELD(junit), "FILE", NULL, NULL, 0, 0,
     "Write the results as JUnit XML too."},
    LEAT_CLI_JSON(struct test_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat test [options] [<file or folder>…]",
    .summary = "Run *_test.yaml through the real handlers, without servers.",
    .details =
        "Without arguments: the files *_test.yaml in the topology's folder and in `processors`,\n"
        "`tests` and a folder called as the topology, in it or beside it; a folder below\n"
        "with a leat.yaml of its own is left out. Each case is run, run again to see that the\n"
        "same comes of it, and then once for every call in it that can fail. Exit code 1 when a\n"
        "case failed, 2 when a file is wrong: then none is run.\n\n"
        "  - it: refuses a second order under the same id\n"
        "    processor: orders\n"
        "    given: [OrderPlaced: {order_id: o1, customer_id: c1, currency: EUR, total_cents: 9}]\n"
        "    when: {PlaceOrder: {order_id: o1, customer_id: c1, currency: EUR, lines: []}}\n"
        "    then: {rejected: order-exists}\n",
    LEAT_OPTS(options),
    .args_min = 0,
    .args_max = -1,
};

struct testing {
    const struct test_options *o;
    struct leat_session s;
    struct leat_test_paths paths;
    struct leat_test_file *files;
    struct leat_test_sum sum;
};

/* ---- the files ---- */

static leat_status find_files(struct testing *t, int args, char **argv, struct leat_error *err)
{
    for (int i = 1; i <= args; i++) {
        leat_status status = leat_test_find(argv[i], t->s.arena, &t->paths, err);
        if (status != LEAT_OK)
            return status;
    }
    if (args == 0)
        leat_test_find_beside(t->s.topology, t->s.arena, &t->paths);
    if (t->paths.n > 0)
        return LEAT_OK;
    (void)leat_fail(err, LEAT_INVALID, "found no *_test.yaml for topology '%s'",
                    t->s.topology->name.at);
    leat_error_hint(err, "Looked in %s and in processors, tests and %s in it and beside it.",
                    t->s.topology->dir, t->s.topology->name.at);
    return LEAT_INVALID;
}

static int print_report(const struct leat_report *report, bool json)
{
    struct leat_buf text;
    struct leat_json_writer w;
    int code = LEAT_EXIT_OK;
    leat_buf_init(&text, TEXT_BYTES_MAX);
    if (json) {
        leat_json_writer_init(&w, &text);
        leat_json_begin_object(&w);
        leat_json_put_bool(&w, "ok", false);
        leat_json_key(&w, LEAT_STR("findings"));
        leat_report_json(report, &w);
        leat_json_end_object(&w);
        leat_buf_putc(&text, '\n');
        code = leat_cli_print(&text);
    } else {
        leat_report_text(report, &text);
        (void)fprintf(stderr, "%.*s", (int)text.len, text.at == NULL ? "" : text.at);
    }
    leat_buf_done(&text);
    return code == LEAT_EXIT_OK ? LEAT_EXIT_USAGE : code;
}

/* Files found, not named, may be of a topology that lives in the same folder. */
static void tell_foreign(const struct testing *t)
{
    for (uint32_t i = 0; i < t->paths.n; i++)
        if (t->files[i].foreign)
            (void)fprintf(stderr, "leat: left out %s: none of its processors is of topology '%s'\n",
                          t->paths.at[i], t->s.topology->name.at);
}

static int read_files(struct testing *t, bool named)
{
    struct leat_error err = {0};
    struct leat_report report = {0};
    struct leat_test_env env = {t->s.topology, t->s.schemas, t->s.arena};
    t->files = leat_arena_zalloc(t->s.arena, t->paths.n, sizeof *t->files);
    leat_status status = leat_trial_schema_ids(t->s.schemas, &err);
    for (uint32_t i = 0; i < t->paths.n && status == LEAT_OK; i++)
        status = leat_test_file_read(&env, t->paths.at[i], !named, &report, &t->files[i], &err);
    int code = status == LEAT_OK    ? LEAT_EXIT_GO_ON
               : report.errors == 0 ? leat_cli_fail(&err)
                                    : LEAT_EXIT_USAGE;
    if (report.errors > 0)
        code = print_report(&report, t->o->json);
    else if (status == LEAT_OK)
        tell_foreign(t);
    leat_report_done(&report);
    return code;
}

/* ---- running them ---- */

static bool wanted(const struct testing *t, const struct leat_test_case *c)
{
    const char *only = t->o->only;
    return only == NULL || strcasestr(c->it.at, only) != NULL ||
           strcmp(c->processor->name.at, only) == 0;
}

static leat_status load_modules(struct testing *t, struct leat_error *err)
{
    struct leat_str *names =
        leat_arena_zalloc(t->s.arena, (size_t)t->s.topology->n_processors + 1, sizeof *names);
    size_t n = 0;
    for (uint32_t i = 0; i < t->s.topology->n_processors; i++) {
        bool used = false;
        for (uint32_t f = 0; f < t->paths.n; f++)
            for (uint32_t c = 0; c < t->files[f].n; c++)
                used = used || (t->files[f].cases[c].processor == &t->s.topology->processors[i] &&
                                wanted(t, &t->files[f].cases[c]));
        if (used)
            names[n++] = t->s.topology->processors[i].name;
    }
    if (n > 0)
        return leat_modules_load(t->s.topology, names, n, err);
    return t->o->only == NULL ? leat_fail(err, LEAT_INVALID, "there is no case to run")
                              : leat_fail(err, LEAT_INVALID, "no case has '%s' in it", t->o->only);
}

static int run_case(struct testing *t, const char *file, const struct leat_test_case *c)
{
    struct leat_error err = {0};
    struct leat_test_done *d = &t->sum.at[t->sum.n];
    struct leat_test_run run = {
        .topology = t->s.topology, .schemas = t->s.schemas, .c = c, .faults = t->o->faults};
    *d = (struct leat_test_done){.file = file, .c = c};
    leat_status status =
        t->o->fork ? leat_test_in_child(&run, t->o->timeout_ms, t->s.arena, &d->result, &err)
                   : leat_test_right_here(&run, t->s.arena, &d->result, &err);
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    t->sum.n++;
    t->sum.failed += d->result.n_problems > 0 ? 1 : 0;
    t->sum.faults += d->result.faults;
    t->sum.us += d->result.us;
    if (t->o->json)
        return LEAT_EXIT_GO_ON;
    struct leat_buf text;
    leat_buf_init(&text, TEXT_BYTES_MAX);
    leat_test_text(d, &text);
    int code = leat_cli_print(&text);
    leat_buf_done(&text);
    return code == LEAT_EXIT_OK ? LEAT_EXIT_GO_ON : code;
}

static int write_file(const char *path, const struct leat_buf *text)
{
    FILE *f = fopen(path, "wb");
    bool ok = f != NULL && fwrite(text->at, 1, text->len, f) == text->len;
    if (f != NULL && fclose(f) != 0)
        ok = false;
    if (ok)
        return LEAT_EXIT_OK;
    (void)fprintf(stderr, "leat: could not write '%s': %s\n", path, strerror(errno));
    return LEAT_EXIT_FAILED;
}

static int finish(struct testing *t)
{
    struct leat_buf text;
    leat_buf_init(&text, TEXT_BYTES_MAX);
    if (t->o->json)
        leat_test_json(&t->sum, &text);
    else
        leat_test_summary(&t->sum, &text);
    int code = leat_cli_print(&text);
    if (t->o->junit != NULL && code == LEAT_EXIT_OK) {
        leat_buf_clear(&text);
        leat_test_junit(&t->sum, &text);
        code = write_file(t->o->junit, &text);
    }
    leat_buf_done(&text);
    return code == LEAT_EXIT_OK && t->sum.failed > 0 ? LEAT_EXIT_FAILED : code;
}

static int run_all(struct testing *t)
{
    size_t n = 0;
    int code = LEAT_EXIT_GO_ON;
    for (uint32_t f = 0; f < t->paths.n; f++)
        n += t->files[f].n;
    t->sum.at = leat_arena_zalloc(t->s.arena, n + 1, sizeof *t->sum.at);
    for (uint32_t f = 0; f < t->paths.n; f++)
        for (uint32_t c = 0; c < t->files[f].n && code == LEAT_EXIT_GO_ON; c++)
            if (wanted(t, &t->files[f].cases[c]))
                code = run_case(t, t->files[f].path, &t->files[f].cases[c]);
    return code == LEAT_EXIT_GO_ON ? finish(t) : code;
}

static int test(struct testing *t, int args, char **argv)
{
    struct leat_error err = {0};
    if (find_files(t, args, argv, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    int code = read_files(t, args > 0);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if (load_modules(t, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    return run_all(t);
}

int leat_cmd_test(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_test(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct test_options o = {0};
    struct testing t = {.o = &o};
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if ((code = leat_session_files(&t.s, o.topology, NULL)) != LEAT_EXIT_GO_ON)
        return code;
    code = test(&t, args, argv);
    leat_session_close(&t.s);
    return code;
}
