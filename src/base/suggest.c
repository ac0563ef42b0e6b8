#include "base/suggest.h"

#include <ctype.h>

#define NAME_BYTES_MAX 64

static uint32_t min3(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Costs are doubled inside, so that a difference of case only can be half an edit. */
static uint32_t replace_cost(char a, char b)
{
    if (a == b)
        return 0;
    return tolower((unsigned char)a) == tolower((unsigned char)b) ? 1 : 2;
}

uint32_t leat_edit_distance(struct leat_str a, struct leat_str b, uint32_t limit)
{
    if (a.len > NAME_BYTES_MAX || b.len > NAME_BYTES_MAX)
        return leat_str_eq(a, b) ? 0 : limit + 1;
    uint32_t rows[3][NAME_BYTES_MAX + 1];
    uint32_t *before = rows[0], *last = rows[1], *now = rows[2];
    for (uint32_t j = 0; j <= b.len; j++)
        last[j] = 2 * j;
    for (uint32_t i = 1; i <= a.len; i++) {
        now[0] = 2 * i;
        for (uint32_t j = 1; j <= b.len; j++) {
            uint32_t replaced = last[j - 1] + replace_cost(a.at[i - 1], b.at[j - 1]);
            now[j] = min3(last[j] + 2, now[j - 1] + 2, replaced);
            if (i > 1 && j > 1 && a.at[i - 1] == b.at[j - 2] && a.at[i - 2] == b.at[j - 1])
                now[j] = min3(now[j], before[j - 2] + 2, now[j]);
        }
        uint32_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    uint32_t distance = (last[b.len] + 1) / 2;
    return distance > limit ? limit + 1 : distance;
}

void leat_suggest_start(struct leat_suggest *s, struct leat_str wrong)
{
    /* A third of the letters may be wrong: more than that is another word. */
    *s = (struct leat_suggest){.wrong = wrong, .distance = (wrong.len + 2) / 3 + 1};
}

/* "wait" for "max_wait": a word of four letters or more that is all there counts as one edit. */
static bool contains(struct leat_str whole, struct leat_str part)
{
    return part.len >= 4 && part.len < whole.len &&
           memmem(whole.at, whole.len, part.at, part.len) != NULL;
}

void leat_suggest_offer(struct leat_suggest *s, struct leat_str name)
{
    if (s->distance == 0)
        return;
    uint32_t distance = leat_edit_distance(s->wrong, name, s->distance);
    if (distance > 1 && (contains(name, s->wrong) || contains(s->wrong, name)))
        distance = 1;
    if (distance < s->distance) {
        s->distance = distance;
        s->best = name;
    }
}

void leat_suggest_offer_cstr(struct leat_suggest *s, const char *name)
{
    leat_suggest_offer(s, leat_str_of(name));
}
