/* leat options: the reference pages, printed from the tables the program itself works by. */
#include "cli/cli.h"
#include "cli/man.h"

#define TEXT_BYTES_MAX (1024 * 1024)

int leat_cmd_options(struct leat_cli *cli, int argc, char **argv);

struct options_options {
    const char *man;
    bool topology;
};

static const struct leat_opt options[] = {
    {"topology", 0, LEAT_OPT_FLAG, offsetof(struct options_options, topology), NULL, NULL, NULL, 0,
     0, "The keys of the topology file instead of the options of the verbs."},
    {"man", 0, LEAT_OPT_STR, offsetof(struct options_options, man), "DIR", NULL, NULL, 0, 0,
     "Write man pages into DIR/man1 and DIR/man5 instead."},
};

static const struct leat_opt_spec spec = {
    .usage = "leat options [--topology | --man DIR]",
    .summary = "Prints the options of every verb as Markdown.",
    .details = NULL,
    LEAT_OPTS(options),
};

static const char intro[] =
    "# Command line: all verbs and options\n"
    "\n"
    "Printed by `leat options`; do not edit. Every verb has `--help`. Exit codes: 0 ok, 1 failed,\n"
    "2 wrong use or invalid file, 3 the answer is no. Results go to standard output, everything\n"
    "else to standard error: text on a terminal, else JSON lines (`$LEAT_LOG_FORMAT` text or "
    "json;\n"
    "`$LEAT_LOG` error, warn, info or debug).\n";

static void put_verb(const struct leat_cli_command *c, const struct leat_opt_spec *verb, void *arg)
{
    struct leat_buf *text = arg;
    leat_buf_printf(text, "\n## leat %s\n\n%s\n\n    %s\n\n", c->name, verb->summary, verb->usage);
    leat_opt_markdown(verb, text);
}

int leat_cmd_options(struct leat_cli *cli, int argc, char **argv)
{
    struct options_options o = {0};
    int args = 0;
    int code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if (o.man != NULL)
        return leat_man_write(cli, o.man);
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, TEXT_BYTES_MAX);
    if (o.topology) {
        leat_topology_reference(&text);
    } else {
        leat_buf_puts(&text, intro);
        leat_cli_each(cli, put_verb, &text);
    }
    return leat_cli_print(&text);
}
