/* import_schema.h - the fields of an Avro record as an import needs them. */
#ifndef LEAT_CLI_IMPORT_SCHEMA_H
#define LEAT_CLI_IMPORT_SCHEMA_H

#include "cli/import_fields.h"

/* Fields of the record `schema` (JSON text), in order; memory from the arena, names point into the
 * text. INVALID when it is no record or has too many fields. */
LEAT_MUST_CHECK leat_status leat_import_schema_fields(struct leat_str schema,
                                                      struct leat_arena *arena,
                                                      struct leat_import_field **ret,
                                                      uint32_t *ret_n, struct leat_error *err);

#endif
