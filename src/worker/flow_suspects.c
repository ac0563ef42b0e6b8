/* Messages whose handler has ended its process before: they are handled alone, so that whoever ends
 * the next one is known for sure, and after FLOW_TRIES_MAX times not at all. */
#include <stdlib.h>
#include <string.h>

#include "worker/flow_internal.h"

#define FLOW_TRIES_MAX 3

static void drop(struct leat_flow *f, size_t i)
{
    free(f->suspects[i].topic);
    free(f->suspects[i].text);
    f->suspects[i] = f->suspects[--f->suspect_count];
}

void flow_suspects_stop(struct leat_flow *f, int32_t k)
{
    for (size_t i = f->suspect_count; i-- > 0;) {
        if (f->suspects[i].k == k)
            drop(f, i);
    }
}

void flow_suspects_free(struct leat_flow *f)
{
    while (f->suspect_count > 0)
        drop(f, f->suspect_count - 1);
    free(f->suspects);
}

static char *kept(struct leat_str text)
{
    char *to = malloc((size_t)text.len + 1);
    leat_assert(to != NULL);
    if (text.len > 0)
        memcpy(to, text.at, text.len);
    to[text.len] = '\0';
    return to;
}

void leat_flow_suspects(struct leat_flow *f, int32_t k, const struct leat_flow_suspect *rows,
                        size_t n)
{
    flow_suspects_stop(f, k);
    if (n == 0)
        return;
    f->suspects = realloc(f->suspects, (f->suspect_count + n) * sizeof *f->suspects);
    leat_assert(f->suspects != NULL);
    for (size_t i = 0; i < n; i++) {
        f->suspects[f->suspect_count++] = (struct flow_suspect){.k = k,
                                                                .id = rows[i].id,
                                                                .offset = rows[i].offset,
                                                                .topic = kept(rows[i].topic),
                                                                .text = kept(rows[i].text),
                                                                .tries = rows[i].tries,
                                                                .hung = rows[i].hung};
    }
}

/* Before the record is decoded its id is not known, but the place it had when it ran. */
bool flow_item_is_suspect(const struct leat_flow *f, const struct flow_lane *l,
                          const struct flow_item *item)
{
    for (size_t i = 0; i < f->suspect_count; i++) {
        const struct flow_suspect *s = &f->suspects[i];
        if (s->k != l->spec.k || s->settled)
            continue;
        if (item->wait != NULL
                ? leat_uuid_eq(&s->id, &item->wait->id)
                : s->offset == item->in.offset && strcmp(s->topic, l->spec.topic) == 0)
            return true;
    }
    return false;
}

static struct flow_suspect *find(const struct leat_flow *f, const struct flow_work *w)
{
    for (size_t i = 0; i < f->suspect_count; i++) {
        if (f->suspects[i].k == f->lanes[w->lane].spec.k && !f->suspects[i].settled &&
            leat_uuid_eq(&f->suspects[i].id, &w->id))
            return &f->suspects[i];
    }
    return NULL;
}

bool flow_is_condemned(const struct leat_flow *f, const struct flow_work *w)
{
    const struct flow_suspect *s = f->suspect_count == 0 ? NULL : find(f, w);
    return s != NULL && s->tries >= FLOW_TRIES_MAX;
}

void flow_condemn(struct leat_flow *f, struct flow_work *w, int64_t now_ms)
{
    const struct flow_suspect *s = find(f, w);
    leat_assert(s != NULL);
    w->code = s->hung ? LEAT_STR("hung") : LEAT_STR("crashed");
    w->text = leat_str_of(leat_arena_printf(f->arena, "%s, %d times", s->text, s->tries));
    w->attempts += s->tries - 1;
    flow_give_up(f, w, "crash", now_ms);
}

void flow_suspect_replied(struct leat_flow *f, const struct flow_work *w)
{
    struct flow_suspect *s = f->suspect_count == 0 ? NULL : find(f, w);
    leat_outcome outcome = f->batch.commands[w->batch_command].outcome;
    if (s != NULL && (outcome == LEAT_OUTCOME_ACCEPTED || outcome == LEAT_OUTCOME_REJECTED ||
                      outcome == LEAT_OUTCOME_DEAD))
        s->settled = true;
}

bool leat_flow_acquitted(struct leat_flow *f, int32_t *ret_k, struct leat_uuid *ret_id)
{
    for (size_t i = 0; i < f->suspect_count; i++) {
        if (!f->suspects[i].settled)
            continue;
        *ret_k = f->suspects[i].k;
        *ret_id = f->suspects[i].id;
        drop(f, i);
        return true;
    }
    return false;
}
