/* model_read.h - reading a model: a snapshot of one version, and what can be asked of it. Every
 * question of one snapshot is answered from it (see model_rows.h for what that is worth per store).
 *
 * Threads: a snapshot belongs to one. Memory: answers are written into the caller's buffer. Errors:
 * INVALID names what does not fit with what is allowed; RETRY: the version that is served does not
 * have such a field or index yet. */
#ifndef LEAT_PROJECTION_MODEL_READ_H
#define LEAT_PROJECTION_MODEL_READ_H

#include "base/json.h"
#include "projection/model_rows.h"
#include "projection/projection.h"

#define LEAT_MODEL_KEYS_MAX   1000     /* of one multi-get */
#define LEAT_MODEL_GROUPS_MAX 10000    /* of one aggregate */
#define LEAT_MODEL_TOP_MAX    1000     /* rows of one top */
#define LEAT_MODEL_LOOK_MAX   20000000 /* rows looked at to count or to sum up */
#define LEAT_MODEL_LOOK_MS    10000    /* and time: a snapshot held for long makes the file grow */

struct leat_model_guard;

struct leat_model_read {
    struct leat_model *model;
    struct leat_rows_version *version;
    struct leat_rows_snapshot *rows;
    struct leat_arena *arena;
    struct leat_model_guard *guard; /* model_guard.h; NULL: all may be seen */
    void *held;                     /* private */
};

/* What the snapshot borrows lives in `arena`, until the arena is reset. */
LEAT_MUST_CHECK leat_status leat_model_begin(struct leat_model *m, struct leat_arena *arena,
                                             struct leat_model_read *ret, struct leat_error *err);
/* The version that a page's cursor goes on in: the current one if it is of the same declaration (or
 * the cursor is none), else the one it names, as long as it is there. ABSENT: it was dropped. */
LEAT_MUST_CHECK leat_status leat_model_begin_page(struct leat_model *m, struct leat_str cursor,
                                                  struct leat_arena *arena,
                                                  struct leat_model_read *ret,
                                                  struct leat_error *err);
void leat_model_end(struct leat_model_read *r);
LEAT_MUST_CHECK leat_status leat_read_position(struct leat_model_read *r,
                                               struct leat_rows_position *ret,
                                               struct leat_error *err);
/* Of its parts: what differs whenever it differs (0: not known), and `complete_ms`. */
uint64_t leat_read_state(struct leat_model_read *r);
int64_t leat_read_complete_ms(struct leat_model_read *r);

/* `fields` everywhere: names with commas, the key comes always; empty = all. */

/* One row as an object. ABSENT when there is none. */
LEAT_MUST_CHECK leat_status leat_read_get(struct leat_model_read *r, struct leat_str key,
                                          struct leat_str fields, struct leat_buf *out,
                                          struct leat_error *err);
/* {"rows": [those there are, in the order asked for], "missing": [keys]}. */
LEAT_MUST_CHECK leat_status leat_read_keys(struct leat_model_read *r, const struct leat_str *keys,
                                           uint32_t n, struct leat_str fields, struct leat_buf *out,
                                           struct leat_error *err);
/* As leat_model_list(). */
LEAT_MUST_CHECK leat_status leat_read_list(struct leat_model_read *r,
                                           const struct leat_model_range *range,
                                           struct leat_buf *out, struct leat_error *err);
/* {"count": n}: rows of the range for which the filter holds. INVALID with the error's hint when
 * LEAT_MODEL_LOOK_MAX rows or LEAT_MODEL_LOOK_MS are not enough; so with the two below. */
LEAT_MUST_CHECK leat_status leat_read_count(struct leat_model_read *r,
                                            const struct leat_model_range *range,
                                            struct leat_buf *out, struct leat_error *err);

struct leat_model_sums {
    struct leat_model_range range; /* limit: groups at most in the answer */
    struct leat_str group;         /* fields with commas, at most 4; empty: one group of all rows */
    struct leat_str values;        /* "count,sum(f),min(f),max(f),avg(f)", at most 16 */
    struct leat_str order;         /* one of the group's fields or of the values, '-' before it: the
                                      greatest         first; empty: by the group's fields */
};
/* {"groups": [{"key": {…}, "count": n, "sum": {f: v}, "min": …, "max": …, "avg": …}, …], "rows": n,
 * "more": bool}. Sums and averages are of numbers; min and max of what is not null. */
LEAT_MUST_CHECK leat_status leat_read_sums(struct leat_model_read *r,
                                           const struct leat_model_sums *s, struct leat_buf *out,
                                           struct leat_error *err);
/* {"rows": […]}: the first range->limit rows in the order of any fields ("-total,name"), rows with
 * null in the first of them last. */
LEAT_MUST_CHECK leat_status leat_read_top(struct leat_model_read *r,
                                          const struct leat_model_range *range, struct leat_str by,
                                          struct leat_buf *out, struct leat_error *err);

#endif
