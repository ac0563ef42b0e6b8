/* Which records on hand go into the next batch: what has waited too long, then by weight, then what
 * is left of the room goes to whoever has more, most urgent class first. */
#include "worker/flow_internal.h"

static bool open_now(const struct flow_lane *l, int64_t now_ms)
{
    return !l->gone && l->stopped == NULL && l->hole_to == 0 && l->count > l->taken &&
           l->held_until_ms <= now_ms;
}

/* Takes up to `room` more records of the lane's prefix; settled ones cost nothing. Suspects go one
 * at a time, in batches of their own. */
static size_t take_of(struct leat_flow *f, size_t lane, size_t room, bool suspects)
{
    struct flow_lane *l = &f->lanes[lane];
    size_t n = 0;
    while (l->taken < l->count && n < room) {
        struct flow_item *item = flow_item_at(l, l->taken);
        if (!suspects && f->suspect_count > 0 && !item->settled && flow_item_is_suspect(f, l, item))
            break;
        l->taken++;
        l->batch_next = item->in.offset + 1;
        if (item->settled)
            continue;
        f->work[f->work_count++] = (struct flow_work){
            .lane = (uint32_t)lane, .item = item, .handler = -1, .batch_command = -1};
        n++;
    }
    return n;
}

static size_t take(struct leat_flow *f, size_t lane, size_t room)
{
    return take_of(f, lane, room, false);
}

static const struct leat_priority *priority_of(const struct leat_flow *f, const struct flow_lane *l)
{
    const struct leat_priorities *p = f->priorities;
    int32_t i = l->spec.priority;
    return &p->at[i >= 0 && (uint32_t)i < p->n ? (uint32_t)i : p->default_index];
}

static size_t select_overdue(struct leat_flow *f, int64_t now_ms, size_t room)
{
    size_t used = 0;
    for (size_t i = 0; i < f->lane_count && used < room; i++) {
        struct flow_lane *l = &f->lanes[i];
        if (!open_now(l, now_ms))
            continue;
        const struct leat_priority *p = priority_of(f, l);
        int64_t waited = now_ms - flow_item_at(l, l->taken)->in.timestamp_ms;
        if (p->max_wait_ms > 0 && waited > p->max_wait_ms)
            used += take(f, i, room - used);
    }
    return used;
}

/* The room of each class in proportion to its weight among the classes that have something. */
static size_t select_weighted(struct leat_flow *f, int64_t now_ms, size_t room)
{
    int64_t weights = 0, lanes[LEAT_PRIORITIES_MAX] = {0};
    for (size_t i = 0; i < f->lane_count; i++) {
        if (open_now(&f->lanes[i], now_ms)) {
            const struct leat_priority *p = priority_of(f, &f->lanes[i]);
            if (lanes[p - f->priorities->at]++ == 0)
                weights += p->weight;
        }
    }
    size_t used = 0;
    for (size_t i = 0; i < f->lane_count && used < room; i++) {
        struct flow_lane *l = &f->lanes[i];
        if (!open_now(l, now_ms))
            continue;
        const struct leat_priority *p = priority_of(f, l);
        int64_t share = (int64_t)room * p->weight / weights / lanes[p - f->priorities->at];
        size_t n = share < 1 ? 1 : (size_t)share;
        used += take(f, i, n < room - used ? n : room - used);
    }
    return used;
}

static size_t select_rest(struct leat_flow *f, int64_t now_ms, size_t room)
{
    size_t used = 0;
    for (uint32_t p = 0; p < f->priorities->n && used < room; p++) {
        for (size_t i = 0; i < f->lane_count && used < room; i++) {
            struct flow_lane *l = &f->lanes[i];
            if (open_now(l, now_ms) && priority_of(f, l) == &f->priorities->at[p])
                used += take(f, i, room - used);
        }
    }
    return used;
}

/* With conflicts to be decided under the lock, only they go: locks are to be held briefly. */
static void select_conflicts(struct leat_flow *f, size_t room)
{
    for (size_t i = 0; i < f->lane_count; i++) {
        struct flow_lane *l = &f->lanes[i];
        while (!l->gone && l->stopped == NULL && l->taken < l->count &&
               (flow_item_at(l, l->taken)->settled || flow_item_at(l, l->taken)->conflicts > 0)) {
            if (take_of(f, i, 1, true) > 0 && --room == 0)
                return;
        }
    }
}

/* One that stands first in its lane now, alone. */
static bool select_suspect(struct leat_flow *f, int64_t now_ms)
{
    for (size_t i = 0; i < f->lane_count; i++) {
        const struct flow_lane *l = &f->lanes[i];
        size_t at = 0;
        if (!open_now(l, now_ms))
            continue;
        while (at < l->count && flow_item_at(l, at)->settled)
            at++;
        if (at < l->count && flow_item_is_suspect(f, l, flow_item_at(l, at)))
            return take_of(f, i, 1, true) > 0;
    }
    return false;
}

void flow_select(struct leat_flow *f, int64_t now_ms)
{
    size_t room = (size_t)f->c.batch_max;
    f->work_cap = room;
    f->work = leat_arena_alloc(f->arena, room * sizeof *f->work);
    if (f->lock_next) {
        select_conflicts(f, room);
        return;
    }
    if (f->suspect_count > 0 && select_suspect(f, now_ms))
        return;
    size_t used = select_overdue(f, now_ms, (room + 1) / 2);
    used += select_weighted(f, now_ms, room - used);
    (void)select_rest(f, now_ms, room - used);
}
