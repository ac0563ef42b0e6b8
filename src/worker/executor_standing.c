/* Once a second, and before anything of a k that is new: how the processor stands in the store.
 * Whether it is paused, by a person or a flood, and whether somebody has raised the epoch of a k:
 * who hurries, cancels or redrives what waits does so, and its rows are to be read anew. A lane
 * that has work meets its fence, an idle one this. */
#include "base/clock.h"
#include "base/log.h"
#include "store/pauses.h"
#include "worker/executor_internal.h"

#define STANDING_MS 1000

static leat_status tell_flood(struct leat_executor *e, struct leat_error *err)
{
    struct leat_str name = e->c.worker->processor->name;
    struct leat_pause pause = {.processor = name,
                               .reason = leat_str_of(leat_flow_paused(e->flow)),
                               .by = LEAT_STR("leat")};
    bool first = false;
    LEAT_TRY(leat_store_pause(e->store, &pause, &first, err), err, "flood");
    if (first)
        leat_log_kv(LEAT_LOG_ERROR, "worker", "processor-paused",
                    LEAT_LOG_FIELDS(LEAT_LOG_STR("processor", name)),
                    "%s; `leat resume %.*s` lets it go on", leat_flow_paused(e->flow),
                    LEAT_STR_FMT(name));
    return LEAT_OK;
}

static void take_pause(struct leat_executor *e, const char *reason)
{
    if ((reason == NULL) != (leat_flow_paused(e->flow) == NULL))
        leat_log_kv(LEAT_LOG_INFO, "worker", reason == NULL ? "resumed" : "paused",
                    LEAT_LOG_FIELDS(LEAT_LOG_STR("processor", e->c.worker->processor->name)), "%s",
                    reason == NULL ? "the processor goes on" : reason);
    leat_flow_pause(e->flow, reason);
}

static leat_status read_standing(struct leat_executor *e, struct leat_error *err)
{
    int32_t partitions = e->c.worker->topology->partitions;
    int32_t *ks = leat_arena_alloc(e->arena, (size_t)partitions * sizeof *ks);
    struct leat_fence_ask ask = {.processor = e->c.worker->processor->name, .ks = ks};
    struct leat_fence_answer answer = {0};
    for (int32_t k = 0; k < partitions; k++)
        if (leat_flow_epoch(e->flow, k) > 0)
            ks[ask.n++] = k;
    if (ask.n == 0)
        return LEAT_OK;
    LEAT_TRY(leat_store_fences(e->store, &ask, e->arena, &answer, err), err, "standing");
    take_pause(e, answer.paused.len == 0 ? NULL : leat_arena_cstr(e->arena, answer.paused));
    for (size_t i = 0; i < ask.n; i++)
        if (answer.fences[i].epoch != leat_flow_epoch(e->flow, ks[i]))
            leat_flow_lose(e->flow, ks[i]);
    return LEAT_OK;
}

void leat_executor_standing(struct leat_executor *e)
{
    struct leat_error err = {0};
    int64_t now_ms = leat_mono_us() / 1000;
    bool flooded = leat_flow_flooded(e->flow);
    if (now_ms < e->standing_due_ms && !flooded)
        return;
    e->standing_due_ms = now_ms + STANDING_MS;
    if (!leat_executor_connected(e))
        return;
    leat_arena_reset(e->arena);
    leat_status status = flooded ? tell_flood(e, &err) : LEAT_OK;
    if (status == LEAT_OK)
        status = read_standing(e, &err);
    if (status != LEAT_OK)
        leat_log_limited(LEAT_LOG_WARN, "worker", "standing", "%s", err.msg);
    leat_executor_give_back_lost(e);
}
