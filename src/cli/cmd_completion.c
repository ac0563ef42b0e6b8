/* leat completion: the scripts for bash and zsh, and the words of a topology that they ask for. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/completion.h"

#define SCRIPT_BYTES_MAX ((size_t)512 * 1024)

int leat_cmd_completion(struct leat_cli *cli, int argc, char **argv);

struct completion_options {
    const char *topology, *words;
};

#define FIELD(name) offsetof(struct completion_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct completion_options, topology),
    {"words", 0, LEAT_OPT_STR, FIELD(words),
     "processors|models|queries|commands|events|aggregates|priorities", NULL, NULL, 0, 0,
     "Print these of the topology instead; nothing when it cannot be read."},
};

static const struct leat_opt_spec spec = {
    .usage = "leat completion [options] bash|zsh",
    .summary = "Print the completion script of a shell.",
    .details = "An installed leat has put them where the shells look. By hand:\n\n"
               "  source <(leat completion bash)\n"
               "  leat completion zsh > ~/.zfunc/_leat    # with ~/.zfunc in $fpath\n",
    LEAT_OPTS(options),
    .args_max = 1,
};

static void put(struct leat_buf *text, struct leat_str word)
{
    leat_buf_printf(text, "%.*s\n", LEAT_STR_FMT(word));
}

/* Each once: an event may have several emitters. */
static void put_types(struct leat_buf *text, const struct leat_topology *t, bool commands)
{
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_processor *p = &t->processors[i];
        const struct leat_names *names = commands ? &p->commands : &p->emits;
        for (uint32_t j = 0; j < names->n; j++) {
            bool seen = false;
            for (uint32_t k = 0; k < i && !seen; k++) {
                seen = leat_names_has(
                    commands ? &t->processors[k].commands : &t->processors[k].emits, names->at[j]);
            }
            if (!seen)
                put(text, names->at[j]);
        }
    }
}

/* False for a kind that does not exist. */
static bool put_words(struct leat_buf *text, const struct leat_topology *t, const char *kind)
{
    if (strcmp(kind, "commands") == 0 || strcmp(kind, "events") == 0) {
        put_types(text, t, kind[0] == 'c');
    } else if (strcmp(kind, "processors") == 0) {
        for (uint32_t i = 0; i < t->n_processors; i++)
            put(text, t->processors[i].name);
    } else if (strcmp(kind, "models") == 0) {
        for (uint32_t i = 0; i < t->n_projections; i++)
            put(text, t->projections[i].name);
    } else if (strcmp(kind, "queries") == 0) {
        for (uint32_t i = 0; i < t->n_queries; i++)
            put(text, t->queries[i].name);
    } else if (strcmp(kind, "aggregates") == 0) {
        for (uint32_t i = 0; i < t->n_aggregates; i++)
            put(text, t->aggregates[i].name);
    } else if (strcmp(kind, "priorities") == 0) {
        for (uint32_t i = 0; i < t->priorities.n; i++)
            put(text, t->priorities.at[i].name);
    } else {
        return false;
    }
    return true;
}

static int print_words(const struct completion_options *o, struct leat_buf *text)
{
    struct leat_topology *t = NULL;
    struct leat_report report = {0};
    struct leat_error err = {0};
    bool known = true;
    if (leat_topology_load(o->topology, &t, &report, &err) == LEAT_OK)
        known = put_words(text, t, o->words);
    leat_topology_free(t);
    leat_report_done(&report);
    if (known)
        return leat_cli_print(text);
    (void)leat_fail(&err, LEAT_INVALID, "--words: there are no '%.80s'", o->words);
    leat_error_hint(&err, "Allowed: %s.", options[1].arg);
    return leat_cli_fail(&err);
}

int leat_cmd_completion(struct leat_cli *cli, int argc, char **argv)
{
    struct completion_options o = {0};
    struct leat_error err = {0};
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, SCRIPT_BYTES_MAX);
    if (o.words != NULL)
        return print_words(&o, &text);
    const char *shell = args == 1 ? argv[1] : "";
    if (strcmp(shell, "bash") == 0) {
        leat_completion_bash(cli, &text);
    } else if (strcmp(shell, "zsh") == 0) {
        leat_completion_zsh(cli, &text);
    } else {
        (void)leat_fail(&err, LEAT_INVALID, "no completion for the shell '%.80s'", shell);
        leat_error_hint(&err, "There are bash and zsh.");
        return leat_cli_fail(&err);
    }
    return leat_cli_print(&text);
}
