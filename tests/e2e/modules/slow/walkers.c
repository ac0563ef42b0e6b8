/* walkers.c - steps that must come in order, each taking a while. */
#include <string.h>

#include "running.h"

static void stepped(struct walk_state *s, const struct stepped *e)
{
    s->number = e->number;
}

LEAT_AGGREGATE(walk, 1, FOLD_STEPPED(stepped));

static leat_answer step(struct leat_ctx *ctx, const struct step *c, const struct walk_state *s)
{
    static atomic_int tries;
    int most = take_time(c->walk);
    if (leat_str_eq(c->mode, LEAT_STR("retry")) && atomic_fetch_add(&tries, 1) % 2 == 0)
        return leat_retry(ctx, "not yet");
    if (c->number != s->number + 1)
        return leat_reject(ctx, "order", "step %lld after %lld", (long long)c->number,
                           (long long)s->number);
    emit_stepped(ctx, &(struct stepped){.walk = c->walk, .number = c->number, .running = most});
    return LEAT_DONE;
}

LEAT_PROCESSOR(walkers, 1, ON_STEP(step));
