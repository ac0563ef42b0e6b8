/* What waits, read and counted. */
#include <string.h>

#include "store/kept.h"
#include "store/reply.h"

const char *const leat_waits_names[LEAT_WAITS_MAX + 1] = {"",          "retry", "parked",
                                                          "scheduled", "held",  "redriven"};

/* Unix microseconds of due_at, the largest number for 'infinity'. */
#define DUE_US                                                                                     \
    "case when isfinite(w.due_at) then (extract(epoch from w.due_at) * 1000000)::int8"             \
    " else 9223372036854775807 end"

/* Parameters $1 to $6, as put_filter() writes them. */
#define FILTER                                                                                     \
    " ($1::text = '' or w.processor = $1::text) and ($2::bytea is null or w.key = $2::bytea)"      \
    " and ($3::text = '' or w.error_code = $3::text) and ($4::text = '' or w.type = $4::text)"     \
    " and ($5::timestamptz is null or w.due_at < $5::timestamptz)"                                 \
    " and (1 << w.reason) & $6::int4 <> 0"

static void put_filter(struct leat_store *s, const struct leat_waiter_filter *f)
{
    struct leat_pg_params *p = &s->params;
    leat_pg_clear(p);
    leat_pg_text(p, f->processor);
    leat_kept_key(p, f->has_key, f->key);
    leat_pg_text(p, f->code);
    leat_pg_text(p, f->type);
    leat_pg_time(p, f->due_until_us);
    leat_pg_int4(p, (int32_t)f->reasons);
}

#define HEAD_COLUMNS                                                                               \
    "w.processor, w.slice, w.key, w.ticket, w.reason::int4, w.parks, w.due_us, w.attempt, w.id,"   \
    " w.type, w.priority, w.topic, w.partition, w.record_offset, w.event_seq, w.received_at,"      \
    " w.first_at, w.error_code, w.error, case when w.parks then (select count(*)"                  \
    " from @.waiting h where h.processor = w.processor and h.slice = w.slice and h.key = w.key"    \
    " and h.ticket < w.ticket and h.parks) else 0 end"
#define COLUMN_COUNT 22

static leat_wait_reason reason_of(int32_t stored)
{
    return stored > 0 && stored <= LEAT_WAITS_MAX ? (leat_wait_reason)stored : LEAT_WAIT_RETRY;
}

static void read_row(struct leat_pg_reply *r, int i, struct leat_waiter *w)
{
    w->processor = leat_reply_bytes(r, i, 0);
    w->slice = leat_reply_int4(r, i, 1);
    w->key = leat_reply_bytes(r, i, 2);
    w->ticket = leat_reply_int8(r, i, 3);
    w->reason = reason_of(leat_reply_int4(r, i, 4));
    w->parks = leat_reply_bool(r, i, 5);
    w->due_at_us = leat_reply_int8(r, i, 6);
    w->attempt = leat_reply_int4(r, i, 7);
    w->id = leat_reply_uuid(r, i, 8);
    w->type = leat_reply_bytes(r, i, 9);
    w->priority = leat_reply_bytes(r, i, 10);
    w->topic = leat_reply_bytes(r, i, 11);
    w->partition = leat_reply_int4(r, i, 12);
    w->offset = leat_reply_int8(r, i, 13);
    w->event_seq = leat_reply_int8(r, i, 14);
    w->received_at_us = leat_reply_unix_us(r, i, 15);
    w->first_at_us = leat_reply_null(r, i, 16) ? 0 : leat_reply_unix_us(r, i, 16);
    w->error_code = leat_reply_bytes(r, i, 17);
    w->error = leat_reply_bytes(r, i, 18);
    w->ahead = leat_reply_int8(r, i, 19);
    w->headers = leat_reply_bytes(r, i, 20);
    w->value_null = leat_reply_null(r, i, 21);
    w->value = leat_reply_bytes(r, i, 21);
}

static leat_status ask_rows(struct leat_store *s, const char *sql, struct leat_arena *arena,
                            struct leat_waiter **ret, size_t *ret_n, struct leat_error *err)
{
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ, sql, &result, err), err, "could not read what waits");
    struct leat_pg_reply r = leat_reply_of(result, COLUMN_COUNT, arena);
    struct leat_waiter *rows = leat_arena_zalloc(arena, (size_t)r.rows + 1, sizeof *rows);
    size_t n = (size_t)r.rows;
    for (int i = 0; i < r.rows && !r.bad; i++)
        read_row(&r, i, &rows[i]);
    LEAT_TRY(leat_reply_ok(&r, "waiting", err), err, "could not read what waits");
    *ret = rows;
    *ret_n = n;
    return LEAT_OK;
}

leat_status leat_store_waiters(struct leat_store *s, const struct leat_waiter_page *page,
                               struct leat_arena *arena, struct leat_waiter **ret, size_t *ret_n,
                               struct leat_error *err)
{
    put_filter(s, page->filter);
    leat_pg_bool(&s->params, page->behind);
    leat_pg_int8(&s->params, page->due_at_us);
    leat_pg_bytes(&s->params, page->id.b, sizeof page->id.b);
    leat_pg_text(&s->params, page->processor);
    leat_pg_limit(&s->params, page->limit);
    return ask_rows(s,
                    "select " HEAD_COLUMNS ", null::bytea, null::bytea from (select w.*, " DUE_US
                    " as due_us from @.waiting w where" FILTER " and (not $7::bool or (" DUE_US
                    ", w.id, w.processor)"
                    " > ($8::int8, $9::uuid, $10::text))"
                    " order by due_us, w.id, w.processor limit $11::int8) w"
                    " order by w.due_us, w.id, w.processor",
                    arena, ret, ret_n, err);
}

leat_status leat_store_waiter_find(struct leat_store *s, const struct leat_uuid *id,
                                   struct leat_arena *arena, struct leat_waiter **ret,
                                   size_t *ret_n, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_bytes(&s->params, id->b, sizeof id->b);
    return ask_rows(s,
                    "select " HEAD_COLUMNS ", w.headers, w.value from (select w.*, " DUE_US
                    " as due_us from @.waiting w where w.id = $1::uuid) w"
                    " order by w.processor, w.slice, w.ticket limit 100",
                    arena, ret, ret_n, err);
}

leat_status leat_store_waiter_groups(struct leat_store *s, const struct leat_waiter_filter *f,
                                     struct leat_arena *arena, struct leat_waiter_groups *ret,
                                     struct leat_error *err)
{
    put_filter(s, f);
    leat_pg_int8(&s->params, LEAT_GROUPS_MAX);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ,
                          "select w.processor, w.reason::int4, w.type, coalesce(w.error_code, ''),"
                          " count(*), min(" DUE_US "), (sum(count(*)) over ())::int8"
                          " from @.waiting w where" FILTER " group by 1, 2, 3, 4"
                          " order by 5 desc, 1, 2, 3, 4 limit $7::int8",
                          &result, err),
             err, "could not count what waits");
    struct leat_pg_reply r = leat_reply_of(result, 7, arena);
    struct leat_waiter_groups g = {.n = (size_t)r.rows};
    g.at = leat_arena_zalloc(arena, g.n + 1, sizeof *g.at);
    for (int i = 0; i < r.rows && !r.bad; i++) {
        g.at[i].processor = leat_reply_bytes(&r, i, 0);
        g.at[i].reason = reason_of(leat_reply_int4(&r, i, 1));
        g.at[i].type = leat_reply_bytes(&r, i, 2);
        g.at[i].code = leat_reply_bytes(&r, i, 3);
        g.at[i].count = leat_reply_int8(&r, i, 4);
        g.at[i].due_at_us = leat_reply_int8(&r, i, 5);
        g.total = leat_reply_int8(&r, i, 6);
    }
    LEAT_TRY(leat_reply_ok(&r, "waiting", err), err, "could not count what waits");
    *ret = g;
    return LEAT_OK;
}

leat_status leat_store_waiter_refs(struct leat_store *s, const struct leat_waiter_page *page,
                                   struct leat_arena *arena, struct leat_dead_ref **ret,
                                   size_t *ret_n, struct leat_error *err)
{
    put_filter(s, page->filter);
    leat_pg_limit(&s->params, page->limit);
    return leat_kept_refs(s,
                          "select o.processor, o.slice, o.id from (select w.processor, w.slice,"
                          " w.id, w.ticket from @.waiting w where" FILTER
                          " order by w.due_at, w.ticket limit $7::int8) o"
                          " order by o.processor, o.slice, o.ticket",
                          arena, ret, ret_n, err);
}
