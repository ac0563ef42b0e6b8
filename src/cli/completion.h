/* completion.h - what may stand where in a call of leat, read out of the verbs' tables. Pure. */
#ifndef LEAT_CLI_COMPLETION_H
#define LEAT_CLI_COMPLETION_H

#include "base/buf.h"
#include "cli/cli.h"

#define LEAT_PLACES_MAX 4 /* positional arguments that are completed */

typedef enum leat_words {
    LEAT_WORDS_NONE,    /* anything: nothing to offer */
    LEAT_WORDS_FILES,   /* also folders */
    LEAT_WORDS_FIXED,   /* those in `words` */
    LEAT_WORDS_DYNAMIC, /* `leat completion --words <words>` prints them */
} leat_words;

struct leat_place_words {
    leat_words kind;
    const char *words; /* FIXED: "a b c"; DYNAMIC: "models" */
    bool list;         /* several of them, with commas between */
};

/* The value of an option; the texts live in the arena or the table. */
struct leat_place_words leat_completion_value(const struct leat_opt *o, struct leat_arena *arena);
/* The positional arguments, out of the usage line: "leat new a|b <name>" has words and nothing;
 * <model>, <Type> and the like are looked for in the topology. Returns how many. */
unsigned leat_completion_places(const struct leat_opt_spec *spec, struct leat_arena *arena,
                                struct leat_place_words places[LEAT_PLACES_MAX]);

/* The whole script. */
void leat_completion_bash(struct leat_cli *cli, struct leat_buf *script);
void leat_completion_zsh(struct leat_cli *cli, struct leat_buf *script);

#endif
