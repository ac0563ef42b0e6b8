/* One batch of a model in Redis: its rows fetched, folded and written, slice by slice. */
#include <stdlib.h>
#include <string.h>

#include "projection/redis_fold_internal.h"

enum row_todo {
    ROW_STAYS = 0,
    ROW_IS_THERE, /* write it; it existed */
    ROW_MAY_BE_NEW,
    ROW_GOES,
};

/* ---- a batch: rows as they are ---- */

static void link_rows(struct leat_fold *f)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
    struct leat_fold_batch *b = f->batch;
    for (int32_t k = 0; k < f->partitions; k++) {
        struct leat_checkpoint *seen = &f->seen[k], *committed = &f->committed[k];
        p->slices[k].active =
            seen->seq != committed->seq || seen->next_offset != committed->next_offset;
        p->slices[k].active = p->slices[k].active && seen->seq > 0;
        p->slices[k].first_row = LEAT_FOLD_NO_ROW;
    }
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

static void send_fetch(struct leat_fold *f, int32_t k)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
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
    struct leat_redis_place *p = leat_redis_place_of(f);
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
    struct leat_redis_place *p = leat_redis_place_of(f);
    struct leat_fold_batch *b = f->batch;
    struct leat_redis_slice *s = &p->slices[k];
    const struct leat_redis_reply *reply = NULL;
    struct leat_checkpoint file;
    struct leat_error why = {0};
    size_t i = 1;
    LEAT_TRY(leat_redis_reply(p->redis, &reply, err), err, "read rows of slice %d", (int)k);
    if (leat_redis_count(reply) == 0)
        return leat_fail(err, LEAT_FATAL, "slice %d: an answer that is none", (int)k);
    struct leat_str text = leat_redis_text(leat_redis_item(reply, 0));
    bool was_there = s->at_len > 0;
    leat_seq_reconciled what = leat_redis_judge(f, k, text, &file);
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
    struct leat_redis_place *p = leat_redis_place_of(f);
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
        entries += 2 + count_ops(b, i, true) + 2 * count_ops(b, i, false);
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
        send_ops(f, i, true);
        send_ops(f, i, false);
    }
}

static leat_status fetch_all(struct leat_fold *f, int64_t *skip_below, struct leat_error *err)
{
    struct leat_redis_place *p = leat_redis_place_of(f);
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
    struct leat_redis_place *p = leat_redis_place_of(f);
    struct leat_fold_batch *b = f->batch;
    for (int32_t k = 0; k < f->partitions; k++) {
        struct leat_redis_slice *s = &p->slices[k];
        s->in_flight = s->active && skip_below[k] != INT64_MAX && skip_below[k] < f->seen[k].seq;
        if (!s->in_flight)
            continue;
        send_apply(f, k, skip_below[k]);
        leat_redis_keep_at(s, leat_buf_str(&p->text));
        p->in_flight = true;
    }
    b->kinds_in_file = b->kinds;
    return p->in_flight ? leat_redis_send(p->redis, err) : LEAT_OK;
}

leat_status leat_redis_commit(struct leat_fold *f, struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    struct leat_redis_place *p = leat_redis_place_of(f);
    int64_t skip_below[LEAT_PARTITIONS_MAX];
    LEAT_TRY(leat_redis_fold_ready(f, err), err, "model '%.*s'", LEAT_STR_FMT(f->projection->name));
    LEAT_TRY(leat_redis_clear_marked(f, err), err, "model '%.*s'",
             LEAT_STR_FMT(f->projection->name));
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
