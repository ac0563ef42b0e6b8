#include "projection/redis_fold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "projection/redis_fold_internal.h"
#include "projection/versions.h"

/* ---- the server ---- */

leat_status leat_redis_of_topology(const struct leat_topology *t, struct leat_redis **ret,
                                   struct leat_error *err)
{
    struct leat_redis_options o = {.url = t->redis.url,
                                   .scripts = leat_redis_scripts,
                                   .n_scripts = LEAT_SCRIPT_COUNT,
                                   .timeout_ms = (int)t->redis.timeout_ms};
    return leat_redis_open(&o, ret, err);
}

leat_status leat_redis_trusted(struct leat_redis *r, const struct leat_topology *t, uint64_t *seen,
                               struct leat_error *err)
{
    char policy[LEAT_REDIS_POLICY_MAX];
    bool evicts = false;
    leat_status status = leat_redis_ready(r, err);
    if (status != LEAT_OK)
        return status == LEAT_INVALID ? LEAT_RETRY : status; /* a password may be mended */
    if (*seen == leat_redis_connections(r))
        return LEAT_OK;
    status = leat_redis_policy(r, policy, &evicts, err);
    if (status != LEAT_OK)
        return status;
    if (evicts && t->redis.eviction == LEAT_REDIS_EVICTION_REFUSE) {
        leat_redis_drop(r); /* so that it is asked again */
        status = leat_fail(err, LEAT_RETRY,
                           "Redis %s has maxmemory-policy %s: it would remove rows of read models",
                           leat_redis_server(r), policy);
        leat_error_hint(err, "Set it to noeviction (or volatile-*), or say `redis: {eviction: "
                             "allow}` in the topology.");
        return status;
    }
    *seen = leat_redis_connections(r);
    return LEAT_OK;
}

void leat_redis_keep_at(struct leat_redis_slice *s, struct leat_str text)
{
    if (text.len > s->at_cap) {
        s->at = realloc(s->at, text.len);
        leat_assert(s->at != NULL);
        s->at_cap = text.len;
    }
    if (text.len > 0)
        memcpy(s->at, text.at, text.len);
    s->at_len = text.len;
}

void leat_redis_forget_rows(struct leat_redis_place *p, int32_t k, bool empty)
{
    if (p->cache != NULL)
        leat_row_cache_drop(p->cache, k, empty);
}

/* The answer of a slice's script. What was not written shows in the checkpoint, which is looked at
 * before the next batch of the slice. */
static leat_status settle_slice(struct leat_redis_place *p, int32_t k, struct leat_error *err)
{
    struct leat_redis_slice *s = &p->slices[k];
    const struct leat_redis_reply *reply = NULL;
    struct leat_str text;
    leat_redis_found found = LEAT_FOUND_OTHER;
    leat_status status = LEAT_OK;
    if (leat_redis_pending(p->redis) > 0) /* else the connection is gone, and its answers with it */
        status = leat_redis_reply(p->redis, &reply, err);
    if (status == LEAT_OK && reply != NULL)
        found = leat_redis_answer(reply, &text);
    if (found == LEAT_FOUND_TORN) {
        leat_redis_keep_at(s, text);
        s->clear = true;
    }
    if (found != LEAT_FOUND_SAME) {
        s->doubted = true;
        leat_redis_forget_rows(p, k, false);
    }
    return status;
}

leat_status leat_redis_settle_due(struct leat_fold *f, struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    leat_status status = LEAT_OK;
    for (int32_t k = 0; k < f->partitions; k++) {
        struct leat_error later = {0};
        bool due = p->slices[k].due;
        p->slices[k].due = false;
        leat_status one = due ? settle_slice(p, k, status == LEAT_OK ? err : &later) : LEAT_OK;
        status = status == LEAT_OK ? one : status;
    }
    return status;
}

/* Answers of all that was sent. */
static leat_status settle(struct leat_fold *f, struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    if (!p->in_flight)
        return LEAT_OK;
    leat_status status = leat_redis_settle_due(f, err);
    for (int32_t k = 0; k < f->partitions; k++) {
        p->slices[k].due = p->slices[k].in_flight;
        p->slices[k].in_flight = false;
    }
    p->in_flight = false;
    struct leat_error later = {0};
    leat_status last = leat_redis_settle_due(f, status == LEAT_OK ? err : &later);
    return status == LEAT_OK ? last : status;
}

leat_status leat_redis_fold_ready(struct leat_fold *f, struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    leat_status status = settle(f, err);
    if (status != LEAT_OK)
        return status;
    return leat_redis_trusted(p->redis, p->topology, &p->trusted, err);
}

/* ---- checkpoints ---- */

/* What stands there against what was written last; *file = what stands there. FOREIGN: it must be
 * cleared. */
leat_seq_reconciled leat_redis_judge(struct leat_fold *f, int32_t k, struct leat_str text,
                                     struct leat_checkpoint *file)
{
    struct leat_checkpoint mine = f->committed[k];
    leat_redis_keep_at(&leat_redis_place_of(f)->slices[k], text);
    if (!leat_redis_at_read(text, f->shape, file, &f->batch->kinds_in_file)) {
        memset(file, 0, sizeof *file);
        return LEAT_RECONCILED_FOREIGN;
    }
    return leat_seqrule_reconcile(&mine, file);
}

/* Nothing is kept of the slice: goes on from what stands there. */
static void take_found(struct leat_fold *f, int32_t k, struct leat_str text)
{
    struct leat_redis_slice *s = &leat_redis_place_of(f)->slices[k];
    struct leat_checkpoint file;
    leat_redis_forget_rows(leat_redis_place_of(f), k, text.len == 0);
    s->doubted = false;
    switch (leat_redis_judge(f, k, text, &file)) {
    case LEAT_RECONCILED_SAME:
        break;
    case LEAT_RECONCILED_ADOPT:
        f->figures.adopted += s->loaded;
        break;
    case LEAT_RECONCILED_REWIND:
        f->figures.rewound++;
        s->clear = text.len == 0; /* of a slice that is gone something may be left */
        break;
    case LEAT_RECONCILED_FOREIGN:
        s->clear = true;
        break;
    }
    f->committed[k] = f->seen[k] = file;
}

static void send_clear(struct leat_fold *f, int32_t k)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    leat_redis_run(p->redis, LEAT_SCRIPT_CLEAR, &p->keys, k, 1);
    leat_redis_arg(p->redis, leat_redis_at_of(&p->slices[k]));
}

static leat_status read_clear(struct leat_fold *f, int32_t k, struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    const struct leat_redis_reply *reply = NULL;
    struct leat_str text;
    LEAT_TRY(leat_redis_reply(p->redis, &reply, err), err, "clear slice %d", (int)k);
    leat_redis_found found = leat_redis_answer(reply, &text);
    struct leat_redis_slice *s = &p->slices[k];
    s->clear = false;
    p->cleared += found == LEAT_FOUND_SAME;
    s->loaded = false; /* it is found empty, or as somebody else has written it meanwhile */
    s->doubted = true;
    leat_redis_forget_rows(p, k, false);
    if (found == LEAT_FOUND_SAME) {
        leat_redis_keep_at(s, text);
        memset(&f->committed[k], 0, sizeof f->committed[k]);
        f->seen[k] = f->committed[k];
    }
    return LEAT_OK;
}

/* Slices that cannot be gone on from are removed, so that they are folded from the first event. */
leat_status leat_redis_clear_marked(struct leat_fold *f, struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    for (int32_t k = 0; k < f->partitions; k++) {
        if (p->slices[k].clear)
            send_clear(f, k);
    }
    for (int32_t k = 0; k < f->partitions; k++) {
        if (p->slices[k].clear)
            LEAT_TRY(read_clear(f, k, err), err, "model '%.*s'", LEAT_STR_FMT(f->projection->name));
    }
    return LEAT_OK;
}

leat_status leat_redis_fold_clear(struct leat_fold *f, int32_t k, struct leat_error *err)
{
    LEAT_TRY(leat_redis_fold_ready(f, err), err, "clear");
    leat_redis_place_of(f)->slices[k].clear = true;
    return leat_redis_clear_marked(f, err);
}

leat_status leat_redis_fold_remove(struct leat_fold *f, struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    LEAT_TRY(leat_redis_fold_ready(f, err), err, "remove");
    for (int32_t k = 0; k < f->partitions; k++) {
        const struct leat_redis_slice_keys *s = &p->keys.slices[k];
        const struct leat_str keys[] = {s->rows, s->order, s->skipped, s->fresh};
        leat_redis_forget_rows(p, k, false);
        for (size_t i = 0; i < sizeof keys / sizeof *keys + p->keys.n_indexes; i++) {
            leat_redis_command(p->redis, 2);
            leat_redis_arg(p->redis, LEAT_STR("UNLINK"));
            leat_redis_arg(p->redis, i < 4 ? keys[i] : s->indexes[i - 4]);
        }
        LEAT_TRY(leat_redis_finish(p->redis, err), err, "remove slice %d", (int)k);
    }
    return LEAT_OK;
}

void leat_redis_fold_set_current(struct leat_fold *f, bool current)
{
    leat_redis_place_of(f)->is_current = current;
}

uint64_t leat_redis_fold_cleared(const struct leat_fold *f)
{
    return leat_redis_place_of(f)->cleared;
}

bool leat_redis_fold_loaded(const struct leat_fold *f, int32_t k)
{
    return leat_redis_place_of(f)->slices[k].loaded;
}

void leat_redis_fold_unload(struct leat_fold *f, int32_t k)
{
    leat_redis_place_of(f)->slices[k].loaded = false;
    leat_redis_forget_rows(leat_redis_place_of(f), k, false);
    f->seen[k] = f->committed[k];
}

leat_status leat_redis_fold_load(struct leat_fold *f, const int32_t *ks, size_t n,
                                 struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    const struct leat_redis_reply *reply = NULL;
    LEAT_TRY(leat_redis_fold_ready(f, err), err, "load");
    for (size_t i = 0; i < n; i++) {
        leat_redis_command(p->redis, 3);
        leat_redis_arg(p->redis, LEAT_STR("HGET"));
        leat_redis_arg(p->redis, p->keys.slices[ks[i]].rows);
        leat_redis_arg(p->redis, LEAT_STR(""));
    }
    for (size_t i = 0; i < n; i++) {
        LEAT_TRY(leat_redis_reply(p->redis, &reply, err), err, "load slice %d", (int)ks[i]);
        memset(&f->committed[ks[i]], 0, sizeof *f->committed);
        p->slices[ks[i]].loaded = false;
        take_found(f, ks[i], leat_redis_text(reply));
        p->slices[ks[i]].loaded = true;
    }
    return leat_redis_clear_marked(f, err);
}

/* ---- what is there is still what was written ---- */

static void send_look(struct leat_fold *f, int32_t k, int64_t complete_ms)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    leat_redis_run(p->redis, LEAT_SCRIPT_LOOK, &p->keys, k, 2);
    leat_redis_arg(p->redis, leat_redis_at_of(&p->slices[k]));
    leat_redis_arg_int(p->redis, complete_ms);
}

/* The pointer may be lost like anything else. */
static void send_version(struct leat_redis_place *p)
{
    leat_redis_script(p->redis, LEAT_SCRIPT_VERSION, 5, 5);
    leat_redis_arg(p->redis, p->keys.shape);
    leat_redis_arg(p->redis, p->keys.versions);
    leat_redis_arg(p->redis, p->keys.current);
    leat_redis_arg(p->redis, p->keys.dropped);
    leat_redis_arg(p->redis, p->keys.about);
    leat_redis_arg(p->redis, leat_str_of(p->version));
    leat_redis_arg(p->redis, p->shape_text);
    leat_redis_arg(p->redis, p->declaration);
    leat_redis_arg(p->redis, p->is_current ? LEAT_STR("1") : LEAT_STR("0"));
    leat_redis_arg_int(p->redis, leat_now_ms());
}

leat_status leat_redis_fold_look(struct leat_fold *f, const int32_t *ks, size_t n,
                                 const int64_t *complete_ms, struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    const struct leat_redis_reply *reply = NULL;
    bool changes = false;
    leat_assert(leat_fold_kept(f, &changes) == 0);
    LEAT_TRY(leat_redis_fold_ready(f, err), err, "look");
    for (size_t i = 0; i < n; i++)
        send_look(f, ks[i], complete_ms[i]);
    send_version(p);
    for (size_t i = 0; i < n; i++) {
        struct leat_str text;
        LEAT_TRY(leat_redis_reply(p->redis, &reply, err), err, "look at slice %d", (int)ks[i]);
        leat_redis_found found = leat_redis_answer(reply, &text);
        if (found == LEAT_FOUND_OTHER)
            take_found(f, ks[i], text);
        if (found == LEAT_FOUND_TORN)
            p->slices[ks[i]].clear = true;
    }
    LEAT_TRY(leat_redis_finish(p->redis, err), err, "look");
    return leat_redis_clear_marked(f, err);
}

/* ---- the version readers use ---- */

static void send_checkpoints(struct leat_redis *r, const struct leat_redis_keys *keys)
{
    for (int32_t k = 0; k < keys->partitions; k++) {
        leat_redis_command(r, 3);
        leat_redis_arg(r, LEAT_STR("HGET"));
        leat_redis_arg(r, keys->slices[k].rows);
        leat_redis_arg(r, LEAT_STR(""));
    }
}

static leat_status read_checkpoints(struct leat_fold *f, struct leat_checkpoint *ret,
                                    struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct leat_column_kinds ignored = {.bits = {{0}}};
    for (int32_t k = 0; k < f->partitions; k++) {
        LEAT_TRY(leat_redis_reply(leat_redis_place_of(f)->redis, &reply, err), err, "checkpoints");
        if (!leat_redis_at_read(leat_redis_text(reply), f->shape, &ret[k], &ignored))
            memset(&ret[k], 0, sizeof ret[k]);
    }
    return LEAT_OK;
}

/* Is every slice of this version, whoever folds it, at or past that one's? */
static leat_status caught_up(struct leat_fold *f, const char *current, bool *ret,
                             struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    struct leat_arena *arena = leat_arena_new(16384, 0);
    struct leat_redis_keys theirs;
    size_t n = (size_t)f->partitions;
    struct leat_checkpoint *at = leat_arena_zalloc(arena, n, sizeof *at);
    struct leat_checkpoint *mine = leat_arena_zalloc(arena, n, sizeof *mine);
    struct leat_redis_keys_config c = {.topology = p->topology->name,
                                       .model = f->projection->name,
                                       .version = current,
                                       .shape = f->shape};
    leat_redis_keys_of(&c, arena, &theirs);
    send_checkpoints(p->redis, &theirs);
    send_checkpoints(p->redis, &p->keys);
    leat_status status = read_checkpoints(f, at, err);
    if (status == LEAT_OK)
        status = read_checkpoints(f, mine, err);
    *ret = true;
    for (size_t k = 0; k < n && *ret; k++) {
        *ret = mine[k].seq >= at[k].seq ||
               (mine[k].seq > 0 && !leat_uuid_eq(&mine[k].store_id, &at[k].store_id));
    }
    leat_arena_free(arena);
    return status;
}

/* `from` "" = there was none. */
static void send_switch(struct leat_fold *f, const char *from)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    leat_buf_clear(&p->text);
    leat_buf_printf(&p->text, "about:%s", from);
    leat_buf_putc(&p->text, 0);
    struct leat_str about =
        leat_redis_model_key(p->topology->name, f->projection->name, p->text.at, f->batch->work);
    if (from[0] != 0) {
        leat_redis_command(p->redis, 4);
        leat_redis_arg(p->redis, LEAT_STR("HSET"));
        leat_redis_arg(p->redis, about);
        leat_redis_arg(p->redis, LEAT_STR("left"));
        leat_redis_arg_int(p->redis, leat_now_ms());
    }
    leat_redis_command(p->redis, 3);
    leat_redis_arg(p->redis, LEAT_STR("HDEL"));
    leat_redis_arg(p->redis, p->keys.about);
    leat_redis_arg(p->redis, LEAT_STR("left"));
    leat_redis_command(p->redis, 3);
    leat_redis_arg(p->redis, LEAT_STR("SET"));
    leat_redis_arg(p->redis, p->keys.current);
    leat_redis_arg(p->redis, leat_str_of(p->version));
}

leat_status leat_redis_fold_switch(struct leat_fold *f, bool *ret_current, bool *ret_switched,
                                   struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    const struct leat_redis_reply *reply = NULL;
    char current[LEAT_VERSION_BYTES];
    bool reached = true;
    *ret_current = *ret_switched = false;
    LEAT_TRY(leat_redis_fold_ready(f, err), err, "switch");
    leat_redis_command(p->redis, 2);
    leat_redis_arg(p->redis, LEAT_STR("GET"));
    leat_redis_arg(p->redis, p->keys.current);
    LEAT_TRY(leat_redis_reply(p->redis, &reply, err), err, "current version");
    struct leat_str text = leat_redis_text(reply);
    *ret_current = p->is_current = leat_str_eq(text, leat_str_of(p->version));
    if (*ret_current)
        return LEAT_OK;
    (void)snprintf(current, sizeof current, "%.*s", LEAT_STR_FMT(text));
    if (text.len > 0)
        LEAT_TRY(caught_up(f, current, &reached, err), err, "switch");
    if (!reached)
        return LEAT_OK;
    send_switch(f, current);
    LEAT_TRY(leat_redis_finish(p->redis, err), err, "switch");
    *ret_current = *ret_switched = p->is_current = true;
    return LEAT_OK;
}

/* ---- life ---- */

static void close_place(struct leat_fold *f)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    if (p == NULL)
        return;
    struct leat_error ignored = {0};
    (void)settle(f, &ignored);
    leat_redis_close(p->redis);
    for (int32_t k = 0; k < f->partitions; k++)
        free(p->slices[k].at);
    free(p->slices);
    leat_row_cache_free(p->cache);
    leat_buf_done(&p->text);
    leat_buf_done(&p->packed);
    leat_arena_free(p->arena);
    free(p);
}

static const struct leat_fold_backend backend = {
    .by_slice = true, .commit = leat_redis_commit, .close = close_place};

static struct leat_redis_place *place_new(const struct leat_redis_fold_config *c,
                                          const struct leat_shape *s)
{
    struct leat_redis_place *p = calloc(1, sizeof *p);
    leat_assert(p != NULL);
    p->topology = c->topology;
    p->arena = leat_arena_new(16384, 0);
    p->version = leat_arena_cstr(p->arena, leat_str_of(c->version));
    p->slices = calloc((size_t)c->topology->partitions, sizeof *p->slices);
    leat_assert(p->slices != NULL);
    leat_buf_init(&p->text, (size_t)64 * 1024);
    leat_buf_init(&p->packed, LEAT_ROW_BYTES_MAX);
    p->declaration = leat_arena_copy(p->arena, c->declaration);
    struct leat_redis_keys_config kc = {.topology = c->topology->name,
                                        .model = c->projection->name,
                                        .version = c->version,
                                        .shape = s,
                                        .by_stream = c->projection->keyed_by_stream,
                                        .ttl = c->projection->ttl_ms > 0};
    leat_redis_keys_of(&kc, p->arena, &p->keys);
    return p;
}

static void fold_closep(struct leat_fold **f)
{
    leat_fold_close(*f);
}

static bool rows_are_read(const struct leat_rules *rules)
{
    bool any = false;
    for (uint32_t i = 0; i < rules->n; i++)
        any = any || !rules->at[i].blind;
    return any;
}

leat_status leat_redis_fold_open(const struct leat_redis_fold_config *c, struct leat_fold **ret,
                                 struct leat_error *err)
{
    LEAT_AUTO(fold_closep) struct leat_fold *f = NULL;
    struct leat_buf text;
    LEAT_TRY(leat_fold_new(c->projection, c->topology->partitions, &f, err), err, "read model");
    struct leat_redis_place *p = place_new(c, f->shape);
    f->batch->backend = &backend;
    f->batch->place = p;
    if (rows_are_read(f->rules) && c->projection->ttl_ms == 0) /* what expires is asked for */
        p->cache = leat_row_cache_new(c->topology->partitions, c->cache_bytes);
    LEAT_TRY(leat_redis_of_topology(c->topology, &p->redis, err), err, "redis.url");
    LEAT_TRY(leat_row_names_of(f->shape->fields, f->shape->n_fields, p->arena, &p->names, err), err,
             "read model '%.*s'", LEAT_STR_FMT(c->projection->name));
    leat_buf_init(&text, LEAT_SHAPE_BYTES_MAX);
    struct leat_redis_form form;
    leat_redis_form_of(c->projection, &form);
    leat_redis_form_text(&form, f->shape, &text);
    p->shape_text = leat_arena_copy(p->arena, leat_buf_str(&text));
    leat_buf_done(&text);
    *ret = LEAT_TAKE(f);
    return LEAT_OK;
}
