/* One batch of a model in Redis: its rows fetched, folded and written, slice by slice. */
#include <stdlib.h>
#include <string.h>

#include "projection/redis_fold_internal.h"

#define ENDING_MAX 50000 /* rows of a slice that go with one batch; more go with the next */

enum row_todo {
    ROW_STAYS = 0,
    ROW_IS_THERE, /* write it; it existed */
    ROW_MAY_BE_NEW,
    ROW_GOES,
};

/* ---- a batch: rows as they are ---- */

static void find_active(struct leat_fold *f)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    for (int32_t k = 0; k < f->partitions; k++) {
        struct leat_checkpoint *seen = &f->seen[k], *committed = &f->committed[k];
        p->slices[k].active =
            seen->seq != committed->seq || seen->next_offset != committed->next_offset;
        p->slices[k].active = p->slices[k].active && seen->seq > 0;
        p->slices[k].first_row = LEAT_FOLD_NO_ROW;
    }
}

static struct leat_str open_bound(struct leat_arena *arena, const struct leat_index_key *key)
{
    char *to = leat_arena_alloc(arena, key->len + (size_t)1);
    to[0] = '(';
    memcpy(to + 1, key->bytes, key->len);
    return (struct leat_str){to, key->len + 1};
}

/* Rows whose time is over with this batch are rows of it. */
static leat_status add_ending(struct leat_fold *f, struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    const struct leat_redis_reply *reply = NULL;
    for (int32_t k = 0; k < f->partitions; k++) {
        struct leat_index_key bound;
        if (!p->slices[k].active)
            continue;
        leat_expiry_key(k, f->seen[k].time_ms + 1, (struct leat_str){NULL, 0}, &bound);
        leat_redis_command(p->redis, 7);
        leat_redis_arg(p->redis, LEAT_STR("ZRANGEBYLEX"));
        leat_redis_arg(p->redis, p->keys.slices[k].indexes[p->keys.n_indexes - 1]);
        leat_redis_arg(p->redis, LEAT_STR("-"));
        leat_redis_arg(p->redis, open_bound(f->batch->work, &bound));
        leat_redis_arg(p->redis, LEAT_STR("LIMIT"));
        leat_redis_arg(p->redis, LEAT_STR("0"));
        leat_redis_arg_int(p->redis, ENDING_MAX);
    }
    for (int32_t k = 0; k < f->partitions; k++) {
        if (!p->slices[k].active)
            continue;
        LEAT_TRY(leat_redis_reply(p->redis, &reply, err), err, "what expires in slice %d", (int)k);
        for (size_t i = 0; i < leat_redis_count(reply); i++) {
            struct leat_str entry = leat_redis_text(leat_redis_item(reply, i));
            bool fresh = false;
            if (entry.len <= LEAT_EXPIRY_HEAD)
                continue;
            struct leat_str key = {entry.at + LEAT_EXPIRY_HEAD, entry.len - LEAT_EXPIRY_HEAD};
            (void)leat_fold_row_for(f, k, leat_arena_copy(f->batch->work, key), &fresh);
        }
    }
    return LEAT_OK;
}

static void link_rows(struct leat_fold *f)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    struct leat_fold_batch *b = f->batch;
    for (size_t i = b->n_rows; i-- > 0;) {
        struct leat_redis_slice *s = &p->slices[b->rows[i].slice];
        b->rows[i].next = s->first_row;
        s->first_row = (uint32_t)i;
    }
}

static struct leat_fold_row *row_at(struct leat_fold *f, uint32_t i)
{
    return i == LEAT_FOLD_NO_ROW ? NULL : &f->batch->rows[i];
}

/* ---- rows that are remembered ---- */

static bool recall_row(struct leat_fold *f, struct leat_fold_row *row)
{
    struct leat_str found = {NULL, 0};
    struct leat_error ignored = {0};
    if (leat_redis_place_of(f)->cache == NULL)
        return false;
    switch (leat_row_cache_get(leat_redis_place_of(f)->cache, row->slice, row->hash, row->key,
                               &found)) {
    case LEAT_CACHED_UNKNOWN:
        return false;
    case LEAT_CACHED_ABSENT:
        leat_fold_row_empty(f, row);
        break;
    case LEAT_CACHED_ROW:
        row->old = leat_arena_copy(f->batch->work, found);
        if (leat_row_decode(row->old, row->cells, f->shape->n_fields, NULL, &ignored) != LEAT_OK)
            return false;
        leat_fold_row_filled(f, row);
        break;
    }
    row->cached = true;
    return true;
}

static void expect(struct leat_fold *f, const struct leat_redis_slice *s, bool second_round)
{
    const struct leat_row_cache *cache = leat_redis_place_of(f)->cache;
    for (struct leat_fold_row *row = row_at(f, s->first_row); row != NULL && cache != NULL;
         row = row_at(f, row->next))
        leat_row_cache_expect(cache, row->hash, second_round);
}

/* Rows of the slice as they are remembered, and whether anything is to be asked for. */
static void recall(struct leat_fold *f, int32_t k)
{
    struct leat_redis_slice *s = &leat_redis_place_of(f)->slices[k];
    s->asks = s->doubted;
    s->recalled = false;
    expect(f, s, false);
    expect(f, s, true);
    for (struct leat_fold_row *row = row_at(f, s->first_row); row != NULL;
         row = row_at(f, row->next)) {
        if (row->blind)
            continue;
        bool known = recall_row(f, row);
        s->recalled = s->recalled || known;
        s->asks = s->asks || !known;
    }
}

/* They are not what stands there: all of them are fetched. */
static void unrecall(struct leat_fold *f, int32_t k)
{
    struct leat_redis_slice *s = &leat_redis_place_of(f)->slices[k];
    leat_redis_forget_rows(leat_redis_place_of(f), k, false);
    s->recalled = false;
    for (struct leat_fold_row *row = row_at(f, s->first_row); row != NULL;
         row = row_at(f, row->next)) {
        if (!row->cached)
            continue;
        row->cached = row->exists = row->existed = false;
        row->old = (struct leat_str){NULL, 0};
    }
}

/* ---- rows that are fetched ---- */

static void send_fetch(struct leat_fold *f, int32_t k)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    size_t n = 0;
    struct leat_fold_row *row;
    for (row = row_at(f, p->slices[k].first_row); row != NULL; row = row_at(f, row->next))
        n += !row->blind && !row->cached;
    leat_redis_command(p->redis, 3 + n);
    leat_redis_arg(p->redis, LEAT_STR("HMGET"));
    leat_redis_arg(p->redis, p->keys.slices[k].rows);
    leat_redis_arg(p->redis, LEAT_STR(""));
    for (row = row_at(f, p->slices[k].first_row); row != NULL; row = row_at(f, row->next)) {
        if (!row->blind && !row->cached)
            leat_redis_arg(p->redis, row->db_key);
    }
}

static leat_status fill_row(struct leat_fold *f, struct leat_fold_row *row,
                            const struct leat_redis_reply *found, struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    struct leat_row_own own = {{NULL, 0}, 0};
    if (leat_redis_is_nil(found)) {
        leat_fold_row_empty(f, row);
        return LEAT_OK;
    }
    row->old = leat_arena_copy(f->batch->work, leat_redis_text(found));
    leat_status status =
        leat_row_of_text(&p->names, row->old, f->batch->work, row->cells, &own, err);
    row->until = row->old_until = own.until_ms;
    if (status == LEAT_OK)
        leat_fold_row_filled(f, row);
    return status;
}

/* False: a row that somebody has damaged. */
static bool fill_rows(struct leat_fold *f, int32_t k, const struct leat_redis_reply *reply)
{
    struct leat_error why = {0};
    size_t i = 1;
    struct leat_fold_row *row = row_at(f, leat_redis_place_of(f)->slices[k].first_row);
    for (; row != NULL; row = row_at(f, row->next)) {
        if (row->blind || row->cached)
            continue;
        if (fill_row(f, row, leat_redis_item(reply, i), &why) != LEAT_OK)
            return false;
        i++;
    }
    return true;
}

/* Sets what of the slice's changes is to be applied. A row that somebody has damaged makes the
 * slice one to fold again. *ret_again: what is remembered is older than what is there. */
static leat_status read_fetch(struct leat_fold *f, int32_t k, int64_t *ret_skip_below,
                              bool *ret_again, struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    struct leat_fold_batch *b = f->batch;
    struct leat_redis_slice *s = &p->slices[k];
    const struct leat_redis_reply *reply = NULL;
    struct leat_checkpoint file;
    LEAT_TRY(leat_redis_reply(p->redis, &reply, err), err, "read rows of slice %d", (int)k);
    if (leat_redis_count(reply) == 0)
        return leat_fail(err, LEAT_FATAL, "slice %d: an answer that is none", (int)k);
    struct leat_str text = leat_redis_text(leat_redis_item(reply, 0));
    bool was_there = s->at_len > 0;
    leat_seq_reconciled what = leat_redis_judge(f, k, text, &file);
    s->asks = what == LEAT_RECONCILED_ADOPT && s->recalled;
    if (what != LEAT_RECONCILED_SAME)
        unrecall(f, k);
    if (s->asks) {
        *ret_again = true;
        return LEAT_OK;
    }
    b->adopted += what == LEAT_RECONCILED_ADOPT;
    b->rewound += what == LEAT_RECONCILED_REWIND;
    s->doubted = false;
    s->clear = what == LEAT_RECONCILED_FOREIGN || (was_there && text.len == 0);
    bool goes_on = what == LEAT_RECONCILED_SAME || what == LEAT_RECONCILED_ADOPT;
    s->clear = s->clear || (goes_on && !fill_rows(f, k, reply));
    goes_on = goes_on && !s->clear;
    *ret_skip_below = !goes_on ? INT64_MAX : what == LEAT_RECONCILED_ADOPT ? file.seq : 0;
    b->next[k] =
        goes_on && (what == LEAT_RECONCILED_SAME || f->seen[k].seq > file.seq) ? f->seen[k] : file;
    return LEAT_OK;
}

/* ---- a batch: rows as they are to be ---- */

struct outgoing { /* of one slice */
    size_t known, fresh, gone, skips;
};

static void encode_row(struct leat_fold *f, struct leat_fold_row *row, struct outgoing *o)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    struct leat_fold_batch *b = f->batch;
    const struct leat_str none = {NULL, 0};
    row->todo = ROW_STAYS;
    if (!row->touched)
        return;
    leat_buf_clear(&b->encoded);
    leat_buf_clear(&p->packed);
    if (row->exists && p->cache != NULL)
        leat_row_encode(row->cells, f->shape->n_fields, none, &p->packed);
    struct leat_str packed = leat_buf_str(&p->packed);
    if (row->cached && row->exists == row->existed && leat_str_eq(row->old, packed))
        return;
    if (row->exists) {
        struct leat_row_own own = {row->shortened ? row->key : none, row->until};
        leat_row_text(&p->names, row->cells, &own, &b->encoded);
    }
    if (b->encoded.overflow || p->packed.overflow) {
        b->misfits++; /* an event cannot stop the model: the row stays as it was */
        return;
    }
    struct leat_str text = leat_buf_str(&b->encoded);
    if (p->cache != NULL)
        leat_row_cache_put(p->cache, row->slice, row->hash, row->key, packed);
    if (!row->cached && row->exists == row->existed && leat_str_eq(row->old, text))
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

/* The first byte of the entries of the i-th index. */
static uint32_t number_of(const struct leat_redis_place *p, uint32_t i)
{
    return p->keys.ttl && i == p->keys.n_indexes - 1 ? LEAT_EXPIRY_NO : i;
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
    struct leat_redis_place *p = leat_redis_place_of(f);
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
    struct leat_redis_place *p = leat_redis_place_of(f);
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
    struct leat_redis_place *p = leat_redis_place_of(f);
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
    struct leat_redis_place *p = leat_redis_place_of(f);
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
        entries +=
            2 + count_ops(b, number_of(p, i), true) + 2 * count_ops(b, number_of(p, i), false);
    leat_buf_clear(&p->text);
    leat_redis_at_text(&b->next[k], &b->kinds, f->shape, &p->text);
    leat_redis_run(p->redis, LEAT_SCRIPT_APPLY, &p->keys, k,
                   2 + 4 + 2 * o.known + 2 * o.fresh + o.gone + 2 * o.skips + entries);
    leat_redis_arg(p->redis, leat_redis_at_of(&p->slices[k]));
    leat_redis_arg(p->redis, leat_buf_str(&p->text));
    send_rows(f, k, ROW_IS_THERE, o.known);
    send_rows(f, k, ROW_MAY_BE_NEW, o.fresh);
    send_rows(f, k, ROW_GOES, o.gone);
    send_skips(f, k, skip_below, o.skips);
    for (uint32_t i = 0; i < p->keys.n_indexes; i++) {
        send_ops(f, number_of(p, i), true);
        send_ops(f, number_of(p, i), false);
    }
}

/* Rows as they are remembered; false: something is to be asked for. */
static bool recall_all(struct leat_fold *f, int64_t *skip_below)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    bool known = true;
    for (int32_t k = 0; k < f->partitions; k++) {
        struct leat_redis_slice *s = &p->slices[k];
        s->asks = false;
        skip_below[k] = INT64_MAX;
        if (!s->active)
            continue;
        recall(f, k);
        known = known && !s->asks;
        if (s->asks)
            continue;
        skip_below[k] = 0; /* the script sees whether it is so */
        f->batch->next[k] = f->seen[k];
    }
    return known;
}

static leat_status fetch_all(struct leat_fold *f, int64_t *skip_below, struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    bool again = true;
    while (again) { /* twice at most */
        again = false;
        for (int32_t k = 0; k < f->partitions; k++) {
            if (p->slices[k].asks)
                send_fetch(f, k);
        }
        for (int32_t k = 0; k < f->partitions; k++) {
            if (p->slices[k].asks)
                LEAT_TRY(read_fetch(f, k, &skip_below[k], &again, err), err, "fetch");
        }
    }
    return LEAT_OK;
}

/* Redis works on this batch while the next one is folded. */
static leat_status apply_all(struct leat_fold *f, const int64_t *skip_below, struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    struct leat_fold_batch *b = f->batch;
    bool any = false;
    for (int32_t k = 0; k < f->partitions; k++) {
        struct leat_redis_slice *s = &p->slices[k];
        s->due = s->in_flight;
        s->in_flight = s->active && skip_below[k] != INT64_MAX && skip_below[k] < f->seen[k].seq;
        if (!s->in_flight)
            continue;
        send_apply(f, k, skip_below[k]);
        leat_redis_keep_at(s, leat_buf_str(&p->text));
        any = true;
    }
    b->kinds_in_file = b->kinds;
    p->in_flight = p->in_flight || any;
    if (any)
        LEAT_TRY(leat_redis_send(p->redis, err), err, "send");
    return leat_redis_settle_due(f, err);
}

static bool nothing_is_wrong(const struct leat_fold *f)
{
    const struct leat_redis_place *p = leat_redis_place_of(f);
    bool good = true;
    for (int32_t k = 0; k < f->partitions; k++)
        good = good && !p->slices[k].doubted && !p->slices[k].clear;
    return good;
}

/* Is the batch before on its way, and nothing known against it? Then this one may follow it at
 * once: if that one is not done, neither is this, for it expects that one's checkpoint. */
static bool may_follow(const struct leat_fold *f)
{
    const struct leat_redis_place *p = leat_redis_place_of(f);
    return p->in_flight && leat_redis_connected(p->redis) && nothing_is_wrong(f);
}

static leat_status make_sure(struct leat_fold *f, struct leat_error *err)
{
    LEAT_TRY(leat_redis_fold_ready(f, err), err, "settle");
    return leat_redis_clear_marked(f, err);
}

/* What the batch needs of the rows there are. */
static leat_status prepare(struct leat_fold *f, int64_t *skip_below, struct leat_error *err)
{
    const struct leat_redis_place *p = leat_redis_place_of(f);
    bool follows = !p->keys.ttl && may_follow(f); /* what expires is asked for */
    for (;;) {
        if (!follows)
            LEAT_TRY(make_sure(f, err), err, "before a batch");
        memcpy(f->batch->next, f->committed, (size_t)f->partitions * sizeof *f->committed);
        leat_fold_plan_rows(f);
        find_active(f);
        if (p->keys.ttl)
            LEAT_TRY(add_ending(f, err), err, "before a batch");
        link_rows(f);
        if (recall_all(f, skip_below))
            return LEAT_OK;
        if (!follows)
            break;
        follows = false;
        LEAT_TRY(leat_redis_fold_ready(f, err), err, "before a batch");
        if (nothing_is_wrong(f))
            break;
    }
    return fetch_all(f, skip_below, err);
}

static leat_status write_batch(struct leat_fold *f, struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    int64_t skip_below[LEAT_PARTITIONS_MAX];
    LEAT_TRY(prepare(f, skip_below, err), err, "rows");
    b->kinds = b->kinds_in_file;
    leat_fold_apply_planned(f, skip_below);
    if (leat_redis_place_of(f)->keys.ttl)
        leat_fold_expire_rows(f);
    return apply_all(f, skip_below, err);
}

leat_status leat_redis_commit(struct leat_fold *f, struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    struct leat_redis_place *p = leat_redis_place_of(f);
    b->rows_put = b->adopted = b->rewound = 0;
    leat_status status = write_batch(f, err);
    for (int32_t k = 0; k < f->partitions; k++) {
        struct leat_redis_slice *s = &p->slices[k];
        if (status != LEAT_OK) { /* what is remembered may be of this batch, which comes again */
            s->doubted = true;
            leat_redis_forget_rows(p, k, false);
        } else if (s->clear) { /* before anything else is done */
            memset(&b->next[k], 0, sizeof b->next[k]);
        }
    }
    LEAT_TRY(status, err, "model '%.*s'", LEAT_STR_FMT(f->projection->name));
    return LEAT_OK;
}
