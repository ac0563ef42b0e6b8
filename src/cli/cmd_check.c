/* leat check: every mistake of a topology and its schemas, with place and remedy. */
#include "base/json.h"
#include "cli/check_modules.h"
#include "cli/check_schemas.h"
#include "cli/cli.h"

#define TEXT_BYTES_MAX (512 * 1024)

int leat_cmd_check(struct leat_cli *cli, int argc, char **argv);

struct check_options {
    const char *topology;
    bool json, quiet;
};

static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct check_options, topology),
    {"quiet", 'q', LEAT_OPT_FLAG, offsetof(struct check_options, quiet), NULL, NULL, NULL, 0, 0,
     "Only errors, no warnings and notes."},
    LEAT_CLI_JSON(struct check_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat check [options] [FILE]",
    .summary = "Finds the mistakes in a topology and its schemas. No server is asked.",
    .details =
        "Exit code 0 when the topology can be used (warnings are no mistakes), else 2. Built\n"
        "modules are looked at, not loaded: `leat test` and `leat doctor` hold their handlers\n"
        "against the topology.",
    LEAT_OPTS(options),
    .args_max = 1,
};

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void put_text(const struct check_options *o, const struct leat_topology *t,
                     const struct leat_report *r, struct leat_buf *text)
{
    leat_report_text_from(r, o->quiet ? LEAT_SEVERITY_ERROR : LEAT_SEVERITY_NOTE, text);
    if (r->errors > 0 || t == NULL) {
        leat_buf_printf(text, "%s: %zu mistake%s\n", o->topology, r->errors, plural(r->errors));
        return;
    }
    leat_buf_printf(text, "%s: ok: topology %s, %d partitions, %u processor%s, %u projection%s",
                    o->topology, t->name.at, t->partitions, t->n_processors,
                    plural(t->n_processors), t->n_projections, plural(t->n_projections));
    if (r->warnings > 0)
        leat_buf_printf(text, ", %zu warning%s", r->warnings, plural(r->warnings));
    leat_buf_putc(text, '\n');
}

static void put_json(const struct check_options *o, const struct leat_topology *t,
                     const struct leat_report *r, struct leat_buf *text)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, text);
    leat_json_begin_object(&w);
    leat_json_put_bool(&w, "ok", r->errors == 0 && t != NULL);
    leat_json_put_cstr(&w, "file", o->topology);
    leat_json_put_cstr(&w, "topology", t == NULL || t->name.len == 0 ? NULL : t->name.at);
    leat_json_put_int(&w, "errors", (int64_t)r->errors);
    leat_json_put_int(&w, "warnings", (int64_t)r->warnings);
    leat_json_key(&w, LEAT_STR("findings"));
    leat_report_json(r, &w);
    leat_json_end_object(&w);
    leat_buf_putc(text, '\n');
}

static int check(const struct check_options *o)
{
    struct leat_report report = {0};
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, TEXT_BYTES_MAX);
    struct leat_topology *t = leat_topology_inspect(o->topology, &report);
    if (t != NULL) {
        leat_check_schemas(t, &report);
        leat_check_modules(t, &report);
    }
    if (o->json) {
        put_json(o, t, &report, &text);
    } else {
        put_text(o, t, &report, &text);
    }
    int code = leat_cli_print(&text);
    if (code == LEAT_EXIT_OK && (t == NULL || report.errors > 0))
        code = LEAT_EXIT_USAGE;
    leat_topology_free(t);
    leat_report_done(&report);
    return code;
}

int leat_cmd_check(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct check_options o = {0};
    int args = 0;
    int code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if (args == 1)
        o.topology = argv[1];
    return check(&o);
}
