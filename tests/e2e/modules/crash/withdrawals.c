/* withdrawals.c - money goes out, if there is enough of it. */
#include "crash.h"

static leat_answer withdraw(struct leat_ctx *ctx, const struct withdraw *c,
                            const struct account_state *a)
{
    if (a->balance < c->cents)
        return leat_reject(ctx, "balance", "%lld cents in %lld events", (long long)a->balance,
                           (long long)a->count);
    emit_withdrawn(ctx, &(struct withdrawn){.account = c->account,
                                            .kind = LEAT_STR("withdrawal"),
                                            .cents = -c->cents,
                                            .balance = a->balance - c->cents,
                                            .count = a->count + 1,
                                            .number = c->number});
    return LEAT_DONE;
}

LEAT_PROCESSOR(withdrawals, 1, ON_WITHDRAW(withdraw));
