/* topology.h - the declared system as plain data: what `leat.yaml` says, checked and complete.
 * Everything is const after loading, lives in the topology's arena until leat_topology_free() and
 * may be read by any thread. Every leat_str and char pointer is NUL-terminated. Durations in ms,
 * sizes in bytes. Arrays keep the file's order; an index into one is stable for the process. */
#ifndef LEAT_TOPOLOGY_TOPOLOGY_H
#define LEAT_TOPOLOGY_TOPOLOGY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "leat/str.h"
#include "topology/access.h"
#include "topology/expr.h"
#include "topology/models.h"
#include "topology/names.h"
#include "topology/report.h"

#define LEAT_PARTITIONS_MAX   1024
#define LEAT_PRIORITIES_MAX   16
#define LEAT_RETRY_DELAYS_MAX 32

struct leat_kafka_section { /* librdkafka's names; none that leat owns */
    struct leat_props common, consumer, producer;
};

typedef enum leat_format {
    LEAT_FORMAT_AVRO,
    LEAT_FORMAT_JSON,
} leat_format;

struct leat_topic_section {    /* commands, events, dlq */
    struct leat_props configs; /* Kafka topic configs; the section's own over topics.defaults */
    leat_format format;        /* dlq: unused, it keeps the original bytes */
    const char *name;          /* pattern with {topology} {processor} {priority}, or NULL */
};

struct leat_store_section {
    const char *url; /* libpq URI; a secret: never printed */
    const char *schema;
    int64_t keep_commands_ms, keep_dead_letters_ms;
    bool prepare; /* named prepared statements */
    const char *const *replicas;
    uint32_t n_replicas;
};

typedef enum leat_redis_eviction {
    LEAT_REDIS_EVICTION_REFUSE,
    LEAT_REDIS_EVICTION_ALLOW,
} leat_redis_eviction;

struct leat_redis_section {
    const char *url; /* a secret: never printed */
    int64_t timeout_ms, cache_bytes;
    leat_redis_eviction eviction;
};

struct leat_priority {
    struct leat_str name;
    int64_t weight;      /* 1 .. 1000 */
    int64_t max_wait_ms; /* ageing bound; 0 = none */
    bool is_default;
};
struct leat_priorities { /* at least one; exactly one default */
    const struct leat_priority *at;
    uint32_t n;
    uint32_t default_index;
};

struct leat_aggregate {
    struct leat_place place;
    struct leat_str name;
    struct leat_str key;    /* field of its commands and events that holds the stream's key */
    struct leat_str state;  /* Avro record of the state, or "" */
    const char *module;     /* as leat_processor.module; default: the aggregate's own name */
    int64_t snapshot_every; /* events; 0 = never */
};

typedef enum leat_ordering {
    LEAT_ORDERING_KEY,
    LEAT_ORDERING_NONE,
} leat_ordering;

struct leat_retry {
    const int64_t *delays_ms;
    uint32_t n_delays;
    double jitter; /* 0 .. 1, share of the delay */
    leat_ordering ordering;
    int64_t max_waiting; /* messages of a partition */
};

typedef enum leat_on_dead {
    LEAT_ON_DEAD_CONTINUE,
    LEAT_ON_DEAD_HOLD,
} leat_on_dead;

struct leat_call_breaker { /* as in guard/breaker.h */
    int64_t failures;      /* 0 = not looked at; with rate 0 too: no breaker */
    double rate;           /* 0 = not looked at */
    int64_t window_ms, min_calls, open_for_ms, trials;
};

typedef enum leat_effects {
    LEAT_EFFECTS_KEY,
    LEAT_EFFECTS_CLAIM,
} leat_effects;

typedef enum leat_on_unknown {
    LEAT_ON_UNKNOWN_HOLD,
    LEAT_ON_UNKNOWN_GIVE_UP,
    LEAT_ON_UNKNOWN_REPEAT,
} leat_on_unknown;

struct leat_external_call {
    struct leat_str name;
    const char *url;
    int64_t timeout_ms;
    leat_effects effects;
    leat_on_unknown on_unknown;
    struct leat_call_breaker breaker;
};

struct leat_processor {
    struct leat_place place;
    uint32_t index; /* in topology.processors */
    struct leat_str name;
    const struct leat_aggregate *aggregate; /* NULL: a policy, or a handler without state */
    struct leat_names commands, events, emits, sends;
    struct leat_priorities priorities; /* own, else the topology's */
    const char *module;                /* name (default: the processor's) or path */
    int64_t threads;                   /* 0 = by processors, see worker.h */
    int64_t concurrency;
    int64_t timeout_ms;
    struct leat_retry retry;
    leat_on_dead on_dead;
    double flood_share;        /* 0 = no flood breaker */
    int64_t flood_consecutive; /* 0 = no flood breaker */
    const struct leat_external_call *calls;
    uint32_t n_calls;
    int64_t scale_min, scale_max, scale_target_lag_ms; /* scale_max 0: no scale section */
    struct leat_str scale_class;
    struct leat_props options; /* for the module; nested keys joined by dots, list items by index */

    const char *group;             /* "shop.orders" */
    const struct leat_str *topics; /* by priority: "shop.orders.hot"; NULL without commands */
    uint32_t anchor;               /* index of the topic the group subscribes to: the default's */
    struct leat_str dlq_topic;     /* "shop.orders.dlq" */
};

typedef enum leat_tombstone {
    LEAT_TOMBSTONE_DEAD,
    LEAT_TOMBSTONE_SKIP,
    LEAT_TOMBSTONE_COMMAND,
} leat_tombstone;

struct leat_source_route { /* value of a header or field -> message type */
    struct leat_str value, type;
};

struct leat_source { /* a topic that belongs to somebody else */
    struct leat_place place;
    uint32_t index;
    struct leat_str name;
    struct leat_str topic;
    leat_format format;
    bool is_event;                       /* `event:` instead of `command:` */
    struct leat_str type;                /* fixed type, or "" : routed */
    struct leat_str route_header;        /* routed by this header ... */
    const struct leat_expr *route_field; /* ... or by this field */
    const struct leat_source_route *routes;
    uint32_t n_routes;
    const struct leat_expr *key; /* NULL: the record's key */
    const struct leat_expr *id;  /* NULL: ce_id, else topic/partition/offset */
    leat_tombstone tombstone;
    struct leat_str tombstone_command;
    int32_t priority; /* index of topology.priorities; -1: the default */
};

struct leat_http_section {
    const char *listen; /* NULL: no http section */
    int64_t max_body_bytes;
    struct leat_access access;
};

struct leat_topology {
    const char *path; /* as given */
    const char *dir;  /* of the file: relative paths start here */
    uint64_t hash;    /* of the bytes of the file and its includes */
    struct leat_str name;
    int32_t partitions;
    struct leat_kafka_section kafka;
    struct leat_store_section store;
    struct leat_redis_section redis;
    struct leat_priorities priorities;
    struct leat_topic_section commands, events, dlq;
    int64_t message_bytes_max; /* limits.message */
    const struct leat_source *sources;
    uint32_t n_sources;
    const struct leat_aggregate *aggregates;
    uint32_t n_aggregates;
    const struct leat_processor *processors;
    uint32_t n_processors;
    struct leat_projection *projections;
    uint32_t n_projections;
    const struct leat_query *queries;
    uint32_t n_queries;
    struct leat_http_section http;
    const char *const *schema_dirs; /* resolved against `dir` */
    uint32_t n_schema_dirs;

    struct leat_str events_topic; /* "shop.events" */
    const char *relay_group;      /* "shop.relay" */
    const char *projector_group;  /* "shop.projector" */

    struct leat_arena *arena;            /* private */
    const struct leat_unsupported *used; /* private: see leat_topology_unsupported() */
    uint32_t n_used;
    const struct leat_mark *marks; /* private: see leat_topology_place() */
    size_t n_marks;
};

/* Reads the file and everything it includes. All mistakes go to *report (never NULL); with any of
 * severity error the result is LEAT_INVALID (summary in *err) and *ret is untouched. A file that
 * cannot be read is LEAT_INVALID too. Free with leat_topology_free(). */
LEAT_MUST_CHECK leat_status leat_topology_load(const char *path, struct leat_topology **ret,
                                               struct leat_report *report, struct leat_error *err);
/* The same from memory; `path` names it in findings, its folder is where includes are looked for.
 * `check_files` false: schema folders and schemas need not exist. */
LEAT_MUST_CHECK leat_status leat_topology_load_text(const char *path, struct leat_str text,
                                                    bool check_files, struct leat_topology **ret,
                                                    struct leat_report *report,
                                                    struct leat_error *err);
/* For who looks for mistakes alone: as leat_topology_load(), but gives what could be loaded in
 * spite of them, so that schemas are looked at in the same run; nothing may run by it. NULL when
 * there was nothing to load. */
struct leat_topology *leat_topology_inspect(const char *path, struct leat_report *report);
void leat_topology_free(struct leat_topology *t); /* NULL is allowed */

/* Adds to *report every key that is used but not run by this version: error where running without
 * it would silently do something else (`leat run` refuses), warning where it is only not there yet.
 * Returns the number of errors added. leat_topology_load() reports them all as warnings. */
size_t leat_topology_unsupported(const struct leat_topology *t, struct leat_report *report);

/* Where a name (its `at`), an expression or a condition of this topology stands in the file, known
 * by its address; `otherwise` for anything else. */
const struct leat_place *leat_topology_place(const struct leat_topology *t, const void *thing,
                                             const struct leat_place *otherwise);

/* NULL when there is none. */
const struct leat_processor *leat_topology_processor(const struct leat_topology *t,
                                                     struct leat_str name);
const struct leat_processor *leat_topology_handler(const struct leat_topology *t,
                                                   struct leat_str command);
/* The aggregate whose streams hold events of this type: that of the processors that emit it. */
const struct leat_aggregate *leat_topology_emitter(const struct leat_topology *t,
                                                   struct leat_str event);
const struct leat_aggregate *leat_topology_aggregate(const struct leat_topology *t,
                                                     struct leat_str name);
const struct leat_projection *leat_topology_projection(const struct leat_topology *t,
                                                       struct leat_str name);
const struct leat_query *leat_topology_query(const struct leat_topology *t, struct leat_str name);
/* Index of a priority by name, or -1. */
int32_t leat_priority_find(const struct leat_priorities *p, struct leat_str name);

/* Every command and event type (`events`, `commands`, `emits`, `sends`, sources, projections) and
 * every aggregate state, once each, in the file's order; memory from `arena`. */
struct leat_names leat_topology_types(const struct leat_topology *t, struct leat_arena *arena);
/* "<dir>/<Type>.avsc" of the first schema folder that has it; NULL when none has. */
const char *leat_topology_schema_path(const struct leat_topology *t, struct leat_str type,
                                      struct leat_arena *arena);

/* The reference of all keys as Markdown: docs/reference/topology.md is its output. */
struct leat_buf;
void leat_topology_reference(struct leat_buf *ret_markdown);

#endif
