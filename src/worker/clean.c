/* Snapshots that the aggregate's present version or state voids: deleted in bounded steps by the
 * group's thread, which is not on the way of commands, once for each k it comes to own. */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "worker/worker_internal.h"

#define CLEAN_ROWS     500 /* looked at in one step */
#define CLEAN_PAUSE_MS 100
#define CLEAN_RETRY_MS 5000

void leat_worker_clean_from(struct leat_worker *w, int32_t k)
{
    struct worker_cleaning *c = &w->cleaning;
    if (leat_dispatch_snapshot_every(w->dispatch) == 0)
        return;
    if (c->todo == NULL) {
        c->todo = calloc((size_t)w->c.topology->partitions, sizeof *c->todo);
        leat_assert(c->todo != NULL);
    }
    c->left += !c->todo[k];
    c->todo[k] = true;
    if (k == c->k)
        leat_buf_clear(&c->after);
}

static int32_t next_k(const struct worker_cleaning *c)
{
    int32_t k = c->k;
    while (!c->todo[k])
        k++;
    return k;
}

static void finished(struct leat_worker *w, int32_t k)
{
    struct worker_cleaning *c = &w->cleaning;
    c->todo[k] = false;
    c->left--;
    if (c->removed > 0)
        leat_log_kv(LEAT_LOG_INFO, "worker", "snapshots-cleaned",
                    LEAT_LOG_FIELDS(LEAT_LOG_STR("processor", w->c.processor->name),
                                    LEAT_LOG_INT("slice", k), LEAT_LOG_INT("rows", c->removed)),
                    "snapshots of another version or state deleted");
    c->removed = 0;
    c->k = 0;
}

void leat_worker_clean(struct leat_worker *w)
{
    struct worker_cleaning *c = &w->cleaning;
    struct leat_error err = {0};
    struct leat_str after = {0};
    int32_t removed = 0;
    int64_t now_ms = leat_mono_us() / 1000;
    if (c->left == 0 || now_ms < c->due_ms || !leat_store_connected(w->store))
        return;
    c->k = next_k(c);
    leat_arena_reset(w->arena);
    struct leat_snapshot_clean step = {.slice = c->k,
                                       .prefix = leat_dispatch_prefix(w->dispatch),
                                       .form = leat_dispatch_snapshot_form(w->dispatch),
                                       .after = leat_buf_str(&c->after),
                                       .limit = CLEAN_ROWS};
    if (leat_store_clean_snapshots(w->store, &step, w->arena, &after, &removed, &err) != LEAT_OK) {
        leat_log_limited(LEAT_LOG_WARN, "worker", "clean-failed", "%s", err.msg);
        c->due_ms = now_ms + CLEAN_RETRY_MS;
        return;
    }
    c->due_ms = now_ms + CLEAN_PAUSE_MS;
    c->removed += removed;
    leat_buf_clear(&c->after);
    leat_buf_put(&c->after, after.at, after.len);
    if (after.len == 0)
        finished(w, c->k);
}

void leat_worker_clean_done(struct leat_worker *w)
{
    free(w->cleaning.todo);
    leat_buf_done(&w->cleaning.after);
}
