#include <stdlib.h>
#include <string.h>

#include "base/record_headers.h"
#include "kafka/internal.h"

#define HEADERS_BYTES_MAX (1u << 20)
#define METADATA_POLL_MS  50

/* One consumer handle serves admin requests, watermarks and single reads. */
struct leat_admin {
    rd_kafka_t *rk;
};

leat_status leat_admin_new(const struct leat_kafka_config *c, struct leat_admin **ret,
                           struct leat_error *err)
{
    static const struct leat_kafka_setting defaults[] = {
        {"fetch.wait.max.ms", "20"},
        {"fetch.message.max.bytes", "65536"},
        {"queued.max.messages.kbytes", "128"},
        {"queued.min.messages", "1"},
        {NULL, NULL},
    };
    const struct leat_kafka_setting owned[] = {
        {"group.id", c->client_id == NULL ? "leat-admin" : c->client_id}, /* never joined */
        {"enable.auto.commit", "false"},
        {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},
        {"enable.partition.eof", "true"},
        {"allow.auto.create.topics", "false"},
        {NULL, NULL},
    };
    struct leat_admin *a = calloc(1, sizeof *a);
    leat_assert(a != NULL);
    LEAT_AUTO(leat_kafka_conf_freep) rd_kafka_conf_t *conf = NULL;
    leat_status status = leat_kafka_conf(c, defaults, owned, a, &conf, err);
    if (status == LEAT_OK)
        status = leat_kafka_handle(RD_KAFKA_CONSUMER, &conf, &a->rk, err);
    if (status != LEAT_OK) {
        leat_admin_free(a);
        return status;
    }
    rd_kafka_poll_set_consumer(a->rk);
    *ret = a;
    return LEAT_OK;
}

void leat_admin_free(struct leat_admin *a)
{
    if (a == NULL)
        return;
    if (a->rk != NULL)
        rd_kafka_destroy_flags(a->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(a);
}

rd_kafka_t *leat_admin_handle(struct leat_admin *a)
{
    return a->rk;
}

/* ---- partitions of a topic ---- */

leat_status leat_kafka_topic(rd_kafka_t *rk, const char *topic, int timeout_ms,
                             const struct rd_kafka_metadata **ret, struct leat_error *err)
{
    rd_kafka_topic_t *t = rd_kafka_topic_new(rk, topic, NULL);
    if (t == NULL) {
        return leat_fail(err, LEAT_INVALID, "could not ask for topic '%s': %s", topic,
                         rd_kafka_err2str(rd_kafka_last_error()));
    }
    LEAT_AUTO(leat_kafka_metadata_freep) const struct rd_kafka_metadata *m = NULL;
    rd_kafka_resp_err_t e = rd_kafka_metadata(rk, 0, t, &m, timeout_ms);
    rd_kafka_topic_destroy(t);
    if (e == 0)
        e = m->topic_cnt == 1 ? m->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN;
    if (e == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
        return leat_fail(err, LEAT_ABSENT, "topic '%s' does not exist", topic);
    if (e != 0) {
        return leat_fail(err, LEAT_RETRY, "could not ask for topic '%s': %s", topic,
                         rd_kafka_err2str(e));
    }
    *ret = LEAT_TAKE(m);
    return LEAT_OK;
}

leat_status leat_admin_partitions(struct leat_admin *a, const char *topic, int32_t *ret,
                                  int timeout_ms, struct leat_error *err)
{
    LEAT_AUTO(leat_kafka_metadata_freep) const struct rd_kafka_metadata *m = NULL;
    leat_status status = leat_kafka_topic(a->rk, topic, timeout_ms, &m, err);
    if (status == LEAT_OK)
        *ret = m->topics[0].partition_cnt;
    return status;
}

/* ---- topics ---- */

static leat_status check_existing(struct leat_admin *a, const struct leat_topic_spec *s,
                                  int timeout_ms, bool *ret_exists, struct leat_error *err)
{
    int32_t partitions = 0;
    leat_status status = leat_admin_partitions(a, s->name, &partitions, timeout_ms, err);
    *ret_exists = status == LEAT_OK;
    if (status == LEAT_ABSENT)
        return LEAT_OK;
    if (status != LEAT_OK || partitions == s->partitions)
        return status;
    status = leat_fail(err, LEAT_INVALID, "topic '%s' has %d partitions, the topology says %d",
                       s->name, partitions, s->partitions);
    leat_error_hint(err, "the partition count is fixed for the store's life: give the topology its "
                         "own name, or delete the topic");
    return status;
}

static void new_topics_free(rd_kafka_NewTopic_t **topics, size_t n)
{
    if (n > 0)
        rd_kafka_NewTopic_destroy_array(topics, n);
    free(topics);
}

static leat_status new_topic(const struct leat_topic_spec *s, rd_kafka_NewTopic_t **ret,
                             struct leat_error *err)
{
    char text[LEAT_KAFKA_ERRSTR] = "";
    rd_kafka_NewTopic_t *t = rd_kafka_NewTopic_new(
        s->name, s->partitions, s->replication > 0 ? s->replication : -1, text, sizeof text);
    if (t == NULL)
        return leat_fail(err, LEAT_INVALID, "could not create topic '%s': %s", s->name, text);
    for (size_t i = 0; i < s->config_count; i++)
        (void)rd_kafka_NewTopic_set_config(t, s->config[i].name, s->config[i].value);
    *ret = t;
    return LEAT_OK;
}

static leat_status read_created(rd_kafka_event_t *ev, size_t *ret_created, struct leat_error *err)
{
    if (rd_kafka_event_error(ev) != 0) {
        return leat_fail(err, LEAT_RETRY, "could not create topics: %s",
                         rd_kafka_event_error_string(ev));
    }
    size_t n = 0;
    const rd_kafka_topic_result_t **results =
        rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(ev), &n);
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t e = rd_kafka_topic_result_error(results[i]);
        if (e == 0) {
            (*ret_created)++;
        } else if (e != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS) {
            return leat_fail(err, e == RD_KAFKA_RESP_ERR__TIMED_OUT ? LEAT_RETRY : LEAT_INVALID,
                             "could not create topic '%s': %s",
                             rd_kafka_topic_result_name(results[i]),
                             rd_kafka_topic_result_error_string(results[i]));
        }
    }
    return LEAT_OK;
}

static leat_status create(struct leat_admin *a, rd_kafka_NewTopic_t **topics, size_t n,
                          size_t *ret_created, int timeout_ms, struct leat_error *err)
{
    char text[LEAT_KAFKA_ERRSTR];
    rd_kafka_AdminOptions_t *o = rd_kafka_AdminOptions_new(a->rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    (void)rd_kafka_AdminOptions_set_request_timeout(o, timeout_ms, text, sizeof text);
    (void)rd_kafka_AdminOptions_set_operation_timeout(o, timeout_ms, text, sizeof text);
    LEAT_AUTO(leat_kafka_queue_freep) rd_kafka_queue_t *q = rd_kafka_queue_new(a->rk);
    rd_kafka_CreateTopics(a->rk, topics, n, o, q);
    rd_kafka_AdminOptions_destroy(o);
    LEAT_AUTO(leat_kafka_event_freep)
    rd_kafka_event_t *ev = rd_kafka_queue_poll(q, timeout_ms + 1000);
    if (ev == NULL) {
        return leat_fail(err, LEAT_RETRY, "could not create topics: no answer within %d ms",
                         timeout_ms);
    }
    return read_created(ev, ret_created, err);
}

/* The broker answers before every leader is known everywhere. */
static leat_status wait_for(struct leat_admin *a, const struct leat_topic_spec *s, int64_t until_us,
                            struct leat_error *err)
{
    for (;;) {
        int32_t partitions = 0;
        leat_status status = leat_admin_partitions(a, s->name, &partitions, 2000, err);
        if (status == LEAT_OK && partitions == s->partitions)
            return LEAT_OK;
        if (leat_mono_us() >= until_us) {
            return leat_fail(err, LEAT_RETRY, "topic '%s' was created but is not there yet",
                             s->name);
        }
        rd_kafka_poll(a->rk, METADATA_POLL_MS);
    }
}

leat_status leat_admin_ensure_topics(struct leat_admin *a, const struct leat_topic_spec *specs,
                                     size_t n, size_t *ret_created, int timeout_ms,
                                     struct leat_error *err)
{
    int64_t until_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
    rd_kafka_NewTopic_t **topics = calloc(n + 1, sizeof(rd_kafka_NewTopic_t *));
    leat_assert(topics != NULL);
    size_t missing = 0, created = 0;
    leat_status status = LEAT_OK;
    for (size_t i = 0; i < n && status == LEAT_OK; i++) {
        bool exists = false;
        status = check_existing(a, &specs[i], timeout_ms, &exists, err);
        if (status == LEAT_OK && !exists) {
            status = new_topic(&specs[i], &topics[missing], err);
            missing += status == LEAT_OK;
        }
    }
    if (status == LEAT_OK && missing > 0)
        status = create(a, topics, missing, &created, timeout_ms, err);
    new_topics_free(topics, missing);
    for (size_t i = 0; i < n && status == LEAT_OK && missing > 0; i++)
        status = wait_for(a, &specs[i], until_us, err);
    if (status == LEAT_OK)
        *ret_created = created;
    return status;
}

/* ---- watermarks and single records ---- */

/* Leaders move and a new topic's are not known everywhere at once: asked again until the time is
 * over. */
static rd_kafka_resp_err_t ask_watermarks(struct leat_admin *a, const struct leat_position *at,
                                          int64_t until_us, struct leat_watermarks *ret)
{
    rd_kafka_resp_err_t e = RD_KAFKA_RESP_ERR__TIMED_OUT;
    for (;;) {
        int64_t left_ms = (until_us - leat_mono_us()) / 1000;
        if (left_ms <= 0)
            return e;
        e = rd_kafka_query_watermark_offsets(a->rk, at->topic, at->partition, &ret->low, &ret->high,
                                             (int)left_ms);
        if (leat_kafka_status(e) != LEAT_RETRY)
            return e;
        rd_kafka_poll(a->rk, METADATA_POLL_MS);
    }
}

leat_status leat_admin_watermarks(struct leat_admin *a, const struct leat_position *at, size_t n,
                                  struct leat_watermarks *ret, int timeout_ms,
                                  struct leat_error *err)
{
    int64_t until_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t e = ask_watermarks(a, &at[i], until_us, &ret[i]);
        if (e != 0) {
            return leat_fail(err, leat_kafka_status(e) == LEAT_ABSENT ? LEAT_ABSENT : LEAT_RETRY,
                             "could not ask for the watermarks of %s[%d]: %s", at[i].topic,
                             at[i].partition, rd_kafka_err2str(e));
        }
    }
    return LEAT_OK;
}

static void copy_record(struct leat_arena *arena, const char *topic, rd_kafka_message_t *m,
                        struct leat_record *ret)
{
    struct leat_record r;
    leat_record_from(&r, topic, m);
    struct leat_buf packed;
    leat_buf_init(&packed, HEADERS_BYTES_MAX);
    leat_record_headers_pack(&r, &packed);
    r.packed_headers = leat_arena_copy(arena, leat_buf_str(&packed));
    leat_buf_done(&packed);
    r.topic = leat_arena_copy(arena, r.topic);
    r.key = leat_arena_copy(arena, r.key);
    r.value = leat_arena_copy(arena, r.value);
    r.handle = NULL;
    *ret = r;
}

/* What came in the place of the record, or is it. */
static leat_status take_record(const struct leat_position *at, rd_kafka_message_t *m,
                               struct leat_arena *arena, struct leat_record *ret,
                               struct leat_error *err)
{
    const char *why = "the log has a gap there";
    leat_status status = LEAT_ABSENT;
    if (m->err == 0 && m->offset == at->offset) {
        copy_record(arena, at->topic, m, ret);
        return LEAT_OK;
    }
    if (m->err != 0) {
        bool end = m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF;
        why = end ? "the log ends before it" : rd_kafka_message_errstr(m);
        status = leat_kafka_read_status(m->err);
    }
    return leat_fail(err, status, "%s %s[%d] offset %lld: %s",
                     status == LEAT_ABSENT ? "no record at" : "could not read", at->topic,
                     at->partition, (long long)at->offset, why);
}

static leat_status wait_record(struct leat_admin *a, const struct leat_position *at,
                               struct leat_arena *arena, struct leat_record *ret, int timeout_ms,
                               struct leat_error *err)
{
    int64_t until_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
    for (;;) {
        int64_t left_ms = (until_us - leat_mono_us()) / 1000;
        rd_kafka_message_t *m = left_ms > 0 ? rd_kafka_consumer_poll(a->rk, (int)left_ms) : NULL;
        if (m == NULL) {
            return leat_fail(err, LEAT_RETRY,
                             "could not read %s[%d] offset %lld: no answer within %d ms", at->topic,
                             at->partition, (long long)at->offset, timeout_ms);
        }
        bool ours = m->rkt != NULL && m->partition == at->partition;
        leat_status status = ours ? take_record(at, m, arena, ret, err) : LEAT_OK;
        rd_kafka_message_destroy(m);
        if (ours)
            return status;
    }
}

leat_status leat_admin_record(struct leat_admin *a, const struct leat_position *at,
                              struct leat_arena *arena, struct leat_record *ret, int timeout_ms,
                              struct leat_error *err)
{
    LEAT_AUTO(leat_kafka_list_freep) rd_kafka_topic_partition_list_t *list = leat_kafka_list(at, 1);
    rd_kafka_resp_err_t e = rd_kafka_assign(a->rk, list);
    if (e != 0) {
        return leat_fail(err, LEAT_RETRY, "could not read %s[%d]: %s", at->topic, at->partition,
                         rd_kafka_err2str(e));
    }
    leat_status status = wait_record(a, at, arena, ret, timeout_ms, err);
    (void)rd_kafka_assign(a->rk, NULL);
    return status;
}
