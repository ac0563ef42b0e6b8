/* A model as readers hold it: whatever version is served now, on whatever backend. */
#include "projection/model.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/suggest.h"
#include "projection/model_cursor.h"
#include "projection/model_guard.h"
#include "projection/model_range.h"
#include "projection/model_read.h"
#include "projection/switches.h"

#define FOLLOW_EVERY_US 250000 /* how often a handle asks Redis for a new version */
#define LOOK_EVERY_US   100000 /* LMDB: should the folder itself have been replaced */
#define ARENA_BYTES     2048

/* One opened version; readers in flight keep it alive across a switch. */
struct opened {
    struct leat_rows_version *version;
    atomic_int users;
};

/* Reads share the lock and are many; a handle that has to look for another version takes it alone.
 */
struct leat_model {
    char *data_dir;
    struct leat_rows_place place;
    const struct leat_rows_backend *backend;
    pthread_rwlock_t lock;
    struct opened *now; /* holds one use itself */
    int64_t followed_us;
    uint64_t stamp;                 /* LMDB: of the version it follows, */
    struct leat_switches *switches; /* and what tells of another one; NULL: the stamp alone */
    uint64_t count;                 /* of switches, before the stamp was taken */
};

static void opened_release(struct leat_model *m, struct opened *o)
{
    if (o == NULL || atomic_fetch_sub(&o->users, 1) > 1)
        return;
    m->backend->close(o->version);
    free(o);
}

/* Without a system call. */
static bool is_followed(const struct leat_model *m)
{
    bool lmdb = m->place.declared->store == LEAT_MODEL_LMDB;
    if (m->now == NULL ||
        leat_mono_us() - m->followed_us >= (lmdb ? LOOK_EVERY_US : FOLLOW_EVERY_US))
        return false;
    if (!lmdb)
        return true;
    uint64_t count = leat_switches_count(m->switches);
    return count == m->count && (count & 1) == 0;
}

/* A switch is one for all readers of this machine at once. Held: the lock, alone. */
static bool is_current(struct leat_model *m)
{
    m->followed_us = leat_mono_us();
    if (m->place.declared->store != LEAT_MODEL_LMDB)
        return false;
    m->count = leat_switches_count(m->switches);
    uint64_t stamp = leat_version_stamp(m->data_dir, m->place.declared->name);
    if (m->now != NULL && stamp == m->stamp)
        return true;
    /* What was counted so far may have gone with its folder. */
    leat_switches_free(m->switches);
    m->switches = leat_switches_watch(m->data_dir, m->place.declared->name);
    m->count = leat_switches_count(m->switches);
    m->stamp = leat_version_stamp(m->data_dir, m->place.declared->name);
    return false;
}

/* Held: the lock, alone. Keeps the old version when the new one cannot be opened yet. */
static leat_status follow(struct leat_model *m, struct leat_error *err)
{
    char version[LEAT_VERSION_BYTES];
    struct leat_rows_version *next = NULL;
    if (is_followed(m) || is_current(m)) /* somebody else has looked meanwhile */
        return LEAT_OK;
    leat_status status = m->backend->current(&m->place, version, err);
    if (status == LEAT_OK && (m->now == NULL || strcmp(version, m->now->version->version) != 0))
        status = m->backend->open(&m->place, version, &next, err);
    if (next != NULL) {
        struct opened *o = malloc(sizeof *o);
        leat_assert(o != NULL);
        o->version = next;
        atomic_init(&o->users, 1);
        opened_release(m, m->now);
        m->now = o;
    } else if (status != LEAT_OK) {
        m->stamp = 0; /* tried again by the next one */
        m->count = 1;
    }
    return m->now != NULL ? LEAT_OK : status;
}

static leat_status acquire(struct leat_model *m, struct opened **ret, struct leat_error *err)
{
    leat_status status = LEAT_OK;
    (void)pthread_rwlock_rdlock(&m->lock);
    if (!is_followed(m)) {
        (void)pthread_rwlock_unlock(&m->lock);
        (void)pthread_rwlock_wrlock(&m->lock);
        status = follow(m, err);
    }
    if (status == LEAT_OK) {
        (void)atomic_fetch_add(&m->now->users, 1);
        *ret = m->now;
    }
    (void)pthread_rwlock_unlock(&m->lock);
    return status;
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
    const struct leat_rows_backend *backend = leat_rows_backend_of(p->store);
    if (backend == NULL)
        return leat_fail(err, LEAT_INVALID,
                         "read model '%s' is declared for Redis, which this version does not run",
                         model);
    struct leat_model *m = calloc(1, sizeof *m);
    leat_assert(m != NULL);
    (void)pthread_rwlock_init(&m->lock, NULL);
    m->data_dir = strdup(data_dir);
    leat_assert(m->data_dir != NULL);
    m->backend = backend;
    m->place = (struct leat_rows_place){t, p, m->data_dir};
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
    opened_release(m, m->now);
    leat_switches_free(m->switches);
    (void)pthread_rwlock_destroy(&m->lock);
    free(m->data_dir);
    free(m);
}

/* ---- snapshots ---- */

static leat_status begin(struct leat_model *m, struct opened *o, struct leat_arena *arena,
                         struct leat_model_read *ret, struct leat_error *err)
{
    *ret = (struct leat_model_read){.model = m, .version = o->version, .arena = arena, .held = o};
    leat_status status = m->backend->begin(o->version, arena, &ret->rows, err);
    if (status != LEAT_OK)
        opened_release(m, o);
    return status;
}

leat_status leat_model_begin(struct leat_model *m, struct leat_arena *arena,
                             struct leat_model_read *ret, struct leat_error *err)
{
    struct opened *o = NULL;
    LEAT_TRY(acquire(m, &o, err), err, "model '%.*s'", LEAT_STR_FMT(m->place.declared->name));
    return begin(m, o, arena, ret, err);
}

/* Opened for this page alone: it is dropped as soon as somebody wants it gone. */
static leat_status open_former(struct leat_model *m, const char *named, struct opened **ret,
                               struct leat_error *err)
{
    char version[LEAT_VERSION_BYTES];
    struct leat_rows_version *opened = NULL;
    leat_status status = m->backend->former(&m->place, named, version, err);
    if (status == LEAT_OK)
        status = m->backend->open(&m->place, version, &opened, err);
    if (status == LEAT_ABSENT) {
        (void)leat_fail(err, LEAT_ABSENT,
                        "the cursor is of a former declaration of the model, whose rows are gone");
        leat_error_hint(err, "start again without the cursor");
    }
    if (status != LEAT_OK)
        return status;
    struct opened *o = malloc(sizeof *o);
    leat_assert(o != NULL);
    *o = (struct opened){opened, 1};
    *ret = o;
    return LEAT_OK;
}

leat_status leat_model_begin_page(struct leat_model *m, struct leat_str cursor,
                                  struct leat_arena *arena, struct leat_model_read *ret,
                                  struct leat_error *err)
{
    char version[LEAT_VERSION_BYTES];
    struct opened *o = NULL;
    leat_status status = leat_model_begin(m, arena, ret, err);
    if (status != LEAT_OK || cursor.len == 0 || !leat_model_cursor_version(cursor, version) ||
        leat_model_cursor_fits(version, ret->version->version))
        return status;
    leat_model_end(ret);
    status = open_former(m, version, &o, err);
    return status == LEAT_OK ? begin(m, o, arena, ret, err) : status;
}

void leat_model_end(struct leat_model_read *r)
{
    r->version->backend->end(r->rows);
    opened_release(r->model, r->held);
    r->rows = NULL;
}

leat_status leat_read_position(struct leat_model_read *r, struct leat_rows_position *ret,
                               struct leat_error *err)
{
    return r->version->backend->position(r->rows, ret, err);
}

uint64_t leat_read_state(struct leat_model_read *r)
{
    return r->version->backend->state(r->rows);
}

int64_t leat_read_complete_ms(struct leat_model_read *r)
{
    return r->version->backend->complete_ms(r->rows);
}

/* ---- rows ---- */

static leat_status no_row(struct leat_str key, struct leat_error *err)
{
    if (key.len == 0)
        return leat_fail(err, LEAT_ABSENT, "no row has an empty key");
    return leat_fail(err, LEAT_ABSENT, "there is no row '%.*s'",
                     (int)(key.len < 200 ? key.len : 200), key.at);
}

leat_status leat_read_get(struct leat_model_read *r, struct leat_str key, struct leat_str fields,
                          struct leat_buf *out, struct leat_error *err)
{
    struct leat_chosen chosen;
    struct leat_model_row row = {.cells = NULL};
    struct leat_json_writer w;
    leat_status status = leat_choose_fields(r->version, fields, &chosen, err);
    if (status != LEAT_OK)
        return status;
    if (key.len > 0)
        LEAT_TRY(r->version->backend->get(r->rows, &key, 1, &row, err), err, "read a row");
    if (row.cells == NULL || !leat_guard_row(r->guard, &row))
        return no_row(key, err);
    leat_json_writer_init(&w, out);
    leat_row_put(r->version->shape, &row, &chosen, &w);
    return LEAT_OK;
}

static void put_found(const struct leat_model_read *r, const struct leat_model_row *rows,
                      uint32_t n, const struct leat_chosen *chosen, struct leat_json_writer *w)
{
    leat_json_begin_object(w);
    leat_json_key(w, LEAT_STR("rows"));
    leat_json_begin_array(w);
    for (uint32_t i = 0; i < n; i++) {
        if (rows[i].cells != NULL)
            leat_row_put(r->version->shape, &rows[i], chosen, w);
    }
    leat_json_end_array(w);
    leat_json_key(w, LEAT_STR("missing"));
    leat_json_begin_array(w);
    for (uint32_t i = 0; i < n; i++) {
        if (rows[i].cells == NULL)
            leat_json_str(w, rows[i].key);
    }
    leat_json_end_array(w);
    leat_json_end_object(w);
}

leat_status leat_read_keys(struct leat_model_read *r, const struct leat_str *keys, uint32_t n,
                           struct leat_str fields, struct leat_buf *out, struct leat_error *err)
{
    struct leat_chosen chosen;
    struct leat_json_writer w;
    if (n == 0 || n > LEAT_MODEL_KEYS_MAX) {
        return leat_fail(err, LEAT_INVALID, "parameter 'keys' must be 1 to %d keys",
                         LEAT_MODEL_KEYS_MAX);
    }
    for (uint32_t i = 0; i < n; i++) {
        if (keys[i].len == 0)
            return leat_fail(err, LEAT_INVALID, "parameter 'keys': no row has an empty key");
    }
    leat_status status = leat_choose_fields(r->version, fields, &chosen, err);
    if (status != LEAT_OK)
        return status;
    struct leat_model_row *rows = leat_arena_alloc(r->arena, n * sizeof *rows);
    LEAT_TRY(r->version->backend->get(r->rows, keys, n, rows, err), err, "read rows");
    for (uint32_t i = 0; i < n; i++) {
        if (!leat_guard_row(r->guard, &rows[i]))
            rows[i].cells = NULL;
    }
    leat_json_writer_init(&w, out);
    put_found(r, rows, n, &chosen, &w);
    return LEAT_OK;
}

/* ---- one question, one snapshot ---- */

typedef leat_status (*question)(struct leat_model_read *r, void *arg, struct leat_error *err);

static leat_status ask(struct leat_model *m, question q, void *arg, struct leat_error *err)
{
    struct leat_model_read r;
    struct leat_arena *arena = leat_arena_new(ARENA_BYTES, 0);
    leat_status status = leat_model_begin(m, arena, &r, err);
    if (status == LEAT_OK) {
        status = q(&r, arg, err);
        leat_model_end(&r);
    }
    leat_arena_free(arena);
    return status;
}

struct ask_get {
    struct leat_str key;
    struct leat_buf *out;
};

static leat_status get(struct leat_model_read *r, void *arg, struct leat_error *err)
{
    struct ask_get *a = arg;
    return leat_read_get(r, a->key, (struct leat_str){NULL, 0}, a->out, err);
}

leat_status leat_model_get(struct leat_model *m, struct leat_str key, struct leat_buf *out,
                           struct leat_error *err)
{
    struct ask_get a = {key, out};
    return ask(m, get, &a, err);
}

struct ask_list {
    const struct leat_model_range *range;
    struct leat_buf *out;
};

static leat_status list(struct leat_model_read *r, void *arg, struct leat_error *err)
{
    struct ask_list *a = arg;
    return leat_read_list(r, a->range, a->out, err);
}

leat_status leat_model_list(struct leat_model *m, const struct leat_model_range *r,
                            struct leat_buf *out, struct leat_error *err)
{
    struct ask_list a = {r, out};
    return ask(m, list, &a, err);
}

struct ask_position {
    int64_t *seqs, *complete_ms;
    struct leat_uuid *stores;
};

static leat_status position(struct leat_model_read *r, void *arg, struct leat_error *err)
{
    struct ask_position *a = arg;
    struct leat_rows_position at;
    LEAT_TRY(leat_read_position(r, &at, err), err, "position");
    memcpy(a->seqs, at.seqs, (size_t)at.n * sizeof *a->seqs);
    if (a->stores != NULL)
        memcpy(a->stores, at.stores, (size_t)at.n * sizeof *a->stores);
    if (a->complete_ms != NULL)
        *a->complete_ms = at.complete_ms;
    return LEAT_OK;
}

leat_status leat_model_position(struct leat_model *m, int64_t *ret_seqs,
                                struct leat_uuid *ret_store_ids, int64_t *ret_complete_ms,
                                struct leat_error *err)
{
    struct ask_position a = {ret_seqs, ret_complete_ms, ret_store_ids};
    return ask(m, position, &a, err);
}

struct ask_skipped {
    int32_t limit;
    struct leat_buf *out;
};

static leat_status skipped(struct leat_model_read *r, void *arg, struct leat_error *err)
{
    struct ask_skipped *a = arg;
    struct leat_json_writer w;
    leat_json_writer_init(&w, a->out);
    leat_json_begin_array(&w);
    LEAT_TRY(r->version->backend->skipped(r->rows, a->limit, &w, err), err, "skipped events");
    leat_json_end_array(&w);
    return LEAT_OK;
}

leat_status leat_model_skipped(struct leat_model *m, int32_t limit, struct leat_buf *out,
                               struct leat_error *err)
{
    struct ask_skipped a = {limit, out};
    return ask(m, skipped, &a, err);
}

/* ---- rows by their bytes, for those who compare files ---- */

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
