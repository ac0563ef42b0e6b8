/* steps.c - a row per step, with all modes before it; hangs, crashes or is killed where told to. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "rows.h"

#define KILLS 4 /* one more than what is skipped was tried */

/* Calls so far, one byte each in $ROWS_TRACE. */
static long traced(void)
{
    const char *path = getenv("ROWS_TRACE");
    FILE *f = path == NULL ? NULL : fopen(path, "a");
    if (f == NULL)
        return KILLS;
    (void)fputc('.', f);
    (void)fflush(f);
    long n = ftell(f) - 1;
    (void)fclose(f);
    return n;
}

static void end_process(struct leat_str mode)
{
    volatile int *nowhere = NULL;
    if (leat_str_eq(mode, LEAT_STR("segv")))
        *nowhere = 1;
    if (leat_str_eq(mode, LEAT_STR("exit")))
        exit(1);
    if (leat_str_eq(mode, LEAT_STR("killed")) && traced() < KILLS)
        (void)kill(getpid(), SIGKILL);
}

static void done(struct leat_rows *rows, const struct done *e)
{
    const struct steps_row *before = NULL;
    size_t n = scan_steps(rows, &(struct steps_row){.job = e->job}, 1, &before);
    struct leat_str *all = leat_rows_alloc(rows, (n + 1) * sizeof *all);
    while (leat_str_eq(e->mode, LEAT_STR("hang")))
        (void)pause();
    end_process(e->mode);
    for (size_t i = 0; i < n; i++)
        all[i] = before[i].mode;
    struct steps_row row = {.no = e->number, .mode = e->mode, .all = {all, n}};
    struct steps_row last = {.no = e->number - 1};
    if (get_steps(rows, &last)) {
        row.has_since = true;
        row.since = leat_rows_seq(rows);
    }
    if (leat_str_eq(e->mode, LEAT_STR("forget")))
        delete_steps(rows, &last);
    put_steps(rows, &row);
}

LEAT_PROJECTION(steps, 1, ROWS_DONE(done));
