/* redis_keys.h - names of the keys of a model in Redis, the checkpoint in it, and the scripts.
 *
 * Of one slice of one version, all in one cluster slot by the tag T = {topology.model.version.k}:
 *   T:rows          hash: key of a row -> JSON (redis_row.h); "" -> the checkpoint, so that rows
 * and checkpoint can only be there or be gone together T:order         sorted set of the keys of
 * the rows, all of score 0: their order T:index:<name>  sorted set of index entries (index_key.h),
 * all of score 0: one per row T:expiry  the same of when rows go, with a `ttl` T:skipped hash: seq
 * -> "type\0reason" of events that could not be applied T:fresh         when the slice was last
 * known complete: unix ms Of one model: {topology.model}:current is the version readers use,
 * :versions the set of those that are there, :shape:<version> what a version looks like (shape.h).
 * docs/decisions/0007. */
#ifndef LEAT_PROJECTION_REDIS_KEYS_H
#define LEAT_PROJECTION_REDIS_KEYS_H

#include "base/arena.h"
#include "projection/seqrule.h"
#include "projection/shape.h"
#include "redis/redis.h"

struct leat_redis_slice_keys {
    struct leat_str rows, order, skipped, fresh;
    struct leat_str *indexes; /* as many as the model has entries kept for */
};
struct leat_redis_keys {
    struct leat_str current, versions, shape, dropped, about;
    struct leat_redis_slice_keys *slices;
    int32_t partitions;
    uint32_t n_indexes; /* with that of when rows go */
    bool ttl;
};

/* `by_stream`: rows follow one stream's key, so that indexes are kept; else rows of several slices
 * are merged by whoever reads them, and so are their orders. */
struct leat_redis_keys_config {
    struct leat_str topology, model;
    const char *version;
    const struct leat_shape *shape;
    bool by_stream;
    bool ttl; /* of a fold: the last of the indexes is of when rows go */
};
void leat_redis_keys_of(const struct leat_redis_keys_config *c, struct leat_arena *arena,
                        struct leat_redis_keys *ret);
/* {topology.model}:current and the like, without a version. */
struct leat_str leat_redis_model_key(struct leat_str topology, struct leat_str model,
                                     const char *what, struct leat_arena *arena);

/* ---- what a version says of itself, so that anybody can read it ---- */

struct leat_redis_form {
    bool by_stream, ttl;
    uint8_t key_parts, stream_part;      /* by_stream: that part of a key tells the slice */
    uint8_t merge[LEAT_ROW_FIELDS_MAX];  /* else: leat_row_op by which values of slices join */
    uint16_t bound[LEAT_ROW_FIELDS_MAX]; /* and how many items stay */
};
void leat_redis_form_of(const struct leat_projection *p, struct leat_redis_form *ret);
void leat_redis_form_text(const struct leat_redis_form *form, const struct leat_shape *shape,
                          struct leat_buf *out);
/* False: damaged, or of a later version of leat. */
bool leat_redis_form_read(struct leat_str text, struct leat_redis_form *ret,
                          struct leat_shape **ret_shape);

/* ---- the checkpoint ---- */

#define LEAT_REDIS_AT_BYTES 1024

/* Text as it stands in Redis: {"seq", "event", "store", "offset", "time", "kinds"}. */
void leat_redis_at_text(const struct leat_checkpoint *at, const struct leat_column_kinds *kinds,
                        const struct leat_shape *shape, struct leat_buf *out);
/* False: damaged. "" is a checkpoint of zeros. Kinds are added to those in *kinds. */
bool leat_redis_at_read(struct leat_str text, const struct leat_shape *shape,
                        struct leat_checkpoint *ret, struct leat_column_kinds *kinds);

/* ---- scripts: KEYS of all = rows, order, skipped, fresh, indexes ... ---- */

typedef enum leat_redis_script_no {
    /* ARGV: checkpoint before, checkpoint after; then lists, each its length and its items: row and
     * text of rows that exist; of rows that may be new; keys of rows to delete; seq and text of
     * skipped events; per index entries to remove, then 0 and entry of those to add. */
    LEAT_SCRIPT_APPLY,
    LEAT_SCRIPT_LOOK,  /* ARGV: checkpoint expected; unix ms to write as fresh, or 0 */
    LEAT_SCRIPT_CLEAR, /* ARGV: checkpoint expected */
    /* KEYS: shape, versions, current, dropped, about; ARGV: version, shape, declaration, "1" when
     * it is current as far as is known, unix ms. Says that the version is there; 0: it was dropped.
     */
    LEAT_SCRIPT_VERSION,
    LEAT_SCRIPT_COUNT,
} leat_redis_script_no;

/* What they answer: {code, checkpoint as it stands there}. */
typedef enum leat_redis_found {
    LEAT_FOUND_OTHER = 0, /* another checkpoint: nothing was done */
    LEAT_FOUND_SAME = 1,  /* done */
    LEAT_FOUND_TORN = 2,  /* that checkpoint, but keys of the slice are missing: nothing was done */
} leat_redis_found;

extern const char *const leat_redis_scripts[LEAT_SCRIPT_COUNT];
/* The script and its KEYS; `args` arguments follow. */
void leat_redis_run(struct leat_redis *r, leat_redis_script_no no, const struct leat_redis_keys *k,
                    int32_t slice, size_t args);
leat_redis_found leat_redis_answer(const struct leat_redis_reply *reply, struct leat_str *ret_at);

#endif
