/* leat dlq export and import. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "cli/dlq.h"
#include "query/dead_lines.h"

#define PAGE_ROWS     50 /* each may be as large as limits.message */
#define BATCH_ROWS    200
#define BATCH_BYTES   (8U << 20)
#define REFUSED_SHOWN 50

/* ---- export ---- */

static int export_page(struct leat_session *s, const struct leat_dead_row *rows, size_t n)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    int code = LEAT_EXIT_OK;
    leat_buf_init(&out, LEAT_DEAD_LINE_MAX);
    for (size_t i = 0; i < n && code == LEAT_EXIT_OK; i++) {
        leat_buf_clear(&out);
        leat_dead_line_put(s->schemas, &rows[i], &out);
        code = leat_cli_print(&out);
    }
    return code;
}

int leat_dlq_export(struct leat_session *s, const struct leat_dlq_options *o, char **args, int n)
{
    (void)args;
    (void)n;
    struct leat_error err = {0};
    struct leat_dead_filter f;
    struct leat_dead_page page = {.filter = &f, .limit = PAGE_ROWS, .whole = true};
    char processor[256];
    size_t count = PAGE_ROWS;
    int64_t total = 0;
    if (leat_dlq_filter(s, o, LEAT_DEAD_OPEN, &f, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    struct leat_arena *arena = leat_arena_new(1U << 20, 4U << 20);
    int code = LEAT_EXIT_OK;
    while (count == PAGE_ROWS && code == LEAT_EXIT_OK) {
        struct leat_dead_row *rows = NULL;
        if (leat_store_dead(s->store, &page, arena, &rows, &count, &err) != LEAT_OK) {
            code = leat_cli_fail(&err);
            break;
        }
        code = export_page(s, rows, count);
        total += (int64_t)count;
        if (count == 0)
            break;
        page.last_at_us = rows[count - 1].last_at_us;
        page.id = rows[count - 1].id;
        (void)snprintf(processor, sizeof processor, "%.*s",
                       LEAT_STR_FMT(rows[count - 1].processor));
        page.processor = leat_str_of(processor);
        leat_arena_reset(arena);
    }
    leat_arena_free(arena);
    (void)fprintf(stderr, "%" PRId64 " dead letters\n", total);
    if (total == 0)
        leat_dlq_suggest(s, &f);
    return code;
}

/* ---- import ---- */

struct import {
    struct leat_session *s;
    const char *name;
    struct leat_arena *arena; /* of the batch under way */
    struct leat_dead_row *rows;
    size_t n, bytes;
    int64_t line, read, added, refused;
    struct leat_str *processors;
    size_t processor_count;
    bool json;
};

static void refuse(struct import *m, const struct leat_error *err)
{
    m->refused++;
    if (m->refused == REFUSED_SHOWN + 1)
        (void)fprintf(stderr, "further lines that are refused are only counted\n");
    if (m->refused > REFUSED_SHOWN)
        return;
    (void)fprintf(stderr, "%s:%" PRId64 ": %s%s%s\n", m->name, m->line, err->msg,
                  err->hint[0] != '\0' ? "; " : "", err->hint);
}

static leat_status flush(struct import *m, struct leat_error *err)
{
    size_t added = 0;
    leat_status status =
        m->n == 0 ? LEAT_OK : leat_store_dead_put(m->s->store, m->rows, m->n, &added, err);
    if (status == LEAT_OK)
        m->added += (int64_t)added;
    m->n = 0;
    m->bytes = 0;
    leat_arena_reset(m->arena);
    m->rows = leat_arena_zalloc(m->arena, BATCH_ROWS, sizeof *m->rows);
    return status;
}

/* Where this store would have it: by its key, or where it was found if that is no place of keys. */
static leat_status place(struct import *m, struct leat_dead_row *d, struct leat_error *err)
{
    int32_t partitions = m->s->topology->partitions;
    bool known = false;
    for (size_t i = 0; i < m->processor_count; i++)
        known |= leat_str_eq(m->processors[i], d->processor);
    if (!known)
        return leat_processor_known(m->s->store, d->processor, m->arena, err);
    if (d->slice >= partitions)
        d->slice = d->key_null ? 0 : leat_partition(d->key, partitions);
    return LEAT_OK;
}

static leat_status take_line(struct import *m, const char *text, size_t len, struct leat_error *err)
{
    struct leat_error why = {0};
    struct leat_dead_row d;
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    m->line++;
    if (len == 0)
        return LEAT_OK;
    m->read++;
    if (len > LEAT_DEAD_LINE_MAX) {
        (void)leat_fail(&why, LEAT_INVALID, "the line is longer than %u bytes", LEAT_DEAD_LINE_MAX);
        refuse(m, &why);
        return LEAT_OK;
    }
    struct leat_str line = leat_arena_copy(m->arena, (struct leat_str){text, (uint32_t)len});
    m->bytes += len; /* also of a line that is refused: the arena has it until the next flush */
    leat_status status = leat_dead_line_read(line, m->arena, &d, &why);
    if (status == LEAT_OK)
        status = place(m, &d, &why);
    if (status != LEAT_OK && status != LEAT_INVALID) {
        *err = why;
        return status;
    }
    if (status == LEAT_OK)
        m->rows[m->n++] = d;
    else
        refuse(m, &why);
    return m->n == BATCH_ROWS || m->bytes >= BATCH_BYTES ? flush(m, err) : LEAT_OK;
}

static leat_status read_lines(struct import *m, FILE *f, struct leat_error *err)
{
    char *text = NULL;
    size_t cap = 0;
    ssize_t len = 0;
    leat_status status = LEAT_OK;
    while (status == LEAT_OK && (len = getline(&text, &cap, f)) >= 0)
        status = take_line(m, text, (size_t)len, err);
    free(text);
    if (status == LEAT_OK && ferror(f) != 0)
        status = leat_fail(err, LEAT_FATAL, "could not read '%s': %s", m->name, strerror(errno));
    return status == LEAT_OK ? flush(m, err) : status;
}

static int print_import(const struct import *m)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    struct leat_json_writer w;
    int64_t there = m->read - m->added - m->refused;
    leat_buf_init(&out, 4096);
    if (m->json) {
        leat_json_writer_init(&w, &out);
        leat_json_begin_object(&w);
        leat_json_put_int(&w, "lines", m->read);
        leat_json_put_int(&w, "added", m->added);
        leat_json_put_int(&w, "there_before", there);
        leat_json_put_int(&w, "refused", m->refused);
        leat_json_end_object(&w);
        leat_buf_putc(&out, '\n');
    } else {
        leat_buf_printf(&out,
                        "%" PRId64 " lines: %" PRId64 " added, %" PRId64 " there before, %" PRId64
                        " refused\n",
                        m->read, m->added, there, m->refused);
    }
    int code = leat_cli_print(&out);
    return code == LEAT_EXIT_OK && m->refused > 0 ? LEAT_EXIT_FAILED : code;
}

int leat_dlq_import(struct leat_session *s, const struct leat_dlq_options *o, char **args, int n)
{
    (void)n;
    struct leat_error err = {0};
    bool standard = strcmp(args[0], "-") == 0;
    struct import m = {.s = s, .name = standard ? "standard input" : args[0], .json = o->json};
    FILE *f = standard ? stdin : fopen(args[0], "r");
    if (f == NULL) {
        (void)leat_fail(&err, LEAT_INVALID, "could not read '%s': %s", args[0], strerror(errno));
        return leat_cli_fail(&err);
    }
    m.arena = leat_arena_new(1U << 20, 32U << 20);
    m.rows = leat_arena_zalloc(m.arena, BATCH_ROWS, sizeof *m.rows);
    leat_status status =
        leat_store_processors(s->store, s->arena, &m.processors, &m.processor_count, &err);
    if (status == LEAT_OK)
        status = read_lines(&m, f, &err);
    if (!standard)
        (void)fclose(f);
    leat_arena_free(m.arena);
    int code = print_import(&m);
    return status == LEAT_OK ? code : leat_cli_fail(&err);
}
