/* stalled.h - lanes that have lag and make no progress, from the workers to whoever asks: as
 * metrics and in /readyz of the process that serves HTTP, and in `leat status` as
 * that one tells. */
#ifndef LEAT_CLI_STALLED_H
#define LEAT_CLI_STALLED_H

#include "base/json.h"
#include "cli/family.h"
#include "cli/status.h"

#define LEAT_STALLED_TEXT 400
/* "waiting: Postgres, blocked by pid 4711, since 2026-11-22T10:00:00Z" */
void leat_stalled_text(const struct leat_stalled *s, char ret[LEAT_STALLED_TEXT]);
void leat_stalled_time(int64_t unix_ms, char ret[32]); /* 2026-11-22T10:00:00Z */

/* leat_lane_stalled_seconds; nothing when all flows. */
void leat_stalled_metrics(const struct leat_topology *t, const struct leat_family_figures *all,
                          struct leat_buf *out);
/* One object for each, in an array that has begun. */
void leat_stalled_json(const struct leat_family_figures *all, struct leat_json_writer *w);

/* ---- leat status ---- */
/* Fills v->stalled: what the door tells, and what nobody can tell of itself: partitions with lag
 * that no process has. */
void leat_stalled_collect(struct leat_status_view *v);
void leat_stalled_lines(const struct leat_status_view *v,
                        struct leat_buf *out); /* nothing when none */

#endif
