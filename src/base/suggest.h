/* suggest.h - "did you mean": the valid name nearest to what was typed. Pure, no allocation. */
#ifndef LEAT_BASE_SUGGEST_H
#define LEAT_BASE_SUGGEST_H

#include <stddef.h>

#include "leat/str.h"

struct leat_suggest { /* start, offer every valid name, take the best */
    struct leat_str wrong;
    struct leat_str best; /* empty when nothing is near enough */
    uint32_t distance;
};

void leat_suggest_start(struct leat_suggest *s, struct leat_str wrong);
void leat_suggest_offer(struct leat_suggest *s, struct leat_str name); /* borrowed */
void leat_suggest_offer_cstr(struct leat_suggest *s, const char *name);

/* Edits (insert, delete, replace, swap of neighbours) from a to b, at most `limit` + 1. Case
 * counts half as much as a letter, rounded: it is 0 only for equal strings. */
uint32_t leat_edit_distance(struct leat_str a, struct leat_str b, uint32_t limit);

#endif
