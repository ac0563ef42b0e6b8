/* text.h - trimmed texts in one case, in the memory of the call. ASCII letters only. */
#ifndef LEADS_TEXT_H
#define LEADS_TEXT_H

#include "leat/leat.h"
#include "valid.h"

static inline struct leat_str lead_lower(struct leat_ctx *ctx, struct leat_str s)
{
    s = lead_trim(s);
    char *to = leat_alloc(ctx, s.len);
    for (uint32_t i = 0; i < s.len; i++)
        to[i] = (char)(s.at[i] >= 'A' && s.at[i] <= 'Z' ? s.at[i] | 0x20 : s.at[i]);
    return (struct leat_str){to, s.len};
}

static inline struct leat_str lead_upper(struct leat_ctx *ctx, struct leat_str s)
{
    s = lead_trim(s);
    char *to = leat_alloc(ctx, s.len);
    for (uint32_t i = 0; i < s.len; i++)
        to[i] = (char)(s.at[i] >= 'a' && s.at[i] <= 'z' ? s.at[i] & ~0x20 : s.at[i]);
    return (struct leat_str){to, s.len};
}

#endif
