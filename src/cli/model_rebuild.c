/* leat model rebuild, pause, resume. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "cli/model_verbs.h"
#include "cli/sweep_run.h"

#define LINE_EVERY_US 5000000

struct progress {
    const struct leat_model_call *c;
    bool terminal;
    int64_t told_us;
};

static atomic_bool stop;

static void on_signal(int number)
{
    (void)number;
    atomic_store(&stop, true);
}

static void catch_signals(void)
{
    /* The second signal ends the process at once: what it has written is gone on with. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static void tell(void *arg, const struct leat_build_state *s)
{
    struct progress *p = arg;
    char left[LEAT_UNITS_TEXT];
    int64_t now_us = leat_mono_us(), rest = s->total > s->done ? s->total - s->done : 0;
    if (!p->terminal && p->told_us != 0 && now_us - p->told_us < LINE_EVERY_US)
        return;
    p->told_us = now_us;
    int64_t left_ms = s->per_s > 0 ? rest * 1000 / s->per_s : 0;
    (void)fprintf(stderr, "%s%" PRId64 " of %" PRId64 " events, %" PRId64 "/s, %s%s%s",
                  p->terminal ? "\r" : "", s->done, s->total, s->per_s,
                  s->paused ? "paused" : leat_format_duration(left_ms / 1000 * 1000, left),
                  s->paused ? "" : " left", p->terminal ? " \033[K" : "\n");
}

/* ---- which version ---- */

/* One of this declaration that was begun and not ended; the newest. */
static const struct leat_version *unfinished(const struct leat_model_call *c)
{
    const struct leat_version *found = NULL;
    for (size_t i = 0; i < c->versions.n; i++) {
        const struct leat_version *v = &c->versions.at[i];
        if (v->hash == c->projection->hash && v->building && !v->refused)
            found = v;
    }
    return found;
}

static leat_status drop_unfinished(struct leat_model_call *c, const struct leat_version *v,
                                   struct leat_error *err)
{
    LEAT_TRY(leat_model_drop_version(c, v->name, err), err, "restart");
    return leat_model_versions(c, err);
}

/* *ret_alive: it is being built by somebody else. */
static leat_status choose(struct leat_model_call *c, int64_t per_s, char ret[LEAT_VERSION_BYTES],
                          bool *ret_alive, struct leat_error *err)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    struct leat_version_state s = {0};
    const struct leat_version *v = unfinished(c);
    *ret_alive = false;
    if (v != NULL) {
        LEAT_TRY(leat_model_look(c, v->name, dir, &s, err), err, "version %s", v->name);
        *ret_alive = s.building && s.build.alive;
        if (*ret_alive)
            (void)snprintf(ret, LEAT_VERSION_BYTES, "%s", v->name);
        if (*ret_alive)
            return LEAT_OK;
        if (c->o->restart)
            LEAT_TRY(drop_unfinished(c, v, err), err, "model");
    }
    v = unfinished(c);
    if (v == NULL) {
        LEAT_TRY(leat_model_make(c, ret, err), err, "model '%s'", c->projection->name.at);
    } else {
        (void)snprintf(ret, LEAT_VERSION_BYTES, "%s", v->name);
    }
    return per_s > 0 ? leat_model_set_pace(c, ret, per_s, err) : LEAT_OK;
}

/* ---- output ---- */

static int print_result(const struct leat_model_call *c, const char *version,
                        const struct leat_rebuild_result *r, bool switched)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    struct leat_json_writer w;
    double seconds = (double)(r->took_ms > 0 ? r->took_ms : 1) / 1000;
    leat_buf_init(&out, LEAT_MODEL_OUTPUT_MAX);
    if (!c->o->json) {
        leat_buf_printf(&out, "%s: version %s: %" PRIu64 " events in %.1f s (%.0f/s)%s\n",
                        c->projection->name.at, version, r->events, seconds,
                        (double)r->events / seconds, switched ? ", readers use it" : "");
        if (!switched)
            leat_buf_printf(&out, "leat model switch %s %s lets readers use it.\n",
                            c->projection->name.at, version);
        return leat_cli_print(&out);
    }
    leat_json_writer_init(&w, &out);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "model", c->projection->name);
    leat_json_put_cstr(&w, "version", version);
    leat_json_put_int(&w, "events", (int64_t)r->events);
    leat_json_put_int(&w, "resumed", r->resumed);
    leat_json_put_int(&w, "rows_put", (int64_t)r->rows_put);
    leat_json_put_int(&w, "took_ms", r->took_ms);
    leat_json_put_double(&w, "per_s", (double)r->events / seconds);
    leat_json_put_bool(&w, "switched", switched);
    leat_json_end_object(&w);
    leat_buf_putc(&out, '\n');
    return leat_cli_print(&out);
}

static leat_status say_plan(struct leat_model_call *c, struct leat_error *err)
{
    struct leat_published *p = NULL;
    int32_t n = c->s.topology->partitions;
    int32_t *ks = leat_arena_alloc(c->s.arena, (size_t)n * sizeof *ks);
    int64_t events = 0;
    for (int32_t k = 0; k < n; k++)
        ks[k] = k;
    LEAT_TRY(leat_store_published(c->s.store, ks, (size_t)n, c->s.arena, &p, err), err, "store");
    for (int32_t k = 0; k < n; k++)
        events += p[k].seq;
    const struct leat_version *v = c->o->restart ? NULL : unfinished(c);
    (void)printf("%s: would %s %016" PRIx64 " from %" PRId64 " events of %d slices; nothing done\n",
                 c->projection->name.at, v == NULL ? "build a new version of" : "go on with",
                 c->projection->hash, events, (int)n);
    return LEAT_OK;
}

/* ---- the words ---- */

static leat_status build(struct leat_model_call *c, const char *version,
                         struct leat_rebuild_result *ret, struct leat_error *err)
{
    struct progress p = {.c = c, .terminal = isatty(STDERR_FILENO) == 1};
    struct leat_rebuild_config rc = {.topology = c->s.topology,
                                     .projection = c->projection,
                                     .schemas = c->s.schemas,
                                     .store = &c->s.store_options,
                                     .data_dir = c->s.data_dir,
                                     .version = version,
                                     .readers = (int)c->o->connections,
                                     .stop = &stop,
                                     .tell = tell,
                                     .arg = &p};
    catch_signals();
    leat_status status = leat_model_build(c, &rc, ret, err);
    if (p.terminal)
        (void)fputs("\r\033[K", stderr);
    if (status == LEAT_RETRY)
        leat_error_hint(err, "leat model rebuild %s goes on where it ended.",
                        c->projection->name.at);
    return status;
}

static leat_status switch_to(struct leat_model_call *c, const char *version, struct leat_error *err)
{
    int64_t behind = 0;
    LEAT_TRY(leat_model_await(c, version, &behind, err), err, "switch");
    const struct leat_version *v = leat_versions_find(&c->versions, version);
    if (v == NULL)
        return leat_fail(err, LEAT_ABSENT, "version %s was dropped meanwhile", version);
    return leat_model_make_current(c, v, err);
}

static leat_status rebuild(struct leat_model_call *c, int64_t per_s, int *ret_code,
                           struct leat_error *err)
{
    char version[LEAT_VERSION_BYTES];
    bool alive = false;
    struct leat_rebuild_result r = {0};
    LEAT_TRY(choose(c, per_s, version, &alive, err), err, "rebuild");
    if (alive && per_s > 0) {
        LEAT_TRY(leat_model_set_pace(c, version, per_s, err), err, "throttle");
        (void)printf("%s: version %s is built at most at %" PRId64 "/s from now on\n",
                     c->projection->name.at, version, per_s);
        return LEAT_OK;
    }
    if (alive) {
        (void)leat_fail(err, LEAT_RETRY, "version %s is being built by another process", version);
        leat_error_hint(err, "leat model status %s shows how far it is.", c->projection->name.at);
        return LEAT_RETRY;
    }
    LEAT_TRY(build(c, version, &r, err), err, "model '%s'", c->projection->name.at);
    if (c->o->do_switch)
        LEAT_TRY(switch_to(c, version, err), err, "model '%s'", c->projection->name.at);
    *ret_code = print_result(c, version, &r, c->o->do_switch);
    return LEAT_OK;
}

int leat_model_rebuild_run(struct leat_model_call *c)
{
    struct leat_error err = {0};
    int64_t per_s = 0;
    int code = LEAT_EXIT_OK;
    leat_status status = leat_sweep_rate(c->o->throttle, &per_s, &err);
    if (status == LEAT_OK)
        status = c->o->dry_run ? say_plan(c, &err) : rebuild(c, per_s, &code, &err);
    return status == LEAT_OK ? code : leat_cli_fail(&err);
}

static int ask(struct leat_model_call *c, bool pause)
{
    struct leat_error err = {0};
    const struct leat_version *found = NULL;
    for (size_t i = 0; i < c->versions.n; i++) {
        if (c->versions.at[i].building && !c->versions.at[i].refused)
            found = &c->versions.at[i];
    }
    leat_status status = LEAT_OK;
    if (found == NULL)
        status = leat_fail(&err, LEAT_ABSENT, "no version of model '%s' is being built",
                           c->projection->name.at);
    if (status == LEAT_OK)
        status = leat_model_set_pause(c, found->name, pause, &err);
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    if (c->o->json)
        (void)printf("{\"model\":\"%s\",\"version\":\"%s\",\"paused\":%s}\n",
                     c->projection->name.at, found->name, pause ? "true" : "false");
    else
        (void)printf("%s: version %s %s\n", c->projection->name.at, found->name,
                     pause ? "waits: leat model resume lets it go on" : "goes on");
    return LEAT_EXIT_OK;
}

int leat_model_pause_run(struct leat_model_call *c)
{
    return ask(c, true);
}

int leat_model_resume_run(struct leat_model_call *c)
{
    return ask(c, false);
}
