/* leat model switch, backup, compact. */
#include <stdio.h>
#include <string.h>

#include "base/units.h"
#include "cli/model_verbs.h"
#include "projection/version_copy.h"

int leat_model_say(const struct leat_model_call *c, const char *what, const char *version,
                   const char *rest)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    struct leat_json_writer w;
    leat_buf_init(&out, LEAT_MODEL_OUTPUT_MAX);
    if (!c->o->json) {
        leat_buf_printf(&out, "%s: %s%s %s%s%s\n", c->projection->name.at,
                        c->o->dry_run ? "would be " : "", what, version, rest[0] == 0 ? "" : ": ",
                        rest);
        return leat_cli_print(&out);
    }
    leat_json_writer_init(&w, &out);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "model", c->projection->name);
    leat_json_put_cstr(&w, "version", version);
    leat_json_put_cstr(&w, "done", what);
    leat_json_put_bool(&w, "dry_run", c->o->dry_run);
    if (rest[0] != 0)
        leat_json_put_cstr(&w, "detail", rest);
    leat_json_end_object(&w);
    leat_buf_putc(&out, '\n');
    return leat_cli_print(&out);
}

/* ---- switch ---- */

/* The newest that can be read and is not current. */
static leat_status newest_other(const struct leat_model_call *c, const struct leat_version **ret,
                                struct leat_error *err)
{
    const struct leat_version *found = NULL;
    for (size_t i = 0; i < c->versions.n; i++) {
        const struct leat_version *v = &c->versions.at[i];
        if (!v->refused && !v->building && strcmp(v->name, c->current) != 0 &&
            (found == NULL || v->made_ms >= found->made_ms))
            found = v;
    }
    if (found == NULL)
        return leat_fail(err, LEAT_ABSENT, "model '%s' has no other version to switch to",
                         c->projection->name.at);
    *ret = found;
    return LEAT_OK;
}

static leat_status choose(const struct leat_model_call *c, const struct leat_version **ret,
                          struct leat_error *err)
{
    if (c->n_args == 0)
        return newest_other(c, ret, err);
    LEAT_TRY(leat_model_version(c, c->args[0], ret, err), err, "switch");
    if ((*ret)->building)
        return leat_fail(err, LEAT_INVALID, "version %s is not built yet", (*ret)->name);
    if ((*ret)->refused)
        return leat_fail(err, LEAT_INVALID,
                         "version %s was given up: it is of another store or history",
                         (*ret)->name);
    return LEAT_OK;
}

int leat_model_switch_run(struct leat_model_call *c)
{
    struct leat_error err = {0};
    const struct leat_version *v = NULL;
    char version[LEAT_VERSION_BYTES];
    int64_t behind = 0;
    leat_status status = choose(c, &v, &err);
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    (void)snprintf(version, sizeof version, "%s", v->name);
    if (strcmp(version, c->current) == 0)
        return leat_model_say(c, "already at", version, "");
    if (c->o->dry_run)
        return leat_model_say(c, "switched to", version, "");
    if (c->o->behind)
        c->wait_ms = 0;
    status = leat_model_await(c, version, &behind, &err); /* reads the list again */
    if (status == LEAT_RETRY && c->o->behind)
        status = LEAT_OK;
    v = leat_versions_find(&c->versions, version);
    if (status == LEAT_OK && v == NULL)
        status = leat_fail(&err, LEAT_ABSENT, "version %s was dropped meanwhile", version);
    if (status == LEAT_OK)
        status = leat_model_make_current(c, v, &err);
    return status == LEAT_OK ? leat_model_say(c, "switched to", version, "") : leat_cli_fail(&err);
}

/* ---- backup, compact ---- */

static leat_status source(const struct leat_model_call *c, struct leat_version_copy *ret,
                          struct leat_error *err)
{
    const struct leat_version *v = NULL;
    *ret = (struct leat_version_copy){
        .data_dir = c->s.data_dir, .model = c->projection->name, .version = c->current};
    if (c->o->version == NULL && c->current[0] != 0)
        return LEAT_OK;
    if (c->o->version == NULL)
        return leat_fail(err, LEAT_ABSENT, "model '%s' has no data in '%s'", c->projection->name.at,
                         c->s.data_dir);
    LEAT_TRY(leat_model_version(c, c->o->version, &v, err), err, "backup");
    if (v->building)
        return leat_fail(err, LEAT_INVALID, "version %s is not built yet", v->name);
    ret->version = v->name;
    return LEAT_OK;
}

int leat_model_backup_run(struct leat_model_call *c)
{
    struct leat_error err = {0};
    struct leat_version_copy copy;
    leat_status status = source(c, &copy, &err);
    if (status == LEAT_OK)
        status = leat_version_backup(&copy, c->args[0], &err);
    return status == LEAT_OK ? leat_model_say(c, "copied", copy.version, c->args[0])
                             : leat_cli_fail(&err);
}

static leat_status compact(struct leat_model_call *c, char ret_sizes[64], struct leat_error *err)
{
    char old[LEAT_VERSION_BYTES], next[LEAT_VERSION_BYTES], dir[LEAT_MODEL_PATH_BYTES];
    char before[LEAT_UNITS_TEXT], after[LEAT_UNITS_TEXT];
    struct leat_version_copy copy;
    struct leat_version_state was = {0}, is = {0};
    int64_t behind = 0;
    LEAT_TRY(source(c, &copy, err), err, "compact");
    memcpy(old, c->current, sizeof old);
    LEAT_TRY(leat_model_look(c, old, dir, &was, err), err, "compact");
    LEAT_TRY(leat_version_compact(&copy, next, err), err, "compact");
    LEAT_TRY(leat_model_await(c, next, &behind, err), err, "compact");
    LEAT_TRY(leat_model_look(c, next, dir, &is, err), err, "compact");
    const struct leat_version *v = leat_versions_find(&c->versions, next);
    if (v == NULL)
        return leat_fail(err, LEAT_ABSENT, "version %s was dropped meanwhile", next);
    LEAT_TRY(leat_model_make_current(c, v, err), err, "compact");
    if (!c->o->keep)
        LEAT_TRY(leat_version_drop(c->s.data_dir, c->projection->name, old, err), err, "compact");
    (void)snprintf(ret_sizes, 64, "%s before, %s now",
                   leat_format_size((int64_t)was.figures.used_bytes, before),
                   leat_format_size((int64_t)is.figures.used_bytes, after));
    memcpy(c->current, next, sizeof next);
    return LEAT_OK;
}

int leat_model_compact_run(struct leat_model_call *c)
{
    struct leat_error err = {0};
    char sizes[64] = "";
    if (c->o->dry_run)
        return leat_model_say(c, "compacted", c->current, "");
    if (compact(c, sizes, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    return leat_model_say(c, "compacted into", c->current, sizes);
}
