/* leat plan: what apply would do, what it would refuse, what is left as it is. */
#include "cli/cli.h"
#include "cli/plan.h"

#define TEXT_BYTES_MAX ((size_t)4 << 20)

int leat_cmd_plan(struct leat_cli *cli, int argc, char **argv);

struct plan_options {
    const char *topology;
    bool exit_code, sql, json;
};

static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct plan_options, topology),
    {"exit-code", 0, LEAT_OPT_FLAG, offsetof(struct plan_options, exit_code), NULL, NULL, NULL, 0,
     0, "Exit code 3 when there is something to do, or something refused."},
    {"sql", 0, LEAT_OPT_FLAG, offsetof(struct plan_options, sql), NULL, NULL, NULL, 0, 0,
     "Show the SQL of migrations."},
    LEAT_CLI_JSON(struct plan_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat plan [options]",
    .summary = "Compares the topology with what is live: topics, tables, schemas, read models.",
    .details = "Marks: + is made, ~ is changed, - stays as it is, ! is refused because data would "
               "be lost,\nor is missing and belongs to somebody else.\nNothing is changed; `leat "
               "apply` does what is shown here.",
    LEAT_OPTS(options),
};

static int show(const struct plan_options *o, const struct leat_change_plan *p)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, TEXT_BYTES_MAX);
    if (o->json) {
        struct leat_json_writer w;
        leat_json_writer_init(&w, &text);
        leat_json_begin_object(&w);
        leat_json_put_cstr(&w, "topology", p->s.topology->name.at);
        leat_change_plan_json(p, o->sql, &w);
        leat_json_end_object(&w);
        leat_buf_putc(&text, '\n');
    } else {
        leat_change_plan_text(p, o->sql, &text);
        leat_change_plan_summary(p, &text);
    }
    int code = leat_cli_print(&text);
    if (code == LEAT_EXIT_OK && o->exit_code && p->todo + p->refused + p->foreign > 0)
        code = LEAT_EXIT_NO;
    return code;
}

int leat_cmd_plan(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct plan_options o = {0};
    struct leat_change_plan p;
    struct leat_error err = {0};
    int args = 0;
    int code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if ((code = leat_change_plan_open(&p, o.topology)) != LEAT_EXIT_GO_ON)
        return code;
    code = leat_change_plan_make(&p, &err) == LEAT_OK ? show(&o, &p) : leat_cli_fail(&err);
    leat_change_plan_close(&p);
    return code;
}
