/* redis_row.h - a row as the JSON text that is kept in Redis, for any client to read. Pure.
 *
 * One object: a member per declared field, in their order, as `leat get` prints them. What JSON
 * cannot say exactly (bytes, texts that are not UTF-8, lists of such, not-a-number, a foreign
 * array) is there as well in the member `_leat`, which comes first: {"exact": {field: base64 of the
 * packed cell}}, and so are the full key of a row whose key was shortened, {"key": base64}, and
 * when a row with a `ttl` goes, {"until": unix ms}. */
#ifndef LEAT_PROJECTION_REDIS_ROW_H
#define LEAT_PROJECTION_REDIS_ROW_H

#include "projection/row.h"

#define LEAT_REDIS_ROW_OWN "_leat" /* no field may have this name */

struct leat_row_names { /* fields of a model, prepared for writing; in an arena */
    const struct leat_str *fields;
    struct leat_str *members; /* "name": */
    uint32_t n;
};
/* INVALID: a field has a name that is taken. */
LEAT_MUST_CHECK leat_status leat_row_names_of(const struct leat_str *fields, uint32_t n,
                                              struct leat_arena *arena, struct leat_row_names *ret,
                                              struct leat_error *err);

struct leat_row_own {
    struct leat_str key; /* only when the row must keep it */
    int64_t until_ms;    /* 0 = it stays */
};
void leat_row_text(const struct leat_row_names *names, const struct leat_cell *cells,
                   const struct leat_row_own *own, struct leat_buf *out);
/* All cells are filled; they borrow from `text` and the arena. *ret_own NULL is allowed. POISON:
 * not such a row. */
LEAT_MUST_CHECK leat_status leat_row_of_text(const struct leat_row_names *names,
                                             struct leat_str text, struct leat_arena *arena,
                                             struct leat_cell *cells, struct leat_row_own *ret_own,
                                             struct leat_error *err);

#endif
