/* trio.c - three processors over one aggregate, each with the floor's scoring, for bench3.yaml. */
#include "bench3.h"

static void scored(struct scored_lead *lead, const struct lead_scored *e)
{
    lead->times++;
    lead->score = e->score;
}

static void checked(struct scored_lead *lead, const struct lead_checked *e)
{
    (void)e;
    lead->times++;
}

static void graded(struct scored_lead *lead, const struct lead_graded *e)
{
    (void)e;
    lead->times++;
}

LEAT_AGGREGATE(lead, 1, FOLD_LEAD_SCORED(scored), FOLD_LEAD_CHECKED(checked),
               FOLD_LEAD_GRADED(graded));

static int32_t score_of(int64_t budget, int64_t employees)
{
    int64_t score = budget / 1000 + employees;
    return score > 100 ? 100 : (int32_t)score;
}

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
    int32_t points = score_of(c->budget, c->employees);
    emit_lead_scored(
        ctx, &(struct lead_scored){
                 .lead_id = c->lead_id, .score = points, .tier = tier_of(points), .ts = c->ts});
    return LEAT_DONE;
}

static leat_answer check(struct leat_ctx *ctx, const struct check_lead *c,
                         const struct scored_lead *lead)
{
    (void)lead;
    int32_t points = score_of(c->budget, c->employees);
    emit_lead_checked(
        ctx, &(struct lead_checked){
                 .lead_id = c->lead_id, .score = points, .tier = tier_of(points), .ts = c->ts});
    return LEAT_DONE;
}

static leat_answer grade(struct leat_ctx *ctx, const struct grade_lead *c,
                         const struct scored_lead *lead)
{
    (void)lead;
    int32_t points = score_of(c->budget, c->employees);
    emit_lead_graded(
        ctx, &(struct lead_graded){
                 .lead_id = c->lead_id, .score = points, .tier = tier_of(points), .ts = c->ts});
    return LEAT_DONE;
}

LEAT_PROCESSOR(scorer, 1, ON_SCORE_LEAD(score));
LEAT_PROCESSOR(checker, 1, ON_CHECK_LEAD(check));
LEAT_PROCESSOR(grader, 1, ON_GRADE_LEAD(grade));
