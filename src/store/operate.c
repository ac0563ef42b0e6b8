/* The changes of operators.h: one call, one transaction in one slice. */
#include <string.h>

#include "store/operators.h"
#include "store/reply.h"

const char *const leat_operated_names[LEAT_OPERATED_COUNT] = {
    "done",        "dead",    "absent",   "redriving", "settled",
    "quarantined", "dropped", "not_kept", "held",      "parked"};

static void put_target(struct leat_store *s, const struct leat_operation *o)
{
    leat_pg_clear(&s->params);
    leat_pg_text(&s->params, o->processor);
    leat_pg_int4(&s->params, o->slice);
    LEAT_PG_FIXED(&s->params, LEAT_PG_UUID, o->n, 16, leat_pg_put16(to, o->ids[i].b));
}

static bool read_result(struct leat_str name, leat_operated *ret)
{
    for (int i = 0; i < LEAT_OPERATED_COUNT; i++) {
        if (leat_str_eq(name, leat_str_of(leat_operated_names[i]))) {
            *ret = (leat_operated)i;
            return true;
        }
    }
    return false;
}

static leat_status operate(struct leat_store *s, const char *sql, size_t n, leat_operated *ret,
                           struct leat_error *err)
{
    LEAT_PG_AUTO PGresult *result = NULL;
    leat_status status = leat_pg_call(s, LEAT_PG_WRITE, sql, &result, err);
    if (status != LEAT_OK)
        return status;
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_pg_reply r = leat_reply_of(result, 1, arena);
    r.bad = r.bad || (size_t)r.rows != n;
    for (int i = 0; i < r.rows && !r.bad; i++)
        r.bad = !read_result(leat_reply_bytes(&r, i, 0), &ret[i]) || r.bad;
    status = leat_reply_ok(&r, "operators", err);
    leat_arena_free(arena);
    return status;
}

leat_status leat_store_redrive(struct leat_store *s, const struct leat_operation *o, bool parks,
                               bool force, leat_operated *ret, struct leat_error *err)
{
    put_target(s, o);
    leat_pg_bool(&s->params, parks);
    leat_pg_bool(&s->params, force);
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_TRY(operate(s, "select result from @.dlq_redrive($1,$2,$3,$4,$5,$6)", o->n, ret, err), err,
             "could not redrive in slice %d of '%.*s'", o->slice, LEAT_STR_FMT(o->processor));
    return LEAT_OK;
}

leat_status leat_store_drop(struct leat_store *s, const struct leat_operation *o,
                            struct leat_str note, leat_operated *ret, struct leat_error *err)
{
    put_target(s, o);
    leat_pg_text(&s->params, note);
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_TRY(operate(s, "select result from @.dlq_drop($1,$2,$3,$4,$5)", o->n, ret, err), err,
             "could not drop in slice %d of '%.*s'", o->slice, LEAT_STR_FMT(o->processor));
    return LEAT_OK;
}

leat_status leat_store_hurry(struct leat_store *s, const struct leat_operation *o,
                             leat_operated *ret, struct leat_error *err)
{
    put_target(s, o);
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_TRY(operate(s, "select result from @.waiting_now($1,$2,$3,$4)", o->n, ret, err), err,
             "could not hurry in slice %d of '%.*s'", o->slice, LEAT_STR_FMT(o->processor));
    return LEAT_OK;
}

leat_status leat_store_cancel(struct leat_store *s, const struct leat_operation *o,
                              const struct leat_burial *burial, leat_operated *ret,
                              struct leat_error *err)
{
    put_target(s, o);
    leat_pg_text(&s->params, burial->aggregate);
    leat_pg_text(&s->params, burial->dlq_topic);
    leat_pg_text(&s->params, burial->message);
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_TRY(
        operate(s, "select result from @.waiting_cancel($1,$2,$3,$4,$5,$6,$7)", o->n, ret, err),
        err, "could not cancel in slice %d of '%.*s'", o->slice, LEAT_STR_FMT(o->processor));
    return LEAT_OK;
}
