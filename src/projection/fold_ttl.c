/* fold_ttl.c - rows with a `ttl`: when each goes, and which have to go after a batch. */
#include <string.h>

#include "projection/fold_batch.h"

static bool is_over(const struct leat_fold_row *row, int64_t clock_ms)
{
    return row->exists && row->until > 0 && row->until <= clock_ms;
}

static void end_row(const struct leat_fold *f, struct leat_fold_row *row)
{
    /* New cells: the old ones may be kept elsewhere, to be put back. */
    row->cells = leat_arena_alloc(f->batch->work, f->shape->n_fields * sizeof *row->cells);
    for (uint32_t i = 0; i < f->shape->n_fields; i++)
        row->cells[i] = (struct leat_cell){.kind = LEAT_CELL_NULL};
    row->exists = false;
    row->touched = true;
}

/* Rows that several slices feed go with their period, by the latest clock of all: not before the
 * batch is whole. */
void leat_fold_row_at(const struct leat_fold *f, struct leat_fold_row *row, int64_t clock_ms)
{
    if (f->projection->keyed_by_stream && is_over(row, clock_ms))
        end_row(f, row);
}

void leat_fold_row_touched(const struct leat_fold *f, struct leat_fold_row *row,
                           const struct leat_fold_change *c, const struct leat_eval_scope *scope)
{
    int64_t ttl = f->projection->ttl_ms;
    if (ttl == 0)
        return;
    if (f->projection->keyed_by_stream) {
        row->until = c->clock_ms + ttl;
        return;
    }
    int64_t end = leat_eval_period_end(c->rule->period, scope);
    row->until = end + ttl > 0 ? end + ttl : 1; /* a period before 1970 is over */
}

int64_t leat_fold_clock(const struct leat_fold *f, int32_t home)
{
    const struct leat_checkpoint *next = f->batch->next;
    int64_t latest = 0;
    if (f->projection->keyed_by_stream || f->batch->backend->by_slice)
        return next[home].time_ms; /* what other slices have of the row, readers see to */
    for (int32_t k = 0; k < f->partitions; k++)
        latest = next[k].time_ms > latest ? next[k].time_ms : latest;
    return latest;
}

void leat_fold_expire_rows(struct leat_fold *f)
{
    struct leat_fold_batch *b = f->batch;
    for (size_t i = 0; i < b->n_rows; i++) {
        if (b->rows[i].until > 0 && is_over(&b->rows[i], leat_fold_clock(f, b->rows[i].home)))
            end_row(f, &b->rows[i]);
    }
}

void leat_expiry_key(int32_t home, int64_t until, struct leat_str db_key,
                     struct leat_index_key *ret)
{
    uint8_t *to = ret->bytes;
    *to++ = LEAT_EXPIRY_NO;
    *to++ = (uint8_t)((uint32_t)home >> 8);
    *to++ = (uint8_t)home;
    for (int shift = 56; shift >= 0; shift -= 8)
        *to++ = (uint8_t)((uint64_t)until >> shift);
    if (db_key.len > 0)
        memcpy(to, db_key.at, db_key.len);
    ret->len = LEAT_EXPIRY_HEAD + db_key.len;
}
