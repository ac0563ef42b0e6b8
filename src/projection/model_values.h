/* model_values.h - values and names as an asker writes them: "hot,\"a,b\",42". Pure. */
#ifndef LEAT_PROJECTION_MODEL_VALUES_H
#define LEAT_PROJECTION_MODEL_VALUES_H

#include "projection/model_rows.h"

#define LEAT_VALUE_BYTES_MAX 1024
#define LEAT_SHOWN_MAX       100 /* bytes of what was asked that an error repeats */

/* For "%.*s": what was asked, cut. */
#define LEAT_SHOWN(s) (int)((s).len < LEAT_SHOWN_MAX ? (s).len : LEAT_SHOWN_MAX), (s).at

struct leat_given { /* a value in the asker's form */
    struct leat_str text;
    bool quoted; /* "in quotes": a text, whatever it looks like */
};

/* The next value up to one of the bytes in `ends` (or to the end); quoted ones may hold those, and
 * "" for a quote. Its text is written to `to`, longer ones are cut. *ret_end = the byte it ended
 * with, 0 at the end. False when nothing is left; an empty text is one empty value. */
bool leat_given_next(struct leat_str *rest, const char *ends, char to[LEAT_VALUE_BYTES_MAX],
                     struct leat_given *ret, char *ret_end);
/* INT or DOUBLE. */
bool leat_given_number(struct leat_str text, struct leat_cell *ret);

/* Number of the field by its name: INVALID with the nearest, RETRY when only the declaration has
 * it. */
LEAT_MUST_CHECK leat_status leat_find_field(const struct leat_rows_version *v, struct leat_str name,
                                            uint32_t *ret, struct leat_error *err);

struct leat_chosen { /* which fields an answer shows */
    bool all;
    uint32_t n;
    uint16_t at[LEAT_ROW_FIELDS_MAX];
};
/* `names` with commas; empty: all; "key" is none of them, as it comes always. */
LEAT_MUST_CHECK leat_status leat_choose_fields(const struct leat_rows_version *v,
                                               struct leat_str names, struct leat_chosen *ret,
                                               struct leat_error *err);
/* What rows call their key: "key", or "_key" beside a field of that name. */
const char *leat_key_name(const struct leat_shape *shape);
/* The row as one object: its key first, then the chosen fields in declared order. */
void leat_row_put(const struct leat_shape *shape, const struct leat_model_row *row,
                  const struct leat_chosen *chosen, struct leat_json_writer *w);

#endif
