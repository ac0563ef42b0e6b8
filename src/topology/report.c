#include "topology/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

#define ARENA_BLOCK_BYTES 4096
#define TEXT_BYTES_MAX    600

static const char *const severity_names[] = {"error", "warning", "note"};

static struct leat_arena *arena_of(struct leat_report *r)
{
    if (r->arena == NULL)
        r->arena = leat_arena_new(ARENA_BLOCK_BYTES, 0);
    return r->arena;
}

static const char *keep(struct leat_report *r, const char *fmt, va_list args) LEAT_PRINTF(2, 0);

/* What came from the file may hold anything: one line, bounded. */
static const char *keep(struct leat_report *r, const char *fmt, va_list args)
{
    char text[TEXT_BYTES_MAX];
    (void)vsnprintf(text, sizeof text, fmt, args);
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            *p = ' ';
    }
    return leat_arena_cstr(arena_of(r), leat_str_of(text));
}

static void count(struct leat_report *r, leat_severity severity)
{
    switch (severity) {
    case LEAT_SEVERITY_ERROR:
        r->errors++;
        break;
    case LEAT_SEVERITY_WARNING:
        r->warnings++;
        break;
    case LEAT_SEVERITY_NOTE:
        r->notes++;
        break;
    }
}

static bool same(const struct leat_finding *f, leat_severity severity,
                 const struct leat_place *place, const char *message)
{
    return f->severity == severity && f->place.line == place->line &&
           f->place.column == place->column && strcmp(f->message, message) == 0;
}

void leat_report_add(struct leat_report *r, leat_severity severity, const struct leat_place *place,
                     const char *fmt, ...)
{
    static const struct leat_place nowhere;
    if (place == NULL)
        place = &nowhere;
    if (r->n == LEAT_FINDINGS_MAX) {
        count(r, severity);
        return;
    }
    va_list args;
    va_start(args, fmt);
    const char *message = keep(r, fmt, args);
    va_end(args);
    /* A node reached through several aliases is judged several times: say it once. */
    for (size_t i = 0; i < r->n; i++) {
        if (place->file != NULL && same(&r->findings[i], severity, place, message))
            return;
    }
    count(r, severity);
    r->findings = leat_arena_grow(arena_of(r), r->findings, sizeof *r->findings, &r->cap, r->n + 1);
    struct leat_place kept = *place;
    if (kept.file != NULL)
        kept.file = leat_arena_cstr(arena_of(r), leat_str_of(kept.file));
    r->findings[r->n++] = (struct leat_finding){severity, kept, message, ""};
}

bool leat_report_has(const struct leat_report *r, const struct leat_place *place)
{
    for (size_t i = 0; i < r->n; i++) {
        const struct leat_place *p = &r->findings[i].place;
        if (r->findings[i].severity == LEAT_SEVERITY_ERROR && p->file != NULL &&
            strcmp(p->file, place->file) == 0 && p->line == place->line &&
            p->column == place->column)
            return true;
    }
    return false;
}

void leat_report_hint(struct leat_report *r, const char *fmt, ...)
{
    if (r->n == 0)
        return;
    va_list args;
    va_start(args, fmt);
    r->findings[r->n - 1].hint = keep(r, fmt, args);
    va_end(args);
}

#define CHOICES_BYTES_MAX 4000
#define CHOICES_SHOWN     20

void leat_choice_start(struct leat_choice *c, struct leat_str wrong)
{
    *c = (struct leat_choice){.n = 0};
    leat_suggest_start(&c->near, wrong);
    leat_buf_init(&c->all, CHOICES_BYTES_MAX);
}

void leat_choice_offer(struct leat_choice *c, struct leat_str name)
{
    leat_suggest_offer(&c->near, name);
    if (c->n++ < CHOICES_SHOWN)
        leat_buf_printf(&c->all, "%s%.*s", c->n == 1 ? "" : ", ", LEAT_STR_FMT(name));
}

void leat_choice_hint(struct leat_choice *c, struct leat_report *r)
{
    if (c->near.best.len > 0)
        leat_report_hint(r, "did you mean '%.*s'?", LEAT_STR_FMT(c->near.best));
    else if (c->n == 1)
        leat_report_hint(r, "there is only %.*s", LEAT_STR_FMT(leat_buf_str(&c->all)));
    else if (c->n > 1 && !c->all.overflow)
        leat_report_hint(r, "there are %.*s%s", LEAT_STR_FMT(leat_buf_str(&c->all)),
                         c->n > CHOICES_SHOWN ? ", …" : "");
    leat_buf_done(&c->all);
}

static int by_place(const void *va, const void *vb)
{
    const struct leat_finding *a = *(const struct leat_finding *const *)va;
    const struct leat_finding *b = *(const struct leat_finding *const *)vb;
    int files = strcmp(a->place.file == NULL ? "" : a->place.file,
                       b->place.file == NULL ? "" : b->place.file);
    if (files != 0)
        return files;
    if (a->place.line != b->place.line)
        return a->place.line < b->place.line ? -1 : 1;
    if (a->place.column != b->place.column)
        return a->place.column < b->place.column ? -1 : 1;
    return a < b ? -1 : a > b; /* both point into one array: the order found */
}

static size_t sorted(const struct leat_report *r, const struct leat_finding **to)
{
    for (size_t i = 0; i < r->n; i++)
        to[i] = &r->findings[i];
    qsort(to, r->n, sizeof *to, by_place);
    return r->n;
}

void leat_report_text_from(const struct leat_report *r, leat_severity least,
                           struct leat_buf *ret_text)
{
    const struct leat_finding *order[LEAT_FINDINGS_MAX];
    size_t n = sorted(r, order);
    for (size_t i = 0; i < n; i++) {
        const struct leat_finding *f = order[i];
        if (f->severity > least)
            continue;
        if (f->place.file != NULL)
            leat_buf_printf(ret_text, "%s:%u:%u: ", f->place.file, f->place.line, f->place.column);
        leat_buf_printf(ret_text, "%s: %s", severity_names[f->severity], f->message);
        if (f->hint[0] != '\0')
            leat_buf_printf(ret_text, " (%s)", f->hint);
        leat_buf_putc(ret_text, '\n');
    }
    size_t all = r->errors + r->warnings + r->notes;
    if (all > r->n) /* said whatever the severity: the bound itself is worth knowing */
        leat_buf_printf(ret_text, "and %zu more\n", all - r->n);
}

void leat_report_text(const struct leat_report *r, struct leat_buf *ret_text)
{
    leat_report_text_from(r, LEAT_SEVERITY_NOTE, ret_text);
}

void leat_report_json(const struct leat_report *r, struct leat_json_writer *w)
{
    const struct leat_finding *order[LEAT_FINDINGS_MAX];
    size_t n = sorted(r, order);
    leat_json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        const struct leat_finding *f = order[i];
        leat_json_begin_object(w);
        leat_json_put_cstr(w, "severity", severity_names[f->severity]);
        leat_json_put_cstr(w, "file", f->place.file);
        leat_json_put_int(w, "line", f->place.line);
        leat_json_put_int(w, "column", f->place.column);
        leat_json_put_cstr(w, "message", f->message);
        leat_json_put_cstr(w, "hint", f->hint);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
}

void leat_report_done(struct leat_report *r)
{
    leat_arena_free(r->arena);
    *r = (struct leat_report){0};
}
