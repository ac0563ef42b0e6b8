#include "store/bulk.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "store/pg.h"

#define WAIT_MS      30000
#define COLUMN_COUNT 7
#define HEADER_BYTES 19 /* signature, flags, length of an extension that is empty */
#define SQL_BYTES    1024
#define END_OF_DATA  (-1)

/* ---- the connection ---- */

static leat_status next_result(struct leat_store *s, PGresult **ret, struct leat_error *err)
{
    int64_t until_us = leat_mono_us() + (int64_t)WAIT_MS * 1000;
    leat_status status = leat_pg_wait_result(s, until_us, err);
    if (status == LEAT_OK)
        *ret = PQgetResult(s->conn);
    return status;
}

static leat_status refused(struct leat_store *s, const PGresult *r, struct leat_error *err)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    s->broken = true; /* asked for again on a new connection, which tells what is wrong */
    return leat_fail(err, LEAT_RETRY, "the store refused to give events: %s (%s)",
                     text == NULL ? "?" : text, state == NULL ? "?" : state);
}

leat_status leat_store_bulk_begin(struct leat_store *s, const struct leat_bulk_range *range,
                                  struct leat_error *err)
{
    char sql[SQL_BYTES];
    PGresult *r = NULL;
    if (!leat_store_connected(s))
        return leat_pg_lost(s, err);
    int n = snprintf(sql, sizeof sql,
                     "copy (select seq, event_id, command_id, recorded_at, stream, type, payload"
                     " from %s.event_log where slice = %d and seq > %" PRId64 " and seq <= %" PRId64
                     " order by seq) to stdout (format binary)",
                     s->quoted, (int)range->slice, range->after, range->upto);
    leat_assert(n > 0 && (size_t)n < sizeof sql);
    if (PQsendQuery(s->conn, sql) == 0)
        return leat_pg_lost(s, err);
    s->counts.read_trips++;
    LEAT_TRY(next_result(s, &r, err), err, "could not read slice %d", (int)range->slice);
    leat_status status = PQresultStatus(r) == PGRES_COPY_OUT ? LEAT_OK : refused(s, r, err);
    PQclear(r);
    return status;
}

void leat_store_bulk_stop(struct leat_store *s)
{
    s->broken = true;
}

/* ---- rows ---- */

struct row {
    const uint8_t *at, *end;
    bool bad;
};

static uint64_t take_be(struct row *r, uint32_t bytes)
{
    uint64_t v = 0;
    if ((size_t)(r->end - r->at) < bytes) {
        r->bad = true;
        return 0;
    }
    for (uint32_t i = 0; i < bytes; i++)
        v = v << 8 | r->at[i];
    r->at += bytes;
    return v;
}

/* A column's bytes; `bytes` >= 0: it must have that many. None of them is null. */
static struct leat_str take_column(struct row *r, int64_t bytes)
{
    uint32_t len = (uint32_t)take_be(r, 4);
    if (r->bad || len > (size_t)(r->end - r->at) || (bytes >= 0 && (int64_t)len != bytes)) {
        r->bad = true;
        return (struct leat_str){NULL, 0};
    }
    r->at += len;
    return (struct leat_str){(const char *)r->at - len, len};
}

static uint64_t column_be8(struct row *r)
{
    struct leat_str s = take_column(r, 8);
    struct row number = {(const uint8_t *)s.at, (const uint8_t *)s.at + s.len, false};
    return r->bad ? 0 : take_be(&number, 8);
}

static struct leat_uuid column_uuid(struct row *r)
{
    struct leat_uuid id = {0};
    struct leat_str s = take_column(r, sizeof id.b);
    if (!r->bad)
        memcpy(id.b, s.at, sizeof id.b);
    return id;
}

static bool parse_row(struct row *r, struct leat_arena *arena, const struct leat_stored_event *last,
                      struct leat_stored_event *e)
{
    e->seq = (int64_t)column_be8(r);
    e->id = column_uuid(r);
    e->command_id = column_uuid(r);
    e->recorded_at_us = (int64_t)column_be8(r) + LEAT_PG_EPOCH_US;
    struct leat_str stream = take_column(r, -1), type = take_column(r, -1);
    struct leat_str payload = take_column(r, -1);
    if (r->bad || r->at != r->end)
        return false;
    char *bytes = leat_arena_alloc(arena, (size_t)stream.len + payload.len);
    memcpy(bytes, stream.at, stream.len);
    if (payload.len > 0)
        memcpy(bytes + stream.len, payload.at, payload.len);
    e->stream = (struct leat_str){bytes, stream.len};
    e->payload = (struct leat_str){bytes + stream.len, payload.len};
    /* Mostly one type follows itself. */
    e->type =
        last != NULL && leat_str_eq(last->type, type) ? last->type : leat_arena_copy(arena, type);
    return true;
}

/* Waits for one message of the COPY. *ret_len -1: there is none left. */
static leat_status next_message(struct leat_store *s, char **ret, int *ret_len,
                                struct leat_error *err)
{
    int64_t until_us = 0;
    for (;;) {
        int len = PQgetCopyData(s->conn, ret, 1);
        if (len == -2)
            return leat_pg_lost(s, err);
        if (len != 0) {
            *ret_len = len;
            return LEAT_OK;
        }
        if (until_us == 0)
            until_us = leat_mono_us() + (int64_t)WAIT_MS * 1000;
        leat_status status = leat_pg_wait_input(s, until_us, err);
        if (status != LEAT_OK)
            return status;
    }
}

/* Behind the last message: how the statement ended. */
static leat_status finish(struct leat_store *s, struct leat_error *err)
{
    leat_status status = LEAT_OK;
    for (PGresult *r = NULL;; PQclear(r)) {
        leat_status waited = next_result(s, &r, err);
        if (waited != LEAT_OK || r == NULL)
            return waited != LEAT_OK ? waited : status;
        if (status == LEAT_OK && PQresultStatus(r) != PGRES_COMMAND_OK)
            status = refused(s, r, err);
    }
}

/* The header comes with the first row, or, without rows, with the trailer. */
static void skip_header(struct row *r)
{
    static const char signature[] = "PGCOPY\n\377\r\n";
    if ((size_t)(r->end - r->at) >= HEADER_BYTES && memcmp(r->at, signature, sizeof signature) == 0)
        r->at += HEADER_BYTES;
}

leat_status leat_store_bulk_next(struct leat_store *s, struct leat_arena *arena,
                                 struct leat_stored_event *ret, size_t max, size_t *ret_n,
                                 struct leat_error *err)
{
    size_t n = 0;
    while (n < max) {
        char *message = NULL;
        int len = 0;
        LEAT_TRY(next_message(s, &message, &len, err), err, "could not read events");
        if (len < 0) {
            LEAT_TRY(finish(s, err), err, "could not read events");
            break;
        }
        struct row r = {(const uint8_t *)message, (const uint8_t *)message + len, false};
        skip_header(&r);
        bool empty = r.at == r.end;
        int16_t columns = empty ? END_OF_DATA : (int16_t)take_be(&r, 2);
        ret[n] = (struct leat_stored_event){0};
        bool good =
            columns == END_OF_DATA ||
            (columns == COLUMN_COUNT && parse_row(&r, arena, n > 0 ? &ret[n - 1] : NULL, &ret[n]));
        PQfreemem(message);
        if (!good) {
            s->broken = true;
            return leat_fail(err, LEAT_FATAL, "the store sent bytes that are no events");
        }
        n += columns == COLUMN_COUNT;
    }
    *ret_n = n;
    return LEAT_OK;
}
