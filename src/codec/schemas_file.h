/* schemas_file.h - finding `<Type>.avsc` and making its text self-contained. Private to codec. */
#ifndef LEAT_CODEC_SCHEMAS_FILE_H
#define LEAT_CODEC_SCHEMAS_FILE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/status.h"

#define LEAT_SCHEMA_FILE_MAX (1u << 20)

/* Appends the schema of `type` to `out`: from the first folder that has `<type>.avsc`, with the
 * named types it uses and does not define inlined, each at its first use, from files of their own.
 * ABSENT when there is no such file. */
LEAT_MUST_CHECK leat_status leat_schema_read_file(const char *const *dirs, size_t dir_count,
                                                  struct leat_str type, struct leat_buf *out,
                                                  struct leat_error *err);

#endif
