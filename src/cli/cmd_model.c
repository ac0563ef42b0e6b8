/* leat model: versions of read models, on this machine and in Redis. */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/suggest.h"
#include "base/units.h"
#include "cli/model_verbs.h"
#include "cli/words.h"

#define LOOK_EVERY_MS 50

#define FIELD(name) offsetof(struct leat_model_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct leat_model_options, topology),
    {"data", 0, LEAT_OPT_STR, FIELD(data), "DIR", NULL, "LEAT_DATA", 0, 0,
     "Folder of the read models (default: .leat/<name> beside the topology)."},
    {"version", 0, LEAT_OPT_STR, FIELD(version), "VERSION", NULL, NULL, 0, 0,
     "check, backup: this version (default: the current one)."},
    {"connections", 0, LEAT_OPT_INT, FIELD(connections), "N", "2", NULL, 1, 16,
     "rebuild: store connections that read slices in parallel."},
    {"throttle", 0, LEAT_OPT_STR, FIELD(throttle), "N/s", NULL, NULL, 0, 0,
     "rebuild: events a second at most; of a rebuild under way too."},
    {"switch", 0, LEAT_OPT_FLAG, FIELD(do_switch), NULL, NULL, NULL, 0, 0,
     "rebuild: then let readers use it, once it is at or past the current one."},
    {"restart", 0, LEAT_OPT_FLAG, FIELD(restart), NULL, NULL, NULL, 0, 0,
     "rebuild: do not go on with a rebuild that was broken off."},
    {"behind", 0, LEAT_OPT_FLAG, FIELD(behind), NULL, NULL, NULL, 0, 0,
     "switch: even to one that is behind: readers see positions go back."},
    {"former", 0, LEAT_OPT_FLAG, FIELD(former), NULL, NULL, NULL, 0, 0,
     "drop: all versions that readers were switched from, of all models or of one."},
    {"older-than", 0, LEAT_OPT_STR, FIELD(older_than), "DURATION", "1h", NULL, 0, 0,
     "drop --former: only those that readers left so long ago."},
    {"keep", 0, LEAT_OPT_FLAG, FIELD(keep), NULL, NULL, NULL, 0, 0,
     "compact: do not drop the version it was made of."},
    {"wait", 0, LEAT_OPT_STR, FIELD(wait), "DURATION", "30s", NULL, 0, 0,
     "rebuild --switch, switch, compact, diff: for a version to catch up."},
    {"limit", 'n', LEAT_OPT_INT, FIELD(limit), "N", "10", NULL, 0, 100000,
     "check, diff: findings shown at most."},
    {"dry-run", 0, LEAT_OPT_FLAG, FIELD(dry_run), NULL, NULL, NULL, 0, 0,
     "rebuild, switch, drop, compact: only say what would be done."},
    LEAT_CLI_JSON(struct leat_model_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat model list|status|rebuild|pause|resume|diff|switch|drop|backup|check|compact "
             "[options] [<model> …]",
    .summary = "Rebuild, compare, switch, drop or back up a read model.",
    .details =
        "A model may have several versions side by side; readers use the current one, and the\n"
        "projector feeds all until they are dropped. A version is named by its declaration's hash\n"
        "and a number; its first letters are enough.\n\n"
        "  list               all versions of all models\n"
        "  status <model>     its versions, how far each is, what is being built\n"
        "  rebuild <model>    a new version from the store; the same again goes on with one that\n"
        "                     was broken off\n"
        "  pause <model>, resume <model>   of a rebuild under way\n"
        "  diff <model> [A [B]]            two versions row by row at one position; 3: different\n"
        "  switch <model> [VERSION]        readers use it from now on (default: the newest)\n"
        "  drop <model> VERSION            its files go\n"
        "  drop --former [<model>]         all that readers left an hour ago (--older-than)\n"
        "  backup <model> DIR              a copy that leat list --data DIR reads\n"
        "  check <model>      rows, indexes and checkpoints as they stand in the file; 3: damaged\n"
        "  compact <model>    a copy without free pages, switched to\n\n"
        "  leat model rebuild leads --switch\n"
        "  leat model drop --former --older-than 1d\n",
    LEAT_OPTS(options),
    .args_min = 1,
    .args_max = -1,
};

enum {
    LIST = 1 << 0,
    STATUS = 1 << 1,
    REBUILD = 1 << 2,
    PAUSE = 1 << 3,
    RESUME = 1 << 4,
    DIFF = 1 << 5,
    SWITCH = 1 << 6,
    DROP = 1 << 7,
    BACKUP = 1 << 8,
    CHECK = 1 << 9,
    COMPACT = 1 << 10,
    OF_FILES = BACKUP | CHECK | COMPACT,
};

static const struct leat_word words[] = {
    {"list", LIST, 0, 1, "takes at most a model"},
    {"status", STATUS, 1, 1, "takes a model"},
    {"rebuild", REBUILD, 1, 1, "takes a model"},
    {"pause", PAUSE, 1, 1, "takes a model"},
    {"resume", RESUME, 1, 1, "takes a model"},
    {"diff", DIFF, 1, 3, "takes a model and at most two versions"},
    {"switch", SWITCH, 1, 2, "takes a model and at most a version"},
    {"drop", DROP, 0, 2, "takes a model and a version, or --former"},
    {"backup", BACKUP, 2, 2, "takes a model and a folder"},
    {"check", CHECK, 1, 1, "takes a model"},
    {"compact", COMPACT, 1, 1, "takes a model"},
};
static const struct leat_words all_words = {"model", words, sizeof words / sizeof *words};

/* In the order of `words`. */
static int (*const runs[])(struct leat_model_call *c) = {
    leat_model_list_run,   leat_model_status_run, leat_model_rebuild_run, leat_model_pause_run,
    leat_model_resume_run, leat_model_diff_run,   leat_model_switch_run,  leat_model_drop_run,
    leat_model_backup_run, leat_model_check_run,  leat_model_compact_run,
};

/* ---- helpers of the words ---- */

leat_status leat_model_version(const struct leat_model_call *c, const char *name,
                               const struct leat_version **ret, struct leat_error *err)
{
    const struct leat_version *found = leat_versions_find(&c->versions, name);
    size_t n = 0;
    for (size_t i = 0; i < c->versions.n && found == NULL; i++) {
        if (strncmp(c->versions.at[i].name, name, strlen(name)) == 0) {
            *ret = &c->versions.at[i];
            n++;
        }
    }
    if (found != NULL)
        *ret = found;
    if (found != NULL || n == 1)
        return LEAT_OK;
    (void)leat_fail(err, LEAT_INVALID,
                    n == 0 ? "model '%s' has no version '%.40s'"
                           : "model '%s' has several versions that begin with '%.40s'",
                    c->projection->name.at, name);
    leat_error_hint(err, "leat model list %s shows them.", c->projection->name.at);
    return LEAT_INVALID;
}

static leat_status look_behind(struct leat_model_call *c, const char *version, int64_t *ret_behind,
                               struct leat_error *err)
{
    struct leat_version_state current = {0}, other = {0};
    struct leat_error gone = {0};
    *ret_behind = 0;
    if (leat_model_versions(c, err) != LEAT_OK)
        return err->status;
    const struct leat_version *v = leat_versions_find(&c->versions, c->current);
    /* What readers have may be damaged, or of a history that is gone: nothing to wait for. */
    if (v == NULL || v->refused || leat_model_peek(c, c->current, &current, &gone) != LEAT_OK)
        return LEAT_OK;
    LEAT_TRY(leat_model_peek(c, version, &other, err), err, "version %s", version);
    if (!other.has_data)
        return leat_fail(err, LEAT_INVALID, "version %s has no data", version);
    int32_t n = current.partitions < other.partitions ? current.partitions : other.partitions;
    if (current.has_data)
        *ret_behind = leat_checkpoints_behind(other.at, current.at, n);
    return LEAT_OK;
}

leat_status leat_model_await(struct leat_model_call *c, const char *version, int64_t *ret_behind,
                             struct leat_error *err)
{
    int64_t until_us = leat_mono_us() + c->wait_ms * 1000;
    for (;;) {
        LEAT_TRY(look_behind(c, version, ret_behind, err), err, "model '%s'",
                 c->projection->name.at);
        if (*ret_behind == 0)
            return LEAT_OK;
        if (leat_mono_us() >= until_us)
            break;
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
    (void)leat_fail(err, LEAT_RETRY, "version %s is %lld events behind the current one", version,
                    (long long)*ret_behind);
    leat_error_hint(err, "A projector (leat run) brings it up; --wait waits longer, and switch "
                         "--behind goes there all the same.");
    return LEAT_RETRY;
}

/* ---- the verb ---- */

static leat_status find_model(struct leat_model_call *c, const struct leat_word *word,
                              const char *name, struct leat_error *err)
{
    struct leat_suggest near;
    const struct leat_topology *t = c->s.topology;
    c->projection = leat_topology_projection(t, leat_str_of(name));
    if (c->projection != NULL && leat_model_in_redis(c) && (word->bit & OF_FILES) != 0) {
        (void)leat_fail(err, LEAT_INVALID, "model '%s' is kept in Redis; leat model %s is of files",
                        name, word->name);
        leat_error_hint(err, "Redis copies itself (BGSAVE); leat replay compares with the store.");
        return LEAT_INVALID;
    }
    if (c->projection != NULL)
        return leat_model_versions(c, err);
    leat_suggest_start(&near, leat_str_of(name));
    for (uint32_t i = 0; i < t->n_projections; i++)
        leat_suggest_offer(&near, t->projections[i].name);
    (void)leat_fail(err, LEAT_INVALID, "there is no read model '%.100s'", name);
    if (near.best.len > 0)
        leat_error_hint(err, "Did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return LEAT_INVALID;
}

static leat_status check_call(const struct leat_model_options *o, int args, char **argv,
                              int *ret_word, struct leat_error *err)
{
    const struct leat_word_option known[] = {
        {"version", o->version != NULL, CHECK | BACKUP},
        {"throttle", o->throttle != NULL, REBUILD},
        {"switch", o->do_switch, REBUILD},
        {"restart", o->restart, REBUILD},
        {"behind", o->behind, SWITCH},
        {"keep", o->keep, COMPACT},
        {"former", o->former, DROP},
        {"dry-run", o->dry_run, REBUILD | SWITCH | DROP | COMPACT},
    };
    *ret_word = leat_word_find(&all_words, argv[1], args - 1, err);
    if (*ret_word < 0)
        return LEAT_INVALID;
    return leat_word_options(&all_words, *ret_word, known, sizeof known / sizeof *known, err);
}

static int run(struct leat_model_call *c, int word, int args, char **argv)
{
    struct leat_error err = {0};
    if (leat_parse_duration(leat_str_of(c->o->wait), &c->wait_ms) != LEAT_UNITS_OK) {
        (void)leat_fail(&err, LEAT_INVALID, "--wait: '%.50s' is no duration", c->o->wait);
        leat_error_hint(&err, "As 30s or 5m.");
        return leat_cli_fail(&err);
    }
    if (args > 1 && find_model(c, &words[word], argv[2], &err) != LEAT_OK)
        return leat_cli_fail(&err);
    c->args = argv + 3;
    c->n_args = args > 2 ? args - 2 : 0;
    return runs[word](c);
}

int leat_cmd_model(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_model(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct leat_model_options o = {0};
    struct leat_model_call c = {.o = &o};
    struct leat_error err = {0};
    int args = 0, word = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if (check_call(&o, args, argv, &word, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    code = words[word].bit == REBUILD ? leat_session_open(&c.s, o.topology, o.data)
                                      : leat_session_files(&c.s, o.topology, o.data);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    code = run(&c, word, args, argv);
    leat_versions_free(&c.versions);
    leat_session_close(&c.s);
    return code;
}
