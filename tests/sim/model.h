/* model.h - the system that is simulated: its topology, its messages and its handlers.
 *
 * Processors `deposits` and `withdrawals` write to the same streams (aggregate account); `audits`
 * has an aggregate of its own and gets its commands from `deposits` alone. Two priorities each. A
 * foreign topic feeds `deposits`. handlers.c implements worker/dispatch.h with a trivial encoding,
 * in place of the real dispatch library: protocol bugs, not codec bugs, are looked for here.
 *
 * Every event and every answer carries the hash of the stream as its handler saw it: a decision
 * made on a state that never existed shows as soon as it is stored. */
#ifndef SIM_MODEL_H
#define SIM_MODEL_H

#include <stdint.h>

#include "base/uuid.h"
#include "topology/topology.h"
#include "worker/dispatch.h"

#define SIM_PARTITIONS         4
#define SIM_PROCESSORS         4
#define SIM_AUDITS             2
#define SIM_ALERTS             3 /* a policy: reads the events topic, sends to audits */
#define SIM_PRIORITIES         2
#define SIM_KEYS               14
#define SIM_FOREIGN_PARTITIONS 3

typedef enum sim_topic_id { /* commands of processor p with priority q: p * SIM_PRIORITIES + q */
    SIM_TOPIC_EVENTS = SIM_PROCESSORS * SIM_PRIORITIES,
    SIM_TOPIC_FOREIGN,
    SIM_TOPIC_DLQ, /* first of SIM_PROCESSORS */
    SIM_TOPICS = SIM_TOPIC_DLQ + SIM_PROCESSORS
} sim_topic_id;

const struct leat_topology *sim_topology(void);
const char *sim_topic_name(int32_t topic);
int32_t sim_topic_find(struct leat_str name); /* -1 = none */
int32_t sim_topic_partitions(int32_t topic);

typedef enum sim_behaviour {
    SIM_ACCEPT = 1, /* `events` events, one command to audits when `send` */
    SIM_DEBIT,      /* rejected when the balance does not suffice */
    SIM_POISON,
    SIM_RETRY, /* answers retry until the world's clock has reached `ready_ms` */
    SIM_CRASH, /* ends its process with a signal, each time */
} sim_behaviour;

/* A command's value; `magic` wrong = does not decode. */
struct sim_command {
    uint32_t magic;
    uint8_t behaviour, events, send, spare;
    uint32_t number;
    int64_t amount, ready_ms;
    uint16_t slow_ms;      /* so long the handler takes */
    uint8_t mail, cancels; /* mail: it calls the world outside, once; cancels: what `target` sent */
    uint16_t later_ms, pad; /* what it sends goes out so much later */
    struct leat_uuid target;
    char key[8]; /* the account's name, NUL-padded: for records without a Kafka key */
};
#define SIM_SLOW_MS 100 /* from here on kill -9 is aimed at it */
#define SIM_MAGIC   0x7e4a11edu

struct sim_event_body {
    uint64_t seen; /* hash of the stream before this event */
    int64_t amount;
    uint32_t number, index;
};

struct sim_state {
    uint64_t seen;
    int64_t balance, count;
};

/* The state after one more event: what fold does, and what the checker does by itself. */
void sim_fold(struct sim_state *s, const struct sim_event_body *e);
/* Rejections and answers without events carry the hash they saw, as hexadecimal text. */
#define SIM_SEEN_TEXT 17

/* handlers.c. */
struct sim;
struct leat_dispatch *sim_dispatch_new(int32_t processor, struct sim *w);
/* What the last calls took together, and whether one of them was the end of its process; asking
 * forgets it. */
int64_t sim_dispatch_spent_us(struct leat_dispatch *d);
bool sim_dispatch_crashed(struct leat_dispatch *d);
bool sim_dispatch_slow(const struct leat_dispatch *d); /* the last call */

/* The world outside, which does a call once per key, however often it is made. */
struct sim_effect {
    struct leat_uuid key;
    struct sim_effect *next;
};
struct sim_outside {
    struct sim_effect **of; /* [command number]: distinct keys */
};

/* Puts ce_id and ce_type into a packed header run. */
struct leat_buf;
/* And of events. */
void sim_headers_event(struct leat_buf *out, const struct leat_uuid *store_id, int64_t seq,
                       int64_t recorded_at_us);
void sim_headers(struct leat_buf *out, const struct leat_uuid *id, struct leat_str type);

#endif
