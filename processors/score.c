/* score.c - scores a lead by the rules file; its tier is the priority of what follows. */
#include "leads.h"
#include "lib/rules.h"
#include "lib/valid.h"

static leat_answer score(struct leat_ctx *ctx, const struct score_lead *c,
                         const struct lead_state *lead)
{
    if (lead->status == LEAD_NONE)
        return leat_reject(ctx, "no-such-lead", "there is no lead under this id");

    struct facts facts = {
        .text = {[FACT_EMAIL] = lead->email,
                 [FACT_EMAIL_DOMAIN] = lead_email_domain(lead->email),
                 [FACT_PHONE] = lead->phone,
                 [FACT_DOMAIN] = lead->domain,
                 [FACT_WEBSITE] = lead->website,
                 [FACT_STATE] = lead->state,
                 [FACT_CATEGORY] = lead->category,
                 [FACT_SOURCE] = lead->source},
        .number = {[FACT_EMPLOYEES] = lead->employees, [FACT_BUDGET] = lead->budget},
        .known = {[FACT_EMPLOYEES] = lead->has_employees, [FACT_BUDGET] = lead->has_budget},
    };
    struct score s;
    rules_apply(leat_module_data(ctx), &facts, &s);

    emit_lead_scored(ctx, &(struct lead_scored){.lead_id = c->lead_id,
                                                .score = s.points,
                                                .tier = leat_str_of(s.tier),
                                                .reasons = {s.reasons, s.reason_count},
                                                .rules_version = s.rules_version,
                                                .source = lead->source,
                                                .state = lead->state,
                                                .has_budget = lead->has_budget,
                                                .budget = lead->budget});
    leat_send_priority(ctx, s.tier);
    send_route_lead(ctx, &(struct route_lead){.lead_id = c->lead_id,
                                              .tier = leat_str_of(s.tier),
                                              .score = s.points});
    return LEAT_DONE;
}

static void *open_rules(const struct leat_options *options, char *error, size_t error_bytes)
{
    char path[4096]; /* one cut short is one that can't be opened */
    (void)leat_options_path(options, "rules", "../rules/score.yaml", path, sizeof path);
    return rules_load(path, error, error_bytes);
}

static void close_rules(void *rules)
{
    rules_free(rules);
}

LEAT_PROCESSOR_WITH(score, 1, open_rules, close_rules, ON_SCORE_LEAD(score));
