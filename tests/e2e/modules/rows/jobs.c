/* jobs.c - steps of a job, numbered. */
#include "rows.h"

static void done(struct job_state *s, const struct done *e)
{
    s->count = e->number;
}

LEAT_AGGREGATE(job, 1, FOLD_DONE(done));

static leat_answer step(struct leat_ctx *ctx, const struct do_ *c, const struct job_state *s)
{
    emit_done(ctx, &(struct done){.job = c->job, .number = s->count + 1, .mode = c->mode});
    return LEAT_DONE;
}

LEAT_PROCESSOR(jobs, 1, ON_DO(step));
