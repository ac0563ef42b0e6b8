/* What keeps the topic the store's log when a broker does not take what it is sent, or loses what
 * it had taken: a new producer, and looks at the topic's end. All of it on the relay's thread. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/record_headers.h"
#include "base/units.h"
#include "relay/relay_internal.h"

/* ---- who gets on ---- */

static void progress(const struct leat_window *w, struct relay_progress *p, int64_t now_ms)
{
    if (w->acked == p->acked && w->acked < w->head)
        return;
    p->acked = w->acked;
    p->since_ms = now_ms;
}

void leat_relay_progress(struct relay_slice *s, int64_t now_ms)
{
    progress(&s->events, &s->events_at, now_ms);
    progress(&s->outbox, &s->outbox_at, now_ms);
}

void leat_relay_watch(struct leat_relay *r, int64_t now_ms)
{
    for (int32_t k = 0; k < r->partitions; k++) {
        struct relay_slice *s = &r->slices[k];
        (void)pthread_mutex_lock(&s->mutex);
        leat_relay_progress(s, now_ms);
        (void)pthread_mutex_unlock(&s->mutex);
    }
}

/* A partition that takes nothing may not fill the producer's queue, which all share. */
bool leat_relay_stalls(const struct leat_window *w, const struct relay_progress *p, int64_t now_ms)
{
    return w->next - 1 > w->acked && now_ms - p->since_ms > RELAY_STALL_MS;
}

/* ---- the producer ---- */

void leat_relay_renew(struct leat_relay *r, const char *why)
{
    if (r->renew || r->renewing)
        return;
    leat_log_limited(LEAT_LOG_WARN, "relay", "producer-renewed",
                     "what is in flight is sent again, in order, by a new producer: %s", why);
    r->renew = true;
}

/* Nobody sends until look() has gone back to what is acknowledged: a record behind one that was
 * lost with the old producer would arrive before it. */
static void hold_all(struct leat_relay *r)
{
    for (int32_t k = 0; k < r->partitions; k++) {
        struct relay_slice *s = &r->slices[k];
        (void)pthread_mutex_lock(&s->mutex);
        s->failed = true;
        s->unsure = s->owned;
        (void)pthread_mutex_unlock(&s->mutex);
    }
}

static void renew_producer(struct leat_relay *r, int64_t now_ms)
{
    struct leat_error err = {0};
    struct leat_producer *fresh = NULL;
    r->renewals = now_ms - r->renewed_ms > 2 * RELAY_RENEW_MAX_MS ? 0 : r->renewals + 1;
    int64_t wait_ms = RELAY_RENEW_MS << (r->renewals < 5 ? r->renewals : 5);
    r->renew_due_ms = now_ms + (wait_ms < RELAY_RENEW_MAX_MS ? wait_ms : RELAY_RENEW_MAX_MS);
    r->renewed_ms = now_ms;
    if (leat_producer_new(&r->kafka_producer, leat_relay_delivered, r, &fresh, &err) != LEAT_OK) {
        leat_log_error(LEAT_LOG_ERROR, "relay", "producer-new", &err);
        return;
    }
    leat_producer_wake_fd(fresh, r->bell);
    hold_all(r);
    (void)pthread_rwlock_wrlock(&r->producer_lock);
    struct leat_producer *old = r->producer;
    r->producer = fresh;
    (void)pthread_rwlock_unlock(&r->producer_lock);
    r->renewing = true;
    leat_producer_free(old, 100); /* tells all it had, delivered or not */
    r->renew = r->renewing = false;
}

/* ---- the topic's end ---- */

bool leat_relay_position_of(const struct leat_record *record, struct leat_uuid *ret_store_id,
                            int64_t *ret_seq)
{
    struct leat_str seq = {0}, store = {0};
    return leat_headers_find(record->packed_headers, LEAT_STR("leat-seq"), &seq) &&
           leat_headers_find(record->packed_headers, LEAT_STR("leat-store"), &store) &&
           leat_parse_int(seq, ret_seq) == LEAT_UNITS_OK && *ret_seq >= 1 &&
           leat_uuid_parse(store, ret_store_id);
}

int64_t leat_relay_seq_of(const struct leat_relay *r, int32_t slice,
                          const struct leat_record *record)
{
    struct leat_uuid store_id;
    int64_t seq = 0;
    if (!leat_relay_position_of(record, &store_id, &seq))
        return -1;
    return leat_lineage_judge(&r->lineage, slice, &store_id, seq) == LEAT_DESCENT_OURS ? seq : -1;
}

void leat_relay_say_again(struct leat_relay *r, int32_t slice, int64_t first, int64_t last)
{
    (void)atomic_fetch_add(&r->n_again, (uint64_t)(last - first + 1));
    leat_log_kv(LEAT_LOG_ERROR, "relay", "tail-lost",
                LEAT_LOG_FIELDS(LEAT_LOG_INT("slice", slice), LEAT_LOG_INT("first", first),
                                LEAT_LOG_INT("last", last)),
                "the events topic lacks events that it had acknowledged: they are published again");
}

/* Of the last record of ours before an offset; 0 = there never was one, -1 = none is left. */
static leat_status seq_before(struct leat_relay *r, struct leat_position at, int64_t low,
                              int64_t *ret, struct leat_error *err)
{
    int64_t seq = at.offset == 0 ? 0 : -1;
    while (seq < 0 && --at.offset >= low) {
        struct leat_record record = {0};
        leat_status status =
            leat_admin_record(r->admin, &at, r->arena, &record, RELAY_CONFIRM_MS, err);
        if (status != LEAT_OK && status != LEAT_ABSENT)
            return status;
        if (status == LEAT_OK)
            seq = leat_relay_seq_of(r, at.partition, &record);
    }
    *ret = seq;
    return LEAT_OK;
}

static void go_back(struct leat_relay *r, int32_t k, int64_t seq)
{
    struct relay_slice *s = &r->slices[k];
    if (seq < 0 || seq >= s->events.acked)
        return;
    leat_relay_say_again(r, k, seq + 1, s->events.acked);
    leat_window_start(&s->events, seq, s->events.head);
}

/* Nothing of the slice is in flight. */
static leat_status make_sure(struct leat_relay *r, int32_t k, struct leat_error *err)
{
    struct relay_slice *s = &r->slices[k];
    struct leat_position at = {.topic = r->c.topology->events_topic.at, .partition = k};
    struct leat_watermarks marks = {0};
    int64_t seq = -1;
    leat_arena_reset(r->arena);
    LEAT_TRY(leat_admin_watermarks(r->admin, &at, 1, &marks, RELAY_TAIL_WAIT_MS, err), err,
             "end of %s", at.topic);
    at.offset = s->lost_at >= 0 && s->lost_at < marks.high ? s->lost_at : marks.high;
    if (at.offset < s->end)
        LEAT_TRY(seq_before(r, at, marks.low, &seq, err), err, "end of %s", at.topic);
    (void)pthread_mutex_lock(&s->mutex);
    go_back(r, k, seq);
    s->end = marks.high;
    s->lost_at = -1;
    s->unsure = false;
    (void)pthread_mutex_unlock(&s->mutex);
    return LEAT_OK;
}

/* Before anything goes out by a new producer. */
static void make_all_sure(struct leat_relay *r)
{
    struct leat_error err = {0};
    for (int32_t k = 0; k < r->partitions; k++) {
        struct relay_slice *s = &r->slices[k];
        if (!s->unsure || !s->owned)
            continue;
        if (make_sure(r, k, &err) != LEAT_OK) {
            leat_log_limited(LEAT_LOG_WARN, "relay", "end-unknown", "slice %d: %s", k, err.msg);
            break; /* the others after the next turn, which serves what waits meanwhile */
        }
    }
}

/* At an idle end nothing else would tell. */
static void look_at_one(struct leat_relay *r, int64_t now_ms)
{
    struct leat_error err = {0};
    struct leat_position at = {.topic = r->c.topology->events_topic.at};
    struct leat_watermarks marks = {0};
    r->tail_due_ms = now_ms + RELAY_TAIL_MS;
    at.partition = r->tail_next = (r->tail_next + 1) % r->partitions;
    struct relay_slice *s = &r->slices[at.partition];
    if (!s->owned || s->stopped != NULL || s->unsure || s->end == 0)
        return;
    if (leat_admin_watermarks(r->admin, &at, 1, &marks, RELAY_TAIL_WAIT_MS, &err) != LEAT_OK) {
        r->tail_due_ms = now_ms + RELAY_TAIL_REST_MS;
        return;
    }
    if (marks.high >= s->end)
        return;
    (void)pthread_mutex_lock(&s->mutex);
    s->failed = true;
    (void)pthread_mutex_unlock(&s->mutex);
    leat_relay_renew(r, "the events topic ends before what it had acknowledged");
}

void leat_relay_mend(struct leat_relay *r, int64_t now_ms)
{
    const char *fatal = r->renew ? NULL : leat_producer_fatal(r->producer);
    if (fatal != NULL)
        leat_relay_renew(r, fatal);
    if (r->renew && now_ms >= r->renew_due_ms)
        renew_producer(r, now_ms);
    if (!r->renew)
        make_all_sure(r);
    if (now_ms >= r->tail_due_ms)
        look_at_one(r, now_ms);
}
