/* cmd_import.c - leat import: the rows of a file as commands. */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/suggest.h"
#include "cli/cli.h"
#include "cli/import_run.h"
#include "cli/session.h"
#include "query/query.h"

int leat_cmd_import(struct leat_cli *cli, int argc, char **argv);

#define SENDER_END_MS 5000

struct options {
    const char *topology, *command, *priority, *import_id, *rejects, *format, *delimiter;
    struct leat_opt_list maps, ids;
    int64_t refused_max;
    bool ignore_unknown, keep_spaces, dry_run, resume, restart, json, progress;
};

#define FIELD(name) offsetof(struct options, name)
static const struct leat_opt opts[] = {
    LEAT_CLI_TOPOLOGY(struct options, topology),
    {"command", 'c', LEAT_OPT_STR, FIELD(command), "TYPE", NULL, NULL, 0, 0,
     "The command each row becomes (required)."},
    {"map", 'm', LEAT_OPT_LIST, FIELD(maps), "COLUMN=FIELD", NULL, NULL, 0, 0,
     "A column that is called otherwise than the field it goes into."},
    {"priority", 'p', LEAT_OPT_STR, FIELD(priority), "NAME", NULL, NULL, 0, 0,
     "Priority of the commands (default: the topology's)."},
    {"id-from", 0, LEAT_OPT_LIST, FIELD(ids), "FIELD", NULL, NULL, 0, 0,
     "Make command ids from this field: the same value is the same command in any file."},
    {"import-id", 0, LEAT_OPT_STR, FIELD(import_id), "TEXT", NULL, NULL, 0, 0,
     "Make command ids from this text and the row's place (default: from the file's content)."},
    {"rejects", 0, LEAT_OPT_STR, FIELD(rejects), "FILE", NULL, NULL, 0, 0,
     "Where refused rows go, .csv or JSON lines (default: <file>.rejects.jsonl)."},
    {"max-rejects", 0, LEAT_OPT_INT, FIELD(refused_max), "N", "-1", NULL, -1, INT64_MAX,
     "Stop when more rows are refused; -1: never."},
    {"format", 0, LEAT_OPT_STR, FIELD(format), "csv|jsonl", NULL, NULL, 0, 0,
     "Of the file (default: by its name)."},
    {"delimiter", 0, LEAT_OPT_STR, FIELD(delimiter), "CHAR", ",", NULL, 0, 0,
     "Between CSV fields: one character, or 'tab'."},
    {"ignore-unknown", 0, LEAT_OPT_FLAG, FIELD(ignore_unknown), NULL, NULL, NULL, 0, 0,
     "Leave out columns that the command has no field for."},
    {"keep-spaces", 0, LEAT_OPT_FLAG, FIELD(keep_spaces), NULL, NULL, NULL, 0, 0,
     "Keep white space around values."},
    {"dry-run", 'n', LEAT_OPT_FLAG, FIELD(dry_run), NULL, NULL, NULL, 0, 0,
     "Check every row, send nothing; needs no servers."},
    {"resume", 0, LEAT_OPT_FLAG, FIELD(resume), NULL, NULL, NULL, 0, 0,
     "Go on where a former import stopped, or fail without one (default: go on if there is one)."},
    {"restart", 0, LEAT_OPT_FLAG, FIELD(restart), NULL, NULL, NULL, 0, 0,
     "Begin again; commands that were sent before are known and not done twice."},
    {"progress", 0, LEAT_OPT_FLAG, FIELD(progress), NULL, "true", NULL, 0, 0,
     "Say on stderr how far it is."},
    LEAT_CLI_JSON(struct options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat import [options] --command <Type> <file.csv|file.jsonl>",
    .summary = "Send each row of a file as a command.",
    .details =
        "Columns and members are matched to the command's fields by name. In CSV a date is "
        "written\n"
        "2026-03-01 and a time 2026-03-01T10:00:00Z, or as numbers as in JSON. Rows that do not\n"
        "fit go to the rejects file with line, code and reason; the others are sent, and the exit\n"
        "code is 0 unless there are more than --max-rejects. How far the broker has acknowledged\n"
        "is kept in <file>.leat-import.json: after an interruption the same command line goes on\n"
        "there.\n\n"
        "  leat import leads.csv --command CreateLead --priority cold\n"
        "  leat import leads.csv -c CreateLead --map Company=company --ignore-unknown --dry-run\n",
    .opts = opts,
    .n_opts = sizeof opts / sizeof opts[0],
    .args_min = 1,
    .args_max = 1,
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

static void catch_signals(void)
{
    /* The second signal ends the process at once. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

/* Everything one import holds; freed together. */
struct import {
    struct options o;
    const char *file;
    char progress_path[4096], rejects_path[4096];
    struct leat_str maps_text[LEAT_OPT_LIST_MAX];
    struct leat_import_map maps[LEAT_OPT_LIST_MAX];
    struct leat_str ids[LEAT_OPT_LIST_MAX];
    struct leat_session session;
    const struct leat_processor *handler;
    struct leat_import_plan *plan;
    struct leat_import_source source;
    struct leat_import_rejects rejects;
    struct leat_import_progress progress;
    struct leat_sender *sender;
    int64_t started_us, first_row;
};

static void import_done(struct import *im)
{
    if (im->sender != NULL)
        leat_sender_free(im->sender, stop ? 0 : SENDER_END_MS);
    leat_import_rejects_close(&im->rejects);
    leat_import_source_close(&im->source);
    leat_import_plan_free(im->plan);
    leat_session_close(&im->session);
}

static leat_status find_handler(struct import *im, struct leat_error *err)
{
    const struct leat_topology *t = im->session.topology;
    struct leat_str type = leat_str_of(im->o.command);
    im->handler = leat_topology_handler(t, type);
    if (im->handler == NULL) {
        struct leat_suggest s;
        leat_suggest_start(&s, type);
        for (uint32_t p = 0; p < t->n_processors; p++) {
            for (uint32_t c = 0; c < t->processors[p].commands.n; c++)
                leat_suggest_offer(&s, t->processors[p].commands.at[c]);
        }
        (void)leat_fail(err, LEAT_INVALID, "no processor handles the command '%s'", im->o.command);
        if (s.best.len > 0)
            leat_error_hint(err, "Did you mean '%.*s'?", LEAT_STR_FMT(s.best));
        return LEAT_INVALID;
    }
    const char *priority = im->o.priority;
    if (priority != NULL &&
        leat_priority_find(&im->handler->priorities, leat_str_of(priority)) < 0) {
        return leat_fail(err, LEAT_INVALID, "processor '%.*s' has no priority '%s'",
                         LEAT_STR_FMT(im->handler->name), priority);
    }
    return LEAT_OK;
}

static leat_status read_maps(struct import *im, struct leat_error *err)
{
    for (uint32_t i = 0; i < im->o.maps.n; i++) {
        const char *text = im->o.maps.at[i];
        const char *equals = strchr(text, '=');
        if (equals == NULL || equals == text || equals[1] == '\0')
            return leat_fail(err, LEAT_INVALID, "--map %s: not of the form column=field", text);
        im->maps[i].column = (struct leat_str){text, (uint32_t)(equals - text)};
        im->maps[i].field = leat_str_of(equals + 1);
    }
    for (uint32_t i = 0; i < im->o.ids.n; i++)
        im->ids[i] = leat_str_of(im->o.ids.at[i]);
    return LEAT_OK;
}

static leat_status make_plan(struct import *im, struct leat_error *err)
{
    struct leat_str type = leat_str_of(im->o.command);
    const struct leat_aggregate *aggregate = im->handler->aggregate;
    leat_status status = read_maps(im, err);
    if (status != LEAT_OK)
        return status;
    const struct leat_import_plan_options o = {
        .type = type,
        .schema = leat_schemas_text(im->session.schemas, type),
        .key = aggregate == NULL ? LEAT_STR("") : aggregate->key,
        .maps = im->maps,
        .map_count = im->o.maps.n,
        .ids = im->ids,
        .id_count = im->o.ids.n,
        .ignore_unknown = im->o.ignore_unknown,
        .keep_spaces = im->o.keep_spaces,
    };
    return leat_import_plan_new(&o, &im->plan, err);
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcasecmp(text + n - m, end) == 0;
}

static leat_status read_format(const struct import *im, bool *ret_jsonl, char *ret_delimiter,
                               struct leat_error *err)
{
    const char *f = im->o.format, *d = im->o.delimiter;
    if (f != NULL && strcmp(f, "csv") != 0 && strcmp(f, "jsonl") != 0)
        return leat_fail(err, LEAT_INVALID, "--format %s: csv or jsonl", f);
    *ret_jsonl = f != NULL ? strcmp(f, "jsonl") == 0
                           : ends_with(im->file, ".jsonl") || ends_with(im->file, ".ndjson");
    bool tab = strcmp(d, "tab") == 0;
    *ret_delimiter = d[0];
    if (tab)
        *ret_delimiter = '\t';
    if (!tab && (d[0] == '\0' || d[1] != '\0'))
        return leat_fail(err, LEAT_INVALID, "--delimiter %s: one character, or tab", d);
    if (strchr("\"\r\n", *ret_delimiter) != NULL)
        return leat_fail(err, LEAT_INVALID, "--delimiter: a quote or line end cannot be it");
    return LEAT_OK;
}

static leat_status open_file(struct import *im, struct leat_error *err)
{
    bool jsonl = false;
    char delimiter = ',';
    leat_status status = read_format(im, &jsonl, &delimiter, err);
    if (status == LEAT_OK)
        status = leat_import_source_open(&im->source, im->file, jsonl, delimiter, err);
    if (status != LEAT_OK || jsonl)
        return status;
    struct leat_csv_row header;
    bool end = false;
    status = leat_import_source_next(&im->source, &header, &end, err);
    if (status != LEAT_OK)
        return status;
    if (end)
        return leat_fail(err, LEAT_INVALID, "'%s' is empty: no header line", im->file);
    return leat_import_plan_header(im->plan, &header, err);
}

/* What a new import of this file is called: rows' ids are made from it. */
static leat_status new_import(struct import *im, struct leat_error *err)
{
    static const struct leat_uuid space = {{0x4e, 0xc2, 0x18, 0x90, 0x6b, 0x3d, 0x4f, 0x07, 0xa1,
                                            0x55, 0xe3, 0x9c, 0x21, 0x7d, 0x0b, 0x64}};
    uint8_t digest[32];
    struct leat_uuid type = leat_uuid_v5(&space, im->o.command, strlen(im->o.command));
    im->progress = (struct leat_import_progress){.bytes = im->source.bytes,
                                                 .modified_ms = im->source.modified_ms,
                                                 .offset = im->source.csv.offset,
                                                 .line = im->source.csv.line};
    (void)snprintf(im->progress.command, sizeof im->progress.command, "%s", im->o.command);
    if (im->o.import_id != NULL) {
        im->progress.id = leat_uuid_v5(&type, im->o.import_id, strlen(im->o.import_id));
        return LEAT_OK;
    }
    leat_status status = leat_import_source_digest(&im->source, digest, err);
    if (status == LEAT_OK)
        im->progress.id = leat_uuid_v5(&type, digest, sizeof digest);
    return status;
}

/* Goes on from the progress file, or begins. */
static leat_status find_start(struct import *im, struct leat_error *err)
{
    struct leat_import_progress old = {0};
    leat_status status = im->o.restart || im->o.dry_run
                             ? LEAT_ABSENT
                             : leat_import_progress_load(im->progress_path, &old, err);
    if (status != LEAT_OK && status != LEAT_ABSENT)
        return status;
    if (status == LEAT_ABSENT && im->o.resume) {
        return leat_fail(err, LEAT_INVALID, "--resume: no progress of an import in '%s'",
                         im->progress_path);
    }
    bool same = status == LEAT_OK && strcmp(old.command, im->o.command) == 0 &&
                old.bytes == im->source.bytes && old.modified_ms == im->source.modified_ms;
    if (status == LEAT_OK && !same && !old.finished) {
        (void)leat_fail(err, LEAT_INVALID,
                        "'%s' has changed, or the command has, since an import of it stopped at "
                        "line %jd",
                        im->file, (intmax_t)old.line);
        leat_error_hint(err, "--restart imports it from the beginning.");
        return LEAT_INVALID;
    }
    if (!same)
        return new_import(im, err);
    im->progress = old;
    return leat_import_source_seek(&im->source, old.offset, old.line, err);
}

static leat_status set_paths(struct import *im, struct leat_error *err)
{
    int n = snprintf(im->progress_path, sizeof im->progress_path, "%s.leat-import.json", im->file);
    int m = im->o.rejects != NULL
                ? snprintf(im->rejects_path, sizeof im->rejects_path, "%s", im->o.rejects)
                : snprintf(im->rejects_path, sizeof im->rejects_path, "%s.rejects.jsonl", im->file);
    if (n < 0 || m < 0 || (size_t)n >= sizeof im->progress_path ||
        (size_t)m >= sizeof im->rejects_path)
        return leat_fail(err, LEAT_INVALID, "the path '%.100s' is too long", im->file);
    if (strcmp(im->rejects_path, im->file) == 0)
        return leat_fail(err, LEAT_INVALID, "--rejects is the file that is imported");
    return LEAT_OK;
}

static leat_status prepare(struct import *im, struct leat_error *err)
{
    if (im->o.command == NULL)
        return leat_fail(err, LEAT_INVALID, "--command is required");
    if (im->o.resume && im->o.restart)
        return leat_fail(err, LEAT_INVALID, "--resume and --restart exclude each other");
    static leat_status (*const steps[])(struct import *, struct leat_error *) = {
        set_paths, find_handler, make_plan, open_file, find_start};
    leat_status status = LEAT_OK;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0] && status == LEAT_OK; i++)
        status = steps[i](im, err);
    return status;
}

static leat_status transfer(struct import *im, struct leat_error *err)
{
    struct leat_session *s = &im->session;
    leat_status status =
        im->o.dry_run ? LEAT_OK : leat_sender_new(s->topology, s->schemas, &im->sender, err);
    if (status == LEAT_OK) {
        status = leat_import_rejects_open(&im->rejects, im->rejects_path,
                                          im->progress.rejects_bytes, err);
    }
    if (status != LEAT_OK)
        return status;
    struct leat_str type = leat_str_of(im->o.command);
    const struct leat_import run = {
        .source = &im->source,
        .plan = im->plan,
        .type = type,
        .priority = leat_str_of(im->o.priority),
        .any_fields = im->o.ignore_unknown || !leat_import_plan_nested(im->plan),
        .ids = im->o.ids.n > 0,
        .sender = im->sender,
        .schema = leat_schemas_current(im->session.schemas, type),
        .rejects = &im->rejects,
        .progress_path = im->o.dry_run ? NULL : im->progress_path,
        .acked = &im->progress,
        .refused_max = im->o.refused_max,
        .show = im->o.progress,
        .stop = &stop,
    };
    return leat_import_run(&run, err);
}

static void print_text(const struct import *im, double seconds)
{
    const struct leat_import_progress *p = &im->progress;
    int64_t here = p->counts.rows - im->first_row;
    printf("%s: %jd rows", im->file, (intmax_t)p->counts.rows);
    if (im->first_row > 0)
        printf(", %jd of them now", (intmax_t)here);
    printf(" in %.1f s (%.0f rows/s)\n", seconds, (double)here / seconds);
    printf("  %-8s %9jd  %s\n", im->o.dry_run ? "fit" : "sent", (intmax_t)p->counts.sent,
           im->o.dry_run ? "nothing was sent: --dry-run" : "acknowledged by the broker");
    printf("  refused  %9jd", (intmax_t)p->counts.refused);
    const char *separator = "  ";
    for (size_t i = 0; i < LEAT_IMPORT_CODES; i++) {
        if (p->counts.by_code[i] > 0) {
            printf("%s%s %jd", separator, leat_import_code_names[i],
                   (intmax_t)p->counts.by_code[i]);
            separator = ", ";
        }
    }
    if (p->counts.refused > 0)
        printf("\n           see %s", im->rejects_path);
    printf("\n");
}

static void print_json(const struct import *im, double seconds)
{
    const struct leat_import_progress *p = &im->progress;
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    struct leat_json_writer w;
    char id[LEAT_UUID_TEXT];
    leat_uuid_format(&p->id, id);
    leat_buf_init(&out, 1 << 16);
    leat_json_writer_init(&w, &out);
    leat_json_begin_object(&w);
    leat_json_put_cstr(&w, "file", im->file);
    leat_json_put_cstr(&w, "command", im->o.command);
    leat_json_put_cstr(&w, "import_id", id);
    leat_json_put_bool(&w, "finished", p->finished);
    leat_json_put_bool(&w, "dry_run", im->o.dry_run);
    leat_json_put_int(&w, "rows", p->counts.rows);
    leat_json_put_int(&w, "rows_now", p->counts.rows - im->first_row);
    leat_json_put_int(&w, "sent", p->counts.sent);
    leat_json_put_int(&w, "refused", p->counts.refused);
    leat_json_key(&w, LEAT_STR("refused_by_code"));
    leat_json_begin_object(&w);
    for (size_t i = 0; i < LEAT_IMPORT_CODES; i++) {
        if (p->counts.by_code[i] > 0)
            leat_json_put_int(&w, leat_import_code_names[i], p->counts.by_code[i]);
    }
    leat_json_end_object(&w);
    leat_json_put_cstr(&w, "rejects", p->counts.refused > 0 ? im->rejects_path : NULL);
    leat_json_put_double(&w, "seconds", seconds);
    leat_json_end_object(&w);
    printf("%.*s\n", (int)out.len, out.at);
}

static void print_result(const struct import *im)
{
    double seconds = (double)(leat_mono_us() - im->started_us + 1) / 1e6;
    if (im->o.json) {
        print_json(im, seconds);
    } else {
        print_text(im, seconds);
    }
}

static int exit_code(const struct import *im, leat_status status, const struct leat_error *err)
{
    if (status == LEAT_OK)
        return LEAT_EXIT_OK;
    if (!stop)
        return leat_cli_fail(err);
    (void)fprintf(stderr, "leat: stopped before line %jd; the same command line goes on there\n",
                  (intmax_t)im->progress.line);
    return LEAT_EXIT_FAILED;
}

static leat_status import(struct import *im, struct leat_error *err)
{
    leat_status status = prepare(im, err);
    if (status != LEAT_OK)
        return status;
    im->first_row = im->progress.counts.rows;
    if (im->progress.finished) {
        (void)fprintf(stderr, "leat: all of '%s' is imported already; --restart sends it again\n",
                      im->file);
    } else {
        if (im->first_row > 0)
            (void)fprintf(stderr, "leat: going on at line %jd\n", (intmax_t)im->progress.line);
        catch_signals();
        status = transfer(im, err);
    }
    if (status == LEAT_OK || stop)
        print_result(im);
    return status;
}

static int run(struct import *im)
{
    struct leat_error err = {0};
    struct leat_session *s = &im->session;
    int code = im->o.dry_run ? leat_session_files(s, im->o.topology, NULL)
                             : leat_session_open(s, im->o.topology, NULL);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    leat_status status = import(im, &err);
    code = exit_code(im, status, &err);
    import_done(im);
    return code;
}

int leat_cmd_import(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    int args = 0;
    struct import *im = calloc(1, sizeof *im);
    if (im == NULL)
        return leat_cli_errno("import");
    im->started_us = leat_mono_us();
    int code = leat_cli_parse(&spec, argc, argv, &im->o, &args);
    if (code == LEAT_EXIT_GO_ON) {
        im->file = argv[1];
        code = run(im);
    }
    free(im);
    return code;
}
