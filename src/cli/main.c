/* leat - the one program. Finds the verb and hands over; see commands.def. */
#include <stdio.h>
#include <string.h>

#include "base/allocator.h"
#include "base/suggest.h"
#include "cli/cli.h"

#define TEXT_BYTES_MAX 16384

static const struct leat_cli_command *find_verb(const char *name)
{
    for (unsigned i = 0; i < leat_cli_command_count; i++) {
        if (strcmp(leat_cli_commands[i].name, name) == 0)
            return &leat_cli_commands[i];
    }
    return NULL;
}

static int print_overview(void)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, TEXT_BYTES_MAX);
    leat_buf_puts(&text, "Usage: leat <verb> [options]\n"
                         "Declare a topology, run it, query it.\n\n");
    for (unsigned i = 0; i < leat_cli_command_count; i++) {
        if (leat_cli_commands[i].run != NULL)
            leat_buf_printf(&text, "  %-10s %s\n", leat_cli_commands[i].name,
                            leat_cli_commands[i].help);
    }
    leat_buf_puts(&text,
                  "\n`leat <verb> --help` says more. The topology is leat.yaml here, -t FILE or\n"
                  "$LEAT_TOPOLOGY. Exit codes: 0 ok, 1 failed, 2 wrong use or invalid file,\n"
                  "3 the answer is no.\n");
    return leat_cli_print(&text);
}

static int refuse_unknown(const char *name)
{
    struct leat_suggest s;
    leat_suggest_start(&s, leat_str_of(name));
    for (unsigned i = 0; i < leat_cli_command_count; i++) {
        if (leat_cli_commands[i].run != NULL)
            leat_suggest_offer_cstr(&s, leat_cli_commands[i].name);
    }
    leat_suggest_offer_cstr(&s, "help");
    if (s.best.len > 0)
        (void)fprintf(stderr, "leat: unknown verb '%.80s', did you mean '%.*s'?\n", name,
                      LEAT_STR_FMT(s.best));
    else
        (void)fprintf(stderr, "leat: unknown verb '%.80s'\n      `leat help` lists them.\n", name);
    return LEAT_EXIT_USAGE;
}

static int run_verb(struct leat_cli *cli, const char *name, int argc, char **argv)
{
    const struct leat_cli_command *c = find_verb(name);
    if (c == NULL)
        return refuse_unknown(name);
    if (c->run != NULL)
        return c->run(cli, argc, argv);
    (void)fprintf(stderr, "leat: '%s' is not available in this version\n", name);
    return LEAT_EXIT_USAGE;
}

static int help(struct leat_cli *cli, int argc, char **argv)
{
    if (argc < 2)
        return print_overview();
    char flag[] = "--help";
    char *words[] = {argv[1], flag, NULL};
    return run_verb(cli, argv[1], 2, words);
}

static bool is_one_of(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv)
{
    struct leat_cli cli = {.program = argc > 0 ? argv[0] : "leat"};
    char version[] = "version";
    leat_allocator_tune();
    if (argc < 2) {
        (void)print_overview();
        return LEAT_EXIT_USAGE;
    }
    if (is_one_of(argv[1], "help", "--help") || strcmp(argv[1], "-h") == 0)
        return help(&cli, argc - 1, argv + 1);
    if (is_one_of(argv[1], "--version", "-V"))
        argv[1] = version;
    if (argv[1][0] == '-') {
        (void)fprintf(stderr, "leat: the verb comes first: leat <verb> %.80s\n", argv[1]);
        return LEAT_EXIT_USAGE;
    }
    return run_verb(&cli, argv[1], argc - 1, argv + 1);
}
