#include "projection/fold.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "projection/coded_guard.h"
#include "projection/fold_batch.h"

#define SKIPPED_MAX   10000 /* listed per model; further ones are only counted */
#define REASON_BYTES  512
#define PICKS_BLOCK   ((size_t)256 * 1024)
#define PICKS_KEEP    ((size_t)1024 * 1024)
#define WORK_BLOCK    ((size_t)256 * 1024)
#define WORK_KEEP     ((size_t)1024 * 1024)
#define FIRST_CHANGES 1024

static struct leat_fold_batch *batch_new(int32_t partitions)
{
    struct leat_fold_batch *b = calloc(1, sizeof *b);
    leat_assert(b != NULL);
    b->picks = leat_arena_new(PICKS_BLOCK, PICKS_KEEP);
    b->work = leat_arena_new(WORK_BLOCK, WORK_KEEP);
    b->next = calloc((size_t)partitions, sizeof *b->next);
    leat_assert(b->next != NULL);
    leat_buf_init(&b->encoded, LEAT_ROW_BYTES_MAX);
    return b;
}

static void batch_free(struct leat_fold_batch *b)
{
    if (b == NULL)
        return;
    leat_arena_free(b->picks);
    leat_arena_free(b->work);
    leat_buf_done(&b->encoded);
    free(b->changes);
    free(b->skips);
    free(b->rows);
    free(b->index_ops);
    free(b->slots);
    free(b->next);
    free(b->streams.slots);
    leat_guard_close(b->guard);
    free(b);
}

void leat_fold_close(struct leat_fold *f)
{
    if (f == NULL)
        return;
    if (f->batch->backend != NULL)
        f->batch->backend->close(f);
    batch_free(f->batch);
    leat_rules_free(f->rules);
    leat_shape_free(f->shape);
    free(f->committed);
    free(f->seen);
    free(f);
}

static void fold_closep(struct leat_fold **f)
{
    leat_fold_close(*f);
}

leat_status leat_fold_new(const struct leat_projection *p, int32_t partitions,
                          struct leat_fold **ret, struct leat_error *err)
{
    LEAT_AUTO(fold_closep) struct leat_fold *f = calloc(1, sizeof *f);
    leat_assert(f != NULL);
    f->projection = p;
    f->partitions = partitions;
    f->committed = calloc((size_t)partitions, sizeof *f->committed);
    f->seen = calloc((size_t)partitions, sizeof *f->seen);
    leat_assert(f->committed != NULL && f->seen != NULL);
    f->batch = batch_new(partitions);
    LEAT_TRY(leat_rules_new(p, &f->rules, err), err, "read model");
    LEAT_TRY(leat_shape_of(p, partitions, &f->shape, err), err, "read model");
    *ret = LEAT_TAKE(f);
    return LEAT_OK;
}

void leat_fold_set_store(struct leat_fold *f, int32_t slice, const struct leat_uuid *store_id)
{
    leat_assert(f->committed[slice].seq == 0 && f->seen[slice].seq == 0);
    f->seen[slice].store_id = *store_id;
    f->committed[slice].store_id = *store_id;
}

void leat_fold_skip_key(int32_t slice, int64_t seq, uint8_t ret_key[12])
{
    for (int i = 0; i < 4; i++)
        ret_key[i] = (uint8_t)((uint32_t)slice >> (24 - 8 * i));
    for (int i = 0; i < 8; i++)
        ret_key[4 + i] = (uint8_t)((uint64_t)seq >> (56 - 8 * i));
}

/* ---- taking events ---- */

static void *grown(void *array, size_t elem_bytes, size_t *cap, size_t need)
{
    if (need <= *cap)
        return array;
    *cap = *cap == 0 ? FIRST_CHANGES : *cap * 2;
    array = realloc(array, *cap * elem_bytes);
    leat_assert(array != NULL);
    return array;
}

static void keep_skip(struct leat_fold *f, int32_t slice, const struct leat_event_meta *meta,
                      const char *reason)
{
    struct leat_fold_batch *b = f->batch;
    f->figures.skipped++;
    if (b->skipped_in_file + b->n_skips >= SKIPPED_MAX)
        return;
    char text[REASON_BYTES];
    int n = snprintf(text, sizeof text, "%.*s%c%s", (int)(meta->type.len & 0xff), meta->type.at, 0,
                     reason);
    uint32_t len = n < (int)sizeof text ? (uint32_t)n : (uint32_t)sizeof text - 1;
    b->skips = grown(b->skips, sizeof *b->skips, &b->cap_skips, b->n_skips + 1);
    b->skips[b->n_skips++] = (struct leat_fold_skip){
        .slice = slice,
        .seq = meta->seq,
        .text = leat_arena_copy(b->picks, (struct leat_str){text, len}),
    };
}

void leat_fold_skip_change(struct leat_fold *f, const struct leat_fold_change *c,
                           const char *reason)
{
    size_t before = f->batch->n_skips;
    keep_skip(f, c->slice, &c->meta, reason);
    f->batch->skips_of_calls += f->batch->n_skips - before;
    f->batch->figured_skips++;
}

void leat_fold_forget_skips(struct leat_fold *f)
{
    f->batch->n_skips -= f->batch->skips_of_calls;
    f->figures.skipped -= f->batch->figured_skips;
    f->batch->skips_of_calls = f->batch->figured_skips = 0;
}

static void keep_change(struct leat_fold *f, const struct leat_fold_event *e,
                        const struct leat_schemas *schemas)
{
    struct leat_fold_batch *b = f->batch;
    struct leat_rule *rule = leat_rules_find(f->rules, e->meta.type);
    if (rule == NULL)
        return;
    const struct leat_value *picked = NULL;
    struct leat_error err = {0};
    if (leat_rule_pick(rule, schemas, e->payload, b->picks, &picked, &err) != LEAT_OK) {
        struct leat_event_meta meta = e->meta;
        meta.seq = e->at.seq;
        keep_skip(f, e->slice, &meta, err.msg);
        return;
    }
    b->changes = grown(b->changes, sizeof *b->changes, &b->cap_changes, b->n_changes + 1);
    b->changes[b->n_changes++] = (struct leat_fold_change){.slice = e->slice,
                                                           .rule = rule,
                                                           .picked = picked,
                                                           .meta = e->meta,
                                                           .clock_ms = f->seen[e->slice].time_ms};
    b->changes[b->n_changes - 1].meta.seq = e->at.seq;
}

leat_seq_verdict leat_fold_take(struct leat_fold *f, const struct leat_fold_event *e,
                                const struct leat_schemas *schemas, struct leat_seq_range *ret_hole)
{
    leat_assert(e->slice >= 0 && e->slice < f->partitions);
    struct leat_checkpoint *seen = &f->seen[e->slice];
    leat_seq_verdict verdict = leat_seqrule_judge(seen, &e->at, ret_hole);
    switch (verdict) {
    case LEAT_SEQ_APPLY:
        if (e->meta.recorded_at_ms > seen->time_ms)
            seen->time_ms = e->meta.recorded_at_ms;
        keep_change(f, e, schemas);
        leat_seqrule_advance(seen, &e->at);
        f->batch->n_kept++;
        break;
    case LEAT_SEQ_DROP:
        f->figures.dropped++;
        break;
    case LEAT_SEQ_HOLE:
        return verdict; /* the record stays unread: no offset moves */
    case LEAT_SEQ_FOREIGN:
        f->figures.foreign++;
        break;
    case LEAT_SEQ_MISMATCH:
        f->figures.mismatched++;
        break;
    }
    if (e->next_offset > seen->next_offset)
        seen->next_offset = e->next_offset;
    return verdict;
}

size_t leat_fold_kept(const struct leat_fold *f, bool *ret_changes)
{
    *ret_changes = f->batch->n_changes > 0 || f->batch->n_skips > 0;
    return f->batch->n_kept;
}

/* ---- writing ---- */

static void count_commit(struct leat_fold *f)
{
    struct leat_fold_batch *b = f->batch;
    f->figures.adopted += b->adopted;
    f->figures.rewound += b->rewound;
    f->figures.applied += b->n_kept;
    f->figures.transactions++;
    f->figures.rows_put += b->n_changes > 0 ? b->rows_put : 0;
    b->skipped_in_file += b->n_skips;
    b->kinds_in_file = b->kinds;
}

leat_status leat_fold_commit(struct leat_fold *f, struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    size_t bytes = (size_t)f->partitions * sizeof *f->seen;
    leat_status status = b->backend->commit(f, err);
    if (status == LEAT_RETRY)
        return status;
    if (status == LEAT_OK) {
        count_commit(f);
        memcpy(f->committed, b->next, bytes);
    }
    memcpy(f->seen, f->committed, bytes);
    b->n_changes = b->n_skips = b->n_kept = b->skips_of_calls = b->figured_skips = 0;
    leat_arena_reset(b->picks);
    return status;
}
