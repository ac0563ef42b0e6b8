/* What is done with goes when it has been kept long enough: in small steps by the group's thread,
 * which is not on the way of commands. The store sees to it that each pass is made once. */
#include "store/trim.h"

#include "base/clock.h"
#include "base/log.h"
#include "worker/worker_internal.h"

#define TRIM_START_MS 5000 /* a start has better things to do */
#define TRIM_PAGES    64
#define TRIM_PAUSE_MS 100 /* between steps that remove rows */
#define TRIM_MAX_MS   10000
#define TRIM_RETRY_MS 5000

static int64_t wait_after(const struct leat_trimmed *t)
{
    if (t->what.len > 0)
        return t->removed > 0 ? TRIM_PAUSE_MS : 0;
    return t->wait_ms < TRIM_MAX_MS ? t->wait_ms : TRIM_MAX_MS;
}

void leat_worker_trim(struct leat_worker *w)
{
    struct leat_error err = {0};
    struct leat_trimmed found = {0};
    int64_t now_ms = leat_mono_us() / 1000;
    if (w->trim_due_ms == 0)
        w->trim_due_ms = now_ms + TRIM_START_MS;
    if (now_ms < w->trim_due_ms || !leat_store_connected(w->store))
        return;
    const struct leat_trim step = {.keep_commands_ms = w->c.topology->store.keep_commands_ms,
                                   .keep_dead_letters_ms =
                                       w->c.topology->store.keep_dead_letters_ms,
                                   .pages = TRIM_PAGES};
    leat_arena_reset(w->arena);
    if (leat_store_trim(w->store, &step, w->arena, &found, &err) != LEAT_OK) {
        leat_log_limited(LEAT_LOG_WARN, "worker", "trim-failed", "%s", err.msg);
        w->trim_due_ms = now_ms + TRIM_RETRY_MS;
        return;
    }
    w->trim_due_ms = now_ms + wait_after(&found);
    if (found.ended && found.passed > 0)
        leat_log_kv(LEAT_LOG_INFO, "worker", "trimmed",
                    LEAT_LOG_FIELDS(LEAT_LOG_STR("table", found.what),
                                    LEAT_LOG_INT("slice", found.slice),
                                    LEAT_LOG_INT("rows", found.passed)),
                    "rows that were done with removed");
}
