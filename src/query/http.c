#include "query/http.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "query/admission.h"
#include "query/backlog.h"
#include "query/connections.h"
#include "query/feed.h"
#include "query/keys.h"
#include "query/lane.h"

#define THREADS_MIN          2
#define THREADS_MAX          8
#define STORES               3
#define CONNECTIONS_MAX      512
#define IDLE_TIMEOUT_S       20
#define CONNECTION_BYTES     ((size_t)16 * 1024)
#define JWT_BYTES            ((size_t)8 * 1024)
#define SLICE_BYTES          ((size_t)56)
#define HEAD_BYTES           ((size_t)12 * 1024) /* leaves room for the answer's */
#define IDEMPOTENCY_KEYS_MAX 65536
#define REQUEST_ARENA        4096
#define KEPT_BYTES           16384 /* of a body's or an answer's room */
#define DRAIN_STEP_MS        5
#define LISTEN_DEFAULT       "127.0.0.1:8080"

/* ---- one request ---- */

/* Of a connection: the request whose head is still coming. libmicrohttpd tells the end only of
 * requests it has handed on, so one that breaks off before is freed with its connection. */
static struct leat_connection *connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

static void request_free(struct leat_request *rq)
{
    if (rq == NULL)
        return;
    leat_buf_done(&rq->body);
    leat_buf_done(&rq->out);
    if (rq->stream != NULL)
        MHD_destroy_response(rq->stream);
    leat_arena_free(rq->arena);
    free(rq);
}

static struct leat_request *request_new(struct leat_http *h)
{
    struct leat_request *rq = calloc(1, sizeof *rq);
    leat_assert(rq != NULL);
    rq->arena = leat_arena_new(REQUEST_ARENA, REQUEST_ARENA);
    leat_buf_init(&rq->body, (size_t)h->c.topology->http.max_body_bytes);
    leat_buf_init(&rq->out, LEAT_ANSWER_BYTES_MAX);
    return rq;
}

static struct leat_buf emptied(struct leat_buf buf)
{
    if (buf.cap > KEPT_BYTES)
        leat_buf_done(&buf);
    leat_buf_clear(&buf);
    return buf;
}

/* As new, with the memory it has. */
static void request_reset(struct leat_request *rq)
{
    struct leat_arena *arena = rq->arena;
    struct leat_buf body = emptied(rq->body), out = emptied(rq->out);
    if (rq->stream != NULL)
        MHD_destroy_response(rq->stream);
    leat_arena_reset(arena);
    memset(rq, 0, sizeof *rq);
    rq->arena = arena;
    rq->body = body;
    rq->out = out;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct leat_http *h = arg;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        *context = leat_connection_open(h->connections, info == NULL ? -1 : info->connect_fd);
        return;
    }
    struct leat_connection *c = *context;
    if (c == NULL)
        return;
    request_free(c->rq);
    request_free(c->spare);
    leat_connection_close(h->connections, c);
    *context = NULL;
}

/* Called with the raw request target, before anything else of a request. */
static void *on_target(void *arg, const char *uri, struct MHD_Connection *connection)
{
    struct leat_http *h = arg;
    struct leat_connection *c = connection_of(connection);
    struct leat_request *rq = c == NULL ? NULL : LEAT_TAKE(c->spare);
    if (rq == NULL)
        rq = request_new(h);
    rq->http = h;
    rq->connection = connection;
    size_t len = strlen(uri);
    uint32_t kept = (uint32_t)(len <= LEAT_TARGET_BYTES_MAX ? len : LEAT_TARGET_BYTES_MAX + 1);
    rq->raw = leat_arena_copy(rq->arena, (struct leat_str){uri, kept});
    if (c != NULL) {
        request_free(c->rq);
        c->rq = rq;
    }
    return rq;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode code)
{
    (void)arg;
    (void)code;
    struct leat_request *rq = *con_cls;
    struct leat_connection *c = connection_of(connection);
    if (rq == NULL)
        return;
    if (c != NULL && c->rq == rq)
        c->rq = NULL;
    leat_connection_reads(c);
    *con_cls = NULL;
    if (rq->counted)
        atomic_fetch_sub(&rq->http->requests, 1);
    if (c == NULL || c->spare != NULL) {
        request_free(rq);
        return;
    }
    request_reset(rq);
    c->spare = rq;
}

struct leat_str leat_request_header(const struct leat_request *rq, const char *name)
{
    const char *value = MHD_lookup_connection_value(rq->connection, MHD_HEADER_KIND, name);
    return leat_str_of(value);
}

static void count(struct leat_request *rq)
{
    if (rq->route == NULL)
        return;
    size_t class = rq->status < 400 ? 0 : rq->status < 500 ? 1 : 2;
    size_t route = (size_t)(rq->route - leat_routes);
    atomic_fetch_add_explicit(&rq->http->counts[route * 3 + class], 1, memory_order_relaxed);
}

/* The body is not copied: the request lives until its last byte has left (on_completed). */
static enum MHD_Result send_answer(struct leat_request *rq)
{
    if (rq->stream == NULL) /* the feed looks after those itself */
        leat_connection_sends(connection_of(rq->connection), rq->out.len);
    struct MHD_Response *response =
        rq->stream != NULL
            ? LEAT_TAKE(rq->stream)
            : MHD_create_response_from_buffer(rq->out.len,
                                              rq->out.len > 0 ? rq->out.at : (void *)(uintptr_t) "",
                                              MHD_RESPMEM_PERSISTENT);
    if (response == NULL)
        return MHD_NO;
    if (rq->content_type != NULL)
        (void)MHD_add_response_header(response, "Content-Type", rq->content_type);
    for (size_t i = 0; i < rq->n_headers; i++)
        (void)MHD_add_response_header(response, rq->headers[i].name, rq->headers[i].value);
    count(rq);
    enum MHD_Result result = MHD_queue_response(rq->connection, (unsigned)rq->status, response);
    MHD_destroy_response(response);
    return result;
}

static void refuse_method(struct leat_request *rq, const char *methods)
{
    if (methods[0] == 0) {
        leat_answer_problem(rq, 404, "Not found", NULL, "there is no such address",
                            "/openapi.json lists them");
        return;
    }
    leat_answer_header(rq, "Allow", "%s", methods);
    if (strcmp(rq->method, "OPTIONS") == 0) {
        rq->status = 204;
        rq->state = LEAT_REQUEST_READY;
        return;
    }
    leat_answer_problem(rq, 405, "Method not allowed", NULL, "this address has other methods",
                        methods);
}

/* Line and headers of a request: at least an address of LEAT_TARGET_BYTES_MAX, a token, a position
 * to read from. */
static size_t head_bytes_max(const struct leat_topology *t)
{
    size_t jwt = t->http.access.jwt.given ? JWT_BYTES : 0;
    return HEAD_BYTES + jwt + SLICE_BYTES * (size_t)t->partitions;
}

/* For those, then the headers of its answer. All of it is cleared after each request, so no more
 * than that. */
static size_t connection_bytes(const struct leat_topology *t)
{
    return head_bytes_max(t) + CONNECTION_BYTES - HEAD_BYTES + SLICE_BYTES * (size_t)t->partitions;
}

/* Beyond the connection's memory libmicrohttpd answers by itself, or not at all. */
static bool head_too_large(const struct leat_request *rq)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(rq->connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info != NULL && info->header_size > head_bytes_max(rq->http->c.topology);
}

/* Route and parameters: known before the body, so that nonsense is refused early. */
static void prepare(struct leat_request *rq)
{
    struct leat_error err = {0};
    char methods[64] = "";
    rq->prepared = true;
    if (rq->raw.len > LEAT_TARGET_BYTES_MAX) {
        leat_answer_problem(rq, 414, "Address too long", NULL,
                            leat_arena_printf(rq->arena, "the address is longer than %d bytes",
                                              LEAT_TARGET_BYTES_MAX),
                            "");
        return;
    }
    if (head_too_large(rq)) {
        leat_answer_problem(rq, 431, "Headers too large", NULL,
                            leat_arena_printf(rq->arena,
                                              "line and headers have more than %zu bytes",
                                              head_bytes_max(rq->http->c.topology)),
                            "");
        return;
    }
    if (leat_target_parse(rq->raw, rq->arena, &rq->target, &err) != LEAT_OK) {
        leat_answer_error(rq, &err);
        return;
    }
    rq->route = leat_route_find(rq->method, &rq->target, methods);
    if (rq->route == NULL) {
        refuse_method(rq, methods);
    } else if (rq->route->params != NULL &&
               leat_target_allow(&rq->target, rq->route->params, &err) != LEAT_OK) {
        leat_answer_error(rq, &err);
    } else {
        (void)leat_admitted(rq);
    }
}

static bool body_too_large(struct leat_request *rq)
{
    struct leat_str text = leat_request_header(rq, "Content-Length");
    unsigned long long announced = strtoull(text.len == 0 ? "0" : text.at, NULL, 10);
    return announced > (unsigned long long)rq->http->c.topology->http.max_body_bytes;
}

static void answer_too_large(struct leat_request *rq)
{
    char text[96];
    (void)snprintf(text, sizeof text, "the body is larger than %lld bytes",
                   (long long)rq->http->c.topology->http.max_body_bytes);
    leat_answer_problem(rq, 413, "Body too large", NULL, text, "");
}

static void run_handler(struct leat_request *rq)
{
    if (!rq->counted) /* from here on a stop waits for it; not for one that never ends coming */
        atomic_fetch_add(&rq->http->requests, 1);
    rq->counted = true;
    if (rq->too_large) {
        answer_too_large(rq);
    } else if (atomic_load(&rq->http->stopping) && strcmp(rq->method, "GET") != 0 &&
               strcmp(rq->method, "HEAD") != 0) {
        leat_answer_problem(rq, 503, "Not available now", NULL, "stopping", "");
    } else {
        rq->route->handle(rq);
    }
}

/* Called once for the head, per piece of the body, and at its end.
 * NOLINTNEXTLINE(readability-function-size): libmicrohttpd's (foreign signature) */
static enum MHD_Result on_access(void *arg, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *data_bytes, void **con_cls)
{
    (void)arg;
    (void)url;
    (void)version;
    struct leat_request *rq = *con_cls;
    struct leat_connection *c = connection_of(connection);
    if (c != NULL)
        c->rq = NULL; /* from now on its end is told */
    if (atomic_load(&rq->handed))
        return MHD_YES;
    rq->suspended = false;
    if (!rq->prepared) {
        rq->method = leat_arena_cstr(rq->arena, leat_str_of(method));
        prepare(rq);
        rq->too_large = rq->state == LEAT_REQUEST_NEW && body_too_large(rq);
        if (rq->too_large) {
            answer_too_large(rq);
            return send_answer(rq); /* before the body is even sent */
        }
        return MHD_YES;
    }
    if (*data_bytes > 0) {
        if (rq->state == LEAT_REQUEST_NEW && !rq->too_large)
            leat_buf_put(&rq->body, data, *data_bytes);
        rq->too_large = rq->too_large || rq->body.overflow;
        *data_bytes = 0;
        return MHD_YES;
    }
    leat_connection_answers(c);
    if (rq->state == LEAT_REQUEST_NEW)
        run_handler(rq);
    if (rq->suspended) /* then nothing else of it is ours to look at */
        return MHD_YES;
    return rq->state == LEAT_REQUEST_READY ? send_answer(rq) : MHD_NO;
}

/* ---- life ---- */

static leat_status parse_listen(const char *listen, struct sockaddr_storage *ret,
                                struct leat_error *err)
{
    char host[64];
    const char *colon = strrchr(listen, ':');
    size_t n = colon == NULL ? 0 : (size_t)(colon - listen);
    char *end = NULL;
    long port = colon == NULL ? -1 : strtol(colon + 1, &end, 10);
    memset(ret, 0, sizeof *ret);
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
    bool good = colon != NULL && n < sizeof host && end != colon + 1 && *end == 0 && port >= 0 &&
                port <= 65535;
    if (good) {
        bool bracketed = n >= 2 && listen[0] == '[' && listen[n - 1] == ']';
        (void)snprintf(host, sizeof host, "%.*s", (int)(bracketed ? n - 2 : n),
                       bracketed ? listen + 1 : listen);
        if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
            v6->sin6_family = AF_INET6;
            v6->sin6_port = htons((uint16_t)port);
            return LEAT_OK;
        }
        if (n == 0 || strcmp(host, "*") == 0)
            (void)snprintf(host, sizeof host, "0.0.0.0");
        if (strcmp(host, "localhost") == 0)
            (void)snprintf(host, sizeof host, "127.0.0.1");
        if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
            v4->sin_family = AF_INET;
            v4->sin_port = htons((uint16_t)port);
            return LEAT_OK;
        }
    }
    return leat_fail(err, LEAT_INVALID, "could not listen on '%s': not an address:port", listen);
}

static void on_log(void *arg, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));

static void on_log(void *arg, const char *fmt, va_list args)
{
    (void)arg;
    char text[256];
    (void)vsnprintf(text, sizeof text, fmt, args);
    text[strcspn(text, "\r\n")] = 0;
    leat_log_limited(LEAT_LOG_DEBUG, "query", "http-server", "%s", text);
}

static size_t keep_escapes(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg;
    (void)connection;
    return strlen(text); /* params.c takes the raw target apart */
}

/* As many as processors: one more made the slowest answers half as slow again, as they took turns.
 */
static unsigned threads(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return (unsigned)(n < THREADS_MIN ? THREADS_MIN : n > THREADS_MAX ? THREADS_MAX : n);
}

static leat_status start_daemon(struct leat_http *h, const char *listen, struct leat_error *err)
{
    struct sockaddr_storage at;
    LEAT_TRY(parse_listen(listen, &at, err), err, "http");
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    flags |= at.ss_family == AF_INET6 ? MHD_USE_IPv6 : 0U;
    h->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_access, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&at, MHD_OPTION_THREAD_POOL_SIZE, threads(),
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)IDLE_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        connection_bytes(h->c.topology), MHD_OPTION_URI_LOG_CALLBACK, on_target, h,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, h, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
        h, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U,
        MHD_OPTION_END);
    if (h->daemon == NULL)
        return leat_fail(err, LEAT_FATAL, "could not listen on '%s': in use, or not ours", listen);
    return LEAT_OK;
}

static void http_model_done(struct leat_http_model *m)
{
    leat_model_close(atomic_load(&m->model));
    free(m->text);
    (void)pthread_rwlock_destroy(&m->lock);
}

static void http_free(struct leat_http *h)
{
    if (h == NULL)
        return;
    if (h->daemon != NULL)
        MHD_stop_daemon(h->daemon);
    leat_feed_free(h->feed);
    leat_lane_free(h->lane);
    leat_sender_free(h->sender, 0);
    leat_pump_free(h->pump);
    leat_backlog_free(h->backlog);
    leat_store_pool_free(h->stores);
    leat_keys_free(h->keys);
    leat_admission_free(h->admission);
    leat_connections_free(h->connections);
    for (uint32_t i = 0; h->models != NULL && i < h->c.topology->n_projections; i++)
        http_model_done(&h->models[i]);
    (void)pthread_mutex_destroy(&h->models_lock);
    free(h->models);
    free(h->counts);
    free(h->data_dir);
    free(h);
}

static void http_freep(struct leat_http **h)
{
    http_free(*h);
}

static struct leat_http *http_new(const struct leat_http_config *c)
{
    struct leat_http *h = calloc(1, sizeof *h);
    leat_assert(h != NULL);
    h->c = *c;
    h->data_dir = strdup(c->data_dir);
    h->models = calloc(c->topology->n_projections + 1, sizeof *h->models);
    h->counts = calloc(leat_route_count * 3, sizeof *h->counts);
    leat_assert(h->data_dir != NULL && h->models != NULL && h->counts != NULL);
    for (uint32_t i = 0; i < c->topology->n_projections; i++)
        (void)pthread_rwlock_init(&h->models[i].lock, NULL);
    h->stores = leat_store_pool_new(c->store, STORES);
    h->connections = leat_connections_new();
    h->keys = leat_keys_new(IDEMPOTENCY_KEYS_MAX);
    (void)pthread_mutex_init(&h->models_lock, NULL);
    return h;
}

leat_status leat_http_start(const struct leat_http_config *c, struct leat_http **ret,
                            struct leat_error *err)
{
    const char *listen = c->listen != NULL ? c->listen : c->topology->http.listen;
    LEAT_AUTO(http_freep) struct leat_http *h = http_new(c);
    listen = listen != NULL ? listen : LISTEN_DEFAULT;
    LEAT_TRY(leat_admission_new(c->topology, listen, &h->admission, err), err, "http");
    LEAT_TRY(leat_sender_new(c->topology, c->schemas, &h->sender, err), err, "http");
    LEAT_TRY(leat_pump_new(h, &h->pump, err), err, "http");
    LEAT_TRY(leat_feed_new(h, &h->feed, err), err, "http");
    LEAT_TRY(leat_lane_new(&h->lane, err), err, "http");
    LEAT_TRY(leat_backlog_new(c->topology, h->stores, &h->backlog, err), err, "http");
    LEAT_TRY(start_daemon(h, listen, err), err, "http");
    *ret = LEAT_TAKE(h);
    return LEAT_OK;
}

int leat_http_port(const struct leat_http *h)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_BIND_PORT);
    return info == NULL ? 0 : info->port;
}

void leat_http_stop(struct leat_http *h, int timeout_ms)
{
    if (h == NULL)
        return;
    int64_t until_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
    atomic_store(&h->stopping, true);
    MHD_socket listener = MHD_quiesce_daemon(h->daemon);
    leat_feed_close(h->feed);
    leat_lane_close(h->lane);
    leat_pump_close(h->pump, until_us);
    /* Answers leave while the pump's thread is gone: MHD has no way to wait for the last byte. */
    while (atomic_load(&h->requests) > 0 && leat_mono_us() < until_us)
        (void)leat_sender_pending(h->sender, DRAIN_STEP_MS);
    if (listener != MHD_INVALID_SOCKET)
        (void)shutdown(listener, SHUT_RDWR);
    MHD_stop_daemon(h->daemon);
    h->daemon = NULL;
    if (listener != MHD_INVALID_SOCKET)
        (void)close(listener);
    http_free(h);
}
