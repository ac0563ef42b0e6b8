/* field_check.h - names in a command's JSON that its schema does not know: most often a slip, which
 * must not become a default value in silence. Pure. */
#ifndef LEAT_QUERY_FIELD_CHECK_H
#define LEAT_QUERY_FIELD_CHECK_H

#include "base/arena.h"
#include "codec/codec.h"

/* `json` is an object that fits the schema otherwise. INVALID names the path of the first unknown
 * field, with the nearest there is. Records within lists and maps are not looked into. */
LEAT_MUST_CHECK leat_status leat_check_fields(const struct leat_schema *schema,
                                              struct leat_str json, struct leat_arena *arena,
                                              struct leat_error *err);

#endif
