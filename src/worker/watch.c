#include "worker/watch.h"

#include "base/status.h"

const char *leat_stall_name(leat_stall why)
{
    static const char *const names[LEAT_STALLS] = {
        [LEAT_STALL_NONE] = "none",
        [LEAT_STALL_STOPPED] = "stopped",
        [LEAT_STALL_NOT_ASSIGNED] = "not-assigned",
        [LEAT_STALL_ACQUIRING] = "acquiring",
        [LEAT_STALL_PAUSED] = "paused",
        [LEAT_STALL_PARKED] = "parked",
        [LEAT_STALL_HELD] = "held",
        [LEAT_STALL_STORE] = "store",
        [LEAT_STALL_HANDLER] = "handler",
        [LEAT_STALL_STARVED] = "starved",
        [LEAT_STALL_UNKNOWN] = "unknown",
    };
    leat_assert(why >= 0 && why < LEAT_STALLS);
    return names[why];
}

static int64_t lag_of(const struct leat_lane_watch *w)
{
    const struct leat_lane_seen *s = &w->now;
    int64_t end = s->high > w->quiet_high && s->high > s->position ? s->high : s->position;
    return end > s->committed ? end - s->committed : 0;
}

void leat_lane_seen(struct leat_lane_watch *w, const struct leat_lane_seen *now, bool fresh,
                    int64_t now_ms)
{
    bool moved = w->since_ms == 0 || fresh || now->committed != w->now.committed;
    if (moved)
        w->quiet_high = w->looks = w->look_at_ms = 0;
    w->now = *now;
    /* A lane that is stopped stands whatever its numbers are: they are of another topic. */
    if (moved || (lag_of(w) == 0 && now->because != LEAT_STALL_STOPPED))
        w->since_ms = now_ms;
}

/* The first that holds: what concerns this lane alone before what concerns its executor. */
static leat_stall why(const struct leat_lane_watch *w, const struct leat_executor_seen *e,
                      bool owned, int64_t now_ms)
{
    bool long_since = now_ms - e->since_ms >= LEAT_BUSY_MS;
    if (w->now.because == LEAT_STALL_STOPPED)
        return LEAT_STALL_STOPPED;
    if (e->trouble_since_ms > 0)
        return LEAT_STALL_STORE;
    if (!owned)
        return LEAT_STALL_ACQUIRING;
    if (w->now.because != LEAT_STALL_NONE)
        return w->now.because;
    if (e->doing != LEAT_DOING_NOTHING && long_since)
        return e->doing == LEAT_DOING_STORE ? LEAT_STALL_STORE : LEAT_STALL_HANDLER;
    return w->now.on_hand == 0 ? LEAT_STALL_STARVED : LEAT_STALL_UNKNOWN;
}

/* With records on hand it is the executor that does nothing about them, if it does nothing. */
static bool look_due(const struct leat_lane_watch *w, const struct leat_executor_seen *e,
                     leat_stall reason, int64_t now_ms)
{
    bool stuck = reason == LEAT_STALL_STARVED ||
                 (reason == LEAT_STALL_UNKNOWN && e->doing == LEAT_DOING_NOTHING &&
                  now_ms - e->since_ms >= LEAT_STARVED_MS);
    return stuck && now_ms - w->since_ms >= LEAT_STARVED_MS && now_ms >= w->look_at_ms;
}

struct leat_lane_verdict leat_lane_judge(const struct leat_lane_watch *w,
                                         const struct leat_executor_seen *e, bool owned,
                                         int64_t now_ms)
{
    struct leat_lane_verdict v = {.lag = lag_of(w), .since_ms = w->since_ms};
    bool stopped = w->now.because == LEAT_STALL_STOPPED;
    /* What was quiet is asked again from time to time: it may have been the broker. */
    struct leat_lane_watch loud = *w;
    loud.quiet_high = 0;
    bool quiet = v.lag == 0 && lag_of(&loud) > 0;
    if (w->since_ms == 0 || (v.lag == 0 && !stopped && !quiet))
        return v;
    leat_stall reason = why(w, e, owned, now_ms);
    if (quiet) {
        v.look = reason == LEAT_STALL_STARVED && w->looks > 0 && now_ms >= w->look_at_ms;
        return v;
    }
    v.why = reason;
    v.overdue = now_ms - w->since_ms >= LEAT_STALL_MS;
    v.look = look_due(w, e, reason, now_ms);
    return v;
}

bool leat_lane_looked(struct leat_lane_watch *w, leat_look found, int64_t now_ms)
{
    int64_t wait = LEAT_STARVED_MS;
    for (int64_t i = 0; i < w->looks && wait < LEAT_LOOK_BACKOFF_MAX; i++)
        wait *= 2;
    w->looks++;
    w->look_at_ms = now_ms + (wait < LEAT_LOOK_BACKOFF_MAX ? wait : LEAT_LOOK_BACKOFF_MAX);
    w->quiet_high = found == LEAT_LOOK_NOTHING ? w->now.high : 0;
    return found == LEAT_LOOK_RECORDS;
}
