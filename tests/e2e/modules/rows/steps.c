/* steps.c - a row per step, with all modes before it; hangs where it is told to. */
#include <unistd.h>

#include "rows.h"

static void done(struct leat_rows *rows, const struct done *e)
{
    const struct steps_row *before = NULL;
    size_t n = scan_steps(rows, &(struct steps_row){.job = e->job}, 1, &before);
    struct leat_str *all = leat_rows_alloc(rows, (n + 1) * sizeof *all);
    while (leat_str_eq(e->mode, LEAT_STR("hang")))
        (void)pause();
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
