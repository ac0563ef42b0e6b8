/* scorer.c - the floor's scoring as a processor: budget and employees make a score and a tier. */
#include "bench.h"

static void scored(struct scored_lead *lead, const struct lead_scored *e)
{
    lead->times++;
    lead->score = e->score;
}

LEAT_AGGREGATE(lead, 1, FOLD_LEAD_SCORED(scored));

static struct leat_str tier_of(int64_t score)
{
    if (score > 80)
        return LEAT_STR("hot");
    return score > 40 ? LEAT_STR("warm") : LEAT_STR("cold");
}

static leat_answer score(struct leat_ctx *ctx, const struct score_lead *c,
                         const struct scored_lead *lead)
{
    (void)lead;
    int64_t score = c->budget / 1000 + c->employees;
    if (score > 100)
        score = 100;

    emit_lead_scored(ctx, &(struct lead_scored){.lead_id = c->lead_id,
                                                .score = (int32_t)score,
                                                .tier = tier_of(score),
                                                .ts = c->ts});
    return LEAT_DONE;
}

LEAT_PROCESSOR(scorer, 1, ON_SCORE_LEAD(score));
