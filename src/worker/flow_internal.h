/* flow_internal.h - what the files flow_*.c share; nobody else includes it. */
#ifndef LEAT_WORKER_FLOW_INTERNAL_H
#define LEAT_WORKER_FLOW_INTERNAL_H

#include "worker/cache.h"
#include "worker/flow.h"

#define FLOW_LANES_MAX     4096
#define FLOW_HAND_MIN      64         /* records on hand per lane, at least */
#define FLOW_RECORD_MAX    (1u << 20) /* limits.message */
#define FLOW_CONFLICTS_MAX 5          /* then it counts as retry */
#define FLOW_TEXT_MAX      500
#define FLOW_HOLD_MS       ((int64_t)500) /* of a lane, doubled each time in a row, 6 times */

/* A record on hand. Settled ones above the low-water mark wait here for those before them. */
struct flow_item {
    struct leat_incoming in;
    struct leat_waiting_row *wait; /* of the waiting room; NULL: a record of the lane */
    bool settled;
    bool left; /* settled for now: its row waits on, behind another of its key */
    uint8_t conflicts;
};

struct flow_lane {
    struct leat_flow_lane spec;
    int64_t committed;     /* as in the store: low-water mark */
    int64_t read;          /* next offset wanted from Kafka */
    int64_t next_seq;      /* EVENTS: next to be handled */
    bool verify;           /* the first record is the one before `committed`, to be compared */
    bool gone;             /* its k was stopped; the slot is free */
    char *stopped;         /* reason, allocated; NULL = flowing */
    int64_t held_until_ms; /* a record answered retry */
    int32_t tries;         /* of it, so far; 0 = none did */
    struct leat_flow_hold hold;
    struct flow_item *items; /* ring: head is the oldest */
    size_t head, count, cap;
    /* in the batch under way */
    size_t taken;       /* items of the prefix that are in it */
    int64_t batch_next; /* where the lane stands if all of them settle */
    int32_t batch_lane; /* index in batch.lanes, -1 = none */
    bool cut;           /* the batch ends, for this lane, before some record */
    int64_t batch_seq;  /* EVENTS: next seq as far as the batch goes */
    uint64_t owed;      /* fingerprint of the record before `committed`, which the store lacks
                           since a conflict stopped the lane there; 0 = none */
    /* EVENTS: seqs missing before the first record on hand; to 0 = none */
    int64_t hole_from, hole_to;
};

struct flow_slice {
    int64_t epoch; /* 0 = not ours */
    int64_t head_seen;
    int64_t sole_since; /* from here on nobody else wrote: entries as_of >= it are right */
    int64_t lost;       /* the epoch under which it was; 0 = it is not */
    size_t room;        /* its lane of the waiting room */
    /* in the batch under way */
    int64_t tickets; /* given so far */
    int32_t fence;   /* index in batch.fences, -1 = none */
    bool untrusted;
};

/* A stream in the batch under way. */
struct flow_key {
    uint64_t hash;
    struct leat_str key, stream;
    int32_t k;
    int64_t version, as_of;
    void *state;
    bool known;             /* state and version may be used */
    const char *unreadable; /* why its history can't be folded, else NULL */
    bool broken;            /* something of it did not settle as decided */
    bool decided;           /* some command of it is in the batch */
    bool astray;            /* its state has events of a command that is not in the batch */
    bool again;             /* its snapshot can't be used: to be loaded from events */
    uint32_t last_command;  /* decided: index in batch.commands */
    int64_t from_version;   /* before the batch */
    int64_t folded;         /* events that loading took */
    struct flow_key *next;
};

typedef enum flow_what {
    FLOW_COMMAND,
    FLOW_FORWARD,
    FLOW_DEAD,
    FLOW_SKIP,    /* settled without a trace: a copy, or nothing of ours */
    FLOW_PARK,    /* its key has others waiting: behind them */
    FLOW_RELEASE, /* a scheduled command whose time has come: to the outbox */
    FLOW_LATER,   /* can't be judged now (the store is to be asked): held, with w->text */
    FLOW_HOLE,    /* seqs before it are missing: not before they are here */
} flow_what;

struct flow_work {
    uint32_t lane;
    struct flow_item *item; /* stays in place while the batch is under way */
    flow_what what;
    int32_t handler, priority, attempts;
    struct leat_uuid id, correlation_id, causation_id; /* without a cause: own id */
    struct leat_str type, key, source;
    struct leat_str to_topic;   /* FORWARD of a source: where to; else its own topic */
    struct leat_str made_value; /* FORWARD of a tombstone: the command it means; else "" */
    struct leat_str code, text; /* DEAD: why */
    bool event;                 /* of the events topic */
    void *message;
    struct flow_key *stream;
    int64_t seq;                   /* of an event */
    bool cut;                      /* not in the batch after all */
    bool left;                     /* its row stays in the waiting room as it is */
    int64_t version;               /* of the stream, when the handler was called */
    struct leat_call *call;        /* made ahead of its turn; NULL = not */
    struct flow_work *next_of_key; /* while calls are made ahead */
    int32_t batch_command;         /* index in batch.commands, -1 = none */
};

struct flow_stuck { /* keys of which a message of this batch waits: the later ones do, too */
    const struct flow_work **slots;
    size_t mask, count;
};

struct flow_suspect { /* struct leat_flow_suspect, kept */
    int32_t k, tries;
    struct leat_uuid id;
    int64_t offset;
    char *topic, *text;
    bool hung, settled;
};

#define FLOW_FLOOD_WINDOW 200

struct flow_flood { /* the last messages, and which of them were given up on */
    bool was[FLOW_FLOOD_WINDOW];
    uint32_t n, at, dead;
    int64_t in_row;
};

struct flow_room { /* what a call of a handler is made in */
    struct leat_arena *arena;
    struct leat_buf *scratch;
};

struct leat_flow {
    struct leat_flow_config c;
    const struct leat_topology *topology;
    const struct leat_priorities *priorities; /* of the processor */
    struct leat_snapshot_form form;
    int64_t snapshot_every; /* events; 0 = no snapshots */
    struct flow_lane *lanes;
    size_t lane_count, lane_cap;
    struct flow_slice *slices; /* [partitions] */
    struct leat_cache *cache;
    struct leat_arena *arena; /* batch */
    struct leat_buf scratch;
    struct flow_room *rooms; /* of each runner; the first is the two above */
    size_t room_count;

    struct flow_work *work;
    size_t work_count, work_cap;
    struct flow_key **keys; /* hash table in the arena */
    size_t key_slots;
    struct flow_key *first_key, *last_key; /* in order of appearance */
    struct leat_stream_want *wants;
    struct flow_key **want_keys;
    size_t want_count;

    struct leat_batch batch;
    size_t command_cap, event_cap, outbox_cap, wait_cap, dead_cap;
    struct leat_waiting *waiting;
    struct flow_stuck stuck;
    struct flow_flood flood;
    char paused[200];              /* why nothing is handled; "" = all is */
    bool flooded;                  /* by ourselves, and nobody has been told */
    struct flow_suspect *suspects; /* of all ks; few, if any */
    size_t suspect_count;
    bool under_way; /* decided, reply awaited */
    bool refreshed; /* schemas were asked for in this batch */
    leat_status refresh_status;
    size_t conflicts_pending;
    bool lock_next;
    struct leat_flow_figures figures;
};

static inline struct flow_item *flow_item_at(const struct flow_lane *l, size_t i)
{
    return &l->items[(l->head + i) & (l->cap - 1)];
}

/* flow.c */
void flow_lane_clear(struct leat_flow *f, struct flow_lane *l);
void flow_push(struct flow_lane *l, const struct leat_incoming *r, struct leat_waiting_row *wait);
void flow_batch_reset(struct leat_flow *f);
void flow_no_conflicts(struct leat_flow *f);
/* flow_read.c: after ABSENT, an unknown schema id: true = worth another try. */
bool flow_refresh_schemas(struct leat_flow *f);
/* The schema framed Avro was written with, and what follows the frame. INVALID: not framed; ABSENT:
 * the store does not have its id; RETRY: the store could not be asked. */
LEAT_MUST_CHECK leat_status flow_schema_of(struct leat_flow *f, struct leat_str bytes,
                                           const struct leat_schema **ret_schema,
                                           struct leat_str *ret_body);
void flow_later(struct flow_work *w);
/* flow_select.c: fills f->work from the lanes. */
void flow_select(struct leat_flow *f, int64_t now_ms);
/* flow_read.c: what a record is; decodes it. */
void flow_read(struct leat_flow *f, struct flow_work *w);
uint64_t flow_fingerprint(const struct leat_incoming *r);
/* flow_calls.c */
void flow_call(struct leat_flow *f, struct flow_work *w, const struct flow_room *room,
               struct leat_call *call);
void flow_call_at_once(struct leat_flow *f);
void flow_rooms_new(struct leat_flow *f);
void flow_rooms_reset(struct leat_flow *f);
void flow_rooms_free(struct leat_flow *f);
/* flow_waiting.c */
bool flow_is_stuck(const struct leat_flow *f, const struct flow_work *w);
bool flow_is_parked(const struct leat_flow *f, const struct flow_work *w);
void flow_park(struct leat_flow *f, struct flow_work *w, int64_t now_ms);
void flow_leave(struct flow_work *w);
void flow_retry(struct leat_flow *f, struct flow_work *w, int64_t now_ms);
void flow_release_command(struct leat_flow *f, struct flow_work *w);
void flow_schedule(struct leat_flow *f, const struct flow_work *w,
                   const struct leat_made_command *c);
void flow_cancel(struct leat_flow *f, const struct flow_work *w, const struct leat_uuid *id);
void flow_take(struct leat_flow *f, const struct flow_work *w);
void flow_waits_replied(struct leat_flow *f, const struct leat_reply *reply);
void flow_room_advance(struct leat_flow *f, struct flow_lane *l);
void flow_item_release(struct leat_flow *f, struct flow_item *item);
/* What can never be handled: a dead letter, and its key held where the topology says so. */
void flow_give_up(struct leat_flow *f, struct flow_work *w, const char *error_class,
                  int64_t now_ms);
static inline bool flow_in_room(const struct leat_flow *f, const struct flow_work *w)
{
    return f->lanes[w->lane].spec.kind == LEAT_LANE_WAITING;
}
/* flow_suspects.c */
void flow_suspects_stop(struct leat_flow *f, int32_t k);
void flow_suspects_free(struct leat_flow *f);
bool flow_item_is_suspect(const struct leat_flow *f, const struct flow_lane *l,
                          const struct flow_item *item);
bool flow_is_condemned(const struct leat_flow *f, const struct flow_work *w);
void flow_condemn(struct leat_flow *f, struct flow_work *w, int64_t now_ms); /* a dead letter */
void flow_suspect_replied(struct leat_flow *f, const struct flow_work *w);   /* it is stored */
/* flow_flood.c: a message was handled, or given up on. */
void flow_flood_count(struct leat_flow *f, bool dead);
/* flow_decide.c: the record can't be handled now; its lane waits until then. */
void flow_hold(struct leat_flow *f, struct flow_work *w, int64_t now_ms, struct leat_str why);
/* flow_rows.c: rows of the batch. */
struct leat_batch_command *flow_add(struct leat_flow *f, struct flow_work *w, leat_outcome outcome);
struct leat_batch_outbox *flow_add_outbox(struct leat_flow *f, const struct flow_work *w);
struct leat_str flow_packed_headers(struct leat_flow *f, const struct flow_work *w); /* scratch */
struct leat_str flow_place(const struct leat_flow *f, const struct flow_work *w,
                           int32_t *ret_partition, int64_t *ret_offset);
void flow_add_command(struct leat_flow *f, struct flow_work *w, const struct leat_call *call);
void flow_add_forward(struct leat_flow *f, struct flow_work *w);
void flow_add_dead(struct leat_flow *f, struct flow_work *w, const char *error_class,
                   int64_t now_ms);
void flow_add_snapshots(struct leat_flow *f);

#endif
