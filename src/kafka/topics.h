/* topics.h - topics as they are: which there are, their configs, and changing these. Part of
 * kafka.h, with its rules about threads and errors. */
#ifndef LEAT_KAFKA_TOPICS_H
#define LEAT_KAFKA_TOPICS_H

#include "kafka/kafka.h"

struct leat_topic_config {
    const char *name, *value;
    bool own; /* set for this topic; else the broker's default */
};
struct leat_topic_live {
    const char *name;
    int32_t partitions, replicas;
    const struct leat_topic_config *configs; /* after leat_admin_configs() */
    size_t config_count;
    const char *config_error; /* why they could not be read; NULL: they were */
};

/* Every topic there is, in the order of their names. Memory: the arena's. */
LEAT_MUST_CHECK leat_status leat_admin_topics(struct leat_admin *a, struct leat_arena *arena,
                                              struct leat_topic_live **ret, size_t *ret_n,
                                              int timeout_ms, struct leat_error *err);
/* Fills in the configs of these topics, or `config_error` of those that may not be looked at. */
LEAT_MUST_CHECK leat_status leat_admin_configs(struct leat_admin *a, struct leat_topic_live *topics,
                                               size_t n, struct leat_arena *arena, int timeout_ms,
                                               struct leat_error *err);
/* Sets configs of one topic; its other own ones stay as *live has them. */
LEAT_MUST_CHECK leat_status leat_admin_alter(struct leat_admin *a,
                                             const struct leat_topic_live *live,
                                             const struct leat_kafka_prop *changes, size_t n,
                                             int timeout_ms, struct leat_error *err);

#endif
