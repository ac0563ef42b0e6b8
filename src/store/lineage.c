#include "store/lineage.h"

#include <stdlib.h>
#include <string.h>

#include "store/reply.h"

leat_descent leat_lineage_judge(const struct leat_lineage *l, int32_t slice,
                                const struct leat_uuid *store_id, int64_t seq)
{
    if (slice < 0 || slice >= l->partitions)
        return LEAT_DESCENT_FOREIGN;
    if (leat_uuid_eq(store_id, &l->now[slice]))
        return LEAT_DESCENT_OURS;
    for (size_t i = 0; i < l->n_ancestors; i++) {
        const struct leat_ancestor *a = &l->ancestors[i];
        if (a->slice == slice && leat_uuid_eq(store_id, &a->store_id))
            return seq <= a->upto ? LEAT_DESCENT_OURS : LEAT_DESCENT_VOID;
    }
    return LEAT_DESCENT_FOREIGN;
}

leat_descent leat_lineage_judge_text(const struct leat_lineage *l, int32_t slice,
                                     struct leat_str store_id, int64_t seq)
{
    struct leat_uuid id;
    if (slice >= 0 && slice < l->partitions && store_id.len == LEAT_UUID_TEXT - 1 &&
        memcmp(store_id.at, l->text[slice], LEAT_UUID_TEXT - 1) == 0)
        return LEAT_DESCENT_OURS;
    return leat_uuid_parse(store_id, &id) ? leat_lineage_judge(l, slice, &id, seq)
                                          : LEAT_DESCENT_FOREIGN;
}

void leat_lineage_done(struct leat_lineage *l)
{
    free(l->now);
    free(l->text);
    free(l->ancestors);
    *l = (struct leat_lineage){0};
}

static struct leat_lineage lineage_new(int32_t partitions, size_t rows)
{
    struct leat_lineage l = {.partitions = partitions};
    l.now = calloc((size_t)partitions, sizeof *l.now);
    l.text = calloc((size_t)partitions, sizeof *l.text);
    l.ancestors = calloc(rows + 1, sizeof *l.ancestors);
    leat_assert(l.now != NULL && l.text != NULL && l.ancestors != NULL);
    return l;
}

/* Rows without a seq are the slices as they are now. */
static void take_row(struct leat_lineage *l, struct leat_pg_reply *r, int row)
{
    int32_t slice = leat_reply_int4(r, row, 0);
    struct leat_uuid id = leat_reply_uuid(r, row, 1);
    if (slice < 0 || slice >= l->partitions) {
        r->bad = true;
    } else if (leat_reply_null(r, row, 2)) {
        l->now[slice] = id;
        leat_uuid_format(&id, l->text[slice]);
    } else {
        l->ancestors[l->n_ancestors++] =
            (struct leat_ancestor){slice, id, leat_reply_int8(r, row, 2)};
    }
}

leat_status leat_store_lineage(struct leat_store *s, int32_t partitions, struct leat_lineage *ret,
                               struct leat_error *err)
{
    leat_pg_clear(&s->params);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_READ,
                          "select slice, store_id, null::bigint from @.slices union all"
                          " select slice, store_id, seq from @.forks",
                          &result, err),
             err, "could not read the slices' store ids");
    struct leat_pg_reply r = leat_reply_of(result, 3, NULL);
    struct leat_lineage l = lineage_new(partitions, (size_t)r.rows);
    for (int i = 0; i < r.rows && !r.bad; i++)
        take_row(&l, &r, i);
    leat_status status = leat_reply_ok(&r, "store ids", err);
    if (status != LEAT_OK) {
        leat_lineage_done(&l);
        return status;
    }
    leat_lineage_done(ret);
    *ret = l;
    return LEAT_OK;
}
