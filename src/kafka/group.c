#include "kafka/group.h"

#include <stdlib.h>
#include <string.h>

#define SESSION_MS_DEFAULT 6000
/* A member hears of a rebalance in the answer to its heartbeat, and all lanes of the group wait for
 * the last one to hear: this, not the session, is how long a planned change takes. */
#define HEARTBEAT_MS_MAX 200
/* librdkafka sends a heartbeat that is due only when its main thread turns, which at rest it does
 * twice a second: it is made to. */
#define TURN_US           (50 * 1000)
#define QUEUED_KB_ALL     16384 /* default for all lanes of one priority together */
#define QUEUED_KB_MIN     256
#define QUEUED_KB_MAX     1024
#define POLL_SLICE_MS     5 /* while a lane waits for a nudge */
#define COMMIT_QUEUE_POLL 20

static void rebalance_cb(rd_kafka_t *rk, rd_kafka_resp_err_t e,
                         rd_kafka_topic_partition_list_t *partitions, void *opaque);

/* ---- making ---- */

struct group_numbers {
    char session[16], heartbeat[16], queued[16];
};

static void numbers(const struct leat_group_config *c, struct group_numbers *ret)
{
    int session = c->session_timeout_ms > 0 ? c->session_timeout_ms : SESSION_MS_DEFAULT;
    int heartbeat = session / 3 > HEARTBEAT_MS_MAX ? HEARTBEAT_MS_MAX : session / 3;
    int queued = c->queued_kbytes;
    if (queued <= 0) {
        queued = QUEUED_KB_ALL / (c->partitions > 0 ? c->partitions : 1);
        queued = queued < QUEUED_KB_MIN ? QUEUED_KB_MIN : queued;
        queued = queued > QUEUED_KB_MAX ? QUEUED_KB_MAX : queued;
    }
    (void)snprintf(ret->session, sizeof ret->session, "%d", session);
    (void)snprintf(ret->heartbeat, sizeof ret->heartbeat, "%d", heartbeat > 0 ? heartbeat : 1);
    (void)snprintf(ret->queued, sizeof ret->queued, "%d", queued);
}

static leat_status make_conf(struct leat_group *g, const struct leat_group_config *c,
                             rd_kafka_conf_t **ret, struct leat_error *err)
{
    struct group_numbers n;
    numbers(c, &n);
    const struct leat_kafka_setting defaults[] = {
        {"fetch.wait.max.ms", "20"},
        {"fetch.min.bytes", "1"},
        {"fetch.message.max.bytes", "131072"},
        {"fetch.error.backoff.ms", "100"},
        {"queued.min.messages", "4000"},
        {"queued.max.messages.kbytes", n.queued},
        {"max.poll.interval.ms", "600000"},
        {"heartbeat.interval.ms", n.heartbeat},
        {NULL, NULL},
    };
    const struct leat_kafka_setting owned[] = {
        {"group.id", c->group},
        {"session.timeout.ms", n.session},
        {"partition.assignment.strategy", "range"},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        {"enable.partition.eof", "false"},
        {c->instance_id == NULL ? NULL : "group.instance.id", c->instance_id},
        {NULL, NULL},
    };
    return leat_kafka_conf(&c->kafka, defaults, owned, g, ret, err);
}

static leat_status subscribe(struct leat_group *g, struct leat_error *err)
{
    struct leat_position anchor = {g->anchor, RD_KAFKA_PARTITION_UA, 0};
    LEAT_AUTO(leat_kafka_list_freep)
    rd_kafka_topic_partition_list_t *topics = leat_kafka_list(&anchor, 1);
    rd_kafka_resp_err_t e = rd_kafka_subscribe(g->rk, topics);
    if (e != 0) {
        return leat_fail(err, LEAT_FATAL, "could not subscribe to '%s': %s", g->anchor,
                         rd_kafka_err2str(e));
    }
    return LEAT_OK;
}

leat_status leat_group_new(const struct leat_group_config *c,
                           const struct leat_group_events *events, struct leat_group **ret,
                           struct leat_error *err)
{
    struct leat_group *g = calloc(1, sizeof *g);
    leat_assert(g != NULL);
    g->events = *events;
    g->names = leat_kafka_names_new();
    pthread_rwlock_init(&g->lock, NULL);

    LEAT_AUTO(leat_kafka_conf_freep) rd_kafka_conf_t *conf = NULL;
    leat_status status = make_conf(g, c, &conf, err);
    if (status == LEAT_OK) {
        rd_kafka_conf_set_rebalance_cb(conf, rebalance_cb);
        status = leat_kafka_handle(RD_KAFKA_CONSUMER, &conf, &g->rk, err);
    }
    if (status != LEAT_OK) {
        leat_group_free(g, false, 0);
        leat_error_wrap(err, "group '%s'", c->group);
        return status;
    }
    rd_kafka_poll_set_consumer(g->rk);
    g->main_queue = rd_kafka_queue_get_consumer(g->rk);

    g->anchor = leat_kafka_names_get(g->names, c->anchor);
    status = subscribe(g, err);
    if (status != LEAT_OK) {
        leat_group_free(g, false, 0);
        leat_error_wrap(err, "group '%s'", c->group);
        return status;
    }
    *ret = g;
    return LEAT_OK;
}

/* ---- rebalance: inside rd_kafka_consumer_poll, on the group's thread ---- */

static void take_assignment(struct leat_group *g, const rd_kafka_topic_partition_list_t *partitions)
{
    size_t n = (size_t)partitions->cnt;
    int32_t *ks = calloc(n + 1, sizeof *ks);
    leat_assert(ks != NULL);
    for (size_t i = 0; i < n; i++)
        ks[i] = partitions->elems[i].partition;
    pthread_rwlock_wrlock(&g->lock);
    free(g->ks);
    g->ks = ks;
    g->k_count = n;
    g->assigned = true;
    pthread_rwlock_unlock(&g->lock);
}

static void assign_nothing(rd_kafka_t *rk, bool keep)
{
    LEAT_AUTO(leat_kafka_list_freep)
    rd_kafka_topic_partition_list_t *none = leat_kafka_list(NULL, 0);
    rd_kafka_resp_err_t e = rd_kafka_assign(rk, keep ? none : NULL);
    if (e != 0) {
        leat_log(LEAT_LOG_ERROR, "kafka", "assign-failed", "could not %s partitions: %s",
                 keep ? "accept" : "give back", rd_kafka_err2str(e));
    }
}

static void give_back(struct leat_group *g)
{
    bool lost = rd_kafka_assignment_lost(g->rk) != 0;
    pthread_rwlock_wrlock(&g->lock);
    bool had = g->assigned;
    g->assigned = false; /* from here on neither commit nor read */
    pthread_rwlock_unlock(&g->lock);
    if (had && g->events.revoked != NULL)
        g->events.revoked(g->events.arg, g->ks, g->k_count, lost);
    leat_group_drop_lanes(g);
}

static void rebalance_cb(rd_kafka_t *rk, rd_kafka_resp_err_t e,
                         rd_kafka_topic_partition_list_t *partitions, void *opaque)
{
    struct leat_group *g = opaque;
    if (e == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && g->closing) {
        /* Accepted all the same: librdkafka puts an unsubscribe amid a rebalance off until its end,
         * which an un-assign would not be, and the member would stay until its session is over. */
        assign_nothing(rk, true);
    } else if (e == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
        take_assignment(g, partitions);
        assign_nothing(rk, true); /* member with nothing to read: leat_group_read says what */
        if (g->events.assigned != NULL)
            g->events.assigned(g->events.arg, g->ks, g->k_count);
    } else {
        give_back(g);
        assign_nothing(rk, false);
    }
    g->rebalanced = true;
    rd_kafka_yield(rk); /* leat_group_poll returns; last, for any waiting call would undo it */
}

/* ---- polling ---- */

static leat_status fatal(struct leat_group *g, struct leat_error *err)
{
    char text[LEAT_KAFKA_ERRSTR] = "";
    rd_kafka_resp_err_t e = rd_kafka_fatal_error(g->rk, text, sizeof text);
    if (e == 0)
        return LEAT_OK;
    leat_status status = leat_fail(err, LEAT_FATAL, "Kafka group member stopped: %s",
                                   text[0] ? text : "fatal error");
    if (e == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
        g->replaced = true;
        leat_error_hint(err,
                        "another process runs with the same group.instance.id; give each its own");
    }
    return status;
}

bool leat_group_replaced(const struct leat_group *g)
{
    return g->replaced;
}

static leat_status serve_message(struct leat_group *g, rd_kafka_message_t *m,
                                 struct leat_error *err)
{
    leat_status status = LEAT_OK;
    if (m->err == 0) {
        /* Every partition queue is un-forwarded before it is assigned: this must not happen, and a
         * record dropped here would be a hole. */
        if (g->events.partition_error != NULL && m->rkt != NULL) {
            g->events.partition_error(g->events.arg, rd_kafka_topic_name(m->rkt), m->partition,
                                      "a record arrived outside its queue");
        }
    } else if (m->rkt != NULL && m->partition >= 0 && g->events.partition_error != NULL) {
        g->events.partition_error(g->events.arg, rd_kafka_topic_name(m->rkt), m->partition,
                                  rd_kafka_message_errstr(m));
    } else if (m->err == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED) {
        leat_log(LEAT_LOG_ERROR, "kafka", "group-not-polled", "%s", rd_kafka_message_errstr(m));
    } else if (m->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        status = leat_fail(err, LEAT_ABSENT, "could not join: %s", rd_kafka_message_errstr(m));
    } else {
        status = leat_fail(err, LEAT_RETRY, "Kafka: %s", rd_kafka_message_errstr(m));
    }
    rd_kafka_message_destroy(m);
    return status;
}

/* To ask for the member's id is to have the main thread turn. */
static void turn(struct leat_group *g)
{
    int64_t now_us = leat_mono_us();
    if (now_us - g->turned_us < TURN_US)
        return;
    g->turned_us = now_us;
    char *id = rd_kafka_memberid(g->rk);
    if (id != NULL)
        rd_kafka_mem_free(g->rk, id);
}

leat_status leat_group_poll(struct leat_group *g, int timeout_ms, struct leat_error *err)
{
    int64_t until_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
    g->rebalanced = false;
    for (;;) {
        turn(g);
        bool waiting = leat_group_attend(g);
        int64_t left_ms = (until_us - leat_mono_us() + 999) / 1000;
        int wait_ms = left_ms < 0 ? 0 : (int)left_ms;
        if (wait_ms > TURN_US / 1000)
            wait_ms = TURN_US / 1000;
        if (waiting && wait_ms > POLL_SLICE_MS)
            wait_ms = POLL_SLICE_MS;
        rd_kafka_message_t *m = rd_kafka_consumer_poll(g->rk, wait_ms);
        if (m != NULL) {
            leat_status status = serve_message(g, m, err);
            if (status != LEAT_OK && fatal(g, err) != LEAT_FATAL)
                return status;
        }
        leat_status status = fatal(g, err);
        if (status != LEAT_OK || g->rebalanced || leat_mono_us() >= until_us)
            return status;
    }
}

void leat_group_wake(struct leat_group *g)
{
    if (g->main_queue != NULL)
        rd_kafka_queue_yield(g->main_queue);
}

/* ---- commits ---- */

leat_status leat_group_commit(struct leat_group *g, const struct leat_position *at, size_t n,
                              int timeout_ms, struct leat_error *err)
{
    pthread_rwlock_rdlock(&g->lock);
    bool assigned = g->assigned;
    pthread_rwlock_unlock(&g->lock);
    if (!assigned)
        return leat_fail(err, LEAT_FENCED, "could not commit offsets: no partition is assigned");

    LEAT_AUTO(leat_kafka_list_freep) rd_kafka_topic_partition_list_t *list = leat_kafka_list(at, n);
    LEAT_AUTO(leat_kafka_queue_freep) rd_kafka_queue_t *q = rd_kafka_queue_new(g->rk);
    rd_kafka_resp_err_t e = rd_kafka_commit_queue(g->rk, list, q, NULL, NULL);
    if (e != 0) {
        return leat_fail(err, leat_kafka_status(e), "could not commit offsets: %s",
                         rd_kafka_err2str(e));
    }
    LEAT_AUTO(leat_kafka_event_freep) rd_kafka_event_t *ev = rd_kafka_queue_poll(q, timeout_ms);
    if (ev == NULL) {
        return leat_fail(err, LEAT_RETRY, "could not commit offsets: no answer within %d ms",
                         timeout_ms);
    }
    e = rd_kafka_event_error(ev);
    const rd_kafka_topic_partition_list_t *done = rd_kafka_event_topic_partition_list(ev);
    for (int i = 0; e == 0 && done != NULL && i < done->cnt; i++)
        e = done->elems[i].err;
    if (e != 0) {
        return leat_fail(err, leat_kafka_status(e), "could not commit offsets: %s",
                         rd_kafka_err2str(e));
    }
    return LEAT_OK;
}

void leat_group_commit_async(struct leat_group *g, const struct leat_position *at, size_t n)
{
    LEAT_AUTO(leat_kafka_list_freep) rd_kafka_topic_partition_list_t *list = leat_kafka_list(at, n);
    (void)rd_kafka_commit(g->rk, list, 1);
}

/* ---- leaving ---- */

/* Serves what comes on `q` until `done` or the time is over: rebalance callbacks run in here. */
static void serve_until(rd_kafka_t *rk, rd_kafka_queue_t *q, int (*done)(rd_kafka_t *),
                        int64_t until_us)
{
    while (!done(rk) && leat_mono_us() < until_us) {
        rd_kafka_message_t *m = NULL;
        if (rd_kafka_consume_batch_queue(q, COMMIT_QUEUE_POLL, &m, 1) == 1)
            rd_kafka_message_destroy(m);
    }
}

static int has_left(rd_kafka_t *rk)
{
    char *id = rd_kafka_memberid(rk); /* emptied when LeaveGroup is sent */
    int left = id == NULL || id[0] == '\0';
    if (id != NULL)
        rd_kafka_mem_free(rk, id);
    return left;
}

static void close_member(struct leat_group *g, bool leave, int timeout_ms)
{
    int64_t until_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
    g->closing = true;
    if (leave) { /* librdkafka's close does not send LeaveGroup for static members; this does */
        (void)rd_kafka_unsubscribe(g->rk);
        serve_until(g->rk, g->main_queue, has_left, until_us);
    }
    if (g->assigned) {
        give_back(g);
        assign_nothing(g->rk, false);
    }
    rd_kafka_queue_t *q = rd_kafka_queue_new(g->rk);
    rd_kafka_error_t *error = rd_kafka_consumer_close_queue(g->rk, q);
    if (error != NULL) {
        rd_kafka_error_destroy(error);
    } else {
        serve_until(g->rk, q, rd_kafka_consumer_closed, until_us);
    }
    rd_kafka_queue_destroy(q);
}

void leat_group_free(struct leat_group *g, bool leave, int timeout_ms)
{
    if (g == NULL)
        return;
    if (g->rk != NULL) {
        close_member(g, leave, timeout_ms);
        if (g->main_queue != NULL)
            rd_kafka_queue_destroy(g->main_queue);
        rd_kafka_destroy_flags(g->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    }
    pthread_rwlock_destroy(&g->lock);
    leat_kafka_names_free(g->names);
    free(g->ks);
    free(g);
}
