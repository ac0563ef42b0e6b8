/* Producer, reader and admin against a real broker. */
#include "base/record_headers.h"
#include "kafka/internal.h"
#include "kafka_kit.h"

struct deliveries {
    int ok, retry, invalid;
    char what[128];
};

static void count(void *arg, void *opaque, leat_status status, int32_t partition, int64_t offset,
                  const char *what)
{
    struct deliveries *d = arg;
    (void)opaque, (void)partition, (void)offset;
    if (status == LEAT_OK)
        d->ok++;
    else if (status == LEAT_INVALID)
        d->invalid++;
    else
        d->retry++;
    if (what != NULL)
        (void)snprintf(d->what, sizeof d->what, "%s", what);
}

static void send_all(struct leat_producer *p, const struct leat_outgoing *o, size_t n)
{
    size_t sent = 0;
    OK(leat_producer_send(p, o, n, &sent, &err));
    CHECK_EQ(sent, n);
}

static struct leat_admin *admin(void)
{
    struct leat_kafka_config c = kit_config("kit");
    struct leat_admin *a = NULL;
    OK(leat_admin_new(&c, &a, &err));
    return a;
}

static struct leat_reader *reader(const char *topic, int64_t offset)
{
    struct leat_kafka_config c = kit_config("kit-reader");
    struct leat_reader *r = NULL;
    struct leat_position at[KIT_PARTITIONS];
    for (int i = 0; i < KIT_PARTITIONS; i++)
        at[i] = (struct leat_position){topic, i, i == 0 ? offset : 0};
    OK(leat_reader_new(&c, at, KIT_PARTITIONS, 0, &r, &err));
    return r;
}

static struct leat_record take_one(struct leat_reader *r)
{
    struct leat_record record;
    size_t n = 0;
    for (int64_t until = leat_now_ms() + KIT_DEADLINE; n == 0 && leat_now_ms() < until;)
        OK(leat_reader_take(r, 1000, &record, 1, &n, &err));
    CHECK_EQ(n, 1);
    return record;
}

static void headers_keys_and_nulls_arrive_as_sent(void)
{
    const char *topic = kit_topic();
    struct leat_kafka_config c = kit_config("kit");
    struct leat_producer *p = NULL;
    struct deliveries d = {0};
    struct leat_buf headers;
    leat_buf_init(&headers, 4096);
    leat_headers_put(&headers, LEAT_STR("ce_type"), LEAT_STR("PlaceOrder"));
    leat_headers_put_null(&headers, LEAT_STR("nothing"));
    leat_headers_put(&headers, LEAT_STR("empty"), LEAT_STR(""));
    OK(leat_producer_new(&c, count, &d, &p, &err));
    struct leat_outgoing o[] = {
        {.topic = topic,
         .key = LEAT_STR("k1"),
         .value = LEAT_STR("v1"),
         .headers = leat_buf_str(&headers),
         .timestamp_ms = leat_now_ms() - 5000},
        {.topic = topic, .key_null = true, .value = LEAT_STR("")},
        {.topic = topic, .key = LEAT_STR(""), .value_null = true},
    };
    send_all(p, o, 3);
    leat_producer_free(p, 5000);
    CHECK_EQ(d.ok, 3);

    struct leat_reader *r = reader(topic, 0);
    struct leat_record a = take_one(r), b = take_one(r), e = take_one(r);
    struct leat_str value;
    CHECK(leat_record_header(&a, "ce_type", &value) && leat_str_eq(value, LEAT_STR("PlaceOrder")));
    CHECK(leat_record_header(&a, "nothing", &value) && value.len == 0);
    CHECK(!leat_record_header(&a, "absent", &value) && !leat_record_header(&b, "ce_type", &value));
    CHECK(leat_str_eq(a.key, LEAT_STR("k1")) && a.timestamp_ms == o[0].timestamp_ms);
    CHECK(b.key_null && !b.value_null && b.value.len == 0);
    CHECK(!e.key_null && e.key.len == 0 && e.value_null);
    struct leat_buf packed;
    leat_buf_init(&packed, 4096);
    leat_record_headers_pack(&a, &packed);
    CHECK(leat_str_eq(leat_buf_str(&packed), leat_buf_str(&headers)));
    leat_buf_done(&packed);
    leat_buf_done(&headers);
    leat_records_free(&a, 1);
    leat_records_free(&b, 1);
    leat_records_free(&e, 1);
    leat_reader_free(r);
}

/* Nanoseconds are a common mistake; so is what was never set. */
static void odd_times_are_bounded(void)
{
    static const struct leat_kafka_prop any = {"message.timestamp.after.max.ms",
                                               "9223372036854775807"};
    struct leat_kafka_config c = kit_config("kit");
    struct leat_topic_spec spec = {kit_name("topic"), KIT_PARTITIONS, 1, &any, 1};
    const int64_t sent[] = {INT64_C(1790000000000000000), INT64_C(1790000000000), INT64_MIN + 1};
    const int64_t expected[] = {LEAT_RECORD_TIME_MAX_MS, INT64_C(1790000000000),
                                LEAT_RECORD_TIME_MIN_MS};
    struct leat_admin *a = admin();
    struct leat_producer *p = NULL;
    struct deliveries d = {0};
    size_t created = 0;
    OK(leat_admin_ensure_topics(a, &spec, 1, &created, 10000, &err));
    leat_admin_free(a);
    OK(leat_producer_new(&c, count, &d, &p, &err));
    for (size_t i = 0; i < 3; i++) {
        struct leat_outgoing o = {
            .topic = spec.name, .value = LEAT_STR("v"), .timestamp_ms = sent[i]};
        send_all(p, &o, 1);
        for (int64_t until = leat_now_ms() + KIT_DEADLINE;
             d.ok == (int)i && leat_now_ms() < until;) /* one batch each */
            leat_producer_poll(p, 10);
    }
    leat_producer_free(p, 5000);
    CHECK_EQ(d.ok, 3);
    struct leat_reader *r = reader(spec.name, 0);
    for (size_t i = 0; i < 3; i++) {
        struct leat_record record = take_one(r);
        CHECK_EQ(record.timestamp_ms, expected[i]);
        leat_records_free(&record, 1);
    }
    leat_reader_free(r);
}

static void too_large_record_is_refused_for_good(void)
{
    const char *topic = kit_topic();
    struct leat_kafka_config c = kit_config("kit");
    struct leat_producer *p = NULL;
    struct deliveries d = {0};
    struct leat_error e;
    OK(leat_producer_new(&c, count, &d, &p, &err));
    char *large = calloc(1, 4u << 20);
    CHECK(large != NULL);
    for (size_t i = 0; i < 4u << 20; i++) /* so that it does not compress */
        large[i] = (char)(rand() >> 7);
    struct leat_outgoing o = {.topic = topic, .key = LEAT_STR("k"), .value = {large, 4u << 20}};
    size_t sent = 7;
    CHECK_EQ(leat_producer_send(p, &o, 1, &sent, &e), LEAT_INVALID); /* over the client's limit */
    CHECK_EQ(sent, 0);
    o.value.len = 1500000; /* over the topic's */
    send_all(p, &o, 1);
    for (int64_t until = leat_now_ms() + KIT_DEADLINE; d.invalid == 0 && leat_now_ms() < until;)
        leat_producer_poll(p, 50);
    CHECK_EQ(d.invalid, 1);
    CHECK(strstr(d.what, "too large") != NULL);
    o.value = LEAT_STR("small");
    send_all(p, &o, 1);
    for (int64_t until = leat_now_ms() + KIT_DEADLINE; d.ok == 0 && leat_now_ms() < until;)
        leat_producer_poll(p, 50);
    CHECK_EQ(d.ok, 1);
    CHECK(leat_producer_fatal(p) == NULL);
    leat_producer_free(p, 5000);
    free(large);
}

static void deliveries_wake_the_eventfd(void)
{
    const char *topic = kit_topic();
    struct leat_kafka_config c = kit_config("kit");
    struct leat_producer *p = NULL;
    struct deliveries d = {0};
    int fd = eventfd(0, EFD_NONBLOCK);
    OK(leat_producer_new(&c, count, &d, &p, &err));
    leat_producer_wake_fd(p, fd);
    for (int i = 1; i <= 3; i++) {
        struct leat_outgoing o = {.topic = topic, .key = LEAT_STR("k"), .value = LEAT_STR("v")};
        send_all(p, &o, 1);
        for (int64_t until = leat_now_ms() + KIT_DEADLINE; d.ok < i && leat_now_ms() < until;) {
            struct pollfd f = {fd, POLLIN, 0};
            CHECK_EQ(poll(&f, 1, KIT_DEADLINE), 1);
            uint64_t n = 0;
            CHECK_EQ(read(fd, &n, sizeof n), sizeof n);
            leat_producer_poll(p, 0);
        }
        CHECK_EQ(d.ok, i);
    }
    CHECK_EQ(leat_producer_pending(p), 0);
    leat_producer_free(p, 1000);
    close(fd);
}

static void reader_names_the_partition_it_cannot_read(void)
{
    const char *topic = kit_topic();
    struct leat_error e = {0};
    struct leat_record record;
    size_t n = 0;
    kit_fill(topic, 0, 0, 10);
    struct leat_reader *r = reader(topic, 5000);
    leat_status status = LEAT_OK;
    for (int64_t until = leat_now_ms() + KIT_DEADLINE; status == LEAT_OK && leat_now_ms() < until;)
        status = leat_reader_take(r, 1000, &record, 1, &n, &e);
    CHECK_EQ(status, LEAT_RETRY);
    CHECK_EQ(leat_reader_bad_partition(r), 0);
    CHECK(strstr(e.msg, topic) != NULL);
    struct leat_position at = {topic, 0, 3};
    OK(leat_reader_seek(r, &at, 5000, &err));
    record = take_one(r);
    CHECK_EQ(record.offset, 3);
    leat_records_free(&record, 1);
    at.offset = 8;
    OK(leat_reader_seek(r, &at, 5000, &err));
    record = take_one(r);
    CHECK_EQ(record.offset, 8);
    leat_records_free(&record, 1);
    leat_reader_free(r);
}

static void topic_with_other_partitions_is_invalid(void)
{
    const char *topic = kit_topic();
    struct leat_admin *a = admin();
    struct leat_error e;
    size_t created = 0;
    struct leat_topic_spec spec = {topic, KIT_PARTITIONS + 1, 1, NULL, 0};
    CHECK_EQ(leat_admin_ensure_topics(a, &spec, 1, &created, 10000, &e), LEAT_INVALID);
    CHECK(strstr(e.msg, "has 4 partitions, the topology says 5") != NULL);
    spec.partitions = KIT_PARTITIONS;
    OK(leat_admin_ensure_topics(a, &spec, 1, &created, 10000, &err));
    CHECK_EQ(created, 0);
    int32_t n = 0;
    OK(leat_admin_partitions(a, topic, &n, 5000, &err));
    CHECK_EQ(n, KIT_PARTITIONS);
    CHECK_EQ(leat_admin_partitions(a, "kafkatest.never", &n, 5000, &e), LEAT_ABSENT);
    leat_admin_free(a);
}

static void watermarks_and_single_records(void)
{
    const char *topic = kit_topic();
    struct leat_admin *a = admin();
    struct leat_arena *arena = leat_arena_new(4096, 4096);
    struct leat_error e;
    struct leat_record record;
    kit_fill(topic, 1, 0, 12);
    struct leat_position at[2] = {{topic, 0, 0}, {topic, 1, 11}};
    struct leat_watermarks w[2];
    OK(leat_admin_watermarks(a, at, 2, w, 5000, &err));
    CHECK(w[0].low == 0 && w[0].high == 0 && w[1].low == 0 && w[1].high == 12);
    OK(leat_admin_record(a, &at[1], arena, &record, 5000, &err));
    CHECK(leat_str_eq(record.value, LEAT_STR("11")) && record.packed_headers.len == 0 &&
          record.handle == NULL);
    at[1].offset = 12;
    CHECK_EQ(leat_admin_record(a, &at[1], arena, &record, 5000, &e), LEAT_ABSENT);
    at[1].offset = 400;
    CHECK_EQ(leat_admin_record(a, &at[1], arena, &record, 5000, &e), LEAT_ABSENT);
    struct leat_position never = {"kafkatest.never", 0, 0};
    CHECK_EQ(leat_admin_watermarks(a, &never, 1, w, 5000, &e), LEAT_ABSENT);
    leat_arena_free(arena);
    leat_admin_free(a);
}

/* Only that a record is not there lets a relay publish without a look at it. */
static void who_may_not_read_does_not_say_absent(void)
{
    CHECK_EQ(leat_kafka_read_status(RD_KAFKA_RESP_ERR__PARTITION_EOF), LEAT_ABSENT);
    CHECK_EQ(leat_kafka_read_status(RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET), LEAT_ABSENT);
    CHECK_EQ(leat_kafka_read_status(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION), LEAT_ABSENT);
    CHECK_EQ(leat_kafka_read_status(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED), LEAT_RETRY);
    CHECK_EQ(leat_kafka_read_status(RD_KAFKA_RESP_ERR__BAD_MSG), LEAT_RETRY);
}

static void property_librdkafka_refuses_is_named(void)
{
    struct leat_kafka_prop bad[] = {{"bootstrap.servers", "127.0.0.1:1"}, {"no.such.thing", "1"}};
    struct leat_kafka_config c = {bad, 2, "kit"};
    struct leat_producer *p = NULL;
    struct leat_error e;
    CHECK_EQ(leat_producer_new(&c, count, NULL, &p, &e), LEAT_INVALID);
    CHECK(strstr(e.msg, "no.such.thing") != NULL && p == NULL);
}

int main(int argc, char **argv)
{
#define T(name)                                                                                    \
    {                                                                                              \
#name, name                                                                                \
    }
    static const struct kit_test tests[] = {
        T(headers_keys_and_nulls_arrive_as_sent),
        T(odd_times_are_bounded),
        T(too_large_record_is_refused_for_good),
        T(deliveries_wake_the_eventfd),
        T(reader_names_the_partition_it_cannot_read),
        T(topic_with_other_partitions_is_invalid),
        T(watermarks_and_single_records),
        T(who_may_not_read_does_not_say_absent),
        T(property_librdkafka_refuses_is_named),
    };
    return kit_main(tests, sizeof tests / sizeof *tests, argc, argv);
}
