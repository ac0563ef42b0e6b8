/* words.h - verbs whose first argument says what to do (`leat dlq list`): which words there are,
 * how many arguments each takes and which options. Pure. */
#ifndef LEAT_CLI_WORDS_H
#define LEAT_CLI_WORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

struct leat_word {
    const char *name;
    unsigned bit;           /* a bit of its own */
    int args_min, args_max; /* behind the word; -1: any number */
    const char *takes;      /* said when it is another number: "takes one id" */
};
struct leat_words {
    const char *verb;
    const struct leat_word *at;
    size_t n;
};
struct leat_word_option {
    const char *name;
    bool given;
    unsigned of; /* bits of the words that know it */
};

/* Its place in `w`, and that so many arguments are right; -1: INVALID, with the nearest. */
int leat_word_find(const struct leat_words *w, const char *name, int args, struct leat_error *err);
/* INVALID for the first option that this word does not know: it would be left aside in silence. */
LEAT_MUST_CHECK leat_status leat_word_options(const struct leat_words *w, int word,
                                              const struct leat_word_option *options, size_t n,
                                              struct leat_error *err);

#endif
