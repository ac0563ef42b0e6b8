/* codec.h - values between C structs, Avro bytes and JSON text.
 *
 * Wire forms (contract 3): Confluent framing 0x00 + 4-byte big-endian schema id + Avro body, or
 * JSON (first byte is not 0x00). Plans and schemas are immutable once made: any thread may use
 * them. Decoding never copies strings: slices point into the input bytes (or the arena, when a JSON
 * string has escapes), so inputs must outlive the struct. All lengths and depths are bounded. */
#ifndef LEAT_CODEC_CODEC_H
#define LEAT_CODEC_CODEC_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "leat/type.h"

struct leat_schema;  /* a parsed Avro schema, compiled to flat nodes; free with leat_schema_free */
struct leat_plan;    /* how to get from one writer schema into one C struct */
struct leat_schemas; /* the set a process works with: ids, types, plans; see schemas.h */

LEAT_MUST_CHECK leat_status leat_schema_parse(struct leat_str json, struct leat_schema **ret,
                                              struct leat_error *err);
void leat_schema_free(struct leat_schema *s);
const char *leat_schema_name(const struct leat_schema *s);     /* short name of the top record */
uint64_t leat_schema_fingerprint(const struct leat_schema *s); /* of the canonical text */

/* Framing. False when `bytes` is not framed (then it is JSON or garbage). */
bool leat_framing_split(struct leat_str bytes, int32_t *ret_id, struct leat_str *ret_body);
void leat_framing_put(struct leat_buf *out, int32_t id);

/* Struct -> Avro body (no framing), in the type's own schema. POISON when over the buffer's max. */
LEAT_MUST_CHECK leat_status leat_encode_avro(const struct leat_type *type, const void *value,
                                             struct leat_buf *out, struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_encode_json(const struct leat_type *type, const void *value,
                                             struct leat_buf *out, struct leat_error *err);
/* Writer schema -> struct, by field name; INVALID when a field can't be filled. */
LEAT_MUST_CHECK leat_status leat_plan_new(const struct leat_schema *writer,
                                          const struct leat_type *type, struct leat_plan **ret,
                                          struct leat_error *err);
void leat_plan_free(struct leat_plan *p);
/* `value` is zeroed first. POISON on bytes that do not decode, naming field and byte offset. */
LEAT_MUST_CHECK leat_status leat_decode_avro(const struct leat_plan *plan, struct leat_str body,
                                             struct leat_arena *arena, void *value,
                                             struct leat_error *err);
/* JSON object -> struct. Unknown fields are skipped; a missing field takes the schema's default,
 * else POISON naming it. */
LEAT_MUST_CHECK leat_status leat_decode_json(const struct leat_type *type, struct leat_str json,
                                             struct leat_arena *arena, void *value,
                                             struct leat_error *err);

/* Without C structs (CLI, HTTP, projections): */
LEAT_MUST_CHECK leat_status leat_schema_to_json(const struct leat_schema *s, struct leat_str body,
                                                struct leat_buf *out, struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_schema_from_json(const struct leat_schema *s, struct leat_str json,
                                                  struct leat_buf *out, struct leat_error *err);

typedef enum leat_value_kind {
    LEAT_VALUE_NULL, /* null, or absent */
    LEAT_VALUE_BOOL,
    LEAT_VALUE_INT,
    LEAT_VALUE_DOUBLE,
    LEAT_VALUE_STRING, /* enums too */
    LEAT_VALUE_BYTES,
    LEAT_VALUE_JSON, /* a record, array or map, as JSON text */
} leat_value_kind;

struct leat_value {
    leat_value_kind kind;
    union {
        bool b;
        int64_t i;
        double d;
        struct leat_str s; /* into the input or the arena */
    };
};

/* Picks the fields at `paths` ("a", "a.b") out of a message in one pass: values[i] for paths[i].
 * A picker over Avro is compiled once per schema; over JSON it needs none (schema NULL). */
struct leat_picker;
LEAT_MUST_CHECK leat_status leat_picker_new(const struct leat_schema *schema,
                                            const struct leat_str *paths, size_t n,
                                            struct leat_picker **ret, struct leat_error *err);
/* The same for a reader with a schema of its own, as Avro resolves: a field that the message's
 * schema lacks is looked for under its aliases, and then is the reader's default. NULL: none. */
LEAT_MUST_CHECK leat_status leat_picker_reading(const struct leat_schema *schema,
                                                const struct leat_schema *reader,
                                                const struct leat_str *paths, size_t n,
                                                struct leat_picker **ret, struct leat_error *err);
void leat_picker_free(struct leat_picker *p);
LEAT_MUST_CHECK leat_status leat_pick(const struct leat_picker *p, struct leat_str body,
                                      struct leat_arena *arena, struct leat_value *values,
                                      struct leat_error *err);

#endif
