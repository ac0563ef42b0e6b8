#include "newshop.h"

static void placed(struct order_state *s, const struct order_placed *e)
{
    s->status = ORDER_PLACED;
    s->currency = e->currency;
    s->total_cents = e->total_cents;
}
static void paid(struct order_state *s, const struct order_paid *e)
{
    s->status = ORDER_PAID;
    s->payment_id = e->payment_id;
}
static void cancelled(struct order_state *s, const struct order_cancelled *e)
{
    (void)e;
    s->status = ORDER_CANCELLED;
}
LEAT_AGGREGATE(order, 1, FOLD_ORDER_PLACED(placed), FOLD_ORDER_PAID(paid),
               FOLD_ORDER_CANCELLED(cancelled));
