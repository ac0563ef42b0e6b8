/* counters.c - adds up. What a handler sees of its state can be read from rejections. Built three
 * times: as it is, as version 2 of the aggregate, and with a wider state. */
#include <inttypes.h>
#include <stdatomic.h>

#ifndef COUNTER_VERSION
#define COUNTER_VERSION 1
#endif
#ifdef COUNTER_WIDE
#include "snapwide.h"
#else
#include "snap.h"
#endif

static void added(struct counter_state *s, const struct added *e)
{
    s->total += COUNTER_VERSION * e->amount;
    s->count++;
#ifdef COUNTER_WIDE
    if (e->amount > s->most)
        s->most = e->amount;
#endif
}

LEAT_AGGREGATE(counter, COUNTER_VERSION, FOLD_ADDED(added));

static leat_answer add(struct leat_ctx *ctx, const struct add *c, const struct counter_state *s)
{
    long long most = -1;
#ifdef COUNTER_WIDE
    most = s->most;
#endif
    if (c->amount == 0)
        return leat_reject(ctx, "asked", "total %lld count %lld most %lld", (long long)s->total,
                           (long long)s->count, most);
    for (int64_t i = 0; i < c->times; i++)
        emit_added(ctx, &(struct added){.counter = c->counter, .amount = c->amount});
    return LEAT_DONE;
}

static leat_answer draw(struct leat_ctx *ctx, const struct draw *c, const struct counter_state *s)
{
    static atomic_int tries;
    (void)s;
    struct leat_str first = leat_text(ctx, "%016" PRIx64, leat_random(ctx));
    struct leat_str second = leat_text(ctx, "%016" PRIx64, leat_random(ctx));
    if (atomic_fetch_add(&tries, 1) == 0)
        return leat_retry(ctx, "drawn now %lld first %.*s second %.*s", (long long)leat_now(ctx),
                          (int)first.len, first.at, (int)second.len, second.at);
    emit_drawn(ctx,
               &(struct drawn){
                   .counter = c->counter, .now = leat_now(ctx), .first = first, .second = second});
    return LEAT_DONE;
}

LEAT_PROCESSOR(counters, 1, ON_ADD(add), ON_DRAW(draw));
