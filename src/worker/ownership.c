#include "worker/ownership.h"

#include "base/status.h"

void leat_ownership_init(struct leat_ownership *o, struct leat_held *ks, int32_t partitions)
{
    *o = (struct leat_ownership){.ks = ks, .partitions = partitions};
    for (int32_t k = 0; k < partitions; k++)
        ks[k] = (struct leat_held){LEAT_HOLD_NONE, 0};
}

static struct leat_held *held(struct leat_ownership *o, int32_t k)
{
    leat_assert(k >= 0 && k < o->partitions);
    return &o->ks[k];
}

static void succeeded(struct leat_ownership *o)
{
    o->failures = 0;
    o->not_before_ms = 0;
}

static void back_off(struct leat_ownership *o, int64_t now_ms)
{
    int64_t wait = LEAT_BACKOFF_MIN_MS;
    for (int32_t i = 0; i < o->failures && wait < LEAT_BACKOFF_MAX_MS; i++)
        wait *= 2;
    o->failures++;
    o->not_before_ms = now_ms + (wait < LEAT_BACKOFF_MAX_MS ? wait : LEAT_BACKOFF_MAX_MS);
}

void leat_ownership_assigned(struct leat_ownership *o, const int32_t *ks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *held(o, ks[i]) = (struct leat_held){LEAT_HOLD_READ, 0};
    o->refusals = 0;
    succeeded(o);
}

void leat_ownership_revoked(struct leat_ownership *o, const int32_t *ks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        held(o, ks[i])->hold = LEAT_HOLD_NONE;
}

void leat_ownership_lost(struct leat_ownership *o, int32_t k, int64_t epoch)
{
    struct leat_held *h = held(o, k);
    bool claimed = h->hold == LEAT_HOLD_START || h->hold == LEAT_HOLD_OWNED;
    if (h->hold != LEAT_HOLD_NONE && (epoch == 0 || (claimed && h->epoch == epoch)))
        h->hold = LEAT_HOLD_READ;
}

static size_t collect(const struct leat_ownership *o, leat_hold hold, int32_t *ret_ks)
{
    size_t n = 0;
    for (int32_t k = 0; k < o->partitions; k++)
        if (o->ks[k].hold == hold)
            ret_ks[n++] = k;
    return n;
}

leat_acquire leat_ownership_next(const struct leat_ownership *o, int64_t now_ms, int32_t *ret_ks,
                                 size_t *ret_n, int64_t *ret_wait_ms)
{
    static const struct {
        leat_hold hold;
        leat_acquire action;
    } steps[] = {
        /* Earlier steps first: ks that meet again at a step take it together. */
        {LEAT_HOLD_READ, LEAT_ACQUIRE_READ},
        {LEAT_HOLD_CONFIRM, LEAT_ACQUIRE_CONFIRM},
        {LEAT_HOLD_CLAIM, LEAT_ACQUIRE_CLAIM},
        {LEAT_HOLD_START, LEAT_ACQUIRE_START},
    };
    *ret_n = 0;
    *ret_wait_ms = INT64_MAX;
    if (o->refusals >= LEAT_REFUSALS_MAX)
        return LEAT_ACQUIRE_REJOIN;
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        *ret_n = collect(o, steps[i].hold, ret_ks);
        if (*ret_n == 0)
            continue;
        if (now_ms < o->not_before_ms) {
            *ret_wait_ms = o->not_before_ms - now_ms;
            return LEAT_ACQUIRE_WAIT;
        }
        return steps[i].action;
    }
    return LEAT_ACQUIRE_WAIT;
}

void leat_ownership_read(struct leat_ownership *o, int32_t k, int64_t epoch)
{
    if (held(o, k)->hold == LEAT_HOLD_READ)
        o->ks[k] = (struct leat_held){LEAT_HOLD_CONFIRM, epoch};
    succeeded(o);
}

void leat_ownership_confirmed(struct leat_ownership *o, const int32_t *ks, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (held(o, ks[i])->hold == LEAT_HOLD_CONFIRM)
            o->ks[ks[i]].hold = LEAT_HOLD_CLAIM;
    o->refusals = 0;
    succeeded(o);
}

void leat_ownership_refused(struct leat_ownership *o, int64_t now_ms)
{
    for (int32_t k = 0; k < o->partitions; k++)
        if (o->ks[k].hold == LEAT_HOLD_CONFIRM)
            o->ks[k].hold = LEAT_HOLD_READ; /* the epoch may have moved while we were refused */
    o->refusals++;
    back_off(o, now_ms);
}

void leat_ownership_claimed(struct leat_ownership *o, int32_t k, bool won, int64_t epoch)
{
    if (held(o, k)->hold != LEAT_HOLD_CLAIM)
        return;
    /* Lost the race: read, confirm and try again; the coordinator decides who goes on. */
    o->ks[k] = (struct leat_held){won ? LEAT_HOLD_START : LEAT_HOLD_READ, epoch};
    succeeded(o);
}

void leat_ownership_started(struct leat_ownership *o, int32_t k)
{
    if (held(o, k)->hold == LEAT_HOLD_START)
        o->ks[k].hold = LEAT_HOLD_OWNED;
}

void leat_ownership_rejoined(struct leat_ownership *o)
{
    for (int32_t k = 0; k < o->partitions; k++)
        o->ks[k].hold = LEAT_HOLD_NONE;
    o->refusals = 0;
    succeeded(o);
}

void leat_ownership_failed(struct leat_ownership *o, int64_t now_ms)
{
    back_off(o, now_ms);
}
