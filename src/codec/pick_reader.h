/* pick_reader.h - a picker's path, resolved against what its reader knows. Private to codec. */
#ifndef LEAT_CODEC_PICK_READER_H
#define LEAT_CODEC_PICK_READER_H

#include "base/arena.h"
#include "codec/codec.h"

#define LEAT_PATH_PARTS_MAX 16

struct leat_pick_path {
    struct leat_str text;
    struct leat_str parts[LEAT_PATH_PARTS_MAX];
    uint32_t count;
    struct leat_arena *arena; /* the picker's */
};

/* Turns the names of the path into those of the writer; where it lacks a field, *ret becomes the
 * reader's default and the path stays. writer NULL: JSON, where only the last field's default
 * counts. */
LEAT_MUST_CHECK leat_status leat_pick_resolve(const struct leat_schema *writer,
                                              const struct leat_schema *reader,
                                              struct leat_pick_path *path, struct leat_value *ret,
                                              struct leat_error *err);

#endif
