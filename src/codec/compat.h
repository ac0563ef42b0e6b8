/* compat.h - whether what was written with one schema can be read with another: Avro's rules of
 * resolution, as strict as codec applies them, without a C struct. Pure. */
#ifndef LEAT_CODEC_COMPAT_H
#define LEAT_CODEC_COMPAT_H

#include "codec/codec.h"

/* INVALID with the first field that cannot be read and why. */
LEAT_MUST_CHECK leat_status leat_schema_reads(const struct leat_schema *reader,
                                              const struct leat_schema *writer,
                                              struct leat_error *err);

#endif
