#include "how.h"
#include "room.h"

static void fold(struct job_state *s, const struct tossed *e)
{
    (void)e;
    s->times++;
}

LEAT_AGGREGATE(toss, 1, FOLD_TOSSED(fold));

static leat_answer work(struct leat_ctx *ctx, const struct toss *c, const struct job_state *s)
{
    (void)s;
    leat_answer answer = how_answer(ctx, c->how);
    if (answer == LEAT_DONE)
        emit_tossed(ctx, &(struct tossed){.job = c->job, .number = c->number});
    return answer;
}

LEAT_PROCESSOR(tossers, 1, ON_TOSS(work));
