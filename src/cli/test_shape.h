/* test_shape.h - values written in YAML, read as an Avro schema says: `sku: 17` is a text where the
 * field is one. Mistakes get the place of the value. Texts live as long as schema and arena. */
#ifndef LEAT_CLI_TEST_SHAPE_H
#define LEAT_CLI_TEST_SHAPE_H

#include "base/json.h"
#include "topology/yaml.h"

typedef enum leat_shape_kind {
    LEAT_SHAPE_ANY, /* a union of several: as written */
    LEAT_SHAPE_TEXT,
    LEAT_SHAPE_NUMBER,
    LEAT_SHAPE_DECIMAL, /* bytes of a decimal: a number written as a text */
    LEAT_SHAPE_BOOL,
    LEAT_SHAPE_ENUM,
    LEAT_SHAPE_RECORD,
    LEAT_SHAPE_ARRAY,
    LEAT_SHAPE_MAP,
} leat_shape_kind;

struct leat_shape {
    leat_shape_kind kind;
    bool nullable;
    int32_t per_ms;       /* NUMBER: a time, in this many parts of a ms; 0 = no time */
    bool date;            /* NUMBER: days since 1970-01-01 */
    struct leat_str name; /* of a record or enum; else "" */
    struct leat_str root; /* text of the whole schema */
    struct leat_str raw;  /* text of this type in it */
};

/* Of the schema's top type. */
LEAT_MUST_CHECK leat_status leat_shape_top(struct leat_str schema, struct leat_arena *arena,
                                           struct leat_shape *ret, struct leat_error *err);

struct leat_shaper {
    struct leat_arena *arena;
    struct leat_report *report; /* where mistakes go */
    struct leat_json_writer *w; /* NULL: only look for mistakes */
};
/* Writes the value. Fields that a record lacks are the encoder's to judge. */
void leat_shape_put(struct leat_shaper *s, const struct leat_yaml *value,
                    const struct leat_shape *shape);
/* One JSON number. */
bool leat_is_number(struct leat_str text);

#endif
