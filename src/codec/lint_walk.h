/* lint_walk.h - what the walk over a schema file knows; private to lint*.c. */
#ifndef LEAT_CODEC_LINT_WALK_H
#define LEAT_CODEC_LINT_WALK_H

#include "base/suggest.h"
#include "codec/lint.h"
#include "codec/lint_tree.h"

#define LEAT_LINT_NAMED_MAX 512

struct leat_lint_named {
    struct leat_str name;
    struct leat_lint_node *node;
    bool open; /* reached by the walk: may be referred to from here on */
};

struct leat_lint_chain { /* records that hold each other, not in arrays and maps, the innermost
                            first */
    struct leat_str record;
    const struct leat_lint_chain *outer;
};

struct leat_lint_walk {
    const struct leat_lint *lint;
    struct leat_str text;
    struct leat_arena *arena;
    struct leat_lint_named named[LEAT_LINT_NAMED_MAX];
    size_t n_named;
    size_t errors, told;
    const char *where; /* "field 'total_cents'", "the file" */
};

/* --- lint_names.c: findings, names, logical types --- */
void leat_lint_say(struct leat_lint_walk *w, bool warning, uint32_t offset, const char *message,
                   const char *hint);
void leat_lint_wrong(struct leat_lint_walk *w, uint32_t offset, const char *hint, const char *fmt,
                     ...) LEAT_PRINTF(4, 5);
/* "did you mean 'x'?", or `otherwise` when nothing is near. */
const char *leat_lint_nearest(struct leat_lint_walk *w, const struct leat_suggest *s,
                              const char *otherwise);
bool leat_lint_among(struct leat_str s, const char *const *words, size_t n);
bool leat_lint_is_name(struct leat_str s);
struct leat_lint_named *leat_lint_find(struct leat_lint_walk *w, struct leat_str name);
/* A record, enum or fixed. */
bool leat_lint_defines(const struct leat_lint_node *n);
/* A type given by its name; `direct`: the records that hold this place. */
void leat_lint_word(struct leat_lint_walk *w, const struct leat_lint_node *n,
                    const struct leat_lint_chain *direct);
void leat_lint_logical(struct leat_lint_walk *w, const struct leat_lint_node *n);

#endif
