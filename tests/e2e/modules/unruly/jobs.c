/* jobs.c - does what it is told, to the process it runs in as well. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unruly.h"

static void done(struct job_state *s, const struct done *e)
{
    (void)e;
    s->count++;
}

LEAT_AGGREGATE(job, 1, FOLD_DONE(done));

/* $UNRULY_TRACE has a line for each call that is about to do something odd. */
static void trace(const struct do_ *c)
{
    const char *path = getenv("UNRULY_TRACE");
    FILE *f = path == NULL ? NULL : fopen(path, "ae");
    if (f == NULL)
        return;
    (void)fprintf(f, "%.*s %.*s\n", LEAT_STR_FMT(c->job), LEAT_STR_FMT(c->mode));
    (void)fclose(f);
}

static void overflow(volatile char *at)
{
    volatile char room[4096];
    room[0] = at == NULL ? 1 : at[0];
    if (room[0] == 1)
        overflow(room);
    room[1] = room[0]; /* keeps the call from being a jump */
}

static bool is(const struct do_ *c, const char *mode)
{
    return leat_str_eq(c->mode, leat_str_of(mode));
}

static void be_unruly(const struct do_ *c)
{
    volatile int *nowhere = NULL;
    trace(c);
    if (is(c, "segv"))
        *nowhere = 1;
    if (is(c, "abort"))
        abort();
    if (is(c, "overflow"))
        overflow(NULL);
    if (is(c, "exit"))
        exit(2);
    while (is(c, "hang"))
        (void)poll(NULL, 0, 10);
    if (is(c, "slow"))
        (void)poll(NULL, 0, 400);
}

/* Asks for memory until there is none, which ends the process; the last try is content. */
static void hog(struct leat_ctx *ctx, const struct do_ *c)
{
    const char *path = getenv("UNRULY_ENOUGH");
    while (is(c, "hog") && (path == NULL || access(path, F_OK) != 0))
        (void)leat_alloc(ctx, (size_t)64 << 20);
}

static leat_answer work(struct leat_ctx *ctx, const struct do_ *c, const struct job_state *s)
{
    if (c->mode.len > 0)
        be_unruly(c);
    hog(ctx, c);
    emit_done(ctx, &(struct done){.job = c->job, .number = s->count + 1});
    return LEAT_DONE;
}

LEAT_PROCESSOR(jobs, 3, ON_DO(work));
