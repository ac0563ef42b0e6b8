#include "cli/man.h"

#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "cli/new_files.h"

#define PAGE_BYTES_MAX ((size_t)512 * 1024)

struct pages {
    struct leat_new_files files;
    struct leat_buf overview; /* leat.1, whose list of verbs grows as they are visited */
    const char *dir;
};

static void put_text(struct leat_buf *page, const char *text)
{
    leat_man_text(page, leat_str_of(text));
}

static void add_page(struct pages *p, const char *name, struct leat_buf *page)
{
    leat_assert(!page->overflow);
    leat_new_file(&p->files, LEAT_NEW_WRITE,
                  leat_arena_printf(p->files.arena, "%s/%s", p->dir, name),
                  leat_arena_copy(p->files.arena, leat_buf_str(page)));
}

static void put_bounds(struct leat_buf *page, const struct leat_opt *o)
{
    char low[LEAT_UNITS_TEXT], high[LEAT_UNITS_TEXT];
    if (o->min == 0 && o->max == 0)
        return;
    if (o->type == LEAT_OPT_DURATION) {
        put_text(page, leat_format_duration(o->min, low));
        leat_buf_puts(page, " to ");
        put_text(page, leat_format_duration(o->max, high));
    } else if (o->type == LEAT_OPT_SIZE) {
        put_text(page, leat_format_size(o->min, low));
        leat_buf_puts(page, " to ");
        put_text(page, leat_format_size(o->max, high));
    } else if (o->max == INT64_MAX) {
        leat_buf_printf(page, "%lld or more", (long long)o->min);
    } else {
        leat_buf_printf(page, "%lld to %lld", (long long)o->min, (long long)o->max);
    }
    leat_buf_puts(page, ".\n");
}

static void put_option(struct leat_buf *page, const struct leat_opt *o)
{
    leat_buf_puts(page, ".TP\n");
    if (o->letter != '\0')
        leat_buf_printf(page, "\\fB\\-%c\\fR, ", o->letter);
    leat_buf_puts(page, "\\fB\\-\\-");
    put_text(page, o->name);
    leat_buf_puts(page, "\\fR");
    if (o->type != LEAT_OPT_FLAG) {
        leat_buf_puts(page, " \\fI");
        put_text(page, o->arg == NULL ? "VALUE" : o->arg);
        leat_buf_puts(page, "\\fR");
    }
    leat_buf_putc(page, '\n');
    put_text(page, o->help);
    leat_buf_putc(page, '\n');
    put_bounds(page, o);
    if (o->def != NULL) {
        leat_buf_puts(page, "Default: ");
        put_text(page, o->def);
        leat_buf_puts(page, strcmp(o->def, ".") == 0 ? "\n" : ".\n");
    }
    if (o->env != NULL)
        leat_buf_printf(page, "Environment: \\fB%s\\fR.\n", o->env);
}

/* Paragraphs as they are; indented lines are examples. */
static void put_details(struct leat_buf *page, const char *details)
{
    bool example = false;
    for (const char *at = details; *at != '\0';) {
        size_t len = strcspn(at, "\n");
        bool indented = *at == ' ';
        if (indented != example && len > 0) {
            leat_buf_puts(page, indented ? ".PP\n.nf\n" : ".fi\n.PP\n");
            example = indented;
        }
        if (len == 0 && !example)
            leat_buf_puts(page, ".PP\n");
        leat_man_text(page, (struct leat_str){at, (uint32_t)len});
        leat_buf_puts(page, len > 0 ? "\n" : "");
        at += len + (at[len] == '\n');
    }
    if (example)
        leat_buf_puts(page, ".fi\n");
}

static void put_exit_codes(struct leat_buf *page)
{
    leat_buf_puts(page, ".SH EXIT STATUS\n"
                        ".TP\n0\nok\n.TP\n1\nfailed\n.TP\n2\nwrong use, or an invalid file\n"
                        ".TP\n3\nthe answer is no: not found, different, would change\n");
}

/* A paragraph's macro before another, or at the end of a section, is nothing but a warning. */
static void put_verb(const struct leat_cli_command *c, const struct leat_opt_spec *spec, void *arg)
{
    struct pages *p = arg;
    LEAT_AUTO(leat_buf_done) struct leat_buf page;
    leat_buf_init(&page, PAGE_BYTES_MAX);
    const char *name = leat_arena_printf(p->files.arena, "leat-%s", c->name);
    leat_man_head(&page, name, "1");
    leat_buf_printf(&page, ".SH NAME\nleat\\-%s \\- ", c->name);
    put_text(&page, c->help);
    leat_buf_puts(&page, "\n.SH SYNOPSIS\n");
    put_text(&page, spec->usage);
    leat_buf_puts(&page, "\n.SH DESCRIPTION\n");
    put_text(&page, spec->summary);
    leat_buf_puts(&page, "\n.SH OPTIONS\n");
    for (size_t i = 0; i < spec->n_opts; i++)
        put_option(&page, &spec->opts[i]);
    leat_buf_puts(&page, ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nShow a summary.\n");
    if (spec->details != NULL) {
        leat_buf_puts(&page, ".SH NOTES\n");
        put_details(&page, spec->details);
    }
    put_exit_codes(&page);
    leat_buf_puts(&page, ".SH SEE ALSO\n\\fBleat\\fR(1), \\fBleat.yaml\\fR(5)\n");
    add_page(p, leat_arena_printf(p->files.arena, "man1/%s.1", name), &page);
    leat_buf_printf(&p->overview, ".TP\n\\fBleat\\-%s\\fR(1)\n", c->name);
    put_text(&p->overview, c->help);
    leat_buf_putc(&p->overview, '\n');
}

static void begin_overview(struct leat_buf *page)
{
    leat_man_head(page, "leat", "1");
    leat_buf_puts(page,
                  ".SH NAME\nleat \\- declare a topology of commands and events, run it, query it\n"
                  ".SH SYNOPSIS\n\\fBleat\\fR \\fIverb\\fR [\\fIoptions\\fR]\n"
                  ".SH DESCRIPTION\n"
                  "A topology file names the commands, the processors in C that decide on them, "
                  "the events that follow\nand the read models made of these. Commands come over "
                  "Kafka, events are kept in Postgres, read\nmodels are files that are served over "
                  "HTTP.\n"
                  "Results go to standard output, everything else to standard error.\n"
                  ".SH VERBS\n");
}

static void end_overview(struct leat_buf *page)
{
    leat_buf_puts(page,
                  ".SH ENVIRONMENT\n"
                  ".TP\n\\fBLEAT_TOPOLOGY\\fR\nThe topology file; default: leat.yaml here.\n"
                  ".TP\n\\fBLEAT_MODULES\\fR\nFolders, with colons between, where processors are "
                  "looked for first.\n"
                  ".TP\n\\fBLEAT_LOG\\fR\nerror, warn, info or debug.\n"
                  ".TP\n\\fBLEAT_LOG_FORMAT\\fR\ntext or json; default: text on a terminal.\n"
                  ".SH FILES\n"
                  ".TP\nleat.yaml\nThe topology.\n"
                  ".TP\nschemas/\nAvro schemas of commands, events and states.\n"
                  ".TP\nmodules/\nThe processors, built.\n"
                  ".TP\n\\&.leat/\nRead models.\n");
    put_exit_codes(page);
    leat_buf_puts(page, ".SH SEE ALSO\n\\fBleat.yaml\\fR(5)\n");
}

static void add_topology(struct pages *p)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf page;
    LEAT_AUTO(leat_buf_done) struct leat_buf reference;
    leat_buf_init(&page, PAGE_BYTES_MAX);
    leat_buf_init(&reference, PAGE_BYTES_MAX);
    leat_topology_reference(&reference);
    leat_man_head(&page, "leat.yaml", "5");
    leat_buf_puts(&page, ".SH NAME\nleat.yaml \\- a topology\n.SH DESCRIPTION\n");
    leat_man_markdown(&page, leat_buf_str(&reference));
    leat_buf_puts(&page, ".SH SEE ALSO\n\\fBleat\\fR(1), \\fBleat\\-check\\fR(1)\n");
    add_page(p, "man5/leat.yaml.5", &page);
}

int leat_man_write(struct leat_cli *cli, const char *dir)
{
    struct leat_arena *arena = leat_arena_new(64 * 1024, 0);
    struct pages p = {.files = {.arena = arena, .force = true}, .dir = dir};
    leat_buf_init(&p.overview, PAGE_BYTES_MAX);
    begin_overview(&p.overview);
    leat_cli_each(cli, put_verb, &p);
    end_overview(&p.overview);
    add_page(&p, "man1/leat.1", &p.overview);
    add_topology(&p);
    int code = leat_new_write(&p.files);
    leat_buf_done(&p.overview);
    leat_arena_free(arena);
    return code;
}
