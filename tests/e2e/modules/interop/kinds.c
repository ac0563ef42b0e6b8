/* kinds.c - hands on what it got, so that each kind of value goes through a C struct. */
#include "interop.h"

static void counted(struct kinds_state *s, const struct kinds_counted *e)
{
    s->times = e->times;
}

LEAT_AGGREGATE(kinds, 1, FOLD_KINDS_COUNTED(counted));

static leat_answer make(struct leat_ctx *ctx, const struct make_kinds *c,
                        const struct kinds_state *s)
{
    emit_kinds_made(ctx, &(struct kinds_made){.id = c->id, .kinds = c->kinds});
    emit_kinds_counted(ctx, &(struct kinds_counted){.id = c->id, .times = s->times + 1});
    return LEAT_DONE;
}

LEAT_PROCESSOR(kinds, 1, ON_MAKE_KINDS(make));
