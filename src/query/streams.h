/* streams.h - stored events for people: what HTTP and the CLI show of a stream. */
#ifndef LEAT_QUERY_STREAMS_H
#define LEAT_QUERY_STREAMS_H

#include "base/json.h"
#include "codec/schemas.h"
#include "store/store.h"
#include "topology/topology.h"

#define LEAT_COMMAND_EVENTS_SHOWN 100

/* The key within a stream's id "<aggregate>-<key>"; false when no aggregate's name fits. */
bool leat_stream_key(const struct leat_topology *t, struct leat_str stream, struct leat_str *ret);
/* The same; ABSENT names the nearest. */
LEAT_MUST_CHECK leat_status leat_stream_find(const struct leat_topology *t, struct leat_str stream,
                                             struct leat_str *ret_key, struct leat_error *err);
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

struct leat_command_view { /* what became of a command; memory of the arena it was loaded into */
    struct leat_command_status status;
    struct leat_stored_event *events; /* the first LEAT_COMMAND_EVENTS_SHOWN */
    size_t n;
};
/* Events of a command whose status is known. An event whose schema is new is shown after a refresh
 * of `schemas`. */
LEAT_MUST_CHECK leat_status leat_command_events(struct leat_store *store,
                                                struct leat_schemas *schemas,
                                                struct leat_arena *arena,
                                                struct leat_command_view *v,
                                                struct leat_error *err);
/* The object GET /v1/commands/{id} and `leat get <id> --json` answer. */
void leat_command_json(const struct leat_schemas *schemas, const struct leat_command_view *v,
                       struct leat_json_writer *w);
/* The object of one that is only known to be sent. */
void leat_command_sent_json(struct leat_str type, const struct leat_uuid *id,
                            struct leat_str processor, int32_t slice, struct leat_json_writer *w);

#endif
