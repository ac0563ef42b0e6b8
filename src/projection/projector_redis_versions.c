/* Which versions of the models in Redis a projector feeds: all that are whole, whoever made them,
 * until they are dropped; those of a former declaration by the declaration kept beside them. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "projection/projector.h"
#include "projection/redis_versions.h"
#include "topology/declaration.h"

#define AREA        "projection"
#define ARENA_BYTES 16384

static size_t count_models(const struct leat_topology *t)
{
    size_t n = 0;
    for (uint32_t i = 0; i < t->n_projections; i++)
        n += t->projections[i].store == LEAT_MODEL_REDIS;
    return n;
}

leat_status leat_projector_redis_open_model(struct leat_projector *p,
                                            struct leat_projector_model *m, struct leat_error *err)
{
    struct leat_redis_model model = {m->older != NULL ? m->older : p->topology, m->projection};
    struct leat_arena *arena = leat_arena_new(ARENA_BYTES, 0);
    struct leat_redis_fold_config c = {.topology = p->topology,
                                       .projection = m->projection,
                                       .version = m->version,
                                       .declaration = leat_redis_declaration_text(&model, arena),
                                       .cache_bytes = (size_t)p->topology->redis.cache_bytes /
                                                      count_models(p->topology)};
    leat_status status = leat_redis_fold_open(&c, &m->fold, err);
    leat_arena_free(arena);
    for (int32_t k = 0; k < p->partitions && status == LEAT_OK; k++)
        m->checked_seq[k] = -1;
    return status;
}

static bool is_of(const struct leat_projector_model *m, const struct leat_projection *decl)
{
    return leat_str_eq(m->projection->name, decl->name);
}

static struct leat_projector_model *fed(struct leat_projector *p,
                                        const struct leat_projection *decl, const char *version)
{
    for (size_t i = 0; i < p->n_models; i++) {
        if (is_of(&p->models[i], decl) && strcmp(p->models[i].version, version) == 0)
            return &p->models[i];
    }
    return NULL;
}

/* ---- taking on ---- */

static leat_status load_older(const struct leat_redis_model *rm, const char *version,
                              struct leat_topology **ret, struct leat_error *err)
{
    struct leat_arena *arena = leat_arena_new(ARENA_BYTES, 0);
    struct leat_str text = {NULL, 0};
    leat_status status = leat_redis_version_declaration(rm, version, arena, &text, err);
    if (status == LEAT_OK && text.len == 0)
        status = leat_fail(err, LEAT_INVALID, "what it is a fold by is not kept in Redis");
    if (status == LEAT_OK)
        status = leat_declaration_load(text, ret, err);
    leat_arena_free(arena);
    return status;
}

static leat_status open_version(struct leat_projector *p, const struct leat_redis_model *rm,
                                const char *version, struct leat_error *err)
{
    const struct leat_projection *decl = rm->projection;
    struct leat_topology *older = NULL;
    if (p->n_models == p->cap_models)
        return leat_fail(err, LEAT_INVALID, "there are too many versions: drop some");
    if (leat_version_hash(version) != decl->hash) {
        LEAT_TRY(load_older(rm, version, &older, err), err, "version %s", version);
        older->projections[0].hash = leat_version_hash(version);
        decl = &older->projections[0];
    }
    struct leat_projector_model *m = &p->models[p->n_models];
    leat_projector_model_init(p, m, decl);
    m->older = older;
    (void)snprintf(m->version, sizeof m->version, "%s", version);
    leat_status status = leat_projector_open_model(p, m, err);
    if (status != LEAT_OK) {
        leat_projector_close_model(m);
        leat_projector_model_done(m);
        memset(m, 0, sizeof *m);
        return status;
    }
    p->n_models++;
    return LEAT_OK;
}

static void feed(struct leat_projector *p, const struct leat_redis_model *rm, const char *version)
{
    struct leat_error err = {0};
    if (open_version(p, rm, version, &err) != LEAT_OK) {
        leat_log_limited_kv(LEAT_LOG_WARN, AREA, "version-not-fed",
                            LEAT_LOG_FIELDS(LEAT_LOG_STR("model", rm->projection->name),
                                            LEAT_LOG_CSTR("version", version)),
                            "%s", err.msg);
        return;
    }
    leat_log_kv(LEAT_LOG_INFO, AREA, "version-fed",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("model", rm->projection->name),
                                LEAT_LOG_CSTR("version", version)),
                "this version is kept up to date");
}

/* ---- letting go ---- */

/* What this process may have written since the keys were removed goes too. */
static leat_status let_go_of_dropped(struct leat_projector *p, const struct leat_redis_model *rm,
                                     const struct leat_redis_versions *v, struct leat_error *err)
{
    for (size_t i = p->n_models; i-- > 0;) {
        struct leat_projector_model *m = &p->models[i];
        if (!is_of(m, rm->projection) || !leat_redis_version_was_dropped(v, m->version))
            continue;
        if (m->fold != NULL)
            LEAT_TRY(leat_redis_fold_remove(m->fold, err), err, "version %s", m->version);
        leat_log_kv(LEAT_LOG_INFO, AREA, "version-gone",
                    LEAT_LOG_FIELDS(LEAT_LOG_STR("model", rm->projection->name),
                                    LEAT_LOG_CSTR("version", m->version)),
                    "this version was dropped");
        leat_projector_let_go(p, m);
    }
    return LEAT_OK;
}

/* ---- which one readers use ---- */

/* The newest of the declaration. */
static struct leat_projector_model *newest(struct leat_projector *p,
                                           const struct leat_projection *decl,
                                           const struct leat_redis_versions *v)
{
    struct leat_projector_model *found = NULL;
    for (size_t i = 0; i < p->n_models; i++) {
        struct leat_projector_model *m = &p->models[i];
        if (!is_of(m, decl) || m->projection->hash != decl->hash)
            continue;
        const struct leat_version *x = leat_versions_find(&v->all, m->version);
        const struct leat_version *y =
            found == NULL ? NULL : leat_versions_find(&v->all, found->version);
        if (found == NULL || (x != NULL && (y == NULL || x->number > y->number)))
            found = m;
    }
    return found;
}

/* Of a pointer that was lost, this process knows what it was: it is written again. Between versions
 * of one declaration, and against a declaration, persons choose. */
static void note_current(struct leat_projector *p, const struct leat_projection *decl,
                         const struct leat_redis_versions *v)
{
    bool known = v->current[0] != 0 && !leat_redis_version_was_dropped(v, v->current);
    bool had_one = false;
    for (size_t i = 0; i < p->n_models; i++) {
        struct leat_projector_model *m = &p->models[i];
        if (!is_of(m, decl))
            continue;
        m->wants = false;
        if (known)
            m->current = strcmp(m->version, v->current) == 0;
        had_one = had_one || m->current;
        if (m->fold != NULL)
            leat_redis_fold_set_current(m->fold, m->current);
    }
    bool chosen =
        known ? leat_version_hash(v->current) == decl->hash || v->held == decl->hash : had_one;
    struct leat_projector_model *m = newest(p, decl, v);
    if (m != NULL)
        m->wants = !chosen;
}

/* ---- following ---- */

static leat_status follow_model(struct leat_projector *p, const struct leat_redis_model *rm,
                                struct leat_redis_versions *v, struct leat_error *err)
{
    LEAT_TRY(leat_redis_versions_read(rm, v, err), err, "model '%.*s'",
             LEAT_STR_FMT(rm->projection->name));
    LEAT_TRY(let_go_of_dropped(p, rm, v, err), err, "model '%.*s'",
             LEAT_STR_FMT(rm->projection->name));
    for (size_t i = 0; i < v->all.n; i++) {
        const struct leat_version *x = &v->all.at[i];
        if (!x->building && fed(p, rm->projection, x->name) == NULL)
            feed(p, rm, x->name);
    }
    if (newest(p, rm->projection, v) == NULL) { /* from the first event */
        char version[LEAT_VERSION_BYTES];
        leat_redis_version_next(v, rm->projection->hash, version);
        feed(p, rm, version);
        p->redis->lost = true;
    }
    note_current(p, rm->projection, v);
    return LEAT_OK;
}

leat_status leat_projector_redis_follow(struct leat_projector *p, struct leat_error *err)
{
    for (uint32_t i = 0; i < p->topology->n_projections; i++) {
        const struct leat_redis_model rm = {p->topology, &p->topology->projections[i]};
        struct leat_redis_versions v = {.held = 0};
        if (rm.projection->store != LEAT_MODEL_REDIS || rm.projection->module != NULL)
            continue; /* leat_topology_unsupported() has said so */
        leat_status status = follow_model(p, &rm, &v, err);
        leat_redis_versions_free(&v);
        if (status != LEAT_OK)
            return status;
    }
    return LEAT_OK;
}
