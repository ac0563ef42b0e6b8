/* What the store keeps for a processor: dead letters that nobody settled, and what waits. */
#include <inttypes.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/status.h"
#include "store/pauses.h"

static void read_pause(struct leat_status_view *v, struct leat_str processor,
                       struct leat_status_kept *ret)
{
    struct leat_pause *pauses = NULL;
    struct leat_error err = {0};
    size_t n = 0;
    if (leat_store_pauses(v->s->store, v->s->arena, &pauses, &n, &err) != LEAT_OK)
        return; /* what the store says of itself tells why */
    for (size_t i = 0; i < n; i++)
        if (leat_str_eq(pauses[i].processor, processor)) {
            ret->paused = leat_arena_cstr(v->s->arena, pauses[i].reason);
            ret->paused_by = leat_arena_cstr(v->s->arena, pauses[i].by);
        }
}

void leat_status_kept_read(struct leat_status_view *v, struct leat_str processor,
                           struct leat_status_kept *ret)
{
    struct leat_dead_filter dead = leat_dead_filter_of(LEAT_DEAD_OPEN);
    struct leat_waiter_filter waiting = leat_waiter_filter_of(LEAT_WAITS_ALL);
    const struct leat_dead_page newest = {.filter = &dead, .limit = 1};
    struct leat_dead_groups letters = {.n = 0};
    struct leat_waiter_groups waiters = {.n = 0};
    struct leat_dead_row *rows = NULL;
    struct leat_error err = {0};
    size_t n = 0;
    dead.processor = waiting.processor = processor;
    if (leat_store_dead_groups(v->s->store, &dead, v->s->arena, &letters, &err) != LEAT_OK ||
        leat_store_waiter_groups(v->s->store, &waiting, v->s->arena, &waiters, &err) != LEAT_OK)
        return; /* what the store says of itself tells why */
    read_pause(v, processor, ret);
    ret->dead = letters.total;
    ret->due_at_us = LEAT_DUE_NEVER;
    for (size_t i = 0; i < waiters.n; i++) {
        const struct leat_waiter_group *g = &waiters.at[i];
        ret->waits[g->reason] += g->count;
        if (g->reason == LEAT_WAIT_RETRY && g->due_at_us < ret->due_at_us)
            ret->due_at_us = g->due_at_us;
    }
    if (ret->dead == 0 ||
        leat_store_dead(v->s->store, &newest, v->s->arena, &rows, &n, &err) != LEAT_OK || n == 0)
        return;
    int64_t age_ms = leat_now_ms() - rows[0].last_at_us / 1000;
    ret->age_ms = age_ms > 0 ? age_ms : 0;
    ret->code = leat_arena_cstr(v->s->arena, rows[0].code);
    ret->message = leat_arena_cstr(v->s->arena, rows[0].message);
}

void leat_status_kept_json(const struct leat_status_kept *k, struct leat_json_writer *w)
{
    leat_json_put_cstr(w, "paused", k->paused);
    leat_json_put_cstr(w, "paused_by", k->paused_by);
    leat_json_put_int(w, "dead_letters", k->dead);
    leat_json_put_cstr(w, "last_dead", k->message);
    leat_json_key(w, LEAT_STR("kept_waiting"));
    leat_json_begin_object(w);
    for (int i = 1; i <= LEAT_WAITS_MAX; i++)
        leat_json_put_int(w, leat_waits_names[i], k->waits[i]);
    leat_json_end_object(w);
}

void leat_status_kept_text(const struct leat_status_kept *k, struct leat_buf *out)
{
    static const char *const texts[LEAT_WAITS_MAX + 1] = {
        "",     "for another try",    "behind those of their key", "for their time",
        "held", "for a second chance"};
    char left[LEAT_UNITS_TEXT];
    if (k->paused != NULL)
        leat_buf_printf(out, "    paused by %s: %s (leat resume)\n", k->paused_by, k->paused);
    const char *separator = "    waiting: ";
    for (int i = 1; i <= LEAT_WAITS_MAX; i++) {
        if (k->waits[i] == 0)
            continue;
        leat_buf_printf(out, "%s%" PRId64 " %s", separator, k->waits[i], texts[i]);
        separator = ", ";
        int64_t s = (k->due_at_us / 1000 - leat_now_ms()) / 1000;
        if (i == LEAT_WAIT_RETRY && k->due_at_us != LEAT_DUE_NEVER && s > 0)
            leat_buf_printf(out, " (the first in %s)", leat_format_duration(s * 1000, left));
    }
    if (separator[0] == ',')
        leat_buf_puts(out, " (leat retries list)\n");
}
