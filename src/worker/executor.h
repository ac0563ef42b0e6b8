/* executor.h - one thread that runs batches for its ks: the I/O around a flow. Private to the
 * worker. */
#ifndef LEAT_WORKER_EXECUTOR_H
#define LEAT_WORKER_EXECUTOR_H

#include "kafka/kafka.h"
#include "worker/flow.h"
#include "worker/worker.h"

struct leat_executor;

/* A k to run: its lanes are [first_lane, first_lane + n) of what the group reads. */
struct leat_executor_start {
    int32_t k;
    int64_t epoch, head_seq;
    size_t first_lane, n;
    bool seek;                    /* the lanes have been read from before: place them anew */
    struct leat_flow_lane *lanes; /* copied */
    bool suspects;                /* the store knows messages of k that have crashed before */
};

struct leat_executor_config {
    const struct leat_worker_config *worker;
    struct leat_dispatch *dispatch;
    int32_t number;
    /* A k must be acquired again. From the executor's thread. */
    void (*lost)(void *arg, int32_t k, int64_t epoch);
    void *arg;
};
LEAT_MUST_CHECK leat_status leat_executor_new(const struct leat_executor_config *c,
                                              struct leat_executor **ret, struct leat_error *err);
int leat_executor_wake_fd(const struct leat_executor *e);
/* From the group's thread: */
void leat_executor_group(struct leat_executor *e, struct leat_group *group); /* after stop_all */
void leat_executor_start(struct leat_executor *e, const struct leat_executor_start *s);
/* Finishes the batch under way and lets go of every k; false when that took longer than timeout_ms
 * (the store's fence then protects what it still does). */
bool leat_executor_stop_all(struct leat_executor *e, int timeout_ms);
void leat_executor_stop_lane(struct leat_executor *e, size_t lane, const char *why);
/* Ends the thread, at most timeout_ms after its current call, and frees. False: it is stuck in a
 * handler and lives on: nothing that it uses may be freed. */
bool leat_executor_free(struct leat_executor *e, int timeout_ms);

/* Lanes of partitions beyond the topology's are called "topic#1" (partition k + 1 * partitions):
 * gives topic and partition as Kafka knows them; `room` has 256 bytes. */
const char *leat_lane_topic(const struct leat_flow_lane *l, char *room, int32_t partitions,
                            int32_t *ret_partition);

void leat_executor_figures(struct leat_executor *e, struct leat_worker_figures *add);

#endif
