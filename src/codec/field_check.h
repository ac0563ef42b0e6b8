/* field_check.h - names in a JSON value that its schema does not know: most often a slip, which
 * must not become a default value in silence. Pure. */
#ifndef LEAT_CODEC_FIELD_CHECK_H
#define LEAT_CODEC_FIELD_CHECK_H

#include "base/arena.h"
#include "codec/codec.h"

/* `json` fits the schema otherwise. INVALID names the path of the first unknown field, at any depth
 * ("lines[0].note"), with the nearest there is. */
LEAT_MUST_CHECK leat_status leat_check_fields(const struct leat_schema *schema,
                                              struct leat_str json, struct leat_arena *arena,
                                              struct leat_error *err);
/* The unknown name in the object `json` that is nearest to `missing`, a field of the schema's
 * record that it does not have; empty when none is near. Text of `json` or of the arena. */
struct leat_str leat_field_meant(const struct leat_schema *schema, struct leat_str json,
                                 struct leat_str missing, struct leat_arena *arena);

#endif
