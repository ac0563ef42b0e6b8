/* leat version */
#include "base/json.h"
#include "base/version.h"
#include "cli/cli.h"

int leat_cmd_version(struct leat_cli *cli, int argc, char **argv);

struct version_options {
    bool json;
};

static const struct leat_opt options[] = {LEAT_CLI_JSON(struct version_options, json)};

static const struct leat_opt_spec spec = {
    .usage = "leat version [options]",
    .summary = "Prints the version and the commit it was built from.",
    .details = NULL,
    LEAT_OPTS(options),
};

int leat_cmd_version(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct version_options o = {0};
    int args = 0;
    int code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, 1024);
    if (o.json) {
        struct leat_json_writer w;
        leat_json_writer_init(&w, &text);
        leat_json_begin_object(&w);
        leat_json_put_cstr(&w, "version", leat_build_version());
        leat_json_end_object(&w);
    } else {
        leat_buf_printf(&text, "leat %s", leat_build_version());
    }
    leat_buf_putc(&text, '\n');
    return leat_cli_print(&text);
}
