/* seqrule.h - what a reader does with an event, given what it has: design 2 in one pure file.
 *
 * Position of an event = (store id, slice, seq), seq dense per slice. A reader keeps one checkpoint
 * per slice, applies seq == last + 1, drops what it has, and takes a hole from the store. No I/O,
 * no clock: the projector and the simulator drive the same functions. One slice at a time: callers
 * index. */
#ifndef LEAT_PROJECTION_SEQRULE_H
#define LEAT_PROJECTION_SEQRULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"

struct leat_checkpoint { /* of one slice; all zero = nothing applied, store not yet known */
    struct leat_uuid store_id;
    struct leat_uuid event_id; /* of the event at `seq` */
    int64_t seq;               /* last applied; 0 = none */
    int64_t next_offset;       /* hint: where to go on reading in Kafka; -1 or 0 = beginning */
    /* The slice's clock, for models with a `ttl`: the latest recorded_at up to `seq`, unix ms. */
    int64_t time_ms;
};

struct leat_seq_event {
    struct leat_uuid store_id;
    struct leat_uuid event_id;
    int64_t seq;
};

struct leat_seq_range { /* both inclusive */
    int64_t from, to;
};

typedef enum leat_seq_verdict {
    LEAT_SEQ_APPLY,   /* seq == last + 1 */
    LEAT_SEQ_DROP,    /* a copy of what is applied already */
    LEAT_SEQ_HOLE,    /* later than the next one: take the range from the store, then judge again */
    LEAT_SEQ_FOREIGN, /* of another store id: never applied */
    LEAT_SEQ_MISMATCH, /* the seq we stand at, but another event: one of the two histories is gone
                        */
} leat_seq_verdict;

/* seq below 1 is a DROP. A checkpoint without a store id takes any store's events. */
leat_seq_verdict leat_seqrule_judge(const struct leat_checkpoint *have,
                                    const struct leat_seq_event *event,
                                    struct leat_seq_range *ret_hole);
/* After LEAT_SEQ_APPLY: the event is the checkpoint now. next_offset stays as it is. */
void leat_seqrule_advance(struct leat_checkpoint *have, const struct leat_seq_event *event);

typedef enum leat_seq_tail {
    LEAT_TAIL_COMPLETE, /* everything published is applied (more may be: relays record late) */
    LEAT_TAIL_FETCH,    /* published, but Kafka did not bring it: take the range from the store */
    LEAT_TAIL_FOREIGN,  /* the slice belongs to another store id now: rebuild */
    LEAT_TAIL_AHEAD,    /* we stand above the slice's head: the store went back */
} leat_seq_tail;

/* Of an idle slice: `published` and `head` as the store has them. */
leat_seq_tail leat_seqrule_tail(const struct leat_checkpoint *have,
                                const struct leat_uuid *store_id, int64_t published, int64_t head,
                                struct leat_seq_range *ret_missing);

typedef enum leat_seq_reconciled {
    LEAT_RECONCILED_SAME,    /* nobody else wrote: apply what follows `have` */
    LEAT_RECONCILED_ADOPT,   /* the file is ahead (another projector): go on from there */
    LEAT_RECONCILED_REWIND,  /* the file is behind (an old copy was put back): go on from there */
    LEAT_RECONCILED_FOREIGN, /* other store id, or another event at the same seq: write nothing */
} leat_seq_reconciled;

/* Inside the write transaction: `committed` = what this reader last wrote or read there, `file` =
 * what stands there now. Unless FOREIGN, *committed becomes *file. */
leat_seq_reconciled leat_seqrule_reconcile(struct leat_checkpoint *committed,
                                           const struct leat_checkpoint *file);

#endif
