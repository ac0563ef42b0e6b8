/* watchers.c - a policy that waits, event by event: a note "gate:both-<name>" is a second gate,
 * too. */
#include "how.h"
#include "room.h"

static leat_answer saw(struct leat_ctx *ctx, const struct done *e)
{
    char name[100];
    if (!how_rest(e->note, "gate:both-", name, sizeof name) &&
        !leat_str_eq(e->note, LEAT_STR("tell")))
        return LEAT_DONE;
    struct leat_str gate = leat_text(ctx, "gate:watch-%s", name);
    if (e->note.len > 4 && how_gate_is_shut(ctx, gate))
        return leat_retry(ctx, "the second gate is shut");
    send_remind(ctx, &(struct remind){.job = e->job, .number = e->number});
    return LEAT_DONE;
}

LEAT_PROCESSOR(watchers, 1, ON_DONE(saw));
