#include "store/probe.h"

#include "base/clock.h"
#include "store/reply.h"

static const char facts_sql[] =
    "select current_setting('server_version_num')::int, current_setting('server_version'),"
    " current_user::text, current_database()::text, current_setting('fsync'),"
    " current_setting('full_page_writes'), current_setting('synchronous_commit'),"
    " clock_timestamp(), current_setting('max_connections')::int8,"
    " (select count(*) from pg_stat_activity where backend_type = 'client backend'),"
    " pg_is_in_recovery(), n.oid is not null,"
    " has_database_privilege(current_database(), 'create'),"
    " coalesce(has_schema_privilege(n.oid, 'create') and has_schema_privilege(n.oid, 'usage'),"
    "          false),"
    " coalesce((select sum(pg_total_relation_size(c.oid))::int8 from pg_class c"
    "           where c.relnamespace = n.oid and c.relkind = 'r'), 0)"
    " from (select 1) one left join pg_namespace n on n.nspname = $1::text";

leat_status leat_store_server(struct leat_store *s, struct leat_arena *arena,
                              struct leat_server_facts *ret, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_text(&s->params, leat_str_of(s->schema));
    LEAT_PG_AUTO PGresult *result = NULL;
    struct leat_server_facts f = {.asked_us = leat_now_ms() * 1000};
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ, facts_sql, &result, err), err,
             "could not ask the server");
    f.answered_us = leat_now_ms() * 1000;
    struct leat_pg_reply r = leat_reply_of(result, 15, arena);
    f.version = leat_reply_int4(&r, 0, 0);
    f.version_text = leat_reply_bytes(&r, 0, 1);
    f.user = leat_reply_bytes(&r, 0, 2);
    f.database = leat_reply_bytes(&r, 0, 3);
    f.fsync = leat_reply_bytes(&r, 0, 4);
    f.full_page_writes = leat_reply_bytes(&r, 0, 5);
    f.synchronous_commit = leat_reply_bytes(&r, 0, 6);
    f.clock_us = leat_reply_unix_us(&r, 0, 7);
    f.connections_max = leat_reply_int8(&r, 0, 8);
    f.connections = leat_reply_int8(&r, 0, 9);
    f.in_recovery = leat_reply_bool(&r, 0, 10);
    f.schema_exists = leat_reply_bool(&r, 0, 11);
    f.may_create = leat_reply_bool(&r, 0, 12);
    f.may_use = leat_reply_bool(&r, 0, 13);
    f.schema_bytes = leat_reply_int8(&r, 0, 14);
    LEAT_TRY(leat_reply_ok(&r, "server facts", err), err, "could not ask the server");
    *ret = f;
    return LEAT_OK;
}

static const char counters_sql[] =
    "select (select count(*) from @.outbox_refused), (select count(*) from @.outbox),"
    " coalesce((select reason from @.outbox_refused order by refused_at desc limit 1), ''),"
    " coalesce((select string_agg(p, ', ') from unnest($1::text[]) p"
    "           where not exists (select from @.owners o where o.processor = p)), '')";

leat_status leat_store_counters(struct leat_store *s, const struct leat_str *processors, size_t n,
                                struct leat_arena *arena, struct leat_store_counters *ret,
                                struct leat_error *err)
{
    leat_pg_clear(&s->params);
    LEAT_PG_VARYING(&s->params, LEAT_PG_TEXT, n, leat_pg_put_text(&s->params, processors[i]));
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ, counters_sql, &result, err), err,
             "could not ask the store");
    struct leat_pg_reply r = leat_reply_of(result, 4, arena);
    struct leat_store_counters c = {.outbox_refused = leat_reply_int8(&r, 0, 0),
                                    .outbox = leat_reply_int8(&r, 0, 1),
                                    .refused_reason = leat_reply_bytes(&r, 0, 2),
                                    .owners_missing = leat_reply_bytes(&r, 0, 3)};
    LEAT_TRY(leat_reply_ok(&r, "counters", err), err, "could not ask the store");
    *ret = c;
    return LEAT_OK;
}
