/* notes.c - keeps what the policy saw, and in which order. */
#include "slow.h"

static void noted(struct walk_state *s, const struct noted *e)
{
    s->number = e->number;
}

LEAT_AGGREGATE(note, 1, FOLD_NOTED(noted));

static leat_answer note(struct leat_ctx *ctx, const struct note *c, const struct walk_state *s)
{
    (void)s;
    emit_noted(ctx, &(struct noted){.walk = c->walk, .number = c->number, .running = c->running});
    return LEAT_DONE;
}

LEAT_PROCESSOR(notes, 1, ON_NOTE(note));
