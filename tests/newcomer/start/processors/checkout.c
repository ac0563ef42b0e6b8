#include "newshop.h"

static leat_answer settled(struct leat_ctx *ctx, const struct payment_settled *e)
{
    send_mark_paid(ctx, &(struct mark_paid){.order_id = e->order_id,
                                            .payment_id = e->payment_id,
                                            .amount_cents = e->amount_cents});
    return LEAT_DONE;
}
static leat_answer failed(struct leat_ctx *ctx, const struct payment_failed *e)
{
    send_cancel_order(ctx, &(struct cancel_order){.order_id = e->order_id, .reason = e->reason});
    return LEAT_DONE;
}
LEAT_PROCESSOR(checkout, 1, ON_PAYMENT_SETTLED(settled), ON_PAYMENT_FAILED(failed));
