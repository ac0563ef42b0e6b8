#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "kafka/internal.h"

/* For every handle. Short waits where a dead broker would otherwise hold us; no statistics (leat
 * counts in its own code); small requests are never held back for company. */
static const struct leat_kafka_setting common_defaults[] = {
    {"socket.nagle.disable", "true"},  {"socket.keepalive.enable", "true"},
    {"socket.timeout.ms", "10000"},    {"socket.connection.setup.timeout.ms", "5000"},
    {"reconnect.backoff.ms", "50"},    {"reconnect.backoff.max.ms", "1000"},
    {"log.connection.close", "false"}, {"log_level", "5"},
    {"statistics.interval.ms", "0"},   {NULL, NULL},
};

static void log_cb(const rd_kafka_t *rk, int level, const char *fac, const char *text)
{
    const char *name = rk == NULL ? "" : rd_kafka_name(rk);
    if (level <= 3) {
        leat_log_limited_kv(LEAT_LOG_ERROR, "kafka", "librdkafka-error",
                            LEAT_LOG_FIELDS(LEAT_LOG_CSTR("client", name)), "%s: %s", fac, text);
    } else if (level == 4) {
        leat_log_limited_kv(LEAT_LOG_WARN, "kafka", "librdkafka-warning",
                            LEAT_LOG_FIELDS(LEAT_LOG_CSTR("client", name)), "%s: %s", fac, text);
    } else {
        leat_log_kv(LEAT_LOG_DEBUG, "kafka", "librdkafka",
                    LEAT_LOG_FIELDS(LEAT_LOG_CSTR("client", name)), "%s: %s", fac, text);
    }
}

static void error_cb(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)opaque;
    leat_log_limited_kv(LEAT_LOG_WARN, "kafka", "kafka-trouble",
                        LEAT_LOG_FIELDS(LEAT_LOG_CSTR("client", rd_kafka_name(rk)),
                                        LEAT_LOG_CSTR("code", rd_kafka_err2name(code))),
                        "%s", reason);
}

static leat_status set(rd_kafka_conf_t *conf, const char *name, const char *value,
                       struct leat_error *err)
{
    char text[LEAT_KAFKA_ERRSTR] = "";
    if (rd_kafka_conf_set(conf, name, value, text, sizeof text) == RD_KAFKA_CONF_OK)
        return LEAT_OK;
    return leat_fail(err, LEAT_INVALID, "could not set Kafka property '%s': %s", name, text);
}

static leat_status set_all(rd_kafka_conf_t *conf, const struct leat_kafka_setting *s,
                           struct leat_error *err)
{
    for (; s != NULL && s->name != NULL; s++) {
        leat_status status = set(conf, s->name, s->value, err);
        if (status != LEAT_OK)
            return status;
    }
    return LEAT_OK;
}

leat_status leat_kafka_conf(const struct leat_kafka_config *c,
                            const struct leat_kafka_setting *defaults,
                            const struct leat_kafka_setting *owned, void *opaque,
                            rd_kafka_conf_t **ret, struct leat_error *err)
{
    LEAT_AUTO(leat_kafka_conf_freep) rd_kafka_conf_t *conf = rd_kafka_conf_new();
    leat_status status = set_all(conf, common_defaults, err);
    if (status == LEAT_OK)
        status = set_all(conf, defaults, err);
    for (size_t i = 0; i < c->prop_count && status == LEAT_OK; i++) {
        if (c->props[i].value != NULL)
            status = set(conf, c->props[i].name, c->props[i].value, err);
    }
    if (status == LEAT_OK)
        status = set_all(conf, owned, err);
    if (status == LEAT_OK && c->client_id != NULL)
        status = set(conf, "client.id", c->client_id, err);
    if (status != LEAT_OK)
        return status;
    rd_kafka_conf_set_log_cb(conf, log_cb);
    rd_kafka_conf_set_error_cb(conf, error_cb);
    rd_kafka_conf_set_opaque(conf, opaque);
    *ret = LEAT_TAKE(conf);
    return LEAT_OK;
}

leat_status leat_kafka_handle(rd_kafka_type_t type, rd_kafka_conf_t **conf, rd_kafka_t **ret,
                              struct leat_error *err)
{
    char text[LEAT_KAFKA_ERRSTR] = "";
#if defined(__SANITIZE_THREAD__)
    leat_kafka_tsan_threads();
#endif
    rd_kafka_t *rk = rd_kafka_new(type, *conf, text, sizeof text);
    if (rk == NULL)
        return leat_fail(err, LEAT_INVALID, "could not make a Kafka client: %s", text);
    *conf = NULL; /* the handle owns it now */
    *ret = rk;
    return LEAT_OK;
}

leat_status leat_kafka_status(rd_kafka_resp_err_t e)
{
    /* An open-ended foreign enum: what is not named is the broker's or the network's trouble. */
    switch ((int)e) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
        return LEAT_OK;
    case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID:
    case RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID:
    case RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
    case RD_KAFKA_RESP_ERR__STATE:
        return LEAT_FENCED;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_MSG_SIZE:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR__INVALID_ARG:
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
        return LEAT_INVALID;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        return LEAT_ABSENT;
    case RD_KAFKA_RESP_ERR__FATAL:
    case RD_KAFKA_RESP_ERR__DESTROY:
        return LEAT_FATAL;
    default:
        return LEAT_RETRY;
    }
}

leat_status leat_kafka_read_status(rd_kafka_resp_err_t e)
{
    if (e == RD_KAFKA_RESP_ERR__PARTITION_EOF || e == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
        e == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE)
        return LEAT_ABSENT;
    return leat_kafka_status(e) == LEAT_ABSENT ? LEAT_ABSENT : LEAT_RETRY;
}

rd_kafka_topic_partition_list_t *leat_kafka_list(const struct leat_position *at, size_t n)
{
    rd_kafka_topic_partition_list_t *l = rd_kafka_topic_partition_list_new((int)n);
    for (size_t i = 0; i < n; i++)
        rd_kafka_topic_partition_list_add(l, at[i].topic, at[i].partition)->offset = at[i].offset;
    return l;
}

/* ---- names ---- */

struct name {
    struct name *next;
    char text[];
};
struct leat_kafka_names {
    pthread_mutex_t lock;
    struct name *first; /* a handful: topics */
};

struct leat_kafka_names *leat_kafka_names_new(void)
{
    struct leat_kafka_names *n = calloc(1, sizeof *n);
    leat_assert(n != NULL);
    pthread_mutex_init(&n->lock, NULL);
    return n;
}

void leat_kafka_names_free(struct leat_kafka_names *n)
{
    if (n == NULL)
        return;
    while (n->first != NULL) {
        struct name *next = n->first->next;
        free(n->first);
        n->first = next;
    }
    pthread_mutex_destroy(&n->lock);
    free(n);
}

const char *leat_kafka_names_get(struct leat_kafka_names *n, const char *name)
{
    pthread_mutex_lock(&n->lock);
    struct name *e = n->first;
    while (e != NULL && strcmp(e->text, name) != 0)
        e = e->next;
    if (e == NULL) {
        size_t len = strlen(name) + 1;
        e = malloc(sizeof *e + len);
        leat_assert(e != NULL);
        memcpy(e->text, name, len);
        e->next = n->first;
        n->first = e;
    }
    pthread_mutex_unlock(&n->lock);
    return e->text;
}
