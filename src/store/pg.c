#include "store/pg.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define CALL_TIMEOUT_MS 30000
#define SQL_BYTES_MAX   8192

/* The fate of the statement is open: the server may still be at work on it. */
leat_status leat_pg_lost(struct leat_store *s, struct leat_error *err)
{
    s->broken = true;
    s->locked = false;
    s->sqlstate[0] = '\0';
    const char *why = s->conn == NULL ? "" : PQerrorMessage(s->conn);
    int len = (int)strcspn(why, "\n");
    return leat_fail(err, LEAT_RETRY, "lost the connection to the store%s%.*s", len > 0 ? ": " : "",
                     len, why);
}

/* The server's reply may come before it has read everything, so both directions are served at
 * once. */
leat_status leat_pg_wait_input(struct leat_store *s, int64_t until_us, struct leat_error *err)
{
    int unsent = PQflush(s->conn);
    int64_t left_ms = (until_us - leat_mono_us() + 999) / 1000;
    if (unsent < 0)
        return leat_pg_lost(s, err);
    if (left_ms <= 0) {
        s->broken = true;
        return leat_fail(err, LEAT_RETRY, "the store did not answer in time");
    }
    struct pollfd fd = {.fd = PQsocket(s->conn),
                        .events = (short)(unsent != 0 ? POLLIN | POLLOUT : POLLIN)};
    if (poll(&fd, 1, (int)left_ms) > 0 && (fd.revents & (POLLIN | POLLERR | POLLHUP)) != 0 &&
        PQconsumeInput(s->conn) == 0)
        return leat_pg_lost(s, err);
    return LEAT_OK;
}

leat_status leat_pg_wait_result(struct leat_store *s, int64_t until_us, struct leat_error *err)
{
    while (PQflush(s->conn) != 0 || PQisBusy(s->conn) != 0) {
        leat_status status = leat_pg_wait_input(s, until_us, err);
        if (status != LEAT_OK)
            return status;
    }
    return LEAT_OK;
}

struct state_class {
    char prefix[6];
    leat_status status;
};

/* By SQLSTATE, longest prefix that matches first. */
static const struct state_class classes[] = {
    {"LE001", LEAT_FATAL},  {"LE010", LEAT_INVALID},
    {"LE011", LEAT_FATAL},  {"LE012", LEAT_RETRY}, /* another server, not adopted (yet) */
    {"55P03", LEAT_RETRY},                         /* lock_timeout */
    {"57014", LEAT_RETRY},                         /* cancelled */
    {"57P", LEAT_RETRY},                           /* shutting down, starting up, terminated */
    {"25006", LEAT_RETRY},                         /* read only: not the primary (yet) */
    {"25P0", LEAT_RETRY},                          /* idle in transaction for too long */
    {"40", LEAT_RETRY},                            /* deadlock, serialization, rolled back */
    {"53", LEAT_RETRY},                            /* out of memory, disk, connections */
    {"58", LEAT_RETRY},                            /* I/O */
    {"08", LEAT_RETRY},                            /* connection */
    {"3F000", LEAT_ABSENT},                        /* schema */
    {"42P01", LEAT_ABSENT},                        /* table */
    {"42883", LEAT_ABSENT},                        /* function */
};

static leat_status classify(const char *state)
{
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        if (strncmp(state, classes[i].prefix, strlen(classes[i].prefix)) == 0)
            return classes[i].status;
    }
    return LEAT_FATAL;
}

static leat_status refused(struct leat_store *s, const PGresult *r, struct leat_error *err)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    if (state == NULL) /* libpq's own: the connection, or memory */
        return leat_pg_lost(s, err);
    (void)snprintf(s->sqlstate, sizeof s->sqlstate, "%s", state);
    if (strncmp(state, "57P", 3) == 0 || strncmp(state, "08", 2) == 0)
        s->broken = true;
    leat_status status = classify(state);
    (void)leat_fail(err, status, "the store refused: %s (%s)", text == NULL ? "?" : text, state);
    if (status == LEAT_ABSENT)
        leat_error_hint(err, "Run 'leat apply' to create or upgrade the store.");
    return status;
}

/* Takes results to the end of the statement; the last one with rows or an error counts. */
static leat_status collect(struct leat_store *s, int64_t until_us, PGresult **ret,
                           struct leat_error *err)
{
    LEAT_PG_AUTO PGresult *kept = NULL;
    for (;;) {
        leat_status status = leat_pg_wait_result(s, until_us, err);
        if (status != LEAT_OK)
            return status;
        PGresult *r = PQgetResult(s->conn);
        if (r == NULL)
            break;
        if (kept != NULL && PQresultStatus(kept) == PGRES_FATAL_ERROR) {
            PQclear(r);
            continue;
        }
        PQclear(kept);
        kept = r;
    }
    if (kept == NULL || PQstatus(s->conn) == CONNECTION_BAD)
        return leat_pg_lost(s, err);
    ExecStatusType kind = PQresultStatus(kept);
    if (kind != PGRES_TUPLES_OK && kind != PGRES_COMMAND_OK)
        return refused(s, kept, err);
    *ret = LEAT_TAKE(kept);
    return LEAT_OK;
}

static leat_status ready(struct leat_store *s, struct leat_error *err)
{
    s->sqlstate[0] = '\0';
    if (!leat_store_connected(s))
        return leat_pg_lost(s, err);
    return LEAT_OK;
}

static leat_status prepare(struct leat_store *s, const char *sql, const char *name,
                           int64_t until_us, struct leat_error *err)
{
    if (PQsendPrepare(s->conn, name, sql, 0, NULL) == 0)
        return leat_pg_lost(s, err);
    LEAT_PG_AUTO PGresult *r = NULL;
    leat_status status = collect(s, until_us, &r, err);
    if (status == LEAT_OK)
        s->prepared = true;
    return status;
}

leat_status leat_pg_call_text(struct leat_store *s, leat_pg_trip trip, const char *sql,
                              const char *name, PGresult **ret, struct leat_error *err)
{
    struct leat_pg_params *p = &s->params;
    leat_status status = ready(s, err);
    if (status != LEAT_OK)
        return status;
    if (p->bytes.overflow)
        return leat_fail(err, LEAT_INVALID, "the statement's parameters are too large");
    int64_t until_us = leat_mono_us() + (int64_t)CALL_TIMEOUT_MS * 1000;
    if (name != NULL && !s->prepared) {
        status = prepare(s, sql, name, until_us, err);
        if (status != LEAT_OK)
            return status;
    }
    const char *values[LEAT_PG_PARAMS_MAX];
    int lengths[LEAT_PG_PARAMS_MAX];
    int formats[LEAT_PG_PARAMS_MAX];
    for (int i = 0; i < p->count; i++) {
        const char *base = p->bytes.at == NULL ? "" : p->bytes.at;
        values[i] = p->of[i].len < 0 ? NULL : base + p->of[i].at;
        lengths[i] = p->of[i].len < 0 ? 0 : p->of[i].len;
        formats[i] = 1;
    }
    if (trip == LEAT_PG_READ) {
        s->counts.read_trips++;
    } else {
        s->counts.write_trips++;
    }
    int sent = name != NULL
                   ? PQsendQueryPrepared(s->conn, name, p->count, values, lengths, formats, 1)
                   : PQsendQueryParams(s->conn, sql, p->count, NULL, values, lengths, formats, 1);
    return sent == 0 ? leat_pg_lost(s, err) : collect(s, until_us, ret, err);
}

leat_status leat_pg_call(struct leat_store *s, leat_pg_trip trip, const char *sql, PGresult **ret,
                         struct leat_error *err)
{
    struct leat_buf text;
    leat_buf_init(&text, SQL_BYTES_MAX);
    for (const char *at = sql; *at != '\0';) {
        size_t n = strcspn(at, "@");
        leat_buf_put(&text, at, n);
        at += n;
        if (*at == '@') {
            leat_buf_puts(&text, s->quoted);
            at++;
        }
    }
    leat_buf_putc(&text, '\0');
    leat_status status = text.overflow ? leat_fail(err, LEAT_FATAL, "out of memory")
                                       : leat_pg_call_text(s, trip, text.at, NULL, ret, err);
    leat_buf_done(&text);
    return status;
}

leat_status leat_pg_script(struct leat_store *s, const char *sql, int timeout_ms,
                           struct leat_error *err)
{
    leat_status status = ready(s, err);
    if (status != LEAT_OK)
        return status;
    if (PQsendQuery(s->conn, sql) == 0)
        return leat_pg_lost(s, err);
    LEAT_PG_AUTO PGresult *r = NULL;
    return collect(s, leat_mono_us() + (int64_t)timeout_ms * 1000, &r, err);
}
