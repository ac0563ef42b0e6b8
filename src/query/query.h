/* query.h - the HTTP side (contract 7): commands in, models, streams, schemas, health, metrics out.
 */
#ifndef LEAT_QUERY_QUERY_H
#define LEAT_QUERY_QUERY_H

#include "base/json.h"
#include "base/status.h"
#include "codec/schemas.h"
#include "store/store.h"
#include "topology/topology.h"

struct leat_http;

/* Metrics of the other roles: appends Prometheus text. */
typedef void (*leat_metrics_source)(void *arg, struct leat_buf *out);
/* Ready = NULL; else a static or log-lived text saying why not. */
typedef const char *(*leat_ready_source)(void *arg);
/* Into arrays that have begun: every reason why not ready, as text; lanes that stand still, as
 * objects. */
typedef void (*leat_details_source)(void *arg, struct leat_json_writer *reasons,
                                    struct leat_json_writer *stalled);

struct leat_http_config {
    const struct leat_topology *topology;
    const struct leat_store_options *store;
    struct leat_schemas *schemas;
    const char *data_dir;
    const char *listen; /* NULL: the topology's http.listen; "127.0.0.1:0" picks a port */
    leat_metrics_source metrics;
    leat_ready_source ready;
    leat_details_source details; /* NULL: there are none to tell */
    void *arg;
};
LEAT_MUST_CHECK leat_status leat_http_start(const struct leat_http_config *c,
                                            struct leat_http **ret, struct leat_error *err);
int leat_http_port(const struct leat_http *h);
void leat_http_stop(struct leat_http *h, int timeout_ms); /* answers what is in flight */

/* Sends a command as HTTP and CLI do: JSON body -> bytes of the topic -> partition of its key.
 * Waits for the broker's acknowledgement. INVALID names the field that does not fit. */
struct leat_command_in {
    struct leat_str type, json;
    const struct leat_uuid *id; /* NULL: a new v7 */
    struct leat_str priority;   /* "" = default */
    bool any_fields;            /* fields the schema does not know are left out, not refused */
    bool *ret_too_large;        /* NULL allowed; set true where INVALID means over limits.message */
};
struct leat_command_sent {
    struct leat_uuid id;
    int32_t slice;
    struct leat_str processor; /* topology-lived */
};
/* Tells of every queued command (not of those sent with leat_sender_send): OK or why not, on the
 * thread that polls. */
typedef void (*leat_sender_done)(void *arg, void *opaque, leat_status status);
struct leat_sender; /* producer + topology + schemas; thread-safe */
LEAT_MUST_CHECK leat_status leat_sender_new(const struct leat_topology *t,
                                            struct leat_schemas *schemas, struct leat_sender **ret,
                                            struct leat_error *err);
void leat_sender_free(struct leat_sender *s, int timeout_ms);
/* The bytes that would be sent, to compare with those sent before. */
LEAT_MUST_CHECK leat_status leat_sender_encode(struct leat_sender *s,
                                               const struct leat_command_in *in,
                                               struct leat_buf *out, struct leat_error *err);
/* Before the first queueing; NULL: only counted. */
void leat_sender_on_done(struct leat_sender *s, leat_sender_done done, void *arg);
/* Queues without waiting; leat_sender_pending() serves the deliveries. RETRY: the local queue is
 * full, serve some first. */
LEAT_MUST_CHECK leat_status leat_sender_queue(struct leat_sender *s,
                                              const struct leat_command_in *in, void *opaque,
                                              struct leat_command_sent *ret,
                                              struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_sender_send(struct leat_sender *s,
                                             const struct leat_command_in *in, int timeout_ms,
                                             struct leat_command_sent *ret, struct leat_error *err);
/* Deliveries served by polling, waiting up to timeout_ms for the first; how many are still unsent.
 */
size_t leat_sender_pending(struct leat_sender *s, int timeout_ms);
/* Deliveries that failed since the last call. */
size_t leat_sender_failed(struct leat_sender *s);

#endif
