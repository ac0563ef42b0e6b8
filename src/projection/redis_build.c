/* A version of a model in Redis that is being built: made, told of, paused, done. */
#include <unistd.h>

#include "base/clock.h"
#include "projection/redis_ask.h"

#define MAKE_TRIES 100

/* *ret_made false: somebody else took that name. */
static leat_status make(struct leat_redis_ask *a, const char *version, bool *ret_made,
                        struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    LEAT_REDIS_SEND(a, LEAT_STR("HSETNX"), leat_redis_ask_key_of(a, "about", version),
                    LEAT_STR("build_pid"), leat_redis_ask_number(a, (int64_t)getpid()));
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "new version");
    *ret_made = leat_redis_int(reply) == 1;
    if (!*ret_made)
        return LEAT_OK;
    LEAT_REDIS_SEND(a, LEAT_STR("MULTI"));
    LEAT_REDIS_SEND(a, LEAT_STR("HSET"), leat_redis_ask_key_of(a, "about", version),
                    LEAT_STR("made"), leat_redis_ask_number(a, leat_now_ms()),
                    LEAT_STR("declaration"), leat_redis_declaration_text(a->m, a->arena));
    LEAT_REDIS_SEND(a, LEAT_STR("SADD"), leat_redis_ask_key(a, "versions"), leat_str_of(version));
    LEAT_REDIS_SEND(a, LEAT_STR("EXEC"));
    return leat_redis_finish(a->redis, err);
}

leat_status leat_redis_version_make(const struct leat_redis_model *m,
                                    char ret_version[LEAT_VERSION_BYTES], struct leat_error *err)
{
    bool made = false;
    for (int i = 0; i < MAKE_TRIES && !made; i++) {
        struct leat_redis_versions v;
        struct leat_redis_ask a;
        LEAT_TRY(leat_redis_versions_read(m, &v, err), err, "new version");
        leat_redis_version_next(&v, m->projection->hash, ret_version);
        leat_redis_versions_free(&v);
        leat_status status = leat_redis_ask_start(m, &a, err);
        if (status == LEAT_OK)
            status = make(&a, ret_version, &made, err);
        leat_redis_ask_done(&a);
        LEAT_TRY(status, err, "new version");
    }
    return made ? LEAT_OK : leat_fail(err, LEAT_RETRY, "others make versions all the time");
}

leat_status leat_redis_build_lock(const struct leat_redis_model *m, const char *version,
                                  struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct leat_redis_ask a;
    leat_status status = leat_redis_ask_start(m, &a, err);
    if (status == LEAT_OK) {
        LEAT_REDIS_SEND(&a, LEAT_STR("SET"), leat_redis_ask_key_of(&a, "builder", version),
                        leat_redis_ask_number(&a, (int64_t)getpid()), LEAT_STR("NX"),
                        LEAT_STR("PX"), leat_redis_ask_number(&a, LEAT_REDIS_BUILDER_MS));
        status = leat_redis_reply(a.redis, &reply, err);
    }
    if (status == LEAT_OK && leat_redis_is_nil(reply))
        status =
            leat_fail(err, LEAT_RETRY, "version %s is being built by another process", version);
    leat_redis_ask_done(&a);
    return status;
}

static leat_status tell(struct leat_redis_ask *a, const char *version, struct leat_build_state *s,
                        struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct leat_str about_key = leat_redis_ask_key_of(a, "about", version);
    LEAT_REDIS_SEND(a, LEAT_STR("SISMEMBER"), leat_redis_ask_key(a, "dropped"),
                    leat_str_of(version));
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "build");
    if (leat_redis_int(reply) == 1)
        return leat_fail(err, LEAT_ABSENT, "version %s was dropped meanwhile", version);
    LEAT_REDIS_SEND(a, LEAT_STR("HMGET"), about_key, LEAT_STR("paused"), LEAT_STR("pace"));
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "build");
    if (leat_redis_count(reply) == 2) {
        s->paused = !leat_redis_is_nil(leat_redis_item(reply, 0));
        s->pace_per_s = leat_redis_told(leat_redis_item(reply, 1));
    }
    LEAT_REDIS_SEND(
        a, LEAT_STR("HSET"), about_key, leat_str_of(leat_redis_about[LEAT_ABOUT_BUILD_PID]),
        leat_redis_ask_number(a, s->pid), leat_str_of(leat_redis_about[LEAT_ABOUT_BUILD_DONE]),
        leat_redis_ask_number(a, s->done), leat_str_of(leat_redis_about[LEAT_ABOUT_BUILD_TOTAL]),
        leat_redis_ask_number(a, s->total), leat_str_of(leat_redis_about[LEAT_ABOUT_BUILD_PER_S]),
        leat_redis_ask_number(a, s->per_s), leat_str_of(leat_redis_about[LEAT_ABOUT_BUILD_STARTED]),
        leat_redis_ask_number(a, s->started_ms),
        leat_str_of(leat_redis_about[LEAT_ABOUT_BUILD_TOLD]), leat_redis_ask_number(a, s->told_ms));
    LEAT_REDIS_SEND(a, LEAT_STR("SADD"), leat_redis_ask_key(a, "versions"), leat_str_of(version));
    LEAT_REDIS_SEND(a, LEAT_STR("SET"), leat_redis_ask_key_of(a, "builder", version),
                    leat_redis_ask_number(a, s->pid), LEAT_STR("PX"),
                    leat_redis_ask_number(a, LEAT_REDIS_BUILDER_MS));
    return leat_redis_finish(a->redis, err);
}

leat_status leat_redis_build_tell(const struct leat_redis_model *m, const char *version,
                                  struct leat_build_state *s, struct leat_error *err)
{
    struct leat_redis_ask a;
    leat_status status = leat_redis_ask_start(m, &a, err);
    if (status == LEAT_OK)
        status = tell(&a, version, s, err);
    leat_redis_ask_done(&a);
    return status;
}

void leat_redis_build_unlock(const struct leat_redis_model *m, const char *version)
{
    struct leat_error ignored = {0};
    struct leat_redis_ask a;
    if (leat_redis_ask_start(m, &a, &ignored) == LEAT_OK) {
        LEAT_REDIS_SEND(&a, LEAT_STR("UNLINK"), leat_redis_ask_key_of(&a, "builder", version));
        (void)!leat_redis_finish(a.redis, &ignored); /* else it goes by itself */
    }
    leat_redis_ask_done(&a);
}

leat_status leat_redis_build_done(const struct leat_redis_model *m, const char *version,
                                  struct leat_error *err)
{
    struct leat_redis_ask a;
    leat_status status = leat_redis_ask_start(m, &a, err);
    if (status == LEAT_OK) {
        leat_redis_command(a.redis, 2 + LEAT_ABOUTS - LEAT_ABOUT_BUILD_PID);
        leat_redis_arg(a.redis, LEAT_STR("HDEL"));
        leat_redis_arg(a.redis, leat_redis_ask_key_of(&a, "about", version));
        for (int i = LEAT_ABOUT_BUILD_PID; i < LEAT_ABOUTS; i++)
            leat_redis_arg(a.redis, leat_str_of(leat_redis_about[i]));
        LEAT_REDIS_SEND(&a, LEAT_STR("UNLINK"), leat_redis_ask_key_of(&a, "builder", version));
        status = leat_redis_finish(a.redis, err);
    }
    leat_redis_ask_done(&a);
    return status;
}

leat_status leat_redis_build_pause(const struct leat_redis_model *m, const char *version,
                                   bool pause, struct leat_error *err)
{
    struct leat_redis_ask a;
    leat_status status = leat_redis_ask_start(m, &a, err);
    if (status == LEAT_OK) {
        if (pause)
            LEAT_REDIS_SEND(&a, LEAT_STR("HSET"), leat_redis_ask_key_of(&a, "about", version),
                            LEAT_STR("paused"), LEAT_STR("1"));
        else
            LEAT_REDIS_SEND(&a, LEAT_STR("HDEL"), leat_redis_ask_key_of(&a, "about", version),
                            LEAT_STR("paused"));
        status = leat_redis_finish(a.redis, err);
    }
    leat_redis_ask_done(&a);
    return status;
}

leat_status leat_redis_build_pace(const struct leat_redis_model *m, const char *version,
                                  int64_t per_s, struct leat_error *err)
{
    struct leat_redis_ask a;
    leat_status status = leat_redis_ask_start(m, &a, err);
    if (status == LEAT_OK) {
        LEAT_REDIS_SEND(&a, LEAT_STR("HSET"), leat_redis_ask_key_of(&a, "about", version),
                        LEAT_STR("pace"), leat_redis_ask_number(&a, per_s));
        status = leat_redis_finish(a.redis, err);
    }
    leat_redis_ask_done(&a);
    return status;
}
