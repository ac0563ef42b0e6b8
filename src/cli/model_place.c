/* Versions of a model where they are: in folders of this machine, or in Redis. */
#include <stdio.h>
#include <string.h>

#include "cli/model_verbs.h"
#include "projection/redis_rebuild.h"

bool leat_model_in_redis(const struct leat_model_call *c)
{
    return c->projection->store == LEAT_MODEL_REDIS;
}

struct leat_redis_model leat_model_redis(const struct leat_model_call *c)
{
    return (struct leat_redis_model){c->s.topology, c->projection};
}

static leat_status versions_in_redis(struct leat_model_call *c, struct leat_error *err)
{
    const struct leat_redis_model m = leat_model_redis(c);
    struct leat_redis_versions v;
    LEAT_TRY(leat_redis_versions_read(&m, &v, err), err, "model '%s'", c->projection->name.at);
    c->versions = v.all;
    v.all = (struct leat_versions){NULL, 0};
    memcpy(c->current, v.current, sizeof c->current);
    c->held = v.held;
    leat_redis_versions_free(&v);
    return LEAT_OK;
}

leat_status leat_model_versions(struct leat_model_call *c, struct leat_error *err)
{
    struct leat_error absent = {0};
    leat_versions_free(&c->versions);
    c->current[0] = 0;
    if (leat_model_in_redis(c))
        return versions_in_redis(c, err);
    LEAT_TRY(leat_versions_list(c->s.data_dir, c->projection->name, &c->versions, err), err,
             "model '%s'", c->projection->name.at);
    leat_status status =
        leat_version_current(c->s.data_dir, c->projection->name, c->current, &absent);
    if (status == LEAT_OK || status == LEAT_ABSENT)
        return LEAT_OK;
    *err = absent;
    return status;
}

leat_status leat_model_look(const struct leat_model_call *c, const char *version,
                            char ret_where[LEAT_MODEL_PATH_BYTES], struct leat_version_state *ret,
                            struct leat_error *err)
{
    const struct leat_redis_model m = leat_model_redis(c);
    if (leat_model_in_redis(c)) {
        (void)snprintf(ret_where, LEAT_MODEL_PATH_BYTES, "{%.*s.%.*s.%s.",
                       LEAT_STR_FMT(c->s.topology->name), LEAT_STR_FMT(c->projection->name),
                       version);
        return leat_redis_version_look(&m, version, true, c->s.arena, ret, err);
    }
    LEAT_TRY(leat_version_dir(c->s.data_dir, c->projection->name, version, ret_where, err), err,
             "version");
    return leat_version_look(ret_where, c->s.arena, ret, err);
}

leat_status leat_model_peek(const struct leat_model_call *c, const char *version,
                            struct leat_version_state *ret, struct leat_error *err)
{
    const struct leat_redis_model m = leat_model_redis(c);
    char where[LEAT_MODEL_PATH_BYTES];
    if (leat_model_in_redis(c))
        return leat_redis_version_look(&m, version, false, c->s.arena, ret, err);
    return leat_model_look(c, version, where, ret, err);
}

leat_status leat_model_make_current(const struct leat_model_call *c, const struct leat_version *v,
                                    struct leat_error *err)
{
    const struct leat_projection *p = c->projection;
    const struct leat_redis_model m = leat_model_redis(c);
    if (leat_model_in_redis(c))
        return leat_redis_version_switch(&m, v->name, v->hash != p->hash, err);
    if (v->hash == p->hash)
        return leat_version_switch(c->s.data_dir, p->name, v->name, err);
    return leat_version_hold(c->s.data_dir, p->name, v->name, p->hash, err);
}

bool leat_model_is_held(const struct leat_model_call *c)
{
    const struct leat_projection *p = c->projection;
    return leat_model_in_redis(c) ? c->held == p->hash
                                  : leat_version_is_held(c->s.data_dir, p->name, p->hash);
}

leat_status leat_model_drop_version(const struct leat_model_call *c, const char *version,
                                    struct leat_error *err)
{
    const struct leat_redis_model m = leat_model_redis(c);
    return leat_model_in_redis(c)
               ? leat_redis_version_drop(&m, version, err)
               : leat_version_drop(c->s.data_dir, c->projection->name, version, err);
}

leat_status leat_model_make(const struct leat_model_call *c, char ret_version[LEAT_VERSION_BYTES],
                            struct leat_error *err)
{
    const struct leat_redis_model m = leat_model_redis(c);
    return leat_model_in_redis(c)
               ? leat_redis_version_make(&m, ret_version, err)
               : leat_rebuild_make(c->s.data_dir, c->s.topology, c->projection, ret_version, err);
}

leat_status leat_model_build(const struct leat_model_call *c, const struct leat_rebuild_config *rc,
                             struct leat_rebuild_result *ret, struct leat_error *err)
{
    return leat_model_in_redis(c) ? leat_redis_rebuild(rc, ret, err)
                                  : leat_rebuild_run(rc, ret, err);
}

leat_status leat_model_set_pace(const struct leat_model_call *c, const char *version, int64_t per_s,
                                struct leat_error *err)
{
    const struct leat_redis_model m = leat_model_redis(c);
    char dir[LEAT_MODEL_PATH_BYTES];
    if (leat_model_in_redis(c))
        return leat_redis_build_pace(&m, version, per_s, err);
    LEAT_TRY(leat_version_dir(c->s.data_dir, c->projection->name, version, dir, err), err,
             "throttle");
    return leat_build_pace(dir, per_s, err);
}

leat_status leat_model_set_pause(const struct leat_model_call *c, const char *version, bool pause,
                                 struct leat_error *err)
{
    const struct leat_redis_model m = leat_model_redis(c);
    char dir[LEAT_MODEL_PATH_BYTES];
    if (leat_model_in_redis(c))
        return leat_redis_build_pause(&m, version, pause, err);
    LEAT_TRY(leat_version_dir(c->s.data_dir, c->projection->name, version, dir, err), err, "pause");
    return leat_build_pause(dir, pause, err);
}
