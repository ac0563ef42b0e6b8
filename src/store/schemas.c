#include "store/reply.h"

leat_status leat_store_put_schema(struct leat_store *s, struct leat_str subject,
                                  struct leat_str text, int32_t *ret_id, struct leat_error *err)
{
    if (!leat_pg_text_fits(subject) || !leat_pg_text_fits(text))
        return leat_fail(err, LEAT_INVALID, "could not register a schema: not UTF-8");
    leat_pg_clear(&s->params);
    leat_pg_text(&s->params, subject);
    leat_pg_text(&s->params, text);
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_WRITE, "select @.put_schema($1,$2,$3)", &result, err), err,
             "could not register schema '%.*s'", LEAT_STR_FMT(subject));
    struct leat_pg_reply r = leat_reply_of(result, 1, NULL);
    int32_t id = leat_reply_int4(&r, 0, 0);
    LEAT_TRY(leat_reply_ok(&r, "put_schema", err), err, "could not register a schema");
    *ret_id = id;
    return LEAT_OK;
}

leat_status leat_store_schemas(struct leat_store *s, struct leat_arena *arena,
                               struct leat_schema_row **ret, size_t *ret_n, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ, "select id, subject, text from @.schemas order by id",
                          &result, err),
             err, "could not read schemas");
    struct leat_pg_reply r = leat_reply_of(result, 3, arena);
    size_t n = (size_t)r.rows;
    struct leat_schema_row *rows = leat_arena_zalloc(arena, n + 1, sizeof *rows);
    for (int i = 0; i < r.rows && !r.bad; i++) {
        rows[i].id = leat_reply_int4(&r, i, 0);
        rows[i].subject = leat_reply_bytes(&r, i, 1);
        rows[i].text = leat_reply_bytes(&r, i, 2);
    }
    LEAT_TRY(leat_reply_ok(&r, "schemas", err), err, "could not read schemas");
    *ret = rows;
    *ret_n = n;
    return LEAT_OK;
}
