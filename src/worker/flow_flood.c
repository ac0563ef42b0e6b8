/* The flood breaker: too many dead letters at once are nobody's bad message, but a bad release or
 * a bad rule: the processor stands still, and the rest stays where it is, in order. */
#include <stdio.h>

#include "worker/flow_internal.h"

#define FLOOD_LEAST 50 /* messages, before a share of them says anything */

void flow_flood_count(struct leat_flow *f, bool dead)
{
    const struct leat_processor *p = leat_dispatch_processor(f->c.dispatch);
    struct flow_flood *d = &f->flood;
    if ((p->flood_share <= 0 && p->flood_consecutive <= 0) || f->paused[0] != '\0')
        return;
    d->in_row = dead ? d->in_row + 1 : 0;
    d->dead -= d->n == FLOW_FLOOD_WINDOW && d->was[d->at];
    d->was[d->at] = dead;
    d->dead += dead;
    d->at = (d->at + 1) % FLOW_FLOOD_WINDOW;
    d->n += d->n < FLOW_FLOOD_WINDOW;
    if (p->flood_consecutive > 0 && d->in_row >= p->flood_consecutive)
        (void)snprintf(f->paused, sizeof f->paused, "flood: %lld dead letters in a row",
                       (long long)d->in_row);
    else if (p->flood_share > 0 && d->n >= FLOOD_LEAST && d->dead >= p->flood_share * d->n)
        (void)snprintf(f->paused, sizeof f->paused,
                       "flood: %u of the last %u messages are dead letters", d->dead, d->n);
    f->flooded |= f->paused[0] != '\0';
}

bool leat_flow_flooded(const struct leat_flow *f)
{
    return f->flooded;
}

const char *leat_flow_paused(const struct leat_flow *f)
{
    return f->paused[0] == '\0' ? NULL : f->paused;
}

void leat_flow_pause(struct leat_flow *f, const char *reason)
{
    f->flooded = false;
    if (reason == NULL && f->paused[0] != '\0')
        f->flood = (struct flow_flood){0};
    (void)snprintf(f->paused, sizeof f->paused, "%s", reason == NULL ? "" : reason);
}
