/* keys.h - the one table of all keys of the grammar: the loader, the suggestions and the reference
 * page come from it. Rows are in loading order: what is referred to stands before what refers to
 * it. Private to this folder. */
#ifndef LEAT_TOPOLOGY_KEYS_H
#define LEAT_TOPOLOGY_KEYS_H

#include <stddef.h>
#include <stdint.h>

#include "leat/str.h"

typedef enum leat_section {
    LEAT_SECTION_ROOT,
    LEAT_SECTION_STORE,
    LEAT_SECTION_REDIS,
    LEAT_SECTION_PRIORITY,
    LEAT_SECTION_TOPICS,
    LEAT_SECTION_LIMITS,
    LEAT_SECTION_AGGREGATE,
    LEAT_SECTION_DEFAULTS,
    LEAT_SECTION_PROCESSOR,
    LEAT_SECTION_RETRY,
    LEAT_SECTION_FLOOD,
    LEAT_SECTION_CALL,
    LEAT_SECTION_BREAKER,
    LEAT_SECTION_SCALE,
    LEAT_SECTION_SOURCE,
    LEAT_SECTION_ROUTE,
    LEAT_SECTION_PROJECTION,
    LEAT_SECTION_FROM,
    LEAT_SECTION_QUERY,
    LEAT_SECTION_HTTP,
    LEAT_SECTION_HTTP_LIMITS,
    LEAT_SECTION_AUTH,
    LEAT_SECTION_ROLE,
    LEAT_SECTION_GRANT,
    LEAT_SECTION_ACCESS_KEY,
    LEAT_SECTION_JWT,
    LEAT_SECTION_COUNT,
} leat_section;

typedef enum leat_key_type {
    LEAT_KEY_TEXT,     /* const char *                                    */
    LEAT_KEY_WORD,     /* struct leat_str: letters, digits, . _ -          */
    LEAT_KEY_INT,      /* int64_t                                         */
    LEAT_KEY_DURATION, /* int64_t, ms                                     */
    LEAT_KEY_SIZE,     /* int64_t, bytes                                  */
    LEAT_KEY_RATIO,    /* double, 0 .. 1                                  */
    LEAT_KEY_BOOL,     /* bool                                            */
    LEAT_KEY_ENUM,     /* an enum: position in `allowed`, "avro|json"     */
    LEAT_KEY_NAMES,    /* struct leat_names: one word or a list of them   */
    LEAT_KEY_EXPR,     /* const struct leat_expr *                        */
    LEAT_KEY_OPS,      /* FROM: fields and values of the op kind in `min` */
    LEAT_KEY_OWN,      /* whatever `load` makes of it                     */
} leat_key_type;

#define LEAT_KEY_REQUIRED 1u
#define LEAT_KEY_LATER    2u /* read and kept, not run by this version            */
#define LEAT_KEY_REFUSED  4u /* as LATER, and leaving it out would go unnoticed    */

struct leat_loader;
struct leat_yaml;
typedef void (*leat_key_load)(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                              void *target);

struct leat_key {
    leat_section section;
    const char *name;
    leat_key_type type;
    size_t offset;
    int64_t min, max;
    const char *allowed; /* ENUM: the values; OWN: the shape, for the reference */
    const char *def;     /* as text, or NULL */
    unsigned flags;
    leat_key_load load; /* OWN */
    const char *doc;
};

extern const struct leat_key leat_keys[];
extern const size_t leat_key_count;

struct leat_section_row {
    const char *title; /* "processors.<name>" */
    const char *doc;
};
extern const struct leat_section_row leat_sections[LEAT_SECTION_COUNT];

const struct leat_key *leat_key_find(leat_section section, struct leat_str name);

/* The loaders of OWN rows, by the file they live in. */
#define LEAT_KEY_LOADER(fn)                                                                        \
    void fn(struct leat_loader *l, const struct leat_yaml *n, const char *path, void *target)
LEAT_KEY_LOADER(leat_load_grammar); /* load_root.c */
LEAT_KEY_LOADER(leat_load_name);
LEAT_KEY_LOADER(leat_load_partitions);
LEAT_KEY_LOADER(leat_load_nothing);
LEAT_KEY_LOADER(leat_load_schemas);
LEAT_KEY_LOADER(leat_load_store);
LEAT_KEY_LOADER(leat_load_replicas);
LEAT_KEY_LOADER(leat_load_redis);
LEAT_KEY_LOADER(leat_load_limits);
LEAT_KEY_LOADER(leat_load_http);
LEAT_KEY_LOADER(leat_load_auth); /* load_access.c */
LEAT_KEY_LOADER(leat_load_http_limits);
LEAT_KEY_LOADER(leat_load_http_rate);
LEAT_KEY_LOADER(leat_load_roles);
LEAT_KEY_LOADER(leat_load_role_commands);
LEAT_KEY_LOADER(leat_load_role_models);
LEAT_KEY_LOADER(leat_load_role_rate);
LEAT_KEY_LOADER(leat_load_grant_where);
LEAT_KEY_LOADER(leat_load_grant_mask);
LEAT_KEY_LOADER(leat_load_access_keys);
LEAT_KEY_LOADER(leat_load_key_claims);
LEAT_KEY_LOADER(leat_load_jwt);
LEAT_KEY_LOADER(leat_load_anonymous);
LEAT_KEY_LOADER(leat_load_kafka); /* load_kafka.c */
LEAT_KEY_LOADER(leat_load_topics);
LEAT_KEY_LOADER(leat_load_topic_defaults);
LEAT_KEY_LOADER(leat_load_topic_commands);
LEAT_KEY_LOADER(leat_load_topic_events);
LEAT_KEY_LOADER(leat_load_topic_dlq);
LEAT_KEY_LOADER(leat_load_priorities); /* load_processors.c */
LEAT_KEY_LOADER(leat_load_own_priorities);
LEAT_KEY_LOADER(leat_load_aggregates);
LEAT_KEY_LOADER(leat_load_defaults_section);
LEAT_KEY_LOADER(leat_load_processor_defaults);
LEAT_KEY_LOADER(leat_load_processors);
LEAT_KEY_LOADER(leat_load_processor_aggregate);
LEAT_KEY_LOADER(leat_load_retry); /* load_parts.c */
LEAT_KEY_LOADER(leat_load_delays);
LEAT_KEY_LOADER(leat_load_flood);
LEAT_KEY_LOADER(leat_load_calls);
LEAT_KEY_LOADER(leat_load_breaker);
LEAT_KEY_LOADER(leat_load_scale);
LEAT_KEY_LOADER(leat_load_options);
LEAT_KEY_LOADER(leat_load_sources); /* load_sources.c */
LEAT_KEY_LOADER(leat_load_source_command);
LEAT_KEY_LOADER(leat_load_source_event);
LEAT_KEY_LOADER(leat_load_source_priority);
LEAT_KEY_LOADER(leat_load_tombstone);
LEAT_KEY_LOADER(leat_load_route_map);
LEAT_KEY_LOADER(leat_load_projections); /* load_models.c */
LEAT_KEY_LOADER(leat_load_row_key);
LEAT_KEY_LOADER(leat_load_from);
LEAT_KEY_LOADER(leat_load_row); /* load_rows.c */
LEAT_KEY_LOADER(leat_load_row_events);
LEAT_KEY_LOADER(leat_load_indexes);
LEAT_KEY_LOADER(leat_load_when);
LEAT_KEY_LOADER(leat_load_delete);
LEAT_KEY_LOADER(leat_load_queries); /* load_queries.c */
LEAT_KEY_LOADER(leat_load_query_model);
LEAT_KEY_LOADER(leat_load_query_index);
LEAT_KEY_LOADER(leat_load_query_where);

#endif
