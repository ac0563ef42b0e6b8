#include "store/blocked.h"

#include <string.h>

#include "store/reply.h"

#define LOCK_TIMEOUT_STATE "55P03"

static const char sql[] =
    "select a.pid, (extract(epoch from clock_timestamp() - a.xact_start) * 1000)::int8,"
    " coalesce(a.state, '?'), a.application_name"
    " from pg_locks l join pg_stat_activity a on a.pid = l.pid"
    " where l.locktype = 'relation' and a.pid <> pg_backend_pid() and a.xact_start is not null"
    " and l.database = (select oid from pg_database where datname = current_database())"
    " and l.relation in (to_regclass('@.owners'), to_regclass('@.slices'),"
    " to_regclass('@.published')) and l.mode in ('RowShareLock', 'RowExclusiveLock')"
    " order by a.xact_start limit 1";

void leat_store_say_who_blocks(struct leat_store *s, struct leat_error *err)
{
    s->blocked_by = 0;
    if (err == NULL || strcmp(s->sqlstate, LOCK_TIMEOUT_STATE) != 0)
        return;
    leat_pg_clear(&s->params);
    LEAT_PG_AUTO PGresult *result = NULL;
    if (leat_pg_call(s, LEAT_PG_READ, sql, &result, NULL) != LEAT_OK)
        return;
    s->counts.read_trips--; /* no part of anybody's work */
    struct leat_arena *arena = leat_arena_new(512, 0);
    struct leat_pg_reply r = leat_reply_of(result, 4, arena);
    if (r.rows == 1) {
        int32_t pid = leat_reply_int4(&r, 0, 0);
        int64_t age_ms = leat_reply_int8(&r, 0, 1);
        struct leat_str state = leat_reply_bytes(&r, 0, 2);
        struct leat_str who = leat_reply_bytes(&r, 0, 3);
        if (!r.bad) {
            s->blocked_by = pid;
            leat_error_hint(err,
                            "Postgres process %d (%.*s, %.*s) has been in its transaction for "
                            "%lld ms; it may be what holds the lock.",
                            pid, LEAT_STR_FMT(who), LEAT_STR_FMT(state), (long long)age_ms);
        }
    }
    leat_arena_free(arena);
}

int32_t leat_store_blocked_by(struct leat_store *s)
{
    int32_t pid = s->blocked_by;
    s->blocked_by = 0;
    return pid;
}
