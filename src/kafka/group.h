/* group.h - the inside of a group member: membership in group.c, what it reads in group_lanes.c.
 * Private to this folder. */
#ifndef LEAT_KAFKA_GROUP_H
#define LEAT_KAFKA_GROUP_H

#include <pthread.h>

#include "kafka/internal.h"

struct leat_lane_queue {
    rd_kafka_queue_t *q;
    const char *topic;
    int32_t partition;
    int wake_fd;
    _Atomic int64_t next;        /* offset after the last record handed out */
    _Atomic int64_t empty_since; /* mono us since it is empty although Kafka has more; 0 = is not */
    _Atomic int64_t nudged_at;   /* `next` when it was nudged: once per time it runs empty */
    _Atomic bool failed;         /* `error` is set and not yet told */
    pthread_mutex_t error_lock;
    char error[256];
};

struct leat_group {
    rd_kafka_t *rk;
    rd_kafka_queue_t *main_queue;
    struct leat_group_events events;
    struct leat_kafka_names *names;
    const char *anchor;
    /* Readers: take, commit. Writers: rebalance and read, which replace the lanes. */
    pthread_rwlock_t lock;
    bool assigned, closing, rebalanced, replaced;
    int32_t *ks;
    size_t k_count;
    struct leat_lane_queue *lanes;
    size_t lane_count;
    int64_t turned_us; /* when librdkafka's main thread was last made to turn */
    _Atomic uint64_t nudges;
    _Atomic bool attention; /* some lane is empty with a backlog, or failed */
};

/* Gives up all queues; none is touched by librdkafka or a taker when it returns. */
void leat_group_drop_lanes(struct leat_group *g);
/* Tells errors of lanes, nudges lanes that starve; true: look again in a few milliseconds. */
bool leat_group_attend(struct leat_group *g);
void leat_group_wake(struct leat_group *g);

#endif
