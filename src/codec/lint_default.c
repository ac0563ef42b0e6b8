/* lint_default.c - Avro's rules for defaults: JSON of the type, a union's of its first type. */
#include "codec/lint_tree.h"

#define DEPTH_MAX 32

struct judge {
    const struct leat_lint_names *names;
    const struct leat_lint_node **at;
    int depth;
};

static const char *judge(struct judge *j, const struct leat_lint_node *type,
                         const struct leat_lint_node *value);

static bool is_number(const struct leat_lint_node *v)
{
    return v->kind == LEAT_JSON_INT || v->kind == LEAT_JSON_DOUBLE;
}

static const char *judge_word(struct judge *j, const struct leat_lint_node *type,
                              const struct leat_lint_node *v)
{
    if (leat_lint_is(type, "null"))
        return v->kind == LEAT_JSON_NULL ? NULL : "null";
    if (leat_lint_is(type, "boolean"))
        return v->kind == LEAT_JSON_BOOL ? NULL : "true or false";
    if (leat_lint_is(type, "int"))
        return v->kind == LEAT_JSON_INT && v->integer >= INT32_MIN && v->integer <= INT32_MAX
                   ? NULL
                   : "a whole number of 32 bits";
    if (leat_lint_is(type, "long"))
        return v->kind == LEAT_JSON_INT ? NULL : "a whole number of 64 bits";
    if (leat_lint_is(type, "float") || leat_lint_is(type, "double"))
        return is_number(v) ? NULL : "a number";
    if (leat_lint_is(type, "string") || leat_lint_is(type, "bytes"))
        return v->kind == LEAT_JSON_STRING ? NULL : "a text";
    const struct leat_lint_node *named = j->names->find(j->names->arg, type->text);
    return named == NULL ? NULL : judge(j, named, v);
}

static const char *judge_items(struct judge *j, const struct leat_lint_node *type,
                               const struct leat_lint_node *v, bool map)
{
    const struct leat_lint_node *item = leat_lint_get(type, map ? "values" : "items");
    if (v->kind != (map ? LEAT_JSON_OBJECT_BEGIN : LEAT_JSON_ARRAY_BEGIN))
        return map ? "an object ({})" : "a list ([])";
    for (const struct leat_lint_node *n = v->sub; n != NULL && item != NULL; n = n->next) {
        const char *want = judge(j, item, n);
        if (want != NULL)
            return want;
    }
    return NULL;
}

static const char *judge_record(struct judge *j, const struct leat_lint_node *type,
                                const struct leat_lint_node *v)
{
    const struct leat_lint_node *fields = leat_lint_get(type, "fields");
    if (v->kind != LEAT_JSON_OBJECT_BEGIN)
        return "an object with the record's fields";
    for (const struct leat_lint_node *f = fields == NULL ? NULL : fields->sub; f != NULL;
         f = f->next) {
        const struct leat_lint_node *name = leat_lint_get(f, "name");
        const struct leat_lint_node *inner = leat_lint_get(f, "type");
        const struct leat_lint_node *n = v->sub;
        while (n != NULL && name != NULL && !leat_str_eq(n->key, name->text))
            n = n->next;
        if (n == NULL && leat_lint_get(f, "default") == NULL)
            return "an object with all the record's fields that have no default";
        const char *want = n == NULL || inner == NULL ? NULL : judge(j, inner, n);
        if (want != NULL)
            return want;
    }
    return NULL;
}

static const char *judge_object(struct judge *j, const struct leat_lint_node *type,
                                const struct leat_lint_node *v)
{
    const struct leat_lint_node *kind = leat_lint_get(type, "type");
    if (kind == NULL)
        return NULL;
    if (kind->kind != LEAT_JSON_STRING)
        return judge(j, kind, v);
    if (leat_lint_is(kind, "record") || leat_lint_is(kind, "error"))
        return judge_record(j, type, v);
    if (leat_lint_is(kind, "array") || leat_lint_is(kind, "map"))
        return judge_items(j, type, v, leat_lint_is(kind, "map"));
    if (leat_lint_is(kind, "fixed"))
        return v->kind == LEAT_JSON_STRING ? NULL : "a text";
    if (!leat_lint_is(kind, "enum"))
        return judge_word(j, kind, v);
    const struct leat_lint_node *symbols = leat_lint_get(type, "symbols");
    const struct leat_lint_node *s = symbols == NULL ? NULL : symbols->sub;
    while (s != NULL && !(v->kind == LEAT_JSON_STRING && leat_str_eq(s->text, v->text)))
        s = s->next;
    return s == NULL ? "one of the enum's symbols" : NULL;
}

static const char *judge(struct judge *j, const struct leat_lint_node *type,
                         const struct leat_lint_node *value)
{
    const char *want = NULL;
    const struct leat_lint_node *before = *j->at;
    if (j->depth == DEPTH_MAX)
        return NULL; /* a type inside itself: said elsewhere */
    j->depth++;
    *j->at = value;
    if (type->kind == LEAT_JSON_STRING)
        want = judge_word(j, type, value);
    else if (type->kind == LEAT_JSON_OBJECT_BEGIN)
        want = judge_object(j, type, value);
    else if (type->kind == LEAT_JSON_ARRAY_BEGIN && type->sub != NULL)
        want = judge(j, type->sub, value);
    j->depth--;
    if (want == NULL)
        *j->at = before;
    return want;
}

const char *leat_lint_default(const struct leat_lint_names *names,
                              const struct leat_lint_node *type, const struct leat_lint_node *value,
                              const struct leat_lint_node **ret_at)
{
    struct judge j = {.names = names, .at = ret_at};
    *ret_at = value;
    return judge(&j, type, value);
}
