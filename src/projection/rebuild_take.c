#include "projection/rebuild_take.h"

#include <stdlib.h>
#include <string.h>

#define SKIPPED_MAX 10000 /* listed per model, as in fold.c */

static void *with_room(void *array, size_t elem_bytes, size_t *cap, size_t need)
{
    if (need <= *cap)
        return array;
    while (*cap < need)
        *cap = *cap == 0 ? LEAT_REBUILD_BLOCK : *cap * 2;
    array = realloc(array, *cap * elem_bytes);
    leat_assert(array != NULL);
    return array;
}

leat_status leat_fold_take_block(struct leat_fold *f, const struct leat_rebuild_block *block,
                                 struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    struct leat_checkpoint *seen = &f->seen[block->slice];
    if (seen->seq != block->before) {
        return leat_fail(err, LEAT_FATAL, "slice %d is at %lld, not at %lld: somebody else wrote",
                         (int)block->slice, (long long)seen->seq, (long long)block->before);
    }
    b->changes =
        with_room(b->changes, sizeof *b->changes, &b->cap_changes, b->n_changes + block->n_changes);
    if (block->n_changes > 0)
        memcpy(b->changes + b->n_changes, block->changes, block->n_changes * sizeof *b->changes);
    for (size_t i = 0; i < block->n_changes; i++) {
        struct leat_fold_change *c = &b->changes[b->n_changes + i];
        c->clock_ms = c->clock_ms > seen->time_ms ? c->clock_ms : seen->time_ms;
    }
    b->n_changes += block->n_changes;
    f->figures.skipped += block->n_skips;
    b->skips = with_room(b->skips, sizeof *b->skips, &b->cap_skips, b->n_skips + block->n_skips);
    for (size_t i = 0; i < block->n_skips && b->skipped_in_file + b->n_skips < SKIPPED_MAX; i++)
        b->skips[b->n_skips++] = block->skips[i];
    int64_t offset = seen->next_offset, time_ms = seen->time_ms;
    *seen = block->at;
    seen->next_offset = offset;
    seen->time_ms = time_ms > seen->time_ms ? time_ms : seen->time_ms;
    b->n_kept += block->events;
    return LEAT_OK;
}
