/* What a reply means for lanes, slices and cached states. */
#include "worker/flow_internal.h"

void leat_flow_lose(struct leat_flow *f, int32_t k)
{
    int64_t epoch = f->slices[k].epoch;
    leat_flow_stop(f, k);
    if (epoch > 0)
        f->slices[k].lost = epoch;
}

int64_t leat_flow_epoch(const struct leat_flow *f, int32_t k)
{
    return f->slices[k].epoch;
}

static void fences_replied(struct leat_flow *f, const struct leat_reply *reply)
{
    for (size_t i = 0; i < f->batch.fence_count; i++) {
        const struct leat_reply_fence *r = &reply->fences[i];
        struct flow_slice *slice = &f->slices[f->batch.fences[i].k];
        if (r->result != LEAT_FENCE_OK)
            continue;
        if (r->head_before != slice->head_seen)
            slice->sole_since = r->head_before;
        slice->head_seen = r->head_after;
    }
}

static void command_replied(struct leat_flow *f, struct flow_work *w, leat_settled settled)
{
    switch (settled) {
    case LEAT_SETTLED_STORED:
        w->item->settled = true;
        break;
    case LEAT_SETTLED_DUPLICATE:
        w->item->settled = true;
        f->figures.duplicates++;
        break;
    case LEAT_SETTLED_CONFLICT:
        w->item->conflicts++;
        f->conflicts_pending++;
        f->figures.conflicts++;
        if (w->item->conflicts > 1)
            f->lock_next = true;
        break;
    case LEAT_SETTLED_LEFT_OUT:
        f->figures.fenced++;
        break;
    }
    if (settled != LEAT_SETTLED_STORED && w->stream != NULL)
        w->stream->broken = true;
}

static void count_stored(struct leat_flow *f, const struct leat_batch_command *c)
{
    f->figures.commands++;
    switch (c->outcome) {
    case LEAT_OUTCOME_ACCEPTED:
        f->figures.accepted++;
        break;
    case LEAT_OUTCOME_REJECTED:
        f->figures.rejected++;
        break;
    case LEAT_OUTCOME_DEAD:
        f->figures.dead++;
        break;
    case LEAT_OUTCOME_FORWARDED:
        f->figures.forwarded++;
        break;
    case LEAT_OUTCOME_WAITING:
        f->figures.commands--; /* counted when it is settled */
        break;
    }
}

static void work_replied(struct leat_flow *f, const struct leat_reply *reply)
{
    flow_no_conflicts(f);
    for (size_t i = 0; i < f->work_count; i++) {
        struct flow_work *w = &f->work[i];
        if (w->batch_command < 0) {
            /* Passed over: settled with its lane's move, unless the lane was cut before it. */
            w->item->left = w->left;
            w->item->settled = (w->what == FLOW_SKIP || w->left) && !w->cut;
            continue;
        }
        leat_settled settled = (leat_settled)reply->settled[w->batch_command];
        if (settled == LEAT_SETTLED_STORED)
            count_stored(f, &f->batch.commands[w->batch_command]);
        command_replied(f, w, settled);
        if (settled == LEAT_SETTLED_STORED || settled == LEAT_SETTLED_DUPLICATE)
            flow_suspect_replied(f, w);
    }
    f->figures.events += f->batch.event_count;
    for (size_t i = 0; i < f->batch.snapshot_count; i++)
        f->figures.snapshots +=
            reply->settled[f->batch.snapshots[i].command] == LEAT_SETTLED_STORED;
}

/* States of streams that settled as decided are kept; others are read again. */
static void keep_states(struct leat_flow *f)
{
    if (!leat_dispatch_has_state(f->c.dispatch))
        return;
    for (struct flow_key *key = f->first_key; key != NULL; key = key->next) {
        struct flow_slice *slice = &f->slices[key->k];
        struct leat_error err = {0};
        if (slice->epoch == 0)
            continue;
        leat_buf_clear(&f->scratch);
        if (!key->decided || key->broken || key->unreadable != NULL ||
            leat_dispatch_state_encode(f->c.dispatch, key->state, &f->scratch, &err) != LEAT_OK) {
            leat_cache_drop(f->cache, key->k, key->key);
            continue;
        }
        struct leat_cached value = {key->version, slice->head_seen, leat_buf_str(&f->scratch)};
        leat_cache_put(f->cache, key->k, key->key, &value);
    }
}

/* The low-water mark: the first record of the lane that is not settled. */
static void advance(struct leat_flow *f, struct flow_lane *l)
{
    if (l->taken == 0 || flow_item_at(l, 0)->settled)
        l->owed = 0; /* else it has not moved */
    while (l->count > 0 && l->taken > 0 && flow_item_at(l, 0)->settled) {
        bool stops = l->taken > 1 && !flow_item_at(l, 1)->settled;
        if (stops && l->spec.kind != LEAT_LANE_EVENTS)
            l->owed = flow_fingerprint(&flow_item_at(l, 0)->in);
        flow_item_release(f, flow_item_at(l, 0));
        l->head = (l->head + 1) & (l->cap - 1);
        l->count--;
        l->taken--;
    }
    int64_t next = l->taken > 0 ? flow_item_at(l, 0)->in.offset : l->batch_next;
    if (next > l->committed)
        l->committed = next;
}

void leat_flow_replied(struct leat_flow *f, const struct leat_reply *reply, int64_t now_ms)
{
    (void)now_ms;
    leat_assert(f->under_way);
    fences_replied(f, reply);
    work_replied(f, reply);
    keep_states(f); /* before records are let go: keys are slices of them */
    flow_waits_replied(f, reply);
    for (size_t i = 0; i < f->lane_count; i++) {
        struct flow_lane *l = &f->lanes[i];
        if (l->spec.kind == LEAT_LANE_WAITING && !l->gone && f->slices[l->spec.k].fence >= 0 &&
            reply->fences[f->slices[l->spec.k].fence].result == LEAT_FENCE_OK)
            flow_room_advance(f, l);
        if (l->batch_lane < 0)
            continue;
        const struct leat_batch_lane *move = &f->batch.lanes[l->batch_lane];
        if (reply->fences[f->slices[l->spec.k].fence].result != LEAT_FENCE_OK)
            continue;
        l->next_seq = move->next_seq;
        advance(f, l);
    }
    for (size_t i = 0; i < f->batch.fence_count; i++)
        if (reply->fences[i].result != LEAT_FENCE_OK)
            leat_flow_lose(f, f->batch.fences[i].k);
    flow_batch_reset(f);
}

void leat_flow_unknown(struct leat_flow *f)
{
    for (size_t i = 0; i < f->batch.fence_count; i++)
        leat_flow_lose(f, f->batch.fences[i].k);
    flow_no_conflicts(f);
    flow_batch_reset(f);
}

const struct leat_flow_hold *leat_flow_held(const struct leat_flow *f, size_t lane)
{
    const struct flow_lane *l = &f->lanes[lane];
    bool room = l->spec.kind == LEAT_LANE_WAITING; /* nobody outside knows that lane */
    return l->gone || room || l->count == 0 || l->tries == 0 ? NULL : &l->hold;
}
