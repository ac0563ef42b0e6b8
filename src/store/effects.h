/* effects.h - intents and results of effects outside that must not happen twice (table `effects`).
 * Each call is a transaction of its own, apart from any batch. Errors as in store.h. */
#ifndef LEAT_STORE_EFFECTS_H
#define LEAT_STORE_EFFECTS_H

#include "store/store.h"

struct leat_effect_row {
    struct leat_str processor, service, key;
    int32_t slice;
    struct leat_uuid id; /* of the message */
    uint32_t n;
};

typedef enum leat_effect_state {
    LEAT_EFFECT_YOURS,   /* nobody has begun it; it is claimed now */
    LEAT_EFFECT_DONE,    /* with this result */
    LEAT_EFFECT_UNKNOWN, /* begun by somebody, and not settled */
    LEAT_EFFECT_FENCED,  /* the epoch is not that of the owner, or it was just taken back */
} leat_effect_state;

struct leat_effect_ask {
    struct leat_effect_row effect;
    int64_t epoch;
    struct leat_uuid by; /* this process */
    bool unused;         /* claimed before by this process, which did not make it for certain */
    struct leat_str on_unknown; /* hold: a person is wanted; give_up; repeat: it is claimed again */
};
/* *ret_result in the arena. After RETRY it may have been claimed: ask again with `unused`. */
LEAT_MUST_CHECK leat_status leat_store_effect_claim(
    struct leat_store *s, const struct leat_effect_ask *ask, struct leat_arena *arena,
    leat_effect_state *ret_state, struct leat_str *ret_result, struct leat_error *err);
/* `result` NULL: it was not made. Twice is once. ABSENT: not claimed, or done already. */
LEAT_MUST_CHECK leat_status leat_store_effect_settle(struct leat_store *s,
                                                     const struct leat_effect_row *effect,
                                                     const struct leat_str *result,
                                                     struct leat_error *err);

/* ---- for people ---- */

struct leat_effect_filter {
    struct leat_str processor, service; /* "" = any */
    const struct leat_uuid *id;         /* NULL = any */
    bool all;                           /* else those alone that wait for a person */
    int32_t limit;
};
struct leat_effect_found {
    struct leat_effect_row effect;
    bool done;
    struct leat_str result;
    int32_t claims;
    int64_t claimed_ms, settled_ms, unknown_ms; /* unix; 0 = not */
};
/* Those unknown for longest first, then by when they were claimed; in the arena. */
LEAT_MUST_CHECK leat_status leat_store_effects(struct leat_store *s,
                                               const struct leat_effect_filter *f,
                                               struct leat_arena *arena,
                                               struct leat_effect_found **ret, size_t *ret_n,
                                               struct leat_error *err);

#endif
