#include "codec/lint_tree.h"

#include <stdlib.h>

struct reading {
    struct leat_arena *arena;
    struct leat_json_reader r;
    struct leat_error *err;
};

static leat_status read_value(struct reading *w, const struct leat_json_token *t,
                              struct leat_lint_node **ret);

static leat_status read_members(struct reading *w, struct leat_lint_node *parent)
{
    struct leat_lint_node **link = &parent->sub;
    bool object = parent->kind == LEAT_JSON_OBJECT_BEGIN;
    for (;;) {
        struct leat_json_token t, key = {.text = {"", 0}};
        leat_status st = leat_json_next(&w->r, &t, w->err);
        if (st != LEAT_OK || t.kind == LEAT_JSON_OBJECT_END || t.kind == LEAT_JSON_ARRAY_END)
            return st;
        if (object) {
            key = t;
            st = leat_json_next(&w->r, &t, w->err);
        }
        if (st == LEAT_OK)
            st = read_value(w, &t, link); /* the reader bounds the depth */
        if (st != LEAT_OK)
            return st;
        (*link)->key = key.text;
        (*link)->key_offset = key.offset;
        link = &(*link)->next;
    }
}

static leat_status read_value(struct reading *w, const struct leat_json_token *t,
                              struct leat_lint_node **ret)
{
    struct leat_lint_node *n = leat_arena_zalloc(w->arena, 1, sizeof *n);
    n->kind = t->kind;
    n->offset = t->offset;
    n->text = t->text;
    n->integer = t->kind == LEAT_JSON_INT ? t->integer : 0;
    n->key = (struct leat_str){"", 0};
    *ret = n;
    return t->kind == LEAT_JSON_OBJECT_BEGIN || t->kind == LEAT_JSON_ARRAY_BEGIN
               ? read_members(w, n)
               : LEAT_OK;
}

/* "expected a value at byte 12" -> 12 and "expected a value"; the reader's two other forms begin
 * with what ends ("text ends at byte 12, …", "string from byte 12 has no end"). */
static uint32_t take_offset(struct leat_error *err, uint32_t otherwise)
{
    char *at = strstr(err->msg, " at byte ");
    char *from = strstr(err->msg, " from byte ");
    char *begin = at != NULL ? at : from;
    if (begin == NULL)
        return otherwise;
    char *end = NULL;
    unsigned long offset = strtoul(begin + (at != NULL ? 9 : 11), &end, 10);
    memmove(begin, end, strlen(end) + 1);
    return offset > UINT32_MAX ? otherwise : (uint32_t)offset;
}

leat_status leat_lint_tree(struct leat_arena *arena, struct leat_str text,
                           struct leat_lint_node **ret, uint32_t *ret_at, struct leat_error *err)
{
    struct reading w = {.arena = arena, .err = err};
    struct leat_json_token t;
    leat_json_reader_init(&w.r, text);
    leat_status st = leat_json_next(&w.r, &t, err);
    if (st == LEAT_OK)
        st = read_value(&w, &t, ret);
    if (st == LEAT_OK)
        st = leat_json_next(&w.r, &t, err); /* nothing may follow */
    if (st != LEAT_OK)
        *ret_at = take_offset(err, (uint32_t)(w.r.at - w.r.start));
    return st;
}

struct leat_lint_node *leat_lint_get(const struct leat_lint_node *object, const char *key)
{
    struct leat_lint_node *n = NULL;
    if (object != NULL && object->kind == LEAT_JSON_OBJECT_BEGIN)
        n = object->sub;
    while (n != NULL && !leat_str_eq(n->key, leat_str_of(key)))
        n = n->next;
    return n;
}

bool leat_lint_is(const struct leat_lint_node *string, const char *word)
{
    return string != NULL && string->kind == LEAT_JSON_STRING &&
           leat_str_eq(string->text, leat_str_of(word));
}
