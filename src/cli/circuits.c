#include "cli/circuits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"

#define LABEL_BYTES 300
#define TEXT_BYTES  500

/* ---- metrics of this process ---- */

static int64_t state_value(const struct leat_breaker_figures *f)
{
    return f->state;
}

static int64_t retry_value(const struct leat_breaker_figures *f)
{
    int64_t left_ms = f->retry_at_ms - leat_mono_us() / 1000;
    return f->state == LEAT_BREAKER_OPEN && left_ms > 0 ? (left_ms + 999) / 1000 : 0;
}

static int64_t calls_value(const struct leat_breaker_figures *f)
{
    return (int64_t)f->calls;
}

static int64_t failures_value(const struct leat_breaker_figures *f)
{
    return (int64_t)f->failures;
}

static int64_t refused_value(const struct leat_breaker_figures *f)
{
    return (int64_t)f->refused;
}

static int64_t opened_value(const struct leat_breaker_figures *f)
{
    return (int64_t)f->opened;
}

static const struct {
    const char *name, *type, *help;
    int64_t (*value)(const struct leat_breaker_figures *f);
} metrics[] = {
    {"leat_breaker_state", "gauge", "Circuit of a service: 0 closed, 1 open, 2 half-open",
     state_value},
    {"leat_breaker_retry_seconds", "gauge", "Until an open circuit is tried again", retry_value},
    {"leat_breaker_calls_total", "counter", "Calls let through", calls_value},
    {"leat_breaker_failures_total", "counter", "Calls that failed", failures_value},
    {"leat_breaker_refused_total", "counter", "Calls refused by an open circuit", refused_value},
    {"leat_breaker_opened_total", "counter", "Times the circuit opened", opened_value},
};

static void put_metric(const struct leat_topology *t, struct leat_worker *worker,
                       const struct leat_processor *p, size_t metric, struct leat_buf *out)
{
    for (uint32_t c = 0; c < p->n_calls; c++) {
        struct leat_breaker_figures f;
        leat_worker_circuit(worker, c, &f);
        leat_buf_printf(out, "%s{topology=\"%s\",processor=\"%s\",call=\"%s\"} %" PRId64 "\n",
                        metrics[metric].name, t->name.at, p->name.at, p->calls[c].name.at,
                        metrics[metric].value(&f));
    }
}

void leat_circuits_metrics(const struct leat_topology *t, struct leat_worker *const *workers,
                           const struct leat_processor *const *processors, size_t n,
                           struct leat_buf *out)
{
    bool any = false;
    for (size_t i = 0; i < n; i++)
        any = any || processors[i]->n_calls > 0;
    for (size_t m = 0; any && m < sizeof metrics / sizeof metrics[0]; m++) {
        leat_buf_printf(out, "# HELP %s %s.\n# TYPE %s %s\n", metrics[m].name, metrics[m].help,
                        metrics[m].name, metrics[m].type);
        for (size_t i = 0; i < n; i++)
            put_metric(t, workers[i], processors[i], m, out);
    }
}

/* ---- as the door tells ---- */

struct circuit {              /* over all processes of the family that the door tells of */
    leat_breaker_state state; /* open if one is, else half-open if one is */
    int64_t processes, unwell, retry_s, calls, failures, refused, opened;
};

static const struct leat_processor *processor_of(const struct leat_status_view *v, const char *name)
{
    return leat_topology_processor(v->s->topology, leat_str_of(name));
}

static void add_value(struct circuit *c, const char *metric, int64_t value)
{
    if (strcmp(metric, "leat_breaker_state") == 0) {
        c->processes++;
        c->unwell += value != LEAT_BREAKER_CLOSED;
        if (value == LEAT_BREAKER_OPEN ||
            (value == LEAT_BREAKER_HALF_OPEN && c->state == LEAT_BREAKER_CLOSED))
            c->state = (leat_breaker_state)value;
        return;
    }
    if (strcmp(metric, "leat_breaker_retry_seconds") == 0) {
        c->retry_s = value > c->retry_s ? value : c->retry_s;
        return;
    }
    const struct {
        const char *name;
        int64_t *to;
    } sums[] = {{"leat_breaker_calls_total", &c->calls},
                {"leat_breaker_failures_total", &c->failures},
                {"leat_breaker_refused_total", &c->refused},
                {"leat_breaker_opened_total", &c->opened}};
    for (size_t i = 0; i < sizeof sums / sizeof sums[0]; i++)
        if (strcmp(metric, sums[i].name) == 0)
            *sums[i].to += value;
}

static void add_line(struct circuit *c, struct leat_str line, const char *labels)
{
    const char *brace = memchr(line.at, '{', line.len), *space = memrchr(line.at, ' ', line.len);
    char metric[64];
    size_t len = brace == NULL ? sizeof metric : (size_t)(brace - line.at);
    if (len >= sizeof metric || space == NULL ||
        memmem(brace, (size_t)(space - brace), labels, strlen(labels)) == NULL)
        return;
    memcpy(metric, line.at, len);
    metric[len] = '\0';
    add_value(c, metric, strtoll(space + 1, NULL, 10));
}

/* False when the door knows nothing of it. */
static bool read_circuit(const struct leat_status_view *v, const struct leat_processor *p,
                         uint32_t call, struct circuit *ret)
{
    static const char start[] = "leat_breaker_";
    struct leat_str rest = v->door.metrics;
    char labels[LABEL_BYTES];
    (void)snprintf(labels, sizeof labels, "processor=\"%s\",call=\"%s\"", p->name.at,
                   p->calls[call].name.at);
    *ret = (struct circuit){0};
    while (rest.len > 0) {
        const char *stop = memchr(rest.at, '\n', rest.len);
        uint32_t len = stop == NULL ? rest.len : (uint32_t)(stop - rest.at);
        if (len > sizeof start && memcmp(rest.at, start, sizeof start - 1) == 0)
            add_line(ret, (struct leat_str){rest.at, len}, labels);
        len += stop != NULL;
        rest = (struct leat_str){rest.at + len, rest.len - len};
    }
    return ret->processes > 0;
}

void leat_circuits_json(const struct leat_status_view *v, const char *processor,
                        struct leat_json_writer *w)
{
    const struct leat_processor *p = processor_of(v, processor);
    leat_json_key(w, LEAT_STR("calls"));
    leat_json_begin_array(w);
    for (uint32_t i = 0; p != NULL && i < p->n_calls; i++) {
        struct circuit c;
        if (!read_circuit(v, p, i, &c))
            continue;
        leat_json_begin_object(w);
        leat_json_put_str(w, "name", p->calls[i].name);
        leat_json_put_cstr(w, "circuit", leat_breaker_state_name(c.state));
        leat_json_put_int(w, "processes", c.processes);
        leat_json_put_int(w, "not_closed", c.unwell);
        leat_json_put_int(w, "retry_s", c.retry_s);
        leat_json_put_int(w, "calls", c.calls);
        leat_json_put_int(w, "failures", c.failures);
        leat_json_put_int(w, "refused", c.refused);
        leat_json_put_int(w, "opened", c.opened);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
}

void leat_circuits_text(const struct leat_status_view *v, const char *processor,
                        struct leat_buf *out)
{
    const struct leat_processor *p = processor_of(v, processor);
    for (uint32_t i = 0; p != NULL && i < p->n_calls; i++) {
        struct circuit c;
        if (read_circuit(v, p, i, &c))
            leat_buf_printf(out,
                            "    calls %-34s %s; %" PRId64 " calls, %" PRId64 " failed, %" PRId64
                            " refused, opened %" PRId64 " times\n",
                            p->calls[i].name.at, leat_breaker_state_name(c.state), c.calls,
                            c.failures, c.refused, c.opened);
    }
}

void leat_circuits_problems(const struct leat_status_view *v, const char *processor,
                            void (*tell)(void *arg, const char *text), void *arg)
{
    const struct leat_processor *p = processor_of(v, processor);
    char text[TEXT_BYTES], wait[LEAT_UNITS_TEXT];
    for (uint32_t i = 0; p != NULL && i < p->n_calls; i++) {
        struct circuit c;
        if (!read_circuit(v, p, i, &c) || c.state == LEAT_BREAKER_CLOSED)
            continue;
        int n = snprintf(text, sizeof text,
                         "%s: the circuit of '%s' is %s in %" PRId64 " of %" PRId64
                         " processes: %" PRId64 " of %" PRId64 " calls failed, %" PRId64
                         " were refused",
                         p->name.at, p->calls[i].name.at, leat_breaker_state_name(c.state),
                         c.unwell, c.processes, c.failures, c.calls, c.refused);
        if (c.state == LEAT_BREAKER_OPEN && n > 0 && (size_t)n < sizeof text)
            (void)snprintf(text + n, sizeof text - (size_t)n, "; tried again in %s",
                           leat_format_duration(c.retry_s * 1000, wait));
        tell(arg, text);
    }
}
