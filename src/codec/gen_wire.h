/* gen_wire.h - the functions that read and write a record's plain fields. Private to gen. */
#ifndef LEAT_CODEC_GEN_WIRE_H
#define LEAT_CODEC_GEN_WIRE_H

#include "codec/gen_types.h"

/* leat_reads_<snake>() and leat_writes_<snake>(), see leat_type.read. False when the record has no
 * plain field: then there are none. */
bool leat_gen_write_wire(struct leat_gen *g, const struct leat_gen_def *d);

#endif
