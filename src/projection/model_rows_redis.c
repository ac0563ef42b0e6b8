/* Rows of a model in Redis: of one slice each, or of several, merged here. A snapshot is a
 * position: what is read after it is at least as new. */
#include "projection/model_rows_redis.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "projection/fold.h"
#include "projection/model.h"
#include "projection/redis_pool.h"
#include "projection/rules.h"

#define BLOCK_BYTES 16384
#define STATE_SEED  0x73746174U

/* ---- versions ---- */

static leat_status read_text(const struct leat_topology *t, struct leat_str key,
                             struct leat_arena *arena, struct leat_str *ret, struct leat_error *err)
{
    struct leat_redis *r = NULL;
    const struct leat_redis_reply *reply = NULL;
    leat_status status = leat_redis_take(t, &r, err);
    if (status != LEAT_OK)
        return status;
    leat_redis_command(r, 2);
    leat_redis_arg(r, LEAT_STR("GET"));
    leat_redis_arg(r, key);
    status = leat_redis_reply(r, &reply, err);
    if (status == LEAT_OK && leat_redis_is_nil(reply)) {
        status = leat_fail(err, LEAT_ABSENT, "Redis %s has no key '%.*s'", leat_redis_server(r),
                           LEAT_STR_FMT(key));
    }
    if (status == LEAT_OK)
        *ret = leat_arena_copy(arena, leat_redis_text(reply));
    leat_redis_give(r);
    return status;
}

static leat_status current(const struct leat_rows_place *place,
                           char ret_version[LEAT_VERSION_BYTES], struct leat_error *err)
{
    struct leat_arena *arena = leat_arena_new(1024, 0);
    struct leat_str name = place->declared->name, text;
    struct leat_str key = leat_redis_model_key(place->topology->name, name, "current", arena);
    leat_status status = read_text(place->topology, key, arena, &text, err);
    if (status == LEAT_ABSENT) {
        status = leat_fail(err, LEAT_ABSENT, "read model '%.*s' has no data in Redis",
                           LEAT_STR_FMT(name));
    } else if (status == LEAT_OK && (text.len == 0 || text.len >= LEAT_VERSION_BYTES)) {
        status = leat_fail(err, LEAT_FATAL, "'%.*s' does not hold a version", LEAT_STR_FMT(key));
    } else if (status == LEAT_OK) {
        (void)snprintf(ret_version, LEAT_VERSION_BYTES, "%.*s", LEAT_STR_FMT(text));
    }
    leat_arena_free(arena);
    return status;
}

/* A declaration has one version there; leat_rows_backend.open says whether it still has. */
static leat_status former(const struct leat_rows_place *place, const char *version,
                          char ret_version[LEAT_VERSION_BYTES], struct leat_error *err)
{
    (void)place;
    (void)err;
    (void)snprintf(ret_version, LEAT_VERSION_BYTES, "%s", version);
    return LEAT_OK;
}

static void version_close(struct leat_rows_version *public)
{
    struct leat_redis_version *v = (struct leat_redis_version *)public;
    if (v == NULL)
        return;
    leat_shape_free(v->public.shape);
    leat_arena_free(v->arena);
    free(v);
}

static void version_freep(struct leat_redis_version **v)
{
    if (*v != NULL)
        version_close(&(*v)->public);
}

static leat_status version_open(const struct leat_rows_place *place, const char *version,
                                struct leat_rows_version **ret, struct leat_error *err)
{
    LEAT_AUTO(version_freep) struct leat_redis_version *v = calloc(1, sizeof *v);
    leat_assert(v != NULL && strlen(version) < sizeof v->public.version);
    struct leat_str name = place->declared->name, text;
    v->arena = leat_arena_new(BLOCK_BYTES, 0);
    v->topology = place->topology;
    v->public.backend = &leat_rows_redis;
    v->public.declared = place->declared;
    memcpy(v->public.version, version, strlen(version) + 1);
    const char *what = leat_arena_printf(v->arena, "shape:%s", version);
    struct leat_str key = leat_redis_model_key(place->topology->name, name, what, v->arena);
    LEAT_TRY(read_text(place->topology, key, v->arena, &text, err), err, "model '%.*s'",
             LEAT_STR_FMT(name));
    if (!leat_redis_form_read(text, &v->form, &v->public.shape)) {
        return leat_fail(err, LEAT_FATAL, "'%.*s' is damaged, or of a later version of leat",
                         LEAT_STR_FMT(key));
    }
    struct leat_redis_keys_config c = {.topology = place->topology->name,
                                       .model = name,
                                       .version = version,
                                       .shape = v->public.shape,
                                       .by_stream = v->form.by_stream};
    leat_redis_keys_of(&c, v->arena, &v->keys);
    LEAT_TRY(leat_row_names_of(v->public.shape->fields, v->public.shape->n_fields, v->arena,
                               &v->names, err),
             err, "model '%.*s'", LEAT_STR_FMT(name));
    *ret = &LEAT_TAKE(v)->public;
    return LEAT_OK;
}

/* ---- snapshots ---- */

static int64_t number(struct leat_str text)
{
    int64_t v = 0;
    for (uint32_t i = 0; i < text.len && i < 18; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return 0;
        v = v * 10 + (text.at[i] - '0');
    }
    return v;
}

static void send_position(struct leat_redis_snapshot *s, const struct leat_redis_keys *keys)
{
    for (int32_t k = 0; k < keys->partitions; k++) {
        leat_redis_send_row(s, k, LEAT_STR(""));
        leat_redis_command(s->redis, 2);
        leat_redis_arg(s->redis, LEAT_STR("GET"));
        leat_redis_arg(s->redis, keys->slices[k].fresh);
    }
}

/* The model is as old as the slice that was complete the longest ago. */
static leat_status read_position(struct leat_redis_snapshot *s, struct leat_error *err)
{
    struct leat_redis_version *v = leat_redis_version_of(&s->public);
    const struct leat_redis_reply *reply = NULL;
    s->complete_ms = INT64_MAX;
    for (int32_t k = 0; k < v->keys.partitions; k++) {
        LEAT_TRY(leat_redis_reply(s->redis, &reply, err), err, "position");
        if (!leat_redis_at_read(leat_redis_text(reply), v->public.shape, &s->at[k], &s->kinds))
            memset(&s->at[k], 0, sizeof s->at[k]);
        LEAT_TRY(leat_redis_reply(s->redis, &reply, err), err, "position");
        int64_t fresh_ms = number(leat_redis_text(reply));
        s->complete_ms = fresh_ms < s->complete_ms ? fresh_ms : s->complete_ms;
    }
    return LEAT_OK;
}

static leat_status begin(struct leat_rows_version *public, struct leat_arena *arena,
                         struct leat_rows_snapshot **ret, struct leat_error *err)
{
    struct leat_redis_version *v = (struct leat_redis_version *)public;
    struct leat_redis_snapshot *s = leat_arena_zalloc(arena, 1, sizeof *s);
    s->public = (struct leat_rows_snapshot){public, arena};
    s->at = leat_arena_zalloc(arena, (size_t)v->keys.partitions, sizeof *s->at);
    leat_status status = leat_redis_take(v->topology, &s->redis, err);
    if (status != LEAT_OK)
        return status;
    send_position(s, &v->keys);
    status = read_position(s, err);
    if (status != LEAT_OK) {
        leat_redis_give(s->redis);
        return status;
    }
    *ret = &s->public;
    return LEAT_OK;
}

static void end(struct leat_rows_snapshot *s)
{
    leat_redis_give(leat_redis_snapshot_of(s)->redis);
}

static uint64_t state(struct leat_rows_snapshot *s)
{
    const struct leat_redis_snapshot *r = leat_redis_snapshot_of(s);
    uint64_t hash = STATE_SEED;
    for (int32_t k = 0; k < s->version->shape->partitions; k++) {
        hash = leat_hash64(&r->at[k].seq, sizeof r->at[k].seq, hash);
        hash = leat_hash64(r->at[k].event_id.b, sizeof r->at[k].event_id.b, hash);
    }
    return hash;
}

static int64_t complete_ms(struct leat_rows_snapshot *s)
{
    return leat_redis_snapshot_of(s)->complete_ms;
}

static leat_status position(struct leat_rows_snapshot *s, struct leat_rows_position *ret,
                            struct leat_error *err)
{
    const struct leat_redis_snapshot *r = leat_redis_snapshot_of(s);
    int32_t n = s->version->shape->partitions;
    int64_t *seqs = leat_arena_zalloc(s->arena, (size_t)n, sizeof *seqs);
    struct leat_uuid *stores = leat_arena_zalloc(s->arena, (size_t)n, sizeof *stores);
    (void)err;
    for (int32_t k = 0; k < n; k++) {
        seqs[k] = r->at[k].seq;
        stores[k] = r->at[k].store_id;
    }
    *ret = (struct leat_rows_position){n, seqs, stores, r->complete_ms};
    return LEAT_OK;
}

static leat_status kinds(struct leat_rows_snapshot *s, struct leat_column_kinds *ret,
                         struct leat_error *err)
{
    (void)err;
    *ret = leat_redis_snapshot_of(s)->kinds;
    return LEAT_OK;
}

/* Rows that several slices share count once: their keys must be looked at. */
static leat_status count_merged(struct leat_rows_snapshot *s, uint64_t *ret_rows,
                                struct leat_error *err)
{
    const struct leat_rows_range all = {.index = -1, .keys_only = true};
    struct leat_rows_walk *w = NULL;
    struct leat_model_row row;
    uint64_t rows = 0;
    leat_status status = leat_redis_walk(s, &all, &w, err);
    while (status == LEAT_OK && (status = leat_redis_next(w, &row, err)) == LEAT_OK)
        rows++;
    leat_redis_walk_close(w);
    *ret_rows = rows;
    return status == LEAT_ABSENT ? LEAT_OK : status;
}

static leat_status count(struct leat_rows_snapshot *s, uint64_t *ret_rows, struct leat_error *err)
{
    struct leat_redis_snapshot *r = leat_redis_snapshot_of(s);
    struct leat_redis_version *v = leat_redis_version_of(s);
    const struct leat_redis_reply *reply = NULL;
    uint64_t rows = 0;
    if (!v->form.by_stream)
        return count_merged(s, ret_rows, err);
    for (int32_t k = 0; k < v->keys.partitions; k++) {
        leat_redis_command(r->redis, 2);
        leat_redis_arg(r->redis, LEAT_STR("ZCARD"));
        leat_redis_arg(r->redis, v->keys.slices[k].order);
    }
    for (int32_t k = 0; k < v->keys.partitions; k++) {
        LEAT_TRY(leat_redis_reply(r->redis, &reply, err), err, "count");
        rows += (uint64_t)leat_redis_int(reply);
    }
    *ret_rows = rows;
    return LEAT_OK;
}

/* ---- rows ---- */

void leat_redis_send_row(struct leat_redis_snapshot *s, int32_t slice, struct leat_str db_key)
{
    leat_redis_command(s->redis, 3);
    leat_redis_arg(s->redis, LEAT_STR("HGET"));
    leat_redis_arg(s->redis, leat_redis_version_of(&s->public)->keys.slices[slice].rows);
    leat_redis_arg(s->redis, db_key);
}

/* Operations that commute join what each slice has folded: the sum of sums, the set of sets. */
void leat_redis_join(const struct leat_redis_form *form, uint32_t n, struct leat_cell *cells,
                     const struct leat_cell *more, struct leat_arena *arena)
{
    for (uint32_t i = 0; i < n; i++) {
        leat_row_op op = (leat_row_op)form->merge[i];
        struct leat_str rest = more[i].s;
        struct leat_cell item;
        if (op == LEAT_ROW_SET) { /* a part of the key: all say the same */
            if (cells[i].kind == LEAT_CELL_NULL)
                cells[i] = more[i];
            continue;
        }
        if (op != LEAT_ROW_COLLECT) {
            (void)leat_row_apply(&cells[i], op, &more[i], form->bound[i], arena);
            continue;
        }
        while (more[i].kind == LEAT_CELL_LIST && leat_cell_next(&rest, &item))
            (void)leat_row_apply(&cells[i], op, &item, form->bound[i], arena);
    }
}

int64_t leat_redis_clock(const struct leat_redis_snapshot *s)
{
    int64_t latest = 0;
    for (int32_t k = 0; k < s->public.version->shape->partitions; k++)
        latest = s->at[k].time_ms > latest ? s->at[k].time_ms : latest;
    return latest;
}

leat_status leat_redis_read_row(struct leat_redis_snapshot *s, struct leat_arena *arena,
                                struct leat_model_row *ret, struct leat_error *err)
{
    struct leat_redis_version *v = leat_redis_version_of(&s->public);
    const struct leat_redis_reply *reply = NULL;
    uint32_t n = v->names.n;
    struct leat_row_own own;
    LEAT_TRY(leat_redis_reply(s->redis, &reply, err), err, "read a row");
    if (leat_redis_is_nil(reply))
        return LEAT_OK;
    struct leat_str text = leat_arena_copy(arena, leat_redis_text(reply));
    struct leat_cell *cells = leat_arena_alloc(arena, (n + (size_t)1) * sizeof *cells);
    leat_status status = leat_row_of_text(&v->names, text, arena, cells, &own, err);
    if (status != LEAT_OK) {
        return leat_fail(err, LEAT_FATAL, "row '%.*s' in Redis is damaged",
                         (int)(ret->key.len < 200 ? ret->key.len : 200), ret->key.at);
    }
    /* The slices it is of may not have come to its end, all of them. */
    if (!v->form.by_stream && own.until_ms > 0 && own.until_ms <= leat_redis_clock(s))
        return LEAT_OK;
    if (ret->cells != NULL)
        leat_redis_join(&v->form, n, ret->cells, cells, arena);
    else
        ret->cells = cells;
    if (own.key.len > 0)
        ret->key = own.key;
    return LEAT_OK;
}

/* The part of the row's key that is the stream's, as leat_rule_key() wrote it. */
static struct leat_str stream_key(const struct leat_redis_form *form, struct leat_str key,
                                  char *scratch)
{
    const char *at = key.at, *end = key.at + key.len;
    if (form->key_parts <= 1)
        return key;
    for (uint32_t part = 0; part < form->stream_part && at < end; part++) {
        const char *slash = memchr(at, '/', (size_t)(end - at));
        at = slash == NULL ? end : slash + 1;
    }
    uint32_t n = 0;
    for (; at < end && *at != '/'; at++) {
        bool slash = end - at >= 3 && memcmp(at, "%2F", 3) == 0;
        bool percent = end - at >= 3 && memcmp(at, "%25", 3) == 0;
        scratch[n++] = slash ? '/' : *at;
        at += slash || percent ? 2 : 0;
    }
    return (struct leat_str){scratch, n};
}

static int32_t slice_of(const struct leat_redis_version *v, struct leat_str key, char *scratch)
{
    return leat_partition(stream_key(&v->form, key, scratch), v->keys.partitions);
}

/* Where the event's own field is not its stream's key the row is in another slice than its key
 * says: then all are asked. */
static leat_status get_round(struct leat_rows_snapshot *s, uint32_t n, struct leat_model_row *rows,
                             const int32_t *homes, struct leat_error *err)
{
    struct leat_redis_snapshot *r = leat_redis_snapshot_of(s);
    struct leat_redis_version *v = leat_redis_version_of(s);
    uint8_t scratch[LEAT_ROW_KEY_MAX];
    bool shortened = false;
    for (uint32_t i = 0; i < n; i++) {
        if (homes[i] == -2)
            continue;
        struct leat_str db_key = leat_row_key(rows[i].key, scratch, &shortened);
        for (int32_t k = 0; k < v->keys.partitions; k++) {
            if (homes[i] < 0 || homes[i] == k)
                leat_redis_send_row(r, k, db_key);
        }
    }
    for (uint32_t i = 0; i < n; i++) {
        for (int32_t k = 0; homes[i] != -2 && k < v->keys.partitions; k++) {
            if (homes[i] < 0 || homes[i] == k)
                LEAT_TRY(leat_redis_read_row(r, s->arena, &rows[i], err), err, "get");
        }
    }
    return LEAT_OK;
}

static leat_status get(struct leat_rows_snapshot *s, const struct leat_str *keys, uint32_t n,
                       struct leat_model_row *rows, struct leat_error *err)
{
    struct leat_redis_version *v = leat_redis_version_of(s);
    int32_t *homes = leat_arena_alloc(s->arena, (n + (size_t)1) * sizeof *homes); /* -1: all */
    bool missing = false;
    for (uint32_t i = 0; i < n; i++) {
        rows[i] = (struct leat_model_row){.key = keys[i]};
        char *scratch = leat_arena_alloc(s->arena, keys[i].len + (size_t)1);
        homes[i] = v->form.by_stream ? slice_of(v, keys[i], scratch) : -1;
    }
    LEAT_TRY(get_round(s, n, rows, homes, err), err, "model");
    if (!v->form.by_stream)
        return LEAT_OK;
    for (uint32_t i = 0; i < n; i++) {
        homes[i] = rows[i].cells == NULL ? -1 : -2;
        missing = missing || rows[i].cells == NULL;
    }
    return missing ? get_round(s, n, rows, homes, err) : LEAT_OK;
}

/* ---- events that could not be applied ---- */

static leat_status skipped(struct leat_rows_snapshot *s, int32_t limit, struct leat_json_writer *w,
                           struct leat_error *err)
{
    struct leat_redis_snapshot *r = leat_redis_snapshot_of(s);
    struct leat_redis_version *v = leat_redis_version_of(s);
    const struct leat_redis_reply *reply = NULL;
    int32_t told = 0;
    for (int32_t k = 0; k < v->keys.partitions; k++) {
        leat_redis_command(r->redis, 2);
        leat_redis_arg(r->redis, LEAT_STR("HGETALL"));
        leat_redis_arg(r->redis, v->keys.slices[k].skipped);
    }
    for (int32_t k = 0; k < v->keys.partitions; k++) {
        LEAT_TRY(leat_redis_reply(r->redis, &reply, err), err, "skipped events");
        for (size_t i = 0; i + 1 < leat_redis_count(reply) && told < limit; i += 2, told++) {
            uint8_t key[LEAT_SKIP_KEY_BYTES];
            leat_fold_skip_key(k, number(leat_redis_text(leat_redis_item(reply, i))), key);
            leat_model_skip_json(key, leat_redis_text(leat_redis_item(reply, i + 1)), w);
        }
    }
    return LEAT_OK;
}

const struct leat_rows_backend leat_rows_redis = {
    .name = "redis",
    .current = current,
    .former = former,
    .open = version_open,
    .close = version_close,
    .begin = begin,
    .end = end,
    .state = state,
    .position = position,
    .complete_ms = complete_ms,
    .kinds = kinds,
    .count = count,
    .get = get,
    .walk = leat_redis_walk,
    .next = leat_redis_next,
    .walk_close = leat_redis_walk_close,
    .skipped = skipped,
};
