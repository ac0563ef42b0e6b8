/* plants.h - the defences of the protocol by name, and the plants: some of them taken away, so that
 * the simulator shows that it would find their lack. interleavings.md has the schedules by number;
 * README.md the table. A plant takes away what would hide it as well. */
#ifndef SIM_PLANTS_H
#define SIM_PLANTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum sim_defence {
    SIM_D_EPOCH,         /* store: a batch's epochs are compared */
    SIM_D_OFFSET,        /* store: a batch's first offsets are compared */
    SIM_D_DEDUPE,        /* store: known ids of what clients send are looked up */
    SIM_D_DEDUPE_SENT,   /* store: known ids of what a relay sends, and of events, as well */
    SIM_D_DEDUPE_NARROW, /* store: the look-up is by (slice, processor, id), not by id alone */
    SIM_D_DEDUPE_LONG,   /* store: and over all time, not within one time partition */
    SIM_D_ACQUIRE,       /* worker: an outcome that is unknown is settled by acquiring */
    SIM_D_REACQUIRE,     /* worker: who is fenced acquires again */
    SIM_D_IDLE_LOOK,     /* worker: an idle owner asks whether it still is one */
    SIM_D_CONFIRM,       /* worker: the coordinator confirms before an epoch is raised */
    SIM_D_ONE_FENCE,     /* store: one fence row for all priorities of k */
    SIM_D_VERSIONS,      /* store: expected versions are compared */
    SIM_D_TAINT,         /* store: a conflict fails what follows of its stream as well */
    SIM_D_MARK,          /* store: a lane's offset never passes what has not settled */
    SIM_D_FRESH_APPEND,  /* store: duplicates and versions are read after the lock */
    SIM_D_FRESH_CLAIM,   /* store: lanes and waiting keys of a claim as well */
    SIM_D_STORE_ID,      /* all: a store that went back stops leat until its id is forked */
    SIM_D_FORK_ALWAYS,   /* adopt: forks even where the topic's end shows nothing lost */
    SIM_D_FORK_EPOCHS,   /* adopt: raises all epochs above those that were lost */
    SIM_D_STABLE_IDS,    /* handlers: ids of what they make follow from the input's id */
    SIM_D_FINGERPRINT,   /* worker: the record before a lane's offset is compared */
    SIM_D_POSITION,      /* relay: starts where the last one has recorded */
    SIM_D_START_OVER,    /* relay: acquires every slice again when its connection broke */
    SIM_D_CONTIGUOUS,    /* relay: records what is acknowledged without a gap */
    SIM_D_RELAY_EPOCH,   /* relay: positions move by epoch only, and forward */
    SIM_D_REFUSED,       /* relay: what the broker refuses for good is put aside */
    SIM_D_TAIL,          /* readers: at an idle end the published seq is compared */
    SIM_D_DROP,          /* readers: what is applied already is dropped */
    SIM_D_REPAIR,        /* readers: a hole is taken from the store */
    SIM_D_SEQ_LANE,      /* policies: their lanes follow the seq rule */
    SIM_D_CHECKPOINT,    /* projector: the file's checkpoint is compared where it writes */
    SIM_D_REDIS_MISSING, /* projector: a missing checkpoint means rebuild, not zero */
    SIM_D_REDIS_OLDER,   /* projector: rows ahead of their checkpoint mean rebuild */
    SIM_D_COMMUTE,       /* models: rows fed by several partitions commute */
    SIM_D_SNAPSHOT,      /* store: a snapshot is kept only if its command is stored */
    SIM_D_EFFECT_KEY,    /* handlers: outside calls carry a stable key */
    SIM_D_FORWARD,       /* worker: what lies in another partition is forwarded to its own */
    SIM_D_IDLE_LIMIT,    /* store: ends transactions of clients that are silent */
    SIM_D_EVIDENCE,      /* supervisor: only a fatal signal of its own counts against a message */
    SIM_D_TRIES_KEPT,    /* supervisor: tries are counted in the store, not in a process */
    SIM_D_AGEING,        /* worker: who waited for max_wait goes first */
    SIM_D_TICKETS,       /* worker: waiting messages of a key go by ticket, not by time */
    SIM_D_PARKED_KNOWN,  /* worker: waiting rows are read when k is acquired */
    SIM_D_WAITING_OPEN,  /* store: a message that waits is not known as settled */
    SIM_D_WAIT_TAKEN,    /* store: a row leaves the waiting room with what settles its message */
    SIM_D_REDRIVE_ONCE,  /* operator: redrive is a compare-and-set on the dead letter */
    SIM_D_CHANGE_FENCED, /* operator: who changes waiting rows raises the epoch */
    SIM_DEFENCES
} sim_defence;

struct sim_plant {
    const char *name;
    int entry;           /* of interleavings.md; 0 = none of its own */
    uint64_t off;        /* bits by sim_defence */
    uint32_t faults;     /* under which it is to be found */
    const char *finders; /* invariants that may find it, by spaces; "" = a control, must hold */
    /* One writer per stream: records settled above the low-water mark after a conflict are
     * recognised by nothing but the look-up of known ids. */
    bool lonely;
    uint64_t seed; /* where it was found before: looked at first; 0 = from the first one on */
};

extern const struct sim_plant sim_plants[];
extern const size_t sim_plant_count;

const struct sim_plant *sim_plant_find(const char *name); /* NULL = none */
bool sim_plant_holds(const struct sim_plant *p);
bool sim_plant_found_by(const struct sim_plant *p, const char *invariant);

#endif
