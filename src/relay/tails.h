/* tails.h - the ends of all slices in the events topic, compared with the store (tail.h): what
 * `leat store adopt` decides on. Reads only. */
#ifndef LEAT_RELAY_TAILS_H
#define LEAT_RELAY_TAILS_H

#include "base/arena.h"
#include "base/status.h"
#include "kafka/kafka.h"
#include "relay/tail.h"
#include "store/store.h"
#include "topology/topology.h"

struct leat_tails_config {
    const struct leat_topology *topology;
    const struct leat_kafka_config *kafka;
    struct leat_store *store;
    int timeout_ms; /* without any record from Kafka */
};
struct leat_tails {
    struct leat_tail *at; /* [n], by slice */
    int32_t n;
    struct leat_tail_record *lost; /* by slice and seq */
    size_t n_lost;
    size_t strangers; /* records that are not leat's, passed over */
    bool in_common;   /* some slice agrees with its partition, or there are no records */
};
/* Looks back from each partition's end as far as it takes to find what both have. Memory: the
 * arena's. Call it while nobody publishes: what is published behind its back is not looked at. */
LEAT_MUST_CHECK leat_status leat_tails_compare(const struct leat_tails_config *c,
                                               struct leat_arena *arena, struct leat_tails *ret,
                                               struct leat_error *err);

#endif
