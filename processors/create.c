/* create.c - a lead comes in: checked, brought into one form, kept once, sent on to be scored. */
#include "leads.h"
#include "lib/text.h"
#include "lib/valid.h"

static leat_answer create(struct leat_ctx *ctx, const struct create_lead *c,
                          const struct lead_state *lead)
{
    if (lead->status != LEAD_NONE)
        return leat_reject(ctx, "lead-exists", "there is a lead under this id");

    struct lead_created e = {
        .lead_id = c->lead_id,
        .company = lead_trim(c->company),
        .contact_name = lead_trim(c->contact_name),
        .email = lead_lower(ctx, c->email),
        .phone = lead_trim(c->phone),
        .domain = lead_lower(ctx, c->domain),
        .website = lead_trim(c->website),
        .state = lead_upper(ctx, c->state),
        .category = lead_lower(ctx, c->category),
        .has_employees = c->has_employees,
        .employees = c->employees,
        .has_budget = c->has_budget,
        .budget = c->budget,
        .source = lead_lower(ctx, c->source),
        .notes = lead_trim(c->notes),
    };
    if (e.company.len == 0 || e.email.len == 0 || e.state.len == 0)
        return leat_reject(ctx, "missing-field", "a lead needs company, email and state");
    if (e.company.len > 200 || e.contact_name.len > 200 || e.notes.len > 4000)
        return leat_reject(ctx, "too-long", "company, contact_name: 200 bytes; notes: 4000");
    if (!lead_email_ok(e.email))
        return leat_reject(ctx, "bad-email", "'%.*s'", LEAT_STR_FMT(e.email));

    char *phone = leat_alloc(ctx, LEAD_PHONE_BYTES);
    if (e.phone.len > 0 && !lead_phone_e164(e.phone, phone))
        return leat_reject(ctx, "bad-phone", "'%.*s' is no US number", LEAT_STR_FMT(e.phone));
    if (e.phone.len > 0)
        e.phone = (struct leat_str){phone, LEAD_PHONE_BYTES};

    bool has_domain = e.domain.len > 0;
    e.domain = lead_domain_bare(e.domain);
    if (has_domain && !lead_domain_ok(e.domain))
        return leat_reject(ctx, "bad-domain", "'%.*s'", LEAT_STR_FMT(e.domain));
    if (lead_region(e.state) == NULL)
        return leat_reject(ctx, "bad-state", "'%.*s' is no US state", LEAT_STR_FMT(e.state));
    const char *priority = lead_source_priority(e.source);
    if (priority == NULL)
        return leat_reject(ctx, "bad-source", "'%.*s'", LEAT_STR_FMT(e.source));

    emit_lead_created(ctx, &e);
    leat_send_priority(ctx, priority);
    send_score_lead(ctx, &(struct score_lead){.lead_id = c->lead_id});
    return LEAT_DONE;
}

LEAT_PROCESSOR(create, 1, ON_CREATE_LEAD(create));
