/* From records to a batch: states wanted, states loaded, handlers run. */
#include <stdio.h>

#include "base/hash.h"
#include "base/utf8.h"
#include "worker/flow_internal.h"

/* ---- streams of the batch ---- */

static void keys_init(struct leat_flow *f)
{
    f->key_slots = 16;
    while (f->key_slots < f->work_count * 2)
        f->key_slots *= 2;
    f->keys = leat_arena_zalloc(f->arena, f->key_slots, sizeof(struct flow_key *));
}

static struct leat_str stream_of(struct leat_flow *f, struct leat_str key)
{
    struct leat_str prefix = leat_dispatch_prefix(f->c.dispatch);
    char *text = leat_arena_alloc(f->arena, (size_t)prefix.len + key.len);
    if (prefix.len > 0)
        memcpy(text, prefix.at, prefix.len);
    memcpy(text + prefix.len, key.at, key.len);
    return (struct leat_str){text, prefix.len + key.len};
}

static struct flow_key *key_of(struct leat_flow *f, int32_t k, struct leat_str key)
{
    uint64_t hash = leat_hash64(key.at, key.len, 0);
    size_t i = hash & (f->key_slots - 1);
    while (f->keys[i] != NULL && !(f->keys[i]->hash == hash && leat_str_eq(f->keys[i]->key, key)))
        i = (i + 1) & (f->key_slots - 1);
    if (f->keys[i] != NULL)
        return f->keys[i];
    struct flow_key *made = leat_arena_zalloc(f->arena, 1, sizeof *made);
    *made = (struct flow_key){.hash = hash, .key = key, .stream = stream_of(f, key), .k = k};
    if (f->last_key == NULL)
        f->first_key = made;
    else
        f->last_key->next = made;
    f->last_key = made;
    f->keys[i] = made;
    return made;
}

/* ---- wants ---- */

static void state_from_cache(struct leat_flow *f, struct flow_key *key, const struct leat_cached *c)
{
    struct leat_error err = {0};
    /* The cache's bytes may move at the next put; the state keeps slices of them. */
    struct leat_str bytes = leat_arena_copy(f->arena, c->state);
    key->state = leat_dispatch_state_new(f->c.dispatch, f->arena);
    if (leat_dispatch_state_decode(f->c.dispatch, bytes, f->arena, key->state, &err) != LEAT_OK) {
        key->state = NULL; /* load it from the start */
        return;
    }
    key->version = key->from_version = c->version;
    key->as_of = c->as_of;
}

static void want_state(struct leat_flow *f, struct flow_key *key)
{
    struct flow_slice *slice = &f->slices[key->k];
    struct leat_cached cached;
    if (leat_cache_get(f->cache, key->k, key->key, &cached)) {
        state_from_cache(f, key, &cached);
        if (key->version == cached.version && cached.as_of >= slice->sole_since && !f->lock_next) {
            key->known = true;
            return;
        }
    }
    if (key->state == NULL)
        key->state = leat_dispatch_state_new(f->c.dispatch, f->arena);
    f->wants[f->want_count] = (struct leat_stream_want){key->k, key->stream, key->version,
                                                        f->snapshot_every > 0 ? &f->form : NULL};
    f->want_keys[f->want_count++] = key;
}

static int32_t fence_of(struct leat_flow *f, int32_t k)
{
    struct flow_slice *slice = &f->slices[k];
    if (slice->fence < 0) {
        slice->fence = (int32_t)f->batch.fence_count++;
        f->batch.fences[slice->fence] = (struct leat_batch_fence){k, slice->epoch, -1};
    }
    return slice->fence;
}

static void lanes_and_fences(struct leat_flow *f)
{
    f->batch.lanes = leat_arena_alloc(f->arena, f->lane_count * sizeof *f->batch.lanes);
    f->batch.fences = leat_arena_alloc(f->arena, (size_t)f->c.partitions * sizeof *f->batch.fences);
    for (size_t i = 0; i < f->lane_count; i++) {
        struct flow_lane *l = &f->lanes[i];
        if (l->gone || l->stopped != NULL || (l->taken == 0 && l->owed == 0))
            continue;
        if (l->spec.kind == LEAT_LANE_WAITING) {
            (void)fence_of(f, l->spec.k);
            continue;
        }
        if (l->taken == 0)
            l->batch_next = l->committed;
        (void)fence_of(f, l->spec.k);
        l->batch_lane = (int32_t)f->batch.lane_count++;
        f->batch.lanes[l->batch_lane] =
            (struct leat_batch_lane){.topic = leat_str_of(l->spec.topic),
                                     .k = l->spec.k,
                                     .first_offset = l->committed,
                                     .next_offset = l->batch_next,
                                     .next_seq = l->next_seq};
    }
}

void leat_flow_wants(struct leat_flow *f, int64_t now_ms, const struct leat_stream_want **ret,
                     size_t *ret_n)
{
    leat_assert(!f->under_way);
    flow_batch_reset(f);
    flow_select(f, now_ms);
    keys_init(f);
    f->wants = leat_arena_alloc(f->arena, (f->work_count + 1) * sizeof *f->wants);
    f->want_keys = leat_arena_alloc(f->arena, (f->work_count + 1) * sizeof(struct flow_key *));
    lanes_and_fences(f);
    bool stateful = leat_dispatch_has_state(f->c.dispatch);
    for (size_t i = 0; i < f->work_count; i++) {
        struct flow_work *w = &f->work[i];
        flow_read(f, w);
        if (w->what != FLOW_COMMAND)
            continue;
        if (flow_is_parked(f, w)) {
            w->what = FLOW_PARK;
            continue;
        }
        if (w->event)
            continue;
        struct flow_key *last = f->last_key;
        w->stream = key_of(f, f->lanes[w->lane].spec.k, w->key);
        if (w->stream == f->last_key && w->stream != last && stateful)
            want_state(f, w->stream);
    }
    *ret = f->wants;
    *ret_n = f->want_count;
}

const struct leat_batch *leat_flow_locks(const struct leat_flow *f)
{
    return &f->batch;
}

/* ---- loaded ---- */

static void heads_loaded(struct leat_flow *f, const struct leat_loaded *loaded)
{
    for (size_t i = 0; i < loaded->head_count; i++) {
        const struct leat_fence_state *h = &loaded->heads[i];
        leat_assert(h->k >= 0 && h->k < f->c.partitions);
        struct flow_slice *slice = &f->slices[h->k];
        if (h->head_seq == slice->head_seen)
            continue;
        /* Somebody else wrote: what was cached before is no longer known to be right. */
        slice->head_seen = slice->sole_since = h->head_seq;
        slice->untrusted = true;
    }
}

/* What can't be used is as if it were not there: the events tell. */
static void from_snapshot(struct leat_flow *f, struct flow_key *key,
                          const struct leat_loaded_snapshot *s)
{
    struct leat_error err = {0};
    /* The state keeps slices of the bytes, which are the shell's. */
    struct leat_str bytes = leat_arena_copy(f->arena, s->state);
    key->state = leat_dispatch_state_new(f->c.dispatch, f->arena);
    key->version = s->version;
    if (!s->damaged &&
        leat_dispatch_state_decode(f->c.dispatch, bytes, f->arena, key->state, &err) == LEAT_OK)
        return;
    key->state = leat_dispatch_state_new(f->c.dispatch, f->arena);
    key->version = 0;
    key->again = true;
    f->figures.snapshots_damaged++;
}

static leat_status fold_event(struct leat_flow *f, struct flow_key *key,
                              const struct leat_stored_event *e, struct leat_error *err)
{
    leat_status status =
        leat_dispatch_fold(f->c.dispatch, e->type, e->payload, f->arena, key->state, err);
    if (status == LEAT_ABSENT && flow_refresh_schemas(f))
        status = leat_dispatch_fold(f->c.dispatch, e->type, e->payload, f->arena, key->state, err);
    return status;
}

/* History that can't be folded (an event nobody here can decode) holds the stream's lane: to decide
 * without it would be wrong, and the command itself is not at fault. */
static void fold_stored(struct leat_flow *f, struct flow_key *key,
                        const struct leat_stored_event *e)
{
    struct leat_error err = {0};
    if (key->unreadable != NULL)
        return;
    if (e->version != key->version + 1)
        key->unreadable = leat_arena_printf(f->arena, "version %lld follows %lld in the store",
                                            (long long)e->version, (long long)key->version);
    else if (fold_event(f, key, e, &err) != LEAT_OK)
        key->unreadable = leat_arena_printf(f->arena, "could not fold version %lld: %s",
                                            (long long)e->version, err.msg);
    key->version = e->version;
    key->folded++;
}

/* Keeps, of the wants, those to be loaded again. */
static void wants_loaded(struct leat_flow *f)
{
    size_t again = 0;
    for (size_t i = 0; i < f->want_count; i++) {
        struct flow_key *key = f->want_keys[i];
        if (key->again) {
            key->again = false;
            f->want_keys[again] = key;
            f->wants[again++] = (struct leat_stream_want){key->k, key->stream, 0, NULL};
            continue;
        }
        key->known = true;
        key->as_of = f->slices[key->k].head_seen;
        key->from_version = key->version;
        f->figures.folded += (uint64_t)key->folded;
    }
    f->want_count = again;
}

void leat_flow_loaded(struct leat_flow *f, const struct leat_loaded *loaded)
{
    heads_loaded(f, loaded);
    for (size_t i = 0; i < loaded->snapshot_count; i++) {
        leat_assert(loaded->snapshots[i].want < f->want_count);
        from_snapshot(f, f->want_keys[loaded->snapshots[i].want], &loaded->snapshots[i]);
    }
    for (size_t i = 0; i < loaded->event_count; i++) {
        leat_assert(loaded->want[i] < f->want_count);
        struct flow_key *key = f->want_keys[loaded->want[i]];
        if (!key->again)
            fold_stored(f, key, &loaded->events[i]);
    }
    wants_loaded(f);
}

void leat_flow_wants_again(const struct leat_flow *f, const struct leat_stream_want **ret,
                           size_t *ret_n)
{
    *ret = f->wants;
    *ret_n = f->want_count;
}

/* ---- decide ---- */

/* The batch ends, for this lane, before the held record. */
static void cut_lane(struct leat_flow *f, struct flow_work *w)
{
    struct flow_lane *l = &f->lanes[w->lane];
    l->cut = w->cut = true;
    l->batch_next = w->item->in.offset > l->committed ? w->item->in.offset : l->committed;
    size_t n = 0;
    while (flow_item_at(l, n) != w->item)
        n++;
    l->taken = n;
}

static void hold_record(struct flow_lane *l, const struct flow_work *w, int64_t now_ms,
                        struct leat_str why)
{
    struct leat_flow_hold *h = &l->hold;
    const struct leat_incoming *in = &w->item->in;
    if (l->tries == 0 || h->offset != in->offset)
        *h = (struct leat_flow_hold){.offset = in->offset, .since_ms = now_ms};
    h->until_ms = l->held_until_ms;
    h->cause = LEAT_HELD_BY_RETRY;
    h->id = w->id;
    h->attempt++;
    leat_utf8_line(h->key, sizeof h->key, w->key.len > 0 ? w->key : in->key, "...");
    leat_utf8_line(h->text, sizeof h->text, why, "...");
}

static void hold_until(struct leat_flow *f, struct flow_work *w, int64_t until_ms, int64_t now_ms,
                       struct leat_str why)
{
    struct flow_lane *l = &f->lanes[w->lane];
    l->held_until_ms = until_ms;
    hold_record(l, w, now_ms, why);
    l->tries++;
    cut_lane(f, w);
}

void flow_hold(struct leat_flow *f, struct flow_work *w, int64_t now_ms, struct leat_str why)
{
    int32_t tries = f->lanes[w->lane].tries;
    int64_t wait = FLOW_HOLD_MS << (tries < 6 ? tries : 6);
    hold_until(f, w, now_ms + wait, now_ms, why);
}

/* It keeps conflicting: as if its handler had answered retry. Whatever its stream is at. */
static void give_way(struct leat_flow *f, struct flow_work *w, int64_t now_ms)
{
    w->stream = NULL;
    w->code = LEAT_STR("conflicts");
    w->text = LEAT_STR("other processors write to its stream each time it is decided");
    flow_retry(f, w, now_ms);
}

/* True when its handler is not to be called now, and what becomes of it has been seen to. */
static bool without_call(struct leat_flow *f, struct flow_work *w, int64_t now_ms)
{
    const struct flow_key *key = w->stream;
    if (key != NULL && key->astray) {
        cut_lane(f, w); /* decided on what will not be: again in the next batch */
    } else if (flow_is_stuck(f, w)) {
        if (w->item->wait != NULL)
            flow_leave(w);
        else
            flow_park(f, w, now_ms);
    } else if (flow_is_condemned(f, w)) {
        f->lanes[w->lane].tries = 0;
        flow_condemn(f, w, now_ms);
    } else if (w->call == NULL && w->item->conflicts > FLOW_CONFLICTS_MAX) {
        give_way(f, w, now_ms);
    } else if (w->call == NULL && key != NULL && key->unreadable != NULL) {
        flow_hold(f, w, now_ms, leat_str_of(key->unreadable));
    } else {
        return false;
    }
    return true;
}

static void run(struct leat_flow *f, struct flow_work *w, int64_t now_ms)
{
    struct leat_call own;
    const struct leat_call *call = w->call;
    if (call == NULL)
        w->version = -1; /* nothing is decided on the state, which may be ahead of its turn */
    if (without_call(f, w, now_ms))
        return;
    if (call == NULL) {
        flow_call(f, w, &f->rooms[0], &own);
        call = &own;
    }
    w->code = call->code;
    w->text = call->text;
    if (call->answer == LEAT_ANSWER_RETRY && call->unavailable) {
        hold_until(f, w, call->unavailable_until_ms, now_ms, call->text);
        f->lanes[w->lane].hold.cause = LEAT_HELD_BY_CIRCUIT;
        return;
    }
    f->lanes[w->lane].tries = 0;
    if (call->answer == LEAT_ANSWER_RETRY) {
        flow_retry(f, w, now_ms);
    } else if (call->answer == LEAT_ANSWER_POISON) {
        flow_give_up(f, w, "poison", now_ms);
    } else {
        flow_add_command(f, w, call);
        flow_take(f, w);
        flow_flood_count(f, false);
    }
}

/* The seqs from where the lane stands to before this record have to be fetched from the store. */
static void hole(struct leat_flow *f, struct flow_work *w)
{
    struct flow_lane *l = &f->lanes[w->lane];
    l->hole_from = f->batch.lanes[l->batch_lane].next_seq;
    l->hole_to = w->seq - 1;
    cut_lane(f, w);
}

static void decide_one(struct leat_flow *f, struct flow_work *w, int64_t now_ms)
{
    struct flow_lane *l = &f->lanes[w->lane];
    if (f->paused[0] != '\0') {
        cut_lane(f, w);
        return;
    }
    switch (w->what) {
    case FLOW_SKIP:
        flow_take(f, w);
        break;
    case FLOW_LATER:
        flow_hold(f, w, now_ms, w->text);
        break;
    case FLOW_PARK:
        flow_park(f, w, now_ms);
        break;
    case FLOW_RELEASE:
        flow_release_command(f, w);
        break;
    case FLOW_HOLE:
        hole(f, w);
        break;
    case FLOW_FORWARD:
        flow_add_forward(f, w);
        break;
    case FLOW_DEAD:
        flow_give_up(f, w, "poison", now_ms);
        break;
    case FLOW_COMMAND:
        run(f, w, now_ms);
        break;
    }
    if (l->batch_lane < 0)
        return;
    struct leat_batch_lane *move = &f->batch.lanes[l->batch_lane];
    if (l->spec.kind == LEAT_LANE_EVENTS && !w->cut && w->seq >= move->next_seq)
        move->next_seq = w->seq + 1;
}

static void since(struct leat_flow *f)
{
    for (size_t i = 0; i < f->batch.fence_count; i++)
        f->batch.fences[i].since = f->slices[f->batch.fences[i].k].head_seen;
    for (const struct flow_key *key = f->first_key; key != NULL; key = key->next) {
        const struct flow_slice *slice = &f->slices[key->k];
        /* Without state nobody knows a version: the store looks up what it needs. */
        if (!key->known || key->as_of < slice->sole_since)
            f->batch.fences[slice->fence].since = -1;
    }
}

static void finish_lanes(struct leat_flow *f)
{
    for (size_t i = 0; i < f->lane_count; i++) {
        struct flow_lane *l = &f->lanes[i];
        if (l->batch_lane < 0)
            continue;
        struct leat_batch_lane *move = &f->batch.lanes[l->batch_lane];
        move->next_offset = l->batch_next;
        /* On an events topic seqs tell more than bytes would. */
        bool compare = l->taken > 0 && l->spec.kind != LEAT_LANE_EVENTS;
        move->fingerprint =
            compare ? flow_fingerprint(&flow_item_at(l, l->taken - 1)->in) : l->owed;
    }
}

/* Lanes of which nothing moves (a first record held back) and nothing is owed leave the batch. */
static void drop_idle_lanes(struct leat_flow *f)
{
    size_t kept = 0;
    for (size_t i = 0; i < f->lane_count; i++) {
        struct flow_lane *l = &f->lanes[i];
        if (l->batch_lane < 0)
            continue;
        struct leat_batch_lane move = f->batch.lanes[l->batch_lane];
        if (l->taken == 0 && l->owed == 0) {
            l->batch_lane = -1;
            continue;
        }
        /* Lanes were numbered in this order, so none is overwritten before it is read. */
        f->batch.lanes[kept] = move;
        l->batch_lane = (int32_t)kept++;
    }
    f->batch.lane_count = kept;
    for (size_t i = 0; i < f->work_count; i++)
        if (f->work[i].batch_command >= 0)
            f->batch.commands[f->work[i].batch_command].lane = f->lanes[f->work[i].lane].batch_lane;
}

const struct leat_batch *leat_flow_decide(struct leat_flow *f, int64_t now_ms)
{
    if (f->c.run_all != NULL)
        flow_call_at_once(f);
    for (size_t i = 0; i < f->work_count; i++) {
        struct flow_work *w = &f->work[i];
        w->cut = f->lanes[w->lane].cut;
        if (!w->cut)
            decide_one(f, w, now_ms);
        if (w->cut && w->call != NULL && w->stream != NULL && w->call->event_count > 0)
            w->stream->astray = w->stream->broken = true;
    }
    finish_lanes(f);
    drop_idle_lanes(f);
    if (f->snapshot_every > 0)
        flow_add_snapshots(f);
    since(f);
    f->under_way = f->batch.lane_count > 0 || f->batch.command_count > 0 || f->batch.wait_count > 0;
    if (f->under_way)
        f->figures.batches++;
    else
        flow_no_conflicts(f); /* all held back: what had conflicted waits as well */
    return f->under_way ? &f->batch : NULL;
}
