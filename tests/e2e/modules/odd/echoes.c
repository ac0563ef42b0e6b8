/* echoes.c - counts what the policy sent. */
#include "odd.h"

static void echoed(struct echo_state *s, const struct echoed *e)
{
    s->count = e->count;
}

LEAT_AGGREGATE(echo, 1, FOLD_ECHOED(echoed));

static leat_answer echo(struct leat_ctx *ctx, const struct echo *c, const struct echo_state *s)
{
    emit_echoed(
        ctx, &(struct echoed){.thing_id = c->thing_id, .times = c->times, .count = s->count + 1});
    return LEAT_DONE;
}

LEAT_PROCESSOR(echoes, 1, ON_ECHO(echo));
