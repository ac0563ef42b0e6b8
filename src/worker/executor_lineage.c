/* A policy reads the events topic, where commits may stand that a fail-over has lost. Which those
 * are is read when a k is acquired: a fork raises its epoch, so what is decided with an older
 * answer is fenced. */
#include "base/log.h"
#include "worker/executor_internal.h"

bool leat_executor_lineage(struct leat_executor *e, const struct leat_executor_start *s)
{
    struct leat_error err = {0};
    bool events = false;
    for (size_t i = 0; i < s->n; i++)
        events |= s->lanes[i].kind == LEAT_LANE_EVENTS;
    if (!events || leat_store_lineage(e->store, e->c.worker->topology->partitions, &e->lineage,
                                      &err) == LEAT_OK)
        return true;
    leat_log_limited(LEAT_LOG_WARN, "worker", "lineage", "%s", err.msg);
    return false;
}

bool leat_executor_is_void(void *arg, const struct leat_incoming *r, int32_t k, int64_t seq)
{
    struct leat_executor *e = arg;
    struct leat_str store;
    if (!leat_record_of_flow_header(arg, r, "leat-store", &store) || e->lineage.partitions == 0)
        return false; /* taken from the store itself, or from a leat that named none */
    return leat_lineage_judge_text(&e->lineage, k, store, seq) != LEAT_DESCENT_OURS;
}
