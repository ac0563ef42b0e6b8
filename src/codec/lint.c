#include "codec/lint.h"

#include <stdio.h>

#include "base/suggest.h"
#include "base/table.h"
#include "codec/lint_tree.h"
#include "codec/nodes.h"

#define ARENA_BYTES 16384
#define NAMED_MAX   512
#define LIST_MAX    512 /* fields, symbols, branches compared with each other */
#define ERRORS_MAX  200 /* further ones are counted and not told */

struct named {
    struct leat_str name;
    struct leat_lint_node *node;
    bool open; /* reached by the walk: may be referred to from here on */
};

struct chain { /* records that hold each other, not in arrays and maps, the innermost first */
    struct leat_str record;
    const struct chain *outer;
};

struct walk {
    const struct leat_lint *lint;
    struct leat_str text;
    struct leat_arena *arena;
    struct named named[NAMED_MAX];
    size_t n_named;
    size_t errors, told;
    const char *where; /* "field 'total_cents'", "the file" */
};

static const char *const primitives[] = {"null",  "boolean", "int",   "long",
                                         "float", "double",  "bytes", "string"};
static const char *const complexes[] = {"record", "enum", "fixed", "array", "map"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool among(struct leat_str s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (leat_str_eq(s, leat_str_of(words[i])))
            return true;
    }
    return false;
}

/* --- findings --- */

static void say(struct walk *w, bool warning, uint32_t offset, const char *message,
                const char *hint)
{
    struct leat_lint_finding f = {warning, 1, 1, message, hint};
    w->errors += warning ? 0 : 1;
    if (++w->told > ERRORS_MAX)
        return; /* finding the line of each would take its time */
    for (uint32_t i = 0; i < offset && i < w->text.len; i++) {
        f.column = w->text.at[i] == '\n' ? 1 : f.column + 1;
        f.line += w->text.at[i] == '\n' ? 1 : 0;
    }
    w->lint->found(w->lint->arg, &f);
}

static void wrong(struct walk *w, uint32_t offset, const char *hint, const char *fmt, ...)
    LEAT_PRINTF(4, 5);

static void wrong(struct walk *w, uint32_t offset, const char *hint, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    say(w, false, offset, text, hint);
}

static const char *nearest(struct walk *w, const struct leat_suggest *s, const char *otherwise)
{
    if (s->best.len == 0)
        return otherwise;
    return leat_arena_printf(w->arena, "did you mean '%.*s'?", LEAT_STR_FMT(s->best));
}

static bool is_name(struct leat_str s)
{
    for (uint32_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return s.len > 0;
}

/* --- attributes --- */

/* A member of that kind; else a finding and NULL. */
static struct leat_lint_node *need(struct walk *w, const struct leat_lint_node *object,
                                   const char *key, leat_json_kind kind, const char *what)
{
    struct leat_lint_node *n = leat_lint_get(object, key);
    if (n == NULL)
        wrong(w, object->offset, what, "%s: '%s' is missing", w->where, key);
    else if (n->kind != kind)
        wrong(w, n->offset, what, "%s: '%s' is of the wrong kind", w->where, key);
    else
        return n;
    return NULL;
}

/* Others may stand there, by Avro's rules; a near miss of one that counts is worth a word. */
static void check_spelling(struct walk *w, const struct leat_lint_node *object,
                           const char *const *known, size_t n)
{
    for (const struct leat_lint_node *m = object->sub; m != NULL; m = m->next) {
        struct leat_suggest s;
        leat_suggest_start(&s, m->key);
        if (among(m->key, known, n) || m->key.len < 4)
            continue;
        for (size_t i = 0; i < n; i++)
            leat_suggest_offer_cstr(&s, known[i]);
        if (s.best.len == 0)
            continue;
        const char *text = leat_arena_printf(w->arena, "%s: unknown attribute '%.*s'", w->where,
                                             LEAT_STR_FMT(m->key));
        say(w, true, m->key_offset, text, nearest(w, &s, ""));
    }
}

/* What is compared each with each must be few. */
static bool is_short(struct walk *w, const struct leat_lint_node *list, const char *what)
{
    size_t n = 0;
    for (const struct leat_lint_node *m = list->sub; m != NULL; m = m->next)
        n++;
    if (n > LIST_MAX)
        wrong(w, list->offset, "", "%s: more than %d %s", w->where, LIST_MAX, what);
    return n <= LIST_MAX;
}

/* --- names --- */

static struct named *find_named(struct walk *w, struct leat_str name)
{
    for (size_t i = 0; i < w->n_named; i++) {
        if (leat_str_eq(w->named[i].name, name))
            return &w->named[i];
    }
    return NULL;
}

static struct leat_lint_node *find_open(void *arg, struct leat_str name)
{
    struct named *d = find_named(arg, leat_lint_short(name));
    return d == NULL ? NULL : d->node;
}

static bool defines(const struct leat_lint_node *n)
{
    const struct leat_lint_node *type = leat_lint_get(n, "type");
    return leat_lint_is(type, "record") || leat_lint_is(type, "error") ||
           leat_lint_is(type, "enum") || leat_lint_is(type, "fixed");
}

/* All definitions of the file, wherever they stand. */
static void collect(struct walk *w, struct leat_lint_node *n)
{
    const struct leat_lint_node *name = defines(n) ? leat_lint_get(n, "name") : NULL;
    if (name != NULL && name->kind == LEAT_JSON_STRING && w->n_named < NAMED_MAX) {
        struct leat_str s = leat_lint_short(name->text);
        if (find_named(w, s) == NULL)
            w->named[w->n_named++] = (struct named){s, n, false};
        else
            wrong(w, name->offset, "each name is defined once; say just its name elsewhere",
                  "type '%.*s' is defined twice", LEAT_STR_FMT(s));
    }
    for (struct leat_lint_node *m = n->sub; m != NULL; m = m->next)
        collect(w, m);
}

static void unknown_type(struct walk *w, const struct leat_lint_node *n)
{
    struct leat_suggest s;
    leat_suggest_start(&s, n->text);
    for (size_t i = 0; i < COUNT(primitives); i++)
        leat_suggest_offer_cstr(&s, primitives[i]);
    for (size_t i = 0; i < w->n_named; i++)
        leat_suggest_offer(&s, w->named[i].name);
    for (size_t i = 0; i < w->lint->file_count; i++)
        leat_suggest_offer(&s, w->lint->files[i]);
    wrong(w, n->offset,
          nearest(w, &s,
                  "null, boolean, int, long, float, double, bytes, string, or a type that "
                  "is defined before or has a file of its own"),
          "%s: unknown type '%.*s'", w->where, LEAT_STR_FMT(n->text));
}

static void check_word(struct walk *w, const struct leat_lint_node *n, const struct chain *direct)
{
    struct leat_str name = leat_lint_short(n->text);
    if (among(n->text, primitives, COUNT(primitives)))
        return;
    if (among(n->text, complexes, COUNT(complexes))) {
        const char *hint = leat_arena_printf(w->arena, "{\"type\": {\"type\": \"%.*s\", …}}",
                                             LEAT_STR_FMT(n->text));
        wrong(w, n->offset, hint, "%s: '%.*s' alone is not a type", w->where,
              LEAT_STR_FMT(n->text));
        return;
    }
    for (const struct chain *c = direct; c != NULL; c = c->outer) {
        if (!leat_str_eq(c->record, name))
            continue;
        const char *hint = leat_arena_printf(
            w->arena, "hold them in an array or a map: {\"type\": \"array\", \"items\": \"%.*s\"}",
            LEAT_STR_FMT(name));
        wrong(w, n->offset, hint, "%s: record '%.*s' contains itself", w->where,
              LEAT_STR_FMT(name));
        return;
    }
    const struct named *d = find_named(w, name);
    if (d != NULL && !d->open) {
        wrong(w, n->offset, "the first use holds the definition, later ones the name",
              "%s: type '%.*s' is used before it is defined", w->where, LEAT_STR_FMT(name));
        return;
    }
    if (d != NULL)
        return;
    for (size_t i = 0; i < w->lint->file_count; i++) {
        if (!leat_str_eq(w->lint->files[i], name))
            continue;
        if (w->lint->refers != NULL)
            w->lint->refers(w->lint->arg, name);
        return;
    }
    unknown_type(w, n);
}

/* --- logical types --- */

static void check_decimal(struct walk *w, const struct leat_lint_node *n,
                          const struct leat_lint_node *logical)
{
    const struct leat_lint_node *precision = leat_lint_get(n, "precision");
    const struct leat_lint_node *scale = leat_lint_get(n, "scale");
    if (precision == NULL) {
        wrong(w, logical->offset,
              "\"precision\": digits in all, such as 12; \"scale\": of them "
              "after the point, such as 2",
              "%s: a decimal without 'precision'", w->where);
        return;
    }
    if (precision->kind != LEAT_JSON_INT || precision->integer < 1)
        wrong(w, precision->offset, "a whole number from 1", "%s: precision %.*s", w->where,
              LEAT_STR_FMT(precision->text));
    else if (scale != NULL && (scale->kind != LEAT_JSON_INT || scale->integer < 0 ||
                               scale->integer > precision->integer))
        wrong(w, scale->offset, "0 to the precision", "%s: scale %.*s", w->where,
              LEAT_STR_FMT(scale->text));
}

static void check_logical(struct walk *w, const struct leat_lint_node *n)
{
    static const struct {
        const char *name, *base, *also;
    } rows[] = {
        {"decimal", "bytes", "fixed"},
        {"uuid", "string", "fixed"},
        {"date", "int", NULL},
        {"time-millis", "int", NULL},
        {"time-micros", "long", NULL},
        {"timestamp-millis", "long", NULL},
        {"timestamp-micros", "long", NULL},
        {"local-timestamp-millis", "long", NULL},
        {"local-timestamp-micros", "long", NULL},
        {"duration", "fixed", NULL},
    };
    const struct leat_lint_node *logical = leat_lint_get(n, "logicalType");
    const struct leat_lint_node *type = leat_lint_get(n, "type");
    struct leat_suggest s;
    if (logical == NULL || logical->kind != LEAT_JSON_STRING)
        return;
    leat_suggest_start(&s, logical->text);
    for (size_t i = 0; i < COUNT(rows); i++) {
        leat_suggest_offer_cstr(&s, rows[i].name);
        if (!leat_lint_is(logical, rows[i].name))
            continue;
        if (!leat_lint_is(type, rows[i].base) &&
            (rows[i].also == NULL || !leat_lint_is(type, rows[i].also))) {
            const char *hint = leat_arena_printf(w->arena, "\"type\": \"%s\"", rows[i].base);
            wrong(w, logical->offset, hint, "%s: '%s' is not a logical type of %.*s", w->where,
                  rows[i].name, LEAT_STR_FMT(type->text));
        } else if (i == 0) {
            check_decimal(w, n, logical);
        }
        return;
    }
    const char *text = leat_arena_printf(w->arena, "%s: unknown logical type '%.*s' has no effect",
                                         w->where, LEAT_STR_FMT(logical->text));
    say(w, true, logical->offset, text, nearest(w, &s, ""));
}

/* --- types --- */

static void check_type(struct walk *w, const struct leat_lint_node *n, const struct chain *direct);

static void check_field(struct walk *w, const struct leat_lint_node *f, const struct chain *chain)
{
    static const char *const known[] = {"name", "type", "default", "doc", "order", "aliases"};
    const char *outer = w->where;
    const struct leat_lint_node *name = leat_lint_get(f, "name");
    if (f->kind != LEAT_JSON_OBJECT_BEGIN) {
        wrong(w, f->offset, "{\"name\": …, \"type\": …}", "%s: a field must be an object", outer);
        return;
    }
    if (name != NULL && name->kind == LEAT_JSON_STRING)
        w->where = leat_arena_printf(w->arena, "field '%.*s'", LEAT_STR_FMT(name->text));
    name = need(w, f, "name", LEAT_JSON_STRING, "a text");
    if (name != NULL && !is_name(name->text))
        wrong(w, name->offset, "letters, digits and '_', no digit first",
              "'%.*s' cannot be a field's name", LEAT_STR_FMT(name->text));
    check_spelling(w, f, known, COUNT(known));
    const struct leat_lint_node *type = leat_lint_get(f, "type");
    const struct leat_lint_node *value = leat_lint_get(f, "default");
    size_t errors = w->errors;
    if (type == NULL)
        wrong(w, f->offset, "such as \"string\"", "%s: 'type' is missing", w->where);
    else
        check_type(w, type, chain);
    if (type != NULL && value != NULL && errors == w->errors) {
        struct leat_lint_names names = {find_open, w};
        const struct leat_lint_node *at = value;
        const char *want = leat_lint_default(&names, type, value, &at);
        bool first = type->kind == LEAT_JSON_ARRAY_BEGIN;
        if (want != NULL)
            wrong(w, at->offset,
                  first ? "a union's default is of its first type: change the order, or the default"
                        : "",
                  "%s: the default must be %s", w->where, want);
    }
    w->where = outer;
}

static void check_record(struct walk *w, const struct leat_lint_node *n, struct leat_str name,
                         const struct chain *direct)
{
    static const char *const known[] = {"type", "name", "namespace", "doc", "aliases", "fields"};
    const struct chain chain = {name, direct};
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
            wrong(w, a->offset, "", "record '%.*s' has two fields '%.*s'", LEAT_STR_FMT(name),
                  LEAT_STR_FMT(a->text));
            break;
        }
        check_field(w, f, &chain);
    }
}

static void check_enum(struct walk *w, const struct leat_lint_node *n, struct leat_str name)
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
        wrong(w, symbols->offset, "at least one", "enum '%.*s' has no symbols", LEAT_STR_FMT(name));
    if (symbols != NULL && !is_short(w, symbols, "symbols"))
        return;
    for (const struct leat_lint_node *s = symbols == NULL ? NULL : symbols->sub; s != NULL;
         s = s->next) {
        if (s->kind != LEAT_JSON_STRING || !is_name(s->text))
            wrong(w, s->offset, "letters, digits and '_', no digit first",
                  "enum '%.*s': '%.*s' cannot be a symbol", LEAT_STR_FMT(name),
                  LEAT_STR_FMT(s->text));
        for (const struct leat_lint_node *e = symbols->sub; e != s; e = e->next) {
            if (leat_str_eq(e->text, s->text))
                wrong(w, s->offset, "", "enum '%.*s' has '%.*s' twice", LEAT_STR_FMT(name),
                      LEAT_STR_FMT(s->text));
        }
        found = found || leat_str_eq(s->text, fallback->text);
        leat_suggest_offer(&near, s->text);
    }
    if (!found)
        wrong(w, fallback->offset, nearest(w, &near, "one of its symbols"),
              "enum '%.*s': the default '%.*s' is no symbol of it", LEAT_STR_FMT(name),
              LEAT_STR_FMT(fallback->text));
}

static void check_named(struct walk *w, const struct leat_lint_node *n,
                        const struct leat_lint_node *kind, const struct chain *direct)
{
    const struct leat_lint_node *name = need(w, n, "name", LEAT_JSON_STRING, "a text");
    struct leat_str s = name == NULL ? LEAT_STR("") : leat_lint_short(name->text);
    struct named *d = find_named(w, s);
    if (name != NULL && !is_name(s))
        wrong(w, name->offset, "letters, digits and '_', no digit first",
              "'%.*s' cannot be a type's name", LEAT_STR_FMT(name->text));
    if (d != NULL)
        d->open = true;
    if (leat_lint_is(kind, "enum")) {
        check_enum(w, n, s);
    } else if (leat_lint_is(kind, "fixed")) {
        const struct leat_lint_node *size = need(w, n, "size", LEAT_JSON_INT, "bytes, such as 16");
        if (size != NULL && (size->integer < 1 || size->integer > 65536))
            wrong(w, size->offset, "1 to 65536", "fixed '%.*s': size %.*s is out of range",
                  LEAT_STR_FMT(s), LEAT_STR_FMT(size->text));
        check_logical(w, n);
    } else {
        check_record(w, n, s, direct);
    }
}

static void check_object(struct walk *w, const struct leat_lint_node *n, const struct chain *direct)
{
    const struct leat_lint_node *kind = leat_lint_get(n, "type");
    if (kind == NULL) {
        wrong(w, n->offset, "such as \"type\": \"record\"", "%s: 'type' is missing", w->where);
    } else if (kind->kind != LEAT_JSON_STRING) {
        check_type(w, kind, direct);
    } else if (defines(n)) {
        check_named(w, n, kind, direct);
    } else if (leat_lint_is(kind, "array") || leat_lint_is(kind, "map")) {
        const char *key = leat_lint_is(kind, "array") ? "items" : "values";
        const struct leat_lint_node *item = leat_lint_get(n, key);
        if (item == NULL)
            wrong(w, n->offset, "the type of each, such as \"string\"", "%s: '%s' is missing",
                  w->where, key);
        else
            check_type(w, item, NULL); /* may be empty: an end to recursion */
    } else {
        check_word(w, kind, direct);
        check_logical(w, n);
    }
}

static const char *branch_name(const struct leat_lint_node *b)
{
    const struct leat_lint_node *t = b;
    if (b->kind == LEAT_JSON_OBJECT_BEGIN && !defines(b))
        t = leat_lint_get(b, "type");
    else if (b->kind == LEAT_JSON_OBJECT_BEGIN)
        t = leat_lint_get(b, "name");
    return t == NULL || t->kind != LEAT_JSON_STRING ? "" : t->text.at;
}

static void check_union(struct walk *w, const struct leat_lint_node *n, const struct chain *direct)
{
    if (n->sub == NULL)
        wrong(w, n->offset, "such as [\"null\", \"string\"]", "%s: a union of nothing", w->where);
    if (!is_short(w, n, "types"))
        return;
    for (const struct leat_lint_node *b = n->sub; b != NULL; b = b->next) {
        if (b->kind == LEAT_JSON_ARRAY_BEGIN) {
            wrong(w, b->offset, "put its types into the outer one", "%s: a union inside a union",
                  w->where);
            continue;
        }
        check_type(w, b, direct);
        for (const struct leat_lint_node *e = n->sub; e != b; e = e->next) {
            size_t len = strcspn(branch_name(b), "\"");
            if (len == 0 || len != strcspn(branch_name(e), "\"") ||
                memcmp(branch_name(b), branch_name(e), len) != 0)
                continue;
            wrong(w, b->offset, "each type once", "%s: the union has '%.*s' twice", w->where,
                  (int)len, branch_name(b));
            break;
        }
    }
}

static void check_type(struct walk *w, const struct leat_lint_node *n, const struct chain *direct)
{
    if (n->kind == LEAT_JSON_STRING)
        check_word(w, n, direct);
    else if (n->kind == LEAT_JSON_OBJECT_BEGIN)
        check_object(w, n, direct);
    else if (n->kind == LEAT_JSON_ARRAY_BEGIN)
        check_union(w, n, direct);
    else
        wrong(w, n->offset, "a name, an object or a list", "%s: this is not a type", w->where);
}

/* --- the file --- */

static void check_top(struct walk *w, const struct leat_lint_node *top)
{
    const struct leat_lint_node *name = leat_lint_get(top, "name");
    const struct leat_lint_node *kind = leat_lint_get(top, "type");
    if (top->kind != LEAT_JSON_OBJECT_BEGIN) {
        wrong(w, top->offset, "{\"type\": \"record\", \"name\": …, \"fields\": […]}",
              "the file must hold one object");
        return;
    }
    if (kind != NULL && (kind->kind != LEAT_JSON_STRING || !defines(top))) {
        wrong(w, kind->offset, w->lint->record ? "record" : "record, enum or fixed",
              "the file defines no type of its own");
        return;
    }
    if (w->lint->record && kind != NULL && !leat_lint_is(kind, "record"))
        wrong(w, kind->offset, "a command, event or state is a record",
              "'%s' is of type '%.*s', not a record", w->lint->type, LEAT_STR_FMT(kind->text));
    if (name != NULL && name->kind == LEAT_JSON_STRING &&
        !leat_str_eq(leat_lint_short(name->text), leat_str_of(w->lint->type)))
        wrong(w, name->offset, "a file is called as the type it defines",
              "the file '%s.avsc' defines '%.*s'", w->lint->type, LEAT_STR_FMT(name->text));
    check_object(w, top, NULL);
}

size_t leat_schema_lint(const struct leat_lint *lint, struct leat_str text)
{
    struct leat_arena *arena = leat_arena_new(ARENA_BYTES, 0);
    struct walk *w = leat_arena_zalloc(arena, 1, sizeof *w);
    struct leat_lint_node *top = NULL;
    struct leat_error err = {0};
    uint32_t at = 0;
    *w = (struct walk){.lint = lint, .text = text, .arena = arena, .where = "the file"};
    if (leat_lint_tree(arena, text, &top, &at, &err) != LEAT_OK) {
        wrong(w, at, "", "not JSON: %s", err.msg);
    } else {
        collect(w, top);
        check_top(w, top);
    }
    size_t errors = w->errors;
    leat_arena_free(arena);
    return errors;
}
