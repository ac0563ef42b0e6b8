/* route.c - gives a scored lead to the team of its region, with the time by which to call. */
#include "leads.h"
#include "lib/valid.h"

#define MINUTE_MS INT64_C(60000)
#define DAY_MS    (1440 * MINUTE_MS)

static int64_t time_to_call_ms(struct leat_str tier)
{
    if (leat_str_eq(tier, LEAT_STR("hot")))
        return 15 * MINUTE_MS;
    return leat_str_eq(tier, LEAT_STR("warm")) ? DAY_MS : 7 * DAY_MS;
}

static leat_answer route(struct leat_ctx *ctx, const struct route_lead *c,
                         const struct lead_state *lead)
{
    if (lead->status == LEAD_NONE)
        return leat_reject(ctx, "no-such-lead", "there is no lead under this id");
    const char *team = lead_region(lead->state);
    if (team == NULL)
        return leat_poison(ctx, "no team for state '%.*s'", LEAT_STR_FMT(lead->state));

    emit_lead_routed(ctx, &(struct lead_routed){.lead_id = c->lead_id,
                                                .tier = c->tier,
                                                .team = leat_str_of(team),
                                                .due_at = leat_now(ctx) + time_to_call_ms(c->tier),
                                                .source = lead->source});
    return LEAT_DONE;
}

LEAT_PROCESSOR(route, 1, ON_ROUTE_LEAD(route));
