#include "projection/model.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/suggest.h"

#define FOLLOW_EVERY_US 250000 /* how often a handle looks for a new version */
#define BLOCK_BYTES     (64 * 1024)

/* One opened version; readers in flight keep it alive across a switch. */
struct opened {
    struct leat_model_view view;
    int users;
    int fresh_fd;
};

struct leat_model {
    char *data_dir, *name;
    const struct leat_projection *declared;
    pthread_mutex_t lock;
    struct opened *now; /* holds one use itself */
    int64_t followed_us;
};

static void opened_free(struct opened *o)
{
    if (o == NULL)
        return;
    if (o->fresh_fd >= 0)
        (void)close(o->fresh_fd);
    leat_shape_free(o->view.shape);
    leat_env_close(o->view.env);
    free(o);
}

static void opened_freep(struct opened **o)
{
    opened_free(*o);
}

static leat_status read_shape(struct opened *o, struct leat_error *err)
{
    struct leat_env_txn t;
    LEAT_TRY(leat_env_read_begin(o->view.env, &t, err), err, "read model");
    leat_status status = leat_shape_read(&t, &o->view.shape, err);
    leat_env_read_end(&t);
    return status;
}

static leat_status open_version(const struct leat_model *m, const char *version,
                                struct opened **ret, struct leat_error *err)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    struct leat_error ignored = {0};
    LEAT_AUTO(opened_freep) struct opened *o = calloc(1, sizeof *o);
    leat_assert(o != NULL);
    o->users = 1;
    o->fresh_fd = -1;
    o->view.declared = m->declared;
    (void)snprintf(o->view.version, sizeof o->view.version, "%s", version);
    LEAT_TRY(leat_version_dir(m->data_dir, leat_str_of(m->name), version, dir, err), err, "open");
    LEAT_TRY(leat_env_open(dir, false, 0, &o->view.env, err), err, "model '%s'", m->name);
    LEAT_TRY(read_shape(o, err), err, "model '%s'", m->name);
    if (leat_fresh_open(dir, false, &o->fresh_fd, &ignored) != LEAT_OK)
        o->fresh_fd = -1; /* its age is then unknown */
    *ret = LEAT_TAKE(o);
    return LEAT_OK;
}

/* Under the lock. Keeps the old version when the new one cannot be opened yet. */
static leat_status follow(struct leat_model *m, struct leat_error *err)
{
    char version[LEAT_VERSION_BYTES];
    struct opened *next = NULL;
    int64_t now_us = leat_mono_us();
    if (m->now != NULL && now_us - m->followed_us < FOLLOW_EVERY_US)
        return LEAT_OK;
    m->followed_us = now_us;
    leat_status status = leat_version_current(m->data_dir, leat_str_of(m->name), version, err);
    if (status == LEAT_OK && (m->now == NULL || strcmp(version, m->now->view.version) != 0))
        status = open_version(m, version, &next, err);
    if (next != NULL) {
        if (m->now != NULL && --m->now->users == 0)
            opened_free(m->now);
        m->now = next;
    }
    return m->now != NULL ? LEAT_OK : status;
}

static leat_status acquire(struct leat_model *m, struct opened **ret, struct leat_error *err)
{
    (void)pthread_mutex_lock(&m->lock);
    leat_status status = follow(m, err);
    if (status == LEAT_OK) {
        m->now->users++;
        *ret = m->now;
    }
    (void)pthread_mutex_unlock(&m->lock);
    return status;
}

static void release(struct leat_model *m, struct opened *o)
{
    (void)pthread_mutex_lock(&m->lock);
    bool last = --o->users == 0;
    (void)pthread_mutex_unlock(&m->lock);
    if (last)
        opened_free(o);
}

static leat_status unknown_model(const struct leat_topology *t, const char *model,
                                 struct leat_error *err)
{
    struct leat_suggest s;
    leat_suggest_start(&s, leat_str_of(model));
    for (uint32_t i = 0; i < t->n_projections; i++)
        leat_suggest_offer(&s, t->projections[i].name);
    leat_status status = leat_fail(err, LEAT_INVALID, "there is no read model '%.100s'", model);
    if (s.best.len > 0)
        leat_error_hint(err, "did you mean '%.*s'?", LEAT_STR_FMT(s.best));
    return status;
}

leat_status leat_model_open(const struct leat_topology *t, const char *model, const char *data_dir,
                            struct leat_model **ret, struct leat_error *err)
{
    const struct leat_projection *p = leat_topology_projection(t, leat_str_of(model));
    if (p == NULL)
        return unknown_model(t, model, err);
    if (p->store != LEAT_MODEL_LMDB)
        return leat_fail(err, LEAT_INVALID,
                         "read model '%s' is declared for Redis, which this version does not run",
                         model);
    struct leat_model *m = calloc(1, sizeof *m);
    leat_assert(m != NULL);
    (void)pthread_mutex_init(&m->lock, NULL);
    m->data_dir = strdup(data_dir);
    m->name = strdup(model);
    m->declared = p;
    leat_assert(m->data_dir != NULL && m->name != NULL);
    leat_status status = follow(m, err);
    if (status == LEAT_ABSENT) {
        leat_error_hint(err, "it is built while 'leat run' runs with the role 'projector' and the "
                             "same data folder");
    }
    if (status != LEAT_OK) {
        leat_model_close(m);
        return status;
    }
    *ret = m;
    return LEAT_OK;
}

void leat_model_close(struct leat_model *m)
{
    if (m == NULL)
        return;
    opened_free(m->now);
    (void)pthread_mutex_destroy(&m->lock);
    free(m->data_dir);
    free(m->name);
    free(m);
}

/* ---- one row ---- */

leat_status leat_model_row_json(const struct leat_model_view *v, struct leat_str db_key,
                                struct leat_str bytes, struct leat_json_writer *w,
                                struct leat_error *err)
{
    struct leat_cell cells[LEAT_ROW_FIELDS_MAX];
    struct leat_str kept = {NULL, 0};
    LEAT_TRY(leat_row_decode(bytes, cells, v->shape->n_fields, &kept, err), err, "row");
    const char *key_name = "key";
    for (uint32_t i = 0; i < v->shape->n_fields; i++) {
        if (leat_str_eq(v->shape->fields[i], LEAT_STR("key")))
            key_name = "_key";
    }
    leat_json_begin_object(w);
    leat_json_put_str(w, key_name, kept.len > 0 ? kept : db_key);
    leat_row_json(v->shape->fields, cells, v->shape->n_fields, w);
    leat_json_end_object(w);
    return LEAT_OK;
}

static leat_status get_in(const struct leat_model_view *v, struct leat_str key,
                          struct leat_buf *out, struct leat_error *err)
{
    struct leat_env_txn t;
    struct leat_json_writer w;
    struct leat_str bytes;
    uint8_t scratch[LEAT_ROW_KEY_MAX];
    bool shortened = false;
    if (key.len == 0)
        return leat_fail(err, LEAT_ABSENT, "no row has an empty key");
    struct leat_str db_key = leat_row_key(key, scratch, &shortened);
    LEAT_TRY(leat_env_read_begin(v->env, &t, err), err, "read a row");
    leat_status status = leat_env_get(&t, LEAT_DB_ROWS, db_key, &bytes, err);
    leat_json_writer_init(&w, out);
    if (status == LEAT_OK) {
        status = leat_model_row_json(v, db_key, bytes, &w, err);
    } else if (status == LEAT_ABSENT) {
        (void)leat_fail(err, LEAT_ABSENT, "there is no row '%.*s'",
                        (int)(key.len < 200 ? key.len : 200), key.at);
    }
    leat_env_read_end(&t);
    return status;
}

leat_status leat_model_get(struct leat_model *m, struct leat_str key, struct leat_buf *out,
                           struct leat_error *err)
{
    struct opened *o = NULL;
    LEAT_TRY(acquire(m, &o, err), err, "model '%s'", m->name);
    leat_status status = get_in(&o->view, key, out, err);
    release(m, o);
    return status;
}

leat_status leat_model_list(struct leat_model *m, const struct leat_model_range *r,
                            struct leat_buf *out, struct leat_error *err)
{
    struct opened *o = NULL;
    LEAT_TRY(acquire(m, &o, err), err, "model '%s'", m->name);
    leat_status status = leat_model_list_in(&o->view, r, out, err);
    release(m, o);
    return status;
}

static leat_status position_in(const struct opened *o, int64_t *ret_seqs,
                               struct leat_uuid *ret_store_ids, struct leat_error *err)
{
    struct leat_env_txn t;
    struct leat_checkpoint at[LEAT_PARTITIONS_MAX];
    int32_t n = o->view.shape->partitions;
    LEAT_TRY(leat_env_read_begin(o->view.env, &t, err), err, "position");
    leat_status status = leat_checkpoints_read(&t, n, at, err);
    leat_env_read_end(&t);
    if (status != LEAT_OK)
        return status;
    for (int32_t k = 0; k < n; k++) {
        ret_seqs[k] = at[k].seq;
        if (ret_store_ids != NULL)
            ret_store_ids[k] = at[k].store_id;
    }
    return LEAT_OK;
}

leat_status leat_model_position(struct leat_model *m, int64_t *ret_seqs,
                                struct leat_uuid *ret_store_ids, int64_t *ret_complete_ms,
                                struct leat_error *err)
{
    struct opened *o = NULL;
    LEAT_TRY(acquire(m, &o, err), err, "model '%s'", m->name);
    leat_status status = position_in(o, ret_seqs, ret_store_ids, err);
    if (status == LEAT_OK && ret_complete_ms != NULL)
        *ret_complete_ms = leat_fresh_read(o->fresh_fd);
    release(m, o);
    return status;
}

static leat_status skipped_in(const struct leat_model_view *v, int32_t limit, struct leat_buf *out,
                              struct leat_error *err)
{
    struct leat_env_txn t;
    struct leat_json_writer w;
    MDB_cursor *cursor = NULL;
    MDB_val k, d;
    LEAT_TRY(leat_env_read_begin(v->env, &t, err), err, "skipped events");
    int rc = mdb_cursor_open(t.txn, t.dbi[LEAT_DB_SKIPPED], &cursor);
    leat_json_writer_init(&w, out);
    leat_json_begin_array(&w);
    for (int32_t i = 0; rc == 0 && i < limit; i++) {
        rc = mdb_cursor_get(cursor, &k, &d, i == 0 ? MDB_FIRST : MDB_NEXT);
        if (rc != 0 || k.mv_size != LEAT_SKIP_KEY_BYTES)
            break;
        leat_model_skip_json(k.mv_data, (struct leat_str){d.mv_data, (uint32_t)d.mv_size}, &w);
    }
    leat_json_end_array(&w);
    if (cursor != NULL)
        mdb_cursor_close(cursor);
    leat_env_read_end(&t);
    return rc == 0 || rc == MDB_NOTFOUND ? LEAT_OK
                                         : leat_env_fail(NULL, rc, err, "read skipped events");
}

leat_status leat_model_skipped(struct leat_model *m, int32_t limit, struct leat_buf *out,
                               struct leat_error *err)
{
    struct opened *o = NULL;
    LEAT_TRY(acquire(m, &o, err), err, "model '%s'", m->name);
    leat_status status = skipped_in(&o->view, limit, out, err);
    release(m, o);
    return status;
}
