#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "base/units.h"
#include "topology/loader.h"

#define LIST_MAX 1000

struct leat_str leat_load_quote(const struct leat_yaml *n)
{
    struct leat_str s = n->kind == LEAT_YAML_SCALAR ? n->raw : LEAT_STR("…");
    if (s.len > 80)
        s.len = 80;
    return s;
}

bool leat_load_text(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                    struct leat_str *ret)
{
    if (n->kind != LEAT_YAML_SCALAR) {
        leat_load_error(l, &n->place, "%s takes one value, not a %s", path,
                        n->kind == LEAT_YAML_LIST ? "list" : "section");
        return false;
    }
    if (n->null || n->text.len == 0) {
        if (leat_report_has(l->report, &n->place))
            return false; /* a variable that is not set, an alias of nothing: said */
        leat_load_error(l, &n->place, "%s: the value is empty", path);
        return false;
    }
    leat_load_mark(l, n->text.at, &n->place);
    *ret = n->text;
    return true;
}

bool leat_load_is_word(struct leat_str s)
{
    if (s.len == 0 || s.len > LEAT_NAME_BYTES_MAX)
        return false;
    for (uint32_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool more = (c >= '0' && c <= '9') || c == '-' || c == '.';
        if (!letter && (i == 0 || !more))
            return false;
    }
    return true;
}

bool leat_load_word(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                    struct leat_str *ret)
{
    struct leat_str s;
    if (!leat_load_text(l, n, path, &s))
        return false;
    if (!leat_load_is_word(s)) {
        leat_load_error(l, &n->place, "%s: '%.*s' is not a name", path,
                        LEAT_STR_FMT(leat_load_quote(n)));
        leat_report_hint(l->report,
                         "letters, digits, '_', '-' and '.', a letter first, at most 100");
        return false;
    }
    *ret = s;
    return true;
}

bool leat_load_int(struct leat_loader *l, const struct leat_yaml *n, const char *path, int64_t min,
                   int64_t max, int64_t *ret)
{
    struct leat_str s;
    int64_t v = 0;
    if (!leat_load_text(l, n, path, &s))
        return false;
    leat_units rc = leat_parse_int(s, &v);
    if (rc != LEAT_UNITS_OK && rc != LEAT_UNITS_TOO_LARGE) {
        leat_load_error(l, &n->place, "%s: '%.*s' is not a whole number", path,
                        LEAT_STR_FMT(leat_load_quote(n)));
        leat_report_hint(l->report, "%lld to %lld", (long long)min, (long long)max);
        return false;
    }
    if (rc == LEAT_UNITS_TOO_LARGE || v < min || v > max) {
        leat_load_error(l, &n->place, "%s: %.*s is out of range", path,
                        LEAT_STR_FMT(leat_load_quote(n)));
        leat_report_hint(l->report, "%lld to %lld", (long long)min, (long long)max);
        return false;
    }
    *ret = v;
    return true;
}

struct unit_kind {
    leat_units (*parse)(struct leat_str text, int64_t *ret);
    const char *(*format)(int64_t v, char *text);
    const char *noun, *examples;
};

static bool load_united(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                        const int64_t range[2], const struct unit_kind *kind, int64_t *ret)
{
    struct leat_str s;
    int64_t v = 0;
    char low[LEAT_UNITS_TEXT];
    char high[LEAT_UNITS_TEXT];
    if (!leat_load_text(l, n, path, &s))
        return false;
    leat_units rc = kind->parse(s, &v);
    struct leat_str quote = leat_load_quote(n);
    if (rc == LEAT_UNITS_OK && v >= range[0] && v <= range[1]) {
        *ret = v;
        return true;
    }
    if (rc == LEAT_UNITS_OK || rc == LEAT_UNITS_TOO_LARGE) {
        leat_load_error(l, &n->place, "%s: %.*s is out of range", path, LEAT_STR_FMT(quote));
        leat_report_hint(l->report, "%s to %s", kind->format(range[0], low),
                         kind->format(range[1], high));
        return false;
    }
    if (rc == LEAT_UNITS_NO_UNIT)
        leat_load_error(l, &n->place, "%s: '%.*s' has no unit", path, LEAT_STR_FMT(quote));
    else
        leat_load_error(l, &n->place, "%s: '%.*s' is not a %s", path, LEAT_STR_FMT(quote),
                        kind->noun);
    leat_report_hint(l->report, "such as %s", kind->examples);
    return false;
}

bool leat_load_duration(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                        int64_t min, int64_t max, int64_t *ret_ms)
{
    static const struct unit_kind kind = {leat_parse_duration, leat_format_duration, "duration",
                                          "500ms, 5s, 1m, 2h or 30d"};
    return load_united(l, n, path, (const int64_t[2]){min, max}, &kind, ret_ms);
}

bool leat_load_size(struct leat_loader *l, const struct leat_yaml *n, const char *path, int64_t min,
                    int64_t max, int64_t *ret_bytes)
{
    static const struct unit_kind kind = {leat_parse_size, leat_format_size, "size",
                                          "512B, 64KiB or 1MiB"};
    return load_united(l, n, path, (const int64_t[2]){min, max}, &kind, ret_bytes);
}

bool leat_load_bool(struct leat_loader *l, const struct leat_yaml *n, const char *path, bool *ret)
{
    struct leat_str s;
    if (!leat_load_text(l, n, path, &s))
        return false;
    bool yes = leat_str_eq(s, LEAT_STR("true"));
    if (!yes && !leat_str_eq(s, LEAT_STR("false"))) {
        leat_load_error(l, &n->place, "%s: '%.*s' is not true or false", path,
                        LEAT_STR_FMT(leat_load_quote(n)));
        return false;
    }
    *ret = yes;
    return true;
}

bool leat_load_enum(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                    const char *allowed, unsigned *ret)
{
    struct leat_str s;
    struct leat_suggest suggest;
    if (!leat_load_text(l, n, path, &s))
        return false;
    leat_suggest_start(&suggest, s);
    unsigned i = 0;
    for (const char *p = allowed; *p != '\0'; i++) {
        struct leat_str one = {p, (uint32_t)strcspn(p, "|")};
        if (leat_str_eq(s, one)) {
            *ret = i;
            return true;
        }
        leat_suggest_offer(&suggest, one);
        p += one.len + (p[one.len] == '|' ? 1 : 0);
    }
    leat_load_error(l, &n->place, "%s: '%.*s' is not one of %s", path,
                    LEAT_STR_FMT(leat_load_quote(n)), allowed);
    leat_load_suggest(l, suggest.best);
    return false;
}

bool leat_load_expr(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                    const struct leat_expr **ret)
{
    struct leat_error err = {0};
    if (n->kind != LEAT_YAML_SCALAR) {
        leat_load_error(l, &n->place, "%s takes one value", path);
        return false;
    }
    if (leat_expr_parse(l->arena, n->text, n->plain, ret, &err) == LEAT_OK) {
        leat_load_mark(l, *ret, &n->place);
        return true;
    }
    leat_load_error(l, &n->place, "%s: '%.*s': %s", path, LEAT_STR_FMT(leat_load_quote(n)),
                    err.msg);
    if (err.hint[0] != '\0')
        leat_report_hint(l->report, "%s", err.hint);
    return false;
}

uint32_t leat_load_items(const struct leat_yaml *n, const struct leat_yaml *const **ret,
                         const struct leat_yaml **single)
{
    if (n->kind == LEAT_YAML_LIST) {
        *ret = (const struct leat_yaml *const *)n->items;
        return n->n;
    }
    *single = n;
    *ret = single;
    return n->null ? 0 : 1;
}

bool leat_load_names(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                     struct leat_names *ret)
{
    const struct leat_yaml *const *items;
    const struct leat_yaml *single;
    uint32_t count = leat_load_items(n, &items, &single);
    if (count > LIST_MAX) {
        leat_load_error(l, &n->place, "%s: more than %d names", path, LIST_MAX);
        return false;
    }
    struct leat_str *at = leat_arena_zalloc(l->arena, count, sizeof *at);
    struct leat_names names = {at, 0};
    for (uint32_t i = 0; i < count; i++) {
        struct leat_str name;
        if (!leat_load_word(l, items[i], path, &name))
            continue;
        if (leat_names_has(&names, name))
            leat_load_error(l, &items[i]->place, "%s: '%.*s' is given twice", path,
                            LEAT_STR_FMT(name));
        else
            at[names.n++] = name;
    }
    *ret = names;
    return true;
}
