/* Why lanes stand still, of all executors and of what is not acquired; and the restart of one that
 * nothing explains. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/executor_watch.h"
#include "worker/worker_internal.h"

#define WATCH_MS 1000
#define LOOK_MS  2000 /* how long another reader may take to find a record */

static int64_t mono_ms(void)
{
    return leat_mono_us() / 1000;
}

/* ---- what is told ---- */

/* The longest ones are kept. */
void leat_worker_add_stalled(struct leat_worker_figures *f, const struct leat_stalled *s)
{
    f->lanes_stalled++;
    f->lanes_unable += s->why != LEAT_STALL_PARKED;
    int32_t i = f->stalled_count;
    if (i == LEAT_STALLED_MAX && f->stalled[i - 1].since_ms <= s->since_ms)
        return;
    if (i == LEAT_STALLED_MAX)
        i--;
    else
        f->stalled_count++;
    for (; i > 0 && f->stalled[i - 1].since_ms > s->since_ms; i--)
        f->stalled[i] = f->stalled[i - 1];
    f->stalled[i] = *s;
}

/* A k that is lost is acquired again in a moment; one that was never ours may take longer. */
static void note_acquiring(struct leat_worker *w, int64_t now_ms)
{
    for (int32_t k = 0; k < w->c.topology->partitions; k++) {
        leat_hold hold = w->held[k].hold;
        if (hold == LEAT_HOLD_NONE || hold == LEAT_HOLD_OWNED) {
            w->watch.acquiring_ms[k] = 0;
            w->watch.was_ours[k] = hold == LEAT_HOLD_OWNED;
        } else if (w->watch.acquiring_ms[k] == 0) {
            w->watch.acquiring_ms[k] = now_ms;
        }
    }
}

static void add_acquiring(struct leat_worker *w, int32_t k, int64_t now_ms,
                          struct leat_worker_figures *ret)
{
    struct leat_stalled s = {.partition = k,
                             .lag = -1,
                             .since_ms = leat_now_ms() - (now_ms - w->watch.acquiring_ms[k]),
                             .why = LEAT_STALL_ACQUIRING};
    s.because_since_ms = s.since_ms;
    bool failed = w->watch.failed_ms > 0 && now_ms - w->watch.failed_ms < 2 * LEAT_STALL_MS;
    (void)snprintf(s.topic, sizeof s.topic, "%s", w->anchor);
    (void)snprintf(s.text, sizeof s.text, "%s",
                   failed ? w->watch.failed : "its partition is being acquired");
    leat_worker_add_stalled(ret, &s);
}

static bool is_told(const struct leat_worker_figures *f, int32_t k)
{
    for (int32_t i = 0; i < f->stalled_count; i++)
        if (f->stalled[i].partition == k)
            return true;
    return false;
}

static void add_not_ours(struct leat_worker *w, int64_t now_ms, struct leat_worker_figures *ret)
{
    for (int32_t k = 0; k < w->c.topology->partitions; k++) {
        int64_t since_ms = w->watch.acquiring_ms[k];
        if (since_ms == 0)
            continue;
        ret->ks_acquiring += !w->watch.was_ours[k] || now_ms - since_ms >= LEAT_STALL_MS;
        if (now_ms - since_ms >= LEAT_STALL_MS && !is_told(ret, k))
            add_acquiring(w, k, now_ms, ret);
    }
    if (w->joined || now_ms - w->watch.started_ms < LEAT_STALL_MS)
        return;
    struct leat_stalled s = {.partition = -1,
                             .lag = -1,
                             .since_ms = leat_now_ms() - (now_ms - w->watch.started_ms),
                             .why = LEAT_STALL_NOT_ASSIGNED};
    s.because_since_ms = s.since_ms;
    (void)snprintf(s.topic, sizeof s.topic, "%s", w->anchor);
    (void)snprintf(s.text, sizeof s.text, "this process is no member of group %.150s yet",
                   w->c.processor->group);
    leat_worker_add_stalled(ret, &s);
}

void leat_worker_stalled(struct leat_worker *w, struct leat_worker_figures *ret)
{
    size_t n = (size_t)w->c.topology->partitions;
    struct leat_held *held = malloc(n * sizeof *held);
    leat_assert(held != NULL);
    (void)pthread_mutex_lock(&w->mutex);
    memcpy(held, w->held, n * sizeof *held);
    (void)pthread_mutex_unlock(&w->mutex);
    for (int32_t i = 0; i < w->executor_count; i++)
        leat_executor_stalled(w->executors[i], held, ret);
    free(held);
    int64_t now_ms = mono_ms();
    (void)pthread_mutex_lock(&w->mutex);
    note_acquiring(w, now_ms);
    add_not_ours(w, now_ms, ret);
    ret->lane_restarts = w->watch.restarts;
    (void)pthread_mutex_unlock(&w->mutex);
}

void leat_worker_acquire_failed(struct leat_worker *w, const char *what,
                                const struct leat_error *err)
{
    int32_t pid = leat_store_blocked_by(w->store);
    (void)pthread_mutex_lock(&w->mutex);
    w->watch.failed_ms = mono_ms();
    if (pid > 0)
        (void)snprintf(w->watch.failed, sizeof w->watch.failed, "%s: Postgres, blocked by pid %d",
                       what, pid);
    else
        (void)snprintf(w->watch.failed, sizeof w->watch.failed, "%s: %.150s", what, err->msg);
    (void)pthread_mutex_unlock(&w->mutex);
}

/* ---- what is done about it; the group's thread ---- */

/* Is there anything to read? Kafka counts markers of transactions as records, and those of a
 * transaction that is open before they may be read. */
static leat_look look(struct leat_worker *w, const struct leat_overdue *o)
{
    struct leat_reader *reader = NULL;
    struct leat_record r;
    struct leat_error err = {0};
    char room[256];
    size_t n = 0;
    struct leat_position at = {.offset = o->position};
    at.topic = leat_lane_topic(&o->lane, room, w->c.topology->partitions, &at.partition);
    if (o->on_hand > 0)
        return LEAT_LOOK_RECORDS;
    leat_status status = leat_reader_new(&w->kafka, &at, 1, 0, &reader, &err);
    if (status == LEAT_OK)
        status = leat_reader_take(reader, LOOK_MS, &r, 1, &n, &err);
    if (n > 0)
        leat_records_free(&r, n);
    leat_reader_free(reader);
    if (status != LEAT_OK)
        leat_log_limited(LEAT_LOG_WARN, "worker", "lane-look", "%s", err.msg);
    return status != LEAT_OK ? LEAT_LOOK_FAILED : n > 0 ? LEAT_LOOK_RECORDS : LEAT_LOOK_NOTHING;
}

static void say_quiet(const struct leat_worker *w, const struct leat_overdue *o)
{
    leat_log_kv(LEAT_LOG_INFO, "worker", "lane-quiet",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("processor", w->c.processor->name),
                                LEAT_LOG_CSTR("topic", o->lane.topic), LEAT_LOG_INT("k", o->lane.k),
                                LEAT_LOG_INT("position", o->position),
                                LEAT_LOG_INT("end", o->high)),
                "Kafka has offsets, but nothing that may be read: a transaction that was aborted "
                "or is open");
}

static void restart(struct leat_worker *w, const struct leat_overdue *o)
{
    char room[256];
    struct leat_position at = {0};
    at.topic = leat_lane_topic(&o->lane, room, w->c.topology->partitions, &at.partition);
    leat_group_resume(w->group, &at);
    leat_log_kv(LEAT_LOG_WARN, "worker", "lane-restarted",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("processor", w->c.processor->name),
                                LEAT_LOG_CSTR("topic", o->lane.topic), LEAT_LOG_INT("k", o->lane.k),
                                LEAT_LOG_INT("position", o->position), LEAT_LOG_INT("end", o->high),
                                LEAT_LOG_INT("on_hand", o->on_hand),
                                LEAT_LOG_INT("stalled_ms", o->stalled_ms)),
                "the lane has lag, and nothing moves or explains it: its partition is acquired "
                "anew");
    (void)pthread_mutex_lock(&w->mutex);
    w->watch.restarts++;
    leat_ownership_lost(&w->ownership, o->lane.k, 0);
    (void)pthread_mutex_unlock(&w->mutex);
}

static bool is_ours(struct leat_worker *w, int32_t k)
{
    (void)pthread_mutex_lock(&w->mutex);
    bool ours = w->held[k].hold == LEAT_HOLD_OWNED;
    (void)pthread_mutex_unlock(&w->mutex);
    return ours;
}

void leat_worker_watch(struct leat_worker *w)
{
    int64_t now_ms = mono_ms();
    if (now_ms < w->watch.due_ms)
        return;
    w->watch.due_ms = now_ms + WATCH_MS;
    (void)pthread_mutex_lock(&w->mutex);
    note_acquiring(w, now_ms);
    (void)pthread_mutex_unlock(&w->mutex);
    struct leat_overdue o;
    for (int32_t i = 0; i < w->executor_count; i++)
        for (size_t at = 0; leat_executor_overdue(w->executors[i], &at, &o);) {
            if (!is_ours(w, o.lane.k))
                continue;
            leat_look found = look(w, &o);
            if (found == LEAT_LOOK_NOTHING)
                say_quiet(w, &o);
            if (leat_executor_looked(w->executors[i], &o, found))
                restart(w, &o);
            return; /* a look takes its time: the others after the group's events */
        }
}

void leat_worker_watch_assigned(struct leat_worker *w)
{
    for (int32_t k = 0; k < w->c.topology->partitions; k++)
        w->watch.was_ours[k] = false;
}

void leat_worker_watch_new(struct leat_worker *w)
{
    size_t n = (size_t)w->c.topology->partitions;
    w->watch.acquiring_ms = calloc(n, sizeof *w->watch.acquiring_ms);
    w->watch.was_ours = calloc(n, sizeof *w->watch.was_ours);
    leat_assert(w->watch.acquiring_ms != NULL && w->watch.was_ours != NULL);
    w->watch.started_ms = mono_ms();
}

void leat_worker_watch_done(struct leat_worker *w)
{
    free(w->watch.acquiring_ms);
    free(w->watch.was_ours);
}
