/* Dead letters brought in from elsewhere. */
#include "store/operators.h"
#include "store/reply.h"

#define TEXTS(field) LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text(p, d[i].field))
#define INT4S(field) LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, d[i].field))
#define INT8S(field) LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, d[i].field))
#define TIMES(field)                                                                               \
    LEAT_PG_FIXED(p, LEAT_PG_TIMESTAMPTZ, n, 8, leat_pg_put8(to, leat_pg_us(d[i].field)))
#define BYTES(field, null)                                                                         \
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put_bytes(p, d[i].field, null))

static void put_rows(struct leat_pg_params *p, const struct leat_dead_row *d, size_t n)
{
    leat_pg_clear(p);
    TEXTS(processor);
    INT4S(slice);
    LEAT_PG_FIXED(p, LEAT_PG_UUID, n, 16, leat_pg_put16(to, d[i].id.b));
    BYTES(key, d[i].key_null);
    TEXTS(type);
    TEXTS(priority);
    TEXTS(source);
    TEXTS(topic);
    INT4S(partition);
    INT8S(offset);
    INT8S(event_seq);
    TEXTS(class);
    TEXTS(code);
    TEXTS(message);
    INT4S(attempts);
    TIMES(first_at_us);
    TIMES(last_at_us);
    INT4S(handler_version);
    BYTES(headers, false);
    BYTES(value, d[i].value_null);
    INT8S(value_bytes);
    BYTES(value_sha256, false);
    TEXTS(state);
    INT4S(redrives);
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text_or_null(p, d[i].note));
    TIMES(changed_at_us);
}

#define COLUMNS                                                                                    \
    "processor, slice, id, key, type, priority, source, topic, partition, record_offset,"          \
    " event_seq, class, code, message, attempts, first_at, last_at, handler_version, headers,"     \
    " value, value_bytes, value_sha256, state, redrives, note, changed_at"

/* Each column in its place: $1 is the processors, $26 when they changed. */
static const char put_sql[] =
    "with added as (insert into @.dead_letters (" COLUMNS ") select " COLUMNS " from unnest("
    "$1::text[], $2::int4[], $3::uuid[], $4::bytea[], $5::text[], $6::text[], $7::text[],"
    " $8::text[], $9::int4[], $10::int8[], $11::int8[], $12::text[], $13::text[], $14::text[],"
    " $15::int4[], $16::timestamptz[], $17::timestamptz[], $18::int4[], $19::bytea[],"
    " $20::bytea[], $21::int8[], $22::bytea[], $23::text[], $24::int4[], $25::text[],"
    " $26::timestamptz[]) u(" COLUMNS ") on conflict do nothing returning 1)"
    " select count(*) from added";

leat_status leat_store_dead_put(struct leat_store *s, const struct leat_dead_row *rows, size_t n,
                                size_t *ret_added, struct leat_error *err)
{
    put_rows(&s->params, rows, n);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_WRITE, put_sql, &result, err), err,
             "could not write %zu dead letters", n);
    struct leat_pg_reply r = leat_reply_of(result, 1, NULL);
    int64_t added = leat_reply_int8(&r, 0, 0);
    LEAT_TRY(leat_reply_ok(&r, "dead letters", err), err, "could not write dead letters");
    *ret_added = (size_t)added;
    return LEAT_OK;
}
