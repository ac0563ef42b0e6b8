/* deeds.c - one handler, well behaved or not as the command says. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "faulty.h"

static void acted(struct deed_state *s, const struct acted *e)
{
    s->count = e->count;
    if (leat_str_eq(e->how, LEAT_STR("clock in the fold")))
        s->count += time(NULL) > 0;
}

LEAT_AGGREGATE(deed, 1, FOLD_ACTED(acted));

static bool how(const struct act *c, const char *word)
{
    return leat_str_eq(c->how, leat_str_of(word));
}

static leat_answer done(struct leat_ctx *ctx, const struct act *c, const struct deed_state *s,
                        int64_t count)
{
    struct leat_str *notes = leat_alloc(ctx, 2 * sizeof *notes);
    notes[0] =
        leat_text(ctx, "%s, %lld", leat_option(ctx, "greeting", ""), (long long)leat_version(ctx));
    notes[1] = leat_text(ctx, "%.*s", LEAT_STR_FMT(leat_priority(ctx)));
    struct acted e = {.deed_id = c->deed_id,
                      .how = c->how,
                      .count = s->count + count,
                      .at = leat_now(ctx),
                      .mood = MOOD_BAD,
                      .share = 0.25,
                      .notes = {notes, 2},
                      .has_place = true,
                      .place = {.town = LEAT_STR("Calw"), .zip = LEAT_STR("75365")}};
    emit_acted(ctx, &e);
    return LEAT_DONE;
}

/* With memory of its own, treated well or not when there is none. */
static leat_answer with_memory(struct leat_ctx *ctx, const struct act *c,
                               const struct deed_state *s)
{
    int64_t *count = malloc(sizeof *count);
    if (count == NULL && how(c, "swallow"))
        return LEAT_DONE;
    if (count == NULL && how(c, "blame"))
        return leat_reject(ctx, "no-memory", "out of memory");
    if (count == NULL && how(c, "careful"))
        return leat_retry(ctx, "out of memory");
    *count = 1;
    leat_answer answer = done(ctx, c, s, *count);
    free(count);
    return answer;
}

static leat_answer act(struct leat_ctx *ctx, const struct act *c, const struct deed_state *s)
{
    static int64_t calls, under_way;
    if (how(c, "crash"))
        return *(volatile leat_answer *)NULL;
    if (how(c, "abort"))
        abort();
    if (how(c, "exit"))
        exit(0);
    for (volatile int ever = 1; how(c, "forever") && ever;)
        continue;
    if (how(c, "retry"))
        return leat_retry(ctx, "not before noon");
    if (how(c, "clock"))
        return done(ctx, c, s, time(NULL) > 0);
    if (how(c, "random"))
        return done(ctx, c, s, rand() >= 0); // NOLINT: that is what is to be noticed
    if (how(c, "env"))
        return done(ctx, c, s, getenv("HOME") == NULL);
    if (how(c, "count"))
        return done(ctx, c, s, ++calls);
    if (how(c, "chatty"))
        (void)printf("hello from a handler\n");
    if (how(c, "careful") || how(c, "careless") || how(c, "swallow") || how(c, "blame"))
        return with_memory(ctx, c, s);
    if (!how(c, "half"))
        return done(ctx, c, s, 1);
    int64_t left_behind = under_way; /* by a call that was broken off */
    under_way = 1;
    leat_answer answer = done(ctx, c, s, 1 + left_behind);
    under_way = 0;
    return answer;
}

LEAT_PROCESSOR(deeds, 1, ON_ACT(act));
