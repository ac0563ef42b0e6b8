/* leat model drop: one version, or all that readers have left. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "cli/model_verbs.h"

/* ---- one ---- */

static int drop_one(struct leat_model_call *c)
{
    struct leat_error err = {0};
    const struct leat_version *v = NULL;
    char dir[LEAT_MODEL_PATH_BYTES];
    struct leat_version_state s = {0};
    leat_status status = leat_model_version(c, c->args[0], &v, &err);
    if (status == LEAT_OK && strcmp(v->name, c->current) == 0) {
        status = leat_fail(&err, LEAT_INVALID, "readers use version %s", v->name);
        leat_error_hint(&err, "leat model switch %s to another one first.", c->projection->name.at);
    }
    struct leat_error unreadable = {0}; /* no reason to keep it */
    if (status == LEAT_OK && leat_model_look(c, v->name, dir, &s, &unreadable) == LEAT_OK &&
        s.building && s.build.alive) {
        status = leat_fail(&err, LEAT_INVALID, "version %s is being built by process %lld", v->name,
                           (long long)s.build.pid);
        leat_error_hint(&err, "Stop that first; one that a projector builds for a changed "
                              "declaration is begun again.");
    }
    if (status == LEAT_OK && !c->o->dry_run)
        status = leat_model_drop_version(c, v->name, &err);
    return status == LEAT_OK ? leat_model_say(c, "dropped", v->name, "") : leat_cli_fail(&err);
}

/* ---- all former ones ---- */

struct former {
    struct leat_model_call *c;
    int64_t older_ms;
    struct leat_json_writer w;
    struct leat_buf text;
    uint64_t n, kept;
};

/* Readers used it once and do not now, or nobody ever will. What the topology declares is none
 * while a person holds readers at another one: it would be built again. */
static bool is_former(const struct leat_model_call *c, const struct leat_version *v)
{
    bool declared = v->hash == c->projection->hash;
    if (c->current[0] == 0 || strcmp(v->name, c->current) == 0)
        return false;
    if (v->refused)
        return true;
    if (declared && leat_version_hash(c->current) != c->projection->hash)
        return false;
    return v->left_ms != 0 || (v->building && !declared);
}

static void tell(struct former *f, const struct leat_version *v, const char *what, int64_t bytes)
{
    char size[LEAT_UNITS_TEXT], age[LEAT_UNITS_TEXT];
    const struct leat_projection *p = f->c->projection;
    int64_t left_s = v->left_ms > 0 ? (leat_now_ms() - v->left_ms) / 1000 : 0;
    leat_json_begin_object(&f->w);
    leat_json_put_str(&f->w, "model", p->name);
    leat_json_put_cstr(&f->w, "version", v->name);
    leat_json_put_cstr(&f->w, "done", what);
    leat_json_put_int(&f->w, "bytes", bytes);
    leat_json_put_int(&f->w, "left_s", left_s);
    leat_json_end_object(&f->w);
    bool would = f->c->o->dry_run && strcmp(what, "dropped") == 0;
    leat_buf_printf(&f->text, "%s: %s%s %s, %s", p->name.at, would ? "would be " : "", what,
                    v->name, leat_format_size(bytes, size));
    if (v->left_ms > 0)
        leat_buf_printf(&f->text, ", readers left it %s ago",
                        leat_format_duration(left_s * 1000, age));
    leat_buf_putc(&f->text, '\n');
}

static leat_status drop_version(struct former *f, const struct leat_version *v,
                                struct leat_error *err)
{
    const struct leat_model_call *c = f->c;
    char dir[LEAT_MODEL_PATH_BYTES];
    struct leat_version_state s = {0};
    struct leat_error unreadable = {0}; /* no reason to keep it */
    bool readable = leat_model_look(c, v->name, dir, &s, &unreadable) == LEAT_OK;
    bool young = v->left_ms != 0 && leat_now_ms() - v->left_ms < f->older_ms;
    if (young || (readable && s.building && s.build.alive)) {
        f->kept++;
        tell(f, v, "kept", (int64_t)s.figures.used_bytes);
        return LEAT_OK;
    }
    if (!c->o->dry_run)
        LEAT_TRY(leat_model_drop_version(c, v->name, err), err, "model '%s'",
                 c->projection->name.at);
    f->n++;
    tell(f, v, "dropped", (int64_t)s.figures.used_bytes);
    return LEAT_OK;
}

static leat_status drop_of_model(struct former *f, struct leat_error *err)
{
    struct leat_model_call *c = f->c;
    LEAT_TRY(leat_model_versions(c, err), err, "drop");
    for (size_t i = 0; i < c->versions.n; i++) {
        if (is_former(c, &c->versions.at[i]))
            LEAT_TRY(drop_version(f, &c->versions.at[i], err), err, "drop");
    }
    return LEAT_OK;
}

static leat_status drop_all(struct former *f, struct leat_error *err)
{
    struct leat_model_call *c = f->c;
    const struct leat_projection *only = c->projection;
    leat_status status = LEAT_OK;
    for (uint32_t i = 0; i < c->s.topology->n_projections && status == LEAT_OK; i++) {
        c->projection = &c->s.topology->projections[i];
        if (only == NULL || only == c->projection)
            status = drop_of_model(f, err);
    }
    return status;
}

static int drop_former(struct leat_model_call *c)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf json = {0};
    struct leat_error err = {0};
    struct former f = {.c = c};
    if (leat_parse_duration(leat_str_of(c->o->older_than), &f.older_ms) != LEAT_UNITS_OK) {
        (void)leat_fail(&err, LEAT_INVALID, "--older-than: '%.50s' is no duration",
                        c->o->older_than);
        leat_error_hint(&err, "As 1h or 0s.");
        return leat_cli_fail(&err);
    }
    leat_buf_init(&json, LEAT_MODEL_OUTPUT_MAX);
    leat_buf_init(&f.text, LEAT_MODEL_OUTPUT_MAX);
    leat_json_writer_init(&f.w, &json);
    leat_json_begin_array(&f.w);
    leat_status status = drop_all(&f, &err);
    leat_json_end_array(&f.w);
    leat_buf_putc(&json, '\n');
    if (f.n + f.kept == 0)
        leat_buf_puts(&f.text, "no version that readers have left\n");
    if (f.kept > 0)
        leat_buf_printf(&f.text, "kept: left less than %s ago (--older-than), or being built\n",
                        c->o->older_than);
    int code =
        status == LEAT_OK ? leat_cli_print(c->o->json ? &json : &f.text) : leat_cli_fail(&err);
    leat_buf_done(&f.text);
    return code;
}

int leat_model_drop_run(struct leat_model_call *c)
{
    struct leat_error err = {0};
    if (c->o->former && c->n_args == 0)
        return drop_former(c);
    if (!c->o->former && c->n_args == 1)
        return drop_one(c);
    (void)leat_fail(&err, LEAT_INVALID,
                    c->o->former ? "--former takes no version"
                                 : "leat model drop takes a model and a version");
    leat_error_hint(&err,
                    "leat model drop <model> <version>, or leat model drop --former [<model>].");
    return leat_cli_fail(&err);
}
