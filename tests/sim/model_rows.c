/* model_rows.c - rows of the read models: of one stream, and shared by several partitions. */
#include "base/hash.h"
#include "cluster.h"

void sim_row_apply(struct sim_model_row *row, const struct sim_event_body *e)
{
    row->sum += e->amount;
    row->count++;
    row->digest = leat_hash64(e, sizeof *e, row->digest);
}

static bool later(const struct sim_shared_row *a, const struct sim_shared_row *b)
{
    if (a->latest_at_us != b->latest_at_us)
        return a->latest_at_us > b->latest_at_us;
    if (a->latest_k != b->latest_k)
        return a->latest_k > b->latest_k;
    return a->latest_seq > b->latest_seq;
}

void sim_shared_merge(struct sim_shared_row *into, const struct sim_shared_row *other)
{
    struct sim_shared_row sum = {.sum = into->sum + other->sum,
                                 .count = into->count + other->count,
                                 .max = into->max > other->max ? into->max : other->max};
    const struct sim_shared_row *last = later(other, into) ? other : into;
    sum.latest_at_us = last->latest_at_us;
    sum.latest_seq = last->latest_seq;
    sum.latest = last->latest;
    sum.latest_k = last->latest_k;
    *into = sum;
}

void sim_shared_apply(const struct sim *w, struct sim_shared_row *row, const struct sim_stored *e)
{
    struct sim_shared_row one = {.sum = e->body.amount,
                                 .count = 1,
                                 .max = e->body.amount,
                                 .latest_at_us = e->recorded_at_us,
                                 .latest_seq = e->seq,
                                 .latest = e->body.amount,
                                 .latest_k = e->k};
    sim_shared_merge(row, &one);
    if (!sim_off(w, SIM_D_COMMUTE))
        return;
    row->latest_at_us = one.latest_at_us; /* planted: who comes last has the last word */
    row->latest_seq = one.latest_seq;
    row->latest = one.latest;
    row->latest_k = one.latest_k;
}
