/* at_least.h - how new a read model must be before `get` and `list` answer: their options, and what
 * they ask for. */
#ifndef LEAT_CLI_AT_LEAST_H
#define LEAT_CLI_AT_LEAST_H

#include "cli/cli.h"
#include "cli/session.h"
#include "projection/model_read.h"
#include "query/tokens.h"

struct leat_at_least {
    const char *position; /* as answers of HTTP have it, or "now"; NULL: as it is */
    int64_t wait_ms;
    struct leat_token token; /* read by leat_at_least_read() */
};

/* The two rows for option tables; `field` is a struct leat_at_least. */
#define LEAT_CLI_AT_LEAST(type, field)                                                             \
    {                                                                                              \
        "at-least", 0, LEAT_OPT_STR, offsetof(type, field.position), "POSITION", NULL, NULL, 0, 0, \
            "Wait until the model has this Leat-Position; 'now': all the store has."               \
    }
#define LEAT_CLI_WAIT(type, field)                                                                 \
    {                                                                                              \
        "wait", 0, LEAT_OPT_DURATION, offsetof(type, field.wait_ms), "DURATION", "5s", NULL, 0,    \
            3600000, "Wait so long for --at-least at most."                                        \
    }

/* 'now' asks the store. */
LEAT_MUST_CHECK leat_status leat_at_least_read(struct leat_session *s, struct leat_at_least *a,
                                               struct leat_error *err);
/* Opens the model and begins a snapshot, in which the page `cursor` (or "") goes on, that has what
 * is asked for. RETRY: not in time. */
LEAT_MUST_CHECK leat_status leat_at_least_begin(const struct leat_session *s, const char *model,
                                                struct leat_str cursor,
                                                const struct leat_at_least *a,
                                                struct leat_model_read *ret,
                                                struct leat_error *err);
/* Ends the snapshot and closes its model. */
void leat_at_least_end(struct leat_model_read *r);

#endif
