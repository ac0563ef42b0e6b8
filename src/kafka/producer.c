#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/record_headers.h"
#include "kafka/internal.h"

#define TOPICS_MAX     1024
#define FLUSH_SLICE_MS 10

struct leat_producer {
    rd_kafka_t *rk;
    rd_kafka_queue_t *main_queue;
    leat_delivered delivered;
    void *arg;
    pthread_mutex_t topics_lock; /* executors send at once: an offer comes from each of them */
    rd_kafka_topic_t **topics;   /* handles made so far */
    size_t topic_count;
    int served; /* deliveries told in the running poll */
    char fatal[LEAT_KAFKA_ERRSTR];
};

static void delivery_cb(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    struct leat_producer *p = opaque;
    p->served++;
    if (m->err == 0) {
        p->delivered(p->arg, m->_private, LEAT_OK, m->partition, m->offset, NULL);
        return;
    }
    leat_status status = leat_kafka_status(m->err) == LEAT_INVALID ? LEAT_INVALID : LEAT_RETRY;
    p->delivered(p->arg, m->_private, status, m->partition, -1, rd_kafka_err2str(m->err));
}

leat_status leat_producer_new(const struct leat_kafka_config *c, leat_delivered delivered,
                              void *arg, struct leat_producer **ret, struct leat_error *err)
{
    static const struct leat_kafka_setting defaults[] = {
        {"linger.ms", "1"},
        {"compression.type", "lz4"},
        {"queue.buffering.max.messages", "200000"},
        {"queue.buffering.max.kbytes", "65536"},
        {"message.max.bytes", "2097152"}, /* the topic's own limit decides */
        {"message.timeout.ms", "30000"},
        {NULL, NULL},
    };
    static const struct leat_kafka_setting owned[] = {
        {"enable.idempotence", "true"},
        {"acks", "all"},
        {NULL, NULL},
    };
    struct leat_producer *p = calloc(1, sizeof *p);
    leat_assert(p != NULL);
    p->delivered = delivered;
    p->arg = arg;
    (void)pthread_mutex_init(&p->topics_lock, NULL);
    LEAT_AUTO(leat_kafka_conf_freep) rd_kafka_conf_t *conf = NULL;
    leat_status status = leat_kafka_conf(c, defaults, owned, p, &conf, err);
    if (status == LEAT_OK) {
        rd_kafka_conf_set_dr_msg_cb(conf, delivery_cb);
        status = leat_kafka_handle(RD_KAFKA_PRODUCER, &conf, &p->rk, err);
    }
    if (status != LEAT_OK) {
        leat_producer_free(p, 0);
        leat_error_wrap(err, "producer");
        return status;
    }
    p->main_queue = rd_kafka_queue_get_main(p->rk);
    *ret = p;
    return LEAT_OK;
}

void leat_producer_wake_fd(struct leat_producer *p, int fd)
{
    static const uint64_t one = 1;
    rd_kafka_queue_io_event_enable(p->main_queue, fd, fd < 0 ? NULL : &one, sizeof one);
}

static rd_kafka_topic_t *find_topic(struct leat_producer *p, const char *name)
{
    for (size_t i = 0; i < p->topic_count; i++) {
        if (strcmp(rd_kafka_topic_name(p->topics[i]), name) != 0)
            continue;
        rd_kafka_topic_t *found = p->topics[i];
        p->topics[i] = p->topics[0]; /* the busiest one stays in front */
        p->topics[0] = found;
        return found;
    }
    if (p->topic_count == TOPICS_MAX)
        return NULL;
    rd_kafka_topic_t *t = rd_kafka_topic_new(p->rk, name, NULL);
    if (t == NULL)
        return NULL;
    rd_kafka_topic_t **grown =
        realloc(p->topics, (p->topic_count + 1) * sizeof(rd_kafka_topic_t *));
    leat_assert(grown != NULL);
    p->topics = grown;
    p->topics[p->topic_count++] = t;
    return t;
}

/* Handles stay until the producer is freed, so only the list needs the lock. */
static rd_kafka_topic_t *topic_handle(struct leat_producer *p, const char *name)
{
    (void)pthread_mutex_lock(&p->topics_lock);
    rd_kafka_topic_t *topic = find_topic(p, name);
    (void)pthread_mutex_unlock(&p->topics_lock);
    return topic;
}

static rd_kafka_headers_t *unpack(struct leat_str packed)
{
    if (packed.len == 0)
        return NULL;
    rd_kafka_headers_t *h = rd_kafka_headers_new(8);
    struct leat_headers_iter it = {packed};
    struct leat_str name, value;
    bool null = false;
    while (leat_headers_next(&it, &name, &value, &null)) {
        const void *at = null ? NULL : (value.at == NULL ? "" : value.at);
        rd_kafka_header_add(h, name.at, (ssize_t)name.len, at, (ssize_t)value.len);
    }
    return h;
}

static rd_kafka_resp_err_t produce(struct leat_producer *p, rd_kafka_topic_t *topic,
                                   const struct leat_outgoing *o)
{
    rd_kafka_headers_t *headers = unpack(o->headers);
    const void *key = o->key_null ? NULL : (o->key.at == NULL ? "" : o->key.at);
    const void *value = o->value_null ? NULL : (o->value.at == NULL ? "" : o->value.at);
    rd_kafka_resp_err_t e;
    if (headers != NULL) {
        e = rd_kafka_producev(p->rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(o->partition),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_VTYPE_KEY, key,
                              (size_t)o->key.len, RD_KAFKA_VTYPE_VALUE, value, (size_t)o->value.len,
                              RD_KAFKA_V_TIMESTAMP(o->timestamp_ms), RD_KAFKA_V_HEADERS(headers),
                              RD_KAFKA_V_OPAQUE(o->opaque), RD_KAFKA_V_END);
    } else {
        e = rd_kafka_producev(p->rk, RD_KAFKA_V_RKT(topic), RD_KAFKA_V_PARTITION(o->partition),
                              RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_VTYPE_KEY, key,
                              (size_t)o->key.len, RD_KAFKA_VTYPE_VALUE, value, (size_t)o->value.len,
                              RD_KAFKA_V_TIMESTAMP(o->timestamp_ms), RD_KAFKA_V_OPAQUE(o->opaque),
                              RD_KAFKA_V_END);
    }
    if (e != 0 && headers != NULL)
        rd_kafka_headers_destroy(headers); /* ours again when it failed */
    return e;
}

static leat_status send_one(struct leat_producer *p, const struct leat_outgoing *o,
                            struct leat_error *err)
{
    rd_kafka_topic_t *topic = topic_handle(p, o->topic);
    if (topic == NULL) {
        return leat_fail(err, LEAT_INVALID,
                         "could not send to topic '%s': too many topics or a bad name", o->topic);
    }
    rd_kafka_resp_err_t e = produce(p, topic, o);
    if (e == 0)
        return LEAT_OK;
    leat_status status = leat_kafka_status(e);
    if (status == LEAT_ABSENT) /* the topic may be made any moment: stall, do not drop */
        status = LEAT_RETRY;
    return leat_fail(err, status, "could not send to %s[%d]: %s", o->topic, o->partition,
                     rd_kafka_err2str(e));
}

leat_status leat_producer_send(struct leat_producer *p, const struct leat_outgoing *records,
                               size_t n, size_t *ret_sent, struct leat_error *err)
{
    size_t i = 0;
    leat_status status = LEAT_OK;
    while (i < n && (status = send_one(p, &records[i], err)) == LEAT_OK)
        i++;
    *ret_sent = i;
    return status;
}

int leat_producer_poll(struct leat_producer *p, int timeout_ms)
{
    p->served = 0;
    rd_kafka_poll(p->rk, timeout_ms);
    return p->served;
}

size_t leat_producer_pending(const struct leat_producer *p)
{
    int n = rd_kafka_outq_len(p->rk);
    return n < 0 ? 0 : (size_t)n;
}

const char *leat_producer_fatal(struct leat_producer *p)
{
    if (rd_kafka_fatal_error(p->rk, p->fatal, sizeof p->fatal) == 0)
        return NULL;
    return p->fatal;
}

void leat_producer_free(struct leat_producer *p, int timeout_ms)
{
    if (p == NULL)
        return;
    if (p->rk != NULL) {
        /* Not rd_kafka_flush(): that answers in steps of its own. */
        int64_t until_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
        while (leat_producer_pending(p) > 0 && leat_mono_us() < until_us)
            leat_producer_poll(p, FLUSH_SLICE_MS);
        rd_kafka_purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        leat_producer_poll(p, 0);
        for (size_t i = 0; i < p->topic_count; i++)
            rd_kafka_topic_destroy(p->topics[i]);
        if (p->main_queue != NULL) {
            leat_producer_wake_fd(p, -1);
            rd_kafka_queue_destroy(p->main_queue);
        }
        rd_kafka_destroy(p->rk);
    }
    free(p->topics);
    (void)pthread_mutex_destroy(&p->topics_lock);
    free(p);
}
