/* nodes.h - what a parsed Avro schema is: flat arrays that refer to each other by index.
 * Private to codec. Immutable after leat_schema_parse(); any thread may read. */
#ifndef LEAT_CODEC_NODES_H
#define LEAT_CODEC_NODES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "codec/codec.h"
#include "leat/str.h"

/* Nesting of types; and of values, where records, arrays and maps count one each, as in JSON. */
#define LEAT_SCHEMA_DEPTH_MAX    64
#define LEAT_SCHEMA_FIELDS_MAX   512  /* of one record */
#define LEAT_SCHEMA_BRANCHES_MAX 64   /* of one union */
#define LEAT_SCHEMA_NODES_MAX    4096 /* of one schema */
#define LEAT_SCHEMA_FLAT_MAX     4096 /* fields of one record with all it embeds */

typedef enum leat_node_kind {
    LEAT_NODE_NULL,
    LEAT_NODE_BOOL,
    LEAT_NODE_INT,
    LEAT_NODE_LONG,
    LEAT_NODE_FLOAT,
    LEAT_NODE_DOUBLE,
    LEAT_NODE_STRING,
    LEAT_NODE_BYTES,
    LEAT_NODE_FIXED,
    LEAT_NODE_ENUM,
    LEAT_NODE_RECORD,
    LEAT_NODE_ARRAY,
    LEAT_NODE_MAP,
    LEAT_NODE_UNION,
} leat_node_kind;

struct leat_aliases { /* other names a thing had; NUL-terminated too, without a namespace */
    const struct leat_str *at;
    uint32_t count;
};

struct leat_node_field {
    struct leat_str name;     /* NUL-terminated too */
    struct leat_str fallback; /* default as JSON text; at == NULL: none */
    struct leat_aliases aliases;
    uint32_t node;
};

struct leat_node {
    leat_node_kind kind;
    struct leat_str name;  /* RECORD, ENUM, FIXED: short name, NUL-terminated */
    struct leat_str space; /* their namespace, may be empty */
    uint32_t first, count; /* RECORD: of fields; ENUM: of symbols; UNION: of branches */
    uint32_t item; /* ARRAY, MAP: node of items or values; UNION of null and T: T, else itself */
    uint32_t size; /* FIXED: bytes */
    uint32_t bytes_min;          /* least bytes a value takes on the wire */
    uint8_t null_branch;         /* UNION of null and one other: 0 or 1 */
    bool optional;               /* UNION of null and one other */
    bool decimal;                /* BYTES, FIXED: `scale` digits are behind the point */
    uint8_t precision, scale;    /* of a decimal */
    int32_t enum_default;        /* ENUM: symbol that stands for unknown ones, or -1 */
    struct leat_str logical;     /* logical type as written, decimal included; or empty */
    struct leat_aliases aliases; /* RECORD, ENUM, FIXED */
};

struct leat_schema {
    struct leat_node *nodes;
    uint32_t node_count;
    struct leat_node_field *fields;
    uint32_t field_count;
    struct leat_str *symbols; /* NUL-terminated too */
    uint32_t symbol_count;
    uint32_t *branches; /* nodes */
    uint32_t branch_count;
    size_t node_cap, field_cap, symbol_cap, branch_cap;
    uint32_t top;
    uint64_t fingerprint;
    struct leat_arena *arena; /* everything above, names and defaults */
};

/* avro_parse.c: fills everything but what schema_text.c does, bytes_min and the fingerprint. */
LEAT_MUST_CHECK leat_status leat_avro_parse(struct leat_str json, struct leat_schema *s,
                                            struct leat_error *err);
/* schema_text.c: what avro-c reads over, from the same text: defaults, aliases, logical types. */
LEAT_MUST_CHECK leat_status leat_schema_text(struct leat_str json, struct leat_schema *s,
                                             struct leat_error *err);
/* canonical.c: Avro's parsing canonical form of one node, and its CRC-64-AVRO. */
void leat_schema_canonical(const struct leat_schema *s, uint32_t node, struct leat_buf *out);
uint64_t leat_rabin64(struct leat_str text);

/* json_schema_out.c: the value at in->at, which moves past it. */
struct leat_wire_in;
LEAT_MUST_CHECK leat_status leat_node_to_json(const struct leat_schema *s, uint32_t node,
                                              struct leat_wire_in *in, struct leat_buf *out,
                                              struct leat_error *err);
/* json_schema_in.c: one value of any node. `as_default`: as schemas write defaults, where a union's
 * value is one of its first branch and is not wrapped. */
LEAT_MUST_CHECK leat_status leat_node_from_json(const struct leat_schema *s, uint32_t node,
                                                struct leat_str json, bool as_default,
                                                struct leat_buf *out, struct leat_error *err);

/* The same error, but it is the user's file that is wrong. */
static inline leat_status leat_error_invalid(struct leat_error *err)
{
    if (err != NULL)
        err->status = LEAT_INVALID;
    return LEAT_INVALID;
}

static inline const struct leat_node *leat_node_at(const struct leat_schema *s, uint32_t node)
{
    return &s->nodes[node];
}

/* The type itself, a union with null looked through. */
static inline uint32_t leat_node_plain(const struct leat_schema *s, uint32_t node)
{
    return s->nodes[node].kind == LEAT_NODE_UNION ? s->nodes[node].item : node;
}

const char *leat_node_kind_name(leat_node_kind kind);
/* What a branch is called in JSON: "string", or a named type's full name; `arena`
 * for the latter. */
struct leat_str leat_node_branch_name(const struct leat_schema *s, uint32_t node,
                                      struct leat_arena *arena);
/* Whether a JSON key names the branch: by its full name, or by the last part of it. */
struct leat_json_token;
bool leat_node_is_branch(const struct leat_schema *s, uint32_t node,
                         const struct leat_json_token *key, struct leat_arena *arena);
/* field_check.c: leat_field_meant() of any record. */
struct leat_str leat_node_meant(const struct leat_schema *s, uint32_t record, struct leat_str json,
                                struct leat_str missing, struct leat_arena *arena);
/* Field of a record by name; NULL when absent. */
const struct leat_node_field *leat_node_field_find(const struct leat_schema *s, uint32_t record,
                                                   struct leat_str name);

#endif
