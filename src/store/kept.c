#include "store/kept.h"

#include "store/reply.h"

void leat_kept_key(struct leat_pg_params *p, bool has_key, struct leat_str key)
{
    if (has_key)
        leat_pg_bytes(p, key.at, key.len);
    else
        leat_pg_null(p);
}

leat_status leat_kept_refs(struct leat_store *s, const char *sql, struct leat_arena *arena,
                           struct leat_dead_ref **ret, size_t *ret_n, struct leat_error *err)
{
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ, sql, &result, err), err,
             "could not read the messages meant");
    struct leat_pg_reply r = leat_reply_of(result, 3, arena);
    size_t n = (size_t)r.rows;
    struct leat_dead_ref *refs = leat_arena_zalloc(arena, n + 1, sizeof *refs);
    for (int i = 0; i < r.rows && !r.bad; i++) {
        refs[i].processor = leat_reply_bytes(&r, i, 0);
        refs[i].slice = leat_reply_int4(&r, i, 1);
        refs[i].id = leat_reply_uuid(&r, i, 2);
    }
    LEAT_TRY(leat_reply_ok(&r, "ids", err), err, "could not read the messages meant");
    *ret = refs;
    *ret_n = n;
    return LEAT_OK;
}
