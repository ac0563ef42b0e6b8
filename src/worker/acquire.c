/* The steps by which ownership.h lets us own a k, carried out. On the group's thread. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/crashes.h"
#include "worker/worker_internal.h"

#define WORKER_FIRST_MS 5000

struct step {
    const int32_t *ks;
    size_t n;
    struct leat_fence_answer got;
    struct leat_crash *crashes; /* of the ks */
    size_t crash_count;
};

static struct leat_fence_ask ask_of(const struct leat_worker *w, const struct step *s,
                                    const int64_t *expected)
{
    return (struct leat_fence_ask){w->c.processor->name, s->ks, expected, s->n};
}

static void failed(struct leat_worker *w, const char *what, const struct leat_error *err)
{
    leat_log_limited(LEAT_LOG_WARN, "worker", "acquire-failed", "%s: %s: %s",
                     w->c.processor->name.at, what, err->msg);
    leat_worker_acquire_failed(w, what, err);
    (void)pthread_mutex_lock(&w->mutex);
    leat_ownership_failed(&w->ownership, leat_mono_us() / 1000);
    (void)pthread_mutex_unlock(&w->mutex);
}

static bool connected(struct leat_worker *w)
{
    struct leat_error err = {0};
    if (leat_store_connected(w->store) || leat_store_reconnect(w->store, &err) == LEAT_OK)
        return true;
    failed(w, "connect", &err);
    return false;
}

/* ---- lanes ---- */

static bool feed_has(const struct worker_feed *f, int32_t k)
{
    return k >= f->first_k && k <= f->last_k;
}

static const struct leat_lane_position *position_of(const struct step *s, const char *topic,
                                                    int32_t k)
{
    for (size_t i = 0; i < s->got.lane_count; i++) {
        if (s->got.lanes[i].k == k && leat_str_eq(s->got.lanes[i].topic, leat_str_of(topic)))
            return &s->got.lanes[i];
    }
    return NULL;
}

static struct worker_place *place_of(const struct leat_worker *w, size_t feed, int32_t k)
{
    return &w->places[feed * (size_t)w->c.topology->partitions + (size_t)k];
}

static struct leat_flow_lane lane_of(const struct leat_worker *w, size_t feed, int32_t k)
{
    const struct worker_feed *f = &w->feeds[feed];
    const struct worker_place *p = place_of(w, feed, k);
    return (struct leat_flow_lane){.topic = f->name,
                                   .k = k,
                                   .priority = f->priority,
                                   .kind = f->kind,
                                   .source = f->source,
                                   .next_offset = p->next_offset,
                                   .fingerprint = p->fingerprint,
                                   .next_seq = f->kind == LEAT_LANE_EVENTS ? p->next_seq : 0};
}

static size_t lanes_of(const struct leat_worker *w, int32_t k, struct leat_flow_lane *ret)
{
    size_t n = 0;
    for (size_t i = 0; i < w->feed_count; i++) {
        if (feed_has(&w->feeds[i], k))
            ret[n++] = lane_of(w, i, k);
    }
    return n;
}

/* Keeps where the lanes of an answer stand. */
static void keep_places(struct leat_worker *w, const struct step *s)
{
    for (size_t i = 0; i < s->n * w->feed_count; i++) {
        size_t feed = i / s->n;
        int32_t k = s->ks[i % s->n];
        const struct leat_lane_position *p =
            feed_has(&w->feeds[feed], k) ? position_of(s, w->feeds[feed].name, k) : NULL;
        if (p != NULL)
            *place_of(w, feed, k) =
                (struct worker_place){p->next_offset, p->next_seq, p->fingerprint};
    }
}

/* Lanes that the store does not know start at what their topics still have. */
static leat_status first_places(struct leat_worker *w, const struct step *s, struct leat_error *err)
{
    size_t n = 0, all = s->n * w->feed_count;
    struct leat_position *at = leat_arena_alloc(w->arena, (all + 1) * sizeof *at);
    struct worker_place **places = leat_arena_alloc(w->arena, (all + 1) * sizeof *places);
    for (size_t i = 0; i < all; i++) {
        size_t feed = i / s->n;
        int32_t k = s->ks[i % s->n];
        if (!feed_has(&w->feeds[feed], k) || position_of(s, w->feeds[feed].name, k) != NULL)
            continue;
        struct leat_flow_lane l = lane_of(w, feed, k);
        char *room = leat_arena_alloc(w->arena, 256);
        at[n].topic = leat_lane_topic(&l, room, w->c.topology->partitions, &at[n].partition);
        places[n++] = place_of(w, feed, k);
    }
    LEAT_TRY(leat_group_first(w->group, at, n, WORKER_FIRST_MS, err), err, "first offsets");
    for (size_t i = 0; i < n; i++)
        *places[i] = (struct worker_place){.next_offset = at[i].offset, .next_seq = 1};
    return LEAT_OK;
}

static size_t assigned_ks(struct leat_worker *w, int32_t *ret_ks)
{
    size_t n = 0;
    (void)pthread_mutex_lock(&w->mutex);
    for (int32_t k = 0; k < w->c.topology->partitions; k++) {
        if (w->held[k].hold != LEAT_HOLD_NONE)
            ret_ks[n++] = k;
    }
    (void)pthread_mutex_unlock(&w->mutex);
    return n;
}

/* Gives the group all lanes of all ks that are assigned, also of those still to be acquired: lanes
 * can be placed anew one by one later, but not added. */
static leat_status read_all(struct leat_worker *w, struct leat_error *err)
{
    int32_t *ks = leat_arena_alloc(w->arena, (size_t)w->c.topology->partitions * sizeof *ks);
    size_t n = assigned_ks(w, ks);
    free(w->lanes);
    w->lanes = calloc(n * w->feed_count + 1, sizeof *w->lanes);
    leat_assert(w->lanes != NULL);
    w->lane_count = 0;
    for (size_t i = 0; i < n; i++)
        w->lane_count += lanes_of(w, ks[i], &w->lanes[w->lane_count]);
    struct leat_position *at = leat_arena_alloc(w->arena, (w->lane_count + 1) * sizeof *at);
    int *fds = leat_arena_alloc(w->arena, (w->lane_count + 1) * sizeof *fds);
    for (size_t i = 0; i < w->lane_count; i++) {
        const struct leat_flow_lane *l = &w->lanes[i];
        char *room = leat_arena_alloc(w->arena, 256);
        bool verify = l->fingerprint != 0 && l->next_offset > 0;
        at[i].topic = leat_lane_topic(l, room, w->c.topology->partitions, &at[i].partition);
        at[i].offset = verify ? l->next_offset - 1 : l->next_offset;
        fds[i] = leat_executor_wake_fd(w->executors[l->k % w->executor_count]);
    }
    return leat_group_read(w->group, at, fds, w->lane_count, err);
}

/* ---- the steps ---- */

static void step_read(struct leat_worker *w, struct step *s)
{
    struct leat_error err = {0};
    if (!connected(w))
        return;
    struct leat_fence_ask ask = ask_of(w, s, NULL);
    if (leat_store_fences(w->store, &ask, w->arena, &s->got, &err) != LEAT_OK ||
        first_places(w, s, &err) != LEAT_OK) {
        failed(w, "read epochs", &err);
        return;
    }
    keep_places(w, s);
    (void)pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < s->n; i++)
        leat_ownership_read(&w->ownership, s->got.fences[i].k, s->got.fences[i].epoch);
    (void)pthread_mutex_unlock(&w->mutex);
}

/* The offsets committed are those the store held: what lag tools see is never
 * ahead of the truth. */
static void step_confirm(struct leat_worker *w, struct step *s)
{
    struct leat_error err = {0};
    struct leat_position *at = leat_arena_alloc(w->arena, s->n * sizeof *at);
    size_t anchor = 0;
    while (w->feeds[anchor].name != w->anchor)
        anchor++;
    for (size_t i = 0; i < s->n; i++) {
        at[i] =
            (struct leat_position){w->anchor, s->ks[i], place_of(w, anchor, s->ks[i])->next_offset};
    }
    leat_status status = leat_group_commit(w->group, at, s->n, WORKER_CONFIRM_MS, &err);
    if (status != LEAT_OK && status != LEAT_FENCED) {
        failed(w, "confirm membership", &err);
        return;
    }
    (void)pthread_mutex_lock(&w->mutex);
    if (status == LEAT_OK) {
        leat_ownership_confirmed(&w->ownership, s->ks, s->n);
    } else {
        leat_ownership_refused(&w->ownership, leat_mono_us() / 1000);
    }
    (void)pthread_mutex_unlock(&w->mutex);
}

static void step_claim(struct leat_worker *w, struct step *s)
{
    struct leat_error err = {0};
    int64_t *expected = leat_arena_alloc(w->arena, s->n * sizeof *expected);
    (void)pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < s->n; i++)
        expected[i] = w->held[s->ks[i]].epoch;
    (void)pthread_mutex_unlock(&w->mutex);
    if (!connected(w))
        return;
    struct leat_fence_ask ask = ask_of(w, s, expected);
    if (leat_store_claim(w->store, &ask, w->arena, &s->got, &err) != LEAT_OK) {
        failed(w, "claim", &err);
        return;
    }
    keep_places(w, s); /* whose epoch is ours: nobody moves the lanes any more */
    (void)pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < s->n; i++) {
        const struct leat_fence_state *f = &s->got.fences[i];
        w->fence_of_k[f->k] = *f;
        leat_ownership_claimed(&w->ownership, f->k, f->claimed, f->epoch);
    }
    (void)pthread_mutex_unlock(&w->mutex);
}

static bool has_suspects(const struct step *s, int32_t k)
{
    for (size_t i = 0; i < s->crash_count; i++) {
        if (s->crashes[i].k == k)
            return true;
    }
    return false;
}

static void start_one(struct leat_worker *w, const struct step *s, int32_t k, bool seek)
{
    struct leat_flow_lane *lanes = leat_arena_alloc(w->arena, (w->feed_count + 1) * sizeof *lanes);
    size_t n = lanes_of(w, k, lanes), first = 0;
    while (first < w->lane_count && w->lanes[first].k != k)
        first++;
    leat_assert(n == 0 || first < w->lane_count);
    struct leat_executor_start start = {.k = k,
                                        .epoch = w->fence_of_k[k].epoch,
                                        .head_seq = w->fence_of_k[k].head_seq,
                                        .first_lane = first,
                                        .n = n,
                                        .seek = seek,
                                        .suspects = has_suspects(s, k),
                                        .lanes = lanes};
    leat_executor_start(w->executors[k % w->executor_count], &start);
}

static void step_start(struct leat_worker *w, struct step *s)
{
    struct leat_error err = {0};
    bool seek = !w->fresh;
    if (!connected(w))
        return;
    if (w->fresh && read_all(w, &err) != LEAT_OK) {
        failed(w, "read lanes", &err);
        return;
    }
    w->fresh = false;
    struct leat_fence_ask ask = ask_of(w, s, NULL);
    if (leat_store_suspects(w->store, &ask, w->arena, &s->crashes, &s->crash_count, &err) !=
        LEAT_OK) {
        failed(w, "read lanes", &err);
        return;
    }
    for (size_t i = 0; i < s->n; i++) {
        start_one(w, s, s->ks[i], seek);
        leat_worker_clean_from(w, s->ks[i]);
        (void)pthread_mutex_lock(&w->mutex);
        leat_ownership_started(&w->ownership, s->ks[i]);
        (void)pthread_mutex_unlock(&w->mutex);
    }
    leat_log_kv(LEAT_LOG_INFO, "worker", "acquired",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("processor", w->c.processor->name),
                                LEAT_LOG_INT("partitions", s->n)),
                "partitions acquired");
}

static leat_acquire next_step(struct leat_worker *w, int32_t *ks, size_t *ret_n)
{
    int64_t wait_ms = 0;
    (void)pthread_mutex_lock(&w->mutex);
    leat_acquire action =
        w->quit ? LEAT_ACQUIRE_WAIT
                : leat_ownership_next(&w->ownership, leat_mono_us() / 1000, ks, ret_n, &wait_ms);
    (void)pthread_mutex_unlock(&w->mutex);
    return action;
}

void leat_worker_acquire(struct leat_worker *w)
{
    /* One turn of the circle at most: rebalances must be served in between. */
    for (int turns = 0; turns < 8; turns++) {
        leat_arena_reset(w->arena);
        int32_t *ks = leat_arena_alloc(w->arena, (size_t)w->c.topology->partitions * sizeof *ks);
        struct step s = {.ks = ks};
        switch (next_step(w, ks, &s.n)) {
        case LEAT_ACQUIRE_WAIT:
            return;
        case LEAT_ACQUIRE_READ:
            step_read(w, &s);
            break;
        case LEAT_ACQUIRE_CONFIRM:
            step_confirm(w, &s);
            break;
        case LEAT_ACQUIRE_CLAIM:
            step_claim(w, &s);
            break;
        case LEAT_ACQUIRE_START:
            step_start(w, &s);
            break;
        case LEAT_ACQUIRE_REJOIN:
            leat_worker_rejoin(w);
            return;
        }
    }
}
