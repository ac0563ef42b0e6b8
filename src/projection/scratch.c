#include "projection/scratch.h"

#include <stdlib.h>
#include <string.h>

#include "codec/schemas.h"
#include "projection/env.h"
#include "projection/stored.h"

#define PAGE_EVENTS  4000
#define PAGE_BYTES   ((size_t)1 << 20)
#define PAGE_KEEP    ((size_t)16 << 20)
#define CONNECTS_MAX 5
#define SMALL_MAP    ((size_t)1 << 30) /* sparse; doubles by itself */

static leat_status read_slices(struct leat_scratch *s, struct leat_error *err)
{
    size_t n = (size_t)s->c.topology->partitions;
    int32_t *ks = leat_arena_zalloc(s->arena, n, sizeof *ks);
    for (size_t k = 0; k < n; k++)
        ks[k] = (int32_t)k;
    LEAT_TRY(leat_store_published(s->c.store, ks, n, s->arena, &s->slices, err), err, "store");
    s->ended = leat_arena_zalloc(s->arena, n, sizeof *s->ended);
    for (size_t k = 0; k < n; k++) {
        if (s->fold->seen[k].seq != 0)
            return leat_fail(err, LEAT_INVALID, "'%s' already holds a read model", s->c.dir);
        leat_fold_set_store(s->fold, (int32_t)k, &s->slices[k].store_id);
    }
    return LEAT_OK;
}

static void scratch_closep(struct leat_scratch **s)
{
    leat_scratch_close(*s);
}

leat_status leat_scratch_open(const struct leat_scratch_config *c, struct leat_scratch **ret,
                              struct leat_error *err)
{
    LEAT_AUTO(scratch_closep) struct leat_scratch *s = calloc(1, sizeof *s);
    leat_assert(s != NULL);
    s->c = *c;
    s->arena = leat_arena_new(16384, 0);
    s->page = leat_arena_new(PAGE_BYTES, PAGE_KEEP);
    LEAT_TRY(
        leat_fold_open(c->projection, c->topology->partitions, c->dir, SMALL_MAP, &s->fold, err),
        err, "scratch copy");
    LEAT_TRY(leat_env_lazy(s->fold->env, true, err), err, "scratch copy"); /* it may be lost */
    LEAT_TRY(read_slices(s, err), err, "scratch copy");
    *ret = LEAT_TAKE(s);
    return LEAT_OK;
}

void leat_scratch_close(struct leat_scratch *s)
{
    if (s == NULL)
        return;
    leat_fold_close(s->fold);
    leat_arena_free(s->arena);
    leat_arena_free(s->page);
    free(s);
}

/* ---- folding ---- */

static leat_status learn_schemas(struct leat_scratch *s, struct leat_error *err)
{
    struct leat_schema_row *rows = NULL;
    size_t n = 0;
    LEAT_TRY(leat_store_schemas(s->c.store, s->page, &rows, &n, err), err, "schemas");
    for (size_t i = 0; i < n; i++) {
        LEAT_TRY(leat_schemas_put(s->c.schemas, rows[i].id, rows[i].subject, rows[i].text, err),
                 err, "schema %d", (int)rows[i].id);
    }
    return LEAT_OK;
}

/* A schema registered after the start is read; one that is nowhere leaves its events skipped, as
 * the live model does. */
static leat_status know_schemas(struct leat_scratch *s, const struct leat_stored_event *events,
                                size_t n, struct leat_error *err)
{
    for (size_t i = 0; i < n; i++) {
        int32_t id = 0;
        struct leat_str body;
        if (leat_framing_split(events[i].payload, &id, &body) &&
            leat_schemas_by_id(s->c.schemas, id) == NULL)
            return learn_schemas(s, err);
    }
    return LEAT_OK;
}

static leat_status read_page(struct leat_scratch *s, int32_t slice, int64_t upto,
                             struct leat_stored_event **ret, size_t *ret_n, struct leat_error *err)
{
    struct leat_store_page page = {
        .slice = slice, .after = s->fold->seen[slice].seq, .upto = upto, .limit = PAGE_EVENTS};
    for (int tries = 0;; tries++) {
        leat_arena_reset(s->page);
        leat_status status = leat_store_slice(s->c.store, &page, s->page, ret, ret_n, err);
        if (status == LEAT_OK)
            status = know_schemas(s, *ret, *ret_n, err);
        if (status != LEAT_RETRY || tries == CONNECTS_MAX)
            return status;
        LEAT_TRY(leat_store_reconnect(s->c.store, err), err, "slice %d", (int)slice);
    }
}

static leat_status take(struct leat_scratch *s, const struct leat_stored_event *stored,
                        struct leat_error *err)
{
    struct leat_seq_range hole = {0, 0};
    struct leat_fold_event e =
        leat_fold_event_stored(stored, &s->slices[stored->slice].store_id, s->page);
    if (leat_fold_take(s->fold, &e, s->c.schemas, &hole) == LEAT_SEQ_APPLY)
        return LEAT_OK;
    return leat_fail(err, LEAT_FATAL, "the store has no event %lld of slice %d",
                     (long long)s->fold->seen[stored->slice].seq + 1, (int)stored->slice);
}

/* One page; nothing when the slice stands at `upto`. */
static leat_status fold_page(struct leat_scratch *s, const struct leat_scratch_goal *goal,
                             int32_t slice, struct leat_error *err)
{
    struct leat_stored_event *events = NULL;
    size_t n = 0, taken = 0;
    int64_t before = s->fold->seen[slice].seq;
    LEAT_TRY(read_page(s, slice, goal->seqs[slice], &events, &n, err), err, "read the store");
    for (; taken < n && !s->ended[slice]; taken++) {
        s->ended[slice] = goal->until_us > 0 && events[taken].recorded_at_us > goal->until_us;
        if (s->ended[slice])
            break;
        LEAT_TRY(take(s, &events[taken], err), err, "fold");
    }
    LEAT_TRY(leat_fold_commit(s->fold, err), err, "scratch copy");
    if (n == 0) {
        return leat_fail(err, LEAT_FATAL, "the store has no event %lld of slice %d",
                         (long long)before + 1, (int)slice);
    }
    s->events += taken;
    if (goal->tell != NULL)
        goal->tell(goal->arg, s->events);
    return LEAT_OK;
}

leat_status leat_scratch_fold(struct leat_scratch *s, const struct leat_scratch_goal *goal,
                              struct leat_error *err)
{
    for (int32_t k = 0; k < s->c.topology->partitions; k++) {
        while (!s->ended[k] && s->fold->seen[k].seq < goal->seqs[k])
            LEAT_TRY(fold_page(s, goal, k, err), err, "replay");
    }
    return LEAT_OK;
}
