#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "projection/projector.h"

/* A batch without changes to any row moves only checkpoints: those may wait this long. */
#define BARE_CHECKPOINT_US 200000
#define FAILED_COMMIT_MS   500
#define OPEN_AGAIN_US      5000000
#define AREA               "projection"

void leat_projector_refuse(struct leat_projector_model *m, const char *fmt, ...)
{
    if (m->refused)
        return;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(m->why, sizeof m->why, fmt, args);
    va_end(args);
    m->refused = true;
}

void leat_projector_close_model(struct leat_projector_model *m)
{
    if (m->fold != NULL) {
        const struct leat_fold_figures *f = &m->fold->figures;
        m->before.applied += f->applied;
        m->before.dropped += f->dropped;
        m->before.transactions += f->transactions;
    }
    leat_fold_close(m->fold);
    m->fold = NULL;
    if (m->fresh_fd >= 0)
        (void)close(m->fresh_fd);
    m->fresh_fd = -1;
}

/* Is every slice of the version at or past what readers have now? */
static bool caught_up(struct leat_projector *p, const struct leat_projector_model *m,
                      const char *current)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    struct leat_env *env = NULL;
    struct leat_env_txn t;
    struct leat_checkpoint at[LEAT_PARTITIONS_MAX];
    struct leat_error err = {0};
    if (leat_version_dir(p->data_dir, m->projection->name, current, dir, &err) != LEAT_OK ||
        leat_env_open(dir, false, 0, &env, &err) != LEAT_OK)
        return true; /* the old one is gone */
    bool reached = true;
    if (leat_env_read_begin(env, &t, &err) == LEAT_OK) {
        if (leat_checkpoints_read(&t, p->partitions, at, &err) == LEAT_OK) {
            for (int32_t k = 0; k < p->partitions && reached; k++) {
                /* Of another store, or of before a fork: what is published now is to be reached. */
                bool same = leat_uuid_eq(&m->fold->committed[k].store_id, &at[k].store_id);
                reached = m->fold->committed[k].seq >= (same ? at[k].seq : m->target[k]);
            }
        }
        leat_env_read_end(&t);
    }
    leat_env_close(env);
    return reached;
}

static void switch_when_ready(struct leat_projector *p, struct leat_projector_model *m)
{
    char current[LEAT_VERSION_BYTES];
    struct leat_error err = {0};
    leat_status status = leat_version_current(p->data_dir, m->projection->name, current, &err);
    if (status == LEAT_OK && strcmp(current, m->version) == 0) {
        m->current = true;
        return;
    }
    if (status == LEAT_OK && !caught_up(p, m, current))
        return;
    status = leat_version_switch(p->data_dir, m->projection->name, m->version, &err);
    if (status != LEAT_OK) {
        leat_log_error(LEAT_LOG_ERROR, AREA, "switch-failed", &err);
        return;
    }
    m->current = true;
    leat_log_kv(LEAT_LOG_INFO, AREA, "version-switched",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("model", m->projection->name),
                                LEAT_LOG_CSTR("version", m->version)),
                "readers use the new version");
}

leat_status leat_projector_open_model(struct leat_projector *p, struct leat_projector_model *m,
                                      struct leat_error *err)
{
    const struct leat_projection *decl = m->projection;
    m->refused = m->current = false;
    m->target_ms = 0;
    LEAT_TRY(leat_version_pick(p->data_dir, decl->name, decl->hash, m->version, err), err, "open");
    LEAT_TRY(leat_version_dir(p->data_dir, decl->name, m->version, m->dir, err), err, "open");
    LEAT_TRY(leat_fold_open(decl, p->partitions, m->dir, 0, &m->fold, err), err, "open");
    LEAT_TRY(leat_fresh_open(m->dir, true, &m->fresh_fd, err), err, "open");
    for (int32_t k = 0; k < p->partitions; k++)
        m->checked_seq[k] = -1;
    switch_when_ready(p, m);
    return LEAT_OK;
}

static void note_complete(struct leat_projector *p, struct leat_projector_model *m)
{
    if (m->target_ms == 0)
        return;
    for (int32_t k = 0; k < p->partitions; k++) {
        if (m->fold->committed[k].seq < m->target[k])
            return;
    }
    leat_fresh_write(m->fresh_fd, m->target_ms);
    m->target_ms = 0;
}

static void commit_model(struct leat_projector *p, struct leat_projector_model *m)
{
    struct leat_error err = {0};
    leat_status status = leat_fold_commit(m->fold, &err);
    m->committed_us = leat_mono_us();
    if (status == LEAT_FENCED) {
        leat_projector_refuse(m, "%s", err.msg);
    } else if (status != LEAT_OK) {
        leat_log_error(LEAT_LOG_ERROR, AREA, "commit-failed", &err);
        leat_projector_wait(p, FAILED_COMMIT_MS); /* a full disk does not get better by trying */
    } else if (!m->current)
        switch_when_ready(p, m);
}

void leat_projector_commit(struct leat_projector *p, bool force)
{
    int64_t now_us = leat_mono_us();
    for (size_t i = 0; i < p->n_models; i++) {
        struct leat_projector_model *m = &p->models[i];
        bool changes = false;
        if (m->fold == NULL || m->refused)
            continue;
        if (leat_fold_kept(m->fold, &changes) > 0 &&
            (changes || force || now_us - m->committed_us >= BARE_CHECKPOINT_US))
            commit_model(p, m);
        note_complete(p, m);
    }
}

static void replace_model(struct leat_projector *p, struct leat_projector_model *m)
{
    struct leat_error err = {0};
    leat_log_kv(LEAT_LOG_ERROR, AREA, "version-refused",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("model", m->projection->name),
                                LEAT_LOG_CSTR("version", m->version)),
                "rebuilding from the store: %s", m->why);
    if (leat_version_refuse(m->dir, m->why, &err) != LEAT_OK)
        leat_log_error(LEAT_LOG_ERROR, AREA, "refuse-failed", &err);
    leat_projector_close_model(m);
    if (leat_projector_open_model(p, m, &err) != LEAT_OK) {
        leat_log_error(LEAT_LOG_ERROR, AREA, "open-failed", &err);
        leat_projector_close_model(m);
    }
}

/* A model that could not be opened (a full disk) is tried again. */
static bool open_again(struct leat_projector *p, struct leat_projector_model *m)
{
    struct leat_error err = {0};
    if (leat_mono_us() - m->committed_us < OPEN_AGAIN_US)
        return false;
    m->committed_us = leat_mono_us();
    if (leat_projector_open_model(p, m, &err) == LEAT_OK)
        return true;
    leat_log_error(LEAT_LOG_ERROR, AREA, "open-failed", &err);
    leat_projector_close_model(m);
    return false;
}

void leat_projector_reopen(struct leat_projector *p)
{
    struct leat_error err = {0};
    for (size_t i = 0; i < p->n_models; i++) {
        struct leat_projector_model *m = &p->models[i];
        leat_projector_close_model(m);
        if (leat_projector_open_model(p, m, &err) == LEAT_OK)
            continue;
        leat_log_error(LEAT_LOG_ERROR, AREA, "open-failed", &err);
        leat_projector_close_model(m); /* tried again by leat_projector_replace_refused() */
    }
}

bool leat_projector_replace_refused(struct leat_projector *p)
{
    bool any = false;
    for (size_t i = 0; i < p->n_models; i++) {
        struct leat_projector_model *m = &p->models[i];
        if (m->refused) {
            m->refused = false;
            replace_model(p, m);
            any = true;
        } else if (m->fold == NULL) {
            any = open_again(p, m) || any;
        }
    }
    return any;
}

void leat_projector_update_figures(struct leat_projector *p)
{
    struct leat_projector_figures sum = {.repaired = p->repaired, .lag = p->store_lag};
    for (size_t i = 0; i < p->n_models; i++) {
        const struct leat_projector_model *m = &p->models[i];
        sum.applied += m->before.applied;
        sum.dropped += m->before.dropped;
        sum.transactions += m->before.transactions;
        if (m->fold == NULL)
            continue;
        sum.applied += m->fold->figures.applied;
        sum.dropped += m->fold->figures.dropped;
        sum.transactions += m->fold->figures.transactions;
        sum.skipped += m->fold->figures.skipped;
        sum.foreign += m->fold->figures.foreign + m->fold->figures.mismatched;
    }
    (void)pthread_mutex_lock(&p->figures_lock);
    p->figures = sum;
    (void)pthread_mutex_unlock(&p->figures_lock);
}
