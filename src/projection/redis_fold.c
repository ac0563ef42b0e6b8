#include "projection/redis_fold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "projection/fold_batch.h"
#include "projection/redis_row.h"
#include "projection/versions.h"

enum row_todo {
    ROW_STAYS = 0,
    ROW_IS_THERE, /* write it; it existed */
    ROW_MAY_BE_NEW,
    ROW_GOES,
};

struct slice {
    bool loaded, active, clear;
    bool in_flight; /* a script was sent whose answer was not read yet */
    char *at;       /* the checkpoint as it was found or written last; "" = none */
    uint32_t at_len, at_cap;
    uint32_t first_row; /* of the batch; linked by `next` */
};

struct place {
    const struct leat_topology *topology;
    struct leat_redis *redis; /* of this fold alone */
    bool in_flight;
    uint64_t trusted;
    struct leat_arena *arena;
    struct leat_redis_keys keys;
    struct leat_row_names names;
    struct slice *slices;
    struct leat_str shape_text;
    const char *version;
    bool is_current; /* readers use it, as far as we know */
    uint64_t cleared;
    struct leat_buf text;
};

static struct place *place_of(const struct leat_fold *f)
{
    return f->batch->place;
}

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

static struct leat_str at_of(const struct slice *s)
{
    return (struct leat_str){s->at, s->at_len};
}

static void keep_at(struct slice *s, struct leat_str text)
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

/* Answers of the batch before. One that was not written shows in the checkpoint, which whatever
 * comes next compares; only a torn slice must be remembered. */
static leat_status settle(struct leat_fold *f, struct leat_error *err)
{
    struct place *p = place_of(f);
    const struct leat_redis_reply *reply = NULL;
    leat_status status = LEAT_OK;
    struct leat_str text;
    for (int32_t k = 0; k < f->partitions && p->in_flight; k++) {
        struct slice *s = &p->slices[k];
        bool asked = s->in_flight;
        s->in_flight = false;
        if (!asked || status != LEAT_OK || leat_redis_pending(p->redis) == 0)
            continue; /* or the connection is gone, and its answers with it */
        status = leat_redis_reply(p->redis, &reply, err);
        if (status == LEAT_OK && leat_redis_answer(reply, &text) == LEAT_FOUND_TORN) {
            keep_at(s, text);
            s->clear = true;
        }
    }
    p->in_flight = false;
    return status;
}

static leat_status ready(struct leat_fold *f, struct leat_error *err)
{
    struct place *p = place_of(f);
    leat_status status = settle(f, err);
    if (status != LEAT_OK)
        return status;
    return leat_redis_trusted(p->redis, p->topology, &p->trusted, err);
}

/* ---- checkpoints ---- */

/* What stands there against what was written last; *file = what stands there. FOREIGN: it must be
 * cleared. */
static leat_seq_reconciled judge(struct leat_fold *f, int32_t k, struct leat_str text,
                                 struct leat_checkpoint *file)
{
    struct leat_checkpoint mine = f->committed[k];
    keep_at(&place_of(f)->slices[k], text);
    if (!leat_redis_at_read(text, f->shape, file, &f->batch->kinds_in_file)) {
        memset(file, 0, sizeof *file);
        return LEAT_RECONCILED_FOREIGN;
    }
    return leat_seqrule_reconcile(&mine, file);
}

/* Nothing is kept of the slice: goes on from what stands there. */
static void take_found(struct leat_fold *f, int32_t k, struct leat_str text)
{
    struct slice *s = &place_of(f)->slices[k];
    struct leat_checkpoint file;
    switch (judge(f, k, text, &file)) {
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
    struct place *p = place_of(f);
    leat_redis_run(p->redis, LEAT_SCRIPT_CLEAR, &p->keys, k, 1);
    leat_redis_arg(p->redis, at_of(&p->slices[k]));
}

static leat_status read_clear(struct leat_fold *f, int32_t k, struct leat_error *err)
{
    struct place *p = place_of(f);
    const struct leat_redis_reply *reply = NULL;
    struct leat_str text;
    LEAT_TRY(leat_redis_reply(p->redis, &reply, err), err, "clear slice %d", (int)k);
    leat_redis_found found = leat_redis_answer(reply, &text);
    struct slice *s = &p->slices[k];
    s->clear = false;
    p->cleared += found == LEAT_FOUND_SAME;
    s->loaded = false; /* it is found empty, or as somebody else has written it meanwhile */
    if (found == LEAT_FOUND_SAME) {
        keep_at(s, text);
        memset(&f->committed[k], 0, sizeof f->committed[k]);
        f->seen[k] = f->committed[k];
    }
    return LEAT_OK;
}

/* Slices that cannot be gone on from are removed, so that they are folded from the first event. */
static leat_status clear_marked(struct leat_fold *f, struct leat_error *err)
{
    struct place *p = place_of(f);
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
    LEAT_TRY(ready(f, err), err, "clear");
    place_of(f)->slices[k].clear = true;
    return clear_marked(f, err);
}

uint64_t leat_redis_fold_cleared(const struct leat_fold *f)
{
    return place_of(f)->cleared;
}

bool leat_redis_fold_loaded(const struct leat_fold *f, int32_t k)
{
    return place_of(f)->slices[k].loaded;
}

void leat_redis_fold_unload(struct leat_fold *f, int32_t k)
{
    place_of(f)->slices[k].loaded = false;
    f->seen[k] = f->committed[k];
}

leat_status leat_redis_fold_load(struct leat_fold *f, const int32_t *ks, size_t n,
                                 struct leat_error *err)
{
    struct place *p = place_of(f);
    const struct leat_redis_reply *reply = NULL;
    LEAT_TRY(ready(f, err), err, "load");
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
    return clear_marked(f, err);
}

/* ---- what is there is still what was written ---- */

static void send_look(struct leat_fold *f, int32_t k, int64_t complete_ms)
{
    struct place *p = place_of(f);
    leat_redis_run(p->redis, LEAT_SCRIPT_LOOK, &p->keys, k, 2);
    leat_redis_arg(p->redis, at_of(&p->slices[k]));
    leat_redis_arg_int(p->redis, complete_ms);
}

static void send_version(struct place *p)
{
    leat_redis_command(p->redis, 3);
    leat_redis_arg(p->redis, LEAT_STR("SET"));
    leat_redis_arg(p->redis, p->keys.shape);
    leat_redis_arg(p->redis, p->shape_text);
    leat_redis_command(p->redis, 3);
    leat_redis_arg(p->redis, LEAT_STR("SADD"));
    leat_redis_arg(p->redis, p->keys.versions);
    leat_redis_arg(p->redis, leat_str_of(p->version));
    if (!p->is_current)
        return;
    leat_redis_command(p->redis, 4); /* the pointer may be lost like anything else */
    leat_redis_arg(p->redis, LEAT_STR("SET"));
    leat_redis_arg(p->redis, p->keys.current);
    leat_redis_arg(p->redis, leat_str_of(p->version));
    leat_redis_arg(p->redis, LEAT_STR("NX"));
}

leat_status leat_redis_fold_look(struct leat_fold *f, const int32_t *ks, size_t n,
                                 const int64_t *complete_ms, struct leat_error *err)
{
    struct place *p = place_of(f);
    const struct leat_redis_reply *reply = NULL;
    bool changes = false;
    leat_assert(leat_fold_kept(f, &changes) == 0);
    LEAT_TRY(ready(f, err), err, "look");
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
    return clear_marked(f, err);
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
        LEAT_TRY(leat_redis_reply(place_of(f)->redis, &reply, err), err, "checkpoints");
        if (!leat_redis_at_read(leat_redis_text(reply), f->shape, &ret[k], &ignored))
            memset(&ret[k], 0, sizeof ret[k]);
    }
    return LEAT_OK;
}

/* Is every slice of this version, whoever folds it, at or past that one's? */
static leat_status caught_up(struct leat_fold *f, const char *current, bool *ret,
                             struct leat_error *err)
{
    struct place *p = place_of(f);
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

leat_status leat_redis_fold_switch(struct leat_fold *f, bool *ret_current, bool *ret_switched,
                                   struct leat_error *err)
{
    struct place *p = place_of(f);
    const struct leat_redis_reply *reply = NULL;
    char current[LEAT_VERSION_BYTES];
    bool reached = true;
    *ret_current = *ret_switched = false;
    LEAT_TRY(ready(f, err), err, "switch");
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
    leat_redis_command(p->redis, 3);
    leat_redis_arg(p->redis, LEAT_STR("SET"));
    leat_redis_arg(p->redis, p->keys.current);
    leat_redis_arg(p->redis, leat_str_of(p->version));
    LEAT_TRY(leat_redis_reply(p->redis, &reply, err), err, "switch");
    *ret_current = *ret_switched = p->is_current = true;
    return LEAT_OK;
}

/* ---- a batch: rows as they are ---- */

static void link_rows(struct leat_fold *f)
{
    struct place *p = place_of(f);
    struct leat_fold_batch *b = f->batch;
    for (int32_t k = 0; k < f->partitions; k++) {
        struct leat_checkpoint *seen = &f->seen[k], *committed = &f->committed[k];
        p->slices[k].active =
            seen->seq != committed->seq || seen->next_offset != committed->next_offset;
        p->slices[k].active = p->slices[k].active && seen->seq > 0;
        p->slices[k].first_row = LEAT_FOLD_NO_ROW;
    }
    for (size_t i = b->n_rows; i-- > 0;) {
        struct slice *s = &p->slices[b->rows[i].slice];
        b->rows[i].next = s->first_row;
        s->first_row = (uint32_t)i;
    }
}

static struct leat_fold_row *row_at(struct leat_fold *f, uint32_t i)
{
    return i == LEAT_FOLD_NO_ROW ? NULL : &f->batch->rows[i];
}

static void send_fetch(struct leat_fold *f, int32_t k)
{
    struct place *p = place_of(f);
    size_t n = 0;
    struct leat_fold_row *row;
    for (row = row_at(f, p->slices[k].first_row); row != NULL; row = row_at(f, row->next))
        n += !row->blind;
    leat_redis_command(p->redis, 3 + n);
    leat_redis_arg(p->redis, LEAT_STR("HMGET"));
    leat_redis_arg(p->redis, p->keys.slices[k].rows);
    leat_redis_arg(p->redis, LEAT_STR(""));
    for (row = row_at(f, p->slices[k].first_row); row != NULL; row = row_at(f, row->next)) {
        if (!row->blind)
            leat_redis_arg(p->redis, row->db_key);
    }
}

static leat_status fill_row(struct leat_fold *f, struct leat_fold_row *row,
                            const struct leat_redis_reply *found, struct leat_error *err)
{
    struct place *p = place_of(f);
    if (leat_redis_is_nil(found)) {
        leat_fold_row_empty(f, row);
        return LEAT_OK;
    }
    row->old = leat_arena_copy(f->batch->work, leat_redis_text(found));
    leat_status status =
        leat_row_of_text(&p->names, row->old, f->batch->work, row->cells, NULL, err);
    if (status == LEAT_OK)
        leat_fold_row_filled(f, row);
    return status;
}

/* Sets what of the slice's changes is to be applied. A row that somebody has damaged makes the
 * slice one to fold again. */
static leat_status read_fetch(struct leat_fold *f, int32_t k, int64_t *ret_skip_below,
                              struct leat_error *err)
{
    struct place *p = place_of(f);
    struct leat_fold_batch *b = f->batch;
    struct slice *s = &p->slices[k];
    const struct leat_redis_reply *reply = NULL;
    struct leat_checkpoint file;
    struct leat_error why = {0};
    size_t i = 1;
    LEAT_TRY(leat_redis_reply(p->redis, &reply, err), err, "read rows of slice %d", (int)k);
    if (leat_redis_count(reply) == 0)
        return leat_fail(err, LEAT_FATAL, "slice %d: an answer that is none", (int)k);
    struct leat_str text = leat_redis_text(leat_redis_item(reply, 0));
    bool was_there = s->at_len > 0;
    leat_seq_reconciled what = judge(f, k, text, &file);
    b->adopted += what == LEAT_RECONCILED_ADOPT;
    b->rewound += what == LEAT_RECONCILED_REWIND;
    s->clear = what == LEAT_RECONCILED_FOREIGN || (was_there && text.len == 0);
    *ret_skip_below = what == LEAT_RECONCILED_ADOPT  ? file.seq
                      : what == LEAT_RECONCILED_SAME ? 0
                                                     : INT64_MAX;
    struct leat_fold_row *row = row_at(f, s->first_row);
    for (; row != NULL; row = row_at(f, row->next)) {
        if (!row->blind && !s->clear &&
            fill_row(f, row, leat_redis_item(reply, i), &why) != LEAT_OK)
            s->clear = true;
        i += !row->blind;
    }
    if (s->clear)
        *ret_skip_below = INT64_MAX;
    b->next[k] = *ret_skip_below == INT64_MAX || f->seen[k].seq <= file.seq ? file : f->seen[k];
    if (what == LEAT_RECONCILED_SAME && !s->clear)
        b->next[k] = f->seen[k];
    return LEAT_OK;
}

/* ---- a batch: rows as they are to be ---- */

struct outgoing { /* of one slice */
    size_t known, fresh, gone, skips;
};

static void encode_row(struct leat_fold *f, struct leat_fold_row *row, struct outgoing *o)
{
    struct place *p = place_of(f);
    struct leat_fold_batch *b = f->batch;
    row->todo = ROW_STAYS;
    if (!row->touched)
        return;
    leat_buf_clear(&b->encoded);
    if (row->exists) {
        leat_row_text(&p->names, row->cells, row->shortened ? row->key : (struct leat_str){NULL, 0},
                      &b->encoded);
    }
    if (b->encoded.overflow) { /* an event cannot stop the model: the row stays as it was */
        b->misfits++;
        return;
    }
    struct leat_str text = leat_buf_str(&b->encoded);
    if (row->exists == row->existed && leat_str_eq(row->old, text))
        return;
    leat_fold_plan_index(f, row);
    b->rows_put += row->exists;
    if (!row->exists) {
        row->todo = ROW_GOES;
        o->gone++;
        return;
    }
    row->encoded = leat_arena_copy(b->work, text);
    row->todo = row->existed && !row->blind ? ROW_IS_THERE : ROW_MAY_BE_NEW;
    o->known += row->todo == ROW_IS_THERE;
    o->fresh += row->todo == ROW_MAY_BE_NEW;
}

static size_t count_ops(const struct leat_fold_batch *b, uint32_t index, bool remove)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n_index_ops; i++)
        n += b->index_ops[i].remove == remove && (uint8_t)b->index_ops[i].key.at[0] == index;
    return n;
}

static void send_ops(struct leat_fold *f, uint32_t index, bool remove)
{
    struct place *p = place_of(f);
    const struct leat_fold_batch *b = f->batch;
    size_t n = count_ops(b, index, remove);
    leat_redis_arg_int(p->redis, (int64_t)(remove ? n : 2 * n));
    for (size_t i = 0; i < b->n_index_ops && n > 0; i++) {
        if (b->index_ops[i].remove != remove || (uint8_t)b->index_ops[i].key.at[0] != index)
            continue;
        if (!remove)
            leat_redis_arg(p->redis, LEAT_STR("0"));
        leat_redis_arg(p->redis, b->index_ops[i].key);
    }
}

static void send_rows(struct leat_fold *f, int32_t k, enum row_todo todo, size_t n)
{
    struct place *p = place_of(f);
    leat_redis_arg_int(p->redis, (int64_t)(todo == ROW_GOES ? n : 2 * n));
    struct leat_fold_row *row = row_at(f, p->slices[k].first_row);
    for (; row != NULL && n > 0; row = row_at(f, row->next)) {
        if (row->todo != (int)todo)
            continue;
        leat_redis_arg(p->redis, row->db_key);
        if (todo != ROW_GOES)
            leat_redis_arg(p->redis, row->encoded);
    }
}

static bool skip_counts(const struct leat_fold *f, size_t i, int32_t k, int64_t skip_below)
{
    const struct leat_fold_skip *s = &f->batch->skips[i];
    return s->slice == k && s->seq > skip_below;
}

static void send_skips(struct leat_fold *f, int32_t k, int64_t skip_below, size_t n)
{
    struct place *p = place_of(f);
    leat_redis_arg_int(p->redis, (int64_t)(2 * n));
    for (size_t i = 0; i < f->batch->n_skips; i++) {
        if (!skip_counts(f, i, k, skip_below))
            continue;
        leat_redis_arg_int(p->redis, f->batch->skips[i].seq);
        leat_redis_arg(p->redis, f->batch->skips[i].text);
    }
}

/* Rows are encoded here: in one pass with their index entries, slice by slice. */
static void send_apply(struct leat_fold *f, int32_t k, int64_t skip_below)
{
    struct place *p = place_of(f);
    struct leat_fold_batch *b = f->batch;
    struct outgoing o = {0};
    b->n_index_ops = 0;
    for (struct leat_fold_row *row = row_at(f, p->slices[k].first_row); row != NULL;
         row = row_at(f, row->next))
        encode_row(f, row, &o);
    for (size_t i = 0; i < b->n_skips; i++)
        o.skips += skip_counts(f, i, k, skip_below);
    size_t entries = 0;
    for (uint32_t i = 0; i < p->keys.n_indexes; i++)
        entries += 2 + count_ops(b, i, true) + 2 * count_ops(b, i, false);
    leat_buf_clear(&p->text);
    leat_redis_at_text(&b->next[k], &b->kinds, f->shape, &p->text);
    leat_redis_run(p->redis, LEAT_SCRIPT_APPLY, &p->keys, k,
                   2 + 4 + 2 * o.known + 2 * o.fresh + o.gone + 2 * o.skips + entries);
    leat_redis_arg(p->redis, at_of(&p->slices[k]));
    leat_redis_arg(p->redis, leat_buf_str(&p->text));
    send_rows(f, k, ROW_IS_THERE, o.known);
    send_rows(f, k, ROW_MAY_BE_NEW, o.fresh);
    send_rows(f, k, ROW_GOES, o.gone);
    send_skips(f, k, skip_below, o.skips);
    for (uint32_t i = 0; i < p->keys.n_indexes; i++) {
        send_ops(f, i, true);
        send_ops(f, i, false);
    }
}

static leat_status fetch_all(struct leat_fold *f, int64_t *skip_below, struct leat_error *err)
{
    struct place *p = place_of(f);
    for (int32_t k = 0; k < f->partitions; k++) {
        skip_below[k] = INT64_MAX;
        if (p->slices[k].active)
            send_fetch(f, k);
    }
    for (int32_t k = 0; k < f->partitions; k++) {
        if (p->slices[k].active)
            LEAT_TRY(read_fetch(f, k, &skip_below[k], err), err, "fetch");
    }
    return LEAT_OK;
}

/* The answers are read when the next batch is written: Redis works while this one is folded. */
static leat_status apply_all(struct leat_fold *f, const int64_t *skip_below, struct leat_error *err)
{
    struct place *p = place_of(f);
    struct leat_fold_batch *b = f->batch;
    for (int32_t k = 0; k < f->partitions; k++) {
        struct slice *s = &p->slices[k];
        s->in_flight = s->active && skip_below[k] != INT64_MAX && skip_below[k] < f->seen[k].seq;
        if (!s->in_flight)
            continue;
        send_apply(f, k, skip_below[k]);
        keep_at(s, leat_buf_str(&p->text));
        p->in_flight = true;
    }
    b->kinds_in_file = b->kinds;
    return p->in_flight ? leat_redis_send(p->redis, err) : LEAT_OK;
}

/* There and back, and there again, all slices at once. What fails before the last step leaves the
 * batch kept, to be tried again. What was sent counts as written; if it was not, the checkpoint is
 * found behind, and its events are read again. */
static leat_status commit(struct leat_fold *f, struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    struct place *p = place_of(f);
    int64_t skip_below[LEAT_PARTITIONS_MAX];
    LEAT_TRY(ready(f, err), err, "model '%.*s'", LEAT_STR_FMT(f->projection->name));
    LEAT_TRY(clear_marked(f, err), err, "model '%.*s'", LEAT_STR_FMT(f->projection->name));
    memcpy(b->next, f->committed, (size_t)f->partitions * sizeof *b->next);
    b->rows_put = b->adopted = b->rewound = 0;
    leat_fold_plan_rows(f);
    link_rows(f);
    LEAT_TRY(fetch_all(f, skip_below, err), err, "model '%.*s'", LEAT_STR_FMT(f->projection->name));
    b->kinds = b->kinds_in_file;
    leat_fold_apply_planned(f, skip_below);
    LEAT_TRY(apply_all(f, skip_below, err), err, "model '%.*s'", LEAT_STR_FMT(f->projection->name));
    for (int32_t k = 0; k < f->partitions; k++) {
        if (p->slices[k].clear)
            memset(&b->next[k], 0, sizeof b->next[k]);
    }
    return LEAT_OK; /* slices that are marked are cleared before anything else is done */
}

/* ---- life ---- */

static void close_place(struct leat_fold *f)
{
    struct place *p = place_of(f);
    if (p == NULL)
        return;
    struct leat_error ignored = {0};
    (void)settle(f, &ignored);
    leat_redis_close(p->redis);
    for (int32_t k = 0; k < f->partitions; k++)
        free(p->slices[k].at);
    free(p->slices);
    leat_buf_done(&p->text);
    leat_arena_free(p->arena);
    free(p);
}

static const struct leat_fold_backend backend = {
    .by_slice = true, .commit = commit, .close = close_place};

static struct place *place_new(const struct leat_redis_fold_config *c, const struct leat_shape *s)
{
    struct place *p = calloc(1, sizeof *p);
    leat_assert(p != NULL);
    p->topology = c->topology;
    p->arena = leat_arena_new(16384, 0);
    p->version = leat_arena_cstr(p->arena, leat_str_of(c->version));
    p->slices = calloc((size_t)c->topology->partitions, sizeof *p->slices);
    leat_assert(p->slices != NULL);
    leat_buf_init(&p->text, (size_t)64 * 1024);
    struct leat_redis_keys_config kc = {.topology = c->topology->name,
                                        .model = c->projection->name,
                                        .version = c->version,
                                        .shape = s,
                                        .by_stream = c->projection->keyed_by_stream};
    leat_redis_keys_of(&kc, p->arena, &p->keys);
    return p;
}

static void fold_closep(struct leat_fold **f)
{
    leat_fold_close(*f);
}

leat_status leat_redis_fold_open(const struct leat_redis_fold_config *c, struct leat_fold **ret,
                                 struct leat_error *err)
{
    LEAT_AUTO(fold_closep) struct leat_fold *f = NULL;
    struct leat_buf text;
    LEAT_TRY(leat_fold_new(c->projection, c->topology->partitions, &f, err), err, "read model");
    struct place *p = place_new(c, f->shape);
    f->batch->backend = &backend;
    f->batch->place = p;
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
