/* http.h - inside of the HTTP side: one request, its routes, the threads that wait for it.
 *
 * A request is parsed by http.c, matched by router.c and answered by a handler in routes_*.c, which
 * fills the answer and returns. A handler that has to wait (Kafka's acknowledgement, the outcome of
 * a command) hands the request to the pump (pump.c): the connection is suspended, costs no thread.
 * No handler blocks for longer than one store call. */
#ifndef LEAT_QUERY_HTTP_H
#define LEAT_QUERY_HTTP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "auth/auth.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "projection/projection.h"
#include "query/params.h"
#include "query/query.h"
#include "query/store_pool.h"
#include "query/tokens.h"

#define LEAT_ANSWER_BYTES_MAX (16U << 20)
#define LEAT_HEADERS_MAX      16

struct MHD_Connection;
struct MHD_Daemon;
struct MHD_Response;
struct leat_route;
struct ticket;

typedef enum leat_request_state {
    LEAT_REQUEST_NEW = 0,
    LEAT_REQUEST_READY, /* the answer is complete */
} leat_request_state;

struct leat_answer_header {
    const char *name, *value; /* in the arena */
};

struct leat_request {
    struct leat_http *http;
    struct MHD_Connection *connection;
    struct leat_arena *arena;
    struct leat_str raw; /* request target as sent */
    const char *method;
    struct leat_target target;
    const struct leat_route *route; /* NULL: none matched */
    struct leat_buf body;
    bool too_large, prepared, counted;
    bool audited;       /* has been logged */
    bool suspended;     /* by the handler now running; its thread alone looks at it */
    atomic_bool handed; /* the pump owns the request: hands off until it is false again */
    struct leat_caller caller;
    leat_request_state state;

    /* the answer */
    int status;
    const char *content_type;
    struct leat_buf out;
    struct MHD_Response *stream; /* instead of `out`: a body that goes on and on */
    struct leat_answer_header headers[LEAT_HEADERS_MAX];
    size_t n_headers;

    /* a command on its way: the pump's while `handed` */
    struct leat_command_sent sent;
    struct leat_str command_type;
    leat_status delivery;
    bool delivered, settled;           /* settled: the store knows its outcome */
    int64_t deadline_us, next_poll_us; /* deadline 0: not asked to wait for the outcome */
    int poll_ms;
    struct ticket *ticket; /* private to the pump */

    /* a read of a model (snapshots.h) */
    struct leat_str at_least; /* of the body */
    struct leat_token token;
    bool waits_at_all;
    struct leat_model *awaited; /* the pump's while `handed`; NULL: a command */
    bool on_lane;               /* lane.h: this is the thread for long questions */
    struct leat_request *next;
};

typedef void (*leat_route_handler)(struct leat_request *rq);

typedef enum leat_needs { /* of who asks, before the handler runs (admission.h) */
    LEAT_NEEDS_NOTHING,
    LEAT_NEEDS_CALLER, /* to be known; of a model its handler asks more */
    LEAT_NEEDS_SEND,   /* the command's type */
    LEAT_NEEDS_STREAMS,
    LEAT_NEEDS_OPERATE,
} leat_needs;

struct leat_route {
    const char *method, *pattern; /* "/v1/models/{m}/{key*}": the last one takes the rest */
    leat_route_handler handle;
    leat_needs needs;
    const char *params;  /* allowed query parameters, comma-separated; NULL: the handler says */
    const char *summary; /* one line for /openapi.json */
};

struct leat_http_model { /* opened when first asked for */
    struct leat_model *_Atomic model;
    pthread_rwlock_t lock; /* of the last position's text */
    char *text;
    uint64_t state;
    char version[LEAT_VERSION_BYTES];
};

struct leat_http {
    struct leat_http_config c;
    char *data_dir;
    struct MHD_Daemon *daemon;
    struct leat_store_pool *stores;
    struct leat_backlog_counts *backlog;
    struct leat_admission *admission;
    struct leat_sender *sender;
    struct leat_pump *pump;
    struct leat_lane *lane;
    struct leat_feed *feed;
    struct leat_connections *connections;
    struct leat_keys *keys; /* idempotency keys seen lately */
    pthread_mutex_t models_lock;
    struct leat_http_model *models; /* by projection index */
    _Atomic(uint64_t) *counts;      /* per route x status class (2xx 4xx 5xx) */
    atomic_int requests;            /* whose handlers run, or that wait for the pump */
    atomic_bool stopping;
};

/* ---- router.c ---- */
extern const struct leat_route leat_routes[];
extern const size_t leat_route_count;
/* The route of (method, path). NULL: *ret_methods = the methods the path has, as Allow lists them
 * ("" = no such path). */
const struct leat_route *leat_route_find(const char *method, const struct leat_target *t,
                                         char ret_methods[64]);
/* Decoded value of {name} in the matched route; "" when it has none. */
struct leat_str leat_route_value(const struct leat_request *rq, const char *name);
/* The next part of a pattern, without its slash; false at the end. */
bool leat_pattern_next(const char **at, struct leat_str *ret);

/* ---- openapi.c ---- */
void leat_openapi(const struct leat_topology *t, struct leat_buf *out);

/* ---- answer.c ---- */
void leat_answer_json(struct leat_request *rq, int status); /* rq->out holds the body */
void leat_answer_header(struct leat_request *rq, const char *name, const char *fmt, ...)
    LEAT_PRINTF(3, 4);
void leat_answer_header_int(struct leat_request *rq, const char *name, int64_t value);
/* The same; `text` lives as long as the request. */
void leat_answer_header_text(struct leat_request *rq, const char *name, const char *text);
/* 200 with an ETag of the body, or 304 when the asker has it (If-None-Match). */
void leat_answer_tagged(struct leat_request *rq);
/* RFC 9457. `code` NULL: none. */
void leat_answer_problem(struct leat_request *rq, int status, const char *title, const char *code,
                         const char *detail, const char *hint);
int leat_status_http(leat_status status);
/* The problem an error stands for. */
void leat_answer_error(struct leat_request *rq, const struct leat_error *err);
/* A request header; at == NULL when it is absent. */
struct leat_str leat_request_header(const struct leat_request *rq, const char *name);

/* ---- pump.c: a thread for what is under way ---- */
LEAT_MUST_CHECK leat_status leat_pump_new(struct leat_http *http, struct leat_pump **ret,
                                          struct leat_error *err);
void leat_pump_free(struct leat_pump *p);
/* Queues the command and suspends the connection until it is delivered (and, when asked for, its
 * outcome is known). Called by a handler; on OK the request is the pump's until it is resumed. */
LEAT_MUST_CHECK leat_status leat_pump_send(struct leat_pump *p, struct leat_request *rq,
                                           const struct leat_command_in *in,
                                           struct leat_error *err);
/* Suspends the connection until the model may have what rq->token asks for, or rq->deadline_us;
 * then its handler runs again. RETRY: too many wait, or stopping. */
LEAT_MUST_CHECK leat_status leat_pump_await(struct leat_pump *p, struct leat_request *rq,
                                            struct leat_model *model, struct leat_error *err);
/* Takes no more; answers those that wait, at `until_us` (monotonic) at the latest; ends the thread.
 * Deliveries that come later find nobody. */
void leat_pump_close(struct leat_pump *p, int64_t until_us);

/* ---- routes_commands.c, used by the pump ---- */
struct leat_command_at;
/* Asks the store once which of these commands are settled, and marks them. */
void leat_commands_look(struct leat_http *http, const struct leat_command_at *at,
                        struct leat_request *const *rqs, size_t n, struct leat_arena *arena);
/* Asks the store for the outcome; true when it is known and the answer is set. */
bool leat_command_poll(struct leat_request *rq);
void leat_command_accepted(struct leat_request *rq); /* 202: sent, outcome not known */

/* ---- routes_models.c ---- */
struct leat_read;
/* Answers from a snapshot that is as new as the request asks for. */
void leat_answer_read(struct leat_request *rq, const struct leat_projection *p,
                      const struct leat_read *read);

/* ---- the handlers ---- */
void leat_route_post_command(struct leat_request *rq);
void leat_route_get_command(struct leat_request *rq);
void leat_route_get_row(struct leat_request *rq);
void leat_route_list_rows(struct leat_request *rq);
void leat_route_query(struct leat_request *rq);
void leat_route_count_rows(struct leat_request *rq);
void leat_route_sum_rows(struct leat_request *rq);
void leat_route_top_rows(struct leat_request *rq);
void leat_route_get_rows(struct leat_request *rq);
void leat_route_batch(struct leat_request *rq);
void leat_route_changes(struct leat_request *rq);
void leat_route_get_stream(struct leat_request *rq);
void leat_route_schema(struct leat_request *rq);
void leat_route_schema_text(struct leat_request *rq);
void leat_route_schema_versions(struct leat_request *rq);
void leat_route_schema_types(struct leat_request *rq);
void leat_route_registry_mode(struct leat_request *rq);
void leat_route_subjects(struct leat_request *rq);
void leat_route_versions(struct leat_request *rq);
void leat_route_version(struct leat_request *rq);
void leat_route_version_text(struct leat_request *rq);
void leat_route_health(struct leat_request *rq);
void leat_route_ready(struct leat_request *rq);
void leat_route_metrics(struct leat_request *rq);
void leat_route_openapi(struct leat_request *rq);

#endif
