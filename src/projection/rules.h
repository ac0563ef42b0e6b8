/* rules.h - a projection ready to run: per event type its fields, conditions and operations.
 * Owner: the projector's thread (picker caches); memory of the rules' own arena. */
#ifndef LEAT_PROJECTION_RULES_H
#define LEAT_PROJECTION_RULES_H

#include "codec/schemas.h"
#include "projection/coded.h"
#include "projection/eval.h"

#define LEAT_PICKERS_MAX 16 /* schemas of one event type met by a projector */

struct leat_rule_test {
    leat_compare compare;
    const struct leat_eval *left, *right;
};
struct leat_rule_op {
    leat_row_op op;
    bool clear;     /* set the field to null, or delete the row (field LEAT_FIELD_ROW) */
    uint32_t field; /* or LEAT_FIELD_ROW */
    uint32_t bound;
    const struct leat_eval *value; /* NULL when `clear` */
};

struct leat_rule {
    struct leat_str event;
    /* Of a projection in C; then what is picked is one value: the address of the event's struct as
     * BYTES of its size. NULL: declared. */
    const struct leat_rows_on *on;
    struct leat_paths paths;
    const struct leat_eval *const *keys;
    struct leat_rule_test *tests;
    struct leat_rule_op *ops;
    uint32_t n_keys, n_tests, n_ops;
    const struct leat_eval
        *period; /* with a ttl, of rows fed by several slices: part of their key */
    bool reads_row;
    bool blind; /* writes every field and reads none: the row need not be fetched */
    struct {
        int32_t schema_id;          /* 0: JSON */
        struct leat_picker *picker; /* declared */
        struct leat_plan *plan;     /* in C */
    } pickers[LEAT_PICKERS_MAX];
    uint32_t n_pickers;
};

struct leat_rules {
    struct leat_arena *arena;
    struct leat_rule *at;
    uint32_t n;
    struct leat_coded *coded; /* NULL: declared */
};

LEAT_MUST_CHECK leat_status leat_rules_new(const struct leat_projection *p, struct leat_rules **ret,
                                           struct leat_error *err);
void leat_rules_free(struct leat_rules *r);
/* The declaration's hash, with the version of its code if it is in C, else with what its fields are
 * read as where an event was written without them:
 * a schema's other default makes other rows. */
LEAT_MUST_CHECK leat_status leat_rules_hash(const struct leat_projection *p,
                                            const struct leat_schemas *schemas, uint64_t *ret,
                                            struct leat_error *err);
/* NULL: the projection does not follow this event type. */
struct leat_rule *leat_rules_find(const struct leat_rules *r, struct leat_str event);
/* The fields of `payload` (as it travels) that the rule uses, one per path, in the arena. POISON
 * when the bytes do not decode; ABSENT when the schema's id is not in `schemas`. */
LEAT_MUST_CHECK leat_status leat_rule_pick(struct leat_rule *rule,
                                           const struct leat_schemas *schemas,
                                           struct leat_str payload, struct leat_arena *arena,
                                           const struct leat_value **ret, struct leat_error *err);
/* The row's key: its parts as text; several are joined by '/', with '/' and '%' in them escaped.
 * False when a part is null or empty: then there is no row for this event. */
bool leat_rule_key(const struct leat_rule *rule, const struct leat_eval_scope *scope,
                   struct leat_str *ret);
bool leat_rule_holds(const struct leat_rule *rule, const struct leat_eval_scope *scope);

/* The key that joins these texts as leat_rule_key() does; empty when it is too long for one. */
struct leat_str leat_key_join(const struct leat_str *parts, uint32_t n, struct leat_arena *arena);

#endif
