#include <string.h>

#include "store/batch.h"
#include "store/reply.h"

#define EVENT_COLUMNS                                                                              \
    "slice, seq, version, schema_id, event_id, command_id,"                                        \
    " coalesce(correlation_id, command_id), stream, type, payload, recorded_at"
#define EVENT_COLUMN_COUNT 11

/* Columns of one event, from `col` on, as in EVENT_COLUMNS. */
static void read_event(struct leat_pg_reply *r, int row, int col, struct leat_stored_event *e)
{
    e->slice = leat_reply_int4(r, row, col);
    e->seq = leat_reply_int8(r, row, col + 1);
    e->version = leat_reply_int8(r, row, col + 2);
    e->schema_id = leat_reply_int4(r, row, col + 3);
    e->id = leat_reply_uuid(r, row, col + 4);
    e->command_id = leat_reply_uuid(r, row, col + 5);
    e->correlation_id = leat_reply_uuid(r, row, col + 6);
    e->stream = leat_reply_bytes(r, row, col + 7);
    e->type = leat_reply_bytes(r, row, col + 8);
    e->payload = leat_reply_bytes(r, row, col + 9);
    e->recorded_at_us = leat_reply_unix_us(r, row, col + 10);
}

static leat_status read_events(const PGresult *result, struct leat_arena *arena,
                               struct leat_stored_event **ret, size_t *ret_n,
                               struct leat_error *err)
{
    struct leat_pg_reply r = leat_reply_of(result, EVENT_COLUMN_COUNT, arena);
    size_t n = (size_t)r.rows;
    struct leat_stored_event *events = leat_arena_alloc(arena, (n + 1) * sizeof *events);
    for (int i = 0; i < r.rows && !r.bad; i++)
        read_event(&r, i, 0, &events[i]);
    leat_status status = leat_reply_ok(&r, "events", err);
    if (status != LEAT_OK)
        return status;
    *ret = events;
    *ret_n = n;
    return LEAT_OK;
}

/* ---- load ---- */

static void put_wants(struct leat_pg_params *p, const struct leat_stream_want *wants, size_t n)
{
    leat_pg_clear(p);
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, wants[i].k));
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text(p, wants[i].stream));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, wants[i].after_version));
}

/* Which of the wants may start from a snapshot, and of what form; NULL: none may. */
static const struct leat_snapshot_form *put_forms(struct leat_pg_params *p,
                                                  const struct leat_stream_want *wants, size_t n)
{
    const struct leat_snapshot_form *form = NULL;
    for (size_t i = 0; i < n && form == NULL; i++)
        form = wants[i].form;
    if (form == NULL)
        return NULL;
    LEAT_PG_VARYING(p, LEAT_PG_BOOL, n, leat_pg_put(p, wants[i].form != NULL ? "\1" : "\0", 1));
    leat_pg_int4(p, form->aggregate_version);
    leat_pg_int8(p, (int64_t)form->state_schema);
    return form;
}

static void read_snapshot(struct leat_pg_reply *r, int row, struct leat_str stream,
                          struct leat_loaded_snapshot *ret)
{
    ret->want = (uint32_t)leat_reply_int4(r, row, 0) - 1;
    ret->version = leat_reply_int8(r, row, 3);
    ret->state = leat_reply_bytes(r, row, 10);
    ret->damaged =
        leat_reply_int8(r, row, 2) != leat_snapshot_checksum(stream, ret->version, ret->state);
}

/* Head rows (want 0) come first, then snapshots (without a type) and events in order of their
 * wants, which count from 1, and versions. */
static struct leat_loaded read_loaded(struct leat_pg_reply *r, const struct leat_stream_want *wants,
                                      size_t n)
{
    struct leat_loaded l = {0};
    size_t rows = (size_t)r->rows;
    l.want = leat_arena_alloc(r->arena, (rows + 1) * sizeof *l.want);
    l.events = leat_arena_alloc(r->arena, (rows + 1) * sizeof *l.events);
    l.heads = leat_arena_zalloc(r->arena, rows + 1, sizeof *l.heads);
    l.snapshots = leat_arena_alloc(r->arena, (n + 1) * sizeof *l.snapshots);
    for (int i = 0; i < r->rows && !r->bad; i++) {
        int32_t want = leat_reply_int4(r, i, 0);
        if (want == 0) {
            struct leat_fence_state *head = &l.heads[l.head_count++];
            head->k = leat_reply_int4(r, i, 1);
            head->head_seq = leat_reply_int8(r, i, 2);
            head->store_id = leat_reply_uuid(r, i, 5);
        } else if (want < 0 || (size_t)want > n || l.snapshot_count > n) {
            r->bad = true;
        } else if (leat_reply_null(r, i, 9)) {
            read_snapshot(r, i, wants[want - 1].stream, &l.snapshots[l.snapshot_count++]);
        } else {
            l.want[l.event_count] = (uint32_t)want - 1;
            read_event(r, i, 1, &l.events[l.event_count++]);
        }
    }
    return l;
}

leat_status leat_store_load(struct leat_store *s, const struct leat_stream_want *wants, size_t n,
                            struct leat_arena *arena, struct leat_loaded *ret,
                            struct leat_error *err)
{
    put_wants(&s->params, wants, n);
    LEAT_PG_AUTO PGresult *result = NULL;
    const char *sql = put_forms(&s->params, wants, n) == NULL
                          ? "select * from @.load_streams($1,$2,$3) order by 1, 4"
                          : "select * from @.load_states($1,$2,$3,$4,$5,$6) order by 1, 4";
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ, sql, &result, err), err, "could not load %zu streams",
             n);
    struct leat_pg_reply r = leat_reply_of(result, 1 + EVENT_COLUMN_COUNT, arena);
    struct leat_loaded loaded = read_loaded(&r, wants, n);
    LEAT_TRY(leat_reply_ok(&r, "load", err), err, "could not load %zu streams", n);
    *ret = loaded;
    return LEAT_OK;
}

/* ---- one slice, one stream ---- */

leat_status leat_store_slice(struct leat_store *s, const struct leat_store_page *p,
                             struct leat_arena *arena, struct leat_stored_event **ret,
                             size_t *ret_n, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_int4(&s->params, p->slice);
    leat_pg_int8(&s->params, p->after);
    leat_pg_int8(&s->params, p->upto < 0 ? INT64_MAX : p->upto);
    leat_pg_limit(&s->params, p->limit);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ,
                          "select " EVENT_COLUMNS " from @.event_log where slice = $1::int4"
                          " and seq > $2::int8 and seq <= $3::int8 order by seq limit $4::int8",
                          &result, err),
             err, "could not read slice %d", p->slice);
    LEAT_TRY(read_events(result, arena, ret, ret_n, err), err, "could not read slice %d", p->slice);
    return LEAT_OK;
}

leat_status leat_store_stream(struct leat_store *s, const struct leat_store_page *p,
                              struct leat_arena *arena, struct leat_stored_event **ret,
                              size_t *ret_n, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_int4(&s->params, p->slice);
    leat_pg_text(&s->params, p->stream);
    leat_pg_int8(&s->params, p->after);
    leat_pg_limit(&s->params, p->limit);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ,
                          "select " EVENT_COLUMNS " from @.event_log where slice = $1::int4 and"
                          " stream = $2::text and version > $3::int8 order by version"
                          " limit $4::int8",
                          &result, err),
             err, "could not read a stream of slice %d", p->slice);
    LEAT_TRY(read_events(result, arena, ret, ret_n, err), err, "could not read a stream");
    return LEAT_OK;
}

/* ---- one command ---- */

#define COMMAND_QUERY                                                                              \
    "select c.id, c.slice, coalesce(c.first_seq, 0), coalesce(c.last_seq, 0), s.store_id,"         \
    " c.processor, c.type, c.stream, c.outcome, c.error_code, c.error_text, c.received_at,"        \
    " c.finished_at, sha256(coalesce(c.payload, '')), c.attempts, c.waits,"                        \
    " case when isfinite(c.due_at) then c.due_at end"                                              \
    " from @.commands c join @.slices s on s.slice = c.slice where c.id = $1::uuid"
#define COMMAND_COLUMN_COUNT 17

static void read_command(struct leat_pg_reply *r, struct leat_command_status *c)
{
    c->id = leat_reply_uuid(r, 0, 0);
    c->slice = leat_reply_int4(r, 0, 1);
    c->first_seq = leat_reply_int8(r, 0, 2);
    c->last_seq = leat_reply_int8(r, 0, 3);
    c->store_id = leat_reply_uuid(r, 0, 4);
    c->processor = leat_reply_bytes(r, 0, 5);
    c->type = leat_reply_bytes(r, 0, 6);
    c->stream = leat_reply_bytes(r, 0, 7);
    c->outcome = leat_reply_bytes(r, 0, 8);
    c->error_code = leat_reply_bytes(r, 0, 9);
    c->error_text = leat_reply_bytes(r, 0, 10);
    c->received_at_us = leat_reply_unix_us(r, 0, 11);
    c->finished_at_us = leat_reply_null(r, 0, 12) ? 0 : leat_reply_unix_us(r, 0, 12);
    struct leat_str hash = leat_reply_bytes(r, 0, 13);
    if (hash.len == sizeof c->payload_sha256)
        memcpy(c->payload_sha256, hash.at, hash.len);
    c->attempts = leat_reply_int4(r, 0, 14);
    c->waits = leat_reply_bytes(r, 0, 15);
    c->due_at_us = leat_reply_null(r, 0, 16) ? 0 : leat_reply_unix_us(r, 0, 16);
}

leat_status leat_store_command(struct leat_store *s, int32_t slice, const struct leat_uuid *id,
                               struct leat_arena *arena, struct leat_command_status *ret,
                               struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_bytes(&s->params, id->b, sizeof id->b);
    const char *sql = COMMAND_QUERY " order by c.finished_at limit 1";
    if (slice >= 0) {
        leat_pg_int4(&s->params, slice);
        sql = COMMAND_QUERY " and c.slice = $2::int4 limit 1";
    }
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ, sql, &result, err), err, "could not look up a command");
    struct leat_pg_reply r = leat_reply_of(result, COMMAND_COLUMN_COUNT, arena);
    if (!r.bad && r.rows == 0) {
        char text[LEAT_UUID_TEXT];
        leat_uuid_format(id, text);
        return leat_fail(err, LEAT_ABSENT, "command %s is not known", text);
    }
    struct leat_command_status c = {0};
    read_command(&r, &c);
    LEAT_TRY(leat_reply_ok(&r, "command", err), err, "could not look up a command");
    *ret = c;
    return LEAT_OK;
}

leat_status leat_store_settled(struct leat_store *s, const struct leat_command_at *at, size_t n,
                               struct leat_arena *arena, bool *ret, struct leat_error *err)
{
    struct leat_pg_params *p = &s->params;
    leat_pg_clear(p);
    leat_pg_array(p, LEAT_PG_INT4, n);
    char *to = leat_pg_room(p, n, 4);
    for (size_t i = 0; to != NULL && i < n; i++)
        to = leat_pg_put4(to, at[i].slice);
    leat_pg_array_end(p);
    leat_pg_array(p, LEAT_PG_UUID, n);
    to = leat_pg_room(p, n, 16);
    for (size_t i = 0; to != NULL && i < n; i++)
        to = leat_pg_put16(to, at[i].id.b);
    leat_pg_array_end(p);
    LEAT_PG_AUTO PGresult *result = NULL;
    /* The limit keeps it to one look into one slice's index for each. */
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ,
                          "select w.i from unnest($1::int4[], $2::uuid[]) with ordinality"
                          " w(slice, id, i), lateral (select from @.command_log c"
                          " where c.slice = w.slice and c.id = w.id limit 1) found",
                          &result, err),
             err, "could not look up %zu commands", n);
    struct leat_pg_reply r = leat_reply_of(result, 1, arena);
    memset(ret, 0, n * sizeof *ret);
    for (int row = 0; row < r.rows && !r.bad; row++) {
        int64_t i = leat_reply_int8(&r, row, 0);
        r.bad = i < 1 || (size_t)i > n;
        if (!r.bad)
            ret[i - 1] = true;
    }
    return leat_reply_ok(&r, "commands", err);
}

/* ---- outbox ---- */

static void read_outbox(struct leat_pg_reply *r, int row, struct leat_outbox_row *o)
{
    o->slice = leat_reply_int4(r, row, 0);
    o->seq = leat_reply_int8(r, row, 1);
    o->partition = leat_reply_int4(r, row, 2);
    o->topic = leat_reply_bytes(r, row, 3);
    o->key_null = leat_reply_null(r, row, 4);
    o->key = leat_reply_bytes(r, row, 4);
    o->headers = leat_reply_bytes(r, row, 5);
    o->value_null = leat_reply_null(r, row, 6);
    o->value = leat_reply_bytes(r, row, 6);
}

leat_status leat_store_outbox(struct leat_store *s, const struct leat_store_page *p,
                              struct leat_arena *arena, struct leat_outbox_row **ret, size_t *ret_n,
                              struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_int4(&s->params, p->slice);
    leat_pg_int8(&s->params, p->after);
    leat_pg_limit(&s->params, p->limit);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ,
                          "select slice, seq, partition, topic, key, headers, value from @.outbox"
                          " where slice = $1::int4 and seq > $2::int8 order by seq limit $3::int8",
                          &result, err),
             err, "could not read the outbox of slice %d", p->slice);
    struct leat_pg_reply r = leat_reply_of(result, 7, arena);
    size_t n = (size_t)r.rows;
    struct leat_outbox_row *rows = leat_arena_zalloc(arena, n + 1, sizeof *rows);
    for (int i = 0; i < r.rows && !r.bad; i++)
        read_outbox(&r, i, &rows[i]);
    LEAT_TRY(leat_reply_ok(&r, "outbox", err), err, "could not read the outbox");
    *ret = rows;
    *ret_n = n;
    return LEAT_OK;
}
