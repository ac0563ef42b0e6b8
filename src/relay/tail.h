/* tail.h - one slice's end in the events topic against the store: which events readers of Kafka
 * have got that the store has not (lost commits), and up to where both agree. Pure. */
#ifndef LEAT_RELAY_TAIL_H
#define LEAT_RELAY_TAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "leat/str.h"
#include "store/adopt.h"
#include "store/lineage.h"

struct leat_tail_record { /* of the topic */
    int32_t slice;
    int64_t offset, seq, version, published_ms;
    struct leat_uuid store_id, event_id, command_id;
    struct leat_str type, key;
    leat_descent descent;
};

#define LEAT_TAIL_FOREIGN_MAX 8 /* more of them are left to be stumbled over again */

struct leat_tail {
    int32_t slice;
    int64_t head_seq, published_seq; /* of the store */
    int64_t topic_seq;               /* highest in the topic that is not void already; 0 = none */
    int64_t low_seq;                 /* lowest among the records looked at that is ours; 0 = none */
    bool low_agrees;                 /* the store has that very event at its place */
    bool agrees;                     /* some record is the store's event at its seq */
    bool forks;                      /* something is lost, or of a store that is no ancestor */
    int64_t fork_seq; /* then: the last event that stays; all above is published again */
    struct leat_uuid store_id;
    struct leat_uuid foreign[LEAT_TAIL_FOREIGN_MAX]; /* store ids of the topic, no ancestors */
    size_t n_foreign;
    size_t lost; /* records, after leat_tail_compare() the first of its array */
};

/* `records` are in offset order, without holes, up to the topic's end. `ids` are all events of the
 * store from `ids[0].seq` on up to the highest seq among the records. The lost ones are moved to
 * the front, by seq, each once; fills everything but slice, head_seq,
 * published_seq and store_id. */
void leat_tail_compare(struct leat_tail *t, struct leat_tail_record *records, size_t n,
                       const struct leat_event_id *ids, size_t n_ids);

#endif
