#include "codec/lint.h"

#include "codec/lint_walk.h"

#define ARENA_BYTES  16384
#define LIST_MAX     512 /* fields, symbols, branches compared with each other */
#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- attributes --- */

/* A member of that kind; else a finding and NULL. */
static struct leat_lint_node *need(struct leat_lint_walk *w, const struct leat_lint_node *object,
                                   const char *key, leat_json_kind kind, const char *what)
{
    struct leat_lint_node *n = leat_lint_get(object, key);
    if (n == NULL)
        leat_lint_wrong(w, object->offset, what, "%s: '%s' is missing", w->where, key);
    else if (n->kind != kind)
        leat_lint_wrong(w, n->offset, what, "%s: '%s' is of the wrong kind", w->where, key);
    else
        return n;
    return NULL;
}

/* Others may stand there, by Avro's rules; a near miss of one that counts is worth a word. */
static void check_spelling(struct leat_lint_walk *w, const struct leat_lint_node *object,
                           const char *const *known, size_t n)
{
    for (const struct leat_lint_node *m = object->sub; m != NULL; m = m->next) {
        struct leat_suggest s;
        leat_suggest_start(&s, m->key);
        if (leat_lint_among(m->key, known, n) || m->key.len < 4)
            continue;
        for (size_t i = 0; i < n; i++)
            leat_suggest_offer_cstr(&s, known[i]);
        if (s.best.len == 0)
            continue;
        const char *text = leat_arena_printf(w->arena, "%s: unknown attribute '%.*s'", w->where,
                                             LEAT_STR_FMT(m->key));
        leat_lint_say(w, true, m->key_offset, text, leat_lint_nearest(w, &s, ""));
    }
}

/* What is compared each with each must be few. */
static bool is_short(struct leat_lint_walk *w, const struct leat_lint_node *list, const char *what)
{
    size_t n = 0;
    for (const struct leat_lint_node *m = list->sub; m != NULL; m = m->next)
        n++;
    if (n > LIST_MAX)
        leat_lint_wrong(w, list->offset, "", "%s: more than %d %s", w->where, LIST_MAX, what);
    return n <= LIST_MAX;
}

/* --- names --- */

static struct leat_lint_node *find_open(void *arg, struct leat_str name)
{
    struct leat_lint_named *d = leat_lint_find(arg, leat_lint_short(name));
    return d == NULL ? NULL : d->node;
}

static void collect(struct leat_lint_walk *w, struct leat_lint_node *n)
{
    const struct leat_lint_node *name = leat_lint_defines(n) ? leat_lint_get(n, "name") : NULL;
    if (name != NULL && name->kind == LEAT_JSON_STRING && w->n_named < LEAT_LINT_NAMED_MAX) {
        struct leat_str s = leat_lint_short(name->text);
        if (leat_lint_find(w, s) == NULL)
            w->named[w->n_named++] = (struct leat_lint_named){s, n, false};
        else
            leat_lint_wrong(w, name->offset,
                            "each name is defined once; say just its name elsewhere",
                            "type '%.*s' is defined twice", LEAT_STR_FMT(s));
    }
    for (struct leat_lint_node *m = n->sub; m != NULL; m = m->next)
        collect(w, m);
}

/* --- types --- */

static void check_type(struct leat_lint_walk *w, const struct leat_lint_node *n,
                       const struct leat_lint_chain *direct);

static void check_field(struct leat_lint_walk *w, const struct leat_lint_node *f,
                        const struct leat_lint_chain *chain)
{
    static const char *const known[] = {"name", "type", "default", "doc", "order", "aliases"};
    const char *outer = w->where;
    const struct leat_lint_node *name = leat_lint_get(f, "name");
    if (f->kind != LEAT_JSON_OBJECT_BEGIN) {
        leat_lint_wrong(w, f->offset, "{\"name\": …, \"type\": …}", "%s: a field must be an object",
                        outer);
        return;
    }
    if (name != NULL && name->kind == LEAT_JSON_STRING)
        w->where = leat_arena_printf(w->arena, "field '%.*s'", LEAT_STR_FMT(name->text));
    name = need(w, f, "name", LEAT_JSON_STRING, "a text");
    if (name != NULL && !leat_lint_is_name(name->text))
        leat_lint_wrong(w, name->offset, "letters, digits and '_', no digit first",
                        "'%.*s' cannot be a field's name", LEAT_STR_FMT(name->text));
    check_spelling(w, f, known, COUNT(known));
    const struct leat_lint_node *type = leat_lint_get(f, "type");
    const struct leat_lint_node *value = leat_lint_get(f, "default");
    size_t errors = w->errors;
    if (type == NULL)
        leat_lint_wrong(w, f->offset, "such as \"string\"", "%s: 'type' is missing", w->where);
    else
        check_type(w, type, chain);
    if (type != NULL && value != NULL && errors == w->errors) {
        struct leat_lint_names names = {find_open, w};
        const struct leat_lint_node *at = value;
        const char *want = leat_lint_default(&names, type, value, &at);
        bool first = type->kind == LEAT_JSON_ARRAY_BEGIN;
        if (want != NULL)
            leat_lint_wrong(
                w, at->offset,
                first ? "a union's default is of its first type: change the order, or the default"
                      : "",
                "%s: the default must be %s", w->where, want);
    }
    w->where = outer;
}

static void check_record(struct leat_lint_walk *w, const struct leat_lint_node *n,
                         struct leat_str name, const struct leat_lint_chain *direct)
{
    static const char *const known[] = {"type", "name", "namespace", "doc", "aliases", "fields"};
    const struct leat_lint_chain chain = {name, direct};
    check_spelling(w, n, known, COUNT(known));
    const struct leat_lint_node *fields =
        need(w, n, "fields", LEAT_JSON_ARRAY_BEGIN, "a list of {\"name\": …, \"type\": …}");
    if (fields == NULL || !is_short(w, fields, "fields"))
        return;
    for (const struct leat_lint_node *f = fields->sub; f != NULL; f = f->next) {
        const struct leat_lint_node *a = leat_lint_get(f, "name");
        for (const struct leat_lint_node *e = fields->sub; a != NULL && e != f; e = e->next) {
            const struct leat_lint_node *b = leat_lint_get(e, "name");
            if (b == NULL || b->kind != LEAT_JSON_STRING || !leat_str_eq(a->text, b->text))
                continue;
            leat_lint_wrong(w, a->offset, "", "record '%.*s' has two fields '%.*s'",
                            LEAT_STR_FMT(name), LEAT_STR_FMT(a->text));
            break;
        }
        check_field(w, f, &chain);
    }
}

static void check_enum(struct leat_lint_walk *w, const struct leat_lint_node *n,
                       struct leat_str name)
{
    static const char *const known[] = {"type",    "name",    "namespace", "doc",
                                        "aliases", "symbols", "default"};
    check_spelling(w, n, known, COUNT(known));
    const struct leat_lint_node *symbols =
        need(w, n, "symbols", LEAT_JSON_ARRAY_BEGIN, "a list of names");
    const struct leat_lint_node *fallback = leat_lint_get(n, "default");
    struct leat_suggest near;
    leat_suggest_start(&near, fallback == NULL ? (struct leat_str){"", 0} : fallback->text);
    bool found = fallback == NULL || symbols == NULL;
    if (symbols != NULL && symbols->sub == NULL)
        leat_lint_wrong(w, symbols->offset, "at least one", "enum '%.*s' has no symbols",
                        LEAT_STR_FMT(name));
    if (symbols != NULL && !is_short(w, symbols, "symbols"))
        return;
    for (const struct leat_lint_node *s = symbols == NULL ? NULL : symbols->sub; s != NULL;
         s = s->next) {
        if (s->kind != LEAT_JSON_STRING || !leat_lint_is_name(s->text))
            leat_lint_wrong(w, s->offset, "letters, digits and '_', no digit first",
                            "enum '%.*s': '%.*s' cannot be a symbol", LEAT_STR_FMT(name),
                            LEAT_STR_FMT(s->text));
        for (const struct leat_lint_node *e = symbols->sub; e != s; e = e->next) {
            if (leat_str_eq(e->text, s->text))
                leat_lint_wrong(w, s->offset, "", "enum '%.*s' has '%.*s' twice",
                                LEAT_STR_FMT(name), LEAT_STR_FMT(s->text));
        }
        found = found || leat_str_eq(s->text, fallback->text);
        leat_suggest_offer(&near, s->text);
    }
    if (!found)
        leat_lint_wrong(w, fallback->offset, leat_lint_nearest(w, &near, "one of its symbols"),
                        "enum '%.*s': the default '%.*s' is no symbol of it", LEAT_STR_FMT(name),
                        LEAT_STR_FMT(fallback->text));
}

static void check_named(struct leat_lint_walk *w, const struct leat_lint_node *n,
                        const struct leat_lint_node *kind, const struct leat_lint_chain *direct)
{
    const struct leat_lint_node *name = need(w, n, "name", LEAT_JSON_STRING, "a text");
    struct leat_str s = name == NULL ? LEAT_STR("") : leat_lint_short(name->text);
    struct leat_lint_named *d = leat_lint_find(w, s);
    if (name != NULL && !leat_lint_is_name(s))
        leat_lint_wrong(w, name->offset, "letters, digits and '_', no digit first",
                        "'%.*s' cannot be a type's name", LEAT_STR_FMT(name->text));
    if (d != NULL)
        d->open = true;
    if (leat_lint_is(kind, "enum")) {
        check_enum(w, n, s);
    } else if (leat_lint_is(kind, "fixed")) {
        const struct leat_lint_node *size = need(w, n, "size", LEAT_JSON_INT, "bytes, such as 16");
        if (size != NULL && (size->integer < 1 || size->integer > 65536))
            leat_lint_wrong(w, size->offset, "1 to 65536",
                            "fixed '%.*s': size %.*s is out of range", LEAT_STR_FMT(s),
                            LEAT_STR_FMT(size->text));
        leat_lint_logical(w, n);
    } else {
        check_record(w, n, s, direct);
    }
}

static void check_object(struct leat_lint_walk *w, const struct leat_lint_node *n,
                         const struct leat_lint_chain *direct)
{
    const struct leat_lint_node *kind = leat_lint_get(n, "type");
    if (kind == NULL) {
        leat_lint_wrong(w, n->offset, "such as \"type\": \"record\"", "%s: 'type' is missing",
                        w->where);
    } else if (kind->kind != LEAT_JSON_STRING) {
        check_type(w, kind, direct);
    } else if (leat_lint_defines(n)) {
        check_named(w, n, kind, direct);
    } else if (leat_lint_is(kind, "array") || leat_lint_is(kind, "map")) {
        const char *key = leat_lint_is(kind, "array") ? "items" : "values";
        const struct leat_lint_node *item = leat_lint_get(n, key);
        if (item == NULL)
            leat_lint_wrong(w, n->offset, "the type of each, such as \"string\"",
                            "%s: '%s' is missing", w->where, key);
        else
            check_type(w, item, NULL); /* may be empty: an end to recursion */
    } else {
        leat_lint_word(w, kind, direct);
        leat_lint_logical(w, n);
    }
}

static struct leat_str branch_name(const struct leat_lint_node *b)
{
    const struct leat_lint_node *t = b;
    if (b->kind == LEAT_JSON_OBJECT_BEGIN && !leat_lint_defines(b))
        t = leat_lint_get(b, "type");
    else if (b->kind == LEAT_JSON_OBJECT_BEGIN)
        t = leat_lint_get(b, "name");
    return t == NULL || t->kind != LEAT_JSON_STRING ? LEAT_STR("") : t->text;
}

static void check_union(struct leat_lint_walk *w, const struct leat_lint_node *n,
                        const struct leat_lint_chain *direct)
{
    if (n->sub == NULL)
        leat_lint_wrong(w, n->offset, "such as [\"null\", \"string\"]", "%s: a union of nothing",
                        w->where);
    if (!is_short(w, n, "types"))
        return;
    for (const struct leat_lint_node *b = n->sub; b != NULL; b = b->next) {
        if (b->kind == LEAT_JSON_ARRAY_BEGIN) {
            leat_lint_wrong(w, b->offset, "put its types into the outer one",
                            "%s: a union inside a union", w->where);
            continue;
        }
        check_type(w, b, direct);
        for (const struct leat_lint_node *e = n->sub; e != b; e = e->next) {
            struct leat_str name = branch_name(b);
            if (name.len == 0 || !leat_str_eq(name, branch_name(e)))
                continue;
            leat_lint_wrong(w, b->offset, "each type once", "%s: the union has '%.*s' twice",
                            w->where, LEAT_STR_FMT(name));
            break;
        }
    }
}

static void check_type(struct leat_lint_walk *w, const struct leat_lint_node *n,
                       const struct leat_lint_chain *direct)
{
    if (n->kind == LEAT_JSON_STRING)
        leat_lint_word(w, n, direct);
    else if (n->kind == LEAT_JSON_OBJECT_BEGIN)
        check_object(w, n, direct);
    else if (n->kind == LEAT_JSON_ARRAY_BEGIN)
        check_union(w, n, direct);
    else
        leat_lint_wrong(w, n->offset, "a name, an object or a list", "%s: this is not a type",
                        w->where);
}

/* --- the file --- */

/* Of the state itself: what it holds has these defaults, whatever its own fields say. */
static void check_state(struct leat_lint_walk *w, const struct leat_lint_node *top)
{
    const struct leat_lint_node *fields = leat_lint_get(top, "fields");
    if (fields == NULL || fields->kind != LEAT_JSON_ARRAY_BEGIN)
        return;
    for (const struct leat_lint_node *f = fields->sub; f != NULL; f = f->next) {
        const struct leat_lint_node *name =
            f->kind == LEAT_JSON_OBJECT_BEGIN ? leat_lint_get(f, "name") : NULL;
        if (name != NULL && name->kind == LEAT_JSON_STRING && leat_lint_get(f, "default") == NULL)
            leat_lint_wrong(w, f->offset,
                            "add \"default\": a new stream starts with it, there is no event yet",
                            "field '%.*s' of the state '%s' has no default",
                            LEAT_STR_FMT(name->text), w->lint->type);
    }
}

static void check_top(struct leat_lint_walk *w, const struct leat_lint_node *top)
{
    const struct leat_lint_node *name = leat_lint_get(top, "name");
    const struct leat_lint_node *kind = leat_lint_get(top, "type");
    if (top->kind != LEAT_JSON_OBJECT_BEGIN) {
        leat_lint_wrong(w, top->offset, "{\"type\": \"record\", \"name\": …, \"fields\": […]}",
                        "the file must hold one object");
        return;
    }
    if (kind != NULL && (kind->kind != LEAT_JSON_STRING || !leat_lint_defines(top))) {
        leat_lint_wrong(w, kind->offset, w->lint->record ? "record" : "record, enum or fixed",
                        "the file defines no type of its own");
        return;
    }
    if (w->lint->record && kind != NULL && !leat_lint_is(kind, "record"))
        leat_lint_wrong(w, kind->offset, "a command, event or state is a record",
                        "'%s' is of type '%.*s', not a record", w->lint->type,
                        LEAT_STR_FMT(kind->text));
    if (name != NULL && name->kind == LEAT_JSON_STRING &&
        !leat_str_eq(leat_lint_short(name->text), leat_str_of(w->lint->type)))
        leat_lint_wrong(w, name->offset, "a file is called as the type it defines",
                        "the file '%s.avsc' defines '%.*s'", w->lint->type,
                        LEAT_STR_FMT(name->text));
    check_object(w, top, NULL);
    if (w->lint->state)
        check_state(w, top);
}

size_t leat_schema_lint(const struct leat_lint *lint, struct leat_str text)
{
    struct leat_arena *arena = leat_arena_new(ARENA_BYTES, 0);
    struct leat_lint_walk *w = leat_arena_zalloc(arena, 1, sizeof *w);
    struct leat_lint_node *top = NULL;
    struct leat_error err = {0};
    uint32_t at = 0;
    *w = (struct leat_lint_walk){.lint = lint, .text = text, .arena = arena, .where = "the file"};
    if (leat_lint_tree(arena, text, &top, &at, &err) != LEAT_OK) {
        leat_lint_wrong(w, at, "", "not JSON: %s", err.msg);
    } else {
        collect(w, top);
        check_top(w, top);
    }
    size_t errors = w->errors;
    leat_arena_free(arena);
    return errors;
}
