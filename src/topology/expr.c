#include "topology/expr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/units.h"

struct parser {
    struct leat_arena *arena;
    struct leat_error *err;
    const char *start, *at, *end;
    int depth;
};

struct fn_row {
    const char *name;
    leat_fn fn;
    uint32_t args_min, args_max;
    bool zoned; /* the second argument is a time zone */
};

static const struct fn_row functions[] = {
    {"day", LEAT_FN_DAY, 1, 2, true},
    {"hour", LEAT_FN_HOUR, 1, 2, true},
    {"lower", LEAT_FN_LOWER, 1, 1, false},
    {"concat", LEAT_FN_CONCAT, 1, LEAT_EXPR_ARGS_MAX, false},
};

static const char *const meta_names[] = {"time", "recorded_at", "key", "seq", "type", "command_id"};

#define COUNT(array) (sizeof(array) / sizeof *(array))

const char *leat_meta_name(leat_meta meta)
{
    return meta_names[meta];
}

const char *leat_fn_name(leat_fn fn)
{
    return functions[fn].name;
}

static leat_status parse_value(struct parser *p, const struct leat_expr **ret);

static leat_status fail(const struct parser *p, const char *at, const char *fmt, ...)
    LEAT_PRINTF(3, 4);

static leat_status fail(const struct parser *p, const char *at, const char *fmt, ...)
{
    char what[200];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    return leat_fail(p->err, LEAT_INVALID, "%s at column %zu of the expression", what,
                     (size_t)(at - p->start) + 1);
}

static struct leat_expr *new_expr(struct parser *p, leat_expr_kind kind)
{
    struct leat_expr *e = leat_arena_zalloc(p->arena, 1, sizeof *e);
    e->kind = kind;
    e->text = (struct leat_str){"", 0};
    return e;
}

static struct leat_str keep(struct parser *p, struct leat_str s)
{
    return (struct leat_str){leat_arena_cstr(p->arena, s), s.len};
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void skip_space(struct parser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t'))
        p->at++;
}

static struct leat_str take_name(struct parser *p, bool dashes)
{
    const char *begin = p->at;
    while (p->at < p->end && (is_letter(*p->at) || (p->at > begin && is_digit(*p->at)) ||
                              (dashes && p->at > begin && *p->at == '-')))
        p->at++;
    return (struct leat_str){begin, (uint32_t)(p->at - begin)};
}

static bool take(struct parser *p, const char *word)
{
    size_t len = strlen(word);
    if ((size_t)(p->end - p->at) < len || memcmp(p->at, word, len) != 0)
        return false;
    p->at += len;
    return true;
}

/* --- literals --- */

static bool parse_double(struct leat_str s, double *ret)
{
    char text[64];
    if (s.len == 0 || s.len >= sizeof text || (!is_digit(s.at[0]) && s.at[0] != '-'))
        return false;
    if (strspn(s.at, "0123456789+-.eE") < s.len) /* neither hex nor inf nor nan */
        return false;
    memcpy(text, s.at, s.len);
    text[s.len] = '\0';
    char *end = NULL;
    errno = 0;
    *ret = strtod(text, &end);
    return *end == '\0' && errno == 0;
}

static const struct leat_expr *make_string(struct parser *p, struct leat_str s)
{
    struct leat_expr *e = new_expr(p, LEAT_EXPR_STRING);
    e->text = keep(p, s);
    return e;
}

/* What YAML's core schema makes of an unquoted word. */
static const struct leat_expr *make_plain(struct parser *p, struct leat_str s)
{
    struct leat_expr *e = new_expr(p, LEAT_EXPR_NULL);
    e->text = keep(p, s);
    if (s.len == 0 || leat_str_eq(s, LEAT_STR("null")) || leat_str_eq(s, LEAT_STR("~")))
        return e;
    if (leat_str_eq(s, LEAT_STR("true")) || leat_str_eq(s, LEAT_STR("false"))) {
        e->kind = LEAT_EXPR_BOOL;
        e->boolean = s.at[0] == 't';
    } else if (leat_parse_int(s, &e->integer) == LEAT_UNITS_OK) {
        e->kind = LEAT_EXPR_INT;
    } else if (parse_double(e->text, &e->number)) {
        e->kind = LEAT_EXPR_DOUBLE;
    } else {
        e->kind = LEAT_EXPR_STRING;
    }
    return e;
}

/* p->at is at the opening quote; '' inside is one quote. */
static leat_status parse_quoted(struct parser *p, const struct leat_expr **ret)
{
    const char *begin = p->at++;
    char *to = leat_arena_alloc(p->arena, (size_t)(p->end - begin) + 1);
    uint32_t len = 0;
    for (;; p->at++) {
        if (p->at == p->end)
            return fail(p, begin, "no closing quote");
        if (*p->at == '\'') {
            p->at++;
            if (p->at == p->end || *p->at != '\'')
                break;
        }
        to[len++] = *p->at;
    }
    to[len] = '\0';
    struct leat_expr *e = new_expr(p, LEAT_EXPR_STRING);
    e->text = (struct leat_str){to, len};
    *ret = e;
    return LEAT_OK;
}

/* --- $.path, $meta.x, $row.f --- */

static leat_status parse_path(struct parser *p, const struct leat_expr **ret)
{
    struct leat_str steps[LEAT_EXPR_PATH_MAX];
    uint32_t n = 0;
    const char *begin = p->at;
    do {
        if (n == LEAT_EXPR_PATH_MAX)
            return fail(p, begin, "a path of more than %d fields", LEAT_EXPR_PATH_MAX);
        struct leat_str step = take_name(p, false);
        if (step.len == 0)
            return fail(p, p->at, "expected a field's name");
        steps[n++] = keep(p, step);
    } while (take(p, "."));
    struct leat_expr *e = new_expr(p, LEAT_EXPR_FIELD);
    e->text = keep(p, (struct leat_str){begin, (uint32_t)(p->at - begin)});
    struct leat_str *path = leat_arena_alloc(p->arena, n * sizeof *path);
    memcpy(path, steps, n * sizeof *path);
    e->path = path;
    e->n_path = n;
    *ret = e;
    return LEAT_OK;
}

static leat_status parse_meta(struct parser *p, const struct leat_expr **ret)
{
    const char *begin = p->at;
    struct leat_str name = take_name(p, false);
    if (leat_str_eq(name, LEAT_STR("header"))) {
        struct leat_str header = {"", 0};
        if (take(p, "."))
            header = take_name(p, true);
        if (header.len == 0)
            return fail(p, p->at, "expected a header's name ($meta.header.name)");
        struct leat_expr *e = new_expr(p, LEAT_EXPR_HEADER);
        e->text = keep(p, header);
        *ret = e;
        return LEAT_OK;
    }
    struct leat_suggest s;
    leat_suggest_start(&s, name);
    for (size_t i = 0; i < COUNT(meta_names); i++) {
        if (leat_str_eq(name, leat_str_of(meta_names[i]))) {
            struct leat_expr *e = new_expr(p, LEAT_EXPR_META);
            e->meta = (leat_meta)i;
            e->text = keep(p, name);
            *ret = e;
            return LEAT_OK;
        }
        leat_suggest_offer_cstr(&s, meta_names[i]);
    }
    leat_status status = fail(p, begin, "unknown $meta.%.*s", LEAT_STR_FMT(name));
    if (s.best.len > 0)
        leat_error_hint(p->err, "did you mean $meta.%.*s?", LEAT_STR_FMT(s.best));
    else
        leat_error_hint(p->err,
                        "there are time, recorded_at, key, seq, type, command_id, header.x");
    return status;
}

static leat_status parse_reference(struct parser *p, const struct leat_expr **ret)
{
    const char *begin = p->at;
    if (take(p, "$."))
        return parse_path(p, ret);
    if (take(p, "$meta."))
        return parse_meta(p, ret);
    if (!take(p, "$row.")) {
        leat_status status = fail(p, begin, "not a reference");
        leat_error_hint(p->err, "$.field, $meta.name or $row.field; a text that begins with a "
                                "dollar sign goes into single quotes inside double ones");
        return status;
    }
    struct leat_str name = take_name(p, false);
    if (name.len == 0)
        return fail(p, p->at, "expected a field's name");
    struct leat_expr *e = new_expr(p, LEAT_EXPR_ROW);
    e->text = keep(p, name);
    *ret = e;
    return LEAT_OK;
}

/* --- functions --- */

static const struct fn_row *find_function(struct parser *p, struct leat_str name)
{
    struct leat_suggest s;
    leat_suggest_start(&s, name);
    for (size_t i = 0; i < COUNT(functions); i++) {
        if (leat_str_eq(name, leat_str_of(functions[i].name)))
            return &functions[i];
        leat_suggest_offer_cstr(&s, functions[i].name);
    }
    (void)fail(p, name.at, "unknown function '%.*s'", LEAT_STR_FMT(name));
    if (s.best.len > 0)
        leat_error_hint(p->err, "did you mean '%.*s'?", LEAT_STR_FMT(s.best));
    else
        leat_error_hint(p->err, "there are day, hour, lower, concat");
    return NULL;
}

static bool is_zone(struct leat_str s)
{
    for (uint32_t i = 0; i < s.len; i++) {
        if (!is_letter(s.at[i]) && !is_digit(s.at[i]) && strchr("/+-", s.at[i]) == NULL)
            return false;
    }
    return s.len > 0 && s.at[0] != '/';
}

static leat_status parse_args(struct parser *p, const struct leat_expr **args, uint32_t *ret_n)
{
    uint32_t n = 0;
    skip_space(p);
    while (!take(p, ")")) {
        if (n == LEAT_EXPR_ARGS_MAX)
            return fail(p, p->at, "more than %d arguments", LEAT_EXPR_ARGS_MAX);
        if (n > 0 && !take(p, ","))
            return fail(p, p->at, "expected ',' or ')'");
        skip_space(p);
        leat_status status = parse_value(p, &args[n++]);
        if (status != LEAT_OK)
            return status;
        skip_space(p);
    }
    *ret_n = n;
    return LEAT_OK;
}

static leat_status parse_call(struct parser *p, struct leat_str name, const struct leat_expr **ret)
{
    const struct leat_expr *args[LEAT_EXPR_ARGS_MAX];
    uint32_t n = 0;
    const struct fn_row *row = find_function(p, name);
    if (row == NULL)
        return LEAT_INVALID;
    if (p->depth == LEAT_EXPR_DEPTH_MAX)
        return fail(p, name.at, "functions nested more than %d deep", LEAT_EXPR_DEPTH_MAX);
    p->depth++;
    leat_status status = parse_args(p, args, &n);
    p->depth--;
    if (status != LEAT_OK)
        return status;
    if (n < row->args_min || n > row->args_max)
        return fail(p, name.at, "%s() takes %u to %u arguments, not %u", row->name, row->args_min,
                    row->args_max, n);
    struct leat_expr *e = new_expr(p, LEAT_EXPR_CALL);
    e->fn = row->fn;
    if (row->zoned && n == 2) {
        if (args[1]->kind != LEAT_EXPR_STRING || !is_zone(args[1]->text))
            return fail(p, name.at, "%s(): the zone must be a name such as 'Europe/Berlin'",
                        row->name);
        e->zone = args[1]->text.at;
        n = 1;
    }
    const struct leat_expr **kept = leat_arena_alloc(p->arena, n * sizeof *kept);
    memcpy(kept, args, n * sizeof *kept);
    e->args = kept;
    e->n_args = n;
    *ret = e;
    return LEAT_OK;
}

/* A value inside a call or a condition, where bare words end at a separator. */
static leat_status parse_value(struct parser *p, const struct leat_expr **ret)
{
    if (p->at < p->end && *p->at == '$')
        return parse_reference(p, ret);
    if (p->at < p->end && *p->at == '\'')
        return parse_quoted(p, ret);
    const char *begin = p->at;
    struct leat_str name = take_name(p, false);
    if (name.len > 0 && take(p, "("))
        return parse_call(p, name, ret);
    p->at = begin;
    while (p->at < p->end && strchr(" \t,()=!<>'$", *p->at) == NULL)
        p->at++;
    if (p->at == begin)
        return fail(p, begin, "expected a value");
    *ret = make_plain(p, (struct leat_str){begin, (uint32_t)(p->at - begin)});
    return LEAT_OK;
}

static leat_status start(struct parser *p, struct leat_str text)
{
    if (text.len > LEAT_EXPR_BYTES_MAX)
        return leat_fail(p->err, LEAT_INVALID, "expression longer than %d bytes",
                         LEAT_EXPR_BYTES_MAX);
    p->start = p->at = text.len == 0 ? "" : text.at;
    p->end = p->start + text.len;
    return LEAT_OK;
}

static leat_status expect_end(struct parser *p)
{
    skip_space(p);
    return p->at == p->end ? LEAT_OK : fail(p, p->at, "more text after the value");
}

/* "name(" at the front and ")" at the back: a call; a text with brackets elsewhere is a text. */
static bool looks_like_call(const struct parser *p)
{
    const char *c = p->at;
    while (c < p->end && is_letter(*c))
        c++;
    return c > p->at && c < p->end && *c == '(' && p->end[-1] == ')';
}

leat_status leat_expr_parse(struct leat_arena *arena, struct leat_str text, bool plain,
                            const struct leat_expr **ret, struct leat_error *err)
{
    struct parser p = {.arena = arena, .err = err};
    leat_status status = start(&p, text);
    if (status != LEAT_OK)
        return status;
    const struct leat_expr *e = NULL;
    bool active = text.len > 0 && (*p.at == '$' || *p.at == '\'' || looks_like_call(&p));
    if (active) {
        status = parse_value(&p, &e);
        if (status == LEAT_OK)
            status = expect_end(&p);
        if (status != LEAT_OK)
            return status;
    } else {
        e = plain ? make_plain(&p, text) : make_string(&p, text);
    }
    *ret = e;
    return LEAT_OK;
}

static leat_status parse_compare(struct parser *p, leat_compare *ret)
{
    static const struct {
        const char *text;
        leat_compare compare;
    } rows[] = {{"==", LEAT_COMPARE_EQ}, {"!=", LEAT_COMPARE_NE}, {"<=", LEAT_COMPARE_LE},
                {">=", LEAT_COMPARE_GE}, {"<", LEAT_COMPARE_LT},  {">", LEAT_COMPARE_GT}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (take(p, rows[i].text)) {
            *ret = rows[i].compare;
            return LEAT_OK;
        }
    }
    return fail(p, p->at, "expected ==, !=, <, <=, > or >=");
}

leat_status leat_condition_parse(struct leat_arena *arena, struct leat_str text,
                                 struct leat_condition *ret, struct leat_error *err)
{
    struct parser p = {.arena = arena, .err = err};
    struct leat_condition c = {NULL, NULL, LEAT_COMPARE_EQ};
    leat_status status = start(&p, text);
    skip_space(&p);
    if (status == LEAT_OK)
        status = parse_value(&p, &c.left);
    skip_space(&p);
    if (status == LEAT_OK)
        status = parse_compare(&p, &c.compare);
    skip_space(&p);
    if (status == LEAT_OK)
        status = parse_value(&p, &c.right);
    if (status == LEAT_OK)
        status = expect_end(&p);
    if (status != LEAT_OK)
        return status;
    *ret = c;
    return LEAT_OK;
}

bool leat_expr_equal(const struct leat_expr *a, const struct leat_expr *b)
{
    if (a->kind != b->kind || a->n_args != b->n_args || !leat_str_eq(a->text, b->text))
        return false;
    if (a->kind != LEAT_EXPR_CALL)
        return true;
    const char *za = a->zone == NULL ? "" : a->zone;
    const char *zb = b->zone == NULL ? "" : b->zone;
    if (a->fn != b->fn || strcmp(za, zb) != 0)
        return false;
    for (uint32_t i = 0; i < a->n_args; i++) {
        if (!leat_expr_equal(a->args[i], b->args[i]))
            return false;
    }
    return true;
}

bool leat_expr_is_constant(const struct leat_expr *e)
{
    if (e->kind == LEAT_EXPR_FIELD || e->kind == LEAT_EXPR_META || e->kind == LEAT_EXPR_HEADER ||
        e->kind == LEAT_EXPR_ROW)
        return false;
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (!leat_expr_is_constant(e->args[i]))
            return false;
    }
    return true;
}
