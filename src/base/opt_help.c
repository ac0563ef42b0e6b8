#include <string.h>

#include "base/opt.h"
#include "base/units.h"

#define COLUMN 26

static const char *arg_of(const struct leat_opt *o)
{
    if (o->type == LEAT_OPT_FLAG)
        return NULL;
    return o->arg == NULL ? "VALUE" : o->arg;
}

static void put_bound(struct leat_buf *b, const struct leat_opt *o, int64_t v)
{
    char text[LEAT_UNITS_TEXT];
    if (o->type == LEAT_OPT_DURATION)
        leat_buf_puts(b, leat_format_duration(v, text));
    else if (o->type == LEAT_OPT_SIZE)
        leat_buf_puts(b, leat_format_size(v, text));
    else
        leat_buf_printf(b, "%lld", (long long)v);
}

/* The help and, in brackets, range, default and variable; a full stop goes to the end. */
static void put_notes(struct leat_buf *b, const struct leat_opt *o)
{
    const char *separator = " (";
    size_t len = strlen(o->help);
    bool stop = len > 0 && o->help[len - 1] == '.';
    leat_buf_put(b, o->help, stop ? len - 1 : len);
    if (o->min != 0 || o->max != 0) {
        leat_buf_puts(b, separator);
        put_bound(b, o, o->min);
        leat_buf_puts(b, o->max == INT64_MAX ? " or more" : " to ");
        if (o->max != INT64_MAX)
            put_bound(b, o, o->max);
        separator = "; ";
    }
    if (o->def != NULL) {
        leat_buf_printf(b, "%sdefault %s", separator, o->def);
        separator = "; ";
    }
    if (o->env != NULL) {
        leat_buf_printf(b, "%s$%s", separator, o->env);
        separator = "; ";
    }
    if (separator[0] == ';')
        leat_buf_putc(b, ')');
    if (stop)
        leat_buf_putc(b, '.');
}

static void put_row(struct leat_buf *b, const struct leat_opt *o)
{
    size_t begin = b->len;
    if (o->letter != '\0')
        leat_buf_printf(b, "  -%c, --%s", o->letter, o->name);
    else
        leat_buf_printf(b, "      --%s", o->name);
    if (arg_of(o) != NULL)
        leat_buf_printf(b, " %s", arg_of(o));
    size_t used = b->len - begin;
    if (used + 2 > COLUMN) {
        leat_buf_putc(b, '\n');
        used = 0;
    }
    leat_buf_printf(b, "%*s", (int)(COLUMN - used), "");
    put_notes(b, o);
    leat_buf_putc(b, '\n');
}

void leat_opt_help(const struct leat_opt_spec *spec, struct leat_buf *ret_text)
{
    leat_buf_printf(ret_text, "Usage: %s\n%s\n", spec->usage, spec->summary);
    leat_buf_puts(ret_text, "\nOptions:\n");
    for (size_t i = 0; i < spec->n_opts; i++)
        put_row(ret_text, &spec->opts[i]);
    leat_buf_printf(ret_text, "  -h, --help%*sShow this text\n", COLUMN - 12, "");
    if (spec->details != NULL)
        leat_buf_printf(ret_text, "\n%s\n", spec->details);
}

void leat_opt_markdown(const struct leat_opt_spec *spec, struct leat_buf *ret_text)
{
    if (spec->n_opts == 0)
        return;
    leat_buf_puts(ret_text, "| option | meaning |\n|---|---|\n");
    for (size_t i = 0; i < spec->n_opts; i++) {
        const struct leat_opt *o = &spec->opts[i];
        leat_buf_puts(ret_text, "| `");
        if (o->letter != '\0')
            leat_buf_printf(ret_text, "-%c`, `", o->letter);
        leat_buf_printf(ret_text, "--%s", o->name);
        if (arg_of(o) != NULL)
            leat_buf_printf(ret_text, " %s", arg_of(o));
        leat_buf_puts(ret_text, "` | ");
        put_notes(ret_text, o);
        leat_buf_puts(ret_text, " |\n");
    }
}
