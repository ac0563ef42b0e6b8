/* lint_tree.h - a JSON text as a tree whose nodes know where they stand; private to lint*.c. */
#ifndef LEAT_CODEC_LINT_TREE_H
#define LEAT_CODEC_LINT_TREE_H

#include "base/arena.h"
#include "base/json.h"

struct leat_lint_node {
    leat_json_kind kind; /* OBJECT_BEGIN and ARRAY_BEGIN stand for the whole */
    uint32_t offset;
    struct leat_str text;       /* strings without escapes resolved, numbers */
    int64_t integer;            /* INT */
    struct leat_str key;        /* of a member; "" otherwise */
    uint32_t key_offset;        /* of a member's key */
    struct leat_lint_node *sub; /* first member or item */
    struct leat_lint_node *next;
};

/* On a syntax error *ret_at is its byte offset and err->msg says what is wrong without it. */
LEAT_MUST_CHECK leat_status leat_lint_tree(struct leat_arena *arena, struct leat_str text,
                                           struct leat_lint_node **ret, uint32_t *ret_at,
                                           struct leat_error *err);
/* Member of an object; NULL when absent or no object. */
struct leat_lint_node *leat_lint_get(const struct leat_lint_node *object, const char *key);
bool leat_lint_is(const struct leat_lint_node *string, const char *word);
static inline struct leat_str leat_lint_short(struct leat_str name) /* without its namespace */
{
    const char *dot = name.len == 0 ? NULL : memrchr(name.at, '.', name.len);
    return dot == NULL ? name
                       : (struct leat_str){dot + 1, (uint32_t)(name.at + name.len - dot - 1)};
}

/* lint_default.c: whether `value` is of `type`. NULL = it is; else what it should be, for a
 * message; *ret_at = the part of the value that is not. `find` looks up a named type. */
struct leat_lint_names {
    struct leat_lint_node *(*find)(void *arg, struct leat_str name);
    void *arg;
};
const char *leat_lint_default(const struct leat_lint_names *names,
                              const struct leat_lint_node *type, const struct leat_lint_node *value,
                              const struct leat_lint_node **ret_at);

#endif
