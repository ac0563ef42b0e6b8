/* feed.h - streams of changes of read models (server-sent events), each from a position on.
 *
 * One thread serves them all: it looks at the models that are followed, takes the events behind a
 * follower's position from the store, and writes the rows they concern as the model has them now.
 * Followers at the same position share that work. What a connection has not taken yet is kept for
 * it up to a bound; one that takes less is cut, and told why. */
#ifndef LEAT_QUERY_FEED_H
#define LEAT_QUERY_FEED_H

#include "query/http.h"

#define LEAT_FEED_MAX           100               /* followers; more are refused */
#define LEAT_FEED_PENDING_BYTES ((size_t)1 << 20) /* that a connection may leave untaken */

struct leat_feed;
struct MHD_Response;

LEAT_MUST_CHECK leat_status leat_feed_new(struct leat_http *http, struct leat_feed **ret,
                                          struct leat_error *err);
/* Ends every stream, saying so; no new ones. */
void leat_feed_close(struct leat_feed *f);
void leat_feed_free(struct leat_feed *f); /* NULL allowed; no follower is left */

struct leat_follow { /* borrowed */
    const struct leat_projection *model;
    struct leat_model *handle;
    const struct leat_rows_position *from;
    const char *version;
    struct leat_str fields;
};
/* RETRY: too many follow, or stopping. The answer belongs to the caller. */
LEAT_MUST_CHECK leat_status leat_feed_follow(struct leat_feed *f, struct leat_request *rq,
                                             const struct leat_follow *follow,
                                             struct MHD_Response **ret, struct leat_error *err);

#endif
