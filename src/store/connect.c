#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/adopt.h"
#include "store/pg.h"

#define PARAMS_BYTES_MAX ((size_t)512 << 20)

static void close_conn(struct leat_store *s)
{
    if (s->conn != NULL)
        PQfinish(s->conn);
    s->conn = NULL;
    s->locked = false;
    s->prepared = false;
}

/* Server notices would land on stderr in the middle of our JSON lines. */
static void drop_notice(void *arg, const PGresult *r)
{
    (void)arg;
    (void)r;
}

static leat_status connect_failed(struct leat_store *s, const char *why, struct leat_error *err)
{
    char text[256];
    (void)strncpy(text, why, sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (size_t n = strlen(text); n > 0 && text[n - 1] == '\n'; n--)
        text[n - 1] = '\0';
    close_conn(s);
    return leat_fail(err, LEAT_RETRY, "could not connect to the store: %s", text);
}

static leat_status wait_connected(struct leat_store *s, struct leat_error *err)
{
    int64_t until_us = leat_mono_us() + (int64_t)s->connect_timeout_ms * 1000;
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    while (next == PGRES_POLLING_READING || next == PGRES_POLLING_WRITING) {
        int64_t left_ms = (until_us - leat_mono_us()) / 1000;
        if (left_ms <= 0)
            return connect_failed(s, "no answer in time", err);
        struct pollfd fd = {.fd = PQsocket(s->conn),
                            .events = next == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        if (poll(&fd, 1, (int)left_ms) > 0)
            next = PQconnectPoll(s->conn);
    }
    if (next != PGRES_POLLING_OK)
        return connect_failed(s, PQerrorMessage(s->conn), err);
    return LEAT_OK;
}

/* A store that is not there yet is for others to find. */
static leat_status check_server(struct leat_store *s, struct leat_error *err)
{
    struct leat_servers servers = {0};
    leat_status status = leat_store_servers(s, &servers, err);
    if (status == LEAT_ABSENT)
        return LEAT_OK;
    if (status == LEAT_OK && !leat_server_is_adopted(&servers))
        status = leat_server_refuse(s, &servers, LEAT_RETRY, err);
    if (status != LEAT_OK)
        close_conn(s);
    return status;
}

/* No `options` in the start-up packet: PgBouncer refuses them. What a transaction needs it sets for
 * itself. The address and everything about TLS come from the URL and win over what is here. */
leat_status leat_store_reconnect(struct leat_store *s, struct leat_error *err)
{
    static const char *const keys[] = {
        "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout",
        "client_encoding", "application_name",    "dbname",           NULL};
    const char *const values[] = {"5", "2", "3", "5000", "UTF8", s->application_name, s->url, NULL};
    close_conn(s);
    s->conn = PQconnectStartParams(keys, values, 1);
    if (s->conn == NULL)
        return leat_fail(err, LEAT_FATAL, "out of memory");
    if (PQstatus(s->conn) == CONNECTION_BAD)
        return connect_failed(s, PQerrorMessage(s->conn), err);
    leat_status status = wait_connected(s, err);
    if (status != LEAT_OK)
        return status;
    (void)PQsetNoticeReceiver(s->conn, drop_notice, NULL);
    if (PQsetnonblocking(s->conn, 1) != 0)
        return connect_failed(s, PQerrorMessage(s->conn), err);
    s->broken = false;
    return s->adopted_only ? check_server(s, err) : LEAT_OK;
}

static void close_p(struct leat_store **s)
{
    leat_store_close(*s);
}

/* "a" -> "\"a\"": identifiers go into SQL text, values never do. */
static char *quote(const char *name)
{
    size_t n = strlen(name);
    char *quoted = malloc(2 * n + 3);
    if (quoted == NULL)
        return NULL;
    char *to = quoted;
    *to++ = '"';
    for (size_t i = 0; i < n; i++) {
        if (name[i] == '"')
            *to++ = '"';
        *to++ = name[i];
    }
    *to++ = '"';
    *to = '\0';
    return quoted;
}

static leat_status check_options(const struct leat_store_options *o, struct leat_error *err)
{
    if (o->url == NULL || o->url[0] == '\0')
        return leat_fail(err, LEAT_INVALID, "the store has no url");
    if (o->schema == NULL || o->schema[0] == '\0' || strlen(o->schema) > 63)
        return leat_fail(err, LEAT_INVALID, "the store's schema name must have 1 to 63 bytes");
    if (strpbrk(o->schema, "$@\\'\"") != NULL)
        return leat_fail(err, LEAT_INVALID, "schema name '%s' holds one of $ @ \\ ' \"", o->schema);
    char *why = NULL;
    PQconninfoOption *parsed = PQconninfoParse(o->url, &why);
    if (parsed == NULL) {
        (void)leat_fail(err, LEAT_INVALID, "could not read the store's url: %s",
                        why == NULL ? "out of memory" : why);
        PQfreemem(why);
        return LEAT_INVALID;
    }
    PQconninfoFree(parsed);
    return LEAT_OK;
}

leat_status leat_store_open(const struct leat_store_options *o, struct leat_store **ret,
                            struct leat_error *err)
{
    leat_status status = check_options(o, err);
    if (status != LEAT_OK)
        return status;
    LEAT_AUTO(close_p) struct leat_store *s = calloc(1, sizeof *s);
    if (s == NULL)
        return leat_fail(err, LEAT_FATAL, "out of memory");
    s->prepare = o->prepare;
    s->adopted_only = o->adopted_only;
    s->connect_timeout_ms = o->connect_timeout_ms > 0 ? o->connect_timeout_ms : 5000;
    s->lock_timeout_ms = o->lock_timeout_ms > 0 ? o->lock_timeout_ms : 5000;
    s->url = strdup(o->url);
    s->schema = strdup(o->schema);
    s->application_name = strdup(o->application_name == NULL ? "leat" : o->application_name);
    s->quoted = quote(o->schema);
    leat_buf_init(&s->params.bytes, PARAMS_BYTES_MAX);
    if (s->url == NULL || s->schema == NULL || s->application_name == NULL || s->quoted == NULL)
        return leat_fail(err, LEAT_FATAL, "out of memory");
    status = leat_store_reconnect(s, err);
    if (status != LEAT_OK)
        return status;
    *ret = LEAT_TAKE(s);
    return LEAT_OK;
}

void leat_store_close(struct leat_store *s)
{
    if (s == NULL)
        return;
    close_conn(s);
    leat_buf_done(&s->params.bytes);
    free(s->url);
    free(s->schema);
    free(s->application_name);
    free(s->quoted);
    free(s->append_sql);
    free(s->append_with_sql);
    free(s);
}

bool leat_store_connected(const struct leat_store *s)
{
    return s->conn != NULL && !s->broken && PQstatus(s->conn) == CONNECTION_OK;
}

struct leat_store_counts leat_store_counts(const struct leat_store *s)
{
    return s->counts;
}
