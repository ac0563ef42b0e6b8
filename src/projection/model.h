/* model.h - rows of an LMDB environment by their bytes: for those who compare files. Reading is in
 * model_read.h. */
#ifndef LEAT_PROJECTION_MODEL_H
#define LEAT_PROJECTION_MODEL_H

#include "projection/projection.h"
#include "projection/shape.h"
#include "projection/versions.h"

#define LEAT_SKIP_KEY_BYTES 12

struct leat_model_view { /* one version, open */
    struct leat_env *env;
    struct leat_shape *shape;
};

/* The row as one JSON object: its key first, then the fields in declared order. */
LEAT_MUST_CHECK leat_status leat_model_row_json(const struct leat_model_view *v,
                                                struct leat_str db_key, struct leat_str bytes,
                                                struct leat_json_writer *w, struct leat_error *err);
/* {"slice", "seq", "type", "reason"} of an entry of the skipped database. */
void leat_model_skip_json(const uint8_t *key, struct leat_str text, struct leat_json_writer *w);

#endif
