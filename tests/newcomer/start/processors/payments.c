#include "newshop.h"

static leat_answer take(struct leat_ctx *ctx, const struct take_payment *c,
                        const struct payment_state *s)
{
    if (s->status != PAYMENT_NONE)
        return leat_reject(ctx, "payment-exists", "there is a payment under this id");
    emit_payment_taken(ctx, &(struct payment_taken){.payment_id = c->payment_id,
                                                    .order_id = c->order_id,
                                                    .currency = c->currency,
                                                    .amount_cents = c->amount_cents});
    return LEAT_DONE;
}

static leat_answer settle(struct leat_ctx *ctx, const struct settle_payment *c,
                          const struct payment_state *s)
{
    if (s->status == PAYMENT_NONE)
        return leat_reject(
            ctx, "no-such-payment",
            "there is no payment under this id"); /* not leat_retry: it holds the partition */
    if (s->status != PAYMENT_TAKEN)
        return leat_reject(ctx, "already-settled", "the payment is settled or failed");
    if (c->outcome == OUTCOME_OK)
        emit_payment_settled(ctx, &(struct payment_settled){.payment_id = c->payment_id,
                                                            .order_id = s->order_id,
                                                            .currency = s->currency,
                                                            .amount_cents = s->amount_cents});
    else
        emit_payment_failed(ctx, &(struct payment_failed){
                                     .payment_id = c->payment_id,
                                     .order_id = s->order_id,
                                     .reason = c->has_reason ? c->reason : LEAT_STR("refused")});
    return LEAT_DONE;
}

LEAT_PROCESSOR(payments, 1, ON_TAKE_PAYMENT(take), ON_SETTLE_PAYMENT(settle));
