/* The completion script for bash: tables as `case`, and one function that walks the line. */
#include <string.h>

#include "cli/completion.h"

struct script {
    struct leat_buf *out;
    struct leat_arena *arena;
};

static void put_options(const struct leat_cli_command *c, const struct leat_opt_spec *spec,
                        void *arg)
{
    struct script *s = arg;
    leat_buf_printf(s->out, "    %s) echo \"", c->name);
    for (size_t i = 0; i < spec->n_opts; i++) {
        if (spec->opts[i].letter != '\0')
            leat_buf_printf(s->out, "-%c ", spec->opts[i].letter);
        leat_buf_printf(s->out, "--%s ", spec->opts[i].name);
    }
    leat_buf_puts(s->out, "-h --help\" ;;\n");
}

static void put_words(struct script *s, const struct leat_place_words *w)
{
    switch (w->kind) {
    case LEAT_WORDS_NONE:
        leat_buf_puts(s->out, "echo none ;;\n");
        break;
    case LEAT_WORDS_FILES:
        leat_buf_puts(s->out, "echo files ;;\n");
        break;
    case LEAT_WORDS_FIXED:
        leat_buf_printf(s->out, "echo \"fixed %s\" ;;\n", w->words);
        break;
    case LEAT_WORDS_DYNAMIC:
        leat_buf_printf(s->out, "echo \"dynamic %s\" ;;\n", w->words);
        break;
    }
}

static void put_values(const struct leat_cli_command *c, const struct leat_opt_spec *spec,
                       void *arg)
{
    struct script *s = arg;
    for (size_t i = 0; i < spec->n_opts; i++) {
        const struct leat_opt *o = &spec->opts[i];
        if (o->type == LEAT_OPT_FLAG)
            continue;
        leat_buf_printf(s->out, "    %s:--%s", c->name, o->name);
        if (o->letter != '\0')
            leat_buf_printf(s->out, " | %s:-%c", c->name, o->letter);
        leat_buf_puts(s->out, ") ");
        struct leat_place_words w = leat_completion_value(o, s->arena);
        put_words(s, &w);
    }
}

static void put_places(const struct leat_cli_command *c, const struct leat_opt_spec *spec,
                       void *arg)
{
    struct script *s = arg;
    struct leat_place_words places[LEAT_PLACES_MAX];
    unsigned n = leat_completion_places(spec, s->arena, places);
    for (unsigned i = 0; i < n; i++) {
        leat_buf_printf(s->out, "    %s:%u) ", c->name, i + 1);
        put_words(s, &places[i]);
    }
}

static void put_table(struct script *s, struct leat_cli *cli, const char *name,
                      leat_cli_visit visit)
{
    leat_buf_printf(s->out, "\n%s() {\n    case $1 in\n", name);
    leat_cli_each(cli, visit, s);
    leat_buf_puts(s->out, "    esac\n}\n");
}

static const char walk[] =
    "\n"
    "# _leat_offer <kind and words> <word so far> <program> <topology>: fills COMPREPLY; of a "
    "list\n"
    "# with commas the last word is completed.\n"
    "_leat_offer() {\n"
    "    local kind=${1%% *} words=${1#* } cur=$2 before=\n"
    "    case $kind in\n"
    "    files)\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
    "        return ;;\n"
    "    dynamic) words=$(\"$3\" completion --words \"$words\" ${4:+-t \"$4\"} 2>/dev/null) ;;\n"
    "    fixed) ;;\n"
    "    *) return ;;\n"
    "    esac\n"
    "    if [[ $cur == *,* ]]; then\n"
    "        before=${cur%,*},\n"
    "        cur=${cur##*,}\n"
    "    fi\n"
    "    mapfile -t COMPREPLY < <(compgen -P \"$before\" -W \"$words\" -- \"$cur\")\n"
    "}\n"
    "\n"
    "_leat() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} topology= place=1 i word\n"
    "    local before=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    COMPREPLY=()\n"
    "    if ((COMP_CWORD == 1)); then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$_leat_verbs help\" -- \"$cur\")\n"
    "        return\n"
    "    fi\n"
    "    if [[ $verb == help ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$_leat_verbs\" -- \"$cur\")\n"
    "        return\n"
    "    fi\n"
    "    # readline takes --name=value apart\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=\n"
    "    elif [[ $before == = ]]; then\n"
    "        before=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n"
    "    for ((i = 2; i < COMP_CWORD; i++)); do\n"
    "        word=${COMP_WORDS[i]}\n"
    "        if [[ $word == -* ]]; then\n"
    "            [[ -n $(_leat_value \"$verb:$word\") ]] || continue\n"
    "            ((i++))\n"
    "            [[ ${COMP_WORDS[i]} == = ]] && ((i++))\n"
    "            [[ $word == -t || $word == --topology ]] && topology=${COMP_WORDS[i]}\n"
    "        else\n"
    "            ((place++))\n"
    "        fi\n"
    "    done\n"
    "    word=\n"
    "    [[ $before == -* ]] && word=$(_leat_value \"$verb:$before\")\n"
    "    if [[ -z $word && $cur == -* ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$(_leat_options \"$verb\")\" -- \"$cur\")\n"
    "        return\n"
    "    fi\n"
    "    _leat_offer \"${word:-$(_leat_place \"$verb:$place\")}\" \"$cur\" "
    "\"${COMP_WORDS[0]/#\\~/$HOME}\" \\\n"
    "        \"$topology\"\n"
    "}\n"
    "complete -F _leat leat\n";

void leat_completion_bash(struct leat_cli *cli, struct leat_buf *script)
{
    struct script s = {script, leat_arena_new(4096, 0)};
    leat_buf_puts(script, "# Printed by `leat completion bash`.\n_leat_verbs=\"");
    for (unsigned i = 0; i < leat_cli_command_count; i++) {
        if (leat_cli_commands[i].run != NULL)
            leat_buf_printf(script, "%s%s", i == 0 ? "" : " ", leat_cli_commands[i].name);
    }
    leat_buf_puts(script, "\"\n");
    put_table(&s, cli, "_leat_options", put_options);
    put_table(&s, cli, "_leat_value", put_values);
    put_table(&s, cli, "_leat_place", put_places);
    leat_buf_puts(script, walk);
    leat_arena_free(s.arena);
}
