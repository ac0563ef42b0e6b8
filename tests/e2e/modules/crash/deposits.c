/* deposits.c - money comes in. The event says which balance and count the handler decided on. */
#include "crash.h"
#include "tricks.h"

static leat_answer deposit(struct leat_ctx *ctx, const struct deposit *c,
                           const struct account_state *a)
{
    if (trick_asked(c->note))
        return trick_answer(ctx, c->note, c->number);
    if (c->cents <= 0)
        return leat_reject(ctx, "not-positive", "%lld cents", (long long)c->cents);
    emit_deposited(ctx, &(struct deposited){.account = c->account,
                                            .kind = LEAT_STR("deposit"),
                                            .cents = c->cents,
                                            .balance = a->balance + c->cents,
                                            .count = a->count + 1,
                                            .number = c->number});
    if (c->note.len > 0)
        send_note(ctx, &(struct note){.note = c->note, .number = c->number});
    return LEAT_DONE;
}

LEAT_PROCESSOR(deposits, 1, ON_DEPOSIT(deposit));
