/* reads.h - one question to a read model, from parameters as text to an answer as JSON: the same
 * for HTTP, for each part of a batch, and for the CLI. */
#ifndef LEAT_QUERY_READS_H
#define LEAT_QUERY_READS_H

#include "projection/model_read.h"
#include "query/params.h"

#define LEAT_READ_LIMIT_DEFAULT 100
#define LEAT_READ_LIMIT_MAX     1000

typedef enum leat_read_kind {
    LEAT_READ_ROW = 0, /* one key */
    LEAT_READ_ROWS,    /* several */
    LEAT_READ_LIST,
    LEAT_READ_COUNT,
    LEAT_READ_SUMS,
    LEAT_READ_TOP,
    LEAT_READ_QUERY, /* a named one of the topology */
    LEAT_READ_KINDS,
} leat_read_kind;

extern const char *const leat_read_names[LEAT_READ_KINDS]; /* as a batch names them */

struct leat_read {
    leat_read_kind kind;
    const struct leat_query *query; /* QUERY */
    struct leat_str key;            /* ROW */
    const struct leat_str *keys;    /* ROWS */
    uint32_t n_keys;
    const struct leat_target *given; /* only its parameters; checked with leat_target_allow() */
};

/* Names of the parameters, comma-separated; in the arena for a QUERY. */
const char *leat_read_params(leat_read_kind kind, const struct leat_query *q,
                             struct leat_arena *arena);
/* Of a page behind the first one; "" else. */
struct leat_str leat_read_cursor(const struct leat_read *r);
/* May look at every row of the model: not for a thread that others wait for. */
bool leat_read_is_heavy(const struct leat_read *r);
/* "a,\"b,c\"" -> keys in the arena. INVALID: none, too many, an empty one. */
LEAT_MUST_CHECK leat_status leat_read_split_keys(struct leat_str text, struct leat_arena *arena,
                                                 const struct leat_str **ret, uint32_t *ret_n,
                                                 struct leat_error *err);
/* INVALID names the parameter; otherwise as model_read.h. */
LEAT_MUST_CHECK leat_status leat_read_run(const struct leat_read *r, struct leat_model_read *m,
                                          struct leat_buf *out, struct leat_error *err);

#endif
