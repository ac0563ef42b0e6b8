/* probe.h - what Postgres and a store say about themselves, for people. Reads only; part of
 * store.h, with its rules about threads and errors. */
#ifndef LEAT_STORE_PROBE_H
#define LEAT_STORE_PROBE_H

#include "store/store.h"

struct leat_server_facts { /* texts in the arena */
    int32_t version;       /* server_version_num: 150004 */
    struct leat_str version_text, user, database, fsync, full_page_writes, synchronous_commit;
    int64_t clock_us;                     /* unix, read by the server */
    int64_t asked_us, answered_us;        /* our clock around the question */
    int64_t connections_max, connections; /* of all users, as far as we may see them */
    bool in_recovery;                     /* a standby: it takes no writes */
    bool schema_exists;                   /* of the topology */
    bool may_create;                      /* a schema in this database */
    bool may_use;         /* schema exists: create in it, or use it, as `apply` and `run` do */
    int64_t schema_bytes; /* tables and indexes of the schema; 0 = none */
};
/* Works without the store's schema. */
LEAT_MUST_CHECK leat_status leat_store_server(struct leat_store *s, struct leat_arena *arena,
                                              struct leat_server_facts *ret,
                                              struct leat_error *err);

struct leat_store_counters {        /* what somebody may have to look at */
    int64_t outbox_refused;         /* records the broker refused for good */
    int64_t outbox;                 /* rows the relay has not sent */
    struct leat_str refused_reason; /* of the newest; "" = none */
    struct leat_str owners_missing; /* processors without fence rows: "a, b"; "" = none */
};
/* `processors` as the topology has them. ABSENT without the store's tables. */
LEAT_MUST_CHECK leat_status leat_store_counters(struct leat_store *s,
                                                const struct leat_str *processors, size_t n,
                                                struct leat_arena *arena,
                                                struct leat_store_counters *ret,
                                                struct leat_error *err);

#endif
