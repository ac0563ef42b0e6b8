#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/batch.h"
#include "store/blocked.h"
#include "store/reply.h"

#define APPEND_NAME  "leat_append"
#define SCRIPT_MS    10000
#define LOCKED_MS    "5000" /* idle_in_transaction_session_timeout between lock and append */
#define STATEMENT_MS "30000"

static leat_status make_sql(const struct leat_store *s, const char *function, int params,
                            char **text_of, struct leat_error *err)
{
    if (*text_of != NULL)
        return LEAT_OK;
    struct leat_buf text;
    leat_buf_init(&text, 4096);
    leat_buf_printf(&text, "select * from %s.%s(", s->quoted, function);
    for (int i = 1; i <= params; i++)
        leat_buf_printf(&text, i == 1 ? "$%d" : ",$%d", i);
    leat_buf_puts(&text, ")");
    leat_buf_putc(&text, '\0');
    if (text.overflow) {
        leat_buf_done(&text);
        return leat_fail(err, LEAT_FATAL, "out of memory");
    }
    *text_of = text.at; /* ownership moves */
    return LEAT_OK;
}

/* ---- the reply ---- */

static void read_fences(struct leat_pg_reply *r, const struct leat_batch *b,
                        const struct leat_plan *plan, struct leat_reply *reply)
{
    size_t n = b->fence_count;
    struct leat_pg_list result = leat_reply_list_of(r, 1, LEAT_PG_INT2, n);
    struct leat_pg_list head = leat_reply_list_of(r, 2, LEAT_PG_INT8, n);
    struct leat_pg_list head_after = leat_reply_list_of(r, 3, LEAT_PG_INT8, n);
    struct leat_pg_list outbox = leat_reply_list_of(r, 4, LEAT_PG_INT8, n);
    struct leat_pg_list outbox_after = leat_reply_list_of(r, 5, LEAT_PG_INT8, n);
    struct leat_pg_list store = leat_reply_list_of(r, 6, LEAT_PG_UUID, n);
    reply->fences = leat_arena_zalloc(r->arena, n, sizeof *reply->fences);
    for (size_t i = 0; i < n && !r->bad; i++) {
        struct leat_reply_fence *f = &reply->fences[plan->fence_of[i]];
        int64_t code = leat_list_int(&result);
        if (code < LEAT_FENCE_OK || code > LEAT_FENCE_OFFSET)
            r->bad = true;
        f->result = (leat_fence_result)code;
        f->head_before = leat_list_int(&head);
        f->head_after = leat_list_int(&head_after);
        f->outbox_before = leat_list_int(&outbox);
        f->outbox_after = leat_list_int(&outbox_after);
        f->store_id = leat_list_uuid(&store);
    }
}

static void read_settled(struct leat_pg_reply *r, const struct leat_batch *b,
                         struct leat_reply *reply)
{
    reply->settled = leat_arena_zalloc(r->arena, b->command_count + 1, 1);
    if (leat_reply_null(r, 0, 7))
        return; /* all are stored */
    struct leat_pg_list settled = leat_reply_list_of(r, 7, LEAT_PG_INT2, b->command_count);
    for (size_t i = 0; i < b->command_count && !r->bad; i++) {
        int64_t code = leat_list_int(&settled);
        if (code < LEAT_SETTLED_STORED || code > LEAT_SETTLED_LEFT_OUT)
            r->bad = true;
        reply->settled[i] = (uint8_t)code;
        reply->conflicts += code == LEAT_SETTLED_CONFLICT;
        reply->duplicates += code == LEAT_SETTLED_DUPLICATE;
    }
}

static leat_status read_append(const PGresult *result, const struct leat_batch *b,
                               const struct leat_plan *plan, struct leat_arena *arena,
                               struct leat_reply *ret, struct leat_error *err)
{
    struct leat_pg_reply r = leat_reply_of(result, 9, arena);
    struct leat_reply reply = {0};
    reply.recorded_at_us = leat_reply_unix_us(&r, 0, 0);
    read_fences(&r, b, plan, &reply);
    read_settled(&r, b, &reply);
    reply.lane_offsets = leat_arena_zalloc(arena, b->lane_count + 1, sizeof(int64_t));
    if (b->lane_count > 0) {
        struct leat_pg_list at = leat_reply_list_of(&r, 8, LEAT_PG_INT8, b->lane_count);
        for (size_t i = 0; i < b->lane_count && !r.bad; i++)
            reply.lane_offsets[i] = leat_list_int(&at);
    }
    leat_status status = leat_reply_ok(&r, "append", err);
    if (status == LEAT_OK)
        *ret = reply;
    return status;
}

/* ---- the call ---- */

static leat_status commit(struct leat_store *s, struct leat_error *err)
{
    s->counts.write_trips++;
    s->locked = false;
    leat_status status = leat_pg_script(s, "commit", SCRIPT_MS, err);
    if (status != LEAT_OK)
        leat_error_wrap(err, "commit");
    return status;
}

static leat_status send_append(struct leat_store *s, const struct leat_batch *b,
                               const struct leat_plan *plan, PGresult **ret, struct leat_error *err)
{
    if (b->snapshot_count > 0 || b->wait_count > 0 || b->dead_count > 0) {
        LEAT_TRY(make_sql(s, "append_batch_with",
                          LEAT_APPEND_PARAMS + LEAT_SNAPSHOT_PARAMS + LEAT_WAIT_PARAMS +
                              LEAT_DEAD_PARAMS,
                          &s->append_with_sql, err),
                 err, "append");
        leat_snapshot_params(b, &s->params);
        leat_wait_params(b, plan, &s->params);
        leat_dead_params(b, &s->params);
        return leat_pg_call_text(s, LEAT_PG_WRITE, s->append_with_sql, NULL, ret, err);
    }
    LEAT_TRY(make_sql(s, "append_batch", LEAT_APPEND_PARAMS, &s->append_sql, err), err, "append");
    return leat_pg_call_text(s, LEAT_PG_WRITE, s->append_sql, s->prepare ? APPEND_NAME : NULL, ret,
                             err);
}

static leat_status call_append(struct leat_store *s, const struct leat_batch *b,
                               const struct leat_plan *plan, struct leat_arena *arena,
                               struct leat_reply *ret, struct leat_error *err)
{
    leat_plan_params(b, plan, s->lock_timeout_ms, arena, &s->params);
    s->counts.batches++;
    LEAT_PG_AUTO PGresult *result = NULL;
    struct leat_reply reply = {0};
    leat_status status = send_append(s, b, plan, &result, err);
    if (status == LEAT_OK)
        status = read_append(result, b, plan, arena, &reply, err);
    if (status == LEAT_OK && s->locked)
        status = commit(s, err);
    if (status == LEAT_OK)
        *ret = reply;
    return status;
}

leat_status leat_store_append(struct leat_store *s, const struct leat_batch *b,
                              struct leat_arena *arena, struct leat_reply *ret,
                              struct leat_error *err)
{
    struct leat_plan plan;
    leat_status status = leat_plan_batch(b, arena, &plan, err);
    if (status == LEAT_OK)
        status = call_append(s, b, &plan, arena, ret, err);
    if (status == LEAT_OK)
        return LEAT_OK;
    leat_store_abort(s);
    leat_store_say_who_blocks(s, err);
    leat_error_wrap(err, "could not append %zu commands", b->command_count);
    return status;
}

leat_status leat_store_lock(struct leat_store *s, const struct leat_batch *b,
                            struct leat_error *err)
{
    leat_assert(!s->locked);
    s->counts.write_trips += 2;
    LEAT_TRY(leat_pg_script(s,
                            "begin isolation level read committed; "
                            "set local idle_in_transaction_session_timeout = " LOCKED_MS "; "
                            "set local statement_timeout = " STATEMENT_MS,
                            SCRIPT_MS, err),
             err, "could not begin");
    s->locked = true;
    leat_pg_clear(&s->params);
    leat_pg_text(&s->params, b->processor);
    LEAT_PG_FIXED(&s->params, LEAT_PG_INT4, b->fence_count, 4, leat_pg_put4(to, b->fences[i].k));
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_PG_AUTO PGresult *r = NULL;
    leat_status status = leat_pg_call(s, LEAT_PG_WRITE, "select @.lock_batch($1,$2,$3)", &r, err);
    s->counts.write_trips--; /* counted above */
    if (status == LEAT_OK)
        return LEAT_OK;
    leat_store_abort(s);
    leat_store_say_who_blocks(s, err);
    leat_error_wrap(err, "could not lock slices");
    return status;
}

void leat_store_abort(struct leat_store *s)
{
    if (!s->locked)
        return;
    s->locked = false;
    char state[sizeof s->sqlstate];
    memcpy(state, s->sqlstate, sizeof state);
    if (leat_store_connected(s) && leat_pg_script(s, "rollback", SCRIPT_MS, NULL) != LEAT_OK)
        s->broken = true; /* the server lets go when the connection does */
    memcpy(s->sqlstate, state, sizeof state);
}
