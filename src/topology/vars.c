#include "topology/vars.h"

#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/env.h"
#include "topology/files.h"

#define VALUE_BYTES_MAX 65536
#define NESTING_MAX     4

struct vars {
    struct leat_arena *arena;
    const struct leat_place *place;
    struct leat_report *report;
    int depth;
};

static void expand(struct vars *v, struct leat_str text, struct leat_buf *out);

static void complain(struct vars *v, struct leat_str what, const char *why)
{
    leat_report_add(v->report, LEAT_SEVERITY_ERROR, v->place, "${%.*s}: %s", LEAT_STR_FMT(what),
                    why);
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

/* The `}` that closes the brace before `from`, nested ones skipped; NULL when there is none. */
static const char *find_close(const char *from, const char *end)
{
    int depth = 0;
    for (const char *p = from; p < end; p++) {
        if (p[0] == '$' && p + 1 < end && p[1] == '{')
            depth++;
        if (*p == '}' && depth-- == 0)
            return p;
    }
    return NULL;
}

/* Splits "V:-default" at the first ":-" or ":?": the operator, or 0. */
static char split(struct leat_str body, struct leat_str *ret_name, struct leat_str *ret_rest)
{
    for (uint32_t i = 0; i + 1 < body.len; i++) {
        if (body.at[i] != ':' || (body.at[i + 1] != '-' && body.at[i + 1] != '?'))
            continue;
        *ret_name = (struct leat_str){body.at, i};
        *ret_rest = (struct leat_str){body.at + i + 2, body.len - i - 2};
        return body.at[i + 1];
    }
    *ret_name = body;
    *ret_rest = (struct leat_str){"", 0};
    return '\0';
}

/* True when there is a value; it ends without its last line break, as secret files are written. */
static bool read_value_file(struct vars *v, struct leat_str name, struct leat_str *ret)
{
    const char *path = leat_files_beside(v->arena, v->place->file, name);
    struct leat_error err = {0};
    if (leat_files_read(v->arena, path, VALUE_BYTES_MAX, ret, &err) != LEAT_OK)
        return false;
    while (ret->len > 0 && (ret->at[ret->len - 1] == '\n' || ret->at[ret->len - 1] == '\r'))
        ret->len--;
    return ret->len > 0;
}

static bool look_up(struct vars *v, struct leat_str name, struct leat_str *ret)
{
    if (name.len > 5 && memcmp(name.at, "file:", 5) == 0)
        return read_value_file(v, (struct leat_str){name.at + 5, name.len - 5}, ret);
    *ret = leat_str_of(leat_env(leat_arena_cstr(v->arena, name)));
    return ret->len > 0;
}

static void replace_one(struct vars *v, struct leat_str body, struct leat_buf *out)
{
    struct leat_str name, rest, value = {"", 0};
    char op = split(body, &name, &rest);
    bool file = name.len > 5 && memcmp(name.at, "file:", 5) == 0;
    if (!file && !is_name(name)) {
        complain(v, body, "not a variable; $$ is a dollar sign");
        return;
    }
    if (look_up(v, name, &value)) {
        leat_buf_put(out, value.at, value.len);
    } else if (op == '-') {
        v->depth++;
        expand(v, rest, out);
        v->depth--;
    } else if (op == '?') {
        leat_report_add(v->report, LEAT_SEVERITY_ERROR, v->place, "${%.*s} is not set: %.*s",
                        LEAT_STR_FMT(name), LEAT_STR_FMT(rest));
    } else {
        complain(v, name, file ? "no such file, or an empty one" : "not set in the environment");
        leat_report_hint(v->report, "${%.*s:-value} gives a default", LEAT_STR_FMT(name));
    }
}

static void expand(struct vars *v, struct leat_str text, struct leat_buf *out)
{
    const char *p = text.at;
    const char *end = p + text.len;
    if (v->depth > NESTING_MAX) {
        complain(v, text, "nested more than 4 deep");
        return;
    }
    while (p < end) {
        bool pair = p[0] == '$' && p + 1 < end;
        if (pair && p[1] == '$') {
            leat_buf_putc(out, '$');
            p += 2;
        } else if (pair && p[1] == '{') {
            const char *close = find_close(p + 2, end);
            if (close == NULL) {
                complain(v, (struct leat_str){p + 2, (uint32_t)(end - p - 2)}, "no closing '}'");
                return;
            }
            replace_one(v, (struct leat_str){p + 2, (uint32_t)(close - p - 2)}, out);
            p = close + 1;
        } else {
            leat_buf_putc(out, *p++);
        }
    }
}

struct leat_str leat_vars_replace(struct leat_arena *arena, struct leat_str text,
                                  const struct leat_place *place, struct leat_report *report)
{
    bool any = false;
    for (uint32_t i = 0; i + 1 < text.len && !any; i++)
        any = text.at[i] == '$' && (text.at[i + 1] == '$' || text.at[i + 1] == '{');
    if (!any)
        return text;
    struct vars v = {arena, place, report, 0};
    struct leat_buf out;
    leat_buf_init(&out, VALUE_BYTES_MAX);
    expand(&v, text, &out);
    if (out.overflow)
        leat_report_add(report, LEAT_SEVERITY_ERROR, place, "value larger than 64 KiB");
    struct leat_str s = leat_buf_str(&out);
    /* A NUL would make C strings of this value lie. */
    if (memchr(s.at, '\0', s.len) != NULL) {
        leat_report_add(report, LEAT_SEVERITY_ERROR, place, "a NUL byte in the value");
        s.len = (uint32_t)strlen(s.at);
    }
    struct leat_str kept = {leat_arena_cstr(arena, s), s.len};
    leat_buf_done(&out);
    return kept;
}
