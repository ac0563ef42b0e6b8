/* projector_redis.c - what is different about models in Redis: a share of the slices instead of all
 * of them, slices that are loaded and looked after one by one, a server that may be away. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "projection/projector.h"

#define AREA     "projection"
#define AGAIN_MS 200

leat_status leat_projector_redis_new(struct leat_projector *p,
                                     const struct leat_projector_config *c, struct leat_error *err)
{
    size_t n = (size_t)p->partitions;
    struct leat_projector_redis *r = calloc(1, sizeof *r);
    leat_assert(r != NULL);
    p->redis = r;
    p->n_slices = 0;
    r->owned = calloc(n, sizeof *r->owned);
    r->spare = calloc(n, sizeof *r->spare);
    r->complete_ms = calloc(n, sizeof *r->complete_ms);
    leat_assert(r->owned != NULL && r->spare != NULL && r->complete_ms != NULL);
    const struct leat_shares_config sc = {p->topology, c->instance_id, c->session_timeout_ms};
    return leat_shares_start(&sc, &r->shares, err);
}

void leat_projector_redis_free(struct leat_projector *p)
{
    struct leat_projector_redis *r = p->redis;
    if (r == NULL)
        return;
    leat_shares_stop(r->shares);
    free(r->owned);
    free(r->spare);
    free(r->complete_ms);
    free(r);
    p->redis = NULL;
}

bool leat_projector_takes(const struct leat_projector *p, const struct leat_projector_model *m,
                          int32_t k)
{
    return p->redis == NULL || (m->fold != NULL && leat_redis_fold_loaded(m->fold, k));
}

/* ---- the share ---- */

static void hand_over(struct leat_projector *p, int32_t k)
{
    for (size_t i = 0; i < p->n_models; i++) {
        struct leat_projector_model *m = &p->models[i];
        m->checked_seq[k] = -1;
        m->target[k] = 0;
        if (m->fold != NULL)
            leat_redis_fold_unload(m->fold, k);
    }
}

static bool share_moved(struct leat_projector *p)
{
    struct leat_projector_redis *r = p->redis;
    uint64_t changes = leat_shares_owned(r->shares, r->spare);
    if (changes == r->changes)
        return false;
    leat_projector_commit(p, true); /* no harm if another was quicker */
    p->n_slices = 0;
    for (int32_t k = 0; k < p->partitions; k++) {
        if (r->owned[k] && !r->spare[k])
            hand_over(p, k);
        r->owned[k] = r->spare[k];
        if (r->owned[k])
            p->slices[p->n_slices++] = k;
    }
    r->changes = changes;
    p->checked_us = 0;
    return true;
}

static leat_status load(struct leat_projector *p, struct leat_projector_model *m,
                        struct leat_error *err)
{
    int32_t ks[LEAT_PARTITIONS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < p->n_slices; i++) {
        if (!leat_redis_fold_loaded(m->fold, p->slices[i]))
            ks[n++] = p->slices[i];
    }
    return n == 0 ? LEAT_OK : leat_redis_fold_load(m->fold, ks, n, err);
}

static bool redis_is_away(struct leat_projector *p, const struct leat_error *why)
{
    leat_log_limited(LEAT_LOG_WARN, AREA, "redis-away", "%s%s%s", why->msg,
                     why->hint[0] == 0 ? "" : ". ", why->hint);
    leat_projector_wait(p, AGAIN_MS);
    return !atomic_load(&p->stop);
}

bool leat_projector_redis_works(struct leat_projector *p, bool *ret_moved)
{
    struct leat_error err = {0};
    *ret_moved = share_moved(p) || p->redis->lost; /* read again from where the slices stand now */
    p->redis->lost = false;
    if (p->n_slices == 0) {
        p->store_lag = 0; /* of our share */
        leat_projector_wait(p, AGAIN_MS);
        return false;
    }
    if (p->n_models == 0 && leat_projector_redis_follow(p, &err) != LEAT_OK) {
        p->store_lag = -1;
        (void)redis_is_away(p, &err);
        return false;
    }
    for (size_t i = 0; i < p->n_models; i++) {
        struct leat_projector_model *m = &p->models[i];
        if (m->fold == NULL || load(p, m, &err) == LEAT_OK)
            continue;
        p->store_lag = -1;
        (void)redis_is_away(p, &err);
        return false;
    }
    return true;
}

/* ---- writing ---- */

static void tell_what_was_found(struct leat_projector *p, struct leat_projector_model *m)
{
    uint64_t cleared = leat_redis_fold_cleared(m->fold) + m->fold->figures.rewound;
    if (cleared == m->cleared_told)
        return;
    leat_log_kv(LEAT_LOG_WARN, AREA, "redis-lost",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("model", m->projection->name),
                                LEAT_LOG_INT("slices", (int64_t)(cleared - m->cleared_told))),
                "Redis does not hold what was written: folding again from what it holds");
    m->cleared_told = cleared;
    p->redis->lost = true;
}

leat_status leat_projector_redis_commit(struct leat_projector *p, struct leat_projector_model *m,
                                        struct leat_error *err)
{
    leat_status status = leat_fold_commit(m->fold, err);
    while (status == LEAT_RETRY && redis_is_away(p, err)) {
        *err = (struct leat_error){0};
        status = leat_fold_commit(m->fold, err);
    }
    tell_what_was_found(p, m);
    return status;
}

static leat_status look(struct leat_projector *p, struct leat_projector_model *m,
                        struct leat_error *err)
{
    struct leat_projector_redis *r = p->redis;
    int32_t ks[LEAT_PARTITIONS_MAX];
    size_t n = 0;
    bool changes = false, switched = false;
    if (leat_fold_kept(m->fold, &changes) > 0)
        return LEAT_OK; /* the commit to come looks as well */
    for (size_t i = 0; i < p->n_slices; i++) {
        int32_t k = p->slices[i];
        if (!leat_redis_fold_loaded(m->fold, k))
            continue;
        bool complete = m->target_ms > 0 && m->fold->committed[k].seq >= m->target[k];
        r->complete_ms[n] = complete ? m->target_ms : 0;
        ks[n++] = k;
    }
    LEAT_TRY(leat_redis_fold_look(m->fold, ks, n, r->complete_ms, err), err, "model '%.*s'",
             LEAT_STR_FMT(m->projection->name));
    tell_what_was_found(p, m);
    if (m->current || !m->wants)
        return LEAT_OK;
    LEAT_TRY(leat_redis_fold_switch(m->fold, &m->current, &switched, err), err, "model '%.*s'",
             LEAT_STR_FMT(m->projection->name));
    if (switched) {
        leat_log_kv(LEAT_LOG_INFO, AREA, "version-switched",
                    LEAT_LOG_FIELDS(LEAT_LOG_STR("model", m->projection->name),
                                    LEAT_LOG_CSTR("version", m->version)),
                    "readers use the new version");
    }
    return LEAT_OK;
}

void leat_projector_redis_check(struct leat_projector *p)
{
    struct leat_error away = {0};
    leat_projector_commit(p, true);
    if (leat_projector_redis_follow(p, &away) != LEAT_OK) {
        (void)redis_is_away(p, &away);
        return;
    }
    for (size_t i = 0; i < p->n_models; i++) {
        struct leat_projector_model *m = &p->models[i];
        struct leat_error err = {0};
        if (m->fold == NULL || m->refused || look(p, m, &err) == LEAT_OK)
            continue;
        (void)redis_is_away(p, &err);
        return;
    }
}
