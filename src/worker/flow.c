#include "worker/flow.h"

#include <stdlib.h>

#include "worker/flow_internal.h"

struct leat_flow *leat_flow_new(const struct leat_flow_config *c)
{
    struct leat_flow *f = calloc(1, sizeof *f);
    leat_assert(f != NULL && c->partitions > 0 && c->batch_max > 0);
    f->c = *c;
    f->topology = leat_dispatch_topology(c->dispatch);
    f->priorities = &leat_dispatch_processor(c->dispatch)->priorities;
    f->form = leat_dispatch_snapshot_form(c->dispatch);
    f->snapshot_every = leat_dispatch_snapshot_every(c->dispatch);
    f->slices = calloc((size_t)c->partitions, sizeof *f->slices);
    leat_assert(f->slices != NULL);
    f->cache = leat_cache_new(c->cache_bytes, c->partitions);
    f->waiting = leat_waiting_new(c->partitions);
    f->arena = leat_arena_new(256 * 1024, 2 * 1024 * 1024);
    leat_buf_init(&f->scratch, 4 * FLOW_RECORD_MAX);
    flow_rooms_new(f);
    flow_batch_reset(f);
    return f;
}

void leat_flow_free(struct leat_flow *f)
{
    if (f == NULL)
        return;
    leat_flow_stop_all(f);
    for (size_t i = 0; i < f->lane_count; i++)
        free(f->lanes[i].items);
    free(f->lanes);
    free(f->slices);
    leat_cache_free(f->cache);
    leat_waiting_free(f->waiting);
    flow_suspects_free(f);
    flow_rooms_free(f);
    leat_arena_free(f->arena);
    leat_buf_done(&f->scratch);
    free(f);
}

void flow_batch_reset(struct leat_flow *f)
{
    leat_arena_reset(f->arena);
    flow_rooms_reset(f);
    f->work = NULL;
    f->work_count = f->work_cap = 0;
    f->keys = NULL;
    f->key_slots = 0;
    f->first_key = f->last_key = NULL;
    f->wants = NULL;
    f->want_count = 0;
    f->batch = (struct leat_batch){.processor = leat_dispatch_name(f->c.dispatch)};
    f->command_cap = f->event_cap = f->outbox_cap = f->wait_cap = f->dead_cap = 0;
    f->stuck = (struct flow_stuck){0};
    f->under_way = false;
    f->refreshed = false;
    for (int32_t k = 0; k < f->c.partitions; k++) {
        f->slices[k].fence = -1;
        f->slices[k].untrusted = false;
        f->slices[k].tickets = 0;
    }
    for (size_t i = 0; i < f->lane_count; i++) {
        f->lanes[i].taken = 0;
        f->lanes[i].cut = false;
        f->lanes[i].batch_seq = f->lanes[i].next_seq;
        f->lanes[i].batch_lane = -1;
    }
}

/* ---- lanes come and go ---- */

static size_t lane_slots(struct leat_flow *f, size_t n)
{
    for (size_t i = 0; i + n <= f->lane_count; i++) {
        size_t run = 0;
        while (run < n && f->lanes[i + run].gone)
            run++;
        if (run == n)
            return i;
    }
    size_t first = f->lane_count;
    f->lane_count += n;
    leat_assert(f->lane_count <= FLOW_LANES_MAX);
    if (f->lane_count > f->lane_cap) {
        f->lane_cap = f->lane_count * 2;
        f->lanes = realloc(f->lanes, f->lane_cap * sizeof *f->lanes);
        leat_assert(f->lanes != NULL);
    }
    for (size_t i = first; i < f->lane_count; i++)
        f->lanes[i] = (struct flow_lane){.gone = true, .batch_lane = -1};
    return first;
}

static void take_slot(struct flow_lane *l, const struct leat_flow_lane *spec)
{
    struct flow_item *items = l->items;
    size_t cap = l->cap;
    *l = (struct flow_lane){.spec = *spec, .items = items, .cap = cap, .batch_lane = -1};
}

size_t leat_flow_start(struct leat_flow *f, int32_t k, int64_t epoch, int64_t head_seq,
                       const struct leat_flow_lane *lanes, size_t n)
{
    leat_assert(k >= 0 && k < f->c.partitions && epoch > 0 && !f->under_way);
    leat_flow_stop(f, k);
    f->slices[k] = (struct flow_slice){
        .epoch = epoch, .head_seen = head_seq, .sole_since = head_seq, .fence = -1};
    size_t first = lane_slots(f, n + 1);
    f->slices[k].room = first + n;
    take_slot(&f->lanes[first + n],
              &(struct leat_flow_lane){
                  .topic = "", .k = k, .priority = -1, .kind = LEAT_LANE_WAITING, .source = -1});
    for (size_t i = 0; i < n; i++) {
        struct flow_lane *l = &f->lanes[first + i];
        take_slot(l, &lanes[i]);
        l->committed = lanes[i].next_offset;
        l->verify = lanes[i].fingerprint != 0 && lanes[i].next_offset > 0;
        l->read = l->verify ? l->committed - 1 : l->committed;
        l->next_seq = lanes[i].next_seq;
    }
    return first;
}

void flow_lane_clear(struct leat_flow *f, struct flow_lane *l)
{
    for (size_t i = 0; i < l->count; i++)
        flow_item_release(f, flow_item_at(l, i));
    l->head = l->count = 0;
}

void flow_no_conflicts(struct leat_flow *f)
{
    f->conflicts_pending = 0;
    f->lock_next = false;
}

/* Conflicts of a k that is no longer ours are nobody's to decide again. */
static void forget_conflicts(struct leat_flow *f)
{
    for (size_t i = 0; i < f->lane_count; i++)
        for (size_t j = 0; !f->lanes[i].gone && j < f->lanes[i].count; j++)
            if (flow_item_at(&f->lanes[i], j)->conflicts > 0)
                return;
    flow_no_conflicts(f);
}

void leat_flow_stop(struct leat_flow *f, int32_t k)
{
    leat_assert(k >= 0 && k < f->c.partitions);
    if (f->slices[k].epoch == 0)
        return;
    f->slices[k].epoch = 0;
    f->slices[k].lost = 0;
    leat_cache_drop_slice(f->cache, k);
    leat_waiting_drop(f->waiting, k);
    flow_suspects_stop(f, k);
    for (size_t i = 0; i < f->lane_count; i++) {
        struct flow_lane *l = &f->lanes[i];
        if (l->gone || l->spec.k != k)
            continue;
        flow_lane_clear(f, l);
        free(l->stopped);
        l->stopped = NULL;
        l->gone = true;
    }
    forget_conflicts(f);
}

void leat_flow_stop_all(struct leat_flow *f)
{
    for (int32_t k = 0; k < f->c.partitions; k++)
        leat_flow_stop(f, k);
    flow_batch_reset(f);
}

void leat_flow_lane_stop(struct leat_flow *f, size_t lane, const char *reason)
{
    struct flow_lane *l = &f->lanes[lane];
    if (l->gone || l->stopped != NULL)
        return;
    l->stopped = strdup(reason);
    leat_assert(l->stopped != NULL);
    if (!f->under_way)
        flow_lane_clear(f, l);
}

const char *leat_flow_lane_stopped(const struct leat_flow *f, size_t lane)
{
    return f->lanes[lane].stopped;
}

size_t leat_flow_lane_count(const struct leat_flow *f)
{
    return f->lane_count;
}

const struct leat_flow_lane *leat_flow_lane(const struct leat_flow *f, size_t lane)
{
    const struct flow_lane *l = &f->lanes[lane];
    return l->gone || l->spec.kind == LEAT_LANE_WAITING ? NULL : &l->spec;
}

int64_t leat_flow_position(const struct leat_flow *f, size_t lane)
{
    return f->lanes[lane].read;
}

int64_t leat_flow_committed(const struct leat_flow *f, size_t lane)
{
    return f->lanes[lane].committed;
}

int32_t leat_flow_on_hand(const struct leat_flow *f, size_t lane)
{
    return (int32_t)f->lanes[lane].count;
}

const struct leat_flow_figures *leat_flow_figures(const struct leat_flow *f)
{
    return &f->figures;
}

/* ---- intake ---- */

static size_t lanes_flowing(const struct leat_flow *f)
{
    size_t n = 0;
    for (size_t i = 0; i < f->lane_count; i++)
        n += leat_flow_lane(f, i) != NULL && f->lanes[i].stopped == NULL;
    return n;
}

int32_t leat_flow_quota(struct leat_flow *f, size_t lane, int64_t now_ms)
{
    const struct flow_lane *l = &f->lanes[lane];
    if (leat_flow_lane(f, lane) == NULL || l->stopped != NULL || f->under_way ||
        f->paused[0] != '\0')
        return 0;
    if (l->held_until_ms > now_ms && l->count > 0)
        return 0;
    size_t ks = lanes_flowing(f) / (f->priorities->n > 0 ? f->priorities->n : 1);
    size_t share = (size_t)f->c.batch_max / (ks > 0 ? ks : 1);
    if (share < FLOW_HAND_MIN)
        share = FLOW_HAND_MIN;
    return l->count >= share ? 0 : (int32_t)(share - l->count);
}

void flow_push(struct flow_lane *l, const struct leat_incoming *r, struct leat_waiting_row *wait)
{
    if (l->count == l->cap) {
        size_t cap = l->cap == 0 ? FLOW_HAND_MIN : l->cap * 2;
        struct flow_item *items = malloc(cap * sizeof *items);
        leat_assert(items != NULL);
        for (size_t i = 0; i < l->count; i++)
            items[i] = *flow_item_at(l, i);
        free(l->items);
        l->items = items;
        l->head = 0;
        l->cap = cap;
    }
    *flow_item_at(l, l->count) = (struct flow_item){.in = *r, .wait = wait};
    l->count++;
}

/* The record before next_offset tells whether this is still the topic the store knows. Where it is
 * no longer there (retention, a transaction marker) nothing can be compared. */
static bool same_topic(struct leat_flow *f, size_t lane, struct leat_incoming *r)
{
    struct flow_lane *l = &f->lanes[lane];
    l->verify = false;
    if (r->offset >= l->committed || flow_fingerprint(r) == l->spec.fingerprint)
        return true;
    leat_flow_lane_stop(f, lane,
                        "the record before the lane's offset is not the one that was handled: "
                        "the topic was re-created or lost records");
    return false;
}

bool leat_flow_offer(struct leat_flow *f, size_t lane, struct leat_incoming *records, size_t n,
                     int64_t now_ms)
{
    (void)now_ms;
    struct flow_lane *l = &f->lanes[lane];
    leat_assert(!f->under_way);
    for (size_t i = 0; i < n; i++) {
        struct leat_incoming *r = &records[i];
        if (!l->gone && l->stopped == NULL && l->verify && r->offset + 1 >= l->committed)
            (void)same_topic(f, lane, r);
        /* Below `read`: the record compared, or what a seek had left in a queue. */
        if (l->gone || l->stopped != NULL || r->offset < l->committed || r->offset < l->read) {
            f->c.release(f->c.arg, r);
            continue;
        }
        l->read = r->offset + 1;
        flow_push(l, r, NULL);
    }
    return l->gone || l->stopped == NULL;
}

bool leat_flow_ready(const struct leat_flow *f, int64_t now_ms)
{
    if (f->paused[0] != '\0')
        return false;
    for (size_t i = 0; i < f->lane_count; i++) {
        const struct flow_lane *l = &f->lanes[i];
        if (!l->gone && l->stopped == NULL && l->hole_to == 0 && l->count > 0 &&
            l->held_until_ms <= now_ms)
            return true;
    }
    return false;
}

int64_t leat_flow_due_ms(const struct leat_flow *f)
{
    int64_t due = INT64_MAX;
    if (f->paused[0] != '\0')
        return due;
    for (size_t i = 0; i < f->lane_count; i++) {
        const struct flow_lane *l = &f->lanes[i];
        if (!l->gone && l->stopped == NULL && l->count > 0 && l->held_until_ms < due)
            due = l->held_until_ms;
    }
    for (int32_t k = 0; k < f->c.partitions; k++) {
        if (f->slices[k].epoch == 0)
            continue;
        int64_t waits = leat_waiting_due_ms(f->waiting, k);
        const struct flow_lane *room = &f->lanes[f->slices[k].room];
        if (waits < room->held_until_ms)
            waits = room->held_until_ms;
        if (waits < due)
            due = waits;
    }
    return due;
}

bool leat_flow_again(const struct leat_flow *f, bool *ret_locked)
{
    *ret_locked = f->lock_next;
    return f->conflicts_pending > 0;
}

int32_t leat_flow_lost(struct leat_flow *f, int64_t *ret_epoch)
{
    for (int32_t k = 0; k < f->c.partitions; k++)
        if (f->slices[k].lost > 0) {
            *ret_epoch = f->slices[k].lost;
            f->slices[k].lost = 0;
            return k;
        }
    return -1;
}

/* ---- events lanes: holes ---- */

bool leat_flow_hole(const struct leat_flow *f, size_t *ret_lane, int64_t *ret_from, int64_t *ret_to)
{
    for (size_t i = 0; i < f->lane_count; i++) {
        const struct flow_lane *l = &f->lanes[i];
        if (l->gone || l->stopped != NULL || l->hole_to == 0)
            continue;
        *ret_lane = i;
        *ret_from = l->hole_from;
        *ret_to = l->hole_to;
        return true;
    }
    return false;
}

/* They stand before the first record on hand and move the lane's offset no further than to it. */
void leat_flow_fill(struct leat_flow *f, size_t lane, struct leat_incoming *events, size_t n)
{
    struct flow_lane *l = &f->lanes[lane];
    int64_t before = (l->count > 0 ? flow_item_at(l, 0)->in.offset : l->committed) - 1;
    leat_assert(!f->under_way && !l->gone);
    for (size_t i = 0; i < n; i++)
        flow_push(l, &(struct leat_incoming){0}, NULL); /* room at the end; then all move up by n */
    for (size_t i = l->count; i-- > n;)
        *flow_item_at(l, i) = *flow_item_at(l, i - n);
    for (size_t i = 0; i < n; i++) {
        events[i].offset = before;
        *flow_item_at(l, i) = (struct flow_item){.in = events[i]};
    }
    l->hole_from = l->hole_to = 0;
}

void leat_flow_tail(struct leat_flow *f, size_t lane, int64_t published_seq)
{
    struct flow_lane *l = &f->lanes[lane];
    if (l->gone || l->stopped != NULL || l->spec.kind != LEAT_LANE_EVENTS || l->count > 0 ||
        published_seq < l->next_seq)
        return;
    l->hole_from = l->next_seq;
    l->hole_to = published_seq;
}
