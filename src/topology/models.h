/* models.h - the read side of a topology: projections and queries as plain data. Immutable; memory,
 * threads and units as topology.h says. */
#ifndef LEAT_TOPOLOGY_MODELS_H
#define LEAT_TOPOLOGY_MODELS_H

#include <stdbool.h>
#include <stdint.h>

#include "leat/str.h"
#include "topology/expr.h"
#include "topology/names.h"
#include "topology/report.h"

typedef enum leat_model_store {
    LEAT_MODEL_LMDB,
    LEAT_MODEL_REDIS,
} leat_model_store;

typedef enum leat_op_kind {
    LEAT_OP_SET,
    LEAT_OP_ADD, /* number += value; an absent field counts as 0 */
    LEAT_OP_MIN,
    LEAT_OP_MAX,
    LEAT_OP_APPEND,  /* to a list */
    LEAT_OP_COLLECT, /* into a set */
    LEAT_OP_DELETE,  /* the field; field == LEAT_FIELD_ROW: the row */
} leat_op_kind;

#define LEAT_FIELD_ROW UINT32_MAX

struct leat_op {
    leat_op_kind kind;
    uint32_t field;                /* index of projection.fields, or LEAT_FIELD_ROW */
    uint32_t bound;                /* append, collect: items that stay */
    const struct leat_expr *value; /* NULL for delete */
};
/* Items of append and collect where nothing is said, and at most. */
#define LEAT_APPEND_BOUND  100
#define LEAT_COLLECT_BOUND 1000
#define LEAT_BOUND_MAX     4000

struct leat_from {
    struct leat_place place;
    struct leat_str event;
    const struct leat_condition *when; /* all must hold */
    uint32_t n_when;
    const struct leat_op *ops; /* in order set add min max append collect delete */
    uint32_t n_ops;
};

struct leat_index_column {
    uint32_t field;
    bool descending;
};
struct leat_index {
    struct leat_str name;
    const struct leat_index_column *columns;
    uint32_t n_columns;
};

struct leat_row_column { /* a field of the rows of a projection in C */
    struct leat_str name;
    const char *type; /* Avro's word: "string", "int", "long", "double", "boolean" */
    bool nullable, is_list;
};

struct leat_yaml;

struct leat_projection {
    struct leat_place place;
    uint32_t index;
    struct leat_str name;
    leat_model_store store;
    const struct leat_expr *const *keys; /* parts of the row's key */
    uint32_t n_keys;
    bool keyed_by_stream;     /* rows follow one aggregate's key: any operation is allowed */
    uint32_t stream_part;     /* then: which of `keys` is the stream's key */
    struct leat_names fields; /* union over its rules, in order of first appearance */
    const struct leat_from *from;
    uint32_t n_from;
    const struct leat_index *indexes;
    uint32_t n_indexes;
    /* Written in C: `from` has its events and no operations, the key is made of fields of the row,
     * of which the first is the stream's key. */
    bool is_coded;
    const char *module; /* its shared object: name (default: the projection's) or path; or NULL */
    const struct leat_row_column *columns; /* one per field */
    uint32_t n_columns;
    const uint32_t *key_fields;
    uint32_t n_key_fields;
    struct leat_str row_type, row_schema; /* "<name>_row", and the same as an Avro record */
    bool audited;                         /* reads over HTTP are logged */
    int64_t ttl_ms;                       /* 0 = for ever */
    /* Of all that decides the rows: another hash is another version of the model. Of the
     * declaration alone until leat_rules_hash() has been told the schemas. */
    uint64_t hash;
    const struct leat_yaml *source; /* as declared: see declaration.h */
};

struct leat_query_where {
    uint32_t field;
    const struct leat_expr *value;
};
struct leat_query {
    struct leat_place place;
    struct leat_str name;
    const struct leat_projection *model;
    const struct leat_index *index; /* NULL: by key */
    struct leat_names params;
    const struct leat_query_where *where;
    uint32_t n_where;
    int64_t limit;
};

/* NULL when there is none. */
const struct leat_index *leat_projection_index(const struct leat_projection *p,
                                               struct leat_str name);
/* Index of a field of the projection, or -1. */
int32_t leat_projection_field(const struct leat_projection *p, struct leat_str name);

#endif
