/* Snapshots of streams: their rows in an append, their checksum, and the cleaning of void ones. */
#include "base/hash.h"
#include "store/batch.h"
#include "store/reply.h"

int64_t leat_snapshot_checksum(struct leat_str stream, int64_t version, struct leat_str state)
{
    uint64_t h = leat_hash64(stream.at, stream.len, (uint64_t)version);
    return (int64_t)leat_hash64(state.at, state.len, h);
}

void leat_snapshot_params(const struct leat_batch *b, struct leat_pg_params *p)
{
    size_t n = b->snapshot_count;
    const struct leat_batch_snapshot *s = b->snapshots;
    leat_pg_int4(p, b->snapshot_form.aggregate_version);
    leat_pg_int8(p, (int64_t)b->snapshot_form.state_schema);
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, (int32_t)s[i].command + 1));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, s[i].version));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8,
                  leat_pg_put8(to, leat_snapshot_checksum(b->commands[s[i].command].stream,
                                                          s[i].version, s[i].state)));
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put(p, s[i].state.at, s[i].state.len));
}

leat_status leat_store_clean_snapshots(struct leat_store *s, const struct leat_snapshot_clean *c,
                                       struct leat_arena *arena, struct leat_str *ret_after,
                                       int32_t *ret_removed, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_int4(&s->params, c->slice);
    leat_pg_text(&s->params, c->prefix);
    leat_pg_text(&s->params, c->after);
    leat_pg_int4(&s->params, c->form.aggregate_version);
    leat_pg_int8(&s->params, (int64_t)c->form.state_schema);
    leat_pg_int4(&s->params, c->limit);
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_WRITE,
                          "select next_after, removed"
                          " from @.clean_snapshots($1,$2,$3,$4,$5,$6,$7)",
                          &result, err),
             err, "could not clean the snapshots of slice %d", c->slice);
    struct leat_pg_reply r = leat_reply_of(result, 2, arena);
    struct leat_str after = leat_reply_bytes(&r, 0, 0);
    int32_t removed = leat_reply_int4(&r, 0, 1);
    LEAT_TRY(leat_reply_ok(&r, "clean", err), err, "could not clean snapshots");
    *ret_after = after;
    *ret_removed = removed;
    return LEAT_OK;
}
