/* leat model list, status. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "cli/model_verbs.h"
#include "cli/show.h"

static const char *state_of(const struct leat_model_call *c, const struct leat_version *v,
                            const struct leat_version_state *s, bool known)
{
    if (v->refused)
        return "refused";
    if (s->building)
        return !s->build.alive ? "broken off" : s->build.paused ? "paused" : "building";
    if (!known)
        return "unreadable";
    if (strcmp(v->name, c->current) == 0)
        return "current";
    return v->left_ms != 0 ? "former" : "ready";
}

static void put_time(struct leat_json_writer *w, const char *name, int64_t ms)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, 64);
    if (ms > 0)
        leat_show_time(ms, &text);
    leat_json_put_str(w, name, leat_buf_str(&text));
}

static void put_build(struct leat_json_writer *w, const struct leat_build_state *b)
{
    int64_t left = b->total > b->done ? b->total - b->done : 0;
    leat_json_key(w, LEAT_STR("build"));
    leat_json_begin_object(w);
    leat_json_put_int(w, "done", b->done);
    leat_json_put_int(w, "total", b->total);
    leat_json_put_int(w, "per_s", b->per_s);
    if (b->per_s > 0)
        leat_json_put_int(w, "left_s", left / b->per_s);
    leat_json_put_bool(w, "alive", b->alive);
    leat_json_put_bool(w, "paused", b->paused);
    leat_json_put_int(w, "throttle_per_s", b->pace_per_s);
    leat_json_put_int(w, "pid", b->pid);
    leat_json_end_object(w);
}

static int64_t events_of(const struct leat_version_state *s)
{
    int64_t n = 0;
    for (int32_t k = 0; k < s->partitions; k++)
        n += s->at[k].seq;
    return n;
}

/* One object; `details`: for programs, and for status. */
static void put_version(struct leat_model_call *c, const struct leat_version *v, bool details,
                        struct leat_json_writer *w)
{
    char dir[LEAT_MODEL_PATH_BYTES], size[LEAT_UNITS_TEXT];
    struct leat_version_state s = {0};
    struct leat_error err = {0};
    bool known = leat_model_look(c, v->name, dir, &s, &err) == LEAT_OK && s.has_data;
    leat_json_begin_object(w);
    leat_json_put_str(w, "model", c->projection->name);
    leat_json_put_cstr(w, "version", v->name);
    leat_json_put_cstr(w, "state", state_of(c, v, &s, known));
    leat_json_put_int(w, "rows", (int64_t)s.rows);
    leat_json_put_int(w, "events", events_of(&s));
    if (details)
        leat_json_put_int(w, "bytes", (int64_t)s.figures.used_bytes);
    else
        leat_json_put_cstr(w, "size", leat_format_size((int64_t)s.figures.used_bytes, size));
    leat_json_put_bool(w, "declared", v->hash == c->projection->hash);
    put_time(w, "made", v->made_ms);
    put_time(w, "left", v->left_ms);
    if (details) {
        leat_json_put_int(w, "skipped", (int64_t)s.skipped);
        leat_json_put_int(w, "complete_ms", s.complete_ms);
        leat_json_put_cstr(w, leat_model_in_redis(c) ? "keys" : "folder", dir);
        if (err.msg[0] != 0)
            leat_json_put_cstr(w, "error", err.msg);
        if (s.building)
            put_build(w, &s.build);
    } else if (s.building) {
        char progress[64];
        (void)snprintf(progress, sizeof progress, "%lld%% at %lld/s",
                       (long long)(s.build.total > 0 ? s.build.done * 100 / s.build.total : 0),
                       (long long)s.build.per_s);
        leat_json_put_cstr(w, "progress", progress);
    }
    leat_json_end_object(w);
}

static leat_status put_model(struct leat_model_call *c, bool details, struct leat_json_writer *w,
                             struct leat_error *err)
{
    LEAT_TRY(leat_model_versions(c, err), err, "model '%s'", c->projection->name.at);
    for (size_t i = 0; i < c->versions.n; i++)
        put_version(c, &c->versions.at[i], details, w);
    return LEAT_OK;
}

static leat_status put_all(struct leat_model_call *c, struct leat_json_writer *w,
                           struct leat_error *err)
{
    const struct leat_projection *only = c->projection;
    leat_status status = LEAT_OK;
    leat_json_begin_array(w);
    for (uint32_t i = 0; i < c->s.topology->n_projections && status == LEAT_OK; i++) {
        c->projection = &c->s.topology->projections[i];
        if (only != NULL && only != c->projection)
            continue;
        status = put_model(c, c->o->json, w, err);
        if (status == LEAT_RETRY && only == NULL) { /* Redis is away: the others are there */
            (void)fprintf(stderr, "leat: %s\n", err->msg);
            *err = (struct leat_error){0};
            status = LEAT_OK;
        }
    }
    leat_json_end_array(w);
    return status;
}

int leat_model_list_run(struct leat_model_call *c)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf json;
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    struct leat_json_writer w;
    struct leat_error err = {0};
    leat_buf_init(&json, LEAT_MODEL_OUTPUT_MAX);
    leat_buf_init(&text, LEAT_MODEL_OUTPUT_MAX);
    leat_json_writer_init(&w, &json);
    leat_status status = put_all(c, &w, &err);
    if (status == LEAT_OK && !c->o->json)
        status = leat_show_rows(leat_buf_str(&json), &text, &err);
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    if (c->o->json)
        leat_buf_putc(&json, '\n');
    return leat_cli_print(c->o->json ? &json : &text);
}

/* ---- status ---- */

static void put_readers(struct leat_model_call *c, struct leat_json_writer *w)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    struct leat_env_readers r = {0};
    struct leat_env *env = NULL;
    struct leat_error ignored = {0};
    if (c->current[0] == 0 ||
        leat_version_dir(c->s.data_dir, c->projection->name, c->current, dir, &ignored) !=
            LEAT_OK ||
        leat_env_open(dir, false, 0, &env, &ignored) != LEAT_OK)
        return;
    leat_env_readers(env, &r);
    leat_env_close(env);
    leat_json_key(w, LEAT_STR("readers"));
    leat_json_begin_object(w);
    leat_json_put_int(w, "slots", (int64_t)r.slots);
    leat_json_put_int(w, "reading", (int64_t)r.reading);
    leat_json_put_int(w, "oldest_behind", (int64_t)r.oldest_behind);
    leat_json_put_int(w, "oldest_pid", r.oldest_pid);
    leat_json_end_object(w);
}

static leat_status put_status(struct leat_model_call *c, struct leat_json_writer *w,
                              struct leat_error *err)
{
    leat_json_begin_object(w);
    leat_json_put_str(w, "model", c->projection->name);
    leat_json_put_cstr(w, "current", c->current);
    leat_json_put_bool(w, "held", leat_model_is_held(c));
    if (!leat_model_in_redis(c))
        put_readers(c, w);
    leat_json_key(w, LEAT_STR("versions"));
    leat_json_begin_array(w);
    LEAT_TRY(put_model(c, true, w, err), err, "status");
    leat_json_end_array(w);
    leat_json_end_object(w);
    return LEAT_OK;
}

int leat_model_status_run(struct leat_model_call *c)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf json;
    struct leat_json_writer w;
    struct leat_error err = {0};
    if (!c->o->json)
        return leat_model_list_run(c);
    leat_buf_init(&json, LEAT_MODEL_OUTPUT_MAX);
    leat_json_writer_init(&w, &json);
    if (put_status(c, &w, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    leat_buf_putc(&json, '\n');
    return leat_cli_print(&json);
}
