/* feed_rows.h - what followers of a model at one position are sent next. Owner: the feed's thread.
 */
#ifndef LEAT_QUERY_FEED_ROWS_H
#define LEAT_QUERY_FEED_ROWS_H

#include "projection/model_read.h"
#include "query/http.h"

struct leat_feed_at { /* where a follower stands; by slice */
    int32_t n;
    int64_t *seqs;
    struct leat_uuid *stores;
    uint64_t state; /* of the model when it was looked at last, and nothing was left; 0: look */
};

struct leat_feed_rows;

struct leat_feed_rows *leat_feed_rows_new(struct leat_http *http);
void leat_feed_rows_free(struct leat_feed_rows *r); /* NULL allowed */
struct leat_feed_ask {                              /* borrowed */
    const struct leat_projection *model;
    struct leat_model *handle;
    struct leat_str fields;
};
/* Appends messages to `out` and moves *at; neither when there is nothing new. ABSENT: the model is
 * of another store now, the follower has to begin anew. RETRY: the store is away. */
LEAT_MUST_CHECK leat_status leat_feed_rows_next(struct leat_feed_rows *r,
                                                const struct leat_feed_ask *ask,
                                                struct leat_feed_at *at, struct leat_buf *out,
                                                struct leat_error *err);
/* "id: <position>\n" */
void leat_feed_put_id(const struct leat_feed_at *at, struct leat_buf *out);

#endif
