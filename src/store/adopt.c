#include "store/adopt.h"

#include "store/reply.h"

leat_status leat_store_servers(struct leat_store *s, struct leat_servers *ret,
                               struct leat_error *err)
{
    leat_pg_clear(&s->params);
    LEAT_PG_AUTO PGresult *result = NULL;
    leat_status status =
        leat_pg_call(s, LEAT_PG_READ,
                     "select t.partitions, t.system_identifier, c.system_identifier, t.timeline,"
                     " case when not pg_is_in_recovery() then @.current_timeline() end,"
                     " pg_is_in_recovery() from @.topology t, pg_control_system() c",
                     &result, err);
    if (status != LEAT_OK)
        return status;
    struct leat_pg_reply r = leat_reply_of(result, 6, NULL);
    if (!r.bad && r.rows == 0)
        return leat_fail(err, LEAT_ABSENT, "store '%s' is not laid out", s->schema);
    struct leat_servers found = {
        .partitions = leat_reply_int4(&r, 0, 0),
        .adopted = {(uint64_t)leat_reply_int8(&r, 0, 1), leat_reply_int4(&r, 0, 3)},
        .now = {(uint64_t)leat_reply_int8(&r, 0, 2), 0},
        .standby = leat_reply_bool(&r, 0, 5),
    };
    if (!found.standby)
        found.now.timeline = leat_reply_int4(&r, 0, 4);
    LEAT_TRY(leat_reply_ok(&r, "servers", err), err, "could not see which server this is");
    *ret = found;
    return LEAT_OK;
}

leat_status leat_server_refuse(const struct leat_store *s, const struct leat_servers *servers,
                               leat_status status, struct leat_error *err)
{
    if (servers->adopted.system != servers->now.system) {
        (void)leat_fail(err, status,
                        "store '%s' is on another Postgres than before: its system identifier "
                        "changed",
                        s->schema);
    } else {
        (void)leat_fail(err, status,
                        "store '%s' is on another Postgres than before: its timeline changed from "
                        "%d to %d",
                        s->schema, servers->adopted.timeline, servers->now.timeline);
    }
    leat_error_hint(err, "Commits may have been lost in a fail-over or restore: 'leat store adopt' "
                         "compares the events topic with the store, names them, and goes on.");
    return status;
}

leat_status leat_store_event_ids(struct leat_store *s, const struct leat_store_page *p,
                                 struct leat_arena *arena, struct leat_event_id **ret,
                                 size_t *ret_n, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_int4(&s->params, p->slice);
    leat_pg_int8(&s->params, p->after);
    leat_pg_limit(&s->params, p->limit);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ,
                          "select seq, event_id from @.event_log where slice = $1 and seq > $2"
                          " order by seq limit $3",
                          &result, err),
             err, "could not read the events of slice %d", p->slice);
    struct leat_pg_reply r = leat_reply_of(result, 2, arena);
    struct leat_event_id *ids = leat_arena_alloc(arena, ((size_t)r.rows + 1) * sizeof *ids);
    for (int i = 0; i < r.rows && !r.bad; i++)
        ids[i] = (struct leat_event_id){leat_reply_int8(&r, i, 0), leat_reply_uuid(&r, i, 1)};
    LEAT_TRY(leat_reply_ok(&r, "event ids", err), err, "could not read the events of slice %d",
             p->slice);
    *ret = ids;
    *ret_n = (size_t)r.rows;
    return LEAT_OK;
}

static void put_forks(struct leat_pg_params *p, const struct leat_fork *forks, size_t n)
{
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, forks[i].slice));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, forks[i].seq));
}

static void put_foreign(struct leat_pg_params *p, const struct leat_fork *foreign, size_t n)
{
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, foreign[i].slice));
    LEAT_PG_FIXED(p, LEAT_PG_UUID, n, 16, leat_pg_put16(to, foreign[i].store_id.b));
}

static void put_lost(struct leat_pg_params *p, const struct leat_lost_event *lost, size_t n)
{
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, lost[i].slice));
    LEAT_PG_FIXED(p, LEAT_PG_UUID, n, 16, leat_pg_put16(to, lost[i].store_id.b));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, lost[i].seq));
    LEAT_PG_FIXED(p, LEAT_PG_UUID, n, 16, leat_pg_put16(to, lost[i].event_id.b));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, lost[i].version));
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text(p, lost[i].type));
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text(p, lost[i].stream));
    LEAT_PG_FIXED(p, LEAT_PG_UUID, n, 16, leat_pg_put16(to, lost[i].command_id.b));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, lost[i].published_ms));
}

static leat_status read_ids(struct leat_pg_reply *r, struct leat_adoption *a,
                            struct leat_error *err)
{
    struct leat_pg_list slice = leat_reply_list_of(r, 0, LEAT_PG_INT4, a->n_forks);
    struct leat_pg_list id = leat_reply_list_of(r, 1, LEAT_PG_UUID, a->n_forks);
    for (size_t i = 0; i < a->n_forks && !r->bad; i++) {
        int32_t k = (int32_t)leat_list_int(&slice);
        struct leat_uuid given = leat_list_uuid(&id);
        for (size_t j = 0; j < a->n_forks; j++)
            if (a->forks[j].slice == k)
                a->forks[j].store_id = given;
    }
    return leat_reply_ok(r, "adopt", err);
}

leat_status leat_store_adopt(struct leat_store *s, struct leat_adoption *a, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    put_forks(&s->params, a->forks, a->n_forks);
    put_foreign(&s->params, a->foreign, a->n_foreign);
    put_lost(&s->params, a->lost, a->n_lost);
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_WRITE,
                          "select * from @.adopt($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14)",
                          &result, err),
             err, "could not adopt the store");
    struct leat_pg_reply r = leat_reply_of(result, 2, NULL);
    return read_ids(&r, a, err);
}
