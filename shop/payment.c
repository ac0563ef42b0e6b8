/* payment.c - a payment's life. Stream payment-<payment_id>: asked for, then settled by what the
 * payment service provider says on its topic. */
#include "shop.h"

static void requested(struct payment_state *p, const struct payment_requested *e)
{
    p->status = PAYMENT_REQUESTED;
    p->order_id = e->order_id;
    p->currency = e->currency;
    p->cents = e->cents;
}

static void taken(struct payment_state *p, const struct payment_taken *e)
{
    (void)e;
    p->status = PAYMENT_TAKEN;
}

static void refused(struct payment_state *p, const struct payment_refused *e)
{
    (void)e;
    p->status = PAYMENT_REFUSED;
}

LEAT_AGGREGATE(payment, 1, FOLD_PAYMENT_REQUESTED(requested), FOLD_PAYMENT_TAKEN(taken),
               FOLD_PAYMENT_REFUSED(refused));

/* Is the word one of a list with blanks between? */
static bool listed(const char *list, struct leat_str word)
{
    for (const char *at = list; *at != '\0';) {
        size_t n = strcspn(at, " ");
        if (n > 0 && leat_str_eq(word, (struct leat_str){at, (uint32_t)n}))
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

/* Nothing to pay is paid at once, a currency the shop does not take is refused at once; the rest
 * waits for SettlePayment. */
static leat_answer take(struct leat_ctx *ctx, const struct take_payment *c,
                        const struct payment_state *p)
{
    if (p->status != PAYMENT_NONE)
        return leat_reject(ctx, "payment-exists", "this payment was asked for already");
    if (!listed(leat_option(ctx, "currencies", "EUR"), c->currency)) {
        struct leat_str why = leat_text(ctx, "no payments in %.*s", LEAT_STR_FMT(c->currency));
        emit_payment_refused(ctx, &(struct payment_refused){.payment_id = c->payment_id,
                                                            .order_id = c->order_id,
                                                            .reason = why});
        return LEAT_DONE;
    }
    emit_payment_requested(ctx, &(struct payment_requested){.payment_id = c->payment_id,
                                                            .order_id = c->order_id,
                                                            .currency = c->currency,
                                                            .cents = c->cents});
    if (c->cents == 0)
        emit_payment_taken(ctx, &(struct payment_taken){.payment_id = c->payment_id,
                                                        .order_id = c->order_id,
                                                        .currency = c->currency});
    return LEAT_DONE;
}

static leat_answer settle(struct leat_ctx *ctx, const struct settle_payment *c,
                          const struct payment_state *p)
{
    if (p->status == PAYMENT_NONE)
        return leat_reject(ctx, "no-such-payment", "nobody asked for this payment");
    if (p->status != PAYMENT_REQUESTED)
        return leat_reject(ctx, "payment-settled", "this payment is settled already");
    if (c->result == SETTLEMENT_RESULT_REFUSED) {
        emit_payment_refused(ctx, &(struct payment_refused){.payment_id = c->payment_id,
                                                            .order_id = p->order_id,
                                                            .reason = c->reason});
        return LEAT_DONE;
    }
    emit_payment_taken(ctx, &(struct payment_taken){.payment_id = c->payment_id,
                                                    .order_id = p->order_id,
                                                    .currency = p->currency,
                                                    .cents = p->cents,
                                                    .reference = c->reference});
    return LEAT_DONE;
}

LEAT_PROCESSOR(payments, 1, ON_TAKE_PAYMENT(take), ON_SETTLE_PAYMENT(settle));
