/* relay.h - moves events and outbox rows of owned slices from the store to Kafka, in seq order.
 *
 * One relay per process; slices are shared among processes by the group `<topology>.relay`,
 * anchored on the events topic, with the same acquire protocol as lanes (epoch in `published`). A
 * relay in the process that appended may be handed the batch from memory (leat_relay_offer) so that
 * it need not read it back; what it is not offered, or has no room for, it reads from the store.
 * Position = lowest contiguous acknowledged seq; moved by epoch, only forward, coalesced. */
#ifndef LEAT_RELAY_RELAY_H
#define LEAT_RELAY_RELAY_H

#include "base/status.h"
#include "base/uuid.h"
#include "kafka/kafka.h"
#include "store/store.h"
#include "topology/topology.h"

struct leat_relay;

struct leat_relay_config {
    const struct leat_topology *topology;
    const struct leat_store_options *store;
    const char *instance_id; /* NULL: dynamic member */
    int32_t session_timeout_ms;
};
/* Starts its threads; returns when they run (not when slices are owned). */
LEAT_MUST_CHECK leat_status leat_relay_start(const struct leat_relay_config *c,
                                             struct leat_relay **ret, struct leat_error *err);
/* Publishes and records what is in flight, at most timeout_ms, leaves the group, frees. */
void leat_relay_stop(struct leat_relay *r, int timeout_ms);

/* After a positive append reply, from any thread: copies what the relay can use (slices it owns
 * whose next seq is the offered one), ignores the rest; wakes the relay in every case. Never blocks
 * on I/O. */
void leat_relay_offer(struct leat_relay *r, const struct leat_batch *batch,
                      const struct leat_reply *reply);

struct leat_relay_figures {
    uint64_t events, commands, store_reads, records;
    int32_t slices_owned, slices_acquiring;
    bool joined;            /* Kafka has assigned slices (or none) at least once */
    const char *stopped;    /* reason when a slice is stopped (tail check), else NULL */
    uint64_t events_again;  /* published again, as the topic had lost them */
    int32_t slices_waiting; /* of which Kafka has taken nothing for 5 s though something is due */
    int64_t waiting_ms;     /* the longest such wait, from 0 on */
};
void leat_relay_figures(struct leat_relay *r, struct leat_relay_figures *ret);

#endif
