/* What the runners of an executor are at, for the supervisor (running.h), and what became of those
 * it found. */
#include <stdlib.h>

#include "base/log.h"
#include "store/crashes.h"
#include "worker/executor_internal.h"

static void entering(void *arg, const struct leat_flow_running *what)
{
    const struct leat_executor *e = arg;
    bool waited = what->lane->kind == LEAT_LANE_WAITING;
    struct leat_running_call call = {.topic = waited ? "" : what->lane->topic,
                                     .k = what->lane->k,
                                     .offset = what->offset,
                                     .id = &what->id,
                                     .type = what->type,
                                     .key = what->key};
    leat_running_enter(e->running[what->runner], &call);
}

static void left(void *arg, int32_t runner)
{
    const struct leat_executor *e = arg;
    leat_running_leave(e->running[runner]);
}

void leat_executor_watched(struct leat_executor *e, struct leat_flow_config *fc)
{
    const struct leat_processor *p = e->c.worker->processor;
    size_t n = fc->run_all == NULL ? 1 : (size_t)fc->runners;
    struct leat_running_slot *first =
        leat_running_slot(p->name, leat_dispatch_version(e->c.dispatch), p->timeout_ms);
    if (first == NULL)
        return;
    e->running = calloc(n, sizeof(struct leat_running_slot *));
    leat_assert(e->running != NULL && n > 0);
    e->running[0] = first;
    for (size_t i = 1; i < n; i++) {
        e->running[i] =
            leat_running_slot(p->name, leat_dispatch_version(e->c.dispatch), p->timeout_ms);
    }
    fc->entering = entering;
    fc->left = left;
}

/* If it fails the next owner's question cleans up. */
void leat_executor_acquit(struct leat_executor *e)
{
    struct leat_crash settled = {0};
    while (leat_flow_acquitted(e->flow, &settled.k, &settled.id)) {
        struct leat_error err = {0};
        if (leat_store_acquit(e->store, e->c.worker->processor->name, &settled, 1, &err) != LEAT_OK)
            leat_log_error(LEAT_LOG_WARN, "worker", "acquit-failed", &err);
    }
}
