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

/* ---- for people ---- */

static void put_or_null(struct leat_pg_params *p, struct leat_str s)
{
    if (s.len == 0)
        leat_pg_null(p);
    else
        leat_pg_text(p, s);
}

static void read_found(struct leat_pg_reply *r, int i, struct leat_effect_found *ret)
{
    *ret = (struct leat_effect_found){.effect = {.processor = leat_reply_bytes(r, i, 0),
                                                 .slice = leat_reply_int4(r, i, 1),
                                                 .id = leat_reply_uuid(r, i, 2),
                                                 .service = leat_reply_bytes(r, i, 3),
                                                 .n = (uint32_t)leat_reply_int4(r, i, 4),
                                                 .key = leat_reply_bytes(r, i, 5)},
                                      .done = leat_reply_bool(r, i, 6),
                                      .result = leat_reply_bytes(r, i, 7),
                                      .claims = leat_reply_int4(r, i, 8),
                                      .claimed_ms = leat_reply_unix_ms(r, i, 9),
                                      .settled_ms = leat_reply_unix_ms(r, i, 10),
                                      .unknown_ms = leat_reply_unix_ms(r, i, 11)};
}

leat_status leat_store_effects(struct leat_store *s, const struct leat_effect_filter *f,
                               struct leat_arena *arena, struct leat_effect_found **ret,
                               size_t *ret_n, struct leat_error *err)
{
    struct leat_pg_params *p = &s->params;
    leat_pg_clear(p);
    put_or_null(p, f->processor);
    put_or_null(p, f->service);
    if (f->id == NULL)
        leat_pg_null(p);
    else
        leat_pg_bytes(p, f->id->b, sizeof f->id->b);
    leat_pg_bool(p, f->all);
    leat_pg_int4(p, f->limit);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ,
                          "select processor, slice, id, service, n, key, done, result, claims, "
                          "claimed_at, settled_at, unknown_at from @.effects "
                          "where ($1::text is null or processor = $1) "
                          "and ($2::text is null or service = $2) "
                          "and ($3::uuid is null or id = $3) and ($4 or unknown_at is not null) "
                          "order by unknown_at, claimed_at, id, service, n limit $5::int",
                          &result, err),
             err, "could not read the effects");
    struct leat_pg_reply r = leat_reply_of(result, 12, arena);
    struct leat_effect_found *found = leat_arena_zalloc(arena, (size_t)r.rows + 1, sizeof *found);
    for (int i = 0; i < r.rows && !r.bad; i++)
        read_found(&r, i, &found[i]);
    LEAT_TRY(leat_reply_ok(&r, "effects", err), err, "could not read the effects");
    *ret = found;
    *ret_n = (size_t)r.rows;
    return LEAT_OK;
}
