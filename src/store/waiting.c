/* Rows of the waiting room and dead letters: in an append, and read by who owns the k. */
#include "store/batch.h"
#include "store/reply.h"

static int64_t pg_time(int64_t unix_ms)
{
    return unix_ms == LEAT_NEVER_MS ? INT64_MAX : unix_ms * 1000 - LEAT_PG_EPOCH_US;
}

static void put_time_or_null(struct leat_pg_params *p, int64_t unix_ms)
{
    uint64_t v = (uint64_t)pg_time(unix_ms);
    uint8_t bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(v >> (56 - 8 * i));
    if (unix_ms == 0)
        leat_pg_put_null(p);
    else
        leat_pg_put(p, bytes, sizeof bytes);
}

void leat_wait_params(const struct leat_batch *b, const struct leat_plan *plan,
                      struct leat_pg_params *p)
{
    size_t n = b->wait_count;
    const struct leat_batch_wait *w = b->waits;
    LEAT_PG_FIXED(p, LEAT_PG_INT2, n, 2, leat_pg_put2(to, (int16_t)w[i].op));
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, w[i].command + 1));
    leat_pg_int4s(p, plan->wait_at, n);
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put_bytes(p, w[i].row.key, false));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, w[i].row.ticket));
    LEAT_PG_FIXED(p, LEAT_PG_INT2, n, 2, leat_pg_put2(to, (int16_t)w[i].row.reason));
    LEAT_PG_FIXED(p, LEAT_PG_INT2, n, 2, leat_pg_put2(to, w[i].row.parks));
    LEAT_PG_FIXED(p, LEAT_PG_TIMESTAMPTZ, n, 8, leat_pg_put8(to, pg_time(w[i].row.due_ms)));
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, w[i].row.attempt));
    LEAT_PG_FIXED(p, LEAT_PG_UUID, n, 16, leat_pg_put16(to, w[i].row.id.b));
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text(p, w[i].row.type));
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text(p, w[i].row.priority));
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text(p, w[i].row.topic));
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, w[i].row.partition));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, w[i].row.offset));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, w[i].row.event_seq));
    LEAT_PG_FIXED(p, LEAT_PG_TIMESTAMPTZ, n, 8, leat_pg_put8(to, pg_time(w[i].row.received_at_ms)));
    LEAT_PG_VARYING(p, LEAT_PG_TIMESTAMPTZ, n, put_time_or_null(p, w[i].row.first_at_ms));
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text_or_null(p, w[i].row.error_code));
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text_or_null(p, w[i].row.error));
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put_bytes(p, w[i].row.headers, false));
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put_bytes(p, w[i].row.value, w[i].row.value_null));
}

void leat_dead_params(const struct leat_batch *b, struct leat_pg_params *p)
{
    size_t n = b->dead_count;
    const struct leat_batch_dead *d = b->dead;
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, (int32_t)d[i].command + 1));
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put_bytes(p, d[i].key, d[i].key.at == NULL));
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text(p, d[i].topic));
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, d[i].partition));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, d[i].offset));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, d[i].event_seq));
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text(p, d[i].error_class));
    LEAT_PG_FIXED(p, LEAT_PG_TIMESTAMPTZ, n, 8, leat_pg_put8(to, pg_time(d[i].first_at_ms)));
    LEAT_PG_FIXED(p, LEAT_PG_TIMESTAMPTZ, n, 8, leat_pg_put8(to, pg_time(d[i].last_at_ms)));
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, d[i].handler_version));
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put_bytes(p, d[i].headers, false));
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put_bytes(p, d[i].value, d[i].value_null));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, d[i].value_bytes));
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put(p, d[i].value_sha256, 32));
}

/* ---- reading ---- */

leat_status leat_store_waiting_keys(struct leat_store *s, const struct leat_waiting_ask *ask,
                                    struct leat_arena *arena, struct leat_waiting_rows *ret,
                                    struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_text(&s->params, ask->processor);
    leat_pg_int4s(&s->params, ask->ks, ask->n);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ, "select * from @.waiting_keys($1,$2)", &result, err),
             err, "could not read what waits for '%.*s'", LEAT_STR_FMT(ask->processor));
    struct leat_pg_reply r = leat_reply_of(result, 5, arena);
    struct leat_waiting_rows rows = {.n = (size_t)r.rows};
    rows.at = leat_arena_zalloc(arena, rows.n + 1, sizeof *rows.at);
    for (int i = 0; i < r.rows && !r.bad; i++)
        rows.at[i] = (struct leat_waiting_row){.k = leat_reply_int4(&r, i, 0),
                                               .key = leat_reply_bytes(&r, i, 1),
                                               .ticket = leat_reply_int8(&r, i, 2),
                                               .due_ms = leat_reply_unix_ms(&r, i, 3),
                                               .parks = leat_reply_bool(&r, i, 4)};
    LEAT_TRY(leat_reply_ok(&r, "waiting", err), err, "could not read what waits");
    *ret = rows;
    return LEAT_OK;
}

static void read_row(struct leat_pg_reply *r, int i, struct leat_waiting_row *row)
{
    *row = (struct leat_waiting_row){.k = leat_reply_int4(r, i, 1),
                                     .key = leat_reply_bytes(r, i, 2),
                                     .ticket = leat_reply_int8(r, i, 3),
                                     .due_ms = leat_reply_unix_ms(r, i, 4),
                                     .parks = leat_reply_bool(r, i, 5),
                                     .attempt = leat_reply_int4(r, i, 7),
                                     .id = leat_reply_uuid(r, i, 8),
                                     .type = leat_reply_bytes(r, i, 9),
                                     .priority = leat_reply_bytes(r, i, 10),
                                     .topic = leat_reply_bytes(r, i, 11),
                                     .partition = leat_reply_int4(r, i, 12),
                                     .offset = leat_reply_int8(r, i, 13),
                                     .event_seq = leat_reply_int8(r, i, 14),
                                     .received_at_ms = leat_reply_unix_ms(r, i, 15),
                                     .first_at_ms = leat_reply_unix_ms(r, i, 16),
                                     .error_code = leat_reply_bytes(r, i, 17),
                                     .error = leat_reply_bytes(r, i, 18),
                                     .headers = leat_reply_bytes(r, i, 19),
                                     .value = leat_reply_bytes(r, i, 20),
                                     .value_null = leat_reply_null(r, i, 20)};
    int32_t reason = leat_reply_int4(r, i, 6);
    if (reason < LEAT_WAIT_RETRY || reason > LEAT_WAIT_REDRIVEN)
        r->bad = true;
    row->reason = (leat_wait_reason)reason;
}

leat_status leat_store_waiting_rows(struct leat_store *s, const struct leat_waiting_ask *ask,
                                    struct leat_arena *arena, struct leat_waiting_rows *ret,
                                    struct leat_error *err)
{
    const struct leat_waiting_ref *asked = ask->refs;
    size_t n = ask->n;
    struct leat_pg_params *p = &s->params;
    leat_pg_clear(p);
    leat_pg_text(p, ask->processor);
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, asked[i].k));
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put_bytes(p, asked[i].key, false));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, asked[i].ticket));
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(
        leat_pg_call(s, LEAT_PG_READ, "select * from @.waiting_rows($1,$2,$3,$4)", &result, err),
        err, "could not read waiting messages of '%.*s'", LEAT_STR_FMT(ask->processor));
    struct leat_pg_reply r = leat_reply_of(result, 21, arena);
    struct leat_waiting_rows rows = {.n = (size_t)r.rows};
    rows.at = leat_arena_zalloc(arena, rows.n + 1, sizeof *rows.at);
    rows.asked = leat_arena_zalloc(arena, rows.n + 1, sizeof *rows.asked);
    for (int i = 0; i < r.rows && !r.bad; i++) {
        read_row(&r, i, &rows.at[i]);
        int32_t at = leat_reply_int4(&r, i, 0);
        if (at < 1 || (size_t)at > n)
            r.bad = true;
        rows.asked[i] = (size_t)at - 1;
    }
    LEAT_TRY(leat_reply_ok(&r, "waiting", err), err, "could not read waiting messages");
    *ret = rows;
    return LEAT_OK;
}
