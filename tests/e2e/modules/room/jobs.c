/* jobs.c - jobs in order; "later:<ms>" sends a reminder then, "cancel:<id>" takes it back. */
#include <stdlib.h>

#include "how.h"
#include "room.h"

static void done(struct job_state *s, const struct done *e)
{
    (void)e;
    s->times++;
}

LEAT_AGGREGATE(job, 1, FOLD_DONE(done));

static leat_answer do_it(struct leat_ctx *ctx, const struct work *c, const struct job_state *s)
{
    char rest[100];
    struct leat_str note = c->how;
    (void)s;
    leat_answer answer = how_answer(ctx, c->how);
    if (answer != LEAT_DONE)
        return answer;
    if (how_rest(c->how, "later:", rest, sizeof rest))
        note = send_remind_after(ctx, strtol(rest, NULL, 10),
                                 &(struct remind){.job = c->job, .number = c->number});
    if (how_rest(c->how, "cancel:", rest, sizeof rest))
        leat_cancel(ctx, leat_text(ctx, "%s", rest));
    emit_done(ctx, &(struct done){.job = c->job, .number = c->number, .note = note});
    return LEAT_DONE;
}

LEAT_PROCESSOR(jobs, 1, ON_WORK(do_it));
