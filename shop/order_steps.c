/* order_steps.c - a projection: one row per step an order has taken, with how long it had waited
 * for it. What `from` cannot say: a row of its own for each event, and a difference of times. */
#include "shop.h"

static void add(struct leat_rows *rows, const char *step)
{
    const struct order_steps_row *before = NULL;
    size_t n = scan_order_steps(rows, &(struct order_steps_row){0}, 1, &before);
    struct order_steps_row row = {
        .no = (int32_t)n + 1, .step = leat_str_of(step), .at = leat_rows_time(rows)};
    for (size_t i = 0; i < n; i++) {
        if (before[i].no == row.no - 1) {
            row.has_waited_ms = true;
            row.waited_ms = row.at - before[i].at;
        }
    }
    put_order_steps(rows, &row);
}

static void placed(struct leat_rows *rows, const struct order_placed *e)
{
    (void)e;
    add(rows, "placed");
}

static void paid(struct leat_rows *rows, const struct order_paid *e)
{
    (void)e;
    add(rows, "paid");
}

static void cancelled(struct leat_rows *rows, const struct order_cancelled *e)
{
    (void)e;
    add(rows, "cancelled");
}

LEAT_PROJECTION(order_steps, 1, ROWS_ORDER_PLACED(placed), ROWS_ORDER_PAID(paid),
                ROWS_ORDER_CANCELLED(cancelled));
