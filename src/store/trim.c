#include "store/trim.h"

#include "store/reply.h"

leat_status leat_store_trim(struct leat_store *s, const struct leat_trim *t,
                            struct leat_arena *arena, struct leat_trimmed *ret,
                            struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_int8(&s->params, t->keep_commands_ms);
    leat_pg_int8(&s->params, t->keep_dead_letters_ms);
    leat_pg_int4(&s->params, t->pages);
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_WRITE,
                          "select what, slice, removed, passed, wait_ms"
                          " from @.trim_step($1,$2,$3,$4)",
                          &result, err),
             err, "could not remove what is done with");
    struct leat_pg_reply r = leat_reply_of(result, 5, arena);
    struct leat_trimmed found = {.what = leat_reply_bytes(&r, 0, 0),
                                 .ended = !leat_reply_null(&r, 0, 3),
                                 .wait_ms = leat_reply_null(&r, 0, 4) ? INT64_MAX
                                                                      : leat_reply_int8(&r, 0, 4)};
    if (found.what.len > 0) {
        found.slice = leat_reply_int4(&r, 0, 1);
        found.removed = leat_reply_int8(&r, 0, 2);
    }
    if (found.ended)
        found.passed = leat_reply_int8(&r, 0, 3);
    LEAT_TRY(leat_reply_ok(&r, "trim", err), err, "could not remove what is done with");
    *ret = found;
    return LEAT_OK;
}
