#include "store/pending.h"

#include "store/migrate.h"
#include "store/reply.h"

#define SQL_BYTES_MAX ((size_t)1 << 20)
#define SAMPLES_SEQ   "20" /* per slice: the oldest are what a changed key would not fit */
#define ANCHORS_SINCE 6    /* the migration that makes the table */

static void list_migrations(const struct leat_store *s, struct leat_arena *arena, size_t applied,
                            struct leat_pending *p)
{
    p->migrations = leat_arena_zalloc(arena, leat_migration_count + 1, sizeof *p->migrations);
    for (size_t i = applied; i < leat_migration_count; i++) {
        struct leat_buf sql;
        leat_buf_init(&sql, SQL_BYTES_MAX);
        leat_migration_put(&sql, leat_migrations[i].sql, s->quoted);
        p->migrations[p->migration_count++] =
            (struct leat_pending_migration){leat_migrations[i].number, leat_migrations[i].name,
                                            leat_arena_copy(arena, leat_buf_str(&sql))};
        leat_buf_done(&sql);
    }
}

static leat_status read_layout(struct leat_store *s, struct leat_arena *arena,
                               struct leat_pending *p, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ, "select partitions from @.topology", &result, err), err,
             "could not read store '%s'", s->schema);
    struct leat_pg_reply r = leat_reply_of(result, 1, arena);
    if (r.rows > 0)
        p->partitions = leat_reply_int4(&r, 0, 0);
    LEAT_TRY(leat_reply_ok(&r, "topology", err), err, "could not read store '%s'", s->schema);
    LEAT_PG_AUTO PGresult *owners = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ,
                          "select distinct processor from @.owners where k = 0 order by 1", &owners,
                          err),
             err, "could not read store '%s'", s->schema);
    r = leat_reply_of(owners, 1, arena);
    p->processors = leat_arena_zalloc(arena, (size_t)r.rows + 1, sizeof *p->processors);
    for (int i = 0; i < r.rows && !r.bad; i++)
        p->processors[p->processor_count++] = leat_reply_bytes(&r, i, 0);
    return leat_reply_ok(&r, "owners", err);
}

static leat_status read_anchors(struct leat_store *s, struct leat_arena *arena,
                                struct leat_pending *p, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ, "select processor, topic from @.anchors order by 1",
                          &result, err),
             err, "could not read anchors");
    struct leat_pg_reply r = leat_reply_of(result, 2, arena);
    p->anchors = leat_arena_zalloc(arena, (size_t)r.rows + 1, sizeof *p->anchors);
    for (int i = 0; i < r.rows && !r.bad; i++)
        p->anchors[p->anchor_count++] =
            (struct leat_anchor){leat_reply_bytes(&r, i, 0), leat_reply_bytes(&r, i, 1)};
    return leat_reply_ok(&r, "anchors", err);
}

static leat_status read_samples(struct leat_store *s, struct leat_arena *arena,
                                struct leat_pending *p, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ,
                          "select stream, type, payload from @.events where seq <= " SAMPLES_SEQ
                          " order by slice, seq limit 20000",
                          &result, err),
             err, "could not read events");
    struct leat_pg_reply r = leat_reply_of(result, 3, arena);
    p->samples = leat_arena_zalloc(arena, (size_t)r.rows + 1, sizeof *p->samples);
    for (int i = 0; i < r.rows && !r.bad; i++)
        p->samples[p->sample_count++] = (struct leat_sample){
            leat_reply_bytes(&r, i, 0), leat_reply_bytes(&r, i, 1), leat_reply_bytes(&r, i, 2)};
    return leat_reply_ok(&r, "events", err);
}

leat_status leat_store_pending(struct leat_store *s, struct leat_arena *arena,
                               struct leat_pending *ret, struct leat_error *err)
{
    struct leat_applied a = {0};
    struct leat_pending p = {0};
    leat_status status = leat_store_applied(s, &a, err);
    if (status != LEAT_OK && status != LEAT_ABSENT)
        return status;
    p.exists = status == LEAT_OK;
    if (a.newer)
        p.refused = "it was made by a newer leat";
    else if (a.differs != 0)
        p.refused =
            leat_arena_printf(arena, "its migration %d is not the one of this leat", a.differs);
    if (p.refused == NULL)
        list_migrations(s, arena, a.count, &p);
    status = LEAT_OK;
    if (p.exists && a.count > 0)
        status = read_layout(s, arena, &p, err);
    if (status == LEAT_OK && p.exists && a.count >= ANCHORS_SINCE)
        status = read_anchors(s, arena, &p, err);
    if (status == LEAT_OK && p.partitions > 0)
        status = read_samples(s, arena, &p, err);
    if (status == LEAT_OK)
        *ret = p;
    return status;
}
