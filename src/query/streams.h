/* streams.h - stored events for people: what HTTP and the CLI show of a stream. */
#ifndef LEAT_QUERY_STREAMS_H
#define LEAT_QUERY_STREAMS_H

#include "base/json.h"
#include "codec/schemas.h"
#include "store/store.h"
#include "topology/topology.h"

/* The key within a stream's id "<aggregate>-<key>"; false when no aggregate's name fits. */
bool leat_stream_key(const struct leat_topology *t, struct leat_str stream, struct leat_str *ret);
/* One JSON object; a payload that does not decode is null beside the `error`. */
void leat_event_json(const struct leat_schemas *schemas, const struct leat_stored_event *e,
                     struct leat_json_writer *w);
/* Are the schemas of all these events known? */
bool leat_schemas_know(const struct leat_schemas *schemas, const struct leat_stored_event *events,
                       size_t n);
/* Puts the store's schemas into the set: those registered since it was made. */
LEAT_MUST_CHECK leat_status leat_schemas_refresh(struct leat_schemas *schemas,
                                                 struct leat_store *store, struct leat_arena *arena,
                                                 struct leat_error *err);

#endif
