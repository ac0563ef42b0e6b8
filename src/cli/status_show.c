#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "base/units.h"
#include "base/version.h"
#include "cli/circuits.h"
#include "cli/stalled.h"
#include "cli/status.h"

#define LABEL_BYTES   300
#define OLD_MODEL_MS  60000
#define OLD_LAG_MS    60000
#define PROBLEM_BYTES 1024

static const char *age_text(int64_t age_ms, char text[LEAT_UNITS_TEXT])
{
    if (age_ms == LEAT_AGE_UNKNOWN)
        return "?";
    return leat_format_duration(age_ms < 10000 ? age_ms : age_ms / 1000 * 1000, text);
}

/* ---- what somebody should look at ---- */

typedef void (*problem)(void *arg, const char *text);

static void group_problems(const struct leat_status_view *v, const struct leat_status_group *g,
                           problem tell, void *arg)
{
    char text[PROBLEM_BYTES], age[LEAT_UNITS_TEXT];
    if (g->unknown != NULL) {
        (void)snprintf(text, sizeof text, "%s: its group is not known: %s", g->name, g->unknown);
        tell(arg, text);
    } else if (g->unowned > 0) {
        (void)snprintf(text, sizeof text, "%s: %d of %d partitions have no owner: %s", g->name,
                       (int)g->unowned, (int)v->s->topology->partitions,
                       g->members.n == 0 ? "nothing runs it" : "a rebalance is under way");
        tell(arg, text);
    }
    if (g->lag.age_ms > OLD_LAG_MS) {
        (void)snprintf(text, sizeof text, "%s: something waits for %s (leat lag)", g->name,
                       age_text(g->lag.age_ms, age));
        tell(arg, text);
    }
    if (g->kept.dead > 0) {
        (void)snprintf(text, sizeof text,
                       "%s: %" PRId64 " dead letters (leat dlq list), the newest %s ago: %s: %s",
                       g->name, g->kept.dead, age_text(g->kept.age_ms, age),
                       g->kept.code != NULL ? g->kept.code : "?",
                       g->kept.message != NULL ? g->kept.message : "?");
        tell(arg, text);
    }
    leat_circuits_problems(v, g->name, tell, arg);
}

static void model_problems(const struct leat_status_model *m, problem tell, void *arg)
{
    char text[PROBLEM_BYTES], age[LEAT_UNITS_TEXT];
    if (m->here && m->age_ms > OLD_MODEL_MS) {
        (void)snprintf(text, sizeof text, "model %s: last known complete %s ago", m->name,
                       age_text(m->age_ms, age));
        tell(arg, text);
    }
    if (m->skipped.len > 2) {
        (void)snprintf(text, sizeof text, "model %s: events that could not be applied: %.*s",
                       m->name, LEAT_STR_FMT(m->skipped));
        tell(arg, text);
    }
}

static void tell_lines(const char *what, const char *lines, problem tell, void *arg)
{
    char text[PROBLEM_BYTES];
    for (const char *at = lines; *at != 0;) {
        size_t len = strcspn(at, "\n");
        (void)snprintf(text, sizeof text, "%s: %.*s", what, (int)len, at);
        tell(arg, text);
        at += len + (at[len] != 0);
    }
}

static void door_problems(const struct leat_status_door *d, problem tell, void *arg)
{
    char text[PROBLEM_BYTES];
    if (d->unreachable != NULL) {
        tell(arg, d->unreachable);
        return;
    }
    if (!d->ready) {
        (void)snprintf(text, sizeof text, "%s is not ready: %s", d->address,
                       d->not_ready != NULL ? d->not_ready : "it gives no reason");
        tell(arg, text);
    }
    tell_lines("stopped", d->stopped, tell, arg);
    tell_lines("held", d->held, tell, arg);
}

static void problems(const struct leat_status_view *v, problem tell, void *arg)
{
    char text[PROBLEM_BYTES];
    door_problems(&v->door, tell, arg);
    if (v->lag_unknown != NULL)
        tell(arg, v->lag_unknown);
    for (size_t i = 0; i < v->n_groups; i++)
        group_problems(v, &v->groups[i], tell, arg);
    for (uint32_t i = 0; i < v->s->topology->n_projections; i++)
        model_problems(&v->models[i], tell, arg);
    if (v->store.outbox_refused > 0) {
        (void)snprintf(text, sizeof text,
                       "the broker refused %" PRId64 " records (table outbox_refused): %.*s",
                       v->store.outbox_refused, LEAT_STR_FMT(v->store.refused_reason));
        tell(arg, text);
    }
}

/* ---- figures of the process that answers ---- */

static int64_t figure(const struct leat_status_view *v, const char *metric, const char *processor)
{
    char label[LABEL_BYTES];
    int64_t value = 0;
    (void)snprintf(label, sizeof label, "processor=\"%s\"", processor);
    (void)leat_status_metric(&v->door, metric, label, &value);
    return value;
}

static const struct {
    const char *name, *metric;
} figures[] = {{"commands", "leat_commands_total"}, {"accepted", "leat_accepted_total"},
               {"rejected", "leat_rejected_total"}, {"dead", "leat_dead_total"},
               {"retries", "leat_retries_total"},   {"conflicts", "leat_conflicts_total"}};

/* ---- JSON ---- */

static void put_age(struct leat_json_writer *w, const char *name, int64_t age_ms)
{
    leat_json_key(w, leat_str_of(name));
    if (age_ms == LEAT_AGE_UNKNOWN) {
        leat_json_null(w);
    } else {
        leat_json_int(w, age_ms);
    }
}

static void put_members(const struct leat_probe_group *g, struct leat_json_writer *w)
{
    leat_json_key(w, LEAT_STR("members"));
    leat_json_begin_array(w);
    for (size_t i = 0; i < g->n; i++) {
        const struct leat_probe_member *m = &g->members[i];
        leat_json_begin_object(w);
        leat_json_put_str(w, "client", m->client_id);
        leat_json_put_str(w, "instance", m->instance_id);
        leat_json_put_str(w, "host", m->host);
        leat_json_key(w, LEAT_STR("partitions"));
        leat_json_begin_array(w);
        for (size_t j = 0; j < m->n; j++)
            leat_json_int(w, m->partitions[j]);
        leat_json_end_array(w);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
}

static void put_group(const struct leat_status_view *v, const struct leat_status_group *g,
                      bool relay, struct leat_json_writer *w)
{
    leat_json_begin_object(w);
    leat_json_put_cstr(w, "name", g->name);
    leat_json_put_cstr(w, "group", g->group);
    if (g->unknown == NULL)
        leat_json_put_str(w, "state", g->members.state);
    put_members(&g->members, w);
    leat_json_put_int(w, "unowned", g->unowned);
    leat_json_put_int(w, "waiting", g->lag.waiting);
    put_age(w, "age_ms", g->lag.age_ms);
    if (!relay) {
        leat_status_kept_json(&g->kept, w);
        leat_json_key(w, LEAT_STR("this_process"));
        leat_json_begin_object(w);
        for (size_t i = 0; v->door.unreachable == NULL && i < sizeof figures / sizeof *figures; i++)
            leat_json_put_int(w, figures[i].name, figure(v, figures[i].metric, g->name));
        leat_json_end_object(w);
        leat_circuits_json(v, g->name, w);
    }
    leat_json_end_object(w);
}

static void put_door(const struct leat_status_door *d, struct leat_json_writer *w)
{
    leat_json_key(w, LEAT_STR("http"));
    leat_json_begin_object(w);
    leat_json_put_cstr(w, "address", d->address);
    leat_json_put_bool(w, "answers", d->unreachable == NULL);
    leat_json_put_bool(w, "ready", d->ready);
    leat_json_put_cstr(w, "not_ready", d->unreachable != NULL ? d->unreachable : d->not_ready);
    leat_json_put_cstr(w, "version", d->version);
    leat_json_put_int(w, "uptime_s", d->uptime_s);
    leat_json_end_object(w);
}

static void put_model(const struct leat_status_model *m, struct leat_json_writer *w)
{
    leat_json_begin_object(w);
    leat_json_put_cstr(w, "name", m->name);
    leat_json_put_bool(w, "here", m->here);
    leat_json_put_int(w, "rows", (int64_t)m->figures.rows);
    leat_json_put_int(w, "bytes", (int64_t)m->figures.used_bytes);
    put_age(w, "complete_age_ms", m->age_ms);
    leat_json_put_int(w, "waiting", m->lag.waiting);
    leat_json_key(w, LEAT_STR("skipped"));
    leat_json_raw(w, m->skipped.len > 0 ? m->skipped : LEAT_STR("[]"));
    leat_json_end_object(w);
}

static void problem_json(void *arg, const char *text)
{
    leat_json_cstr(arg, text);
}

void leat_status_json(const struct leat_status_view *v, struct leat_buf *out)
{
    struct leat_json_writer w;
    const struct leat_topology *t = v->s->topology;
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "topology", t->name);
    put_door(&v->door, &w);
    leat_json_key(&w, LEAT_STR("processors"));
    leat_json_begin_array(&w);
    for (size_t i = 0; i + 1 < v->n_groups; i++)
        put_group(v, &v->groups[i], false, &w);
    leat_json_end_array(&w);
    leat_json_key(&w, LEAT_STR("relay"));
    put_group(v, &v->groups[v->n_groups - 1], true, &w);
    leat_json_put_int(&w, "outbox", v->store.outbox);
    leat_json_key(&w, LEAT_STR("stalled"));
    leat_json_raw(&w, v->stalled);
    leat_json_key(&w, LEAT_STR("models"));
    leat_json_begin_array(&w);
    for (uint32_t i = 0; i < t->n_projections; i++)
        put_model(&v->models[i], &w);
    leat_json_end_array(&w);
    leat_json_key(&w, LEAT_STR("versions"));
    leat_json_begin_object(&w);
    leat_json_put_cstr(&w, "leat", leat_build_version());
    leat_json_put_cstr(&w, "librdkafka", leat_probe_client_version());
    leat_json_put_str(&w, "postgres", v->server.version_text);
    leat_json_end_object(&w);
    leat_json_key(&w, LEAT_STR("problems"));
    leat_json_begin_array(&w);
    problems(v, problem_json, &w);
    leat_json_end_array(&w);
    leat_json_end_object(&w);
    leat_buf_putc(out, '\n');
}

/* ---- text ---- */

static void text_members(const struct leat_status_group *g, struct leat_buf *out)
{
    for (size_t i = 0; i < g->members.n; i++) {
        const struct leat_probe_member *m = &g->members.members[i];
        struct leat_str who = m->instance_id.len > 0 ? m->instance_id : m->client_id;
        leat_buf_printf(out, "    %-40.*s %zu partitions  %.*s\n", LEAT_STR_FMT(who), m->n,
                        LEAT_STR_FMT(m->host));
    }
}

static void text_group(const struct leat_status_view *v, const struct leat_status_group *g,
                       bool relay, struct leat_buf *out)
{
    char age[LEAT_UNITS_TEXT];
    leat_buf_printf(out, "  %-20s %.*s, %zu member%s", g->name, LEAT_STR_FMT(g->members.state),
                    g->members.n, g->members.n == 1 ? "" : "s");
    if (g->unowned > 0)
        leat_buf_printf(out, ", %d partitions without owner", (int)g->unowned);
    leat_buf_printf(out, "; %" PRId64 " %s", g->lag.waiting,
                    relay ? "events to publish" : "messages wait");
    if (g->lag.waiting > 0)
        leat_buf_printf(out, ", the oldest for %s", age_text(g->lag.age_ms, age));
    if (!relay && v->door.unreachable == NULL) {
        leat_buf_printf(out, "; here %" PRId64 " commands, %" PRId64 " rejected, %" PRId64 " dead",
                        figure(v, "leat_commands_total", g->name),
                        figure(v, "leat_rejected_total", g->name),
                        figure(v, "leat_dead_total", g->name));
    }
    leat_buf_putc(out, '\n');
    text_members(g, out);
    leat_status_kept_text(&g->kept, out);
    leat_circuits_text(v, g->name, out);
}

static void text_model(const struct leat_status_model *m, struct leat_buf *out)
{
    char age[LEAT_UNITS_TEXT];
    if (!m->here) {
        leat_buf_printf(out, "  %-20s not kept in this data folder\n", m->name);
    } else {
        leat_buf_printf(out, "  %-20s %" PRIu64 " rows, %s old, %" PRId64 " events to apply\n",
                        m->name, m->figures.rows, age_text(m->age_ms, age), m->lag.waiting);
    }
}

static void problem_text(void *arg, const char *text)
{
    leat_buf_printf(arg, "  ! %s\n", text);
}

void leat_status_text(const struct leat_status_view *v, struct leat_buf *out)
{
    const struct leat_topology *t = v->s->topology;
    const struct leat_status_door *d = &v->door;
    char uptime[LEAT_UNITS_TEXT];
    leat_buf_printf(out, "%s  leat %s, Postgres %.*s, librdkafka %s\n", t->name.at,
                    leat_build_version(), LEAT_STR_FMT(v->server.version_text),
                    leat_probe_client_version());
    if (d->unreachable == NULL) {
        leat_buf_printf(out, "HTTP %s: %s, up %s, version %s\n", d->address,
                        d->ready ? "ready" : "not ready",
                        leat_format_duration(d->uptime_s * 1000, uptime),
                        d->version != NULL ? d->version : "?");
    }
    leat_buf_puts(out, "\nprocessors\n");
    for (size_t i = 0; i + 1 < v->n_groups; i++)
        text_group(v, &v->groups[i], false, out);
    leat_buf_puts(out, "\nrelay\n");
    text_group(v, &v->groups[v->n_groups - 1], true, out);
    leat_stalled_lines(v, out);
    leat_buf_puts(out, "\nread models\n");
    for (uint32_t i = 0; i < t->n_projections; i++)
        text_model(&v->models[i], out);
    leat_buf_puts(out, "\nto look at\n");
    size_t before = out->len;
    problems(v, problem_text, out);
    if (out->len == before)
        leat_buf_puts(out, "  nothing\n");
}
