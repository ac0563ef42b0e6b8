/* What a caller may do: a walk over the roles. */
#include <inttypes.h>

#include "auth/auth.h"

static bool has(const struct leat_caller *c, uint32_t role)
{
    return (c->roles >> role & 1) != 0;
}

bool leat_may_send(const struct leat_access *a, const struct leat_caller *c, struct leat_str type)
{
    for (uint32_t i = 0; i < a->n_roles; i++) {
        const struct leat_access_role *r = &a->roles[i];
        if (has(c, i) && (r->all_commands || leat_names_has(&r->commands, type)))
            return true;
    }
    return !a->given;
}

bool leat_may_stream(const struct leat_access *a, const struct leat_caller *c)
{
    for (uint32_t i = 0; i < a->n_roles; i++)
        if (has(c, i) && a->roles[i].streams)
            return true;
    return !a->given;
}

bool leat_may_operate(const struct leat_access *a, const struct leat_caller *c)
{
    for (uint32_t i = 0; i < a->n_roles; i++)
        if (has(c, i) && a->roles[i].operate)
            return true;
    return !a->given;
}

static const struct leat_str *claim_of(const struct leat_caller *c, struct leat_str name)
{
    for (uint32_t i = 0; i < c->n_claims; i++)
        if (leat_str_eq(c->claims[i].name, name))
            return &c->claims[i].value;
    return NULL;
}

static struct leat_grant grant_of(const struct leat_access_model *m, const struct leat_caller *c)
{
    struct leat_grant g = {.given = true, .model = m};
    for (uint32_t i = 0; i < m->n_where; i++)
        g.none |= m->where[i].claim.len > 0 && claim_of(c, m->where[i].claim) == NULL;
    return g;
}

struct leat_grant leat_may_read(const struct leat_access *a, const struct leat_caller *c,
                                const struct leat_projection *model)
{
    if (!a->given)
        return (struct leat_grant){.given = true};
    for (uint32_t i = 0; i < a->n_roles; i++) {
        const struct leat_access_role *r = &a->roles[i];
        if (!has(c, i))
            continue;
        if (r->all_models)
            return (struct leat_grant){.given = true};
        for (uint32_t m = 0; m < r->n_models; m++)
            if (r->models[m].model == model)
                return grant_of(&r->models[m], c);
    }
    return (struct leat_grant){.given = false};
}

struct leat_str leat_grant_value(const struct leat_access_filter *f, const struct leat_caller *c,
                                 struct leat_arena *arena)
{
    const struct leat_expr *e = f->value;
    if (f->claim.len > 0) {
        const struct leat_str *claim = claim_of(c, f->claim);
        return claim != NULL ? *claim : (struct leat_str){"", 0};
    }
    if (e->kind == LEAT_EXPR_INT)
        return leat_str_of(leat_arena_printf(arena, "%" PRId64, e->integer));
    if (e->kind == LEAT_EXPR_DOUBLE)
        return leat_str_of(leat_arena_printf(arena, "%.17g", e->number));
    if (e->kind == LEAT_EXPR_BOOL)
        return leat_str_of(e->boolean ? "true" : "false");
    return e->text;
}

/* Requests per ms, compared without dividing. */
static bool higher(const struct leat_rate *a, const struct leat_rate *b)
{
    return a->requests * b->window_ms > b->requests * a->window_ms;
}

struct leat_rate leat_rate_of(const struct leat_access *a, const struct leat_caller *c)
{
    struct leat_rate best = {.requests = 0};
    for (uint32_t i = 0; i < a->n_roles; i++) {
        const struct leat_rate *r = &a->roles[i].rate;
        if (has(c, i) && r->requests > 0 && (best.requests == 0 || higher(r, &best)))
            best = *r;
    }
    return best.requests > 0 ? best : a->rate;
}
