#include <stdio.h>

#include "codec/lint_walk.h"

#define ERRORS_MAX   200 /* further ones are counted and not told */
#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const primitives[] = {"null",  "boolean", "int",   "long",
                                         "float", "double",  "bytes", "string"};
static const char *const complexes[] = {"record", "enum", "fixed", "array", "map"};

bool leat_lint_among(struct leat_str s, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (leat_str_eq(s, leat_str_of(words[i])))
            return true;
    }
    return false;
}

/* --- findings --- */

void leat_lint_say(struct leat_lint_walk *w, bool warning, uint32_t offset, const char *message,
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

void leat_lint_wrong(struct leat_lint_walk *w, uint32_t offset, const char *hint, const char *fmt,
                     ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    leat_lint_say(w, false, offset, text, hint);
}

const char *leat_lint_nearest(struct leat_lint_walk *w, const struct leat_suggest *s,
                              const char *otherwise)
{
    if (s->best.len == 0)
        return otherwise;
    return leat_arena_printf(w->arena, "did you mean '%.*s'?", LEAT_STR_FMT(s->best));
}

bool leat_lint_is_name(struct leat_str s)
{
    for (uint32_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return s.len > 0;
}

/* --- names --- */

struct leat_lint_named *leat_lint_find(struct leat_lint_walk *w, struct leat_str name)
{
    for (size_t i = 0; i < w->n_named; i++) {
        if (leat_str_eq(w->named[i].name, name))
            return &w->named[i];
    }
    return NULL;
}

bool leat_lint_defines(const struct leat_lint_node *n)
{
    const struct leat_lint_node *type = leat_lint_get(n, "type");
    return leat_lint_is(type, "record") || leat_lint_is(type, "error") ||
           leat_lint_is(type, "enum") || leat_lint_is(type, "fixed");
}

/* All definitions of the file, wherever they stand. */
static void unknown_type(struct leat_lint_walk *w, const struct leat_lint_node *n)
{
    struct leat_suggest s;
    leat_suggest_start(&s, n->text);
    for (size_t i = 0; i < COUNT(primitives); i++)
        leat_suggest_offer_cstr(&s, primitives[i]);
    for (size_t i = 0; i < w->n_named; i++)
        leat_suggest_offer(&s, w->named[i].name);
    for (size_t i = 0; i < w->lint->file_count; i++)
        leat_suggest_offer(&s, w->lint->files[i]);
    leat_lint_wrong(
        w, n->offset,
        leat_lint_nearest(w, &s,
                          "null, boolean, int, long, float, double, bytes, string, or a type that "
                          "is defined before or has a file of its own"),
        "%s: unknown type '%.*s'", w->where, LEAT_STR_FMT(n->text));
}

void leat_lint_word(struct leat_lint_walk *w, const struct leat_lint_node *n,
                    const struct leat_lint_chain *direct)
{
    struct leat_str name = leat_lint_short(n->text);
    if (leat_lint_among(n->text, primitives, COUNT(primitives)))
        return;
    if (leat_lint_among(n->text, complexes, COUNT(complexes))) {
        const char *hint = leat_arena_printf(w->arena, "{\"type\": {\"type\": \"%.*s\", …}}",
                                             LEAT_STR_FMT(n->text));
        leat_lint_wrong(w, n->offset, hint, "%s: '%.*s' alone is not a type", w->where,
                        LEAT_STR_FMT(n->text));
        return;
    }
    for (const struct leat_lint_chain *c = direct; c != NULL; c = c->outer) {
        if (!leat_str_eq(c->record, name))
            continue;
        const char *hint = leat_arena_printf(
            w->arena, "hold them in an array or a map: {\"type\": \"array\", \"items\": \"%.*s\"}",
            LEAT_STR_FMT(name));
        leat_lint_wrong(w, n->offset, hint, "%s: record '%.*s' contains itself", w->where,
                        LEAT_STR_FMT(name));
        return;
    }
    const struct leat_lint_named *d = leat_lint_find(w, name);
    if (d != NULL && !d->open) {
        leat_lint_wrong(w, n->offset, "the first use holds the definition, later ones the name",
                        "%s: type '%.*s' is used before it is defined", w->where,
                        LEAT_STR_FMT(name));
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

static void check_decimal(struct leat_lint_walk *w, const struct leat_lint_node *n,
                          const struct leat_lint_node *logical)
{
    const struct leat_lint_node *precision = leat_lint_get(n, "precision");
    const struct leat_lint_node *scale = leat_lint_get(n, "scale");
    if (precision == NULL) {
        leat_lint_wrong(w, logical->offset,
                        "\"precision\": digits in all, such as 12; \"scale\": of them "
                        "after the point, such as 2",
                        "%s: a decimal without 'precision'", w->where);
        return;
    }
    if (precision->kind != LEAT_JSON_INT || precision->integer < 1)
        leat_lint_wrong(w, precision->offset, "a whole number from 1", "%s: precision %.*s",
                        w->where, LEAT_STR_FMT(precision->text));
    else if (scale != NULL && (scale->kind != LEAT_JSON_INT || scale->integer < 0 ||
                               scale->integer > precision->integer))
        leat_lint_wrong(w, scale->offset, "0 to the precision", "%s: scale %.*s", w->where,
                        LEAT_STR_FMT(scale->text));
}

void leat_lint_logical(struct leat_lint_walk *w, const struct leat_lint_node *n)
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
            leat_lint_wrong(w, logical->offset, hint, "%s: '%s' is not a logical type of %.*s",
                            w->where, rows[i].name, LEAT_STR_FMT(type->text));
        } else if (i == 0) {
            check_decimal(w, n, logical);
        }
        return;
    }
    const char *text = leat_arena_printf(w->arena, "%s: unknown logical type '%.*s' has no effect",
                                         w->where, LEAT_STR_FMT(logical->text));
    leat_lint_say(w, true, logical->offset, text, leat_lint_nearest(w, &s, ""));
}
