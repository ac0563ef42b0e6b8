/* dispatch.h - runs handlers: from the bytes of a message and a state to an answer, events,
 * commands. No I/O. Made once per process and processor from topology + loaded modules + schemas;
 * immutable then, shared by executors. A leat_call belongs to one thread. */
#ifndef LEAT_WORKER_DISPATCH_H
#define LEAT_WORKER_DISPATCH_H

#include <setjmp.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/uuid.h"
#include "codec/schemas.h"
#include "guard/breaker.h"
#include "leat/leat.h"
#include "store/store.h"
#include "topology/topology.h"

struct leat_dispatch;

/* Checks that the module's handlers and the topology agree (all mismatches named)
 * and calls open(). */
LEAT_MUST_CHECK leat_status leat_dispatch_new(const struct leat_topology *t,
                                              const struct leat_processor *processor,
                                              struct leat_schemas *schemas,
                                              struct leat_dispatch **ret, struct leat_error *err);
void leat_dispatch_free(struct leat_dispatch *d);
const struct leat_processor *leat_dispatch_processor(const struct leat_dispatch *d);
const struct leat_topology *leat_dispatch_topology(const struct leat_dispatch *d);

/* Handler index of a message type, or -1. */
int32_t leat_dispatch_find(const struct leat_dispatch *d, struct leat_str type);
/* The one command type of the processor, when it has exactly one (records without ce_type); else
 * -1. */
int32_t leat_dispatch_only(const struct leat_dispatch *d);
struct leat_str leat_dispatch_type(const struct leat_dispatch *d, int32_t handler);
/* Processor's name as stored with commands. */
struct leat_str leat_dispatch_name(const struct leat_dispatch *d);
int leat_dispatch_version(const struct leat_dispatch *d);
/* Prefix of stream ids ("order-"); "" for a policy. */
struct leat_str leat_dispatch_prefix(const struct leat_dispatch *d);
bool leat_dispatch_has_state(const struct leat_dispatch *d);

/* Bytes of a message -> its struct in the arena. POISON with the reason when they do not decode. */
LEAT_MUST_CHECK leat_status leat_dispatch_decode(const struct leat_dispatch *d, int32_t handler,
                                                 struct leat_str bytes, struct leat_arena *arena,
                                                 void **ret_message, struct leat_error *err);
/* The stream's key held by the message (aggregate's key field): "" when it has none. */
struct leat_str leat_dispatch_key(const struct leat_dispatch *d, int32_t handler,
                                  const void *message);

/* The same for any value of a type; numbers are printed into the arena (NULL: only text keys). */
struct leat_str leat_type_key(const struct leat_type *type, const void *value,
                              struct leat_arena *arena);

/* ---- state ---- */
/* Which snapshots of the aggregate may be believed here, and after how many events one is to be
 * kept; 0 = never. */
struct leat_snapshot_form leat_dispatch_snapshot_form(const struct leat_dispatch *d);
int64_t leat_dispatch_snapshot_every(const struct leat_dispatch *d);
void *leat_dispatch_state_new(const struct leat_dispatch *d, struct leat_arena *arena);
LEAT_MUST_CHECK leat_status leat_dispatch_state_decode(const struct leat_dispatch *d,
                                                       struct leat_str bytes,
                                                       struct leat_arena *arena, void *state,
                                                       struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_dispatch_state_encode(const struct leat_dispatch *d,
                                                       const void *state, struct leat_buf *out,
                                                       struct leat_error *err);
/* Folds one event as stored. Events without a fold function are skipped. */
LEAT_MUST_CHECK leat_status leat_dispatch_fold(const struct leat_dispatch *d, struct leat_str type,
                                               struct leat_str payload, struct leat_arena *arena,
                                               void *state, struct leat_error *err);

/* ---- one call of a handler ---- */
struct leat_made_event {
    const struct leat_type *type;
    int32_t schema_id;
    uint32_t index; /* among events and commands of the call, in the order made */
    struct leat_uuid id;
    struct leat_str type_name, payload; /* payload framed, in the arena */
};
struct leat_made_command {
    struct leat_uuid id;
    const char *topic;
    int32_t partition;
    uint32_t index; /* as of events */
    struct leat_str type_name, priority;
    struct leat_str key, headers, value; /* in the arena */
    int64_t due_ms;                      /* unix ms; 0 = at once */
};
struct leat_call { /* in */
    const struct leat_dispatch *dispatch;
    struct leat_arena *arena;
    struct leat_buf *scratch; /* the caller's; cleared at will */
    struct leat_uuid id, correlation_id;
    struct leat_str key, type;
    int32_t priority; /* index */
    int64_t received_at_ms, version;
    int32_t attempt;
    int32_t k; /* and the epoch it is owned with; only for effects */
    int64_t epoch;
    /* out: valid until the arena is reset; events and commands only after LEAT_DONE */
    leat_answer answer;
    struct leat_str code, text;
    struct leat_made_event *events;
    struct leat_made_command *commands;
    struct leat_uuid *cancels; /* commands scheduled before that are not to be sent */
    size_t event_count, command_count, cancel_count;
    /* With LEAT_ANSWER_RETRY: a service that the handler needs has an open circuit. The message is
     * not at fault (no attempt is counted), and before that time (unix ms) a try is of no use. */
    bool unavailable;
    int64_t unavailable_until_ms;
};
void leat_dispatch_call(struct leat_call *call, int32_t handler, const void *message,
                        const void *state);

/* ---- services outside (calls.c): the processor's `calls`, by index ---- */

/* What calls take the time from. Before the first call; default: the machine's. */
struct leat_dispatch_clock {
    int64_t (*mono_ms)(void *arg);
    int64_t (*unix_ms)(void *arg);
    void *arg;
};
void leat_dispatch_set_clock(struct leat_dispatch *d, const struct leat_dispatch_clock *clock);
/* Told of each change of a circuit, on the thread of a handler and under the breaker's lock. Before
 * the first call. */
typedef void (*leat_circuit_fn)(void *arg, const struct leat_external_call *service,
                                const struct leat_breaker_change *change, int64_t now_ms);
void leat_dispatch_on_circuit(struct leat_dispatch *d, leat_circuit_fn fn, void *arg);
void leat_dispatch_circuit(const struct leat_dispatch *d, uint32_t service,
                           struct leat_breaker_figures *ret);
/* For `leat test`: from now on this circuit is open. False: there is no such service. */
bool leat_dispatch_open_circuit(struct leat_dispatch *d, struct leat_str name);

/* Where intents and results of `effects: claim` are kept; called on threads of handlers. Without
 * it, as in `leat test`, every claim is the first. */
struct leat_effect {
    int32_t k;
    int64_t epoch; /* with which k is owned: who is fenced claims nothing */
    struct leat_uuid id;
    struct leat_str service, key;
    uint32_t n;
    leat_on_unknown on_unknown;
};
struct leat_effect_keeper {
    leat_claim (*claim)(void *arg, const struct leat_effect *e, struct leat_arena *arena,
                        struct leat_str *ret_result);
    /* The claim was ours: it was made, with this result; or, with NULL, it certainly was not. */
    void (*settle)(void *arg, const struct leat_effect *e, const struct leat_str *result);
    void *arg;
};
void leat_dispatch_keep_effects(struct leat_dispatch *d, const struct leat_effect_keeper *keeper);

/* For `leat test`: the nth call that a handler makes through its ctx and that can fail does fail.
 * Where a process would end for want of memory, the call jumps to `out`, from which nothing of it
 * may be kept; what could not be encoded is answered retry, whatever the handler says. */
struct leat_fault {
    uint32_t nth;       /* 1 = the first; 0 = none, only count */
    uint32_t seen;      /* out: fallible calls made */
    const char *fired;  /* out: the call that failed, or NULL */
    const char **names; /* out: what was called, while there is room; NULL: not wanted */
    uint32_t names_room;
    jmp_buf out;
};
/* Until NULL is set again. One thread runs handlers meanwhile. */
void leat_dispatch_fault(struct leat_dispatch *d, struct leat_fault *fault);
/* True when this call is to fail; `where` is a literal. */
bool leat_fault_hit(struct leat_fault *fault, const char *where);

#endif
