/* watcher.c - a policy: an event in, a command out. */
#include "odd.h"

static leat_answer thing_was_set(struct leat_ctx *ctx, const struct thing_set *e)
{
    send_echo(ctx, &(struct echo){.thing_id = e->thing_id, .times = e->times});
    return LEAT_DONE;
}

LEAT_PROCESSOR(watcher, 1, ON_THING_SET(thing_was_set));
