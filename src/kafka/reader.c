#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"

#define QUEUED_KB_DEFAULT 8192
#define TAKE_MAX          512
#define WAIT_SLICE_MS     5

struct reader_partition {
    const char *topic;
    int32_t partition;
    int64_t next;
};

struct leat_reader {
    rd_kafka_t *rk;
    rd_kafka_queue_t *q;
    struct leat_kafka_names *names;
    struct reader_partition *at;
    size_t n;
    bool nudged; /* once per time everything runs empty */
    bool failed; /* `error` waits to be returned, after the records that came before it */
    int32_t bad_partition;
    char error[256];
};

static leat_status make_handle(struct leat_reader *r, const struct leat_kafka_config *c,
                               int32_t queued_kbytes, struct leat_error *err)
{
    char queued[16];
    (void)snprintf(queued, sizeof queued, "%d",
                   queued_kbytes > 0 ? queued_kbytes : QUEUED_KB_DEFAULT);
    const struct leat_kafka_setting defaults[] = {
        {"fetch.wait.max.ms", "20"},
        {"fetch.min.bytes", "1"},
        {"fetch.message.max.bytes", "131072"},
        {"fetch.error.backoff.ms", "100"},
        {"queued.min.messages", "10000"},
        {"queued.max.messages.kbytes", queued},
        {NULL, NULL},
    };
    const struct leat_kafka_setting owned[] = {
        /* librdkafka wants a group to assign partitions; it is never joined. */
        {"group.id", c->client_id == NULL ? "leat-reader" : c->client_id},
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        {"enable.partition.eof", "false"},
        {NULL, NULL},
    };
    LEAT_AUTO(leat_kafka_conf_freep) rd_kafka_conf_t *conf = NULL;
    LEAT_TRY(leat_kafka_conf(c, defaults, owned, r, &conf, err), err, "reader");
    return leat_kafka_handle(RD_KAFKA_CONSUMER, &conf, &r->rk, err);
}

leat_status leat_reader_new(const struct leat_kafka_config *c, const struct leat_position *at,
                            size_t n, int32_t queued_kbytes, struct leat_reader **ret,
                            struct leat_error *err)
{
    struct leat_reader *r = calloc(1, sizeof *r);
    leat_assert(r != NULL);
    r->names = leat_kafka_names_new();
    r->at = calloc(n + 1, sizeof *r->at);
    leat_assert(r->at != NULL);
    r->n = n;
    r->bad_partition = -1;
    for (size_t i = 0; i < n; i++) {
        r->at[i] = (struct reader_partition){leat_kafka_names_get(r->names, at[i].topic),
                                             at[i].partition, at[i].offset};
    }
    leat_status status = make_handle(r, c, queued_kbytes, err);
    if (status != LEAT_OK) {
        leat_reader_free(r);
        return status;
    }
    rd_kafka_poll_set_consumer(r->rk);
    r->q = rd_kafka_queue_get_consumer(r->rk);
    LEAT_AUTO(leat_kafka_list_freep) rd_kafka_topic_partition_list_t *list = leat_kafka_list(at, n);
    rd_kafka_resp_err_t e = rd_kafka_assign(r->rk, list);
    if (e != 0) {
        leat_reader_free(r);
        return leat_fail(err, LEAT_RETRY, "could not read %zu partitions: %s", n,
                         rd_kafka_err2str(e));
    }
    *ret = r;
    return LEAT_OK;
}

static struct reader_partition *find(struct leat_reader *r, const char *topic, int32_t partition)
{
    for (size_t i = 0; i < r->n; i++) {
        if (r->at[i].partition == partition && strcmp(r->at[i].topic, topic) == 0)
            return &r->at[i];
    }
    return NULL;
}

static void keep_error(struct leat_reader *r, const rd_kafka_message_t *m)
{
    bool of_client = m->rkt == NULL || m->partition < 0;
    if (of_client) { /* librdkafka goes on trying */
        leat_log_limited_kv(LEAT_LOG_WARN, "kafka", "kafka-trouble",
                            LEAT_LOG_FIELDS(LEAT_LOG_CSTR("client", rd_kafka_name(r->rk))), "%s",
                            rd_kafka_message_errstr(m));
        return;
    }
    r->failed = true;
    r->bad_partition = m->partition;
    (void)snprintf(r->error, sizeof r->error, "could not read %s[%d]: %s",
                   rd_kafka_topic_name(m->rkt), m->partition, rd_kafka_message_errstr(m));
}

static size_t keep_records(struct leat_reader *r, rd_kafka_message_t **messages, size_t n,
                           struct leat_record *ret)
{
    size_t kept = 0;
    struct reader_partition *p = NULL;
    for (size_t i = 0; i < n; i++) {
        rd_kafka_message_t *m = messages[i];
        if (m->err == 0) {
            const char *topic = rd_kafka_topic_name(m->rkt);
            if (p == NULL || p->partition != m->partition || strcmp(p->topic, topic) != 0)
                p = find(r, topic, m->partition);
            if (p != NULL && m->offset >= p->next) {
                p->next = m->offset + 1;
                leat_record_from(&ret[kept++], p->topic, m);
                continue;
            }
        } else {
            keep_error(r, m);
        }
        rd_kafka_message_destroy(m);
    }
    return kept;
}

/* See group_lanes.c: wakes the thread that stopped fetching when the queue was full. */
static void nudge(struct leat_reader *r)
{
    LEAT_AUTO(leat_kafka_list_freep)
    rd_kafka_topic_partition_list_t *list = leat_kafka_list(NULL, 0);
    for (size_t i = 0; i < r->n; i++) {
        const struct reader_partition *p = &r->at[i];
        int64_t low = 0, high = 0;
        if (rd_kafka_get_watermark_offsets(r->rk, p->topic, p->partition, &low, &high) == 0 &&
            high > p->next)
            rd_kafka_topic_partition_list_add(list, p->topic, p->partition)->offset = p->next;
    }
    r->nudged = true;
    if (list->cnt == 0)
        return;
    rd_kafka_error_t *error = rd_kafka_seek_partitions(r->rk, list, 0);
    if (error != NULL)
        rd_kafka_error_destroy(error);
}

static size_t wait_first(struct leat_reader *r, int timeout_ms, struct leat_record *ret)
{
    int64_t until_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        int64_t left_ms = (until_us - leat_mono_us() + 999) / 1000;
        int wait_ms = left_ms < 0 ? 0 : (int)left_ms;
        if (!r->nudged && wait_ms > WAIT_SLICE_MS)
            wait_ms = WAIT_SLICE_MS;
        rd_kafka_message_t *m = NULL;
        size_t got = rd_kafka_consume_batch_queue(r->q, wait_ms, &m, 1) == 1 ? 1 : 0;
        if (got == 1 || r->failed)
            return keep_records(r, &m, got, ret);
        if (!r->nudged)
            nudge(r);
        if (leat_mono_us() >= until_us)
            return 0;
    }
}

leat_status leat_reader_take(struct leat_reader *r, int timeout_ms, struct leat_record *ret,
                             size_t max, size_t *ret_n, struct leat_error *err)
{
    size_t n = 0;
    if (!r->failed && max > 0)
        n = wait_first(r, timeout_ms, ret);
    while (n > 0 && n < max && !r->failed) {
        rd_kafka_message_t *messages[TAKE_MAX];
        size_t want = max - n < TAKE_MAX ? max - n : TAKE_MAX;
        ssize_t got = rd_kafka_consume_batch_queue(r->q, 0, messages, want);
        if (got <= 0)
            break;
        n += keep_records(r, messages, (size_t)got, ret + n);
    }
    if (n > 0)
        r->nudged = false;
    *ret_n = n;
    if (n == 0 && r->failed) {
        r->failed = false;
        return leat_fail(err, LEAT_RETRY, "%s", r->error);
    }
    return LEAT_OK;
}

int32_t leat_reader_bad_partition(const struct leat_reader *r)
{
    return r->bad_partition;
}

leat_status leat_reader_seek(struct leat_reader *r, const struct leat_position *at, int timeout_ms,
                             struct leat_error *err)
{
    struct reader_partition *p = find(r, at->topic, at->partition);
    if (p == NULL) {
        return leat_fail(err, LEAT_ABSENT, "could not seek %s[%d]: it is not read here", at->topic,
                         at->partition);
    }
    p->next = at->offset;
    LEAT_AUTO(leat_kafka_list_freep) rd_kafka_topic_partition_list_t *list = leat_kafka_list(at, 1);
    rd_kafka_error_t *error =
        rd_kafka_seek_partitions(r->rk, list, timeout_ms > 0 ? timeout_ms : 1);
    rd_kafka_resp_err_t e = error == NULL ? list->elems[0].err : rd_kafka_error_code(error);
    if (error != NULL)
        rd_kafka_error_destroy(error);
    if (e == RD_KAFKA_RESP_ERR__STATE) { /* its reading failed: assign all anew */
        LEAT_AUTO(leat_kafka_list_freep)
        rd_kafka_topic_partition_list_t *all = leat_kafka_list(NULL, 0);
        for (size_t i = 0; i < r->n; i++) {
            rd_kafka_topic_partition_list_add(all, r->at[i].topic, r->at[i].partition)->offset =
                r->at[i].next;
        }
        e = rd_kafka_assign(r->rk, all);
    }
    if (e != 0) {
        return leat_fail(err, LEAT_RETRY, "could not seek %s[%d] to %lld: %s", at->topic,
                         at->partition, (long long)at->offset, rd_kafka_err2str(e));
    }
    return LEAT_OK;
}

void leat_reader_free(struct leat_reader *r)
{
    if (r == NULL)
        return;
    if (r->q != NULL)
        rd_kafka_queue_destroy(r->q);
    if (r->rk != NULL)
        rd_kafka_destroy_flags(r->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    leat_kafka_names_free(r->names);
    free(r->at);
    free(r);
}
