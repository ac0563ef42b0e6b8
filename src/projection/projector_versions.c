#include "projection/projector_versions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "projection/rebuild.h"
#include "projection/version_state.h"
#include "topology/declaration.h"

#define AREA             "projection"
#define LOOK_EVERY_US    250000
#define READERS_EVERY_US 15000000
#define TRY_AGAIN_US     5000000

struct build { /* a thread that builds one version */
    struct leat_projector *p;
    const struct leat_projection *projection;
    char version[LEAT_VERSION_BYTES];
    pthread_t thread;
    atomic_bool ended;
};

struct declared { /* a model of the topology */
    const struct leat_projection *projection;
    struct build *build;
    bool wants;                     /* to switch to its declaration's version */
    uint64_t stamp;                 /* of the current version, when it began to want that */
    char tried[LEAT_VERSION_BYTES]; /* could not be fed last, at: */
    int64_t tried_us;
    int64_t built_us; /* a build was begun last */
};

struct leat_projector_versions {
    struct declared *at;
    size_t n;
    int64_t looked_us, readers_us;
};

/* ---- versions that are fed ---- */

static struct leat_projector_model *fed(struct leat_projector *p, const struct declared *d,
                                        const char *version)
{
    for (size_t i = 0; i < p->n_models; i++) {
        struct leat_projector_model *m = &p->models[i];
        if (leat_str_eq(m->projection->name, d->projection->name) &&
            strcmp(m->version, version) == 0)
            return m;
    }
    return NULL;
}

void leat_projector_give_up(struct leat_projector *p, struct leat_projector_model *m)
{
    struct leat_error err = {0};
    leat_log_kv(LEAT_LOG_ERROR, AREA, "version-refused",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("model", m->projection->name),
                                LEAT_LOG_CSTR("version", m->version)),
                "rebuilding from the store: %s", m->why);
    if (leat_version_refuse(m->dir, m->why, &err) != LEAT_OK)
        leat_log_error(LEAT_LOG_ERROR, AREA, "refuse-failed", &err);
    for (size_t i = 0; i < p->versions->n; i++) {
        struct declared *d = &p->versions->at[i];
        if (!leat_str_eq(d->projection->name, m->projection->name))
            continue;
        d->wants = true;
        d->stamp = leat_version_stamp(p->data_dir, d->projection->name);
    }
    leat_projector_let_go(p, m);
}

/* What an older version is a fold by: *ret_owner holds it. */
static leat_status load_older(const char *dir, uint64_t hash, struct leat_topology **ret_owner,
                              const struct leat_projection **ret, struct leat_error *err)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    struct leat_topology *t = NULL;
    leat_buf_init(&text, LEAT_DECLARATION_BYTES_MAX);
    LEAT_TRY(leat_version_read(dir, "declaration", LEAT_DECLARATION_BYTES_MAX, &text, err), err,
             "declaration");
    LEAT_TRY(leat_declaration_load(leat_buf_str(&text), &t, err), err, "declaration");
    t->projections[0].hash = hash;
    *ret_owner = t;
    *ret = &t->projections[0];
    return LEAT_OK;
}

/* Opens a version; `declared_hash` false: by the declaration in its folder. */
static leat_status open_version(struct leat_projector *p, const struct declared *d,
                                const char *version, struct leat_projector_model **ret,
                                struct leat_error *err)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    struct leat_topology *older = NULL;
    const struct leat_projection *decl = d->projection;
    uint64_t hash = leat_version_hash(version);
    if (p->n_models == p->cap_models)
        return leat_fail(err, LEAT_INVALID,
                         "there are too many versions: leat model drop --former");
    LEAT_TRY(leat_version_dir(p->data_dir, decl->name, version, dir, err), err, "open");
    if (hash != decl->hash)
        LEAT_TRY(load_older(dir, hash, &older, &decl, err), err, "version %s", version);
    if (older != NULL && decl->is_coded) { /* its code is not there any more */
        leat_topology_free(older);
        return leat_fail(err, LEAT_INVALID,
                         "version %s was written by other C code: it stays as it is", version);
    }
    struct leat_projector_model *m = &p->models[p->n_models];
    leat_projector_model_init(p, m, decl);
    m->older = older;
    (void)snprintf(m->version, sizeof m->version, "%s", version);
    memcpy(m->dir, dir, sizeof m->dir);
    leat_status status = leat_projector_open_model(p, m, err);
    if (status != LEAT_OK) {
        leat_projector_close_model(m);
        leat_projector_model_done(m);
        memset(m, 0, sizeof *m);
        return status;
    }
    p->n_models++;
    *ret = m;
    return LEAT_OK;
}

/* What the others have applied already and this one has not is taken from the store at once. */
static void bring_up(struct leat_projector *p, const char *version, const struct declared *d)
{
    struct leat_error err = {0};
    for (int32_t k = 0; k < p->partitions; k++) {
        const struct leat_projector_model *m = fed(p, d, version);
        int64_t to = 0;
        for (size_t i = 0; i < p->n_models; i++) {
            const struct leat_fold *f = p->models[i].fold;
            if (f != NULL && f->seen[k].seq > to)
                to = f->seen[k].seq;
        }
        if (m == NULL || m->fold == NULL || m->fold->seen[k].seq >= to)
            continue;
        if (leat_projector_repair(p, k, m->fold->seen[k].seq + 1, to, &err) != LEAT_OK &&
            !atomic_load(&p->stop))
            leat_log_error(LEAT_LOG_WARN, AREA, "not-brought-up", &err); /* the check does it */
    }
}

static void feed(struct leat_projector *p, struct declared *d, const struct leat_version *v,
                 bool running)
{
    struct leat_projector_model *m = NULL;
    struct leat_error err = {0};
    int64_t now_us = leat_mono_us();
    if (strcmp(d->tried, v->name) == 0 && now_us - d->tried_us < TRY_AGAIN_US)
        return;
    leat_status status = open_version(p, d, v->name, &m, &err);
    if (status == LEAT_OK && v->hash == d->projection->hash) /* it may be older than that file */
        status = leat_rebuild_declare(m->dir, p->topology, d->projection, &err);
    if (status != LEAT_OK && m == NULL) {
        memcpy(d->tried, v->name, sizeof d->tried);
        d->tried_us = now_us;
        leat_log_limited_kv(LEAT_LOG_WARN, AREA, "version-not-fed",
                            LEAT_LOG_FIELDS(LEAT_LOG_STR("model", d->projection->name),
                                            LEAT_LOG_CSTR("version", v->name)),
                            "%s", err.msg);
        return;
    }
    m->folder = v->folder;
    d->tried[0] = 0;
    leat_log_kv(LEAT_LOG_INFO, AREA, "version-fed",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("model", d->projection->name),
                                LEAT_LOG_CSTR("version", v->name)),
                "this version is kept up to date");
    if (running)
        bring_up(p, v->name, d);
}

static void let_go_of_gone(struct leat_projector *p, const struct declared *d,
                           const struct leat_versions *all)
{
    for (size_t i = p->n_models; i-- > 0;) {
        struct leat_projector_model *m = &p->models[i];
        if (!leat_str_eq(m->projection->name, d->projection->name))
            continue;
        const struct leat_version *v = leat_versions_find(all, m->version);
        if (v != NULL && m->folder == 0)
            m->folder = v->folder;
        if (v != NULL && v->folder == m->folder && !v->refused)
            continue;
        leat_log_kv(LEAT_LOG_INFO, AREA, "version-gone",
                    LEAT_LOG_FIELDS(LEAT_LOG_STR("model", d->projection->name),
                                    LEAT_LOG_CSTR("version", m->version)),
                    "this version was dropped");
        leat_projector_let_go(p, m);
    }
}

/* ---- builds ---- */

static void *build_main(void *arg)
{
    struct build *b = arg;
    struct leat_error err = {0};
    struct leat_rebuild_result r = {0};
    (void)pthread_setname_np(pthread_self(), "rebuild");
    struct leat_rebuild_config c = {.topology = b->p->topology,
                                    .projection = b->projection,
                                    .schemas = b->p->schemas,
                                    .store = &b->p->store_options,
                                    .data_dir = b->p->data_dir,
                                    .version = b->version,
                                    .stop = &b->p->stop};
    leat_status status = leat_rebuild_run(&c, &r, &err);
    if (status == LEAT_OK) {
        leat_log_kv(LEAT_LOG_INFO, AREA, "version-built",
                    LEAT_LOG_FIELDS(LEAT_LOG_STR("model", b->projection->name),
                                    LEAT_LOG_CSTR("version", b->version),
                                    LEAT_LOG_INT("events", (int64_t)r.events),
                                    LEAT_LOG_INT("took_ms", r.took_ms)),
                    "built from the store");
    } else if (!atomic_load(&b->p->stop)) {
        leat_log_error(LEAT_LOG_WARN, AREA, "build-broken-off", &err);
    }
    atomic_store(&b->ended, true);
    return NULL;
}

static void join_build(struct declared *d)
{
    if (d->build == NULL)
        return;
    (void)pthread_join(d->build->thread, NULL);
    free(d->build);
    d->build = NULL;
}

static void start_build(struct leat_projector *p, struct declared *d, const char *version)
{
    int64_t now_us = leat_mono_us();
    if (d->build != NULL && atomic_load(&d->build->ended))
        join_build(d);
    if (d->build != NULL || (d->built_us != 0 && now_us - d->built_us < TRY_AGAIN_US))
        return;
    d->built_us = now_us;
    struct build *b = calloc(1, sizeof *b);
    leat_assert(b != NULL);
    b->p = p;
    b->projection = d->projection;
    (void)snprintf(b->version, sizeof b->version, "%s", version);
    if (pthread_create(&b->thread, NULL, build_main, b) != 0) {
        free(b);
        return;
    }
    d->build = b;
    leat_log_kv(LEAT_LOG_INFO, AREA, "version-building",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("model", d->projection->name),
                                LEAT_LOG_CSTR("version", version)),
                "built from the store beside the one in use");
}

/* ---- what the declaration needs ---- */

/* True: readers have something that is worth keeping while another version is built. */
static bool readers_have_one(struct leat_projector *p, const struct declared *d,
                             const struct leat_versions *all)
{
    char current[LEAT_VERSION_BYTES];
    struct leat_error absent = {0};
    return leat_version_current(p->data_dir, d->projection->name, current, &absent) == LEAT_OK &&
           leat_versions_find(all, current) != NULL;
}

/* By another process, as a person asked it to. */
static bool is_being_built(const struct leat_projector *p, const struct declared *d,
                           const char *version)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    struct leat_build_state s = {0};
    struct leat_error ignored = {0};
    return leat_version_dir(p->data_dir, d->projection->name, version, dir, &ignored) == LEAT_OK &&
           leat_build_read(dir, &s, &ignored) == LEAT_OK && s.alive;
}

static leat_status feed_from_start(struct leat_projector *p, const struct declared *d,
                                   struct leat_error *err)
{
    char version[LEAT_VERSION_BYTES];
    struct leat_projector_model *m = NULL;
    const struct leat_projection *decl = d->projection;
    LEAT_TRY(leat_version_pick(p->data_dir, decl->name, decl->hash, version, err), err, "open");
    LEAT_TRY(open_version(p, d, version, &m, err), err, "open");
    return leat_rebuild_declare(m->dir, p->topology, decl, err);
}

/* The declaration has no version that is whole. True: one is fed from the start now. */
static bool provide(struct leat_projector *p, struct declared *d, const struct leat_versions *all)
{
    char version[LEAT_VERSION_BYTES];
    struct leat_error err = {0};
    const struct leat_version *begun = leat_versions_newest(all, d->projection->hash, false);
    if (begun != NULL) {
        if (!is_being_built(p, d, begun->name))
            start_build(p, d, begun->name);
        return false;
    }
    if (d->built_us != 0 && leat_mono_us() - d->built_us < TRY_AGAIN_US)
        return false;
    bool beside = readers_have_one(p, d, all);
    leat_status status =
        beside ? leat_rebuild_make(p->data_dir, p->topology, d->projection, version, &err)
               : feed_from_start(p, d, &err);
    if (status != LEAT_OK) {
        d->built_us = leat_mono_us();
        leat_log_error(LEAT_LOG_ERROR, AREA, "open-failed", &err);
        return false;
    }
    if (beside)
        start_build(p, d, version);
    return !beside;
}

/* ---- switching ---- */

static bool reaches(const struct leat_projector *p, const struct leat_projector_model *m,
                    const struct leat_checkpoint *at)
{
    for (int32_t k = 0; k < p->partitions; k++) {
        const struct leat_checkpoint *have = &m->fold->committed[k];
        /* Of another store, or of before a fork: what is published now is to be reached. */
        bool same = leat_uuid_eq(&have->store_id, &at[k].store_id);
        if (have->seq < (same ? at[k].seq : m->target[k]))
            return false;
    }
    return true;
}

/* Is every slice of the version at or past what readers have now? */
static bool caught_up(const struct leat_projector *p, const struct leat_projector_model *m,
                      const char *current)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    struct leat_version_state s = {0};
    struct leat_error err = {0};
    struct leat_arena *arena = leat_arena_new(16384, 0);
    bool reached =
        leat_version_dir(p->data_dir, m->projection->name, current, dir, &err) != LEAT_OK ||
        leat_version_look(dir, arena, &s, &err) != LEAT_OK || !s.has_data ||
        s.partitions != p->partitions || reaches(p, m, s.at);
    leat_arena_free(arena);
    return reached;
}

/* Somebody switched meanwhile, or holds it against this declaration: that stands. */
static bool is_let_be(const struct leat_projector *p, const struct declared *d)
{
    const struct leat_str name = d->projection->name;
    return leat_version_stamp(p->data_dir, name) != d->stamp ||
           leat_version_is_held(p->data_dir, name, d->projection->hash);
}

static void switch_to(struct leat_projector *p, struct declared *d,
                      const struct leat_projector_model *m)
{
    struct leat_error err = {0};
    if (leat_version_switch(p->data_dir, d->projection->name, m->version, &err) != LEAT_OK) {
        leat_log_error(LEAT_LOG_ERROR, AREA, "switch-failed", &err);
        return;
    }
    d->wants = false;
    leat_log_kv(LEAT_LOG_INFO, AREA, "version-switched",
                LEAT_LOG_FIELDS(LEAT_LOG_STR("model", d->projection->name),
                                LEAT_LOG_CSTR("version", m->version)),
                "readers use the new version");
}

static void consider_switch(struct leat_projector *p, struct declared *d,
                            const struct leat_versions *all, const struct leat_projector_model *m)
{
    char current[LEAT_VERSION_BYTES];
    struct leat_error err = {0};
    if (!d->wants || m == NULL || m->fold == NULL || m->refused)
        return;
    leat_status status = leat_version_current(p->data_dir, d->projection->name, current, &err);
    const struct leat_version *now = status == LEAT_OK ? leat_versions_find(all, current) : NULL;
    if (status == LEAT_OK && (strcmp(current, m->version) == 0 || is_let_be(p, d))) {
        d->wants = false;
    } else if (now == NULL || now->refused) {
        switch_to(p, d, m);
    } else if (now->hash == d->projection->hash) {
        d->wants = false; /* between versions of one declaration persons choose */
    } else if (caught_up(p, m, current)) {
        switch_to(p, d, m);
    }
}

static void note_current(struct leat_projector *p, const struct declared *d)
{
    char current[LEAT_VERSION_BYTES] = "";
    struct leat_error absent = {0};
    if (leat_version_current(p->data_dir, d->projection->name, current, &absent) != LEAT_OK)
        current[0] = 0;
    for (size_t i = 0; i < p->n_models; i++) {
        struct leat_projector_model *m = &p->models[i];
        if (leat_str_eq(m->projection->name, d->projection->name))
            m->current = strcmp(m->version, current) == 0;
    }
}

/* ---- following ---- */

static bool follow_model(struct leat_projector *p, struct declared *d, bool running)
{
    LEAT_AUTO(leat_versions_free) struct leat_versions all = {0};
    struct leat_error err = {0};
    if (leat_versions_list(p->data_dir, d->projection->name, &all, &err) != LEAT_OK) {
        leat_log_limited(LEAT_LOG_WARN, AREA, "no-versions", "%s", err.msg);
        return false;
    }
    let_go_of_gone(p, d, &all);
    for (size_t i = 0; i < all.n; i++) {
        const struct leat_version *v = &all.at[i];
        if (!v->refused && !v->building && v->has_data && fed(p, d, v->name) == NULL)
            feed(p, d, v, running);
    }
    const struct leat_version *ready = leat_versions_newest(&all, d->projection->hash, true);
    bool from_start = false;
    if (ready == NULL) {
        from_start = provide(p, d, &all);
    } else if (d->build != NULL && atomic_load(&d->build->ended)) {
        join_build(d);
    }
    if (from_start) {
        char version[LEAT_VERSION_BYTES];
        (void)snprintf(version, sizeof version, "%s", p->models[p->n_models - 1].version);
        consider_switch(p, d, &all, fed(p, d, version));
    } else {
        consider_switch(p, d, &all, ready == NULL ? NULL : fed(p, d, ready->name));
    }
    note_current(p, d);
    return from_start;
}

bool leat_projector_follow(struct leat_projector *p, bool now)
{
    struct leat_projector_versions *v = p->versions;
    int64_t now_us = leat_mono_us();
    bool from_start = false;
    bool running = !now && v->looked_us != 0;
    if (running && now_us - v->looked_us < LOOK_EVERY_US)
        return false;
    v->looked_us = now_us;
    for (size_t i = 0; i < v->n; i++)
        from_start = follow_model(p, &v->at[i], running) || from_start;
    if (now_us - v->readers_us >= READERS_EVERY_US) {
        v->readers_us = now_us;
        leat_projector_look_at_readers(p);
    }
    return from_start;
}

void leat_projector_reopen(struct leat_projector *p)
{
    struct leat_projector_versions *v = p->versions;
    while (p->n_models > 0)
        leat_projector_let_go(p, &p->models[p->n_models - 1]);
    for (size_t i = 0; i < v->n; i++) {
        v->at[i].wants = true;
        v->at[i].stamp = leat_version_stamp(p->data_dir, v->at[i].projection->name);
        v->at[i].built_us = 0;
        v->at[i].tried[0] = 0;
    }
    leat_versions_sweep(p->data_dir);
    (void)leat_projector_follow(p, true);
}

/* ---- life ---- */

size_t leat_projector_versions_count(const struct leat_projector *p)
{
    return p->versions->n;
}

leat_status leat_projector_versions_new(struct leat_projector *p, struct leat_error *err)
{
    const struct leat_topology *t = p->topology;
    struct leat_projector_versions *v = calloc(1, sizeof *v);
    leat_assert(v != NULL);
    v->at = calloc(t->n_projections > 0 ? t->n_projections : 1, sizeof *v->at);
    leat_assert(v->at != NULL);
    p->versions = v;
    for (uint32_t i = 0; i < t->n_projections; i++) {
        const struct leat_projection *decl = &t->projections[i];
        struct leat_rules *rules = NULL;
        if (decl->store != LEAT_MODEL_LMDB)
            continue;
        LEAT_TRY(leat_rules_new(decl, &rules, err), err, "read model");
        leat_rules_free(rules);
        v->at[v->n].projection = decl;
        v->at[v->n++].wants = true;
    }
    for (size_t i = 0; i < v->n; i++)
        v->at[i].stamp = leat_version_stamp(p->data_dir, v->at[i].projection->name);
    if (v->n == 0)
        return LEAT_OK;
    char models[LEAT_MODEL_PATH_BYTES];
    int n = snprintf(models, sizeof models, "%s/models", p->data_dir);
    if (n < 0 || (size_t)n >= sizeof models)
        return leat_fail(err, LEAT_INVALID, "the data folder's path is too long");
    return leat_env_make_folders(models, err);
}

void leat_projector_versions_free(struct leat_projector *p)
{
    struct leat_projector_versions *v = p->versions;
    if (v == NULL)
        return;
    for (size_t i = 0; i < v->n; i++)
        join_build(&v->at[i]);
    free(v->at);
    free(v);
    p->versions = NULL;
}
