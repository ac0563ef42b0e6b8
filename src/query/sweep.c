#include "query/sweep.h"

struct leat_sweep_lane { /* refs of one processor and slice */
    const struct leat_dead_ref *next, *end;
    const struct leat_processor *processor; /* NULL: not in this topology */
};

static leat_status no_processor(struct leat_str name, struct leat_error *err)
{
    (void)leat_fail(err, LEAT_ABSENT,
                    "processor '%.*s' is not in this topology: nobody would "
                    "handle its messages",
                    LEAT_STR_FMT(name));
    leat_error_hint(err, "Use the topology that has it, or drop them.");
    return LEAT_ABSENT;
}

leat_status leat_sweep_start(struct leat_sweep *s, const struct leat_dead_ref *refs, size_t n,
                             struct leat_error *err)
{
    bool needs_processor = s->what == LEAT_SWEEP_REDRIVE || s->what == LEAT_SWEEP_CANCEL;
    s->told = leat_arena_zalloc(s->arena, n + 1, sizeof *s->told);
    s->lanes = leat_arena_zalloc(s->arena, n + 1, sizeof *s->lanes);
    s->todo = (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        const struct leat_dead_ref *r = &refs[i];
        if (i > 0 && r[-1].slice == r->slice && leat_str_eq(r[-1].processor, r->processor)) {
            s->lanes[s->lane_count - 1].end = r + 1;
            continue;
        }
        const struct leat_processor *p = leat_topology_processor(s->topology, r->processor);
        if (p == NULL && needs_processor)
            return no_processor(r->processor, err);
        s->lanes[s->lane_count++] =
            (struct leat_sweep_lane){.next = r, .end = r + 1, .processor = p};
    }
    return LEAT_OK;
}

static leat_status call(struct leat_sweep *s, const struct leat_sweep_lane *l,
                        const struct leat_operation *o, leat_operated *ret, struct leat_error *err)
{
    const struct leat_processor *p = l->processor;
    switch (s->what) {
    case LEAT_SWEEP_REDRIVE:
        return leat_store_redrive(s->store, o, p->retry.ordering == LEAT_ORDERING_KEY, s->force,
                                  ret, err);
    case LEAT_SWEEP_DROP:
        return leat_store_drop(s->store, o, s->note, ret, err);
    case LEAT_SWEEP_NOW:
        return leat_store_hurry(s->store, o, ret, err);
    case LEAT_SWEEP_CANCEL:
        break;
    }
    const struct leat_burial burial = {.aggregate =
                                           p->aggregate != NULL ? p->aggregate->name : LEAT_STR(""),
                                       .dlq_topic = p->dlq_topic,
                                       .message = s->note};
    return leat_store_cancel(s->store, o, &burial, ret, err);
}

leat_status leat_sweep_step(struct leat_sweep *s, int64_t limit, bool *ret_more,
                            struct leat_error *err)
{
    struct leat_uuid ids[LEAT_SWEEP_BATCH];
    leat_operated results[LEAT_SWEEP_BATCH];
    int64_t left = s->max > 0 ? s->max - leat_sweep_done(s) : s->todo;
    limit = limit < LEAT_SWEEP_BATCH ? limit : LEAT_SWEEP_BATCH;
    limit = limit < left ? limit : left;
    if (s->seen == s->todo || limit <= 0) {
        *ret_more = false;
        return LEAT_OK;
    }
    while (s->lanes[s->at].next == s->lanes[s->at].end)
        s->at = (s->at + 1) % s->lane_count;
    struct leat_sweep_lane *l = &s->lanes[s->at];
    struct leat_operation o = {.processor = l->next->processor, .slice = l->next->slice};
    for (; (int64_t)o.n < limit && l->next + o.n < l->end; o.n++)
        ids[o.n] = l->next[o.n].id;
    o.ids = ids;
    LEAT_TRY(call(s, l, &o, results, err), err, "sweep");
    for (size_t i = 0; i < o.n; i++) {
        s->counts[results[i]]++;
        s->told[s->seen++] = (struct leat_sweep_told){&l->next[i], results[i]};
    }
    l->next += o.n;
    s->at = (s->at + 1) % s->lane_count;
    *ret_more = s->seen < s->todo && (s->max == 0 || leat_sweep_done(s) < s->max);
    return LEAT_OK;
}

int64_t leat_sweep_done(const struct leat_sweep *s)
{
    return s->counts[LEAT_OPERATED_DONE] + s->counts[LEAT_OPERATED_DEAD];
}

int64_t leat_sweep_refused(const struct leat_sweep *s)
{
    return s->counts[LEAT_OPERATED_QUARANTINED] + s->counts[LEAT_OPERATED_NOT_KEPT] +
           s->counts[LEAT_OPERATED_HELD] + s->counts[LEAT_OPERATED_PARKED];
}

const char *leat_operated_text(leat_operated result)
{
    static const char *const texts[LEAT_OPERATED_COUNT] = {
        "done",
        "is a dead letter now",
        "is not there (any more)",
        "is being redriven already",
        "was done or rejected since it died",
        "is in quarantine: it died again after each of its redrives",
        "was dropped",
        "is too large to be kept: only its position and hash are here",
        "is dead and holds its key: redrive or drop it",
        "waits behind another message of its key"};
    return texts[result];
}
