/* tricks.h - what a deposit's note may ask for instead of a note: "!poison", "!segv", "!abort",
 * "!hang". The last three are noted in $TRICKS_TRACE, a line for each call. */
#ifndef CRASH_TRICKS_H
#define CRASH_TRICKS_H

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "leat/leat.h"

static inline bool trick_asked(struct leat_str note)
{
    return note.len > 1 && note.at[0] == '!';
}

static inline void trick_trace(struct leat_str note, int64_t number)
{
    const char *path = getenv("TRICKS_TRACE");
    FILE *f = path == NULL ? NULL : fopen(path, "ae");
    if (f == NULL)
        return;
    (void)fprintf(f, "%lld %.*s\n", (long long)number, LEAT_STR_FMT(note));
    (void)fclose(f);
}

static inline leat_answer trick_answer(struct leat_ctx *ctx, struct leat_str note, int64_t number)
{
    volatile int *nowhere = NULL;
    if (leat_str_eq(note, LEAT_STR("!poison")))
        return leat_poison(ctx, "it can never be done");
    trick_trace(note, number);
    if (leat_str_eq(note, LEAT_STR("!segv")))
        *nowhere = 1;
    if (leat_str_eq(note, LEAT_STR("!abort")))
        abort();
    while (leat_str_eq(note, LEAT_STR("!hang")))
        (void)poll(NULL, 0, 10);
    return leat_reject(ctx, "unknown", "what '%.*s' asks for", LEAT_STR_FMT(note));
}

#endif
