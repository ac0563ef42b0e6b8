/* model.h - inside of reading a model: what model.c and model_list.c share. */
#ifndef LEAT_PROJECTION_MODEL_H
#define LEAT_PROJECTION_MODEL_H

#include "projection/projection.h"
#include "projection/shape.h"
#include "projection/versions.h"

#define LEAT_SKIP_KEY_BYTES 12

struct leat_model_view { /* one version, open */
    struct leat_env *env;
    struct leat_shape *shape;
    char version[LEAT_VERSION_BYTES];
    const struct leat_projection
        *declared; /* now: a version may still be of an older declaration */
};

/* The row as one JSON object: its key first, then the fields in declared order. */
LEAT_MUST_CHECK leat_status leat_model_row_json(const struct leat_model_view *v,
                                                struct leat_str db_key, struct leat_str bytes,
                                                struct leat_json_writer *w, struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_model_list_in(const struct leat_model_view *v,
                                               const struct leat_model_range *r,
                                               struct leat_buf *out, struct leat_error *err);
/* {"slice", "seq", "type", "reason"} of an entry of the skipped database. */
void leat_model_skip_json(const uint8_t *key, struct leat_str text, struct leat_json_writer *w);

#endif
