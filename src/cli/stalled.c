#include "cli/stalled.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"

/* ---- words ---- */

void leat_stalled_time(int64_t unix_ms, char ret[32])
{
    struct tm tm;
    time_t s = (time_t)(unix_ms / 1000);
    if (gmtime_r(&s, &tm) == NULL || strftime(ret, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        ret[0] = '\0';
}

static const char *words_of(leat_stall why)
{
    switch (why) {
    case LEAT_STALL_STORE:
        return "waiting";
    case LEAT_STALL_NOT_ASSIGNED:
        return "not assigned";
    case LEAT_STALL_NONE:
    case LEAT_STALL_STOPPED:
    case LEAT_STALL_ACQUIRING:
    case LEAT_STALL_PAUSED:
    case LEAT_STALL_PARKED:
    case LEAT_STALL_HELD:
    case LEAT_STALL_HANDLER:
    case LEAT_STALL_STARVED:
    case LEAT_STALL_UNKNOWN:
        break;
    }
    return leat_stall_name(why);
}

static void handler_text(const struct leat_stalled *s, char ret[LEAT_STALLED_TEXT])
{
    char age[LEAT_UNITS_TEXT];
    int64_t ms = leat_now_ms() - s->because_since_ms;
    (void)snprintf(ret, LEAT_STALLED_TEXT, "handler running for %s %s",
                   leat_format_duration(ms / 1000 * 1000, age), s->text);
}

void leat_stalled_text(const struct leat_stalled *s, char ret[LEAT_STALLED_TEXT])
{
    char time[32];
    if (s->why == LEAT_STALL_HANDLER) {
        handler_text(s, ret);
        return;
    }
    int n = snprintf(ret, LEAT_STALLED_TEXT, "%s: %s", words_of(s->why), s->text);
    size_t at = n > 0 && n < LEAT_STALLED_TEXT ? (size_t)n : strlen(ret);
    if (s->because_since_ms > 0) {
        leat_stalled_time(s->because_since_ms, time);
        n = snprintf(ret + at, LEAT_STALLED_TEXT - at, ", since %s", time);
        at = strlen(ret);
    }
    if (s->until_ms > 0) {
        leat_stalled_time(s->until_ms, time);
        (void)snprintf(ret + at, LEAT_STALLED_TEXT - at, "%s %s",
                       s->why == LEAT_STALL_PAUSED ? " until" : ", tried again", time);
    }
}

/* ---- metrics ---- */

static void put_label(struct leat_buf *out, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\')
            leat_buf_putc(out, '\\');
        leat_buf_putc(out, *text == '\n' ? ' ' : *text);
    }
}

static void put_metric(const char *topology, const char *processor, const struct leat_stalled *s,
                       struct leat_buf *out)
{
    leat_buf_printf(out,
                    "leat_lane_stalled_seconds{topology=\"%s\",processor=\"%s\",topic=\"%s\","
                    "partition=\"%d\",reason=\"%s\",why=\"",
                    topology, processor, s->topic, (int)s->partition, leat_stall_name(s->why));
    put_label(out, s->text);
    leat_buf_printf(out, "\"} %" PRId64 "\n", (leat_now_ms() - s->since_ms) / 1000);
}

static void put_counts(const char *topology, const struct leat_family_figures *all,
                       struct leat_buf *out)
{
    leat_buf_puts(out, "# HELP leat_lanes_stalled Lanes with lag and without progress for 5 s.\n"
                       "# TYPE leat_lanes_stalled gauge\n");
    for (uint32_t i = 0; i < all->processor_count; i++)
        leat_buf_printf(out, "leat_lanes_stalled{topology=\"%s\",processor=\"%s\"} %d\n", topology,
                        all->processors[i].name, all->processors[i].figures.lanes_stalled);
    leat_buf_puts(out, "# HELP leat_lane_restarts_total Partitions acquired anew by the watchdog.\n"
                       "# TYPE leat_lane_restarts_total counter\n");
    for (uint32_t i = 0; i < all->processor_count; i++)
        leat_buf_printf(
            out, "leat_lane_restarts_total{topology=\"%s\",processor=\"%s\"} %" PRIu64 "\n",
            topology, all->processors[i].name, all->processors[i].figures.lane_restarts);
}

void leat_stalled_metrics(const struct leat_topology *t, const struct leat_family_figures *all,
                          struct leat_buf *out)
{
    leat_buf_puts(out,
                  "# HELP leat_lane_stalled_seconds Since a lane with lag made progress, and why "
                  "it does not; the longest ones.\n"
                  "# TYPE leat_lane_stalled_seconds gauge\n");
    for (uint32_t i = 0; i < all->processor_count; i++)
        for (int32_t j = 0; j < all->processors[i].figures.stalled_count; j++)
            put_metric(t->name.at, all->processors[i].name, &all->processors[i].figures.stalled[j],
                       out);
    put_counts(t->name.at, all, out);
}

/* ---- JSON ---- */

static void put_one(const char *processor, const struct leat_stalled *s, struct leat_json_writer *w)
{
    char text[LEAT_STALLED_TEXT], time[32];
    leat_stalled_text(s, text);
    leat_stalled_time(s->since_ms, time);
    leat_json_begin_object(w);
    leat_json_put_cstr(w, "processor", processor);
    leat_json_put_cstr(w, "topic", s->topic);
    leat_json_put_int(w, "partition", s->partition);
    leat_json_key(w, LEAT_STR("lag"));
    if (s->lag < 0)
        leat_json_null(w);
    else
        leat_json_int(w, s->lag);
    leat_json_put_cstr(w, "since", time);
    leat_json_put_int(w, "stalled_ms", leat_now_ms() - s->since_ms);
    leat_json_put_cstr(w, "reason", leat_stall_name(s->why));
    leat_json_put_cstr(w, "text", text);
    leat_json_end_object(w);
}

void leat_stalled_json(const struct leat_family_figures *all, struct leat_json_writer *w)
{
    for (uint32_t i = 0; i < all->processor_count; i++)
        for (int32_t j = 0; j < all->processors[i].figures.stalled_count; j++)
            put_one(all->processors[i].name, &all->processors[i].figures.stalled[j], w);
}
