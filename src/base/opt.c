#include "base/opt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/env.h"
#include "base/suggest.h"
#include "base/units.h"

struct parse {
    const struct leat_opt_spec *spec;
    char *target;
    struct leat_error *err;
};

static bool *flag_of(const struct parse *p, const struct leat_opt *o)
{
    return (bool *)(void *)(p->target + o->offset);
}

static int64_t *number_of(const struct parse *p, const struct leat_opt *o)
{
    return (int64_t *)(void *)(p->target + o->offset);
}

static const char **text_of(const struct parse *p, const struct leat_opt *o)
{
    return (const char **)(void *)(p->target + o->offset);
}

static struct leat_opt_list *list_of(const struct parse *p, const struct leat_opt *o)
{
    return (struct leat_opt_list *)(void *)(p->target + o->offset);
}

static const char *show(const struct leat_opt *o, int64_t v, char text[LEAT_UNITS_TEXT])
{
    if (o->type == LEAT_OPT_DURATION)
        return leat_format_duration(v, text);
    if (o->type == LEAT_OPT_SIZE)
        return leat_format_size(v, text);
    char *end = text + LEAT_UNITS_TEXT - 1;
    uint64_t left = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    *end = '\0';
    do {
        *--end = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (v < 0)
        *--end = '-';
    return end;
}

static leat_units parse_number(const struct leat_opt *o, struct leat_str text, int64_t *ret)
{
    if (o->type == LEAT_OPT_DURATION)
        return leat_parse_duration(text, ret);
    if (o->type == LEAT_OPT_SIZE)
        return leat_parse_size(text, ret);
    return leat_parse_int(text, ret);
}

static const char *kind_of(const struct leat_opt *o)
{
    if (o->type == LEAT_OPT_DURATION)
        return "a duration with its unit, such as 500ms, 5s or 1m";
    if (o->type == LEAT_OPT_SIZE)
        return "a size with its unit, such as 64KiB or 1MiB";
    return "a whole number";
}

static leat_status set_number(const struct parse *p, const struct leat_opt *o, const char *origin,
                              const char *value)
{
    int64_t v = 0;
    if (parse_number(o, leat_str_of(value), &v) != LEAT_UNITS_OK)
        return leat_fail(p->err, LEAT_INVALID, "%s: '%.80s' is not %s", origin, value, kind_of(o));
    bool bounded = o->min != 0 || o->max != 0;
    if (bounded && (v < o->min || v > o->max)) {
        char low[LEAT_UNITS_TEXT];
        char high[LEAT_UNITS_TEXT];
        if (o->max == INT64_MAX)
            return leat_fail(p->err, LEAT_INVALID, "%s: %.80s is out of range, allowed: %s or more",
                             origin, value, show(o, o->min, low));
        return leat_fail(p->err, LEAT_INVALID, "%s: %.80s is out of range, allowed: %s to %s",
                         origin, value, show(o, o->min, low), show(o, o->max, high));
    }
    *number_of(p, o) = v;
    return LEAT_OK;
}

static leat_status set_flag(const struct parse *p, const struct leat_opt *o, const char *origin,
                            const char *value)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0", ""};
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        if (strcmp(value, yes[i]) == 0) {
            *flag_of(p, o) = true;
            return LEAT_OK;
        }
    }
    for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
        if (strcmp(value, no[i]) == 0) {
            *flag_of(p, o) = false;
            return LEAT_OK;
        }
    }
    return leat_fail(p->err, LEAT_INVALID, "%s: '%.80s' is not true or false", origin, value);
}

static leat_status set_value(const struct parse *p, const struct leat_opt *o, const char *origin,
                             const char *value)
{
    switch (o->type) {
    case LEAT_OPT_FLAG:
        return set_flag(p, o, origin, value);
    case LEAT_OPT_STR:
        *text_of(p, o) = value;
        return LEAT_OK;
    case LEAT_OPT_LIST: {
        struct leat_opt_list *list = list_of(p, o);
        if (list->n == LEAT_OPT_LIST_MAX)
            return leat_fail(p->err, LEAT_INVALID, "%s: given more than %d times", origin,
                             LEAT_OPT_LIST_MAX);
        list->at[list->n++] = value;
        return LEAT_OK;
    }
    case LEAT_OPT_INT:
    case LEAT_OPT_DURATION:
    case LEAT_OPT_SIZE:
        break;
    }
    return set_number(p, o, origin, value);
}

static leat_status set_defaults(const struct parse *p)
{
    for (size_t i = 0; i < p->spec->n_opts; i++) {
        const struct leat_opt *o = &p->spec->opts[i];
        if (o->def != NULL) {
            leat_status status = set_value(p, o, o->name, o->def);
            leat_assert(status == LEAT_OK); /* a default of the table that its own row refuses */
        }
        const char *env = o->env == NULL ? NULL : leat_env(o->env);
        if (env == NULL || env[0] == '\0')
            continue;
        char origin[80];
        (void)snprintf(origin, sizeof origin, "$%s", o->env);
        LEAT_TRY(set_value(p, o, origin, env), p->err, "environment");
    }
    return LEAT_OK;
}

static const struct leat_opt *find_name(const struct leat_opt_spec *spec, struct leat_str name)
{
    for (size_t i = 0; i < spec->n_opts; i++) {
        if (leat_str_eq(name, leat_str_of(spec->opts[i].name)))
            return &spec->opts[i];
    }
    return NULL;
}

static leat_status fail_unknown(const struct parse *p, struct leat_str name)
{
    struct leat_suggest s;
    leat_suggest_start(&s, name);
    for (size_t i = 0; i < p->spec->n_opts; i++)
        leat_suggest_offer_cstr(&s, p->spec->opts[i].name);
    leat_suggest_offer_cstr(&s, "help");
    if (s.best.len > 0)
        return leat_fail(p->err, LEAT_INVALID, "unknown option '--%.*s', did you mean '--%.*s'?",
                         LEAT_STR_FMT(name), LEAT_STR_FMT(s.best));
    leat_status status =
        leat_fail(p->err, LEAT_INVALID, "unknown option '--%.*s'", LEAT_STR_FMT(name));
    leat_error_hint(p->err, "'--help' lists the options.");
    return status;
}

/* `argv[*at]` is "--name", "--name=value" or "--no-flag"; *at moves when the value follows. */
static leat_status take_long(const struct parse *p, int argc, char **argv, int *at)
{
    const char *word = argv[*at] + 2;
    const char *equals = strchr(word, '=');
    struct leat_str name = leat_str_of(word);
    if (equals != NULL)
        name.len = (uint32_t)(equals - word);
    const struct leat_opt *o = find_name(p->spec, name);
    if (o == NULL && name.len > 3 && memcmp(name.at, "no-", 3) == 0 && equals == NULL) {
        o = find_name(p->spec, (struct leat_str){name.at + 3, name.len - 3});
        if (o != NULL && o->type == LEAT_OPT_FLAG) {
            *flag_of(p, o) = false;
            return LEAT_OK;
        }
        o = NULL;
    }
    if (o == NULL)
        return fail_unknown(p, name);
    char origin[80];
    (void)snprintf(origin, sizeof origin, "--%s", o->name);
    if (equals != NULL)
        return set_value(p, o, origin, equals + 1);
    if (o->type == LEAT_OPT_FLAG)
        return set_value(p, o, origin, "true");
    if (*at + 1 >= argc)
        return leat_fail(p->err, LEAT_INVALID, "%s needs a value (%s)", origin, o->arg);
    return set_value(p, o, origin, argv[++*at]);
}

/* `argv[*at]` is "-t", "-tvalue" or several flags in one word. */
static leat_status take_short(const struct parse *p, int argc, char **argv, int *at)
{
    for (const char *c = argv[*at] + 1; *c != '\0'; c++) {
        const struct leat_opt *o = NULL;
        for (size_t i = 0; i < p->spec->n_opts && o == NULL; i++)
            o = p->spec->opts[i].letter == *c ? &p->spec->opts[i] : NULL;
        const char origin[3] = {'-', *c, '\0'};
        if (o == NULL)
            return leat_fail(p->err, LEAT_INVALID, "unknown option '%s'", origin);
        if (o->type == LEAT_OPT_FLAG) {
            *flag_of(p, o) = true;
            continue;
        }
        if (c[1] != '\0')
            return set_value(p, o, origin, c + 1);
        if (*at + 1 >= argc)
            return leat_fail(p->err, LEAT_INVALID, "%s needs a value (%s)", origin, o->arg);
        return set_value(p, o, origin, argv[++*at]);
    }
    return LEAT_OK;
}

static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    }
    return false;
}

static leat_status take_all(const struct parse *p, int argc, char **argv, int *ret_args)
{
    int args = 0;
    bool only_args = false;
    for (int i = 1; i < argc; i++) {
        char *word = argv[i];
        leat_status status = LEAT_OK;
        if (only_args || word[0] != '-' || word[1] == '\0')
            argv[++args] = word;
        else if (strcmp(word, "--") == 0)
            only_args = true;
        else if (word[1] == '-')
            status = take_long(p, argc, argv, &i);
        else
            status = take_short(p, argc, argv, &i);
        if (status != LEAT_OK)
            return status;
    }
    *ret_args = args;
    return LEAT_OK;
}

leat_status leat_opt_parse(const struct leat_opt_spec *spec, int argc, char **argv, void *target,
                           struct leat_opt_result *ret, struct leat_error *err)
{
    struct parse p = {spec, target, err};
    if (asks_for_help(argc, argv)) {
        *ret = (struct leat_opt_result){.help = true};
        return LEAT_OK;
    }
    leat_status status = set_defaults(&p);
    if (status != LEAT_OK)
        return status;
    int args = 0;
    status = take_all(&p, argc, argv, &args);
    if (status != LEAT_OK)
        return status;
    if (spec->args_max >= 0 && args > spec->args_max)
        return leat_fail(err, LEAT_INVALID, "unexpected argument '%.80s'",
                         argv[spec->args_max + 1]);
    if (args < spec->args_min) {
        status = leat_fail(err, LEAT_INVALID, "missing argument");
        leat_error_hint(err, "Usage: %s", spec->usage);
        return status;
    }
    *ret = (struct leat_opt_result){.args = args};
    return LEAT_OK;
}
