#include "cli/cli.h"

#define VERB(name, help)                                                                           \
    __attribute__((weak)) int leat_cmd_##name(struct leat_cli *cli, int argc, char **argv);
#include "cli/commands.def"
#undef VERB

#define VERB(name, help) {#name, help, leat_cmd_##name},
const struct leat_cli_command leat_cli_commands[] = {
#include "cli/commands.def"
};
#undef VERB

const unsigned leat_cli_command_count = sizeof leat_cli_commands / sizeof *leat_cli_commands;
