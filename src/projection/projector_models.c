#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "projection/projector_versions.h"

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

void leat_projector_refuse_slice(struct leat_projector_model *m, int32_t k, const char *fmt, ...)
{
    va_list args;
    if (m->refused)
        return;
    va_start(args, fmt);
    (void)vsnprintf(m->why, sizeof m->why, fmt, args);
    va_end(args);
    m->refused = true;
    m->refused_slice = k;
}

void leat_projector_model_init(const struct leat_projector *p, struct leat_projector_model *m,
                               const struct leat_projection *projection)
{
    size_t n = (size_t)p->partitions;
    *m = (struct leat_projector_model){.projection = projection, .fresh_fd = -1};
    m->target = calloc(n, sizeof *m->target);
    m->checked_seq = calloc(n, sizeof *m->checked_seq);
    m->still_checks = calloc(n, sizeof *m->still_checks);
    leat_assert(m->target != NULL && m->checked_seq != NULL && m->still_checks != NULL);
}

void leat_projector_model_done(struct leat_projector_model *m)
{
    free(m->target);
    free(m->checked_seq);
    free(m->still_checks);
    leat_topology_free(m->older);
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

void leat_projector_let_go(struct leat_projector *p, struct leat_projector_model *m)
{
    leat_projector_close_model(m);
    p->gone.applied += m->before.applied;
    p->gone.dropped += m->before.dropped;
    p->gone.transactions += m->before.transactions;
    leat_projector_model_done(m);
    struct leat_projector_model *last = &p->models[--p->n_models];
    if (m != last)
        *m = *last;
    memset(last, 0, sizeof *last);
}

leat_status leat_projector_open_model(struct leat_projector *p, struct leat_projector_model *m,
                                      struct leat_error *err)
{
    const struct leat_projection *decl = m->projection;
    m->refused = m->current = false;
    m->target_ms = 0;
    if (p->redis != NULL)
        return leat_projector_redis_open_model(p, m, err);
    LEAT_TRY(leat_fold_open(decl, p->partitions, m->dir, 0, &m->fold, err), err, "open");
    LEAT_TRY(leat_fresh_open(m->dir, true, &m->fresh_fd, err), err, "open");
    for (int32_t k = 0; k < p->partitions; k++)
        m->checked_seq[k] = -1;
    return LEAT_OK;
}

static void note_complete(struct leat_projector *p, struct leat_projector_model *m)
{
    if (m->target_ms == 0 || p->redis != NULL) /* Redis: slice by slice, when it was looked at */
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
    leat_status status = p->redis != NULL ? leat_projector_redis_commit(p, m, &err)
                                          : leat_fold_commit(m->fold, &err);
    m->committed_us = leat_mono_us();
    if (status == LEAT_FENCED) {
        leat_projector_refuse(m, "%s", err.msg);
    } else if (status != LEAT_OK) {
        leat_log_error(LEAT_LOG_ERROR, AREA, "commit-failed", &err);
        leat_projector_wait(p, FAILED_COMMIT_MS); /* a full disk does not get better by trying */
    }
}

static void commit_kept(struct leat_projector *p, struct leat_projector_model *m, bool force)
{
    bool changes = false;
    if (m->fold == NULL || m->refused)
        return;
    if (leat_fold_kept(m->fold, &changes) > 0 &&
        (changes || force || leat_mono_us() - m->committed_us >= BARE_CHECKPOINT_US))
        commit_model(p, m);
    note_complete(p, m);
}

/* The versions that readers use come last: whichever they switch to is never behind. */
void leat_projector_commit(struct leat_projector *p, bool force)
{
    for (int current = 0; current < 2; current++) {
        for (size_t i = 0; i < p->n_models; i++) {
            if (p->models[i].current == (current == 1))
                commit_kept(p, &p->models[i], force);
        }
    }
}

static void clear_slice(struct leat_projector_model *m)
{
    struct leat_error err = {0};
    leat_log_kv(LEAT_LOG_ERROR, AREA, "slice-refused",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("model", m->projection->name),
                                LEAT_LOG_INT("slice", m->refused_slice)),
                "folding the slice again from the store: %s", m->why);
    if (leat_redis_fold_clear(m->fold, m->refused_slice, &err) != LEAT_OK)
        leat_log_error(LEAT_LOG_ERROR, AREA, "clear-failed", &err); /* found again by the check */
}

static void replace_model(struct leat_projector *p, struct leat_projector_model *m)
{
    if (p->redis == NULL) {
        leat_projector_give_up(p, m); /* its successor is seen to by leat_projector_follow() */
    } else if (m->fold != NULL) {
        clear_slice(m);
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

bool leat_projector_replace_refused(struct leat_projector *p)
{
    bool any = false;
    for (size_t i = p->n_models; i-- > 0;) { /* the last one may take the place of one that goes */
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
    struct leat_projector_figures sum = {.repaired = p->repaired,
                                         .lag = p->store_lag,
                                         .applied = p->gone.applied,
                                         .dropped = p->gone.dropped,
                                         .transactions = p->gone.transactions};
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
