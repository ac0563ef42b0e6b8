/* lag.h - what waits in the lanes, in the relay and before the read models of this machine. */
#ifndef LEAT_CLI_LAG_H
#define LEAT_CLI_LAG_H

#include "cli/session.h"
#include "kafka/kafka.h"

#define LEAT_AGE_UNKNOWN (-1)

typedef enum leat_lag_kind {
    LEAT_LAG_LANE,   /* commands or events a processor has not settled */
    LEAT_LAG_SOURCE, /* records of a foreign topic, or beyond our partitions, not forwarded */
    LEAT_LAG_RELAY,  /* events not published */
    LEAT_LAG_OUTBOX, /* commands and dead letters not published */
    LEAT_LAG_MODEL,  /* events not applied */
    LEAT_LAG_KINDS,
} leat_lag_kind;
extern const char *const leat_lag_kind_names[LEAT_LAG_KINDS];

struct leat_lag_row { /* texts live as long as the session */
    leat_lag_kind kind;
    const char *name; /* processor, relay, model */
    const char *topic;
    const char *priority; /* or NULL */
    int32_t partition;
    int64_t next, end, waiting;
    int64_t age_ms; /* of the first that waits; 0 = none waits, LEAT_AGE_UNKNOWN */
};
struct leat_lag {
    struct leat_session *s;
    struct leat_admin *admin; /* the caller's */
    struct leat_lag_row *rows;
    size_t n, cap;
    int64_t now_ms;
};
/* Sum over rows of one kind; `name` NULL: all of them. */
struct leat_lag_sum {
    int64_t waiting, age_ms;
};
struct leat_lag_sum leat_lag_sum(const struct leat_lag *l, leat_lag_kind kind, const char *name);

LEAT_MUST_CHECK leat_status leat_lag_collect(struct leat_session *s, struct leat_admin *admin,
                                             struct leat_lag *ret, struct leat_error *err);

#endif
