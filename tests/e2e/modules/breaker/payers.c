/* payers.c - payments of an account, in order, each through the provider; those that may be done
 * without it are. */
#include "provider.h"

static void paid(struct account_state *s, const struct paid *e)
{
    s->number = e->number;
}

LEAT_AGGREGATE(account, 1, FOLD_PAID(paid));

static leat_answer done(struct leat_ctx *ctx, const struct pay *c, const char *by)
{
    emit_paid(ctx,
              &(struct paid){.account = c->account, .number = c->number, .by = leat_str_of(by)});
    return LEAT_DONE;
}

static leat_answer pay(struct leat_ctx *ctx, const struct pay *c, const struct account_state *s)
{
    if (c->number != s->number + 1)
        return leat_reject(ctx, "order", "payment %lld after %lld", (long long)c->number,
                           (long long)s->number);
    bool or_book = leat_str_eq(c->mode, LEAT_STR("or-book"));
    if (!leat_call_begin(ctx, "psp"))
        return or_book ? done(ctx, c, "book") : leat_retry(ctx, "the provider is away");
    int status = provider_pay(ctx, c);
    leat_call_end(ctx, "psp", status >= 200 && status < 500);
    if (status == 200)
        return done(ctx, c, "psp");
    if (status == 422)
        return leat_reject(ctx, "declined", "the provider declined");
    return or_book ? done(ctx, c, "book") : leat_retry(ctx, "the provider answered %d", status);
}

LEAT_PROCESSOR(payers, 1, ON_PAY(pay));
