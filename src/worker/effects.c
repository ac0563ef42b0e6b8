/* Effects that a handler claims before it makes them: what it may do with a claim, and what becomes
 * of one it leaves behind. */
#include "worker/dispatch_internal.h"

#define EFFECT_RESULT_MAX 8192

void leat_dispatch_keep_effects(struct leat_dispatch *d, const struct leat_effect_keeper *keeper)
{
    d->keeper = *keeper;
}

/* Index of a service with `effects: claim`; -1: the call is poison. */
static int64_t claimable(struct leat_ctx *ctx, const char *asked_by, const char *name)
{
    int64_t i = leat_calls_find(ctx, asked_by, name);
    if (i < 0 || ctx->d->processor->calls[i].effects == LEAT_EFFECTS_CLAIM)
        return i;
    leat_ctx_fail(ctx, "undeclared", "%s: '%s' of processor '%s' has no `effects: claim`", asked_by,
                  name, ctx->d->processor->name.at);
    return -1;
}

static struct call_effect *claimed(const struct leat_ctx *ctx, uint32_t service, uint32_t n)
{
    for (struct call_effect *e = ctx->effects; e != NULL; e = e->next)
        if (e->service == service && e->n == n && !e->settled)
            return e;
    return NULL;
}

static struct leat_effect effect_of(const struct leat_ctx *ctx, uint32_t service, uint32_t n)
{
    const struct leat_external_call *c = &ctx->d->processor->calls[service];
    return (struct leat_effect){.k = ctx->call->k,
                                .epoch = ctx->call->epoch,
                                .id = ctx->call->id,
                                .service = c->name,
                                .key = ctx->call->key,
                                .n = n,
                                .on_unknown = c->on_unknown};
}

leat_claim leat_effect_claim(struct leat_ctx *ctx, const char *name, uint32_t n,
                             struct leat_str *ret_result)
{
    int64_t i = claimable(ctx, "leat_effect_claim", name);
    if (i < 0 || ctx->failed) /* the message is dead already: no effect of it */
        return LEAT_CLAIM_AWAY;
    if (claimed(ctx, (uint32_t)i, n) != NULL) /* begun, and asked about again: its own answer */
        return LEAT_CLAIM_MINE;
    struct leat_effect e = effect_of(ctx, (uint32_t)i, n);
    struct leat_str result = {0};
    leat_claim claim = LEAT_CLAIM_MINE;
    if (ctx->d->keeper.claim != NULL)
        claim = ctx->d->keeper.claim(ctx->d->keeper.arg, &e, ctx->call->arena, &result);
    ctx->keeper_away = claim == LEAT_CLAIM_AWAY;
    if (claim == LEAT_CLAIM_MINE) {
        struct call_effect *made = leat_arena_zalloc(ctx->call->arena, 1, sizeof *made);
        *made = (struct call_effect){.service = (uint32_t)i, .n = n, .next = ctx->effects};
        ctx->effects = made;
    }
    if (claim == LEAT_CLAIM_DONE && ret_result != NULL)
        *ret_result = result;
    if (claim == LEAT_CLAIM_UNKNOWN &&
        ctx->d->processor->calls[i].on_unknown == LEAT_ON_UNKNOWN_HOLD)
        leat_ctx_fail(
            ctx, "effect-unknown",
            "effect %u on '%s' was begun before, and what came of it is not known: settle "
            "it (leat effects), then redrive",
            n, name);
    return claim;
}

static void settle(struct leat_ctx *ctx, struct call_effect *effect, const struct leat_str *result)
{
    struct leat_effect e = effect_of(ctx, effect->service, effect->n);
    effect->settled = true;
    if (ctx->d->keeper.settle != NULL)
        ctx->d->keeper.settle(ctx->d->keeper.arg, &e, result);
}

static struct call_effect *own_claim(struct leat_ctx *ctx, const char *asked_by, const char *name,
                                     uint32_t n)
{
    int64_t i = claimable(ctx, asked_by, name);
    struct call_effect *e = i < 0 ? NULL : claimed(ctx, (uint32_t)i, n);
    if (i >= 0 && e == NULL)
        leat_ctx_fail(ctx, "not-claimed", "%s: effect %u on '%s' is not claimed", asked_by, n,
                      name);
    return e;
}

void leat_effect_done(struct leat_ctx *ctx, const char *name, uint32_t n, struct leat_str result)
{
    struct call_effect *e = own_claim(ctx, "leat_effect_done", name, n);
    if (e == NULL)
        return;
    if (result.len > EFFECT_RESULT_MAX) { /* it was made: kept as far as it fits */
        leat_ctx_fail(ctx, "too-large", "leat_effect_done: a result of %u bytes, allowed are %d",
                      result.len, EFFECT_RESULT_MAX);
        result.len = EFFECT_RESULT_MAX;
    }
    settle(ctx, e, &result);
}

void leat_effect_undone(struct leat_ctx *ctx, const char *name, uint32_t n)
{
    struct call_effect *e = own_claim(ctx, "leat_effect_undone", name, n);
    if (e != NULL)
        settle(ctx, e, NULL);
}

void leat_effects_called(struct leat_ctx *ctx, uint32_t service)
{
    for (struct call_effect *e = ctx->effects; e != NULL; e = e->next)
        if (e->service == service)
            e->called = true;
}

/* A claim whose call was refused, and never allowed since, was not made. */
void leat_effects_done(struct leat_ctx *ctx)
{
    for (struct call_effect *e = ctx->effects; e != NULL; e = e->next) {
        bool refused = ctx->uses != NULL && ctx->uses[e->service].refused;
        if (!e->settled && !e->called && refused)
            settle(ctx, e, NULL);
    }
}
