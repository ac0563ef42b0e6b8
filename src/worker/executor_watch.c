#include "worker/executor_watch.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/utf8.h"
#include "worker/executor_internal.h"

#define HIGHS_MS         200   /* how often ends of partitions are looked up */
#define TROUBLE_LASTS_MS 15000 /* after the last failure: no call has been made since */

static int64_t mono_ms(void)
{
    return leat_mono_us() / 1000;
}

static int64_t unix_of(int64_t at_mono_ms)
{
    return leat_now_ms() - (mono_ms() - at_mono_ms);
}

/* ---- the executor's thread ---- */

void leat_executor_doing(struct leat_executor *e, leat_doing doing)
{
    (void)pthread_mutex_lock(&e->mutex);
    e->watch.at.doing = doing;
    e->watch.at.since_ms = mono_ms();
    (void)pthread_mutex_unlock(&e->mutex);
}

void leat_executor_trouble(struct leat_executor *e, const struct leat_error *err)
{
    struct executor_watch *w = &e->watch;
    int32_t blocked_by = leat_store_blocked_by(e->store);
    (void)pthread_mutex_lock(&e->mutex);
    w->at.doing = LEAT_DOING_NOTHING;
    if (err == NULL) {
        w->at.trouble_since_ms = 0;
    } else {
        int64_t now_ms = mono_ms();
        if (w->at.trouble_since_ms == 0 || now_ms - w->trouble_ms > TROUBLE_LASTS_MS)
            w->at.trouble_since_ms = w->at.since_ms > 0 ? w->at.since_ms : now_ms;
        w->trouble_ms = now_ms;
        w->blocked_by = blocked_by;
        leat_utf8_line(w->trouble, sizeof w->trouble, leat_str_of(err->msg), "");
    }
    w->at.since_ms = mono_ms();
    (void)pthread_mutex_unlock(&e->mutex);
}

void leat_executor_away(struct leat_executor *e, bool away)
{
    (void)pthread_mutex_lock(&e->mutex);
    if (!away)
        e->watch.away_since_ms = 0;
    else if (e->watch.away_since_ms == 0)
        e->watch.away_since_ms = leat_now_ms();
    (void)pthread_mutex_unlock(&e->mutex);
}

static bool same_lane(const struct watched_lane *l, const struct leat_flow_lane *spec)
{
    return l->spec.topic == spec->topic && l->spec.k == spec->k;
}

void leat_executor_watch_lane(struct leat_executor *e, size_t flow_lane,
                              const struct leat_flow_lane *spec)
{
    struct executor_watch *w = &e->watch;
    if (flow_lane >= w->lane_of_cap) {
        w->lane_of_cap = (flow_lane + 1) * 2;
        w->lane_of = realloc(w->lane_of, w->lane_of_cap * sizeof *w->lane_of);
        leat_assert(w->lane_of != NULL);
    }
    (void)pthread_mutex_lock(&e->mutex);
    size_t i = 0;
    while (i < w->lane_count && !same_lane(&w->lanes[i], spec))
        i++;
    if (i == w->lane_count) {
        if (w->lane_count == w->lane_cap) {
            w->lane_cap = w->lane_cap == 0 ? 16 : w->lane_cap * 2;
            w->lanes = realloc(w->lanes, w->lane_cap * sizeof *w->lanes);
            leat_assert(w->lanes != NULL);
        }
        w->lanes[w->lane_count++] = (struct watched_lane){.spec = *spec};
    }
    w->lane_of[flow_lane] = i;
    (void)pthread_mutex_unlock(&e->mutex);
}

void leat_executor_watch_forget(struct leat_executor *e)
{
    (void)pthread_mutex_lock(&e->mutex);
    for (size_t i = 0; i < e->watch.lane_count; i++)
        e->watch.lanes[i].known = false;
    (void)pthread_mutex_unlock(&e->mutex);
}

/* ---- what a lane is at ---- */

/* The circuits of the processor that are not closed. */
static bool open_circuits(const struct leat_executor *e, char *text, size_t size)
{
    const struct leat_processor *p = e->c.worker->processor;
    size_t n = 0;
    for (uint32_t i = 0; i < p->n_calls && n < size; i++) {
        struct leat_breaker_figures f;
        leat_dispatch_circuit(e->c.dispatch, i, &f);
        if (f.state != LEAT_BREAKER_CLOSED)
            n += (size_t)snprintf(text + n, size - n, "%scircuit %s open", n > 0 ? ", " : "",
                                  p->calls[i].name.at);
    }
    return n > 0;
}

static leat_stall because_held(struct leat_executor *e, const struct leat_flow_hold *h,
                               struct watched_lane *l)
{
    l->until_ms = h->until_ms;
    if (h->cause == LEAT_HELD_BY_CIRCUIT) {
        if (!open_circuits(e, l->text, sizeof l->text))
            leat_utf8_line(l->text, sizeof l->text, leat_str_of(h->text), "");
        return LEAT_STALL_PAUSED;
    }
    leat_utf8_line(l->text, sizeof l->text, leat_str_of(h->text), "");
    return h->cause == LEAT_HELD_BY_ROOM ? LEAT_STALL_PARKED : LEAT_STALL_HELD;
}

static leat_stall because(struct leat_executor *e, size_t flow_lane, struct watched_lane *l)
{
    const char *stopped = leat_flow_lane_stopped(e->flow, flow_lane);
    const char *paused = leat_flow_paused(e->flow);
    const struct leat_flow_hold *h = leat_flow_held(e->flow, flow_lane);
    l->until_ms = 0;
    if (stopped != NULL || paused != NULL) {
        const char *why = stopped != NULL ? stopped : paused;
        leat_utf8_line(l->text, sizeof l->text, leat_str_of(why), "");
        return stopped != NULL ? LEAT_STALL_STOPPED : LEAT_STALL_PAUSED;
    }
    return h == NULL ? LEAT_STALL_NONE : because_held(e, h, l);
}

static void watch_lane(struct leat_executor *e, size_t flow_lane, bool highs, int64_t now_ms)
{
    struct watched_lane *l = &e->watch.lanes[e->watch.lane_of[flow_lane]];
    struct leat_lane_seen seen = {.high = l->watch.now.high,
                                  .position = leat_flow_position(e->flow, flow_lane),
                                  .committed = leat_flow_committed(e->flow, flow_lane),
                                  .on_hand = leat_flow_on_hand(e->flow, flow_lane),
                                  .because = because(e, flow_lane, l)};
    if (seen.position < seen.committed) /* the record before it is read again, to be compared */
        seen.position = seen.committed;
    if (highs && e->group != NULL)
        seen.high = leat_group_high(e->group, e->group_lane[flow_lane]);
    leat_lane_seen(&l->watch, &seen, !l->known, now_ms);
    l->known = true;
}

void leat_executor_watch(struct leat_executor *e)
{
    int64_t now_ms = mono_ms();
    bool highs = now_ms >= e->watch.highs_due_ms;
    if (highs)
        e->watch.highs_due_ms = now_ms + HIGHS_MS;
    (void)pthread_mutex_lock(&e->mutex);
    for (size_t i = 0; i < leat_flow_lane_count(e->flow); i++)
        if (leat_flow_lane(e->flow, i) != NULL)
            watch_lane(e, i, highs, now_ms);
    (void)pthread_mutex_unlock(&e->mutex);
}

void leat_executor_watch_done(struct leat_executor *e)
{
    free(e->watch.lane_of);
    free(e->watch.lanes);
    free(e->watch.turns);
    free(e->watch.ran_since_ms);
}

/* ---- why it stands; mutex held ---- */

/* Who runs a handler is not stopped to be asked: what was under way at the last look, and still is,
 * has not been touched since its turn began. */
static int32_t longest_running(struct leat_executor *e, int64_t now_ms)
{
    struct executor_watch *w = &e->watch;
    size_t n = e->pool == NULL ? 1 : (size_t)e->c.worker->processor->concurrency;
    int32_t found = -1;
    if (e->running == NULL)
        return -1;
    if (w->turns == NULL) {
        w->turns = calloc(n, sizeof *w->turns);
        w->ran_since_ms = calloc(n, sizeof *w->ran_since_ms);
        leat_assert(w->turns != NULL && w->ran_since_ms != NULL);
    }
    for (size_t i = 0; i < n; i++) {
        if (e->running[i] == NULL)
            continue;
        uint64_t turn = atomic_load_explicit(&e->running[i]->turn, memory_order_acquire);
        if (turn != w->turns[i])
            w->ran_since_ms[i] = now_ms;
        w->turns[i] = turn;
        if ((turn & 1) != 0 && (found < 0 || w->ran_since_ms[i] < w->ran_since_ms[found]))
            found = (int32_t)i;
    }
    return found;
}

static void say_handler(struct leat_executor *e, int32_t runner, struct leat_stalled *ret)
{
    char key[80], type[80];
    ret->because_since_ms = unix_of(e->watch.at.since_ms);
    if (runner < 0)
        return;
    const struct leat_running *what = &e->running[runner]->what;
    struct leat_str typed = {what->type, (uint32_t)strnlen(what->type, sizeof what->type)};
    uint32_t key_bytes = what->key_bytes < sizeof what->key ? what->key_bytes : sizeof what->key;
    leat_utf8_line(key, sizeof key, (struct leat_str){what->key, key_bytes}, "");
    leat_utf8_line(type, sizeof type, typed, "");
    if (atomic_load_explicit(&e->running[runner]->turn, memory_order_acquire) !=
        e->watch.turns[runner])
        return;
    if (e->watch.ran_since_ms[runner] > e->watch.at.since_ms)
        ret->because_since_ms = unix_of(e->watch.ran_since_ms[runner]);
    (void)snprintf(ret->text, sizeof ret->text, "on key %s of type %s", key, type);
}

static void say_store(const struct leat_executor *e, struct leat_stalled *ret)
{
    const struct executor_watch *w = &e->watch;
    bool trouble = w->at.trouble_since_ms > 0;
    ret->because_since_ms = unix_of(trouble ? w->at.trouble_since_ms : w->at.since_ms);
    if (trouble && w->blocked_by > 0)
        (void)snprintf(ret->text, sizeof ret->text, "Postgres, blocked by pid %d", w->blocked_by);
    else if (trouble)
        (void)snprintf(ret->text, sizeof ret->text, "Postgres: %.150s", w->trouble);
    else
        (void)snprintf(ret->text, sizeof ret->text, "Postgres");
}

static void say(struct leat_executor *e, const struct watched_lane *l, int32_t runner,
                struct leat_stalled *ret)
{
    switch (ret->why) {
    case LEAT_STALL_STORE:
        say_store(e, ret);
        break;
    case LEAT_STALL_HANDLER:
        say_handler(e, runner, ret);
        break;
    case LEAT_STALL_STARVED:
        (void)snprintf(ret->text, sizeof ret->text,
                       "Kafka gives nothing, though it said that there is more");
        break;
    case LEAT_STALL_ACQUIRING:
        (void)snprintf(ret->text, sizeof ret->text, "its partition is being acquired");
        break;
    case LEAT_STALL_UNKNOWN:
        (void)snprintf(ret->text, sizeof ret->text,
                       "records are on hand; nothing is known to "
                       "be in their way");
        break;
    case LEAT_STALL_NONE:
    case LEAT_STALL_STOPPED:
    case LEAT_STALL_NOT_ASSIGNED:
    case LEAT_STALL_PAUSED:
    case LEAT_STALL_PARKED:
    case LEAT_STALL_HELD:
        (void)snprintf(ret->text, sizeof ret->text, "%s", l->text);
        ret->until_ms = l->until_ms;
        break;
    }
}

static struct leat_executor_seen at_now(const struct leat_executor *e, int64_t now_ms)
{
    struct leat_executor_seen at = e->watch.at;
    if (now_ms - e->watch.trouble_ms > TROUBLE_LASTS_MS)
        at.trouble_since_ms = 0;
    return at;
}

/* ---- any thread ---- */

static void add_lane(struct leat_executor *e, const struct watched_lane *l,
                     const struct leat_lane_verdict *v, int32_t runner,
                     struct leat_worker_figures *add)
{
    struct leat_stalled s = {.lag = v->lag, .since_ms = unix_of(v->since_ms), .why = v->why};
    char room[LANE_TOPIC_MAX];
    (void)snprintf(
        s.topic, sizeof s.topic, "%s",
        leat_lane_topic(&l->spec, room, e->c.worker->topology->partitions, &s.partition));
    say(e, l, runner, &s);
    leat_worker_add_stalled(add, &s);
}

void leat_executor_stalled(struct leat_executor *e, const struct leat_held *held,
                           struct leat_worker_figures *add)
{
    int64_t now_ms = mono_ms();
    (void)pthread_mutex_lock(&e->mutex);
    struct executor_watch *w = &e->watch;
    struct leat_executor_seen at = at_now(e, now_ms);
    int32_t runner = at.doing == LEAT_DOING_HANDLERS ? longest_running(e, now_ms) : -1;
    for (size_t i = 0; i < w->lane_count; i++) {
        const struct watched_lane *l = &w->lanes[i];
        leat_hold hold = held[l->spec.k].hold;
        if (!l->known || hold == LEAT_HOLD_NONE)
            continue;
        struct leat_lane_verdict v =
            leat_lane_judge(&l->watch, &at, hold == LEAT_HOLD_OWNED, now_ms);
        add->lanes++;
        if (v.overdue)
            add_lane(e, l, &v, runner, add);
    }
    if (w->away_since_ms > 0 &&
        (add->store_away_since_ms == 0 || w->away_since_ms < add->store_away_since_ms)) {
        add->store_away_since_ms = w->away_since_ms;
        memcpy(add->store_away, w->trouble, sizeof add->store_away);
    }
    (void)pthread_mutex_unlock(&e->mutex);
}

/* ---- the group's thread ---- */

bool leat_executor_overdue(struct leat_executor *e, size_t *at, struct leat_overdue *ret)
{
    int64_t now_ms = mono_ms();
    bool found = false;
    (void)pthread_mutex_lock(&e->mutex);
    struct leat_executor_seen seen = at_now(e, now_ms);
    (void)longest_running(e, now_ms);
    for (; !found && *at < e->watch.lane_count; (*at)++) {
        const struct watched_lane *l = &e->watch.lanes[*at];
        struct leat_lane_verdict v = leat_lane_judge(&l->watch, &seen, true, now_ms);
        found = l->known && v.look;
        if (found)
            *ret = (struct leat_overdue){.lane = l->spec,
                                         .index = *at,
                                         .position = l->watch.now.position,
                                         .high = l->watch.now.high,
                                         .stalled_ms = now_ms - v.since_ms,
                                         .on_hand = l->watch.now.on_hand};
    }
    (void)pthread_mutex_unlock(&e->mutex);
    return found;
}

bool leat_executor_looked(struct leat_executor *e, const struct leat_overdue *o, leat_look found)
{
    (void)pthread_mutex_lock(&e->mutex);
    struct watched_lane *l = &e->watch.lanes[o->index];
    bool same = l->known && l->watch.now.position == o->position;
    bool restart = same && leat_lane_looked(&l->watch, found, mono_ms());
    (void)pthread_mutex_unlock(&e->mutex);
    return restart;
}
