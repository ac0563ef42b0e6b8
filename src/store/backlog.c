#include "store/backlog.h"

#include "store/reply.h"

static const char sql[] =
    "select processor, '' as state, count(*),"
    " min(coalesce(first_at, received_at)) filter (where reason <> 3),"
    " min(due_at) filter (where isfinite(due_at)) from @.waiting group by 1"
    " union all select processor, state, count(*), null, null from @.dead_letters group by 1, 2"
    " order by 1, 2";

static int64_t time_or_none(struct leat_pg_reply *r, int row, int column)
{
    return leat_reply_null(r, row, column) ? 0 : leat_reply_unix_us(r, row, column);
}

static void read_row(struct leat_pg_reply *r, int row, struct leat_backlog *b)
{
    struct leat_str state = leat_reply_bytes(r, row, 1);
    int64_t n = leat_reply_int8(r, row, 2);
    for (size_t i = 0; i < LEAT_DEAD_STATES; i++)
        if (leat_str_eq(state, leat_str_of(leat_dead_state_names[i])))
            b->dead[i] = n;
    if (state.len > 0)
        return;
    b->waiting = n;
    b->oldest_us = time_or_none(r, row, 3);
    b->due_us = time_or_none(r, row, 4);
}

leat_status leat_store_backlog(struct leat_store *s, struct leat_arena *arena,
                               struct leat_backlog **ret, size_t *ret_n, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ, sql, &result, err), err, "could not count what waits");
    struct leat_pg_reply r = leat_reply_of(result, 5, arena);
    struct leat_backlog *rows = leat_arena_zalloc(arena, (size_t)r.rows + 1, sizeof *rows);
    size_t n = 0;
    for (int i = 0; i < r.rows && !r.bad; i++) {
        struct leat_str processor = leat_reply_bytes(&r, i, 0);
        if (n == 0 || !leat_str_eq(rows[n - 1].processor, processor))
            rows[n++].processor = processor;
        read_row(&r, i, &rows[n - 1]);
    }
    LEAT_TRY(leat_reply_ok(&r, "what waits", err), err, "could not count what waits");
    *ret = rows;
    *ret_n = n;
    return LEAT_OK;
}
