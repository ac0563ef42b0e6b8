/* fields.h - what fields a schema has and of what kind, for who checks expressions over them. */
#ifndef LEAT_CODEC_FIELDS_H
#define LEAT_CODEC_FIELDS_H

#include "codec/codec.h"

typedef enum leat_field_class {
    LEAT_FIELD_BOOL,
    LEAT_FIELD_INT,    /* int, long */
    LEAT_FIELD_DOUBLE, /* float, double */
    LEAT_FIELD_TEXT,   /* string, enum */
    LEAT_FIELD_BYTES,  /* bytes, fixed, decimals */
    LEAT_FIELD_RECORD,
    LEAT_FIELD_LIST,
    LEAT_FIELD_MAP,
    LEAT_FIELD_OTHER, /* null, a union of several types */
} leat_field_class;

struct leat_field_info {
    leat_field_class kind;
    bool nullable;
    const char *type;               /* Avro's word for it: "long" */
    const struct leat_str *symbols; /* of an enum */
    uint32_t symbol_count;
};

/* The field at a path ("a", "b" of `$.a.b`). False: step *ret_known is no field of what is before
 * it; *ret_known == n: found. All memory is the schema's. */
bool leat_schema_field(const struct leat_schema *s, const struct leat_str *path, uint32_t n,
                       struct leat_field_info *ret, uint32_t *ret_known);
/* The index-th field of the record at a path; false past the last, or where there is no record. */
bool leat_schema_field_name(const struct leat_schema *s, const struct leat_str *path, uint32_t n,
                            uint32_t index, struct leat_str *ret);

/* What a reader of the schema takes a field at a path for when a message was written without it:
 * its defaults and aliases, and those of the records around it, mixed into `seed`; `seed` when
 * none. */
uint64_t leat_schema_reading_hash(const struct leat_schema *s, const struct leat_str *path,
                                  uint32_t n, uint64_t seed);

/* The first field of the schema whose member of the object `json` does not fit it; empty when each
 * does for itself. Slow: for errors. */
struct leat_str leat_schema_misfit(const struct leat_schema *s, struct leat_str json);

#endif
