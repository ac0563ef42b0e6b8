#include "projection/version_state.h"

#include <unistd.h>

#include "projection/shape.h"

static leat_status look_inside(struct leat_env *env, struct leat_arena *arena,
                               struct leat_version_state *s, struct leat_error *err)
{
    struct leat_env_txn t;
    struct leat_shape *shape = NULL;
    MDB_stat stat;
    LEAT_TRY(leat_env_read_begin(env, &t, err), err, "look");
    leat_status status = leat_shape_read(&t, &shape, err);
    if (status == LEAT_OK) {
        s->partitions = shape->partitions;
        s->at = leat_arena_zalloc(arena, (size_t)shape->partitions, sizeof *s->at);
        status = leat_checkpoints_read(&t, shape->partitions, s->at, err);
    }
    if (status == LEAT_OK && mdb_stat(t.txn, t.dbi[LEAT_DB_SKIPPED], &stat) == 0)
        s->skipped = stat.ms_entries;
    leat_env_read_end(&t);
    leat_shape_free(shape);
    return status == LEAT_OK ? leat_env_figures(env, &s->figures, err) : status;
}

leat_status leat_version_look(const char *dir, struct leat_arena *arena,
                              struct leat_version_state *ret, struct leat_error *err)
{
    struct leat_version_state s = {0};
    struct leat_env *env = NULL;
    struct leat_error absent = {0};
    int fresh = -1;
    s.building = leat_build_read(dir, &s.build, &absent) == LEAT_OK;
    if (leat_fresh_open(dir, false, &fresh, &absent) == LEAT_OK) {
        s.complete_ms = leat_fresh_read(fresh);
        (void)close(fresh);
    }
    leat_status status = leat_env_open(dir, false, 0, &env, err);
    if (status == LEAT_OK) {
        status = look_inside(env, arena, &s, err);
        leat_env_close(env);
    }
    s.has_data = status == LEAT_OK;
    s.rows = s.figures.rows;
    if (status != LEAT_OK && status != LEAT_ABSENT)
        return status;
    *ret = s;
    return LEAT_OK;
}

static bool same_store(const struct leat_checkpoint *a, const struct leat_checkpoint *b)
{
    return leat_uuid_eq(&a->store_id, &b->store_id);
}

bool leat_checkpoints_reach(const struct leat_checkpoint *a, const struct leat_checkpoint *b,
                            int32_t partitions)
{
    for (int32_t k = 0; k < partitions; k++) {
        /* One that has nothing yet knows no store. */
        if (a[k].seq < b[k].seq && (same_store(&a[k], &b[k]) || a[k].seq == 0))
            return false;
    }
    return true;
}

int64_t leat_checkpoints_behind(const struct leat_checkpoint *a, const struct leat_checkpoint *b,
                                int32_t partitions)
{
    int64_t behind = 0;
    for (int32_t k = 0; k < partitions; k++) {
        if (a[k].seq < b[k].seq && (same_store(&a[k], &b[k]) || a[k].seq == 0))
            behind += b[k].seq - a[k].seq;
    }
    return behind;
}
