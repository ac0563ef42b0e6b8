#include "store/batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* ---- fences in k order ---- */

struct by_k {
    int32_t k;
    size_t index;
};

static int compare_k(const void *a, const void *b)
{
    int32_t x = ((const struct by_k *)a)->k;
    int32_t y = ((const struct by_k *)b)->k;
    return (x > y) - (x < y);
}

/* Sorted position from 1 of k, 0 when there is no fence for it. */
static int32_t find_k(const struct by_k *sorted, size_t n, int32_t k)
{
    size_t low = 0;
    for (size_t high = n; low < high;) {
        size_t mid = low + (high - low) / 2;
        if (sorted[mid].k < k) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < n && sorted[low].k == k ? (int32_t)low + 1 : 0;
}

static leat_status sort_fences(const struct leat_batch *b, struct leat_arena *arena,
                               struct leat_plan *plan, struct by_k **ret_sorted,
                               struct leat_error *err)
{
    size_t n = b->fence_count;
    if (n == 0)
        return leat_fail(err, LEAT_INVALID, "a batch needs a fence");
    struct by_k *sorted = leat_arena_alloc(arena, n * sizeof *sorted);
    for (size_t i = 0; i < n; i++)
        sorted[i] = (struct by_k){b->fences[i].k, i};
    qsort(sorted, n, sizeof *sorted, compare_k);
    plan->fence_of = leat_arena_alloc(arena, n * sizeof *plan->fence_of);
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && sorted[i].k == sorted[i - 1].k)
            return leat_fail(err, LEAT_INVALID, "a batch names k %d twice", sorted[i].k);
        plan->fence_of[i] = sorted[i].index;
    }
    *ret_sorted = sorted;
    return LEAT_OK;
}

static leat_status place(const struct leat_batch *b, const struct by_k *sorted,
                         struct leat_arena *arena, struct leat_plan *plan, struct leat_error *err)
{
    plan->command_at = leat_arena_alloc(arena, (b->command_count + 1) * sizeof(int32_t));
    plan->lane_at = leat_arena_alloc(arena, (b->lane_count + 1) * sizeof(int32_t));
    for (size_t i = 0; i < b->lane_count; i++) {
        plan->lane_at[i] = find_k(sorted, b->fence_count, b->lanes[i].k);
        if (plan->lane_at[i] == 0)
            return leat_fail(err, LEAT_INVALID, "no fence for lane %zu (k %d)", i, b->lanes[i].k);
        if (b->fences[plan->fence_of[plan->lane_at[i] - 1]].epoch < 0)
            return leat_fail(err, LEAT_INVALID, "lane %zu has no epoch", i);
    }
    for (size_t i = 0; i < b->command_count; i++) {
        const struct leat_batch_command *c = &b->commands[i];
        plan->command_at[i] = i > 0 && c->k == b->commands[i - 1].k
                                  ? plan->command_at[i - 1]
                                  : find_k(sorted, b->fence_count, c->k);
        if (plan->command_at[i] == 0)
            return leat_fail(err, LEAT_INVALID, "no fence for command %zu (k %d)", i, c->k);
        if (c->lane >= 0 && ((size_t)c->lane >= b->lane_count || b->lanes[c->lane].k != c->k))
            return leat_fail(err, LEAT_INVALID, "command %zu is not of lane %d", i, c->lane);
    }
    return LEAT_OK;
}

static leat_status place_waits(const struct leat_batch *b, const struct by_k *sorted,
                               struct leat_arena *arena, struct leat_plan *plan,
                               struct leat_error *err)
{
    plan->wait_at = leat_arena_alloc(arena, (b->wait_count + 1) * sizeof(int32_t));
    for (size_t i = 0; i < b->wait_count; i++) {
        const struct leat_batch_wait *w = &b->waits[i];
        plan->wait_at[i] = find_k(sorted, b->fence_count, w->row.k);
        bool known = w->command < 0 || (size_t)w->command < b->command_count;
        if (plan->wait_at[i] == 0 || !known ||
            (w->command >= 0 && b->commands[w->command].k != w->row.k))
            return leat_fail(err, LEAT_INVALID, "waiting row %zu (k %d) is of no fence or command",
                             i, w->row.k);
    }
    for (size_t i = 0; i < b->dead_count; i++)
        if (b->dead[i].command >= b->command_count ||
            b->commands[b->dead[i].command].outcome != LEAT_OUTCOME_DEAD)
            return leat_fail(err, LEAT_INVALID, "dead letter %zu is of no dead command", i);
    return LEAT_OK;
}

/* ---- versions: what each stream reaches inside the batch ---- */

struct stream_slot {
    uint64_t hash;
    const struct leat_batch_command *first; /* NULL = free */
    int64_t version;                        /* after the events so far; -1 = not known */
};

struct stream_table {
    struct stream_slot *slots;
    size_t mask;
};

static struct stream_slot *find_stream(struct stream_table *t, const struct leat_batch_command *c)
{
    uint64_t hash = leat_hash64(c->stream.at, c->stream.len, (uint64_t)(uint32_t)c->k);
    for (size_t i = hash & t->mask;; i = (i + 1) & t->mask) {
        struct stream_slot *s = &t->slots[i];
        if (s->first == NULL) {
            *s = (struct stream_slot){hash, c, c->expected_version};
            return s;
        }
        if (s->hash == hash && s->first->k == c->k && leat_str_eq(s->first->stream, c->stream))
            return s;
    }
}

static leat_status check_command(const struct leat_batch *b, size_t i, size_t events,
                                 struct leat_error *err)
{
    const struct leat_batch_command *c = &b->commands[i];
    if (c->expected_version < -1) {
        return leat_fail(err, LEAT_INVALID, "command %zu expects version %lld", i,
                         (long long)c->expected_version);
    }
    if (events > 0 && c->outcome != LEAT_OUTCOME_ACCEPTED)
        return leat_fail(err, LEAT_INVALID, "command %zu has events but is not accepted", i);
    if (events > 0 && (c->stream.len == 0 || !leat_pg_text_fits(c->stream)))
        return leat_fail(err, LEAT_INVALID, "the stream of command %zu is not a text", i);
    return LEAT_OK;
}

static void note_odd(struct leat_plan *plan, const struct leat_batch_command *c)
{
    static const struct leat_uuid zero;
    plan->odd_outcome |= c->outcome != LEAT_OUTCOME_ACCEPTED;
    plan->odd_attempts |= c->attempts != 0;
    plan->odd_error |= c->error_code.len > 0 || c->error_text.len > 0;
    plan->odd_correlation |=
        !leat_uuid_eq(&c->correlation_id, &zero) && !leat_uuid_eq(&c->correlation_id, &c->id);
    plan->odd_causation |=
        !leat_uuid_eq(&c->causation_id, &zero) && !leat_uuid_eq(&c->causation_id, &c->id);
}

/* Gives the events of command i, which start at event `e`, their places; returns how many. */
static size_t number_events(const struct leat_batch *b, size_t i, size_t e, int64_t version,
                            struct leat_plan *plan)
{
    int32_t *reached = &plan->events_of[plan->command_at[i] - 1];
    size_t n = 0;
    for (; e + n < b->event_count && b->events[e + n].command == i; n++) {
        plan->event_rel[e + n] = ++*reached;
        plan->event_version[e + n] = version < 0 ? 0 : version + 1 + (int64_t)n;
    }
    plan->first[i] = n > 0 ? *reached - (int32_t)n + 1 : -1;
    plan->last[i] = n > 0 ? *reached : -1;
    return n;
}

static leat_status number_commands(const struct leat_batch *b, struct stream_table *streams,
                                   struct leat_plan *plan, struct leat_error *err)
{
    size_t e = 0;
    for (size_t i = 0; i < b->command_count; i++) {
        const struct leat_batch_command *c = &b->commands[i];
        const struct leat_batch_fence *f = &b->fences[plan->fence_of[plan->command_at[i] - 1]];
        struct stream_slot *s = find_stream(streams, c);
        int64_t version = s->version >= 0 ? s->version : c->expected_version;
        size_t n = number_events(b, i, e, version, plan);
        leat_status status = check_command(b, i, n, err);
        if (status != LEAT_OK)
            return status;
        if (c->expected_version >= 0 && (f->since < 0 || c->expected_version != version))
            plan->look_up = true;
        if (n > 0 && version < 0)
            plan->look_up = true;
        if (version >= 0)
            s->version = version + (int64_t)n;
        note_odd(plan, c);
        e += n;
    }
    if (e != b->event_count)
        return leat_fail(err, LEAT_INVALID, "event %zu is out of order or of no command", e);
    for (size_t i = 0; i < b->command_count; i++) {
        if (plan->first[i] < 0)
            plan->first[i] = plan->last[i] = plan->events_of[plan->command_at[i] - 1];
    }
    return LEAT_OK;
}

static leat_status check_snapshots(const struct leat_batch *b, struct leat_error *err)
{
    for (size_t i = 0; i < b->snapshot_count; i++) {
        const struct leat_batch_snapshot *s = &b->snapshots[i];
        if (s->command >= b->command_count || s->version < 1 ||
            b->commands[s->command].outcome == LEAT_OUTCOME_FORWARDED)
            return leat_fail(err, LEAT_INVALID, "snapshot %zu is of no command or version", i);
    }
    return LEAT_OK;
}

static leat_status number_outbox(const struct leat_batch *b, struct leat_arena *arena,
                                 struct leat_plan *plan, struct leat_error *err)
{
    plan->outbox_rel = leat_arena_alloc(arena, (b->outbox_count + 1) * sizeof(int32_t));
    for (size_t i = 0; i < b->outbox_count; i++) {
        uint32_t c = b->outbox[i].command;
        if (c >= b->command_count || (i > 0 && c < b->outbox[i - 1].command)) {
            return leat_fail(err, LEAT_INVALID, "outbox row %zu is out of order or of no command",
                             i);
        }
        plan->outbox_rel[i] = ++plan->outbox_of[plan->command_at[c] - 1];
    }
    return LEAT_OK;
}

/* ---- insertion order: ids that are neighbours in the index go in together ---- */

struct by_id {
    int32_t fence, index;
    struct leat_uuid id;
};

static int compare_id(const void *a, const void *b)
{
    const struct by_id *x = a;
    const struct by_id *y = b;
    if (x->fence != y->fence)
        return x->fence < y->fence ? -1 : 1;
    int c = memcmp(x->id.b, y->id.b, sizeof x->id.b);
    return c != 0 ? c : (x->index > y->index) - (x->index < y->index);
}

static void order_commands(const struct leat_batch *b, struct leat_arena *arena,
                           struct leat_plan *plan)
{
    struct by_id *ids = leat_arena_alloc(arena, (b->command_count + 1) * sizeof *ids);
    size_t n = 0;
    for (size_t i = 0; i < b->command_count; i++) {
        if (b->commands[i].outcome != LEAT_OUTCOME_FORWARDED &&
            b->commands[i].outcome != LEAT_OUTCOME_WAITING)
            ids[n++] = (struct by_id){plan->command_at[i], (int32_t)i + 1, b->commands[i].id};
    }
    qsort(ids, n, sizeof *ids, compare_id);
    plan->order = leat_arena_alloc(arena, (n + 1) * sizeof(int32_t));
    plan->order_count = n;
    for (size_t i = 0; i < n; i++)
        plan->order[i] = ids[i].index;
}

/* A stable counting sort: within a slice, seq keeps rising. */
static void order_events(const struct leat_batch *b, struct leat_arena *arena,
                         struct leat_plan *plan)
{
    int32_t *next = leat_arena_alloc(arena, (b->fence_count + 1) * sizeof *next);
    int32_t before = 0;
    for (size_t f = 0; f < b->fence_count; f++) {
        next[f] = before;
        before += plan->events_of[f];
    }
    plan->event_order = leat_arena_alloc(arena, (b->event_count + 1) * sizeof(int32_t));
    for (size_t e = 0; e < b->event_count; e++)
        plan->event_order[next[plan->command_at[b->events[e].command] - 1]++] = (int32_t)e + 1;
}

leat_status leat_plan_batch(const struct leat_batch *b, struct leat_arena *arena,
                            struct leat_plan *ret, struct leat_error *err)
{
    struct leat_plan plan = {0};
    struct by_k *sorted = NULL;
    if (b->command_count > INT32_MAX / 4 || b->event_count > INT32_MAX / 4 ||
        b->outbox_count > INT32_MAX / 4)
        return leat_fail(err, LEAT_INVALID, "a batch is too large");
    leat_status status = sort_fences(b, arena, &plan, &sorted, err);
    if (status != LEAT_OK)
        return status;
    leat_assert(sorted != NULL && plan.fence_of != NULL);
    status = place(b, sorted, arena, &plan, err);
    if (status == LEAT_OK)
        status = place_waits(b, sorted, arena, &plan, err);
    if (status != LEAT_OK)
        return status;
    plan.events_of = leat_arena_zalloc(arena, b->fence_count, sizeof(int32_t));
    plan.outbox_of = leat_arena_zalloc(arena, b->fence_count, sizeof(int32_t));
    plan.first = leat_arena_alloc(arena, (b->command_count + 1) * sizeof(int32_t));
    plan.last = leat_arena_alloc(arena, (b->command_count + 1) * sizeof(int32_t));
    plan.event_rel = leat_arena_alloc(arena, (b->event_count + 1) * sizeof(int32_t));
    plan.event_version = leat_arena_alloc(arena, (b->event_count + 1) * sizeof(int64_t));
    struct stream_table streams = {.mask = 15};
    while (streams.mask < 2 * b->command_count)
        streams.mask = 2 * streams.mask + 1;
    streams.slots = leat_arena_zalloc(arena, streams.mask + 1, sizeof *streams.slots);
    status = number_commands(b, &streams, &plan, err);
    if (status == LEAT_OK)
        status = number_outbox(b, arena, &plan, err);
    if (status == LEAT_OK)
        status = check_snapshots(b, err);
    if (status != LEAT_OK)
        return status;
    order_commands(b, arena, &plan);
    order_events(b, arena, &plan);
    *ret = plan;
    return LEAT_OK;
}
