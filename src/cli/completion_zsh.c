/* The completion script for zsh: one call of _arguments for each verb. */
#include <string.h>

#include "cli/completion.h"

struct script {
    struct leat_buf *out;
    struct leat_arena *arena;
};

/* Within '…' and within the brackets or between the colons of a specification. */
static void put_quoted(struct leat_buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'') {
            leat_buf_puts(out, "'\\''");
        } else if (strchr("[]:\\", *c) != NULL) {
            leat_buf_printf(out, "\\%c", *c);
        } else {
            leat_buf_putc(out, *c);
        }
    }
}

static void put_action(struct script *s, const struct leat_place_words *w)
{
    switch (w->kind) {
    case LEAT_WORDS_NONE:
        leat_buf_putc(s->out, ' ');
        break;
    case LEAT_WORDS_FILES:
        leat_buf_puts(s->out, "_files");
        break;
    case LEAT_WORDS_FIXED:
        leat_buf_printf(s->out, "%scompadd - %s", w->list ? "_sequence " : "", w->words);
        break;
    case LEAT_WORDS_DYNAMIC:
        leat_buf_printf(s->out, "%s_leat_%s", w->list ? "_sequence " : "", w->words);
        break;
    }
}

/* '(-t --topology)'{-t,--topology}'[help]:FILE:_files' */
static void put_option(struct script *s, const struct leat_opt *o)
{
    leat_buf_puts(s->out, " \\\n            ");
    if (o->letter != '\0') {
        leat_buf_printf(s->out, "'(-%c --%s)'{-%c,--%s}'[", o->letter, o->name, o->letter, o->name);
    } else {
        leat_buf_printf(s->out, "'--%s[", o->name);
    }
    put_quoted(s->out, o->help);
    leat_buf_putc(s->out, ']');
    if (o->type != LEAT_OPT_FLAG) {
        struct leat_place_words w = leat_completion_value(o, s->arena);
        leat_buf_putc(s->out, ':');
        put_quoted(s->out, o->arg == NULL ? "VALUE" : o->arg);
        leat_buf_putc(s->out, ':');
        put_action(s, &w);
    }
    leat_buf_putc(s->out, '\'');
}

static void put_verb(const struct leat_cli_command *c, const struct leat_opt_spec *spec, void *arg)
{
    struct script *s = arg;
    struct leat_place_words places[LEAT_PLACES_MAX];
    unsigned n = leat_completion_places(spec, s->arena, places);
    leat_buf_printf(s->out, "    %s)\n        _arguments -s", c->name);
    for (size_t i = 0; i < spec->n_opts; i++)
        put_option(s, &spec->opts[i]);
    leat_buf_puts(s->out, " \\\n            '(-h --help)'{-h,--help}'[Show a summary]'");
    for (unsigned i = 0; i < n; i++) {
        leat_buf_printf(s->out, " \\\n            '%u: :", i + 1);
        put_action(s, &places[i]);
        leat_buf_putc(s->out, '\'');
    }
    leat_buf_puts(s->out, " ;;\n");
}

static const char head[] =
    "#compdef leat\n"
    "# Printed by `leat completion zsh`.\n"
    "\n"
    "# <kind> [option of compadd...]: words of the topology that the line names. zsh puts options\n"
    "# behind the name of a function, so each kind has one.\n"
    "_leat_dynamic() {\n"
    "    local kind=$1\n"
    "    local -a found\n"
    "    local topology=${opt_args[-t]:-${opt_args[--topology]}}\n"
    "    found=(${(f)\"$($_leat_program completion --words $kind ${topology:+--topology=$topology} "
    "2>/dev/null)\"})\n"
    "    shift\n"
    "    compadd \"$@\" - $found\n"
    "}\n"
    "\n"
    "_leat_aggregates() { _leat_dynamic aggregates \"$@\" }\n"
    "_leat_commands() { _leat_dynamic commands \"$@\" }\n"
    "_leat_events() { _leat_dynamic events \"$@\" }\n"
    "_leat_models() { _leat_dynamic models \"$@\" }\n"
    "_leat_priorities() { _leat_dynamic priorities \"$@\" }\n"
    "_leat_processors() { _leat_dynamic processors \"$@\" }\n"
    "_leat_queries() { _leat_dynamic queries \"$@\" }\n"
    "\n"
    "_leat() {\n"
    "    local _leat_program=$words[1] curcontext=$curcontext\n"
    "    typeset -A opt_args\n"
    "    local -a verbs\n"
    "    verbs=(\n";

void leat_completion_zsh(struct leat_cli *cli, struct leat_buf *script)
{
    struct script s = {script, leat_arena_new(4096, 0)};
    leat_buf_puts(script, head);
    for (unsigned i = 0; i < leat_cli_command_count; i++) {
        const struct leat_cli_command *c = &leat_cli_commands[i];
        if (c->run == NULL)
            continue;
        leat_buf_printf(script, "        '%s:", c->name);
        put_quoted(script, c->help);
        leat_buf_puts(script, "'\n");
    }
    leat_buf_puts(script, "    )\n"
                          "    if ((CURRENT == 2)); then\n"
                          "        _describe -t verbs verb verbs\n"
                          "        return\n"
                          "    fi\n"
                          "    shift words\n"
                          "    ((CURRENT--))\n"
                          "    case $words[1] in\n");
    leat_cli_each(cli, put_verb, &s);
    leat_buf_puts(script, "    esac\n"
                          "}\n"
                          "\n"
                          "# Loaded by compinit from a folder of $fpath, or sourced.\n"
                          "if [[ $funcstack[1] == _leat ]]; then\n"
                          "    _leat \"$@\"\n"
                          "else\n"
                          "    compdef _leat leat\n"
                          "fi\n");
    leat_arena_free(s.arena);
}
