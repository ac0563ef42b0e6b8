#include "newshop.h"

static void taken(struct payment_state *s, const struct payment_taken *e)
{
    s->status = PAYMENT_TAKEN;
    s->order_id = e->order_id;
    s->currency = e->currency;
    s->amount_cents = e->amount_cents;
}
static void settled(struct payment_state *s, const struct payment_settled *e)
{
    (void)e;
    s->status = PAYMENT_SETTLED;
}
static void failed(struct payment_state *s, const struct payment_failed *e)
{
    (void)e;
    s->status = PAYMENT_FAILED;
}
LEAT_AGGREGATE(payment, 1, FOLD_PAYMENT_TAKEN(taken), FOLD_PAYMENT_SETTLED(settled),
               FOLD_PAYMENT_FAILED(failed));
