/* kafka_tool.c - a plain Kafka client for the tests: it shares no code with leat, so that what it
 * counts proves something. Lines are tab separated; bytes are '=' and base64, or '-' for null.
 *   kafka_tool <brokers> create <topic> <partitions> [config=value...]
 *   kafka_tool <brokers> delete <topic>...
 *   kafka_tool <brokers> topics                  name, partitions
 *   kafka_tool <brokers> configs <topic>         name, value of those set for the topic
 *   kafka_tool <brokers> offsets <topic>         partition, low, high
 *   kafka_tool <brokers> consume <topic>         partition, offset, time, key, value, headers
 *   kafka_tool <brokers> produce <topic>         reads: partition or -, key, value, headers and, if
 *                                                not now, time
 *   kafka_tool <brokers> abort <topic>           the same in a transaction, which is then aborted
 *   kafka_tool <brokers> feed <topic>            as produce; what is not taken is sent again
 *   kafka_tool <brokers> leaders                 topic, partition, leader, replicas, in sync
 * Headers are name=base64, comma separated. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 30000

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

static void put_base64(const void *data, size_t n)
{
    const unsigned char *b = data;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)b[i] << 16;
        v |= i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0;
        v |= i + 2 < n ? (uint32_t)b[i + 2] : 0;
        putchar(alphabet[v >> 18 & 63]);
        putchar(alphabet[v >> 12 & 63]);
        putchar(i + 1 < n ? alphabet[v >> 6 & 63] : '=');
        putchar(i + 2 < n ? alphabet[v & 63] : '=');
    }
}

static void put_bytes(const void *data, size_t n)
{
    putchar(data == NULL ? '-' : '=');
    if (data != NULL)
        put_base64(data, n);
}

/* Decodes "=base64" in place; "-" gives NULL. */
static char *take_bytes(char *text, size_t *ret_n)
{
    *ret_n = 0;
    if (text[0] != '=')
        return NULL;
    size_t n = 0;
    uint32_t v = 0;
    int bits = 0;
    for (const char *c = text + 1; *c != '\0' && *c != '='; c++) {
        const char *at = strchr(alphabet, *c);
        if (at == NULL)
            die("input", "not base64");
        v = v << 6 | (uint32_t)(at - alphabet);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            text[n++] = (char)(v >> bits & 255);
        }
    }
    *ret_n = n;
    return text;
}

static void set(rd_kafka_conf_t *conf, const char *key, const char *value)
{
    char why[256];
    if (rd_kafka_conf_set(conf, key, value, why, sizeof why) != RD_KAFKA_CONF_OK)
        die(key, why);
}

static rd_kafka_t *client(rd_kafka_type_t type, rd_kafka_conf_t *conf, const char *brokers)
{
    char why[256];
    set(conf, "bootstrap.servers", brokers);
    rd_kafka_t *rk = rd_kafka_new(type, conf, why, sizeof why);
    if (rk == NULL)
        die("could not create a client", why);
    return rk;
}

static const rd_kafka_metadata_t *metadata(rd_kafka_t *rk)
{
    const rd_kafka_metadata_t *found = NULL;
    rd_kafka_resp_err_t e = rd_kafka_metadata(rk, 1, NULL, &found, TIMEOUT_MS);
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("could not list topics", rd_kafka_err2str(e));
    return found;
}

static int partition_count(rd_kafka_t *rk, const char *topic)
{
    const rd_kafka_metadata_t *all = metadata(rk);
    int n = 0;
    for (int i = 0; i < all->topic_cnt; i++)
        if (strcmp(all->topics[i].topic, topic) == 0)
            n = all->topics[i].partition_cnt;
    rd_kafka_metadata_destroy(all);
    if (n == 0)
        die(topic, "no such topic");
    return n;
}

/* Waits for the one result of an admin request; `expected` is the error that counts as success. */
static void admin_result(rd_kafka_queue_t *queue, bool creating, rd_kafka_resp_err_t expected)
{
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
    if (event == NULL)
        die("admin request", "no answer");
    if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("admin request", rd_kafka_event_error_string(event));
    size_t n = 0;
    const rd_kafka_topic_result_t **results =
        creating
            ? rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &n)
            : rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &n);
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t e = rd_kafka_topic_result_error(results[i]);
        if (e != RD_KAFKA_RESP_ERR_NO_ERROR && e != expected)
            die(rd_kafka_topic_result_name(results[i]), rd_kafka_err2str(e));
    }
    rd_kafka_event_destroy(event);
}

static void create(rd_kafka_t *rk, int argc, char **argv)
{
    char why[256];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    int partitions = argc > 1 ? (int)strtol(argv[1], NULL, 10) : 1;
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(argv[0], partitions, -1, why, sizeof why);
    if (topic == NULL)
        die(argv[0], why);
    for (int i = 2; i < argc; i++) {
        char *equals = strchr(argv[i], '=');
        if (equals == NULL)
            die(argv[i], "a setting is name=value");
        *equals = '\0';
        (void)rd_kafka_NewTopic_set_config(topic, argv[i], equals + 1);
    }
    rd_kafka_CreateTopics(rk, &topic, 1, NULL, queue);
    admin_result(queue, true, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
    rd_kafka_NewTopic_destroy(topic);
    rd_kafka_queue_destroy(queue);
}

static void delete (rd_kafka_t *rk, int argc, char **argv)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    for (int i = 0; i < argc; i++) {
        rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(argv[i]);
        rd_kafka_DeleteTopics(rk, &topic, 1, NULL, queue);
        admin_result(queue, false, RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
        rd_kafka_DeleteTopic_destroy(topic);
    }
    rd_kafka_queue_destroy(queue);
}

static void configs(rd_kafka_t *rk, const char *topic)
{
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_ConfigResource_t *asked = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic);
    rd_kafka_DescribeConfigs(rk, &asked, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
    if (event == NULL || rd_kafka_event_error(event) != 0)
        die("configs", event == NULL ? "no answer" : rd_kafka_event_error_string(event));
    size_t n = 0;
    const rd_kafka_ConfigResource_t **found =
        rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &n);
    const rd_kafka_ConfigEntry_t **entries =
        n == 1 ? rd_kafka_ConfigResource_configs(found[0], &n) : NULL;
    for (size_t i = 0; entries != NULL && i < n; i++) {
        if (rd_kafka_ConfigEntry_source(entries[i]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG)
            printf("%s\t%s\n", rd_kafka_ConfigEntry_name(entries[i]),
                   rd_kafka_ConfigEntry_value(entries[i]));
    }
    rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy(asked);
    rd_kafka_queue_destroy(queue);
}

static void topics(rd_kafka_t *rk)
{
    const rd_kafka_metadata_t *all = metadata(rk);
    for (int i = 0; i < all->topic_cnt; i++)
        printf("%s\t%d\n", all->topics[i].topic, all->topics[i].partition_cnt);
    rd_kafka_metadata_destroy(all);
}

static void put_ids(const int32_t *ids, int n)
{
    putchar('\t');
    for (int i = 0; i < n; i++)
        printf(i == 0 ? "%d" : ",%d", ids[i]);
}

static void leaders(rd_kafka_t *rk)
{
    const rd_kafka_metadata_t *all = metadata(rk);
    for (int i = 0; i < all->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *t = &all->topics[i];
        for (int j = 0; j < t->partition_cnt; j++) {
            const rd_kafka_metadata_partition_t *p = &t->partitions[j];
            printf("%s\t%d\t%d", t->topic, p->id, p->leader);
            put_ids(p->replicas, p->replica_cnt);
            put_ids(p->isrs, p->isr_cnt);
            putchar('\n');
        }
    }
    rd_kafka_metadata_destroy(all);
}

static void watermarks(rd_kafka_t *rk, const char *topic, int32_t p, int64_t *low, int64_t *high)
{
    rd_kafka_resp_err_t e = rd_kafka_query_watermark_offsets(rk, topic, p, low, high, TIMEOUT_MS);
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        die(topic, rd_kafka_err2str(e));
}

static void offsets(rd_kafka_t *rk, const char *topic)
{
    int n = partition_count(rk, topic);
    for (int32_t p = 0; p < n; p++) {
        int64_t low = 0;
        int64_t high = 0;
        watermarks(rk, topic, p, &low, &high);
        printf("%d\t%" PRId64 "\t%" PRId64 "\n", p, low, high);
    }
}

static void print_record(const rd_kafka_message_t *m)
{
    rd_kafka_headers_t *headers = NULL;
    printf("%d\t%" PRId64 "\t%" PRId64 "\t", m->partition, m->offset,
           rd_kafka_message_timestamp(m, NULL));
    put_bytes(m->key, m->key_len);
    putchar('\t');
    put_bytes(m->payload, m->len);
    putchar('\t');
    if (rd_kafka_message_headers(m, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char *name = NULL;
        const void *value = NULL;
        size_t n = 0;
        for (size_t i = 0;
             rd_kafka_header_get_all(headers, i, &name, &value, &n) == RD_KAFKA_RESP_ERR_NO_ERROR;
             i++) {
            printf("%s%s=", i > 0 ? "," : "", name);
            put_base64(value, n);
        }
    }
    putchar('\n');
}

/* Reads to the end as of now; transactional producers are followed read-committed. */
static void consume(rd_kafka_t *rk, const char *topic)
{
    int n = partition_count(rk, topic);
    int open = n;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(n);
    for (int32_t p = 0; p < n; p++)
        rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
    rd_kafka_resp_err_t e = rd_kafka_assign(rk, list);
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        die(topic, rd_kafka_err2str(e));
    while (open > 0) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, TIMEOUT_MS);
        if (m == NULL)
            die(topic, "nothing arrives");
        if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF)
            open--;
        else if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
            die(topic, rd_kafka_message_errstr(m));
        else
            print_record(m);
        rd_kafka_message_destroy(m);
    }
    rd_kafka_topic_partition_list_destroy(list);
    (void)rd_kafka_consumer_close(rk);
}

static void delivered(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    (void)opaque;
    if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("could not deliver", rd_kafka_err2str(m->err));
}

/* Of one whose broker may lose what it has taken: an idempotent producer would end with it. */
static void send_again(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)opaque;
    rd_kafka_headers_t *headers = NULL;
    if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    (void)rd_kafka_message_detach_headers((rd_kafka_message_t *)(uintptr_t)m, &headers);
    rd_kafka_resp_err_t e = rd_kafka_producev(
        rk, RD_KAFKA_V_RKT(m->rkt), RD_KAFKA_V_PARTITION(m->partition),
        RD_KAFKA_V_KEY(m->key, m->key_len), RD_KAFKA_V_VALUE(m->payload, m->len),
        RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        die("could not send again", rd_kafka_err2str(e));
}

static rd_kafka_headers_t *parse_headers(char *text)
{
    rd_kafka_headers_t *headers = rd_kafka_headers_new(8);
    char *rest = NULL;
    for (char *item = strtok_r(text, ",\n", &rest); item != NULL;
         item = strtok_r(NULL, ",\n", &rest)) {
        char *equals = strchr(item, '=');
        size_t n = 0;
        if (equals == NULL)
            die(item, "a header is name=base64");
        char *value = take_bytes(equals, &n);
        (void)rd_kafka_header_add(headers, item, equals - item, value, (ssize_t)n);
    }
    return headers;
}

static void produce_line(rd_kafka_t *rk, const char *topic, char *line)
{
    char time_now[] = "0";
    char *field[5] = {line, NULL, NULL, NULL, time_now};
    int n = 1;
    for (char *tab; n < 5 && (tab = strchr(field[n - 1], '\t')) != NULL; n++) {
        *tab = '\0';
        field[n] = tab + 1;
    }
    if (n < 4)
        die("input", "a line has four fields or five");
    size_t key_n = 0;
    size_t value_n = 0;
    char *key = take_bytes(field[1], &key_n);
    char *value = take_bytes(field[2], &value_n);
    int32_t partition =
        field[0][0] == '-' ? RD_KAFKA_PARTITION_UA : (int32_t)strtol(field[0], NULL, 10);
    rd_kafka_headers_t *headers = parse_headers(field[3]);
    for (;;) {
        rd_kafka_resp_err_t e = rd_kafka_producev(
            rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
            RD_KAFKA_V_KEY(key, key_n), RD_KAFKA_V_VALUE(value, value_n),
            RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_TIMESTAMP(strtoll(field[4], NULL, 10)),
            RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
        if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        if (e != RD_KAFKA_RESP_ERR__QUEUE_FULL)
            die(topic, rd_kafka_err2str(e));
        (void)rd_kafka_poll(rk, 100);
    }
    (void)rd_kafka_poll(rk, 0);
}

static void produce(rd_kafka_t *rk, const char *topic)
{
    char *line = NULL;
    size_t capacity = 0;
    while (getline(&line, &capacity, stdin) > 0)
        produce_line(rk, topic, line);
    free(line);
    rd_kafka_resp_err_t e = rd_kafka_flush(rk, TIMEOUT_MS);
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        die(topic, rd_kafka_err2str(e));
}

static void must(const char *what, rd_kafka_error_t *error)
{
    if (error != NULL)
        die(what, rd_kafka_error_string(error));
}

static void produce_in_vain(rd_kafka_t *rk, const char *topic)
{
    must("transaction", rd_kafka_init_transactions(rk, TIMEOUT_MS));
    must("transaction", rd_kafka_begin_transaction(rk));
    produce(rk, topic);
    must("transaction", rd_kafka_abort_transaction(rk, TIMEOUT_MS));
}

static rd_kafka_t *client_for(const char *verb, const char *brokers)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (strcmp(verb, "consume") == 0) {
        set(conf, "group.id", "leat-kafka-tool");
        set(conf, "enable.auto.commit", "false");
        set(conf, "enable.partition.eof", "true");
        set(conf, "isolation.level", "read_committed");
        return client(RD_KAFKA_CONSUMER, conf, brokers);
    }
    if (strcmp(verb, "abort") == 0)
        set(conf, "transactional.id", "leat-kafka-tool");
    set(conf, "partitioner", "murmur2_random");
    set(conf, "linger.ms", "5");
    bool feeds = strcmp(verb, "feed") == 0;
    set(conf, "enable.idempotence", feeds ? "false" : "true");
    set(conf, "acks", "all");
    /* With several on their way to a partition whose leader is not up yet, the second may be taken
     * and the first be answered as a duplicate then: lost, and nobody is told. */
    set(conf, "max.in.flight.requests.per.connection", "1");
    set(conf, "delivery.timeout.ms", strcmp(verb, "abort") == 0 ? "30000" : "600000");
    rd_kafka_conf_set_dr_msg_cb(conf, feeds ? send_again : delivered);
    return client(RD_KAFKA_PRODUCER, conf, brokers);
}

int main(int argc, char **argv)
{
    const char *verb = argc > 2 ? argv[2] : "";
    if (argc < 3 || (argc < 4 && strcmp(verb, "topics") != 0 && strcmp(verb, "leaders") != 0))
        die("kafka_tool", "see the head of kafka_tool.c for its use");
    rd_kafka_t *rk = client_for(verb, argv[1]);
    if (strcmp(verb, "create") == 0)
        create(rk, argc - 3, argv + 3);
    else if (strcmp(verb, "delete") == 0)
        delete (rk, argc - 3, argv + 3);
    else if (strcmp(verb, "topics") == 0)
        topics(rk);
    else if (strcmp(verb, "configs") == 0)
        configs(rk, argv[3]);
    else if (strcmp(verb, "offsets") == 0)
        offsets(rk, argv[3]);
    else if (strcmp(verb, "consume") == 0)
        consume(rk, argv[3]);
    else if (strcmp(verb, "leaders") == 0)
        leaders(rk);
    else if (strcmp(verb, "produce") == 0 || strcmp(verb, "feed") == 0)
        produce(rk, argv[3]);
    else if (strcmp(verb, "abort") == 0)
        produce_in_vain(rk, argv[3]);
    else
        die(verb, "unknown verb");
    rd_kafka_destroy(rk);
    return 0;
}
