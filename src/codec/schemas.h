/* schemas.h - the schemas a process works with: type name <-> current schema and its id in the
 * store, and every older id still found in events. Ids are the store's (table schemas); this module
 * has no I/O but reading files: whoever opens the store puts the rows in. Once the files are loaded
 * any thread may read, without a lock; leat_schemas_put() and the making of plans are serialised
 * inside. What is returned stays valid until leat_schemas_free(). */
#ifndef LEAT_CODEC_SCHEMAS_H
#define LEAT_CODEC_SCHEMAS_H

#include "codec/codec.h"

struct leat_schemas *leat_schemas_new(void);
void leat_schemas_free(struct leat_schemas *s);
/* Reads `<dir>/<Type>.avsc` for the named type; keeps it as the type's current schema. Named types
 * used inside that have files of their own are inlined, so the text kept is self-contained. */
LEAT_MUST_CHECK leat_status leat_schemas_load_file(struct leat_schemas *s, const char *const *dirs,
                                                   size_t dir_count, struct leat_str type,
                                                   struct leat_error *err);
/* The index-th type known, in no order; false past the last. */
bool leat_schemas_at(const struct leat_schemas *s, size_t index, struct leat_str *ret_type);
/* A row of the store's table; the same row again is fine. The row whose text is that of the file
 * gives the type its id; a type without a file has the row with the highest id as its current
 * schema. */
LEAT_MUST_CHECK leat_status leat_schemas_put(struct leat_schemas *s, int32_t id,
                                             struct leat_str subject, struct leat_str text,
                                             struct leat_error *err);
const struct leat_schema *leat_schemas_by_id(const struct leat_schemas *s,
                                             int32_t id); /* or NULL */
const struct leat_schema *leat_schemas_current(const struct leat_schemas *s, struct leat_str type);
int32_t leat_schemas_id(const struct leat_schemas *s, struct leat_str type); /* 0 = none yet */
struct leat_str leat_schemas_text(const struct leat_schemas *s, struct leat_str type);
/* Bytes as they travel (framed Avro or JSON) -> struct; what worker and policies call. ABSENT for
 * an id that no row has brought: put it, try again. */
LEAT_MUST_CHECK leat_status leat_schemas_decode(struct leat_schemas *s,
                                                const struct leat_type *type, struct leat_str bytes,
                                                struct leat_arena *arena, void *value,
                                                struct leat_error *err);
/* Bytes as they travel -> JSON text (JSON is copied after a syntax check). */
LEAT_MUST_CHECK leat_status leat_schemas_to_json(const struct leat_schemas *s,
                                                 struct leat_str bytes, struct leat_buf *out,
                                                 struct leat_error *err);
/* JSON text of `type` -> bytes as they travel: framed Avro, or JSON checked against the schema. */
LEAT_MUST_CHECK leat_status leat_schemas_from_json(const struct leat_schemas *s,
                                                   struct leat_str type, bool avro,
                                                   struct leat_str json, struct leat_buf *out,
                                                   struct leat_error *err);

#endif
