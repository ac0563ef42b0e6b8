/* What the group's thread says to an executor and hears from it: orders to start and stop ks, and
 * figures. Both ends of it stand here. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "store/crashes.h"
#include "worker/executor_internal.h"

/* ---- the executor's end ---- */

static void lane_slot(struct leat_executor *e, size_t flow_lane, size_t group_lane)
{
    if (flow_lane >= e->group_lane_cap) {
        e->group_lane_cap = (flow_lane + 1) * 2;
        e->group_lane = realloc(e->group_lane, e->group_lane_cap * sizeof *e->group_lane);
        leat_assert(e->group_lane != NULL);
    }
    e->group_lane[flow_lane] = group_lane;
}

const char *leat_lane_topic(const struct leat_flow_lane *l, char *room, int32_t partitions,
                            int32_t *ret_partition)
{
    const char *mark = strchr(l->topic, '#');
    *ret_partition = l->k;
    if (mark == NULL)
        return l->topic;
    *ret_partition += (int32_t)strtol(mark + 1, NULL, 10) * partitions;
    (void)snprintf(room, LANE_TOPIC_MAX, "%.*s", (int)(mark - l->topic), l->topic);
    return room;
}

static bool seek_lanes(struct leat_executor *e, const struct leat_executor_start *s)
{
    struct leat_error err = {0};
    for (size_t i = 0; i < s->n; i++) {
        const struct leat_flow_lane *l = &s->lanes[i];
        char room[LANE_TOPIC_MAX];
        bool verify = l->fingerprint != 0 && l->next_offset > 0;
        struct leat_position at = {.offset = verify ? l->next_offset - 1 : l->next_offset};
        at.topic = leat_lane_topic(l, room, e->c.worker->topology->partitions, &at.partition);
        if (leat_group_seek(e->group, &at, &err) == LEAT_OK)
            continue;
        leat_log_error(LEAT_LOG_WARN, "worker", "seek-failed", &err);
        return false;
    }
    return true;
}

/* Which keys are parked must be known before anything of their ks is handled. */
static bool waiting_keys(struct leat_executor *e, const struct order *orders,
                         struct leat_waiting_rows *ret)
{
    struct leat_error err = {0};
    leat_arena_reset(e->arena);
    leat_status status = LEAT_OK;
    size_t n = 0;
    for (const struct order *o = orders; o != NULL; o = o->next)
        n++;
    int32_t *ks = leat_arena_alloc(e->arena, n * sizeof *ks), *end = ks;
    for (const struct order *o = orders; o != NULL; o = o->next)
        *end++ = o->start.k;
    if (!leat_store_connected(e->store)) {
        status = leat_store_reconnect(e->store, &err);
        leat_executor_start_over(e);
    }
    if (status == LEAT_OK) {
        struct leat_waiting_ask ask = {.processor = e->c.worker->processor->name, .ks = ks, .n = n};
        status = leat_store_waiting_keys(e->store, &ask, e->arena, ret, &err);
    }
    if (status != LEAT_OK)
        leat_log_error(LEAT_LOG_WARN, "worker", "store-trouble", &err);
    return status == LEAT_OK;
}

/* In the same arena, which the keys that wait have been put into. */
static bool suspects(struct leat_executor *e, const struct leat_executor_start *s,
                     struct leat_flow_suspect **ret, size_t *ret_n)
{
    struct leat_error err = {0};
    struct leat_crash *found = NULL;
    size_t n = 0;
    if (!s->suspects)
        return true;
    struct leat_fence_ask ask = {.processor = e->c.worker->processor->name, .ks = &s->k, .n = 1};
    if (leat_store_suspects(e->store, &ask, e->arena, &found, &n, &err) != LEAT_OK) {
        leat_log_error(LEAT_LOG_WARN, "worker", "store-trouble", &err);
        return false;
    }
    *ret = leat_arena_alloc(e->arena, (n + 1) * sizeof **ret);
    for (size_t i = 0; i < n; i++) {
        (*ret)[i] = (struct leat_flow_suspect){.id = found[i].id,
                                               .topic = found[i].topic,
                                               .offset = found[i].offset,
                                               .tries = found[i].tries,
                                               .hung = found[i].hung,
                                               .text = found[i].text};
    }
    *ret_n = n;
    return true;
}

/* The rows of k among those of all ks, which come in the order of k. */
static struct leat_waiting_rows rows_of(const struct leat_waiting_rows *all, int32_t k)
{
    size_t first = 0, end;
    while (first < all->n && all->at[first].k != k)
        first++;
    for (end = first; end < all->n && all->at[end].k == k;)
        end++;
    return (struct leat_waiting_rows){.at = all->at + first, .n = end - first};
}

static void obey_start(struct leat_executor *e, const struct leat_executor_start *s,
                       const struct leat_waiting_rows *all)
{
    struct leat_waiting_rows waiting = rows_of(all, s->k);
    struct leat_flow_suspect *known = NULL;
    size_t n_known = 0;
    if (!leat_executor_lineage(e, s) || !suspects(e, s, &known, &n_known) ||
        (s->seek && !seek_lanes(e, s))) {
        e->c.lost(e->c.arg, s->k, s->epoch);
        return;
    }
    size_t first = leat_flow_start(e->flow, s->k, s->epoch, s->head_seq, s->lanes, s->n);
    leat_flow_waiting(e->flow, s->k, waiting.at, waiting.n);
    leat_flow_suspects(e->flow, s->k, known, n_known);
    for (size_t i = 0; i < s->n; i++) {
        lane_slot(e, first + i, s->first_lane + i);
        leat_executor_watch_lane(e, first + i, &s->lanes[i]);
    }
    lane_slot(e, first + s->n, SIZE_MAX); /* the flow's own */
    e->standing_due_ms = 0;
    e->more = true;
}

static void obey_starts(struct leat_executor *e, const struct order *orders)
{
    struct leat_waiting_rows waiting = {0};
    bool known = waiting_keys(e, orders, &waiting);
    for (const struct order *o = orders; o != NULL; o = o->next) {
        leat_flow_stop(e->flow, o->start.k);
        if (known) {
            obey_start(e, &o->start, &waiting);
        } else {
            e->c.lost(e->c.arg, o->start.k, o->start.epoch);
        }
    }
}

static void orders_free(struct order *o)
{
    while (o != NULL) {
        struct order *next = o->next;
        free(o->start.lanes);
        free(o);
        o = next;
    }
}

static void lane_stops_free(struct lane_stop *stops)
{
    while (stops != NULL) {
        struct lane_stop *next = stops->next;
        free(stops);
        stops = next;
    }
}

/* Reads that failed for the last assignment say nothing about the next one's. */
void leat_executor_drop_orders(struct leat_executor *e) /* mutex held */
{
    lane_stops_free(LEAT_TAKE(e->lane_stops));
    orders_free(LEAT_TAKE(e->orders));
    e->orders_end = &e->orders;
}

/* Orders on hand are younger than the stop (leat_executor_stop_all dropped the older ones): when
 * the drain took too long, the next assignment's orders may be here already. */
void leat_executor_obey_stop(struct leat_executor *e)
{
    leat_flow_stop_all(e->flow);
    leat_executor_watch_forget(e);
    leat_released_free(&e->released);
    (void)pthread_mutex_lock(&e->mutex);
    e->stop = false;
    e->stopped = e->orders == NULL;
    (void)pthread_cond_broadcast(&e->changed);
    (void)pthread_mutex_unlock(&e->mutex);
}

static void obey_lane_stops(struct leat_executor *e)
{
    (void)pthread_mutex_lock(&e->mutex);
    struct lane_stop *stops = LEAT_TAKE(e->lane_stops);
    (void)pthread_mutex_unlock(&e->mutex);
    for (const struct lane_stop *s = stops; s != NULL; s = s->next) {
        for (size_t i = 0; i < leat_flow_lane_count(e->flow); i++) {
            if (e->group_lane[i] == s->lane)
                leat_flow_lane_stop(e->flow, i, s->why);
        }
    }
    lane_stops_free(stops);
}

/* All that are on hand, so that one question to the store is enough for them. */
static struct order *next_orders(struct leat_executor *e, bool *ret_stop, bool *ret_quit)
{
    (void)pthread_mutex_lock(&e->mutex);
    struct order *o = NULL;
    if (!e->stop && e->orders != NULL) {
        o = LEAT_TAKE(e->orders);
        e->orders_end = &e->orders;
    }
    e->group = e->next_group;
    *ret_stop = e->stop;
    *ret_quit = e->quit;
    (void)pthread_mutex_unlock(&e->mutex);
    return o;
}

bool leat_executor_obey(struct leat_executor *e)
{
    bool stop = false, quit = false;
    do {
        for (struct order *o = next_orders(e, &stop, &quit); o != NULL;
             o = next_orders(e, &stop, &quit)) {
            obey_starts(e, o);
            orders_free(o);
        }
        if (stop)
            leat_executor_obey_stop(e);
    } while (stop);
    obey_lane_stops(e);
    return !quit;
}

static void publish_held(const struct leat_executor *e, struct leat_worker_figures *p)
{
    p->lanes_held = 0;
    p->held[0] = p->held_text[0] = '\0';
    for (size_t i = 0; i < leat_flow_lane_count(e->flow); i++) {
        const struct leat_flow_lane *lane = leat_flow_lane(e->flow, i);
        const struct leat_flow_hold *h = leat_flow_held(e->flow, i);
        char id[LEAT_UUID_TEXT], room[256];
        int32_t partition = 0;
        if (h == NULL || (p->lanes_held++ > 0 && h->since_ms >= p->held_since_ms))
            continue;
        leat_uuid_format(&h->id, id);
        p->held_since_ms = h->since_ms;
        const char *topic =
            leat_lane_topic(lane, room, e->c.worker->topology->partitions, &partition);
        (void)snprintf(p->held, sizeof p->held, "%s[%d]@%lld: key %s, %s %s, attempt %d", topic,
                       partition, (long long)h->offset, h->key,
                       lane->kind == LEAT_LANE_EVENTS ? "event" : "command", id, h->attempt);
        (void)snprintf(p->held_text, sizeof p->held_text, "%s", h->text);
    }
}

void leat_executor_publish(struct leat_executor *e)
{
    const struct leat_flow_figures *f = leat_flow_figures(e->flow);
    struct leat_store_counts counts = leat_store_counts(e->store);
    leat_executor_watch(e);
    (void)pthread_mutex_lock(&e->mutex);
    struct leat_worker_figures *p = &e->figures;
    p->batches = f->batches;
    p->commands = f->commands;
    p->events = f->events;
    p->accepted = f->accepted;
    p->rejected = f->rejected;
    p->dead = f->dead;
    p->forwarded = f->forwarded;
    p->duplicates = f->duplicates;
    p->conflicts = f->conflicts;
    p->retries = f->retries;
    p->fenced = f->fenced;
    p->foreign_partition = f->foreign_partition;
    p->parked = f->parked;
    p->folded = f->folded;
    p->snapshots = f->snapshots;
    p->snapshots_damaged = f->snapshots_damaged;
    p->lanes_stopped = 0;
    for (size_t i = 0; i < leat_flow_lane_count(e->flow); i++) {
        const char *why = leat_flow_lane_stopped(e->flow, i);
        if (why != NULL && p->lanes_stopped++ == 0) {
            (void)snprintf(p->why, sizeof p->why, "%s[%d]: %s", leat_flow_lane(e->flow, i)->topic,
                           leat_flow_lane(e->flow, i)->k, why);
        }
    }
    if (p->lanes_stopped == 0)
        p->why[0] = '\0';
    publish_held(e, p);
    p->write_trips = counts.write_trips;
    p->read_trips = counts.read_trips;
    (void)pthread_mutex_unlock(&e->mutex);
}

/* ---- the group's end ---- */

static void wake(struct leat_executor *e)
{
    uint64_t one = 1;
    ssize_t n = write(e->wake_fd, &one, sizeof one);
    (void)n; /* full: it is awake */
}

int leat_executor_wake_fd(const struct leat_executor *e)
{
    return e->wake_fd;
}

void leat_executor_group(struct leat_executor *e, struct leat_group *group)
{
    (void)pthread_mutex_lock(&e->mutex);
    e->next_group = group;
    (void)pthread_mutex_unlock(&e->mutex);
}

void leat_executor_start(struct leat_executor *e, const struct leat_executor_start *s)
{
    struct order *o = calloc(1, sizeof *o);
    leat_assert(o != NULL);
    o->start = *s;
    o->start.lanes = malloc((s->n + 1) * sizeof *s->lanes);
    leat_assert(o->start.lanes != NULL);
    memcpy(o->start.lanes, s->lanes, s->n * sizeof *s->lanes);
    (void)pthread_mutex_lock(&e->mutex);
    *e->orders_end = o;
    e->orders_end = &o->next;
    e->stopped = false;
    (void)pthread_mutex_unlock(&e->mutex);
    wake(e);
}

bool leat_executor_stop_all(struct leat_executor *e, int timeout_ms)
{
    struct timespec until = leat_sync_deadline(timeout_ms);
    (void)pthread_mutex_lock(&e->mutex);
    if (!e->stopped) {
        leat_executor_drop_orders(e);
        e->stop = true;
    }
    wake(e);
    while (!e->stopped && pthread_cond_timedwait(&e->changed, &e->mutex, &until) == 0)
        ;
    bool stopped = e->stopped;
    (void)pthread_mutex_unlock(&e->mutex);
    return stopped;
}

void leat_executor_stop_lane(struct leat_executor *e, size_t lane, const char *why)
{
    struct lane_stop *s = calloc(1, sizeof *s);
    leat_assert(s != NULL);
    s->lane = lane;
    (void)snprintf(s->why, sizeof s->why, "%s", why);
    (void)pthread_mutex_lock(&e->mutex);
    s->next = e->lane_stops;
    e->lane_stops = s;
    (void)pthread_mutex_unlock(&e->mutex);
    wake(e);
}

bool leat_executor_free(struct leat_executor *e, int timeout_ms)
{
    if (e == NULL)
        return true;
    struct timespec until = leat_sync_deadline(timeout_ms);
    (void)pthread_mutex_lock(&e->mutex);
    e->quit = true;
    wake(e);
    while (!e->ended && pthread_cond_timedwait(&e->changed, &e->mutex, &until) == 0)
        ;
    bool ended = e->ended;
    (void)pthread_mutex_unlock(&e->mutex);
    if (!ended) {
        leat_log(LEAT_LOG_ERROR, "worker", "executor-stuck", "executor %d did not end in %d ms",
                 e->c.number, timeout_ms);
        (void)pthread_detach(e->thread);
        return false;
    }
    (void)pthread_join(e->thread, NULL);
    leat_executor_done(e);
    return true;
}

void leat_executor_figures(struct leat_executor *e, struct leat_worker_figures *add)
{
    (void)pthread_mutex_lock(&e->mutex);
    const struct leat_worker_figures f = e->figures;
    (void)pthread_mutex_unlock(&e->mutex);
    add->batches += f.batches;
    add->commands += f.commands;
    add->events += f.events;
    add->accepted += f.accepted;
    add->rejected += f.rejected;
    add->dead += f.dead;
    add->forwarded += f.forwarded;
    add->duplicates += f.duplicates;
    add->conflicts += f.conflicts;
    add->retries += f.retries;
    add->fenced += f.fenced;
    add->foreign_partition += f.foreign_partition;
    add->parked += f.parked;
    add->folded += f.folded;
    add->snapshots += f.snapshots;
    add->snapshots_damaged += f.snapshots_damaged;
    add->write_trips += f.write_trips;
    add->read_trips += f.read_trips;
    add->lanes_stopped += f.lanes_stopped;
    if (add->why[0] == '\0')
        memcpy(add->why, f.why, sizeof add->why);
    if (f.lanes_held > 0 && (add->lanes_held == 0 || f.held_since_ms < add->held_since_ms)) {
        add->held_since_ms = f.held_since_ms;
        memcpy(add->held, f.held, sizeof add->held);
        memcpy(add->held_text, f.held_text, sizeof add->held_text);
    }
    add->lanes_held += f.lanes_held;
}
