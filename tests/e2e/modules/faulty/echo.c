/* echo.c - a policy: does again what was done, hot. */
#include "faulty.h"

static leat_answer again(struct leat_ctx *ctx, const struct acted *e)
{
    leat_send_priority(ctx, "hot");
    send_act(ctx, &(struct act){.deed_id = e->deed_id, .how = LEAT_STR("well")});
    return LEAT_DONE;
}

LEAT_PROCESSOR(echo, 1, ON_ACTED(again));
