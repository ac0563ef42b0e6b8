/* Services outside that a handler calls: limits of time, stable ids, and a circuit for each, shared
 * by all executors of the processor in this process. */
#include <stdlib.h>

#include "base/clock.h"
#include "worker/dispatch_internal.h"

#define KEEPER_AWAY_MS 500

/* ---- of the processor ---- */

static int64_t machine_mono_ms(void *arg)
{
    (void)arg;
    return leat_mono_us() / 1000;
}

static int64_t machine_unix_ms(void *arg)
{
    (void)arg;
    return leat_now_ms();
}

static int64_t mono_ms(const struct leat_dispatch *d)
{
    return d->clock.mono_ms(d->clock.arg);
}

static void on_change(void *arg, const struct leat_breaker_change *change)
{
    const struct dispatch_service *s = arg;
    const struct leat_dispatch *d = s->dispatch;
    if (d->on_circuit != NULL)
        d->on_circuit(d->on_circuit_arg, s->declared, change, mono_ms(d));
}

void leat_services_new(struct leat_dispatch *d)
{
    d->clock = (struct leat_dispatch_clock){machine_mono_ms, machine_unix_ms, NULL};
    uint32_t n = d->processor->n_calls;
    d->services = calloc((size_t)n + 1, sizeof *d->services);
    leat_assert(d->services != NULL);
    for (uint32_t i = 0; i < n; i++) {
        struct dispatch_service *s = &d->services[i];
        const struct leat_call_breaker *b = &d->processor->calls[i].breaker;
        s->dispatch = d;
        s->declared = &d->processor->calls[i];
        struct leat_breaker_config c = {.failures = b->failures,
                                        .rate = b->rate,
                                        .window_ms = b->window_ms,
                                        .min_calls = b->min_calls,
                                        .open_for_ms = b->open_for_ms,
                                        .trials = b->trials,
                                        .changed = on_change,
                                        .arg = s};
        s->breaker = leat_breaker_new(&c);
    }
}

void leat_services_free(struct leat_dispatch *d)
{
    for (uint32_t i = 0; i < d->processor->n_calls; i++)
        leat_breaker_free(d->services[i].breaker);
    free(d->services);
}

void leat_dispatch_set_clock(struct leat_dispatch *d, const struct leat_dispatch_clock *clock)
{
    d->clock = *clock;
}

void leat_dispatch_on_circuit(struct leat_dispatch *d, leat_circuit_fn fn, void *arg)
{
    d->on_circuit = fn;
    d->on_circuit_arg = arg;
}

void leat_dispatch_circuit(const struct leat_dispatch *d, uint32_t service,
                           struct leat_breaker_figures *ret)
{
    leat_breaker_figures(d->services[service].breaker, ret);
}

static int64_t service_index(const struct leat_dispatch *d, struct leat_str name)
{
    for (uint32_t i = 0; i < d->processor->n_calls; i++)
        if (leat_str_eq(d->processor->calls[i].name, name))
            return i;
    return -1;
}

bool leat_dispatch_open_circuit(struct leat_dispatch *d, struct leat_str name)
{
    int64_t i = service_index(d, name);
    if (i >= 0)
        d->services[i].open = true;
    return i >= 0;
}

/* ---- of one call of a handler ---- */

void leat_calls_begin(struct leat_ctx *ctx)
{
    ctx->started_ms = mono_ms(ctx->d);
}

int64_t leat_calls_find(struct leat_ctx *ctx, const char *asked_by, const char *name)
{
    int64_t i = service_index(ctx->d, leat_str_of(name));
    if (i < 0)
        leat_ctx_fail(ctx, "undeclared", "%s: there is no '%s' in `calls` of processor '%s'",
                      asked_by, name, ctx->d->processor->name.at);
    return i;
}

const char *leat_call_url(struct leat_ctx *ctx, const char *name)
{
    int64_t i = leat_calls_find(ctx, "leat_call_url", name);
    return i < 0 ? "" : ctx->d->processor->calls[i].url;
}

int64_t leat_deadline_ms(struct leat_ctx *ctx)
{
    int64_t left = ctx->started_ms + ctx->d->processor->timeout_ms - mono_ms(ctx->d);
    return left > 0 ? left : 0;
}

int64_t leat_call_timeout_ms(struct leat_ctx *ctx, const char *name)
{
    int64_t i = leat_calls_find(ctx, "leat_call_timeout_ms", name), left = leat_deadline_ms(ctx);
    if (i >= 0 && ctx->d->processor->calls[i].timeout_ms < left)
        left = ctx->d->processor->calls[i].timeout_ms;
    return left > 0 ? left : 1;
}

struct leat_str leat_call_id(struct leat_ctx *ctx, const char *name, uint32_t n)
{
    if (leat_calls_find(ctx, "leat_call_id", name) < 0)
        return LEAT_STR("");
    struct leat_uuid id = leat_uuid_child(&ctx->call->id, ctx->d->processor->name, 'x', n);
    id = leat_uuid_v5(&id, name, strlen(name));
    char *text = leat_arena_alloc(ctx->call->arena, LEAT_UUID_TEXT);
    leat_uuid_format(&id, text);
    return (struct leat_str){text, LEAT_UUID_TEXT - 1};
}

static void end(struct leat_ctx *ctx, int64_t i, bool ok)
{
    struct call_use *use = &ctx->uses[i];
    use->under_way = false;
    use->failed = !ok;
    leat_breaker_end(ctx->d->services[i].breaker, &use->pass, ok, mono_ms(ctx->d));
}

bool leat_call_begin(struct leat_ctx *ctx, const char *name)
{
    int64_t i = leat_calls_find(ctx, "leat_call_begin", name);
    if (i < 0 || ctx->failed) /* the message is dead already: nothing is called for it */
        return false;
    if (ctx->uses == NULL)
        ctx->uses =
            leat_arena_zalloc(ctx->call->arena, ctx->d->processor->n_calls, sizeof *ctx->uses);
    struct call_use *use = &ctx->uses[i];
    if (use->under_way)
        end(ctx, i, false);
    ctx->last_use = i;
    *use = (struct call_use){0};
    use->refused = true;
    if (ctx->d->services[i].open)
        return false;
    use->pass = leat_breaker_begin(ctx->d->services[i].breaker, mono_ms(ctx->d));
    use->under_way = use->pass.allowed;
    use->refused = !use->pass.allowed;
    if (use->pass.allowed)
        leat_effects_called(ctx, (uint32_t)i);
    return use->pass.allowed;
}

void leat_call_end(struct leat_ctx *ctx, const char *name, bool ok)
{
    int64_t i = leat_calls_find(ctx, "leat_call_end", name);
    if (i < 0)
        return;
    if (ctx->uses == NULL || !ctx->uses[i].under_way)
        leat_ctx_fail(ctx, "call-not-begun", "leat_call_end: '%s' was not begun", name);
    else
        end(ctx, i, ok);
}

/* The service asked last was refused, or failed and its circuit is open, or a claim could not be
 * stored: that is what the handler says "retry" about. */
static void tell_unavailable(struct leat_ctx *ctx)
{
    const struct leat_dispatch *d = ctx->d;
    int64_t now = mono_ms(d), at = now;
    if (ctx->keeper_away) {
        at = now + KEEPER_AWAY_MS;
    } else {
        if (ctx->uses == NULL)
            return;
        const struct call_use *use = &ctx->uses[ctx->last_use];
        struct leat_breaker *b = d->services[ctx->last_use].breaker;
        bool open = leat_breaker_unwell(b, now, &at);
        if (!use->refused && !(use->failed && open))
            return;
    }
    ctx->call->unavailable = true;
    ctx->call->unavailable_until_ms = d->clock.unix_ms(d->clock.arg) + at - now;
}

void leat_calls_done(struct leat_ctx *ctx)
{
    for (uint32_t i = 0; ctx->uses != NULL && i < ctx->d->processor->n_calls; i++)
        if (ctx->uses[i].under_way)
            end(ctx, i, false);
    leat_effects_done(ctx);
    if (ctx->call->answer == LEAT_ANSWER_RETRY && !ctx->failed)
        tell_unavailable(ctx);
}
