/* leat options: the reference pages, printed from the tables the program itself works by. */
#include "cli/cli.h"

#define TEXT_BYTES_MAX (1024 * 1024)

int leat_cmd_options(struct leat_cli *cli, int argc, char **argv);

struct options_options {
    bool topology;
};

static const struct leat_opt options[] = {
    {"topology", 0, LEAT_OPT_FLAG, offsetof(struct options_options, topology), NULL, NULL, NULL, 0,
     0, "The keys of the topology file instead of the options of the verbs."},
};

static const struct leat_opt_spec spec = {
    .usage = "leat options [--topology]",
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

static void put_verb(struct leat_cli *cli, const struct leat_cli_command *c, struct leat_buf *text)
{
    char name[32] = "";
    char flag[] = "--help";
    struct leat_str verb = leat_str_of(c->name);
    leat_assert(verb.len < sizeof name);
    memcpy(name, verb.at, verb.len);
    char *argv[] = {name, flag, NULL};
    leat_buf_printf(text, "\n## leat %s\n\n", c->name);
    leat_cli_reference(text);
    (void)c->run(cli, 2, argv); /* --help: says what it is and does nothing */
    leat_cli_reference(NULL);
}

int leat_cmd_options(struct leat_cli *cli, int argc, char **argv)
{
    struct options_options o = {0};
    int args = 0;
    int code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, TEXT_BYTES_MAX);
    if (o.topology) {
        leat_topology_reference(&text);
        return leat_cli_print(&text);
    }
    leat_buf_puts(&text, intro);
    for (unsigned i = 0; i < leat_cli_command_count; i++) {
        if (leat_cli_commands[i].run != NULL)
            put_verb(cli, &leat_cli_commands[i], &text);
    }
    return leat_cli_print(&text);
}
