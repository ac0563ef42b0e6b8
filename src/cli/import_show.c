#include "cli/import_show.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define TERMINAL_EVERY_US INT64_C(200000)
#define LOG_EVERY_US      INT64_C(5000000)

void leat_import_show_start(struct leat_import_show *s, bool on,
                            const struct leat_import_progress *from)
{
    *s = (struct leat_import_show){.on = on,
                                   .terminal = isatty(STDERR_FILENO) == 1,
                                   .started_us = leat_mono_us(),
                                   .first_offset = from->offset,
                                   .first_row = from->counts.rows,
                                   .bytes = from->bytes};
    s->next_us = s->started_us + (s->terminal ? TERMINAL_EVERY_US : LOG_EVERY_US);
}

static bool due(struct leat_import_show *s, int64_t *ret_elapsed_us)
{
    int64_t now = leat_mono_us();
    if (!s->on || now < s->next_us)
        return false;
    s->next_us = now + (s->terminal ? TERMINAL_EVERY_US : LOG_EVERY_US);
    *ret_elapsed_us = now - s->started_us;
    return true;
}

void leat_import_show(struct leat_import_show *s, const struct leat_import_counts *counts,
                      int64_t offset)
{
    int64_t elapsed_us = 1;
    if (!due(s, &elapsed_us))
        return;
    double seconds = (double)elapsed_us / 1e6;
    double rate = (double)(counts->rows - s->first_row) / seconds;
    double bytes_per_s = (double)(offset - s->first_offset) / seconds;
    double percent = s->bytes > 0 ? 100.0 * (double)offset / (double)s->bytes : 100.0;
    int64_t eta_s = bytes_per_s > 0 ? (int64_t)((double)(s->bytes - offset) / bytes_per_s) : 0;
    if (s->terminal) {
        (void)fprintf(stderr, "\r%5.1f %%  %jd rows  %.0f/s  %jd refused  %jd:%02jd left \033[K",
                      percent, (intmax_t)counts->rows, rate, (intmax_t)counts->refused,
                      (intmax_t)(eta_s / 60), (intmax_t)(eta_s % 60));
    } else {
        leat_log_kv(LEAT_LOG_INFO, "cli", "import-progress",
                    LEAT_LOG_FIELDS(LEAT_LOG_INT("rows", counts->rows),
                                    LEAT_LOG_INT("refused", counts->refused),
                                    LEAT_LOG_INT("rows_per_s", rate), LEAT_LOG_INT("eta_s", eta_s)),
                    "%.1f %% read", percent);
    }
}

void leat_import_show_waiting(struct leat_import_show *s, int64_t unacknowledged)
{
    if (s->on && s->terminal) {
        (void)fprintf(stderr, "\rwaiting for the broker: %jd records not acknowledged\033[K",
                      (intmax_t)unacknowledged);
    } else {
        leat_log_kv(LEAT_LOG_WARN, "cli", "import-waiting",
                    LEAT_LOG_FIELDS(LEAT_LOG_INT("unacknowledged", unacknowledged)),
                    "waiting for the broker");
    }
}

void leat_import_show_end(struct leat_import_show *s)
{
    if (s->on && s->terminal)
        (void)fputs("\r\033[K", stderr);
}
