#include "how.h"
#include "room.h"

static void fold(struct job_state *s, const struct kept *e)
{
    (void)e;
    s->times++;
}

LEAT_AGGREGATE(keep, 1, FOLD_KEPT(fold));

static leat_answer work(struct leat_ctx *ctx, const struct keep *c, const struct job_state *s)
{
    (void)s;
    leat_answer answer = how_answer(ctx, c->how);
    if (answer == LEAT_DONE)
        emit_kept(ctx, &(struct kept){.job = c->job, .number = c->number});
    return answer;
}

LEAT_PROCESSOR(keepers, 1, ON_KEEP(work));
