/* runners.c - "gate:<name>" answers retry until that file is there, "shut:<name>" waits in the
 * handler until then, "psp" needs a provider until a file of that name is there. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stalled.h"

static void ran(struct errand_state *s, const struct ran *e)
{
    s->number = e->number;
}

LEAT_AGGREGATE(errand, 1, FOLD_RAN(ran));

static bool is_shut(struct leat_ctx *ctx, struct leat_str how, const char *prefix)
{
    char path[400];
    size_t n = strlen(prefix);
    if (how.len < n || memcmp(how.at, prefix, n) != 0)
        return false;
    (void)snprintf(path, sizeof path, "%s/%.*s", leat_option(ctx, "gates", "."), (int)(how.len - n),
                   how.at + n);
    return access(path, F_OK) != 0;
}

/* Whoever looks for "<name>.here" finds that the handler waits. */
static void wait_while_shut(struct leat_ctx *ctx, struct leat_str how)
{
    char path[400];
    if (!is_shut(ctx, how, "shut:"))
        return;
    (void)snprintf(path, sizeof path, "%s/%.*s.here", leat_option(ctx, "gates", "."),
                   (int)(how.len - 5), how.at + 5);
    FILE *here = fopen(path, "w");
    if (here != NULL)
        (void)fclose(here);
    while (is_shut(ctx, how, "shut:"))
        (void)poll(NULL, 0, 20);
}

static leat_answer run(struct leat_ctx *ctx, const struct run *c, const struct errand_state *s)
{
    (void)s;
    wait_while_shut(ctx, c->how);
    if (is_shut(ctx, c->how, "gate:"))
        return leat_retry(ctx, "the gate is shut");
    if (leat_str_eq(c->how, LEAT_STR("psp"))) {
        bool away = is_shut(ctx, c->how, "");
        if (!leat_call_begin(ctx, "psp"))
            return leat_retry(ctx, "the provider is not to be called");
        leat_call_end(ctx, "psp", !away);
        if (away)
            return leat_retry(ctx, "the provider is away");
    }
    emit_ran(ctx, &(struct ran){.errand = c->errand, .number = c->number});
    return LEAT_DONE;
}

LEAT_PROCESSOR(runners, 1, ON_RUN(run));
