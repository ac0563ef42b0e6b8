/* kafka_kit.h - what Kafka's integration programs share: checks, topics of their own on the broker
 * of $KAFKA, group members with a thread that polls. Nothing here is deleted: names hold the time.
 */
#ifndef TESTS_KAFKA_KIT_H
#define TESTS_KAFKA_KIT_H

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "kafka/kafka.h"

#define KIT_PARTITIONS 4
#define KIT_DEADLINE   20000

struct kit_test {
    const char *name;
    void (*run)(void);
};

static jmp_buf kit_out;
static char kit_why[512];

static inline _Noreturn void kit_fail(const char *file, int line, const char *what)
{
    const char *name = strrchr(file, '/');
    (void)snprintf(kit_why, sizeof kit_why, "%.400s (%s:%d)", what, name == NULL ? file : name + 1,
                   line);
    longjmp(kit_out, 1);
}

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            kit_fail(__FILE__, __LINE__, #cond);                                                   \
    } while (0)
#define CHECK_EQ(a, b)                                                                             \
    do {                                                                                           \
        long long kit_a = (long long)(a), kit_b = (long long)(b);                                  \
        char kit_text[256];                                                                        \
        (void)snprintf(kit_text, sizeof kit_text, "%s is %lld, expected %lld", #a, kit_a, kit_b);  \
        if (kit_a != kit_b)                                                                        \
            kit_fail(__FILE__, __LINE__, kit_text);                                                \
    } while (0)
#define OK(call)                                                                                   \
    do {                                                                                           \
        struct leat_error err = {0};                                                               \
        if ((call) != LEAT_OK)                                                                     \
            kit_fail(__FILE__, __LINE__, err.msg);                                                 \
    } while (0)
/* Until it is so, with a deadline. */
#define AWAIT(cond)                                                                                \
    do {                                                                                           \
        int64_t kit_until = leat_now_ms() + KIT_DEADLINE;                                          \
        while (!(cond)) {                                                                          \
            if (leat_now_ms() > kit_until)                                                         \
                kit_fail(__FILE__, __LINE__, "never: " #cond);                                     \
            (void)poll(NULL, 0, 2);                                                                \
        }                                                                                          \
    } while (0)

static struct leat_kafka_prop kit_props[1];

static inline struct leat_kafka_config kit_config(const char *client)
{
    const char *broker = getenv("KAFKA");
    kit_props[0] =
        (struct leat_kafka_prop){"bootstrap.servers", broker == NULL ? "127.0.0.1:19092" : broker};
    return (struct leat_kafka_config){kit_props, 1, client};
}

/* A name nobody used; kept for the program's life. */
static inline const char *kit_name(const char *what)
{
    static char names[64][64];
    static int n;
    CHECK(n < 64);
    (void)snprintf(names[n], sizeof names[n], "kafkatest.%s.%lld.%d", what,
                   (long long)leat_now_ms(), n);
    return names[n++];
}

static inline const char *kit_topic(void)
{
    const char *name = kit_name("topic");
    struct leat_kafka_config c = kit_config("kit");
    struct leat_topic_spec spec = {name, KIT_PARTITIONS, 1, NULL, 0};
    struct leat_admin *admin = NULL;
    size_t created = 0;
    OK(leat_admin_new(&c, &admin, &err));
    OK(leat_admin_ensure_topics(admin, &spec, 1, &created, 10000, &err));
    leat_admin_free(admin);
    CHECK_EQ(created, 1);
    return name;
}

static inline void kit_delivered(void *arg, void *opaque, leat_status status, int32_t partition,
                                 int64_t offset, const char *what)
{
    (void)opaque, (void)partition, (void)offset, (void)what;
    if (status == LEAT_OK)
        (*(int *)arg)++;
}

/* Records "<from>" .. "<from + n - 1>" into a partition. */
static inline void kit_fill(const char *topic, int32_t partition, int from, int n)
{
    struct leat_kafka_config c = kit_config("kit");
    struct leat_producer *p = NULL;
    int done = 0;
    OK(leat_producer_new(&c, kit_delivered, &done, &p, &err));
    for (int i = 0; i < n; i++) {
        char text[16];
        int len = snprintf(text, sizeof text, "%d", from + i);
        struct leat_outgoing o = {.topic = topic,
                                  .partition = partition,
                                  .key = LEAT_STR("k"),
                                  .value = {text, (uint32_t)len}};
        size_t sent = 0;
        OK(leat_producer_send(p, &o, 1, &sent, &err));
    }
    for (int64_t until = leat_now_ms() + KIT_DEADLINE; done < n && leat_now_ms() < until;)
        leat_producer_poll(p, 10);
    leat_producer_free(p, 1000);
    CHECK_EQ(done, n);
}

/* ---- a member with a thread that polls it ---- */

struct kit_member {
    struct leat_group *g;
    pthread_t thread;
    _Atomic bool stop;
    _Atomic int assigned, revoked, lost, k_count, errors;
    _Atomic int32_t ks[KIT_PARTITIONS];
    _Atomic leat_status poll_status;
    char error[256];
};

static inline void kit_assigned(void *arg, const int32_t *ks, size_t n)
{
    struct kit_member *m = arg;
    for (size_t i = 0; i < n && i < KIT_PARTITIONS; i++)
        m->ks[i] = ks[i];
    m->k_count = (int)n;
    m->assigned++;
}

static inline void kit_revoked(void *arg, const int32_t *ks, size_t n, bool lost)
{
    struct kit_member *m = arg;
    (void)ks, (void)n;
    m->k_count = 0;
    m->lost += lost ? 1 : 0;
    m->revoked++;
}

static inline void kit_partition_error(void *arg, const char *topic, int32_t partition,
                                       const char *what)
{
    struct kit_member *m = arg;
    (void)snprintf(m->error, sizeof m->error, "%s[%d] %s", topic, partition, what);
    m->errors++;
}

static inline void *kit_polls(void *arg)
{
    struct kit_member *m = arg;
    struct leat_error err;
    while (!m->stop) {
        leat_status status = leat_group_poll(m->g, 100, &err);
        if (status != LEAT_OK)
            m->poll_status = status;
        if (status == LEAT_FATAL)
            break;
    }
    return NULL;
}

static inline void kit_join(struct kit_member *m, const char *group, const char *instance,
                            const char *anchor)
{
    struct leat_group_config c = {.kafka = kit_config("kit-member"),
                                  .group = group,
                                  .instance_id = instance,
                                  .anchor = anchor,
                                  .partitions = KIT_PARTITIONS};
    struct leat_group_events events = {kit_assigned, kit_revoked, kit_partition_error, m};
    *m = (struct kit_member){0};
    OK(leat_group_new(&c, &events, &m->g, &err));
    CHECK(pthread_create(&m->thread, NULL, kit_polls, m) == 0);
}

static inline void kit_leave(struct kit_member *m, bool leave)
{
    m->stop = true;
    (void)pthread_join(m->thread, NULL);
    leat_group_free(m->g, leave, 5000);
    m->g = NULL;
}

/* Takes until n records came; checks that their values are from, from + 1, …  */
static inline void kit_take(struct kit_member *m, size_t lane, int from, int n)
{
    struct leat_record r[64];
    int64_t until = leat_now_ms() + KIT_DEADLINE;
    for (int got = 0; got < n;) {
        CHECK(leat_now_ms() < until);
        size_t room = (size_t)(n - got) < 64 ? (size_t)(n - got) : 64;
        size_t k = leat_group_take(m->g, lane, r, room);
        for (size_t i = 0; i < k; i++, got++) {
            char text[16] = "";
            memcpy(text, r[i].value.at, r[i].value.len < 15 ? r[i].value.len : 15);
            CHECK_EQ(strtol(text, NULL, 10), from + got);
        }
        leat_records_free(r, k);
        if (k == 0)
            (void)poll(NULL, 0, 2);
    }
}

static inline bool kit_passes(const struct kit_test *t)
{
    if (setjmp(kit_out) != 0)
        return false;
    t->run();
    return true;
}

static inline int kit_main(const struct kit_test *tests, size_t n, int argc, char **argv)
{
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        if (argc > 1 && strcmp(argv[1], tests[i].name) != 0)
            continue;
        if (kit_passes(&tests[i])) {
            (void)printf("ok %s\n", tests[i].name);
        } else {
            (void)printf("FAIL %s: %s\n", tests[i].name, kit_why);
            failed++;
        }
        (void)fflush(stdout);
    }
    return failed == 0 ? 0 : 1;
}

#endif
