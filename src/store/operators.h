/* operators.h - what a person sees of and does to messages that wait or are dead (tables waiting
 * and dead_letters, migrations/0011_operators.sql). Part of store.h, with its rules about threads
 * and errors. Memory of what is returned: the arena's. */
#ifndef LEAT_STORE_OPERATORS_H
#define LEAT_STORE_OPERATORS_H

#include "store/store.h"

/* ---- what is done, in one slice of a processor by one transaction ---- */

typedef enum leat_operated {
    LEAT_OPERATED_DONE = 0,
    LEAT_OPERATED_DEAD,        /* a cancelled message became a dead letter */
    LEAT_OPERATED_ABSENT,      /* no such row */
    LEAT_OPERATED_REDRIVING,   /* has its second chance already */
    LEAT_OPERATED_SETTLED,     /* was done or rejected since it died */
    LEAT_OPERATED_QUARANTINED, /* died too often: only by force */
    LEAT_OPERATED_DROPPED,     /* was given up: only by force */
    LEAT_OPERATED_NOT_KEPT,    /* its bytes are too large to be in the store */
    LEAT_OPERATED_HELD,        /* is dead and holds its key: redrive or drop it */
    LEAT_OPERATED_PARKED,      /* waits behind another of its key */
} leat_operated;
#define LEAT_OPERATED_COUNT 10
extern const char *const leat_operated_names[LEAT_OPERATED_COUNT]; /* as the store says them */

struct leat_operation {
    struct leat_str processor;
    int32_t slice;
    const struct leat_uuid *ids; /* in the order in which they are to be handled */
    size_t n;
};
/* ret[i] belongs to ids[i]. parks: what follows of the key waits (`ordering: key`). */
LEAT_MUST_CHECK leat_status leat_store_redrive(struct leat_store *s, const struct leat_operation *o,
                                               bool parks, bool force, leat_operated *ret,
                                               struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_store_drop(struct leat_store *s, const struct leat_operation *o,
                                            struct leat_str note, leat_operated *ret,
                                            struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_store_hurry(struct leat_store *s, const struct leat_operation *o,
                                             leat_operated *ret, struct leat_error *err);
struct leat_burial {           /* of messages that are cancelled */
    struct leat_str aggregate; /* "" for a processor without one */
    struct leat_str dlq_topic;
    struct leat_str message; /* why: text of its error */
};
LEAT_MUST_CHECK leat_status leat_store_cancel(struct leat_store *s, const struct leat_operation *o,
                                              const struct leat_burial *burial, leat_operated *ret,
                                              struct leat_error *err);

/* ---- dead letters ---- */

typedef enum leat_dead_state {
    LEAT_DEAD_DEAD = 0,
    LEAT_DEAD_REDRIVING,
    LEAT_DEAD_QUARANTINED,
    LEAT_DEAD_SETTLED,
    LEAT_DEAD_DROPPED,
} leat_dead_state;
#define LEAT_DEAD_STATES 5
#define LEAT_DEAD_OPEN   7U  /* bits of those that are nobody's past yet */
#define LEAT_DEAD_ALL    31U /* bits of all states */
extern const char *const leat_dead_state_names[LEAT_DEAD_STATES];

struct leat_dead_filter {                                /* empty or negative: any */
    struct leat_str processor, code, class, type, topic; /* topic: where it came from */
    struct leat_str key;
    bool has_key;
    int32_t partition;          /* of topic; -1 = any */
    int64_t offset;             /* of partition; -1 = any */
    int64_t since_us, until_us; /* of its last death: [since, until); 0 = unbounded */
    uint32_t states;            /* bits 1 << leat_dead_state */
};

struct leat_dead_row {
    struct leat_str processor;
    int32_t slice;
    struct leat_uuid id;
    struct leat_str key, type, priority, source, topic;
    bool key_null, value_null;
    int32_t partition;
    int64_t offset, event_seq;
    struct leat_str class, code, message;
    int32_t attempts, handler_version, redrives;
    int64_t first_at_us, last_at_us, changed_at_us;
    struct leat_str headers, value; /* only when asked for */
    int64_t value_bytes;
    struct leat_str value_sha256; /* 32 bytes */
    struct leat_str state, note;
};
struct leat_dead_page {
    const struct leat_dead_filter *filter;
    /* Behind this row, newest first; last_at_us 0 = from the start. */
    struct leat_str processor;
    struct leat_uuid id;
    int64_t last_at_us;
    size_t limit;
    bool whole; /* with headers and value */
};
LEAT_MUST_CHECK leat_status leat_store_dead(struct leat_store *s, const struct leat_dead_page *page,
                                            struct leat_arena *arena, struct leat_dead_row **ret,
                                            size_t *ret_n, struct leat_error *err);
/* Whole rows of one id; several processors may have been given the same event. */
LEAT_MUST_CHECK leat_status leat_store_dead_find(struct leat_store *s, const struct leat_uuid *id,
                                                 struct leat_arena *arena,
                                                 struct leat_dead_row **ret, size_t *ret_n,
                                                 struct leat_error *err);

struct leat_dead_group {
    struct leat_str processor, state, class, code, type;
    int64_t count, first_at_us, last_at_us; /* of deaths */
};
struct leat_dead_groups { /* the largest LEAT_GROUPS_MAX, largest first */
    struct leat_dead_group *at;
    size_t n;
    int64_t total; /* rows, of groups left out too */
};
#define LEAT_GROUPS_MAX 500
LEAT_MUST_CHECK leat_status leat_store_dead_groups(struct leat_store *s,
                                                   const struct leat_dead_filter *f,
                                                   struct leat_arena *arena,
                                                   struct leat_dead_groups *ret,
                                                   struct leat_error *err);

struct leat_dead_ref {
    struct leat_str processor;
    int32_t slice;
    struct leat_uuid id;
};
/* The rows as of now, oldest death first: in that order they are to be handled again. Grouped by
 * processor and slice; of the page only filter and limit count. */
LEAT_MUST_CHECK leat_status leat_store_dead_refs(struct leat_store *s,
                                                 const struct leat_dead_page *page,
                                                 struct leat_arena *arena,
                                                 struct leat_dead_ref **ret, size_t *ret_n,
                                                 struct leat_error *err);
/* Whole rows from elsewhere; those whose (processor, slice, id) is there stay as they are. */
LEAT_MUST_CHECK leat_status leat_store_dead_put(struct leat_store *s,
                                                const struct leat_dead_row *rows, size_t n,
                                                size_t *ret_added, struct leat_error *err);
/* Processors with fence rows in this store, by name. */
LEAT_MUST_CHECK leat_status leat_store_processors(struct leat_store *s, struct leat_arena *arena,
                                                  struct leat_str **ret, size_t *ret_n,
                                                  struct leat_error *err);

/* ---- what waits ---- */

#define LEAT_WAITS_MAX 5
#define LEAT_WAITS_ALL 62U                                     /* bits 1 << leat_wait_reason */
extern const char *const leat_waits_names[LEAT_WAITS_MAX + 1]; /* [0] = "" */

#define LEAT_DUE_NEVER INT64_MAX /* until somebody says so */

struct leat_waiter_filter { /* as of dead letters */
    struct leat_str processor, code, type, key;
    bool has_key;
    int64_t due_until_us; /* due before; 0 = whenever */
    uint32_t reasons;     /* bits 1 << leat_wait_reason */
};
struct leat_waiter {
    struct leat_str processor;
    int32_t slice;
    struct leat_str key;
    int64_t ticket;
    leat_wait_reason reason;
    bool parks;
    int64_t due_at_us; /* LEAT_DUE_NEVER */
    int32_t attempt;   /* tries so far */
    struct leat_uuid id;
    struct leat_str type, priority, topic;
    int32_t partition;
    int64_t offset, event_seq, received_at_us;
    int64_t first_at_us; /* 0: none */
    struct leat_str error_code, error;
    int64_t ahead;                  /* of its key */
    struct leat_str headers, value; /* only of leat_store_waiter_find */
    bool value_null;
};
struct leat_waiter_page {
    const struct leat_waiter_filter *filter;
    /* behind this row, by due time; `behind` false = from the start */
    bool behind;
    int64_t due_at_us;
    struct leat_uuid id;
    struct leat_str processor;
    size_t limit;
};
LEAT_MUST_CHECK leat_status leat_store_waiters(struct leat_store *s,
                                               const struct leat_waiter_page *page,
                                               struct leat_arena *arena, struct leat_waiter **ret,
                                               size_t *ret_n, struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_store_waiter_find(struct leat_store *s, const struct leat_uuid *id,
                                                   struct leat_arena *arena,
                                                   struct leat_waiter **ret, size_t *ret_n,
                                                   struct leat_error *err);
struct leat_waiter_group {
    struct leat_str processor, type, code;
    leat_wait_reason reason;
    int64_t count, due_at_us; /* of the first */
};
struct leat_waiter_groups {
    struct leat_waiter_group *at;
    size_t n;
    int64_t total;
};
LEAT_MUST_CHECK leat_status leat_store_waiter_groups(struct leat_store *s,
                                                     const struct leat_waiter_filter *f,
                                                     struct leat_arena *arena,
                                                     struct leat_waiter_groups *ret,
                                                     struct leat_error *err);
/* The first rows by due time, as of now; those of a processor and slice stand together. */
LEAT_MUST_CHECK leat_status leat_store_waiter_refs(struct leat_store *s,
                                                   const struct leat_waiter_page *page,
                                                   struct leat_arena *arena,
                                                   struct leat_dead_ref **ret, size_t *ret_n,
                                                   struct leat_error *err);

#endif
