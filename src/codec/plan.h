/* plan.h - compiled decoding: what to do with each value the writer wrote, in the writer's order.
 * Private to codec. A plan owns its steps; it refers to the writer's schema, which
 * must outlive it. */
#ifndef LEAT_CODEC_PLAN_H
#define LEAT_CODEC_PLAN_H

#include "codec/nodes.h"
#include "leat/type.h"

typedef enum leat_step_code {
    LEAT_STEP_SKIP, /* no such field in the struct */
    LEAT_STEP_NULL, /* writer's null type into an optional field */
    LEAT_STEP_BOOL,
    LEAT_STEP_INT,
    LEAT_STEP_LONG,
    LEAT_STEP_FLOAT,
    LEAT_STEP_DOUBLE,
    LEAT_STEP_INT_TO_LONG,
    LEAT_STEP_INT_TO_FLOAT,
    LEAT_STEP_INT_TO_DOUBLE,
    LEAT_STEP_LONG_TO_FLOAT,
    LEAT_STEP_LONG_TO_DOUBLE,
    LEAT_STEP_FLOAT_TO_DOUBLE,
    LEAT_STEP_STRING,
    LEAT_STEP_BYTES,
    LEAT_STEP_FIXED,
    LEAT_STEP_ENUM,
    LEAT_STEP_RECORD,
    LEAT_STEP_ARRAY,
    LEAT_STEP_MAP,
    LEAT_STEP_UNION,  /* into a union of the struct: from the branch `branches[0]` stands for, or
                         (size > 0) from the one of the writer's union that comes first */
    LEAT_STEP_BRANCH, /* writer's union into a field that is none: the step of its branch */
    LEAT_STEP_NO_WAY, /* writer's branch that the reader has no place for */
} leat_step_code;

#define LEAT_NO_UNION 2

struct leat_steps;

/* What decode.c reads without a call. */
typedef enum leat_step_fast {
    LEAT_FAST_STRING = 1,
    LEAT_FAST_BYTES = 2,
    LEAT_FAST_LONG = 4,
    LEAT_FAST_INT = 8,
    LEAT_FAST_ENUM = 16, /* the writer's symbols are the reader's */
    LEAT_FAST_DOUBLE = 32,
    LEAT_FAST_BOOL = 64,
    LEAT_FAST_TEXT = LEAT_FAST_STRING | LEAT_FAST_BYTES,
    LEAT_FAST_WHOLE = LEAT_FAST_INT | LEAT_FAST_ENUM,
} leat_step_fast;

struct leat_step {
    uint8_t fast;        /* leat_step_fast, or 0 */
    uint8_t code;        /* leat_step_code */
    uint8_t null_branch; /* of the writer's union, or LEAT_NO_UNION */
    uint32_t offset;     /* of the value in its struct */
    int32_t has_offset;  /* of the reader's `has_`, or -1 */
    uint32_t
        size; /* BYTES: at most so many, 0: any; FIXED: bytes; ENUM: writer's symbols; ARRAY, MAP:
                 element bytes; UNION, BRANCH: branches of the writer's union, 0: it is none */
    uint32_t node; /* SKIP: what to skip; ARRAY, MAP: least bytes of an item */
    int32_t is;    /* of a branch within UNION: its position in the struct's union */
    union {
        const struct leat_steps *record;
        const struct leat_step *item;
        const struct leat_step *branches;
        const int32_t *symbols; /* ENUM: writer's index -> reader's, -1: it has none */
    };
    const char *name; /* of the writer's field, for errors */
};

/* A default that is not null or zero: bytes of the struct, made once; what they point at is the
 * plan's. */
struct leat_fallback {
    uint32_t offset, size;
    int32_t has_offset; /* or -1 */
    const char *at;
};

struct leat_steps {
    struct leat_step *at;
    uint32_t count;
    struct leat_fallback *fallback; /* fields the writer lacks */
    uint32_t fallback_count;
    leat_read_fn *read; /* of the struct, for the first `read_count` fields; else NULL and 0 */
    uint32_t read_count;
};

struct leat_plan {
    struct leat_arena *arena; /* of everything below */
    const struct leat_schema *writer;
    const struct leat_type *type;
    const struct leat_steps *top;
};

/* skip.c: passes over one value. False: the bytes do not hold one. */
struct leat_wire_in;
bool leat_node_skip(const struct leat_schema *s, uint32_t node, struct leat_wire_in *in, int depth);
/* json_decode.c: the default of `f` into the struct at `base`. */
LEAT_MUST_CHECK leat_status leat_field_set_default(const struct leat_field *f,
                                                   struct leat_arena *arena, char *base,
                                                   struct leat_error *err);

#endif
