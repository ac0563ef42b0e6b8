#include "newshop.h"

static leat_answer place(struct leat_ctx *ctx, const struct place_order *c,
                         const struct order_state *s)
{
    if (s->status != ORDER_NONE)
        return leat_reject(ctx, "order-exists", "there is an order under this id");
    if (c->lines.len == 0)
        return leat_reject(ctx, "no-lines", "an order needs at least one line");
    int64_t total = 0;
    for (size_t i = 0; i < c->lines.len; i++) {
        if (c->lines.at[i].quantity <= 0)
            return leat_reject(ctx, "bad-quantity", "line %zu: %d of %.*s", i + 1,
                               c->lines.at[i].quantity, LEAT_STR_FMT(c->lines.at[i].sku));
        total += c->lines.at[i].quantity * c->lines.at[i].price_cents;
    }
    emit_order_placed(ctx,
                      &(struct order_placed){.order_id = c->order_id,
                                             .customer_id = c->customer_id,
                                             .currency = c->currency,
                                             .total_cents = total,
                                             .lines = {.at = c->lines.at, .len = c->lines.len}});
    return LEAT_DONE;
}

static leat_answer mark_paid_(struct leat_ctx *ctx, const struct mark_paid *c,
                              const struct order_state *s)
{
    if (s->status == ORDER_NONE)
        return leat_reject(ctx, "no-such-order", "there is no order under this id");
    if (s->status != ORDER_PLACED)
        return leat_reject(ctx, "not-open", "the order is paid or cancelled");
    if (c->amount_cents != s->total_cents)
        return leat_reject(ctx, "wrong-amount", "%lld instead of %lld cents",
                           (long long)c->amount_cents, (long long)s->total_cents);
    emit_order_paid(ctx, &(struct order_paid){.order_id = c->order_id,
                                              .payment_id = c->payment_id,
                                              .amount_cents = c->amount_cents});
    return LEAT_DONE;
}

static leat_answer cancel(struct leat_ctx *ctx, const struct cancel_order *c,
                          const struct order_state *s)
{
    if (s->status != ORDER_PLACED)
        return leat_reject(ctx, "not-open", "only an open order can be cancelled");
    emit_order_cancelled(ctx,
                         &(struct order_cancelled){.order_id = c->order_id, .reason = c->reason});
    return LEAT_DONE;
}

LEAT_PROCESSOR(orders, 1, ON_PLACE_ORDER(place), ON_MARK_PAID(mark_paid_), ON_CANCEL_ORDER(cancel));
