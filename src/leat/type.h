/* type.h - how generated code describes a C struct to the codec: one row per field.
 * Written by `leat gen`, read by src/codec; nobody else fills these in by hand. */
#ifndef LEAT_TYPE_H
#define LEAT_TYPE_H

#include <stddef.h>
#include <stdint.h>

#include "leat/str.h"

typedef enum leat_kind {
    LEAT_KIND_BOOL,   /* bool               */
    LEAT_KIND_INT,    /* int32_t            */
    LEAT_KIND_LONG,   /* int64_t            */
    LEAT_KIND_FLOAT,  /* float              */
    LEAT_KIND_DOUBLE, /* double             */
    LEAT_KIND_STRING, /* struct leat_str, UTF-8 */
    LEAT_KIND_BYTES,  /* struct leat_str    */
    LEAT_KIND_ENUM,   /* int32-sized C enum; value = position in `symbols` */
    LEAT_KIND_FIXED,  /* uint8_t[item_bytes] */
    LEAT_KIND_RECORD, /* struct, embedded   */
    LEAT_KIND_ARRAY,  /* struct { T *at; size_t len; } of `item` */
    LEAT_KIND_MAP,    /* struct { struct { struct leat_str key; T value; } *at; size_t len; } */
    LEAT_KIND_NULL,   /* a branch of a union that has no value */
    LEAT_KIND_UNION,  /* struct { int32-sized C enum is; union { ... } as; }, a union of other than
                         null and one type; `is` = position of the branch in the schema */
} leat_kind;

struct leat_type;

struct leat_field {
    const char *name;               /* as in the schema */
    const char *fallback;           /* the schema's default as JSON text; NULL: it has none */
    const struct leat_type *record; /* RECORD */
    const struct leat_field *item;  /* ARRAY and MAP: how one item (value) lies in its element;
                                       UNION: its branches, how each lies in the struct; their names
                                       are those JSON calls them by */
    const char *const *symbols;     /* ENUM */
    leat_kind kind;
    uint32_t offset;       /* of the value within its struct */
    int32_t has_offset;    /* of the `bool has_<name>` of a union with null, else -1 */
    uint32_t symbol_count; /* ENUM; UNION: branches; BYTES, FIXED: digits of a decimal */
    uint32_t item_bytes;   /* ARRAY and MAP: distance between elements; FIXED, UNION: its size */
    uint16_t name_len;     /* 0: count it */
    uint8_t null_branch;   /* of a union with null: 0 for [null, T], 1 for [T, null] */
    uint8_t decimals;      /* BYTES, FIXED: 1 + digits behind the point of a decimal; 0: is none */
};

/* What `leat gen` writes for a record of plain fields, out of the lines of wire.h: reads (writes)
 * the fields from the `from`-th on, as long as each is plain, well formed and fits before `end`
 * (`limit`). Answers the field it stopped before, `field_count` after all; *ret_at
 * is moved there. */
typedef uint32_t leat_read_fn(const uint8_t **ret_at, const uint8_t *end, uint32_t from,
                              void *value);
typedef uint32_t leat_write_fn(uint8_t **ret_at, const uint8_t *limit, uint32_t from,
                               const void *value);

struct leat_type {
    const char *name;                /* the Avro record's name: PlaceOrder */
    size_t size;                     /* of the C struct */
    const struct leat_field *fields; /* in the schema's order */
    uint32_t field_count;
    const char *schema; /* Avro schema as JSON text, self-contained; NULL for nested records */
    const char *key;    /* field that holds the stream's key; NULL when the topology names none */
    leat_read_fn *read; /* both or none: then the codec reads and writes by `fields` alone */
    leat_write_fn *write;
};

/* Before each table and function in a generated header: not all are used by each module. */
#define LEAT_GENERATED __attribute__((unused)) static

/* 0, and an error at compile time when function `fn_` is not of function type `type_`. */
#define LEAT_MUST_BE(fn_, type_, text_)                                                            \
    (0 * sizeof(struct {                                                                           \
         _Static_assert(__builtin_types_compatible_p(__typeof__(fn_), type_), text_);              \
         char c;                                                                                   \
     }))

/* Text by key; see leat_options_get(). "topology.dir" is always there: the folder of the topology
 * file, for files that an option names relative to it. */
struct leat_options;
const char *leat_options_get(const struct leat_options *o, const char *key, const char *fallback);
/* The option as a path, relative ones to the topology's folder; false when it does not fit. */
bool leat_options_path(const struct leat_options *o, const char *key, const char *fallback,
                       char *ret_path, size_t room);

#endif
