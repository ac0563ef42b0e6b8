/* The waiting room of a flow (design 4, "Retries"): messages answered retry, those of their key
 * behind them, scheduled commands, and what is held after its death. */
#include <stdlib.h>

#include "base/hash.h"
#include "worker/flow_internal.h"

#define ON_HAND_MAX 2000 /* rows of a k */

/* ---- from the store ---- */

void leat_flow_waiting(struct leat_flow *f, int32_t k, const struct leat_waiting_row *rows,
                       size_t n)
{
    for (size_t i = 0; i < n; i++)
        leat_waiting_put(f->waiting, &(struct leat_waiting_ref){k, rows[i].key, rows[i].ticket},
                         rows[i].parks, rows[i].due_ms);
}

static struct flow_lane *room_of(const struct leat_flow *f, int32_t k)
{
    return &f->lanes[f->slices[k].room];
}

size_t leat_flow_due(struct leat_flow *f, int64_t now_ms, struct leat_waiting_ref *ret, size_t max)
{
    size_t n = 0;
    for (int32_t k = 0; k < f->c.partitions && n < max && f->paused[0] == '\0'; k++) {
        if (f->slices[k].epoch == 0 || leat_waiting_due_ms(f->waiting, k) > now_ms)
            continue;
        const struct flow_lane *l = room_of(f, k);
        size_t room = l->count < ON_HAND_MAX ? ON_HAND_MAX - l->count : 0;
        if (l->held_until_ms <= now_ms)
            n +=
                leat_waiting_fetch(f->waiting, k, now_ms, ret + n, room < max - n ? room : max - n);
    }
    return n;
}

void leat_flow_fetched(struct leat_flow *f, const struct leat_waiting_ref *asked, size_t n_asked,
                       const struct leat_flow_waiter *found, size_t n)
{
    size_t at = 0;
    for (size_t i = 0; i < n_asked; i++) {
        if (at == n || found[at].asked != i) {
            leat_waiting_take(f->waiting, &asked[i]); /* cancelled by a handler */
            continue;
        }
        struct leat_waiting_row *row = malloc(sizeof *row);
        leat_assert(row != NULL);
        *row = found[at].row;
        flow_push(room_of(f, asked[i].k), &found[at++].in, row);
    }
}

void flow_item_release(struct leat_flow *f, struct flow_item *item)
{
    free(item->wait);
    item->wait = NULL;
    f->c.release(f->c.arg, &item->in);
}

/* ---- keys of which a message of this batch waits ---- */

static size_t stuck_slot(const struct leat_flow *f, const struct flow_work *w)
{
    int32_t k = f->lanes[w->lane].spec.k;
    size_t i = leat_hash64(w->key.at, w->key.len, (uint64_t)(uint32_t)k) & f->stuck.mask;
    for (; f->stuck.slots[i] != NULL; i = (i + 1) & f->stuck.mask)
        if (f->lanes[f->stuck.slots[i]->lane].spec.k == k &&
            leat_str_eq(f->stuck.slots[i]->key, w->key))
            break;
    return i;
}

static bool ordered(const struct leat_flow *f)
{
    return leat_dispatch_processor(f->c.dispatch)->retry.ordering == LEAT_ORDERING_KEY;
}

static void stick(struct leat_flow *f, const struct flow_work *w)
{
    if (!ordered(f))
        return;
    if (f->stuck.slots == NULL) {
        f->stuck.mask = 15;
        while (f->stuck.mask < 2 * f->work_count)
            f->stuck.mask = 2 * f->stuck.mask + 1;
        f->stuck.slots = leat_arena_zalloc(f->arena, f->stuck.mask + 1, sizeof *f->stuck.slots);
    }
    f->stuck.slots[stuck_slot(f, w)] = w;
    f->stuck.count++;
}

bool flow_is_stuck(const struct leat_flow *f, const struct flow_work *w)
{
    return f->stuck.count > 0 && f->stuck.slots[stuck_slot(f, w)] != NULL;
}

bool flow_is_parked(const struct leat_flow *f, const struct flow_work *w)
{
    return w->item->wait == NULL && ordered(f) &&
           leat_waiting_parked(f->waiting, f->lanes[w->lane].spec.k, w->key);
}

/* ---- rows of the batch ---- */

static struct leat_batch_wait *add_wait(struct leat_flow *f, leat_wait_op op, int32_t command)
{
    struct leat_batch *b = &f->batch;
    if (b->wait_count == f->wait_cap)
        b->waits =
            leat_arena_grow(f->arena, b->waits, sizeof *b->waits, &f->wait_cap, b->wait_count + 8);
    struct leat_batch_wait *wait = &b->waits[b->wait_count++];
    *wait = (struct leat_batch_wait){.op = op, .command = command};
    return wait;
}

static int64_t next_ticket(struct leat_flow *f, int32_t k)
{
    return leat_waiting_next_ticket(f->waiting, k) + f->slices[k].tickets++;
}

/* The record, whole, to be handled when it is due or its turn has come. */
static struct leat_waiting_row *put_record(struct leat_flow *f, const struct flow_work *w,
                                           leat_wait_reason reason, int64_t due_ms)
{
    const struct leat_incoming *r = &w->item->in;
    int32_t k = f->lanes[w->lane].spec.k;
    struct leat_waiting_row *row = &add_wait(f, LEAT_WAIT_PUT, w->batch_command)->row;
    *row = (struct leat_waiting_row){.k = k,
                                     .key = w->key,
                                     .ticket = next_ticket(f, k),
                                     .reason = reason,
                                     .parks = ordered(f),
                                     .due_ms = due_ms,
                                     .id = w->id,
                                     .type = w->type,
                                     .priority = f->priorities->at[w->priority].name,
                                     .event_seq = w->seq,
                                     .received_at_ms = r->timestamp_ms,
                                     .value = r->value,
                                     .value_null = r->value_null};
    row->topic = flow_place(f, w, &row->partition, &row->offset);
    row->headers = leat_arena_copy(f->arena, flow_packed_headers(f, w));
    return row;
}

static struct leat_waiting_row *wait_again(struct leat_flow *f, const struct flow_work *w,
                                           leat_wait_reason reason, int64_t due_ms)
{
    struct leat_waiting_row *row = &add_wait(f, LEAT_WAIT_AGAIN, w->batch_command)->row;
    *row = *w->item->wait;
    row->reason = reason;
    row->due_ms = due_ms;
    return row;
}

static void wait_until(struct leat_flow *f, struct flow_work *w, leat_wait_reason reason,
                       int64_t due_ms, int64_t now_ms)
{
    const struct leat_waiting_row *wait = w->item->wait;
    struct leat_waiting_row *row =
        wait != NULL ? wait_again(f, w, reason, due_ms) : put_record(f, w, reason, due_ms);
    row->attempt = wait != NULL ? wait->attempt : 0;
    if (reason == LEAT_WAIT_RETRY)
        row->attempt++;
    if (row->first_at_ms == 0)
        row->first_at_ms = now_ms;
    row->error_code = w->code;
    row->error = w->text;
    stick(f, w);
}

/* ---- what becomes of a message ---- */

/* A retry leaves no trace of its own: the row of the waiting room is all there is of it. */
static void add_waiting(struct leat_flow *f, struct flow_work *w)
{
    struct leat_batch_command *c = flow_add(f, w, LEAT_OUTCOME_WAITING);
    if (w->stream != NULL)
        return;
    c->stream = (struct leat_str){"", 0}; /* alone: settled whatever becomes of others */
    c->expected_version = -1;
}

static bool is_full(struct leat_flow *f, struct flow_work *w, int64_t now_ms)
{
    int32_t k = f->lanes[w->lane].spec.k;
    int64_t rows = (int64_t)leat_waiting_count(f->waiting, k) + f->slices[k].tickets;
    if (rows < leat_dispatch_processor(f->c.dispatch)->retry.max_waiting)
        return false;
    flow_hold(f, w, now_ms,
              leat_str_of(leat_arena_printf(f->arena,
                                            "its waiting room is full (%lld messages, see "
                                            "retry.max_waiting)",
                                            (long long)rows)));
    f->lanes[w->lane].hold.cause = LEAT_HELD_BY_ROOM;
    return true;
}

/* A call that was made ahead of its turn, and is not to be, has gone into the state. */
static void forget_call(const struct flow_work *w)
{
    if (w->call != NULL && w->stream != NULL)
        w->stream->broken = true;
}

void flow_park(struct leat_flow *f, struct flow_work *w, int64_t now_ms)
{
    if (is_full(f, w, now_ms))
        return;
    forget_call(w);
    add_waiting(f, w);
    (void)put_record(f, w, LEAT_WAIT_PARKED, now_ms);
    f->figures.parked++;
}

/* The row stays as it is: one of its key, before it, waits on. */
void flow_leave(struct flow_work *w)
{
    forget_call(w);
    w->left = true;
}

/* Random, but the same for the same try: another owner waits as long. */
static int64_t delay_of(const struct leat_retry *retry, const struct flow_work *w, int32_t tries)
{
    uint64_t h = leat_hash64(w->id.b, sizeof w->id.b, (uint64_t)tries);
    double share = (double)(h >> 11) / (double)(1ULL << 53);
    int64_t delay = retry->delays_ms[tries];
    return delay + (int64_t)((double)delay * retry->jitter * share);
}

void flow_retry(struct leat_flow *f, struct flow_work *w, int64_t now_ms)
{
    const struct leat_retry *retry = &leat_dispatch_processor(f->c.dispatch)->retry;
    int32_t tries = w->item->wait == NULL ? 0 : w->item->wait->attempt;
    f->figures.retries++;
    if ((uint32_t)tries >= retry->n_delays) {
        w->attempts = tries;
        if (w->code.len == 0)
            w->code = LEAT_STR("retries-exhausted");
        flow_give_up(f, w, "retry", now_ms);
        return;
    }
    if (w->item->wait == NULL && is_full(f, w, now_ms))
        return;
    add_waiting(f, w);
    wait_until(f, w, LEAT_WAIT_RETRY, now_ms + delay_of(retry, w, tries), now_ms);
}

void flow_give_up(struct leat_flow *f, struct flow_work *w, const char *error_class, int64_t now_ms)
{
    flow_add_dead(f, w, error_class, now_ms);
    flow_flood_count(f, true);
    bool hold = leat_dispatch_processor(f->c.dispatch)->on_dead == LEAT_ON_DEAD_HOLD &&
                ordered(f) && w->key.len > 0 &&
                leat_partition(w->key, f->c.partitions) == f->lanes[w->lane].spec.k;
    if (hold)
        wait_until(f, w, LEAT_WAIT_HELD, LEAT_NEVER_MS, now_ms);
    else
        flow_take(f, w);
}

void flow_take(struct leat_flow *f, const struct flow_work *w)
{
    const struct leat_waiting_row *wait = w->item->wait;
    if (wait != NULL)
        add_wait(f, LEAT_WAIT_TAKE, w->batch_command)->row = *wait;
}

static bool is_cancelled(const struct leat_flow *f, const struct leat_waiting_row *wait)
{
    for (size_t i = 0; i < f->batch.wait_count; i++)
        if (f->batch.waits[i].op == LEAT_WAIT_CANCEL && f->batch.waits[i].row.k == wait->k &&
            leat_uuid_eq(&f->batch.waits[i].row.id, &wait->id))
            return true;
    return false;
}

void flow_release_command(struct leat_flow *f, struct flow_work *w)
{
    const struct leat_waiting_row *wait = w->item->wait;
    if (is_cancelled(f, wait)) {
        flow_leave(w);
        return;
    }
    (void)flow_add(f, w, LEAT_OUTCOME_FORWARDED);
    struct leat_batch_outbox *o = flow_add_outbox(f, w);
    o->topic = wait->topic;
    o->partition = wait->partition;
    o->key = wait->key;
    o->headers = wait->headers;
    o->value = wait->value;
    flow_take(f, w);
}

void flow_schedule(struct leat_flow *f, const struct flow_work *w,
                   const struct leat_made_command *c)
{
    int32_t k = f->lanes[w->lane].spec.k;
    struct leat_waiting_row *row = &add_wait(f, LEAT_WAIT_PUT, w->batch_command)->row;
    *row = (struct leat_waiting_row){.k = k,
                                     .key = c->key,
                                     .ticket = next_ticket(f, k),
                                     .reason = LEAT_WAIT_SCHEDULED,
                                     .due_ms = c->due_ms,
                                     .id = c->id,
                                     .type = c->type_name,
                                     .priority = c->priority,
                                     .topic = leat_str_of(c->topic),
                                     .partition = c->partition,
                                     .received_at_ms = w->item->in.timestamp_ms,
                                     .headers = c->headers,
                                     .value = c->value};
}

void flow_cancel(struct leat_flow *f, const struct flow_work *w, const struct leat_uuid *id)
{
    struct leat_waiting_row *row = &add_wait(f, LEAT_WAIT_CANCEL, w->batch_command)->row;
    row->k = f->lanes[w->lane].spec.k;
    row->id = *id;
}

/* ---- the reply ---- */

static void cancelled(struct leat_flow *f, const struct leat_waiting_row *row)
{
    struct flow_lane *l = room_of(f, row->k);
    for (size_t i = 0; i < l->count; i++) {
        struct flow_item *item = flow_item_at(l, i);
        if (item->wait->reason != LEAT_WAIT_SCHEDULED || !leat_uuid_eq(&item->wait->id, &row->id))
            continue;
        leat_waiting_take(f->waiting,
                          &(struct leat_waiting_ref){row->k, item->wait->key, item->wait->ticket});
        item->settled = true;
    }
}

static void wait_stored(struct leat_flow *f, const struct leat_batch_wait *wait)
{
    const struct leat_waiting_row *row = &wait->row;
    const struct leat_waiting_ref ref = {row->k, row->key, row->ticket};
    switch (wait->op) {
    case LEAT_WAIT_PUT:
        leat_waiting_put(f->waiting, &ref, row->parks, row->due_ms);
        break;
    case LEAT_WAIT_TAKE:
        leat_waiting_take(f->waiting, &ref);
        f->figures.released++;
        break;
    case LEAT_WAIT_AGAIN:
        leat_waiting_again(f->waiting, &ref, row->due_ms);
        break;
    case LEAT_WAIT_CANCEL:
        cancelled(f, row); /* one that is not on hand is found to be gone when it is due */
        break;
    }
}

/* A row whose command is a duplicate has been handled: it came twice, or again after a crash. */
static void wait_known(struct leat_flow *f, const struct leat_batch_wait *wait)
{
    const struct leat_waiting_ref ref = {wait->row.k, wait->row.key, wait->row.ticket};
    if (wait->op == LEAT_WAIT_TAKE || wait->op == LEAT_WAIT_AGAIN)
        leat_waiting_take(f->waiting, &ref);
}

void flow_waits_replied(struct leat_flow *f, const struct leat_reply *reply)
{
    for (size_t i = 0; i < f->batch.wait_count; i++) {
        const struct leat_batch_wait *wait = &f->batch.waits[i];
        bool ours = reply->fences[f->slices[wait->row.k].fence].result == LEAT_FENCE_OK;
        uint8_t settled = wait->command < 0 ? (ours ? LEAT_SETTLED_STORED : LEAT_SETTLED_LEFT_OUT)
                                            : reply->settled[wait->command];
        if (settled == LEAT_SETTLED_STORED)
            wait_stored(f, wait);
        else if (settled == LEAT_SETTLED_DUPLICATE)
            wait_known(f, wait);
    }
}

static bool is_over(struct leat_flow *f, const struct flow_lane *l, const struct flow_item *item)
{
    const struct leat_waiting_ref ref = {l->spec.k, item->wait->key, item->wait->ticket};
    bool waits_on = item->settled ? item->left : leat_waiting_stale(f->waiting, &ref);
    if (waits_on)
        leat_waiting_let_go(f->waiting, &ref);
    return item->settled || waits_on;
}

/* Rows that are settled, and those left to wait on, are no longer on hand; neither are those behind
 * one of their key that waits on. There is no mark here that must not be passed. */
void flow_room_advance(struct leat_flow *f, struct flow_lane *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->count; i++) {
        struct flow_item *item = flow_item_at(l, i);
        if (is_over(f, l, item))
            flow_item_release(f, item);
        else
            *flow_item_at(l, kept++) = *item;
    }
    l->count = kept;
}
