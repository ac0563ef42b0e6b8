/* how.h - what a job says of how it is to be answered: "gate:<name>" retry until that file is
 * there, "flaky" retry each third call, "poison", "reject"; anything else: done. */
#ifndef ROOM_HOW_H
#define ROOM_HOW_H

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "leat/leat.h"

static inline bool how_rest(struct leat_str how, const char *prefix, char *rest, size_t size)
{
    size_t n = strlen(prefix);
    if (how.len < n || memcmp(how.at, prefix, n) != 0)
        return false;
    (void)snprintf(rest, size, "%.*s", (int)(how.len - n), how.at + n);
    return true;
}

static inline bool how_gate_is_shut(struct leat_ctx *ctx, struct leat_str how)
{
    char name[100], path[400];
    if (!how_rest(how, "gate:", name, sizeof name))
        return false;
    (void)snprintf(path, sizeof path, "%s/%s", leat_option(ctx, "gates", "."), name);
    return access(path, F_OK) != 0;
}

static inline leat_answer how_answer(struct leat_ctx *ctx, struct leat_str how)
{
    static atomic_uint calls;
    if (how_gate_is_shut(ctx, how))
        return leat_retry(ctx, "the gate is shut");
    if (leat_str_eq(how, LEAT_STR("flaky")) && atomic_fetch_add(&calls, 1) % 3 == 0)
        return leat_retry(ctx, "not this time");
    if (leat_str_eq(how, LEAT_STR("poison")))
        return leat_poison(ctx, "it can never be done");
    if (leat_str_eq(how, LEAT_STR("reject")))
        return leat_reject(ctx, "no", "it is not wanted");
    return LEAT_DONE;
}

#endif
