/* log.h - the simulated Kafka: topics, partitions, producers, and groups with their coordinator. */
#ifndef SIM_LOG_H
#define SIM_LOG_H

#include "model.h"
#include "world.h"

#define SIM_RECORDS_MAX 8192 /* per partition */

struct sim_record {
    struct leat_str key, headers, value;
    bool key_null;
    int64_t timestamp_ms;
    uint64_t settled; /* the checker's: which of all commits accounts for it; 0 = none */
};
struct sim_position { /* of an event, as its record says */
    struct leat_uuid store_id, event_id;
    int64_t seq, recorded_at_us;
};
bool sim_position_of(const struct sim_record *r, struct sim_position *ret);
struct sim_partition {
    struct sim_record **records;
    int64_t end;
};
struct sim_message { /* to be produced: copied */
    int32_t topic, partition;
    struct leat_str key, headers, value;
    bool key_null;
};

/* ---- groups ---- */

#define SIM_MEMBERS_MAX 8
#define SIM_SESSION_US  (6 * SIM_SECOND)

typedef enum sim_answer {
    SIM_OK,
    SIM_REBALANCE,
    SIM_UNKNOWN_MEMBER,
    SIM_FENCED
} sim_answer;

struct sim_seat { /* a static member, by instance */
    bool used, joined;
    int32_t instance;
    uint64_t member; /* id given at its last join */
    int64_t seen_us;
    bool ks[SIM_PARTITIONS];
    struct sim_join *join; /* answer owed */
};
struct sim_group {
    const char *name;
    struct sim_seat seats[SIM_MEMBERS_MAX];
    int64_t generation;
    bool preparing;
    uint64_t round; /* of the rebalance under way: its deadline belongs to it */
    /* The checker's: who was given k, one after the other. */
    struct sim_tenure {
        uint64_t member;
        int64_t from_us, to_us;
        struct sim_tenure *before;
    } * tenure[SIM_PARTITIONS];
};

#define SIM_GROUPS (SIM_PROCESSORS + 1) /* the last one is the relays' */

struct sim_log {
    struct sim_partition *topics[SIM_TOPICS];
    struct sim_group groups[SIM_GROUPS];
    uint64_t members;
    int64_t produced, copies, lost; /* figures */
};

void sim_log_init(struct sim *w);
void sim_groups_start(struct sim *w); /* sessions are watched from now on */
/* The member was given k at `since_us` or later. */
bool sim_group_gave(const struct sim *w, int32_t group, int32_t k, uint64_t member,
                    int64_t since_us);
struct sim_partition *sim_log_partition(const struct sim *w, int32_t topic, int32_t k);
/* Appends at once; gives the offset. */
int64_t sim_log_append(struct sim *w, const struct sim_message *m);

/* A producer of one process: acks in any order, order kept per partition, a request in flight may
 * arrive after its process has died. `acked` runs in the actor's life. When a delivery fails, all
 * that had not left by then fail too: after sim_producer_renew() the process sends again. */
typedef enum sim_delivery {
    SIM_DELIVERED,
    SIM_DELIVERY_FAILED,
    SIM_DELIVERY_REFUSED, /* for good: it will never be taken */
} sim_delivery;
typedef void (*sim_acked)(struct sim *w, void *who, void *opaque, sim_delivery what);
struct sim_producer {
    struct sim_actor *actor;
    sim_acked acked;
    void *who;
    int64_t last_us[SIM_TOPICS][SIM_PARTITIONS];
    uint64_t turn, broken;                        /* a turn that equals `broken` fails */
    bool (*refuses)(const struct sim_message *m); /* NULL: the broker takes all */
};
static inline void sim_producer_renew(struct sim_producer *p)
{
    p->turn++;
}
void sim_produce(struct sim *w, struct sim_producer *p, const struct sim_message *m, void *opaque);

/* Events topic of k loses its last `n` records. */
void sim_log_lose_tail(struct sim *w, int32_t k, int64_t n);

/* ---- a member of a group, in its process ---- */

struct sim_member {
    struct sim *w;
    struct sim_actor *actor;
    int32_t group, instance;
    uint64_t member, attempt;
    int64_t generation;
    bool in, joining; /* assignment held; request under way */
    /* The shell's: called as events of the actor. revoked() must lead to sim_member_join(). */
    void (*assigned)(void *who, const int32_t *ks, size_t n);
    void (*revoked)(void *who, bool lost);
    void (*fatal)(void *who); /* another process has our instance id */
    void *who;
};
void sim_member_start(struct sim_member *m); /* joins, beats from then on */
void sim_member_join(struct sim_member *m);
void sim_member_leave(struct sim_member *m); /* and forgets its assignment */
/* Synchronous commit: answer(who, ok) later. */
void sim_member_commit(struct sim_member *m, void (*answer)(struct sim *w, void *who, void *ok));

#endif
