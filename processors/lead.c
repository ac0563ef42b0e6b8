/* lead.c - a lead's life, folded from its events. Shared by all processors of the aggregate. */
#include "leads.h"

static void created(struct lead_state *lead, const struct lead_created *e)
{
    lead->status = LEAD_CREATED;
    lead->email = e->email;
    lead->domain = e->domain;
    lead->website = e->website;
    lead->phone = e->phone;
    lead->state = e->state;
    lead->category = e->category;
    lead->source = e->source;
    lead->has_employees = e->has_employees;
    lead->employees = e->employees;
    lead->has_budget = e->has_budget;
    lead->budget = e->budget;
}

static void scored(struct lead_state *lead, const struct lead_scored *e)
{
    lead->status = LEAD_SCORED;
    lead->score = e->score;
    lead->tier = e->tier;
}

static void routed(struct lead_state *lead, const struct lead_routed *e)
{
    (void)e;
    lead->status = LEAD_ROUTED;
}

LEAT_AGGREGATE(lead, 1, FOLD_LEAD_CREATED(created), FOLD_LEAD_SCORED(scored),
               FOLD_LEAD_ROUTED(routed));
