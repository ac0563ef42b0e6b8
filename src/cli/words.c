#include "cli/words.h"

#include <string.h>

#include "base/buf.h"
#include "base/suggest.h"

#define LIST_BYTES 256

/* "list, show and drop" */
static void put_names(const struct leat_words *w, struct leat_buf *out)
{
    for (size_t i = 0; i < w->n; i++) {
        const char *before = i == 0 ? "" : i + 1 == w->n ? " and " : ", ";
        leat_buf_printf(out, "%s%s", before, w->at[i].name);
    }
}

static int unknown(const struct leat_words *w, const char *name, struct leat_error *err)
{
    struct leat_suggest near;
    LEAT_AUTO(leat_buf_done) struct leat_buf names;
    leat_suggest_start(&near, leat_str_of(name));
    for (size_t i = 0; i < w->n; i++)
        leat_suggest_offer_cstr(&near, w->at[i].name);
    leat_buf_init(&names, LIST_BYTES);
    put_names(w, &names);
    (void)leat_fail(err, LEAT_INVALID, "'%.80s' is nothing that leat %s does", name, w->verb);
    if (near.best.len > 0)
        leat_error_hint(err, "Did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    else
        leat_error_hint(err, "There are %.*s.", LEAT_STR_FMT(leat_buf_str(&names)));
    return -1;
}

int leat_word_find(const struct leat_words *w, const char *name, int args, struct leat_error *err)
{
    size_t i = 0;
    while (i < w->n && strcmp(w->at[i].name, name) != 0)
        i++;
    if (i == w->n)
        return unknown(w, name, err);
    const struct leat_word *word = &w->at[i];
    if (args >= word->args_min && (word->args_max < 0 || args <= word->args_max))
        return (int)i;
    (void)leat_fail(err, LEAT_INVALID, "leat %s %s %s", w->verb, word->name, word->takes);
    return -1;
}

leat_status leat_word_options(const struct leat_words *w, int word,
                              const struct leat_word_option *options, size_t n,
                              struct leat_error *err)
{
    for (size_t i = 0; i < n; i++) {
        if (options[i].given && (options[i].of & w->at[word].bit) == 0)
            return leat_fail(err, LEAT_INVALID, "--%s is no option of leat %s %s", options[i].name,
                             w->verb, w->at[word].name);
    }
    return LEAT_OK;
}
