/* things.c - sets values; some commands are answered retry at first, some are poison. */
#include <stdatomic.h>

#include "odd.h"

static void set(struct thing_state *t, const struct thing_set *e)
{
    t->times = e->times;
    t->value = e->value;
}

LEAT_AGGREGATE(thing, 1, FOLD_THING_SET(set));

static bool mode_is(const struct set_thing *c, const char *mode)
{
    return leat_str_eq(c->mode, leat_str_of(mode));
}

static leat_answer set_thing(struct leat_ctx *ctx, const struct set_thing *c,
                             const struct thing_state *t)
{
    static atomic_int tries;
    if (mode_is(c, "poison"))
        return leat_poison(ctx, "value %lld can never be set", (long long)c->value);
    if (mode_is(c, "retry") && atomic_fetch_add(&tries, 1) < 2)
        return leat_retry(ctx, "not yet");
    if (c->value < 0)
        return leat_reject(ctx, "negative", "value %lld is below zero", (long long)c->value);
    emit_thing_set(ctx, &(struct thing_set){
                            .thing_id = c->thing_id, .value = c->value, .times = t->times + 1});
    return LEAT_DONE;
}

static leat_answer drop_thing(struct leat_ctx *ctx, const struct drop_thing *c,
                              const struct thing_state *t)
{
    (void)c;
    return leat_reject(ctx, "stays", "set %lld times", (long long)t->times);
}

LEAT_PROCESSOR(things, 1, ON_SET_THING(set_thing), ON_DROP_THING(drop_thing));
