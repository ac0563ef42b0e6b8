/* What a process says of itself: to its family, and for all of it as metrics and readiness. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/version.h"
#include "cli/circuits.h"
#include "cli/roles_internal.h"
#include "cli/stalled.h"

/* ---- how this process does, and the others of its family ---- */

/* Whole lines, as many as there is room for. */
static void own_text(struct leat_roles *r, struct leat_family_figures *ret)
{
    struct leat_buf text;
    leat_buf_init(&text, 1 << 20);
    leat_circuits_metrics(r->c.topology, r->workers, r->processors, r->worker_count, &text);
    struct leat_str found = leat_buf_str(&text);
    size_t n = found.len < sizeof ret->more ? found.len : sizeof ret->more;
    while (n > 0 && found.at[n - 1] != '\n')
        n--;
    if (n > 0)
        memcpy(ret->more, found.at, n);
    ret->more_bytes = (uint32_t)n;
    leat_buf_done(&text);
}

static void own_figures(struct leat_roles *r, struct leat_family_figures *ret)
{
    ret->processor_count = (uint32_t)r->worker_count;
    for (size_t i = 0; i < r->worker_count; i++) {
        leat_worker_figures(r->workers[i], &ret->processors[i].figures);
        (void)snprintf(ret->processors[i].name, sizeof ret->processors[i].name, "%s",
                       r->processors[i]->name.at);
    }
    ret->has_relay = r->relay != NULL;
    ret->relay = (struct leat_relay_figures){0};
    if (ret->has_relay)
        leat_relay_figures(r->relay, &ret->relay);
    (void)snprintf(ret->relay_stopped, sizeof ret->relay_stopped, "%s",
                   ret->relay.stopped == NULL ? "" : ret->relay.stopped);
    ret->relay.stopped = NULL; /* means nothing elsewhere */
    own_text(r, ret);
}

void leat_roles_publish(struct leat_roles *r)
{
    if (r->c.member == NULL)
        return;
    own_figures(r, &r->own);
    leat_family_publish(r->c.member, &r->own);
}

/* All there is to tell, and how many processes that should run workers or the relay say nothing. */
struct seen {
    struct leat_family_figures all; /* but for `more` */
    uint32_t silent;
    struct leat_buf more;
};

static void seen_free(struct seen *seen)
{
    leat_buf_done(&seen->more);
    free(seen);
}

/* Series of several processes are told apart by a label; the head of a metric comes once. */
static void add_text(struct seen *seen, const struct leat_family_figures *one, uint32_t process,
                     bool several)
{
    for (const char *at = one->more, *end = at + one->more_bytes; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at)), *brace;
        stop = stop == NULL ? end : stop + 1;
        if (*at != '#' && several && (brace = memchr(at, '{', (size_t)(stop - at))) != NULL) {
            leat_buf_put(&seen->more, at, (size_t)(brace + 1 - at));
            leat_buf_printf(&seen->more, "process=\"%u\",", process);
            at = brace + 1;
        }
        if (*at != '#' || process == 0)
            leat_buf_put(&seen->more, at, (size_t)(stop - at));
        at = stop;
    }
}

static struct seen *look(struct leat_roles *r)
{
    const struct leat_family *f = r->c.family;
    struct seen *seen = calloc(1, sizeof *seen);
    leat_assert(seen != NULL);
    leat_buf_init(&seen->more, 1 << 20);
    if (f == NULL || r->worker_count > 0 || r->relay != NULL) {
        own_figures(r, &seen->all);
        add_text(seen, &seen->all, 0, false);
        return seen;
    }
    struct leat_family_figures *one = calloc(1, sizeof *one);
    leat_assert(one != NULL);
    for (uint32_t i = 0; i < f->worker_count; i++) {
        if (!leat_family_read(&f->members[i], one)) {
            seen->silent++;
            continue;
        }
        leat_family_add(&seen->all, one);
        add_text(seen, one, i, f->worker_count > 1);
    }
    free(one);
    return seen;
}

/* ---- metrics and readiness ---- */

struct metric {
    const char *name, *type, *help;
    size_t offset; /* uint64_t in leat_worker_figures */
};

#define FIGURE(field) offsetof(struct leat_worker_figures, field)
static const struct metric worker_metrics[] = {
    {"leat_commands_total", "counter", "Commands settled", FIGURE(commands)},
    {"leat_accepted_total", "counter", "Commands accepted", FIGURE(accepted)},
    {"leat_rejected_total", "counter", "Commands rejected by a handler", FIGURE(rejected)},
    {"leat_dead_total", "counter", "Messages that can never be handled", FIGURE(dead)},
    {"leat_forwarded_total", "counter", "Records forwarded to their partition", FIGURE(forwarded)},
    {"leat_duplicates_total", "counter", "Commands already known", FIGURE(duplicates)},
    {"leat_conflicts_total", "counter", "Commands decided again", FIGURE(conflicts)},
    {"leat_retries_total", "counter", "Answers retry: the lane was held", FIGURE(retries)},
    {"leat_fenced_total", "counter", "Commands left to another owner", FIGURE(fenced)},
    {"leat_events_total", "counter", "Events appended", FIGURE(events)},
    {"leat_batches_total", "counter", "Batches decided", FIGURE(batches)},
    {"leat_folded_total", "counter", "Events read to load states", FIGURE(folded)},
    {"leat_snapshots_total", "counter", "States kept as snapshots", FIGURE(snapshots)},
    {"leat_snapshots_damaged_total", "counter", "Snapshots that could not be used",
     FIGURE(snapshots_damaged)},
    {"leat_store_write_trips_total", "counter", "Write round trips to Postgres",
     FIGURE(write_trips)},
    {"leat_store_read_trips_total", "counter", "Read round trips to Postgres", FIGURE(read_trips)},
};

static void put_value(struct leat_buf *out, const char *topology, const char *metric,
                      const char *label, const char *value, int64_t number)
{
    leat_buf_printf(out, "%s{topology=\"%s\"", metric, topology);
    if (label != NULL)
        leat_buf_printf(out, ",%s=\"%s\"", label, value);
    leat_buf_printf(out, "} %lld\n", (long long)number);
}

static void put_head(struct leat_buf *out, const char *name, const char *type, const char *help)
{
    leat_buf_printf(out, "# HELP %s %s.\n# TYPE %s %s\n", name, help, name, type);
}

static void put_int(const struct leat_roles *r, const struct seen *seen, size_t offset,
                    const char *name, const char *help, struct leat_buf *out)
{
    put_head(out, name, "gauge", help);
    for (uint32_t i = 0; i < seen->all.processor_count; i++) {
        int32_t value;
        memcpy(&value, (const char *)&seen->all.processors[i].figures + offset, sizeof value);
        put_value(out, r->c.topology->name.at, name, "processor", seen->all.processors[i].name,
                  value);
    }
}

static void put_workers(const struct leat_roles *r, const struct seen *seen, struct leat_buf *out)
{
    for (size_t m = 0; m < sizeof worker_metrics / sizeof worker_metrics[0]; m++) {
        const struct metric *metric = &worker_metrics[m];
        put_head(out, metric->name, metric->type, metric->help);
        for (uint32_t i = 0; i < seen->all.processor_count; i++) {
            uint64_t value;
            memcpy(&value, (const char *)&seen->all.processors[i].figures + metric->offset,
                   sizeof value);
            put_value(out, r->c.topology->name.at, metric->name, "processor",
                      seen->all.processors[i].name, (int64_t)value);
        }
    }
    put_int(r, seen, FIGURE(ks_owned), "leat_partitions_owned", "Partitions that may be written",
            out);
    put_int(r, seen, FIGURE(lanes_stopped), "leat_lanes_stopped",
            "Lanes that do not flow until somebody looks", out);
    put_int(r, seen, FIGURE(lanes_held), "leat_lanes_held",
            "Lanes held by a message that can not be handled now", out);
}

static void put_one(struct leat_roles *r, struct leat_buf *out, const struct metric *m,
                    int64_t value)
{
    put_head(out, m->name, m->type, m->help);
    put_value(out, r->c.topology->name.at, m->name, NULL, NULL, value);
}

static void put_relay(struct leat_roles *r, const struct seen *seen, struct leat_buf *out)
{
    const struct leat_relay_figures f = seen->all.relay;
    put_one(r, out, &(struct metric){"leat_relay_events_total", "counter", "Events published", 0},
            (int64_t)f.events);
    put_one(r, out,
            &(struct metric){"leat_relay_commands_total", "counter", "Outbox records published", 0},
            (int64_t)f.commands);
    put_one(r, out,
            &(struct metric){"leat_relay_store_reads_total", "counter", "Reads of the store", 0},
            (int64_t)f.store_reads);
    put_one(r, out, &(struct metric){"leat_relay_slices", "gauge", "Slices published here", 0},
            f.slices_owned);
    put_one(r, out,
            &(struct metric){"leat_relay_events_again_total", "counter",
                             "Events published again, as their topic had lost them", 0},
            (int64_t)f.events_again);
    put_one(r, out,
            &(struct metric){"leat_relay_waiting_seconds", "gauge",
                             "The longest of a slice for Kafka to take what is due", 0},
            f.waiting_ms / 1000);
}

static void put_projector(struct leat_roles *r, struct leat_buf *out)
{
    struct leat_projector_figures f = {0};
    leat_projector_figures(r->projector, &f);
    put_one(r, out,
            &(struct metric){"leat_projected_total", "counter", "Events applied to read models", 0},
            (int64_t)f.applied);
    put_one(r, out,
            &(struct metric){"leat_projection_commits_total", "counter",
                             "Batches written to read models", 0},
            (int64_t)f.transactions);
    put_one(
        r, out,
        &(struct metric){"leat_projection_dropped_total", "counter", "Copies dropped by seq", 0},
        (int64_t)f.dropped);
    put_one(r, out,
            &(struct metric){"leat_projection_repaired_total", "counter",
                             "Events taken from the store instead of the topic", 0},
            (int64_t)f.repaired);
    put_one(r, out,
            &(struct metric){"leat_projection_lag", "gauge", "Published, not yet applied", 0},
            f.lag);
}

static void put_family(struct leat_roles *r, struct leat_buf *out)
{
    const struct leat_family *f = r->c.family;
    put_one(r, out,
            &(struct metric){"leat_process_restarts_total", "counter",
                             "Processes of this run that died and were started again", 0},
            (int64_t)atomic_load(&f->restarts));
    put_one(r, out,
            &(struct metric){"leat_handler_crashes_total", "counter",
                             "Handlers that crashed or hung and took their process along", 0},
            (int64_t)atomic_load(&f->crashes));
}

static void put_label(struct leat_buf *out, const char *text)
{
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\')
            leat_buf_putc(out, '\\');
        leat_buf_put(out, *text == '\n' ? " " : text, 1);
    }
}

static void put_one_stopped(struct leat_roles *r, struct leat_buf *out, const char *who,
                            const char *why)
{
    leat_buf_printf(out, "leat_stopped{topology=\"%s\",who=\"%s\",why=\"", r->c.topology->name.at,
                    who);
    put_label(out, why);
    leat_buf_puts(out, "\"} 1\n");
}

/* Nothing when all flows: the reason is a label. */
static void put_stopped(struct leat_roles *r, const struct seen *seen, struct leat_buf *out)
{
    put_head(out, "leat_stopped", "gauge", "What does not flow until somebody looks, and why");
    for (uint32_t i = 0; i < seen->all.processor_count; i++) {
        if (seen->all.processors[i].figures.why[0] != 0) {
            put_one_stopped(r, out, seen->all.processors[i].name,
                            seen->all.processors[i].figures.why);
        }
    }
    if (seen->all.relay_stopped[0] != 0)
        put_one_stopped(r, out, "relay", seen->all.relay_stopped);
}

/* Each processor's longest held lane; the value is for how long. */
static void put_held(struct leat_roles *r, const struct seen *seen, struct leat_buf *out)
{
    put_head(out, "leat_held_seconds", "gauge", "A message not to be handled now holds its lane");
    for (uint32_t i = 0; i < seen->all.processor_count; i++) {
        const struct leat_worker_figures *f = &seen->all.processors[i].figures;
        if (f->lanes_held == 0)
            continue;
        leat_buf_printf(out, "leat_held_seconds{topology=\"%s\",who=\"%s\",what=\"",
                        r->c.topology->name.at, seen->all.processors[i].name);
        put_label(out, f->held);
        leat_buf_puts(out, "\",why=\"");
        put_label(out, f->held_text);
        leat_buf_printf(out, "\"} %lld\n", (long long)(leat_now_ms() - f->held_since_ms) / 1000);
    }
}

static void put_build(struct leat_roles *r, struct leat_buf *out)
{
    put_head(out, "leat_build_info", "gauge", "The version that runs");
    leat_buf_printf(out, "leat_build_info{topology=\"%s\",version=\"%s\"} 1\n",
                    r->c.topology->name.at, leat_build_version());
}

void leat_roles_metrics(void *arg, struct leat_buf *out)
{
    struct leat_roles *r = arg;
    struct seen *seen = look(r);
    put_build(r, out);
    put_stopped(r, seen, out);
    put_held(r, seen, out);
    leat_stalled_metrics(r->c.topology, &seen->all, out);
    if (seen->all.processor_count > 0)
        put_workers(r, seen, out);
    leat_buf_put(out, leat_buf_str(&seen->more).at, leat_buf_str(&seen->more).len);
    if (seen->all.has_relay)
        put_relay(r, seen, out);
    if (r->projector != NULL)
        put_projector(r, out);
    if (r->c.family != NULL)
        put_family(r, out);
    put_one(r, out, &(struct metric){"leat_uptime_seconds", "gauge", "Since the start", 0},
            (leat_now_ms() - r->started_ms) / 1000);
    seen_free(seen);
}

/* ---- readiness ---- */

typedef void (*tell_fn)(void *arg, const char *why);

static void worker_reasons(const char *name, const struct leat_worker_figures *f, tell_fn tell,
                           void *arg)
{
    char why[640], text[LEAT_STALLED_TEXT], since[32];
    if (f->lanes_stopped > 0) {
        (void)snprintf(why, sizeof why, "processor '%s': %s", name,
                       f->why[0] != 0 ? f->why : "a lane is stopped: see the log and leat lag");
        tell(arg, why);
    }
    if (!f->joined || f->ks_acquiring > 0)
        tell(arg, "a processor is acquiring its partitions");
    if (f->store_away_since_ms > 0 && leat_now_ms() - f->store_away_since_ms >= LEAT_STALL_MS) {
        leat_stalled_time(f->store_away_since_ms, since);
        (void)snprintf(why, sizeof why, "processor '%s': the store is away since %s: %s", name,
                       since, f->store_away);
        tell(arg, why);
    }
    if (f->lanes > 0 && f->lanes_unable >= f->lanes && f->stalled_count > 0) {
        leat_stalled_text(&f->stalled[0], text);
        (void)snprintf(why, sizeof why, "processor '%s': all its lanes stand still: %s", name,
                       text);
        tell(arg, why);
    }
}

static void reasons(struct leat_roles *r, const struct seen *seen, tell_fn tell, void *arg)
{
    const struct leat_family_figures *all = &seen->all;
    struct leat_projector_figures f = {0};
    if (r->projector != NULL && r->c.topology->n_projections > 0) {
        leat_projector_figures(r->projector, &f);
        if (f.lag < 0)
            tell(arg, "the projector has not yet compared itself with the store");
    }
    if (seen->silent > 0)
        tell(arg, "a worker process is being started");
    if (all->relay_stopped[0] != 0)
        tell(arg, all->relay_stopped);
    if (all->relay.slices_waiting > 0) {
        char why[160];
        (void)snprintf(why, sizeof why,
                       "waiting: Kafka has taken nothing of %d slices for up to %lld s, and events "
                       "or commands are due there",
                       all->relay.slices_waiting, (long long)all->relay.waiting_ms / 1000);
        tell(arg, why);
    }
    if (all->has_relay && (!all->relay.joined || all->relay.slices_acquiring > 0))
        tell(arg, "the relay is acquiring its slices");
    for (uint32_t i = 0; i < all->processor_count; i++)
        worker_reasons(all->processors[i].name, &all->processors[i].figures, tell, arg);
}

static void keep_first(void *arg, const char *why)
{
    char *first = arg;
    if (first[0] == '\0')
        (void)snprintf(first, 640, "%s", why);
}

const char *leat_roles_ready(void *arg)
{
    static _Thread_local char first[640];
    struct leat_roles *r = arg;
    struct seen *seen = look(r);
    first[0] = '\0';
    reasons(r, seen, keep_first, first);
    seen_free(seen);
    return first[0] == '\0' ? NULL : first;
}

static void put_reason(void *arg, const char *why)
{
    leat_json_cstr(arg, why);
}

void leat_roles_details(void *arg, struct leat_json_writer *reasons_of,
                        struct leat_json_writer *stalled)
{
    struct leat_roles *r = arg;
    struct seen *seen = look(r);
    reasons(r, seen, put_reason, reasons_of);
    leat_stalled_json(&seen->all, stalled);
    seen_free(seen);
}

/* ---- for people ---- */

void leat_roles_line(struct leat_roles *r, char *ret, size_t room)
{
    struct leat_worker_figures sum = {0};
    struct leat_relay_figures rf = {0};
    struct leat_projector_figures pf = {0};
    for (size_t i = 0; i < r->worker_count; i++) {
        struct leat_worker_figures f;
        leat_worker_figures(r->workers[i], &f);
        sum.commands += f.commands;
        sum.events += f.events;
        sum.dead += f.dead;
    }
    if (r->relay != NULL)
        leat_relay_figures(r->relay, &rf);
    if (r->projector != NULL)
        leat_projector_figures(r->projector, &pf);
    (void)snprintf(ret, room,
                   "commands %llu, events %llu, dead %llu, published %llu, projected %llu",
                   (unsigned long long)sum.commands, (unsigned long long)sum.events,
                   (unsigned long long)sum.dead, (unsigned long long)rf.events,
                   (unsigned long long)pf.applied);
}
