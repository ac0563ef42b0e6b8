/* kafka.h - librdkafka behind three handles: a group member, a plain reader, a producer; and admin.
 *
 * Configuration: properties as the topology gives them (librdkafka names), plus what leat owns.
 * Errors: RETRY = broker or network; INVALID = a property librdkafka refuses, named; FATAL = fatal
 * error of the handle. No function waits for ever: each has a time limit. */
#ifndef LEAT_KAFKA_KAFKA_H
#define LEAT_KAFKA_KAFKA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "leat/str.h"

struct leat_kafka_prop {
    const char *name, *value;
};
struct leat_kafka_config {
    const struct leat_kafka_prop *props; /* common, then role overrides: later ones win */
    size_t prop_count;
    const char *client_id; /* "<topology>.<role>@<instance>" */
};

/* ---- records ---- */

/* Who sends a record says its time, and may say anything (nanoseconds, as if they were ms): one
 * outside these is taken for the nearer of them, so that the store can keep it, and delays be added
 * to it. */
#define LEAT_RECORD_TIME_MIN_MS (-INT64_C(200000000000000)) /* 4369 BC */
#define LEAT_RECORD_TIME_MAX_MS INT64_C(9000000000000000)   /* 287168 AD */

struct leat_record {       /* slices point into librdkafka's memory until leat_records_free */
    struct leat_str topic; /* static for the consumer's life */
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms; /* -1 = the record has none */
    struct leat_str key, value;
    bool key_null, value_null;
    void *handle;                   /* rd_kafka_message_t */
    struct leat_str packed_headers; /* of a record without handle (leat_admin_record) */
};
/* Header by name; headers are parsed on the first call for a record. False = absent. */
bool leat_record_header(const struct leat_record *r, const char *name, struct leat_str *ret_value);
/* All headers in packed form (base/record_headers.h), for dead letters and forwarding. */
void leat_record_headers_pack(const struct leat_record *r, struct leat_buf *out);
void leat_records_free(struct leat_record *records, size_t n); /* from any one thread */

/* ---- group member (design 4: eager, static membership; offsets live in the store) ---- */

struct leat_group;

struct leat_position {
    const char *topic;
    int32_t partition;
    int64_t offset; /* next to read */
};
struct leat_group_config {
    struct leat_kafka_config kafka;
    const char *group;       /* group.id */
    const char *instance_id; /* group.instance.id, or NULL: dynamic member */
    const char *anchor;      /* the one topic subscribed to */
    int32_t partitions;
    int32_t session_timeout_ms; /* 0 = 6000 */
    int32_t queued_kbytes;      /* librdkafka's local queue per partition; 0 = default here */
};
/* Called inside leat_group_poll, on its thread. `ks` = partitions of the anchor given or taken.
 * revoked: everything read from the lanes must be finished or dropped when it returns (drain with a
 * deadline); lost = membership is already gone. */
struct leat_group_events {
    void (*assigned)(void *arg, const int32_t *ks, size_t n);
    void (*revoked)(void *arg, const int32_t *ks, size_t n, bool lost);
    /* Reading can't go on from an error on this partition: offset out of range, unknown topic. */
    void (*partition_error)(void *arg, const char *topic, int32_t partition, const char *what);
    void *arg;
};
LEAT_MUST_CHECK leat_status leat_group_new(const struct leat_group_config *c,
                                           const struct leat_group_events *events,
                                           struct leat_group **ret, struct leat_error *err);
/* Serves the group until the time is over or a rebalance was served: rebalances, errors of lanes.
 * Own thread; call at least every few seconds. RETRY, ABSENT (no such anchor): go on polling.
 * FATAL: the member is dead and says nothing any more; free it and make another. */
LEAT_MUST_CHECK leat_status leat_group_poll(struct leat_group *g, int timeout_ms,
                                            struct leat_error *err);
/* After FATAL: it was another process that joined under our instance id. Joining under it again
 * would end that one in turn. */
bool leat_group_replaced(const struct leat_group *g);
/* Commits these offsets synchronously: OK = the coordinator says that we are a member now. FENCED =
 * it says we are not (or a rebalance is on). Any partitions of any topic. Any thread. */
LEAT_MUST_CHECK leat_status leat_group_commit(struct leat_group *g, const struct leat_position *at,
                                              size_t n, int timeout_ms, struct leat_error *err);
/* Commits without waiting; failures are dropped (Postgres is the truth). */
void leat_group_commit_async(struct leat_group *g, const struct leat_position *at, size_t n);
/* Replaces everything that is read by these positions (one call after an assignment is acquired),
 * each into its own queue that wakes `wake_fd` (an eventfd) of its position. */
LEAT_MUST_CHECK leat_status leat_group_read(struct leat_group *g, const struct leat_position *at,
                                            const int *wake_fds, size_t n, struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_group_seek(struct leat_group *g, const struct leat_position *at,
                                            struct leat_error *err);
/* Sets each position's offset to the first one its partition has, with one question for all; over
 * the member's own connections. ABSENT when a topic or partition does not exist. */
LEAT_MUST_CHECK leat_status leat_group_first(struct leat_group *g, struct leat_position *at,
                                             size_t n, int timeout_ms, struct leat_error *err);
/* Of a partition that gives nothing: ends a pause it may be in. Seek it afterwards. */
void leat_group_resume(struct leat_group *g, const struct leat_position *at);
/* Up to `max` records waiting in the queue of (topic, partition); never blocks. `lane` = index of
 * the position in the last leat_group_read. One thread per lane at a time. Error records are not
 * returned: they go to partition_error. The fd is written when the queue stops being empty, so take
 * until fewer than `max` come before waiting for it. */
size_t leat_group_take(struct leat_group *g, size_t lane, struct leat_record *ret, size_t max);
/* End of the lane's partition as Kafka's last answer had it, without asking; -1 = not known. */
int64_t leat_group_high(struct leat_group *g, size_t lane);
/* Leaves at once when `leave`; else keeps the static membership for a quick restart. Waits at most
 * timeout_ms. All records must have been freed. */
void leat_group_free(struct leat_group *g, bool leave, int timeout_ms);

/* ---- plain reader: assigned partitions, no group (projections, checks, tools) ---- */

struct leat_reader;
LEAT_MUST_CHECK leat_status leat_reader_new(const struct leat_kafka_config *c,
                                            const struct leat_position *at, size_t n,
                                            int32_t queued_kbytes, struct leat_reader **ret,
                                            struct leat_error *err);
/* Up to max records of any partition; waits up to timeout_ms for the first. A partition that can't
 * be read on (offset out of range) is RETRY: seek it. */
LEAT_MUST_CHECK leat_status leat_reader_take(struct leat_reader *r, int timeout_ms,
                                             struct leat_record *ret, size_t max, size_t *ret_n,
                                             struct leat_error *err);
/* The partition the last RETRY was about; -1 = none. */
int32_t leat_reader_bad_partition(const struct leat_reader *r);
LEAT_MUST_CHECK leat_status leat_reader_seek(struct leat_reader *r, const struct leat_position *at,
                                             int timeout_ms, struct leat_error *err);
void leat_reader_free(struct leat_reader *r);

/* ---- producer: idempotent, acks=all; one per process is enough. Any thread may send; one at a
 * time polls ---- */

struct leat_producer;
/* Called from leat_producer_poll for each record: status OK = acknowledged; RETRY = not (gave up in
 * time); INVALID = refused for good (too large and the like). Order of calls is not order of
 * sending. */
typedef void (*leat_delivered)(void *arg, void *opaque, leat_status status, int32_t partition,
                               int64_t offset, const char *what);
LEAT_MUST_CHECK leat_status leat_producer_new(const struct leat_kafka_config *c,
                                              leat_delivered delivered, void *arg,
                                              struct leat_producer **ret, struct leat_error *err);
struct leat_outgoing {
    const char *topic;
    int32_t partition;
    struct leat_str key, value, headers; /* headers packed; "" = none */
    bool key_null, value_null;
    int64_t timestamp_ms; /* 0 = now */
    void *opaque;
};
/* Copies. RETRY = local queue full: poll, then call again with the rest from *ret_sent on. INVALID
 * at *ret_sent = that record is refused for good. */
LEAT_MUST_CHECK leat_status leat_producer_send(struct leat_producer *p,
                                               const struct leat_outgoing *records, size_t n,
                                               size_t *ret_sent, struct leat_error *err);
int leat_producer_poll(struct leat_producer *p, int timeout_ms); /* deliveries served */
/* This eventfd becomes readable when deliveries wait for leat_producer_poll; -1 = none. */
void leat_producer_wake_fd(struct leat_producer *p, int fd);
size_t leat_producer_pending(const struct leat_producer *p);
/* Fatal error of the handle (it must be made anew), as text; NULL = none. */
const char *leat_producer_fatal(struct leat_producer *p);
void leat_producer_free(struct leat_producer *p, int timeout_ms);

/* ---- admin ---- */

struct leat_admin;
LEAT_MUST_CHECK leat_status leat_admin_new(const struct leat_kafka_config *c,
                                           struct leat_admin **ret, struct leat_error *err);
void leat_admin_free(struct leat_admin *a);
struct leat_topic_spec {
    const char *name;
    int32_t partitions, replication;
    const struct leat_kafka_prop *config;
    size_t config_count;
};
/* Creates what is missing; an existing topic with another partition count is INVALID, naming it. */
LEAT_MUST_CHECK leat_status leat_admin_ensure_topics(struct leat_admin *a,
                                                     const struct leat_topic_spec *specs, size_t n,
                                                     size_t *ret_created, int timeout_ms,
                                                     struct leat_error *err);
/* Low and high watermark of each position; ABSENT when a topic or partition does not exist. */
struct leat_watermarks {
    int64_t low, high;
};
LEAT_MUST_CHECK leat_status leat_admin_watermarks(struct leat_admin *a,
                                                  const struct leat_position *at, size_t n,
                                                  struct leat_watermarks *ret, int timeout_ms,
                                                  struct leat_error *err);
/* The one record at (topic, partition, offset), copied into the arena with its `packed_headers`.
 * ABSENT when there is none; RETRY when nobody can tell, or may not. */
LEAT_MUST_CHECK leat_status leat_admin_record(struct leat_admin *a, const struct leat_position *at,
                                              struct leat_arena *arena, struct leat_record *ret,
                                              int timeout_ms, struct leat_error *err);
/* Partition count of a topic; ABSENT when it does not exist. */
LEAT_MUST_CHECK leat_status leat_admin_partitions(struct leat_admin *a, const char *topic,
                                                  int32_t *ret, int timeout_ms,
                                                  struct leat_error *err);

#endif
