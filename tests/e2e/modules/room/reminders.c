#include "room.h"

static void fold(struct job_state *s, const struct reminded *e)
{
    (void)e;
    s->times++;
}

LEAT_AGGREGATE(reminder, 1, FOLD_REMINDED(fold));

static leat_answer work(struct leat_ctx *ctx, const struct remind *c, const struct job_state *s)
{
    (void)s;
    emit_reminded(ctx, &(struct reminded){.job = c->job, .number = c->number});
    return LEAT_DONE;
}

LEAT_PROCESSOR(reminders, 1, ON_REMIND(work));
