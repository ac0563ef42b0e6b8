#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/suggest.h"
#include "base/units.h"
#include "cli/replay.h"
#include "projection/redis_copy.h"
#include "projection/scratch.h"
#include "projection/versions.h"

#define DIFFERENCES_MAX ((size_t)64 << 20)
#define TELL_EVERY_US   500000

struct replay {
    const struct leat_replay_options *o;
    struct leat_session s;
    const struct leat_projection *projection;
    struct leat_replay_end end;
    struct leat_scratch *scratch;
    char dir[LEAT_MODEL_PATH_BYTES]; /* of the scratch copy's files */
    bool temporary;
    /* the live model: NULL when there is none here */
    struct leat_env *live;
    struct leat_env_txn txn;
    bool reading;
    struct leat_shape *live_shape;
    struct leat_checkpoint *live_at;
    struct leat_replay_result result;
    char why[512];
    /* progress */
    int64_t total, told_us, started_us;
    bool terminal;
};

/* ---- progress ---- */

static void tell(void *arg, uint64_t events)
{
    struct replay *r = arg;
    int64_t now_us = leat_mono_us(), spent_us = now_us - r->started_us;
    char left[LEAT_UNITS_TEXT];
    if (!r->terminal || now_us - r->told_us < TELL_EVERY_US || spent_us <= 0)
        return;
    r->told_us = now_us;
    double rate = (double)events * 1e6 / (double)spent_us;
    int64_t rest = r->total > (int64_t)events ? r->total - (int64_t)events : 0;
    int64_t left_ms = rate > 0 ? (int64_t)((double)rest / rate) * 1000 : 0;
    (void)fprintf(stderr, "\r%" PRIu64 " of %" PRId64 " events, %.0f/s, %s left \033[K", events,
                  r->total, rate, leat_format_duration(left_ms, left));
}

static leat_status fold_to(struct replay *r, const int64_t *seqs, struct leat_error *err)
{
    struct leat_scratch_goal goal = {
        .seqs = seqs, .until_us = r->end.until_us, .tell = tell, .arg = r};
    r->total = 0;
    for (int32_t k = 0; k < r->s.topology->partitions; k++)
        r->total += seqs[k];
    return leat_scratch_fold(r->scratch, &goal, err);
}

/* ---- the scratch folder ---- */

leat_status leat_scratch_folder(char ret[LEAT_MODEL_PATH_BYTES], struct leat_error *err)
{
    const char *base = leat_env("TMPDIR");
    int n = snprintf(ret, LEAT_MODEL_PATH_BYTES, "%s/leat-replay-XXXXXX",
                     base == NULL || *base == 0 ? "/tmp" : base);
    if (n < 0 || n >= LEAT_MODEL_PATH_BYTES || mkdtemp(ret) == NULL)
        return leat_fail(err, LEAT_FATAL, "could not make a folder '%s': %s", ret, strerror(errno));
    return LEAT_OK;
}

static leat_status make_temporary(struct replay *r, struct leat_error *err)
{
    LEAT_TRY(leat_scratch_folder(r->dir, err), err, "scratch copy");
    r->temporary = true;
    return LEAT_OK;
}

/* Live read models and a copy of them must never be one folder. */
static leat_status refuse_live(const struct replay *r, struct leat_error *err)
{
    struct stat live, kept;
    if (stat(r->s.data_dir, &live) == 0 && stat(r->o->keep, &kept) == 0 &&
        live.st_dev == kept.st_dev && live.st_ino == kept.st_ino)
        return leat_fail(err, LEAT_INVALID, "--keep: '%s' holds the live read models", r->o->keep);
    return LEAT_OK;
}

static leat_status choose_folder(struct replay *r, struct leat_error *err)
{
    char version[LEAT_VERSION_BYTES];
    const struct leat_projection *p = r->projection;
    if (r->o->keep == NULL)
        return make_temporary(r, err);
    leat_status status = refuse_live(r, err);
    if (status != LEAT_OK)
        return status;
    LEAT_TRY(leat_version_pick(r->o->keep, p->name, p->hash, version, err), err, "--keep");
    return leat_version_dir(r->o->keep, p->name, version, r->dir, err);
}

/* The files stay usable through their descriptors: nothing is left behind, however this ends. */
void leat_scratch_folder_remove(const char *dir)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[LEAT_MODEL_PATH_BYTES + 16];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

static void remove_temporary(struct replay *r)
{
    if (r->temporary)
        leat_scratch_folder_remove(r->dir);
    r->temporary = false;
}

/* ---- the live model ---- */

static leat_status live_position(struct replay *r, struct leat_error *err)
{
    int32_t n = r->s.topology->partitions;
    LEAT_TRY(leat_env_read_begin(r->live, &r->txn, err), err, "live model");
    r->reading = true;
    return leat_checkpoints_read(&r->txn, n, r->live_at, err);
}

static void live_let_go(struct replay *r)
{
    if (r->reading)
        leat_env_read_end(&r->txn);
    r->reading = false;
}

static void not_compared(struct replay *r, const char *why)
{
    (void)snprintf(r->why, sizeof r->why, "%s", why);
    r->result.why_not = r->why;
}

static leat_status live_version(const struct replay *r, char ret[LEAT_VERSION_BYTES],
                                struct leat_error *err)
{
    const struct leat_projection *p = r->projection;
    return p->store == LEAT_MODEL_REDIS ? leat_redis_current(r->s.topology, p, ret, err)
                                        : leat_version_current(r->s.data_dir, p->name, ret, err);
}

/* A model in Redis is compared as it was when it was copied from there. */
static leat_status open_copy(struct replay *r, const char *version, struct leat_error *err)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    LEAT_TRY(leat_scratch_folder(dir, err), err, "copy of the live model");
    leat_status status = leat_redis_copy(r->s.topology, r->projection, version, dir, &r->live, err);
    leat_scratch_folder_remove(dir);
    return status;
}

static leat_status open_version(struct replay *r, const char *version, struct leat_error *err)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    if (r->projection->store == LEAT_MODEL_REDIS)
        return open_copy(r, version, err);
    LEAT_TRY(leat_version_dir(r->s.data_dir, r->projection->name, version, dir, err), err, "live");
    return leat_env_open(dir, false, 0, &r->live, err);
}

/* Sets r->live, or says why there is nothing to compare with. */
static leat_status open_live(struct replay *r, struct leat_error *err)
{
    char version[LEAT_VERSION_BYTES], hash[LEAT_VERSION_BYTES];
    struct leat_error absent = {0};
    const struct leat_projection *p = r->projection;
    if (r->end.has_seqs || r->end.until_us != 0) {
        not_compared(r, "another position was asked for");
        return LEAT_OK;
    }
    leat_status status = live_version(r, version, &absent);
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, p->hash);
    if (status == LEAT_OK && strncmp(version, hash, strlen(hash)) != 0) {
        not_compared(r, "the live version is of another declaration and not rebuilt yet");
        return LEAT_OK;
    }
    if (status == LEAT_OK)
        status = open_version(r, version, &absent);
    if (status == LEAT_ABSENT) {
        (void)snprintf(r->why, sizeof r->why, "there is no live model in '%s'",
                       p->store == LEAT_MODEL_REDIS ? "Redis" : r->s.data_dir);
        r->result.why_not = r->why;
        return LEAT_OK;
    }
    if (status != LEAT_OK) {
        *err = absent;
        return status;
    }
    r->live_at =
        leat_arena_zalloc(r->s.arena, (size_t)r->s.topology->partitions, sizeof *r->live_at);
    LEAT_TRY(live_position(r, err), err, "live model");
    LEAT_TRY(leat_shape_read(&r->txn, &r->live_shape, err), err, "live model");
    live_let_go(r);
    return LEAT_OK;
}

/* False, with the reason, when the live model stands where this store has never been. */
static bool same_history(struct replay *r)
{
    static const struct leat_uuid none;
    for (int32_t k = 0; k < r->s.topology->partitions; k++) {
        const struct leat_checkpoint *at = &r->live_at[k];
        const struct leat_published *p = &r->scratch->slices[k];
        r->result.other_history = r->why;
        if (!leat_uuid_eq(&at->store_id, &none) && !leat_uuid_eq(&at->store_id, &p->store_id)) {
            (void)snprintf(r->why, sizeof r->why, "slice %d of it is of another store", (int)k);
            return false;
        }
        const struct leat_checkpoint *have = &r->scratch->fold->committed[k];
        if (have->seq == at->seq && at->seq > 0 && !leat_uuid_eq(&have->event_id, &at->event_id)) {
            (void)snprintf(r->why, sizeof r->why,
                           "at seq %lld of slice %d it applied another event than the store has",
                           (long long)at->seq, (int)k);
            return false;
        }
    }
    r->result.other_history = NULL;
    return true;
}

/* As far as the live model is, or as far as both can be. */
static bool goal_of_live(struct replay *r, int64_t *ret_seqs, struct leat_error *err)
{
    int32_t n = r->s.topology->partitions,
            *ks = leat_arena_zalloc(r->s.arena, (size_t)n, sizeof *ks);
    struct leat_published *now = NULL;
    for (int32_t k = 0; k < n; k++)
        ks[k] = k;
    if (leat_store_published(r->s.store, ks, (size_t)n, r->s.arena, &now, err) != LEAT_OK)
        return false;
    for (int32_t k = 0; k < n; k++) {
        ret_seqs[k] = r->live_at[k].seq;
        if (ret_seqs[k] > now[k].head_seq) {
            ret_seqs[k] = now[k].head_seq;
            (void)snprintf(r->why, sizeof r->why,
                           "it has applied seq %lld of slice %d; the store ends at %lld",
                           (long long)r->live_at[k].seq, (int)k, (long long)now[k].head_seq);
            r->result.other_history = r->why;
        }
    }
    return true;
}

/* Folds near the live model first, then holds its reading transaction for the short rest: LMDB
 * reuses no page while it is held. */
static leat_status meet_live(struct replay *r, struct leat_error *err)
{
    int64_t *seqs = leat_arena_zalloc(r->s.arena, (size_t)r->s.topology->partitions, sizeof *seqs);
    if (!goal_of_live(r, seqs, err))
        return err->status;
    LEAT_TRY(fold_to(r, seqs, err), err, "replay");
    LEAT_TRY(live_position(r, err), err, "live model");
    if (!goal_of_live(r, seqs, err))
        return err->status;
    LEAT_TRY(fold_to(r, seqs, err), err, "replay");
    if (r->result.other_history == NULL)
        (void)same_history(r);
    for (int32_t k = 0; k < r->s.topology->partitions; k++) {
        if (r->scratch->fold->committed[k].seq > seqs[k]) {
            return leat_fail(err, LEAT_RETRY, "the live model went back meanwhile (slice %d)",
                             (int)k);
        }
    }
    return LEAT_OK;
}

/* ---- the answer ---- */

static leat_status compare(struct replay *r, struct leat_env_txn *scratch, struct leat_error *err)
{
    struct leat_replay_result *res = &r->result;
    struct leat_replay_show show = {.result = res, .limit = r->o->limit, .json = r->o->json};
    struct leat_model_side live = {&r->txn, r->live_shape};
    LEAT_TRY(leat_model_sum(&live, &res->live_sum, err), err, "live model");
    if (r->o->json)
        leat_buf_putc(&res->differences, '[');
    res->c = (struct leat_comparison){.left = live,
                                      .right = {scratch, r->scratch->fold->shape},
                                      .sums_may_round = !r->projection->keyed_by_stream,
                                      .found = leat_replay_found,
                                      .arg = &show};
    LEAT_TRY(leat_models_compare(&res->c, err), err, "compare");
    if (r->o->json)
        leat_buf_putc(&res->differences, ']');
    res->compared = true;
    return LEAT_OK;
}

static leat_status sum_up(struct replay *r, struct leat_error *err)
{
    struct leat_env_txn t;
    struct leat_model_side side = {&t, r->scratch->fold->shape};
    LEAT_TRY(leat_env_read_begin(r->scratch->fold->env, &t, err), err, "scratch copy");
    leat_status status = leat_model_sum(&side, &r->result.sum, err);
    if (status == LEAT_OK && r->live != NULL)
        status = compare(r, &t, err);
    leat_env_read_end(&t);
    return status;
}

static leat_status check_store(const struct replay *r, struct leat_error *err)
{
    static const struct leat_uuid none;
    for (int32_t k = 0; k < r->s.topology->partitions; k++) {
        const struct leat_uuid *named = &r->end.stores[k];
        if (!leat_uuid_eq(named, &none) && !leat_uuid_eq(named, &r->scratch->slices[k].store_id)) {
            return leat_fail(err, LEAT_INVALID,
                             "--at-seq: slice %d of the position is of another "
                             "store",
                             (int)k);
        }
    }
    return LEAT_OK;
}

static leat_status fold_alone(struct replay *r, struct leat_error *err)
{
    leat_status status = check_store(r, err);
    if (status != LEAT_OK)
        return status;
    for (int32_t k = 0; k < r->s.topology->partitions; k++) {
        int64_t head = r->scratch->slices[k].head_seq;
        if (r->end.seqs[k] > head)
            r->end.seqs[k] = head;
    }
    return fold_to(r, r->end.seqs, err);
}

static leat_status replay(struct replay *r, struct leat_error *err)
{
    leat_status status =
        leat_replay_end_parse(r->o, r->s.topology->partitions, r->s.arena, &r->end, err);
    if (status == LEAT_OK)
        status = open_live(r, err);
    if (status == LEAT_OK)
        status = choose_folder(r, err);
    if (status != LEAT_OK)
        return status;
    struct leat_scratch_config c = {.topology = r->s.topology,
                                    .projection = r->projection,
                                    .schemas = r->s.schemas,
                                    .store = r->s.store,
                                    .dir = r->dir};
    status = leat_scratch_open(&c, &r->scratch, err);
    remove_temporary(r);
    if (status != LEAT_OK)
        return status;
    r->started_us = leat_mono_us();
    r->terminal = isatty(STDERR_FILENO) == 1;
    LEAT_TRY(r->live != NULL ? meet_live(r, err) : fold_alone(r, err), err, "model '%s'",
             r->projection->name.at);
    if (r->terminal)
        (void)fprintf(stderr, "\r\033[K");
    r->result.took_ms = (leat_mono_us() - r->started_us) / 1000;
    r->result.events = r->scratch->events;
    r->result.at = r->scratch->fold->committed;
    LEAT_TRY(sum_up(r, err), err, "model '%s'", r->projection->name.at);
    if (r->o->keep == NULL)
        return LEAT_OK;
    return leat_version_switch(r->o->keep, r->projection->name, strrchr(r->dir, '.') + 1, err);
}

static leat_status find_model(const struct leat_topology *t, const char *model,
                              const struct leat_projection **ret, struct leat_error *err)
{
    struct leat_suggest s;
    const struct leat_projection *p = leat_topology_projection(t, leat_str_of(model));
    if (p != NULL) {
        *ret = p;
        return LEAT_OK;
    }
    leat_suggest_start(&s, leat_str_of(model));
    for (uint32_t i = 0; i < t->n_projections; i++)
        leat_suggest_offer(&s, t->projections[i].name);
    (void)leat_fail(err, LEAT_INVALID, "there is no read model '%.100s'", model);
    if (s.best.len > 0)
        leat_error_hint(err, "did you mean '%.*s'?", LEAT_STR_FMT(s.best));
    return LEAT_INVALID;
}

int leat_replay_model(const struct leat_replay_options *o, const char *model)
{
    struct leat_error err = {0};
    struct replay *r = calloc(1, sizeof *r);
    leat_assert(r != NULL);
    r->o = o;
    int code = leat_session_open(&r->s, o->topology, o->data);
    if (code != LEAT_EXIT_GO_ON) {
        free(r);
        return code;
    }
    leat_buf_init(&r->result.differences, DIFFERENCES_MAX);
    leat_status status = find_model(r->s.topology, model, &r->projection, &err);
    if (status == LEAT_OK) {
        r->result.projection = r->projection;
        r->result.partitions = r->s.topology->partitions;
        (void)snprintf(r->result.version, sizeof r->result.version, "%016" PRIx64,
                       r->projection->hash);
        status = replay(r, &err);
    }
    code = status == LEAT_OK ? leat_replay_print(&r->result, o->json) : leat_cli_fail(&err);
    live_let_go(r);
    leat_shape_free(r->live_shape);
    leat_env_close(r->live);
    leat_scratch_close(r->scratch);
    remove_temporary(r);
    leat_buf_done(&r->result.differences);
    leat_session_close(&r->s);
    free(r);
    return code;
}
