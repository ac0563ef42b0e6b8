/* probe.h - what a cluster says about itself, for people: brokers, topics' settings, groups and who
 * is in them. Reads only. Each call waits at most its time limit. Owner: one thread. */
#ifndef LEAT_KAFKA_PROBE_H
#define LEAT_KAFKA_PROBE_H

#include "kafka/kafka.h"

struct leat_probe;

LEAT_MUST_CHECK leat_status leat_probe_new(const struct leat_kafka_config *c,
                                           struct leat_probe **ret, struct leat_error *err);
void leat_probe_free(struct leat_probe *p);  /* NULL allowed */
const char *leat_probe_client_version(void); /* librdkafka's */
int leat_probe_client_version_number(void);  /* 0xMMmmrrff */

struct leat_probe_broker {
    int32_t id, port;
    struct leat_str host;
};
struct leat_probe_cluster {
    struct leat_probe_broker *brokers; /* in the arena */
    size_t n;
    int32_t controller; /* -1 = not known */
};
LEAT_MUST_CHECK leat_status leat_probe_cluster(struct leat_probe *p, struct leat_arena *arena,
                                               struct leat_probe_cluster *ret, int timeout_ms,
                                               struct leat_error *err);

struct leat_probe_topic {
    int32_t partitions, replicas, in_sync; /* the least of all partitions */
    int32_t without_leader;                /* how many partitions */
};
/* ABSENT when it does not exist. */
LEAT_MUST_CHECK leat_status leat_probe_topic(struct leat_probe *p, const char *topic,
                                             struct leat_probe_topic *ret, int timeout_ms,
                                             struct leat_error *err);

/* All settings of a topic, or of the broker with that id (as text). */
typedef enum leat_probe_kind {
    LEAT_PROBE_TOPIC,
    LEAT_PROBE_BROKER,
} leat_probe_kind;
struct leat_probe_of {
    leat_probe_kind kind;
    const char *name;
};
struct leat_probe_settings {
    struct leat_kafka_prop *at; /* in the arena; values NULL where the broker keeps them secret */
    size_t n;
};
LEAT_MUST_CHECK leat_status leat_probe_settings(struct leat_probe *p, struct leat_probe_of of,
                                                struct leat_arena *arena,
                                                struct leat_probe_settings *ret, int timeout_ms,
                                                struct leat_error *err);
const char *leat_probe_setting(const struct leat_probe_settings *s, const char *name); /* or NULL */

struct leat_probe_member {
    struct leat_str client_id, instance_id, host; /* instance_id "" = dynamic */
    int32_t *partitions;                          /* of any topic */
    size_t n;
};
struct leat_probe_group {
    struct leat_str state; /* "Stable", "Empty", "Dead" = no such group, … */
    struct leat_probe_member *members;
    size_t n;
};
LEAT_MUST_CHECK leat_status leat_probe_group(struct leat_probe *p, const char *group,
                                             struct leat_arena *arena, struct leat_probe_group *ret,
                                             int timeout_ms, struct leat_error *err);

#endif
