/* check_ageing.c - what must hold of max_wait, at each batch of an executor. */
#include "check.h"
#include "cluster.h"

/* Its first record is on hand, of a class with max_wait, and has waited for longer. */
static bool overdue(const struct sim_executor *e, size_t lane)
{
    const struct sim *w = e->worker->w;
    const struct leat_flow_lane *l = leat_flow_lane(e->flow, lane);
    if (l == NULL || l->kind != LEAT_LANE_COMMANDS || leat_flow_held(e->flow, lane) != NULL)
        return false;
    const struct leat_priority *p =
        &sim_topology()->processors[e->worker->processor].priorities.at[l->priority];
    int64_t first = leat_flow_committed(e->flow, lane);
    const struct sim_partition *log = sim_log_partition(w, e->lanes[lane].topic, l->k);
    return p->max_wait_ms > 0 && first < leat_flow_position(e->flow, lane) && first < log->end &&
           sim_now_ms(w) - log->records[first]->timestamp_ms > p->max_wait_ms;
}

static bool served(const struct sim_executor *e, const struct leat_batch *b, size_t lane)
{
    struct leat_str topic = leat_str_of(leat_flow_lane(e->flow, lane)->topic);
    for (size_t i = 0; i < b->lane_count; i++) {
        if (b->lanes[i].k == e->lanes[lane].k && leat_str_eq(b->lanes[i].topic, topic))
            return b->lanes[i].next_offset > b->lanes[i].first_offset;
    }
    return false;
}

/* Who is overdue goes before who is not: only those that are overdue as well go before it. */
void check_ageing(struct sim_executor *e, const struct leat_batch *b)
{
    int64_t all = 0;
    if (e->worker->w->o.faults != 0 || e->in_transaction)
        return;
    for (size_t i = 0; i < leat_flow_lane_count(e->flow); i++) {
        if (overdue(e, i))
            all += leat_flow_position(e->flow, i) - leat_flow_committed(e->flow, i);
    }
    for (size_t i = 0; i < leat_flow_lane_count(e->flow); i++) {
        e->lanes[i].starved = overdue(e, i) && !served(e, b, i) ? e->lanes[i].starved + 1 : 0;
        if (e->lanes[i].starved > 8 + 2 * all) {
            sim_fail(e->worker->w, "ageing",
                     "%s: %d batches without the overdue first record of %s %d", e->worker->name,
                     e->lanes[i].starved, sim_topic_name(e->lanes[i].topic), e->lanes[i].k);
        }
    }
}
