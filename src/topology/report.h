/* report.h - everything that is wrong with a topology, each with its place, collected instead of
 * stopping at the first. Owner: one thread. */
#ifndef LEAT_TOPOLOGY_REPORT_H
#define LEAT_TOPOLOGY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/suggest.h"

#define LEAT_FINDINGS_MAX 200 /* further ones are only counted */

struct leat_place {
    const char *file;      /* as given by the user, or the include; NULL: no place */
    uint32_t line, column; /* from 1 */
};

typedef enum leat_severity {
    LEAT_SEVERITY_ERROR,   /* the topology cannot be used */
    LEAT_SEVERITY_WARNING, /* used, but probably not what was meant, or not run by this version */
    LEAT_SEVERITY_NOTE,
} leat_severity;

struct leat_finding {
    leat_severity severity;
    struct leat_place place;
    const char *message; /* lowercase, one line, no full stop */
    const char *hint;    /* what would be right; may be "" */
};

struct leat_report { /* zero-initialised is empty; texts live until leat_report_done() */
    struct leat_arena *arena;
    struct leat_finding *findings;
    size_t n, cap;
    size_t errors, warnings, notes; /* of all severities, the left-out ones included */
};

void leat_report_add(struct leat_report *r, leat_severity severity, const struct leat_place *place,
                     const char *fmt, ...) LEAT_PRINTF(4, 5);
/* Whether an error was found at that place. */
bool leat_report_has(const struct leat_report *r, const struct leat_place *place);
/* Of the finding added last. */
void leat_report_hint(struct leat_report *r, const char *fmt, ...) LEAT_PRINTF(2, 3);
/* The hint of "not one of these": the nearest name, or all of them when none is near. */
struct leat_choice {
    struct leat_suggest near;
    struct leat_buf all;
    size_t n;
};
void leat_choice_start(struct leat_choice *c, struct leat_str wrong);
void leat_choice_offer(struct leat_choice *c, struct leat_str name);
/* Adds the hint to the last finding: "did you mean 'x'?" or "there are x, y"; nothing without
 * names. Frees what the choice holds; call it once. */
void leat_choice_hint(struct leat_choice *c, struct leat_report *r);

/* "file:line:column: error: message (hint)", one per line, by place. */
void leat_report_text(const struct leat_report *r, struct leat_buf *ret_text);
/* Nothing milder than `least`. */
void leat_report_text_from(const struct leat_report *r, leat_severity least,
                           struct leat_buf *ret_text);
/* A JSON array of {severity, file, line, column, message, hint}. */
struct leat_json_writer;
void leat_report_json(const struct leat_report *r, struct leat_json_writer *w);
void leat_report_done(struct leat_report *r);

#endif
