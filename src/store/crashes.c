#include "store/crashes.h"

#include "store/reply.h"

leat_status leat_store_record_crash(struct leat_store *s, const struct leat_crash *c,
                                    int32_t *ret_tries, struct leat_error *err)
{
    struct leat_pg_params *p = &s->params;
    leat_pg_clear(p);
    leat_pg_text(p, c->processor);
    leat_pg_int4(p, c->k);
    leat_pg_bytes(p, c->id.b, sizeof c->id.b);
    leat_pg_text(p, c->topic);
    leat_pg_int8(p, c->offset);
    leat_pg_int4(p, c->signal);
    leat_pg_bool(p, c->hung);
    leat_pg_text(p, c->handler);
    leat_pg_text(p, c->text);
    leat_pg_bytes(p, c->evidence.b, sizeof c->evidence.b);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_WRITE, "select @.record_crash($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)",
                          &result, err),
             err, "could not record a crash of '%.*s'", LEAT_STR_FMT(c->processor));
    struct leat_pg_reply r = leat_reply_of(result, 1, NULL);
    int32_t tries = leat_reply_int4(&r, 0, 0);
    LEAT_TRY(leat_reply_ok(&r, "crash", err), err, "could not record a crash");
    *ret_tries = tries;
    return LEAT_OK;
}

leat_status leat_store_suspects(struct leat_store *s, const struct leat_fence_ask *ask,
                                struct leat_arena *arena, struct leat_crash **ret, size_t *ret_n,
                                struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_text(&s->params, ask->processor);
    leat_pg_int4s(&s->params, ask->ks, ask->n);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_WRITE,
                          "select k, id, topic, record_offset, tries, signal, hung, handler, text"
                          " from @.suspects($1,$2)",
                          &result, err),
             err, "could not read what crashed of '%.*s'", LEAT_STR_FMT(ask->processor));
    struct leat_pg_reply r = leat_reply_of(result, 9, arena);
    struct leat_crash *found = leat_arena_zalloc(arena, (size_t)r.rows + 1, sizeof *found);
    for (int i = 0; i < r.rows && !r.bad; i++) {
        found[i].k = leat_reply_int4(&r, i, 0);
        found[i].id = leat_reply_uuid(&r, i, 1);
        found[i].topic = leat_reply_bytes(&r, i, 2);
        found[i].offset = leat_reply_int8(&r, i, 3);
        found[i].tries = leat_reply_int4(&r, i, 4);
        found[i].signal = leat_reply_int4(&r, i, 5);
        found[i].hung = leat_reply_bool(&r, i, 6);
        found[i].handler = leat_reply_bytes(&r, i, 7);
        found[i].text = leat_reply_bytes(&r, i, 8);
    }
    LEAT_TRY(leat_reply_ok(&r, "crashes", err), err, "could not read what crashed");
    *ret = found;
    *ret_n = (size_t)r.rows;
    return LEAT_OK;
}

leat_status leat_store_acquit(struct leat_store *s, struct leat_str processor,
                              const struct leat_crash *settled, size_t n, struct leat_error *err)
{
    struct leat_pg_params *p = &s->params;
    leat_pg_clear(p);
    leat_pg_text(p, processor);
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, settled[i].k));
    LEAT_PG_FIXED(p, LEAT_PG_UUID, n, 16, leat_pg_put16(to, settled[i].id.b));
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_WRITE, "select @.acquit($1,$2,$3)", &result, err), err,
             "could not strike out what crashed of '%.*s'", LEAT_STR_FMT(processor));
    return LEAT_OK;
}
