#include <stdlib.h>
#include <string.h>

#include "kafka/group.h"

#define TAKE_MAX        512
#define STARVE_US       5000
#define SEEK_TIMEOUT_MS 5000

/* ---- opening and closing lanes ---- */

static void open_lane(struct leat_group *g, struct leat_lane_queue *l,
                      const struct leat_position *at, int wake_fd)
{
    static const uint64_t one = 1;
    l->topic = leat_kafka_names_get(g->names, at->topic);
    l->partition = at->partition;
    l->wake_fd = wake_fd;
    atomic_store(&l->next, at->offset);
    atomic_store(&l->nudged_at, -1);
    pthread_mutex_init(&l->error_lock, NULL);
    /* Un-forwarded by us, a queue stays so: the start of fetching forwards it to the group's queue
     * only when the application has not said otherwise. */
    l->q = rd_kafka_queue_get_partition(g->rk, l->topic, l->partition);
    leat_assert(l->q != NULL);
    rd_kafka_queue_forward(l->q, NULL);
    if (wake_fd >= 0)
        rd_kafka_queue_io_event_enable(l->q, wake_fd, &one, sizeof one);
}

void leat_group_drop_lanes(struct leat_group *g)
{
    pthread_rwlock_wrlock(&g->lock);
    for (size_t i = 0; i < g->lane_count; i++) {
        struct leat_lane_queue *l = &g->lanes[i];
        rd_kafka_queue_io_event_enable(l->q, -1, NULL, 0); /* the queue outlives the fd */
        rd_kafka_queue_destroy(l->q);
        pthread_mutex_destroy(&l->error_lock);
    }
    free(g->lanes);
    g->lanes = NULL;
    g->lane_count = 0;
    pthread_rwlock_unlock(&g->lock);
}

leat_status leat_group_read(struct leat_group *g, const struct leat_position *at,
                            const int *wake_fds, size_t n, struct leat_error *err)
{
    leat_group_drop_lanes(g);
    struct leat_lane_queue *lanes = calloc(n + 1, sizeof *lanes);
    leat_assert(lanes != NULL);
    pthread_rwlock_wrlock(&g->lock);
    if (!g->assigned) {
        pthread_rwlock_unlock(&g->lock);
        free(lanes);
        return leat_fail(err, LEAT_FENCED, "could not read partitions: none is assigned now");
    }
    for (size_t i = 0; i < n; i++)
        open_lane(g, &lanes[i], &at[i], wake_fds == NULL ? -1 : wake_fds[i]);
    g->lanes = lanes;
    g->lane_count = n;
    LEAT_AUTO(leat_kafka_list_freep) rd_kafka_topic_partition_list_t *list = leat_kafka_list(at, n);
    rd_kafka_resp_err_t e = rd_kafka_assign(g->rk, list);
    pthread_rwlock_unlock(&g->lock);
    if (e != 0) {
        return leat_fail(err, leat_kafka_status(e), "could not read %zu partitions: %s", n,
                         rd_kafka_err2str(e));
    }
    return LEAT_OK;
}

leat_status leat_group_first(struct leat_group *g, struct leat_position *at, size_t n,
                             int timeout_ms, struct leat_error *err)
{
    if (n == 0)
        return LEAT_OK;
    LEAT_AUTO(leat_kafka_list_freep) rd_kafka_topic_partition_list_t *list = leat_kafka_list(at, n);
    for (int i = 0; i < list->cnt; i++) /* the protocol's name for it as a time */
        list->elems[i].offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_resp_err_t e = rd_kafka_offsets_for_times(g->rk, list, timeout_ms);
    for (int i = 0; i < list->cnt; i++) {
        if (e == 0)
            e = list->elems[i].err;
        if (e == 0 && list->elems[i].offset < 0)
            e = RD_KAFKA_RESP_ERR__NO_OFFSET;
        if (e != 0) {
            return leat_fail(err, leat_kafka_status(e) == LEAT_ABSENT ? LEAT_ABSENT : LEAT_RETRY,
                             "could not ask for the first offset of %s[%d]: %s", at[i].topic,
                             at[i].partition, rd_kafka_err2str(e));
        }
    }
    for (size_t i = 0; i < n; i++)
        at[i].offset = list->elems[i].offset;
    return LEAT_OK;
}

/* ---- seeking ---- */

static struct leat_lane_queue *find_lane(struct leat_group *g, const struct leat_position *at)
{
    for (size_t i = 0; i < g->lane_count; i++) {
        struct leat_lane_queue *l = &g->lanes[i];
        if (l->partition == at->partition && strcmp(l->topic, at->topic) == 0)
            return l;
    }
    return NULL;
}

/* A partition whose reading failed (offset out of range) is no longer fetched and cannot be moved:
 * everything is assigned again where it stands. */
static rd_kafka_resp_err_t assign_again(struct leat_group *g)
{
    LEAT_AUTO(leat_kafka_list_freep)
    rd_kafka_topic_partition_list_t *all = leat_kafka_list(NULL, 0);
    for (size_t i = 0; i < g->lane_count; i++) {
        rd_kafka_topic_partition_list_add(all, g->lanes[i].topic, g->lanes[i].partition)->offset =
            atomic_load(&g->lanes[i].next);
    }
    return rd_kafka_assign(g->rk, all);
}

static leat_status seek_locked(struct leat_group *g, const struct leat_position *at,
                               struct leat_error *err)
{
    struct leat_lane_queue *l = find_lane(g, at);
    if (!g->assigned || l == NULL) {
        return leat_fail(err, LEAT_FENCED, "could not seek %s[%d]: it is not read here", at->topic,
                         at->partition);
    }
    LEAT_AUTO(leat_kafka_list_freep) rd_kafka_topic_partition_list_t *list = leat_kafka_list(at, 1);
    rd_kafka_error_t *error = rd_kafka_seek_partitions(g->rk, list, SEEK_TIMEOUT_MS);
    rd_kafka_resp_err_t e = error == NULL ? list->elems[0].err : rd_kafka_error_code(error);
    if (error != NULL)
        rd_kafka_error_destroy(error);
    atomic_store(&l->next, at->offset);
    atomic_store(&l->empty_since, 0);
    if (e == RD_KAFKA_RESP_ERR__STATE)
        e = assign_again(g);
    if (e != 0) {
        return leat_fail(err, LEAT_RETRY, "could not seek %s[%d] to %lld: %s", at->topic,
                         at->partition, (long long)at->offset, rd_kafka_err2str(e));
    }
    return LEAT_OK;
}

leat_status leat_group_seek(struct leat_group *g, const struct leat_position *at,
                            struct leat_error *err)
{
    pthread_rwlock_wrlock(&g->lock);
    leat_status status = seek_locked(g, at, err);
    pthread_rwlock_unlock(&g->lock);
    return status;
}

void leat_group_resume(struct leat_group *g, const struct leat_position *at)
{
    LEAT_AUTO(leat_kafka_list_freep) rd_kafka_topic_partition_list_t *list = leat_kafka_list(at, 1);
    pthread_rwlock_rdlock(&g->lock);
    (void)rd_kafka_resume_partitions(g->rk, list); /* what is not assigned is not paused */
    pthread_rwlock_unlock(&g->lock);
}

/* ---- taking ---- */

static void fail_lane(struct leat_group *g, struct leat_lane_queue *l, const rd_kafka_message_t *m)
{
    pthread_mutex_lock(&l->error_lock);
    (void)snprintf(l->error, sizeof l->error, "%s", rd_kafka_message_errstr(m));
    pthread_mutex_unlock(&l->error_lock);
    atomic_store(&l->failed, true);
    atomic_store(&g->attention, true);
    leat_group_wake(g);
}

/* librdkafka looks again at a partition whose queue was full only when something else makes its
 * broker thread turn, at the latest after a second. When a lane runs empty and the high watermark
 * of the last answer says that there is more, the group's thread seeks it to where it stands, once:
 * nothing is dropped, since nothing is queued, and the broker thread turns. */
static void note_empty(struct leat_group *g, struct leat_lane_queue *l)
{
    if (atomic_load(&l->empty_since) != 0 || atomic_load(&l->nudged_at) == atomic_load(&l->next))
        return;
    int64_t low = 0, high = 0;
    if (rd_kafka_get_watermark_offsets(g->rk, l->topic, l->partition, &low, &high) != 0 ||
        high <= atomic_load(&l->next))
        return;
    atomic_store(&l->empty_since, leat_mono_us());
    atomic_store(&g->attention, true);
    leat_group_wake(g);
}

static size_t take_some(struct leat_group *g, struct leat_lane_queue *l, struct leat_record *ret,
                        size_t max, bool *ret_empty)
{
    rd_kafka_message_t *messages[TAKE_MAX];
    size_t want = max < TAKE_MAX ? max : TAKE_MAX;
    ssize_t got = rd_kafka_consume_batch_queue(l->q, 0, messages, want);
    int64_t next = atomic_load(&l->next);
    size_t n = 0;
    for (ssize_t i = 0; i < got; i++) {
        rd_kafka_message_t *m = messages[i];
        if (m->err == 0 && m->offset >= next) {
            next = m->offset + 1;
            leat_record_from(&ret[n++], l->topic, m);
            continue;
        }
        if (m->err != 0)
            fail_lane(g, l, m);
        rd_kafka_message_destroy(m);
    }
    atomic_store(&l->next, next);
    *ret_empty = got < (ssize_t)want;
    return n;
}

size_t leat_group_take(struct leat_group *g, size_t lane, struct leat_record *ret, size_t max)
{
    size_t n = 0;
    bool empty = false;
    pthread_rwlock_rdlock(&g->lock);
    if (lane < g->lane_count) {
        struct leat_lane_queue *l = &g->lanes[lane];
        while (n < max && !empty)
            n += take_some(g, l, ret + n, max - n, &empty);
        if (n > 0)
            atomic_store(&l->empty_since, 0);
        if (empty)
            note_empty(g, l);
    }
    pthread_rwlock_unlock(&g->lock);
    return n;
}

int64_t leat_group_high(struct leat_group *g, size_t lane)
{
    int64_t low = 0, high = -1;
    pthread_rwlock_rdlock(&g->lock);
    if (lane < g->lane_count &&
        rd_kafka_get_watermark_offsets(g->rk, g->lanes[lane].topic, g->lanes[lane].partition, &low,
                                       &high) != 0)
        high = -1;
    pthread_rwlock_unlock(&g->lock);
    return high < 0 ? -1 : high;
}

/* ---- the group's thread looks after lanes ---- */

struct failure {
    const char *topic;
    int32_t partition;
    char text[256];
};

/* Told without the lock: the receiver may seek or read anew. */
static bool next_failure(struct leat_group *g, struct failure *ret)
{
    bool found = false;
    pthread_rwlock_rdlock(&g->lock);
    for (size_t i = 0; i < g->lane_count && !found; i++) {
        struct leat_lane_queue *l = &g->lanes[i];
        if (!atomic_exchange(&l->failed, false))
            continue;
        pthread_mutex_lock(&l->error_lock);
        memcpy(ret->text, l->error, sizeof ret->text);
        pthread_mutex_unlock(&l->error_lock);
        ret->topic = l->topic;
        ret->partition = l->partition;
        found = true;
    }
    pthread_rwlock_unlock(&g->lock);
    return found;
}

static void nudge(struct leat_group *g, struct leat_lane_queue *l)
{
    struct leat_position at = {l->topic, l->partition, atomic_load(&l->next)};
    LEAT_AUTO(leat_kafka_list_freep)
    rd_kafka_topic_partition_list_t *list = leat_kafka_list(&at, 1);
    atomic_store(&l->nudged_at, at.offset);
    atomic_store(&l->empty_since, 0);
    rd_kafka_error_t *error = rd_kafka_seek_partitions(g->rk, list, 0);
    if (error != NULL)
        rd_kafka_error_destroy(error);
    atomic_fetch_add(&g->nudges, 1);
}

static bool nudge_starving(struct leat_group *g)
{
    bool waiting = false;
    int64_t now_us = leat_mono_us();
    pthread_rwlock_rdlock(&g->lock);
    for (size_t i = 0; i < g->lane_count; i++) {
        int64_t since = atomic_load(&g->lanes[i].empty_since);
        if (since == 0)
            continue;
        if (now_us - since >= STARVE_US) {
            nudge(g, &g->lanes[i]);
        } else {
            waiting = true;
        }
    }
    pthread_rwlock_unlock(&g->lock);
    return waiting;
}

bool leat_group_attend(struct leat_group *g)
{
    if (!atomic_exchange(&g->attention, false))
        return false;
    struct failure f;
    while (next_failure(g, &f)) {
        if (g->events.partition_error != NULL)
            g->events.partition_error(g->events.arg, f.topic, f.partition, f.text);
    }
    bool waiting = nudge_starving(g);
    if (waiting)
        atomic_store(&g->attention, true);
    return waiting;
}
