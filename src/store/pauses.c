#include "store/pauses.h"

#include "store/reply.h"

leat_status leat_store_pause(struct leat_store *s, const struct leat_pause *pause, bool *ret_paused,
                             struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_text(&s->params, pause->processor);
    leat_pg_text(&s->params, pause->reason);
    leat_pg_text(&s->params, pause->by);
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_WRITE, "select @.pause_processor($1,$2,$3,$4)", &result, err),
             err, "could not pause '%.*s'", LEAT_STR_FMT(pause->processor));
    struct leat_pg_reply r = leat_reply_of(result, 1, NULL);
    bool paused = leat_reply_bool(&r, 0, 0);
    LEAT_TRY(leat_reply_ok(&r, "pause", err), err, "could not pause a processor");
    *ret_paused = paused;
    return LEAT_OK;
}

leat_status leat_store_resume(struct leat_store *s, struct leat_str processor,
                              struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_text(&s->params, processor);
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_WRITE, "select @.resume_processor($1,$2)", &result, err), err,
             "could not resume '%.*s'", LEAT_STR_FMT(processor));
    struct leat_pg_reply r = leat_reply_of(result, 1, NULL);
    bool resumed = leat_reply_bool(&r, 0, 0);
    LEAT_TRY(leat_reply_ok(&r, "resume", err), err, "could not resume a processor");
    if (!resumed)
        return leat_fail(err, LEAT_ABSENT, "processor '%.*s' is not paused",
                         LEAT_STR_FMT(processor));
    return LEAT_OK;
}

leat_status leat_store_pauses(struct leat_store *s, struct leat_arena *arena,
                              struct leat_pause **ret, size_t *ret_n, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ,
                          "select processor, reason, paused_by, since from @.pauses order by 1",
                          &result, err),
             err, "could not read which processors are paused");
    struct leat_pg_reply r = leat_reply_of(result, 4, arena);
    size_t n = (size_t)r.rows;
    struct leat_pause *pauses = leat_arena_zalloc(arena, n + 1, sizeof *pauses);
    for (int i = 0; i < r.rows && !r.bad; i++)
        pauses[i] = (struct leat_pause){.processor = leat_reply_bytes(&r, i, 0),
                                        .reason = leat_reply_bytes(&r, i, 1),
                                        .by = leat_reply_bytes(&r, i, 2),
                                        .since_ms = leat_reply_unix_ms(&r, i, 3)};
    LEAT_TRY(leat_reply_ok(&r, "pauses", err), err, "could not read pauses");
    *ret = pauses;
    *ret_n = n;
    return LEAT_OK;
}
