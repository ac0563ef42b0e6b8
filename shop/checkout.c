/* checkout.c - a policy: what happened to a payment decides what becomes of its order. */
#include "shop.h"

static leat_answer taken(struct leat_ctx *ctx, const struct payment_taken *e)
{
    send_mark_paid(ctx, &(struct mark_paid){.order_id = e->order_id, .payment_id = e->payment_id});
    return LEAT_DONE;
}

static leat_answer refused(struct leat_ctx *ctx, const struct payment_refused *e)
{
    send_cancel_order(ctx, &(struct cancel_order){.order_id = e->order_id, .reason = e->reason});
    return LEAT_DONE;
}

LEAT_PROCESSOR(checkout, 1, ON_PAYMENT_TAKEN(taken), ON_PAYMENT_REFUSED(refused));
