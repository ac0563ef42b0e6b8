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

struct dispatch_service { /* one of the processor's `calls` */
    struct leat_dispatch *dispatch;
    const struct leat_external_call *declared;
    struct leat_breaker *breaker;
    bool open; /* in `leat test`: whatever the breaker says */
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
    struct dispatch_service *services; /* as processor->calls */
    struct leat_dispatch_clock clock;
    struct leat_effect_keeper keeper; /* no functions: nothing is kept */
    leat_circuit_fn on_circuit;
    void *on_circuit_arg;
};

struct call_use { /* of a service by one call of a handler */
    struct leat_breaker_pass pass;
    bool under_way, failed, refused;
};

struct call_effect { /* claimed by one call of a handler */
    uint32_t service, n;
    bool called; /* a leat_call_begin() has been allowed since */
    bool settled;
    struct call_effect *next;
};

struct leat_ctx { /* one call */
    struct leat_call *call;
    const struct leat_dispatch *d;
    int32_t send_priority; /* index in the processor's priorities, -1 = inherit */
    struct leat_str send_priority_name;
    uint64_t random;
    uint32_t made; /* events and commands so far: index of the next id */
    size_t event_cap, command_cap, cancel_cap;
    bool failed; /* emit or send could not be done, so this is the answer, whatever the handler's */
    leat_answer failed_answer;
    int64_t started_ms;          /* monotonic */
    struct call_use *uses;       /* by service; NULL: none was asked yet */
    int64_t last_use;            /* index of the service asked last; -1 = none */
    struct call_effect *effects; /* that are ours */
    bool keeper_away;            /* the last claim could not be stored */
};

/* context.c: the call's answer is poison, whatever the handler says; the first one is told. */
void leat_ctx_fail(struct leat_ctx *ctx, const char *code, const char *fmt, ...) LEAT_PRINTF(3, 4);

/* calls.c */
void leat_services_new(struct leat_dispatch *d);
void leat_services_free(struct leat_dispatch *d);
void leat_calls_begin(struct leat_ctx *ctx); /* before the handler */
void leat_calls_done(struct leat_ctx *ctx);  /* after it, when its answer is known */
/* Index in the processor's `calls`; -1: the call is poison now. */
int64_t leat_calls_find(struct leat_ctx *ctx, const char *asked_by, const char *name);

/* effects.c: a begin of this service was allowed; the handler has returned. */
void leat_effects_called(struct leat_ctx *ctx, uint32_t service);
void leat_effects_done(struct leat_ctx *ctx);

/* registry.c */
const struct leat_processor_def *leat_registry_processor(struct leat_str name);
const struct leat_aggregate_def *leat_registry_aggregate(struct leat_str name);

#endif
