/* breaker.h - a circuit breaker: stops calling what fails, and tries again by a few.
 *
 *            failures in a row, or their share          open_for
 *   CLOSED ------------------------------------> OPEN ------------> HALF_OPEN
 *      ^                                           ^                  |   |
 *      |                                           '-- a trial failed '   |
 *      '------------------------------ `trials` trials have succeeded ----'
 *
 * It reads no clock: `now_ms` is monotonic and the caller's. Threads: any; a circuit that is closed
 * takes no lock, unless a tenth of the window begins. */
#ifndef LEAT_GUARD_BREAKER_H
#define LEAT_GUARD_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

struct leat_breaker;

typedef enum leat_breaker_state {
    LEAT_BREAKER_CLOSED,    /* calls go through and are counted                          */
    LEAT_BREAKER_OPEN,      /* none goes through until open_for is over                  */
    LEAT_BREAKER_HALF_OPEN, /* at most `trials` go through, and decide what comes of it */
} leat_breaker_state;

const char *leat_breaker_state_name(leat_breaker_state state); /* closed, open, half-open */

struct leat_breaker_change {
    leat_breaker_state from, to;
    int64_t until_ms;              /* to OPEN: when it will be tried again */
    int64_t in_a_row;              /* from CLOSED: failures in a row ... */
    int64_t failures_in, calls_in; /* ... and of those within the window, with `rate` */
};

struct leat_breaker_config {
    int64_t failures;    /* in a row, to open; 0 = whatever their number */
    double rate;         /* share of failures in the window, to open, 0 .. 1; 0 = whatever it is */
    int64_t window_ms;   /* with `rate`; slides in tenths */
    int64_t min_calls;   /* with `rate`: with fewer in the window their share means nothing */
    int64_t open_for_ms; /* from open to the first trial */
    int64_t trials;      /* at once, and as many successes close it; at least 1 */
    /* On each change of state, in order, under the breaker's lock: must not call it. NULL: nobody
     * listens. */
    void (*changed)(void *arg, const struct leat_breaker_change *change);
    void *arg;
};

/* What one call carries from begin to end. */
struct leat_breaker_pass {
    bool allowed;
    bool trial;          /* of a half-open circuit */
    int64_t retry_at_ms; /* refused: no call will be allowed before */
    uint64_t turn;       /* private */
};

struct leat_breaker_figures {
    leat_breaker_state state;
    int64_t retry_at_ms; /* OPEN: when it will be tried; else 0 */
    uint64_t calls, failures, refused, opened;
};

struct leat_breaker *leat_breaker_new(const struct leat_breaker_config *c);
void leat_breaker_free(struct leat_breaker *b); /* NULL is allowed */

struct leat_breaker_pass leat_breaker_begin(struct leat_breaker *b, int64_t now_ms);
/* Once for each pass that was allowed. The end of a call that began before the last change of state
 * is counted, but decides nothing. Trials that do not end within open_for are given up: others may
 * try. */
void leat_breaker_end(struct leat_breaker *b, const struct leat_breaker_pass *pass, bool ok,
                      int64_t now_ms);
/* True unless closed; then also when a call may be allowed at the earliest, now_ms or later. */
bool leat_breaker_unwell(struct leat_breaker *b, int64_t now_ms, int64_t *ret_retry_at_ms);
void leat_breaker_figures(struct leat_breaker *b, struct leat_breaker_figures *ret);

#endif
