/* circuits.h - the circuits of services that handlers call, from a worker to whoever asks: as
 * metrics of this process, and in `leat status` as the process behind the HTTP door tells. */
#ifndef LEAT_CLI_CIRCUITS_H
#define LEAT_CLI_CIRCUITS_H

#include "base/json.h"
#include "cli/status.h"
#include "worker/worker.h"

/* Appends the metrics leat_breaker_* of all workers, labelled processor and call; nothing when no
 * processor declares `calls`. */
void leat_circuits_metrics(const struct leat_topology *t, struct leat_worker *const *workers,
                           const struct leat_processor *const *processors, size_t n,
                           struct leat_buf *out);

/* Of one processor, as the door tells; nothing where it does not answer. */
void leat_circuits_json(const struct leat_status_view *v, const char *processor,
                        struct leat_json_writer *w); /* key `calls` and an array */
void leat_circuits_text(const struct leat_status_view *v, const char *processor,
                        struct leat_buf *out);
/* One text for each circuit that is not closed. */
void leat_circuits_problems(const struct leat_status_view *v, const char *processor,
                            void (*tell)(void *arg, const char *text), void *arg);

#endif
