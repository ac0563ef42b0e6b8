#include "store/effects.h"

#include "store/reply.h"

static void put_effect(struct leat_pg_params *p, const struct leat_effect_row *e)
{
    leat_pg_bytes(p, e->id.b, sizeof e->id.b);
    leat_pg_text(p, e->service);
    leat_pg_int4(p, (int32_t)e->n);
}

leat_status leat_store_effect_claim(struct leat_store *s, const struct leat_effect_ask *ask,
                                    struct leat_arena *arena, leat_effect_state *ret_state,
                                    struct leat_str *ret_result, struct leat_error *err)
{
    struct leat_pg_params *p = &s->params;
    leat_pg_clear(p);
    leat_pg_text(p, ask->effect.processor);
    leat_pg_int4(p, ask->effect.slice);
    leat_pg_int8(p, ask->epoch);
    put_effect(p, &ask->effect);
    leat_pg_bytes(p, ask->effect.key.at, ask->effect.key.len);
    leat_pg_bytes(p, ask->by.b, sizeof ask->by.b);
    leat_pg_bool(p, ask->unused);
    leat_pg_text(p, ask->on_unknown);
    leat_pg_int4(p, s->lock_timeout_ms);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_WRITE,
                          "select state::int, result from "
                          "@.claim_effect($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11)",
                          &result, err),
             err, "could not claim an effect on '%.*s'", LEAT_STR_FMT(ask->effect.service));
    struct leat_pg_reply r = leat_reply_of(result, 2, arena);
    int32_t state = r.rows == 1 ? leat_reply_int4(&r, 0, 0) : -1;
    struct leat_str found = r.rows == 1 ? leat_reply_bytes(&r, 0, 1) : (struct leat_str){0};
    if (state < LEAT_EFFECT_YOURS || state > LEAT_EFFECT_FENCED)
        r.bad = true;
    LEAT_TRY(leat_reply_ok(&r, "claim_effect", err), err, "could not claim an effect");
    *ret_state = (leat_effect_state)state;
    *ret_result = found;
    return LEAT_OK;
}

leat_status leat_store_effect_settle(struct leat_store *s, const struct leat_effect_row *effect,
                                     const struct leat_str *result, struct leat_error *err)
{
    struct leat_pg_params *p = &s->params;
    leat_pg_clear(p);
    leat_pg_text(p, effect->processor);
    leat_pg_int4(p, effect->slice);
    put_effect(p, effect);
    if (result == NULL)
        leat_pg_null(p);
    else
        leat_pg_bytes(p, result->at, result->len);
    leat_pg_int4(p, s->lock_timeout_ms);
    LEAT_PG_AUTO PGresult *reply = NULL;
    LEAT_TRY(
        leat_pg_call(s, LEAT_PG_WRITE, "select @.settle_effect($1,$2,$3,$4,$5,$6,$7)", &reply, err),
        err, "could not settle an effect on '%.*s'", LEAT_STR_FMT(effect->service));
    struct leat_pg_reply r = leat_reply_of(reply, 1, NULL);
    bool settled = r.rows == 1 && leat_reply_bool(&r, 0, 0);
    LEAT_TRY(leat_reply_ok(&r, "settle_effect", err), err, "could not settle an effect");
    return settled ? LEAT_OK
                   : leat_fail(err, LEAT_ABSENT, "effect %u on '%.*s' is not claimed, or done",
                               effect->n, LEAT_STR_FMT(effect->service));
}
