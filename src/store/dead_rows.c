/* Dead letters, read and counted. */
#include <stdio.h>
#include <string.h>

#include "store/kept.h"
#include "store/reply.h"

const char *const leat_dead_state_names[LEAT_DEAD_STATES] = {"dead", "redriving", "quarantined",
                                                             "settled", "dropped"};

/* Parameters $1 to $11, as put_filter() writes them. */
#define FILTER                                                                                     \
    " ($1::text = '' or d.processor = $1::text)"                                                   \
    " and ($2::bytea is null or coalesce(d.key, '') = $2::bytea)"                                  \
    " and ($3::text = '' or d.code = $3::text) and ($4::text = '' or d.class = $4::text)"          \
    " and ($5::text = '' or d.type = $5::text) and ($6::text = '' or d.topic = $6::text)"          \
    " and ($7::int4 < 0 or d.partition = $7::int4)"                                                \
    " and ($8::int8 < 0 or d.record_offset = $8::int8)"                                            \
    " and ($9::timestamptz is null or d.last_at >= $9::timestamptz)"                               \
    " and ($10::timestamptz is null or d.last_at < $10::timestamptz)"                              \
    " and d.state = any ($11::text[])"

static void put_filter(struct leat_store *s, const struct leat_dead_filter *f)
{
    struct leat_pg_params *p = &s->params;
    leat_pg_clear(p);
    leat_pg_text(p, f->processor);
    leat_kept_key(p, f->has_key, f->key);
    leat_pg_text(p, f->code);
    leat_pg_text(p, f->class);
    leat_pg_text(p, f->type);
    leat_pg_text(p, f->topic);
    leat_pg_int4(p, f->partition);
    leat_pg_int8(p, f->offset);
    leat_pg_time(p, f->since_us);
    leat_pg_time(p, f->until_us);
    leat_pg_array(p, LEAT_PG_TEXT, (size_t)__builtin_popcount(f->states & LEAT_DEAD_ALL));
    for (int i = 0; i < LEAT_DEAD_STATES; i++) {
        if ((f->states & 1U << i) != 0)
            leat_pg_put_text(p, leat_str_of(leat_dead_state_names[i]));
    }
    leat_pg_array_end(p);
}

/* ---- rows ---- */

#define HEAD_COLUMNS                                                                               \
    "d.processor, d.slice, d.id, d.key, d.type, d.priority, d.source, d.topic, d.partition,"       \
    " d.record_offset, d.event_seq, d.class, d.code, d.message, d.attempts, d.first_at,"           \
    " d.last_at, d.handler_version, d.value_bytes, d.value_sha256, d.state, d.redrives,"           \
    " d.note, d.changed_at"
#define BARE_COLUMNS  HEAD_COLUMNS ", null::bytea, null::bytea"
#define WHOLE_COLUMNS HEAD_COLUMNS ", d.headers, d.value"
#define COLUMN_COUNT  26

static void read_row(struct leat_pg_reply *r, int i, struct leat_dead_row *d)
{
    d->processor = leat_reply_bytes(r, i, 0);
    d->slice = leat_reply_int4(r, i, 1);
    d->id = leat_reply_uuid(r, i, 2);
    d->key_null = leat_reply_null(r, i, 3);
    d->key = leat_reply_bytes(r, i, 3);
    d->type = leat_reply_bytes(r, i, 4);
    d->priority = leat_reply_bytes(r, i, 5);
    d->source = leat_reply_bytes(r, i, 6);
    d->topic = leat_reply_bytes(r, i, 7);
    d->partition = leat_reply_int4(r, i, 8);
    d->offset = leat_reply_int8(r, i, 9);
    d->event_seq = leat_reply_int8(r, i, 10);
    d->class = leat_reply_bytes(r, i, 11);
    d->code = leat_reply_bytes(r, i, 12);
    d->message = leat_reply_bytes(r, i, 13);
    d->attempts = leat_reply_int4(r, i, 14);
    d->first_at_us = leat_reply_unix_us(r, i, 15);
    d->last_at_us = leat_reply_unix_us(r, i, 16);
    d->handler_version = leat_reply_int4(r, i, 17);
    d->value_bytes = leat_reply_int8(r, i, 18);
    d->value_sha256 = leat_reply_bytes(r, i, 19);
    d->state = leat_reply_bytes(r, i, 20);
    d->redrives = leat_reply_int4(r, i, 21);
    d->note = leat_reply_bytes(r, i, 22);
    d->changed_at_us = leat_reply_unix_us(r, i, 23);
    d->headers = leat_reply_bytes(r, i, 24);
    d->value_null = leat_reply_null(r, i, 25);
    d->value = leat_reply_bytes(r, i, 25);
}

static leat_status ask_rows(struct leat_store *s, const char *sql, struct leat_arena *arena,
                            struct leat_dead_row **ret, size_t *ret_n, struct leat_error *err)
{
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ, sql, &result, err), err, "could not read dead letters");
    struct leat_pg_reply r = leat_reply_of(result, COLUMN_COUNT, arena);
    struct leat_dead_row *rows = leat_arena_zalloc(arena, (size_t)r.rows + 1, sizeof *rows);
    size_t n = (size_t)r.rows;
    for (int i = 0; i < r.rows && !r.bad; i++)
        read_row(&r, i, &rows[i]);
    LEAT_TRY(leat_reply_ok(&r, "dead letters", err), err, "could not read dead letters");
    *ret = rows;
    *ret_n = n;
    return LEAT_OK;
}

#define PAGE                                                                                       \
    " from @.dead_letters d where" FILTER                                                          \
    " and ($12::timestamptz is null or (d.last_at, d.id, d.processor)"                             \
    " < ($12::timestamptz, $13::uuid, $14::text))"                                                 \
    " order by d.last_at desc, d.id desc, d.processor desc limit $15::int8"

leat_status leat_store_dead(struct leat_store *s, const struct leat_dead_page *page,
                            struct leat_arena *arena, struct leat_dead_row **ret, size_t *ret_n,
                            struct leat_error *err)
{
    put_filter(s, page->filter);
    leat_pg_time(&s->params, page->last_at_us);
    leat_pg_bytes(&s->params, page->id.b, sizeof page->id.b);
    leat_pg_text(&s->params, page->processor);
    leat_pg_limit(&s->params, page->limit);
    return ask_rows(s, page->whole ? "select " WHOLE_COLUMNS PAGE : "select " BARE_COLUMNS PAGE,
                    arena, ret, ret_n, err);
}

leat_status leat_store_dead_find(struct leat_store *s, const struct leat_uuid *id,
                                 struct leat_arena *arena, struct leat_dead_row **ret,
                                 size_t *ret_n, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_bytes(&s->params, id->b, sizeof id->b);
    return ask_rows(s,
                    "select " WHOLE_COLUMNS " from @.dead_letters d where d.id = $1::uuid"
                    " order by d.processor, d.slice limit 100",
                    arena, ret, ret_n, err);
}

/* ---- histogram ---- */

leat_status leat_store_dead_groups(struct leat_store *s, const struct leat_dead_filter *f,
                                   struct leat_arena *arena, struct leat_dead_groups *ret,
                                   struct leat_error *err)
{
    put_filter(s, f);
    leat_pg_int8(&s->params, LEAT_GROUPS_MAX);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ,
                          "select d.processor, d.state, d.class, d.code, d.type, count(*),"
                          " min(d.last_at), max(d.last_at), (sum(count(*)) over ())::int8"
                          " from @.dead_letters d where" FILTER " group by 1, 2, 3, 4, 5"
                          " order by 6 desc, 1, 2, 3, 4, 5 limit $12::int8",
                          &result, err),
             err, "could not count dead letters");
    struct leat_pg_reply r = leat_reply_of(result, 9, arena);
    struct leat_dead_groups g = {.n = (size_t)r.rows};
    g.at = leat_arena_zalloc(arena, g.n + 1, sizeof *g.at);
    for (int i = 0; i < r.rows && !r.bad; i++) {
        struct leat_dead_group *at = &g.at[i];
        at->processor = leat_reply_bytes(&r, i, 0);
        at->state = leat_reply_bytes(&r, i, 1);
        at->class = leat_reply_bytes(&r, i, 2);
        at->code = leat_reply_bytes(&r, i, 3);
        at->type = leat_reply_bytes(&r, i, 4);
        at->count = leat_reply_int8(&r, i, 5);
        at->first_at_us = leat_reply_unix_us(&r, i, 6);
        at->last_at_us = leat_reply_unix_us(&r, i, 7);
        g.total = leat_reply_int8(&r, i, 8);
    }
    LEAT_TRY(leat_reply_ok(&r, "dead letters", err), err, "could not count dead letters");
    *ret = g;
    return LEAT_OK;
}

/* ---- who is meant ---- */

leat_status leat_store_dead_refs(struct leat_store *s, const struct leat_dead_page *page,
                                 struct leat_arena *arena, struct leat_dead_ref **ret,
                                 size_t *ret_n, struct leat_error *err)
{
    put_filter(s, page->filter);
    leat_pg_limit(&s->params, page->limit);
    return leat_kept_refs(s,
                          "select o.processor, o.slice, o.id from (select d.processor, d.slice,"
                          " d.id, d.last_at, d.record_offset from @.dead_letters d where" FILTER
                          " order by d.last_at, d.record_offset, d.id limit $12::int8) o"
                          " order by o.processor, o.slice, o.last_at, o.record_offset, o.id",
                          arena, ret, ret_n, err);
}

leat_status leat_store_processors(struct leat_store *s, struct leat_arena *arena,
                                  struct leat_str **ret, size_t *ret_n, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ, "select processor from @.owners where k = 0 order by 1",
                          &result, err),
             err, "could not read the processors of the store");
    struct leat_pg_reply r = leat_reply_of(result, 1, arena);
    size_t n = (size_t)r.rows;
    struct leat_str *names = leat_arena_zalloc(arena, n + 1, sizeof *names);
    for (int i = 0; i < r.rows && !r.bad; i++)
        names[i] = leat_reply_bytes(&r, i, 0);
    LEAT_TRY(leat_reply_ok(&r, "processors", err), err, "could not read the processors");
    *ret = names;
    *ret_n = n;
    return LEAT_OK;
}
