/* snapshots.h - a request's view of a read model: opened, as new as the request asks for, with the
 * headers that say how new it is. */
#ifndef LEAT_QUERY_SNAPSHOTS_H
#define LEAT_QUERY_SNAPSHOTS_H

#include "projection/model_read.h"
#include "query/http.h"

#define LEAT_AT_LEAST_WAIT_MS 5000 /* unless the request says otherwise */
/* Parameters every read of a model takes beside its own. */
#define LEAT_SNAPSHOT_PARAMS "at_least,wait"

/* ABSENT names the nearest. */
leat_status leat_model_unknown(const struct leat_topology *t, struct leat_str name,
                               struct leat_error *err);
/* NULL: the answer says that there is none, with the nearest name. */
const struct leat_projection *leat_request_model(struct leat_request *rq, struct leat_str name);
/* The handle of a model, opened once. RETRY: not built yet. */
LEAT_MUST_CHECK leat_status leat_http_model(struct leat_http *h, const struct leat_projection *p,
                                            struct leat_model **ret, struct leat_error *err);
/* A snapshot of the version that the page `cursor` (or "") goes on in, and that has what `at_least`
 * (or the header Leat-At-Least) asks for. False: the answer is set, or the request waits and its
 * handler runs again when there is something new. */
bool leat_snapshot_begin(struct leat_request *rq, const struct leat_projection *p,
                         struct leat_str cursor, struct leat_model_read *ret);
/* Leat-Position, Leat-Age-Ms and Leat-Version. */
void leat_snapshot_headers(struct leat_request *rq, const struct leat_projection *p,
                           struct leat_model_read *m);
/* The same as members of an open object. */
LEAT_MUST_CHECK leat_status leat_snapshot_json(struct leat_model_read *m,
                                               struct leat_json_writer *w, struct leat_error *err);
/* Asked by the pump: has the model what the request waits for (or can it never have)? */
bool leat_snapshot_ready(struct leat_request *rq, struct leat_arena *arena);

#endif
