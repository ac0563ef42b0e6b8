/* notes.c - counts what deposits send. */
#include "crash.h"

static void noted(struct note_state *n, const struct noted *e)
{
    (void)e;
    n->count++;
}

LEAT_AGGREGATE(note, 1, FOLD_NOTED(noted));

static leat_answer note(struct leat_ctx *ctx, const struct note *c, const struct note_state *n)
{
    emit_noted(ctx, &(struct noted){.note = c->note, .count = n->count + 1, .number = c->number});
    return LEAT_DONE;
}

LEAT_PROCESSOR(notes, 1, ON_NOTE(note));
