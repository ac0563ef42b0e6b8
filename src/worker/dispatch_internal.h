/* dispatch_internal.h - shared by dispatch.c and context.c; nobody else includes it. */
#ifndef LEAT_WORKER_DISPATCH_INTERNAL_H
#define LEAT_WORKER_DISPATCH_INTERNAL_H

#include "worker/dispatch.h"

struct leat_options { /* the processor's `options` from the topology */
    const struct leat_props *props;
    const char *dir; /* of the topology file, as option "topology.dir" */
};

struct dispatch_out { /* an event or command the processor may make */
    struct leat_str name;
    const struct leat_type *type; /* of the module; NULL until first used: then checked once */
    int32_t schema_id;
    const struct leat_processor *to; /* commands: who handles it */
    const struct leat_str *topics;   /* commands: by priority of `to` */
};

struct leat_dispatch {
    const struct leat_topology *topology;
    const struct leat_processor *processor;
    struct leat_schemas *schemas;
    const struct leat_processor_def *def;
    const struct leat_aggregate_def *aggregate; /* NULL: no state */
    const struct leat_type *state;
    struct leat_schema *state_schema;
    struct leat_plan *state_plan;
    struct leat_str *types; /* of def->on */
    struct leat_str prefix;
    struct dispatch_out *events, *commands;
    size_t event_count, command_count;
    struct leat_options options;
    void *module_data;
    struct leat_fault *fault; /* NULL but in `leat test` */
    bool opened;
};

struct leat_ctx { /* one call */
    struct leat_call *call;
    const struct leat_dispatch *d;
    int32_t send_priority; /* index in the processor's priorities, -1 = inherit */
    struct leat_str send_priority_name;
    uint64_t random;
    uint32_t made; /* events and commands so far: index of the next id */
    size_t event_cap, command_cap;
    bool failed; /* emit or send could not be done, so this is the answer, whatever the handler's */
    leat_answer failed_answer;
};

/* registry.c */
const struct leat_processor_def *leat_registry_processor(struct leat_str name);
const struct leat_aggregate_def *leat_registry_aggregate(struct leat_str name);

#endif
