/* watchers.c - a policy that takes its time. */
#include <string.h>

#include "running.h"

static leat_answer saw(struct leat_ctx *ctx, const struct stepped *e)
{
    int most = take_time(e->walk);
    send_note(ctx, &(struct note){.walk = e->walk, .number = e->number, .running = most});
    return LEAT_DONE;
}

LEAT_PROCESSOR(watchers, 1, ON_STEPPED(saw));
