/* Owning slices: the same steps as a worker's (worker/ownership.h), with the epoch in `published`;
 * and before the first record goes out, the comparison of the topic's end with the store. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/record_headers.h"
#include "relay/relay_internal.h"

/* ---- Kafka's callbacks ---- */

static void on_assigned(void *arg, const int32_t *ks, size_t n)
{
    struct leat_relay *r = arg;
    leat_ownership_assigned(&r->ownership, ks, n);
    atomic_store(&r->joined, true);
}

static void let_go(struct relay_slice *s)
{
    (void)pthread_mutex_lock(&s->mutex);
    s->owned = false;
    free(s->stopped);
    s->stopped = NULL;
    (void)pthread_mutex_unlock(&s->mutex);
}

/* What is in flight may still arrive: readers drop copies by seq. */
static void on_revoked(void *arg, const int32_t *ks, size_t n, bool lost)
{
    (void)lost;
    struct leat_relay *r = arg;
    for (size_t i = 0; i < n; i++)
        let_go(&r->slices[ks[i]]);
    leat_ownership_revoked(&r->ownership, ks, n);
}

void leat_relay_let_go(struct leat_relay *r)
{
    for (int32_t k = 0; k < r->partitions; k++)
        let_go(&r->slices[k]);
}

static void on_partition_error(void *arg, const char *topic, int32_t partition, const char *what)
{
    (void)arg;
    leat_log(LEAT_LOG_WARN, "relay", "group", "%s[%d]: %s", topic, partition, what);
}

leat_status leat_relay_join(struct leat_relay *r, struct leat_error *err)
{
    struct leat_group_config gc = {.kafka = r->kafka,
                                   .group = r->c.topology->relay_group,
                                   .instance_id = r->c.instance_id,
                                   .anchor = r->c.topology->events_topic.at,
                                   .partitions = r->partitions,
                                   .session_timeout_ms = r->c.session_timeout_ms};
    struct leat_group_events events = {on_assigned, on_revoked, on_partition_error, r};
    return leat_group_new(&gc, &events, &r->group, err);
}

/* ---- the topic's end against the store ---- */

static void stop_slice(struct leat_relay *r, int32_t k, const char *why)
{
    struct relay_slice *s = &r->slices[k];
    leat_log_kv(LEAT_LOG_ERROR, "relay", "slice-stopped", LEAT_LOG_FIELDS(LEAT_LOG_INT("slice", k)),
                "nothing is published any more: %s", why);
    free(s->stopped);
    s->stopped = strdup(why);
    leat_assert(s->stopped != NULL);
}

static const char *compare_event(struct leat_relay *r, int32_t slice, int64_t seq,
                                 const struct leat_uuid *id, leat_status *ret_status,
                                 struct leat_error *err)
{
    struct leat_stored_event *event = NULL;
    size_t n = 0;
    struct leat_store_page page = {.slice = slice, .after = seq - 1, .upto = seq, .limit = 1};
    /* Asked after the topic's end was read: a former owner that still publishes may have put events
     * there that are younger than the head we know, and all of them are in the store by now. */
    *ret_status = leat_store_slice(r->store, &page, r->arena, &event, &n, err);
    if (*ret_status != LEAT_OK)
        return NULL;
    if (n == 0)
        return "the topic is ahead of the store, which has lost commits: `leat store adopt` names "
               "them and goes on";
    return leat_uuid_eq(&event->id, id)
               ? NULL
               : "the topic's last record is another event than the store's at that seq: `leat "
                 "store adopt` names what was lost and goes on";
}

/* A commit that was lost and is void: named once by who adopted the store, or it came after that,
 * from a producer of before. */
static void say_void(int32_t slice, int64_t seq, struct leat_str id)
{
    leat_log_kv(LEAT_LOG_WARN, "relay", "lost-commit",
                LEAT_LOG_FIELDS(LEAT_LOG_INT("slice", slice), LEAT_LOG_INT("seq", seq),
                                LEAT_LOG_STR("event", id)),
                "the topic ends with an event of before the fork; readers pass it over");
}

static const char *compare_end(struct leat_relay *r, const struct leat_published *p,
                               const struct leat_record *last, leat_status *ret_status,
                               struct leat_error *err)
{
    struct leat_str id_text = {0};
    struct leat_uuid id, store_id;
    int64_t seq = 0;
    if (!leat_relay_position_of(last, &store_id, &seq) ||
        !leat_headers_find(last->packed_headers, LEAT_STR("ce_id"), &id_text) ||
        !leat_uuid_parse(id_text, &id))
        return "the topic's last record is not one of ours";
    switch (leat_lineage_judge(&r->lineage, p->slice, &store_id, seq)) {
    case LEAT_DESCENT_OURS:
        return compare_event(r, p->slice, seq, &id, ret_status, err);
    case LEAT_DESCENT_VOID:
        say_void(p->slice, seq, id_text);
        return NULL;
    case LEAT_DESCENT_FOREIGN:
        break;
    }
    return "the topic's last record is of another store: start over (delete this topology's "
           "topics and the folder of its read models, run `leat apply`), or restore the store "
           "that the record belongs to; if it is this one, put back to before it forked: `leat "
           "store adopt`";
}

struct end {
    int64_t seq;     /* published, as the topic has it */
    int64_t offset;  /* behind its last record */
    const char *why; /* nothing may be published, or NULL */
};

static leat_status check_end(struct leat_relay *r, const struct leat_published *p, struct end *ret,
                             struct leat_error *err)
{
    struct leat_position at = {.topic = r->c.topology->events_topic.at, .partition = p->slice};
    struct leat_watermarks marks = {0};
    struct leat_record last = {0};
    leat_status status = LEAT_OK;
    LEAT_TRY(leat_admin_watermarks(r->admin, &at, 1, &marks, RELAY_CONFIRM_MS, err), err,
             "end of %s", at.topic);
    *ret = (struct end){.seq = marks.high == 0 ? 0 : p->seq, .offset = marks.high};
    if (marks.high <= marks.low)
        return LEAT_OK; /* what was there has expired; or it is a new topic, without anything */
    at.offset = marks.high - 1;
    status = leat_admin_record(r->admin, &at, r->arena, &last, RELAY_CONFIRM_MS, err);
    if (status == LEAT_ABSENT)
        return LEAT_OK; /* a transaction marker or the like: nothing to compare */
    if (status != LEAT_OK)
        return status;
    ret->why = compare_end(r, p, &last, &status, err);
    int64_t seq = leat_relay_seq_of(r, p->slice, &last);
    if (ret->why == NULL && seq >= 0 && seq < p->seq)
        ret->seq = seq;
    return status;
}

/* ---- the steps ---- */

static void step_read(struct leat_relay *r, const int32_t *ks, size_t n)
{
    struct leat_error err = {0};
    struct leat_published *p = NULL;
    if (leat_store_published(r->store, ks, n, r->arena, &p, &err) != LEAT_OK) {
        leat_relay_store_trouble(r, "read positions", &err);
        return;
    }
    for (size_t i = 0; i < n; i++)
        leat_ownership_read(&r->ownership, p[i].slice, p[i].epoch);
}

/* The group's offset shows how far a slice is published. */
static void step_confirm(struct leat_relay *r, const int32_t *ks, size_t n)
{
    struct leat_error err = {0};
    struct leat_published *p = NULL;
    if (leat_store_published(r->store, ks, n, r->arena, &p, &err) != LEAT_OK) {
        leat_relay_store_trouble(r, "read positions", &err);
        return;
    }
    struct leat_position *at = leat_arena_alloc(r->arena, n * sizeof *at);
    for (size_t i = 0; i < n; i++)
        at[i] = (struct leat_position){r->c.topology->events_topic.at, p[i].slice, p[i].seq};
    leat_status status = leat_group_commit(r->group, at, n, RELAY_CONFIRM_MS, &err);
    if (status == LEAT_OK) {
        leat_ownership_confirmed(&r->ownership, ks, n);
    } else if (status == LEAT_FENCED) {
        leat_ownership_refused(&r->ownership, leat_relay_now_ms());
    } else {
        leat_log_limited(LEAT_LOG_WARN, "relay", "acquire-failed", "%s", err.msg);
        leat_ownership_failed(&r->ownership, leat_relay_now_ms());
    }
}

static void step_claim(struct leat_relay *r, const int32_t *ks, size_t n)
{
    struct leat_error err = {0};
    struct leat_published *p = NULL;
    int64_t *expected = leat_arena_alloc(r->arena, n * sizeof *expected);
    for (size_t i = 0; i < n; i++)
        expected[i] = r->held[ks[i]].epoch;
    struct leat_fence_ask ask = {.ks = ks, .expected = expected, .n = n};
    if (leat_store_claim_relay(r->store, &ask, r->arena, &p, &err) != LEAT_OK) {
        leat_relay_store_trouble(r, "claim", &err);
        return;
    }
    for (size_t i = 0; i < n; i++)
        leat_ownership_claimed(&r->ownership, p[i].slice, p[i].claimed, p[i].epoch);
}

static leat_status start_slice(struct leat_relay *r, const struct leat_published *p,
                               struct leat_error *err)
{
    struct relay_slice *s = &r->slices[p->slice];
    struct end end = {0};
    LEAT_TRY(check_end(r, p, &end, err), err, "slice %d", p->slice);
    if (end.seq < p->seq)
        leat_relay_say_again(r, p->slice, end.seq + 1, p->seq);
    (void)pthread_mutex_lock(&s->mutex);
    s->owned = true;
    s->failed = false;
    s->epoch = r->held[p->slice].epoch;
    s->store_id = p->store_id;
    leat_uuid_format(&s->store_id, s->store_text);
    s->generation = (s->generation + 1) & RELAY_GENERATIONS;
    free(s->stopped);
    s->stopped = NULL;
    s->end = end.offset;
    s->lost_at = -1;
    s->unsure = false;
    leat_window_start(&s->events, end.seq, p->head_seq);
    leat_window_start(&s->outbox, p->outbox_seq, p->head_outbox);
    s->events_at.acked = s->outbox_at.acked = -1;
    leat_relay_progress(s, leat_relay_now_ms());
    if (end.why != NULL)
        stop_slice(r, p->slice, end.why);
    (void)pthread_mutex_unlock(&s->mutex);
    leat_ownership_started(&r->ownership, p->slice);
    return LEAT_OK;
}

static void step_start(struct leat_relay *r, const int32_t *ks, size_t n)
{
    struct leat_error err = {0};
    struct leat_published *p = NULL;
    leat_status status = leat_store_lineage(r->store, r->partitions, &r->lineage, &err);
    if (status == LEAT_OK)
        status = leat_store_published(r->store, ks, n, r->arena, &p, &err);
    for (size_t i = 0; status == LEAT_OK && i < n; i++)
        status = start_slice(r, &p[i], &err);
    if (status != LEAT_OK) {
        leat_relay_store_trouble(r, "start", &err);
        return;
    }
    leat_log_kv(LEAT_LOG_INFO, "relay", "acquired", LEAT_LOG_FIELDS(LEAT_LOG_INT("slices", n)),
                "slices acquired");
}

void leat_relay_acquire(struct leat_relay *r)
{
    for (int turns = 0; turns < 8 && r->store != NULL; turns++) {
        int64_t wait_ms = 0;
        size_t n = 0;
        leat_arena_reset(r->arena);
        int32_t *ks = leat_arena_alloc(r->arena, (size_t)r->partitions * sizeof *ks);
        leat_acquire step =
            leat_ownership_next(&r->ownership, leat_relay_now_ms(), ks, &n, &wait_ms);
        if (step == LEAT_ACQUIRE_WAIT)
            return;
        if (step == LEAT_ACQUIRE_REJOIN) {
            r->rejoin = true;
            return;
        }
        if (!leat_relay_connected(r))
            return;
        switch (step) {
        case LEAT_ACQUIRE_READ:
            step_read(r, ks, n);
            break;
        case LEAT_ACQUIRE_CONFIRM:
            step_confirm(r, ks, n);
            break;
        case LEAT_ACQUIRE_CLAIM:
            step_claim(r, ks, n);
            break;
        case LEAT_ACQUIRE_START:
            step_start(r, ks, n);
            break;
        case LEAT_ACQUIRE_WAIT:
        case LEAT_ACQUIRE_REJOIN:
            break;
        }
    }
}
