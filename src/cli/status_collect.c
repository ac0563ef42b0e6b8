#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/kafka_config.h"
#include "cli/stalled.h"
#include "cli/status.h"
#include "projection/model_read.h"
#include "projection/projection.h"
#include "projection/versions.h"

#define SKIPPED_SHOWN 3
#define SKIPPED_BYTES 16384
#define STOPPED_BYTES 65536

bool leat_model_files_figures(const char *data_dir, struct leat_str model,
                              struct leat_env_figures *ret)
{
    char version[LEAT_VERSION_BYTES], dir[LEAT_MODEL_PATH_BYTES];
    struct leat_error err = {0};
    struct leat_env *env = NULL;
    if (leat_version_current(data_dir, model, version, &err) != LEAT_OK ||
        leat_version_dir(data_dir, model, version, dir, &err) != LEAT_OK ||
        leat_env_open(dir, false, 0, &env, &err) != LEAT_OK)
        return false;
    bool read = leat_env_figures(env, ret, &err) == LEAT_OK;
    leat_env_close(env);
    return read;
}

static const char *kept(struct leat_status_view *v, const char *text)
{
    return leat_arena_cstr(v->s->arena, leat_str_of(text));
}

/* ---- the HTTP door ---- */

/* The line of a metric whose labels contain `label`; *ret = from its name on, NULL at the end. */
static const char *metric_line(struct leat_str text, const char *metric, const char *label)
{
    size_t len = strlen(metric);
    for (const char *at = text.at, *end = text.at + text.len; at != NULL && at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t line = newline == NULL ? (size_t)(end - at) : (size_t)(newline - at);
        if (line > len && memcmp(at, metric, len) == 0 && (at[len] == '{' || at[len] == ' ') &&
            (label == NULL || memmem(at, line, label, strlen(label)) != NULL))
            return at;
        at = newline == NULL ? NULL : newline + 1;
    }
    return NULL;
}

bool leat_status_metric(const struct leat_status_door *door, const char *metric, const char *label,
                        int64_t *ret)
{
    *ret = 0;
    const char *at = metric_line(door->metrics, metric, label);
    if (at == NULL)
        return false;
    size_t len = strcspn(at, "\n");
    const char *space = memrchr(at, ' ', len);
    if (space != NULL)
        *ret = strtoll(space + 1, NULL, 10);
    return space != NULL;
}

static const char *label_in(struct leat_status_view *v, struct leat_str line, const char *label)
{
    char start[64];
    (void)snprintf(start, sizeof start, "%s=\"", label);
    const char *value = memmem(line.at, line.len, start, strlen(start));
    if (value == NULL)
        return NULL;
    value += strlen(start);
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, line.len + 1u);
    for (const char *end = line.at + line.len; value < end && *value != '"'; value++) {
        value += *value == '\\' && value + 1 < end;
        leat_buf_putc(&text, *value);
    }
    return leat_arena_cstr(v->s->arena, leat_buf_str(&text));
}

static const char *label_of(struct leat_status_view *v, const char *metric, const char *label)
{
    const char *at = metric_line(v->door.metrics, metric, NULL);
    return at == NULL ? NULL
                      : label_in(v, (struct leat_str){at, (uint32_t)strcspn(at, "\n")}, label);
}

/* The next line of the metric; `rest` is what comes after it. */
static bool next_line(struct leat_str *rest, const char *metric, struct leat_str *ret)
{
    const char *at = metric_line(*rest, metric, NULL);
    if (at == NULL)
        return false;
    *ret = (struct leat_str){at, (uint32_t)strcspn(at, "\n")};
    *rest = (struct leat_str){at + ret->len, rest->len - (uint32_t)(at + ret->len - rest->at)};
    return true;
}

static void read_held(struct leat_status_view *v)
{
    struct leat_str rest = v->door.metrics, line;
    char age[LEAT_UNITS_TEXT];
    LEAT_AUTO(leat_buf_done) struct leat_buf lines;
    leat_buf_init(&lines, STOPPED_BYTES);
    while (next_line(&rest, "leat_held_seconds", &line)) {
        const char *who = label_in(v, line, "who"), *what = label_in(v, line, "what");
        const char *why = label_in(v, line, "why");
        const char *space = memrchr(line.at, ' ', line.len);
        if (who != NULL && what != NULL && why != NULL && space != NULL)
            leat_buf_printf(&lines, "%s: %s, for %s: %s\n", who, what,
                            leat_format_duration((int64_t)strtoll(space + 1, NULL, 10) * 1000, age),
                            why);
    }
    v->door.held = leat_arena_cstr(v->s->arena, leat_buf_str(&lines));
}

/* Every reason why something does not flow, as lines "who: why". */
static void read_stopped(struct leat_status_view *v)
{
    struct leat_str rest = v->door.metrics, line;
    LEAT_AUTO(leat_buf_done) struct leat_buf lines;
    leat_buf_init(&lines, STOPPED_BYTES);
    while (next_line(&rest, "leat_stopped", &line)) {
        const char *who = label_in(v, line, "who"), *why = label_in(v, line, "why");
        if (who != NULL && why != NULL)
            leat_buf_printf(&lines, "%s: %s\n", who, why);
    }
    v->door.stopped = leat_arena_cstr(v->s->arena, leat_buf_str(&lines));
}

static void ask_ready(struct leat_status_view *v, const struct leat_address *at)
{
    struct leat_http_answer answer = {0};
    struct leat_json_token why = {0};
    struct leat_error err = {0};
    if (leat_http_get(at, "/readyz", (int)v->o->timeout_ms, v->s->arena, &answer, &err) !=
        LEAT_OK) {
        v->door.not_ready = kept(v, err.msg);
        return;
    }
    v->door.ready = answer.status == 200;
    if (!v->door.ready &&
        leat_json_find(answer.body, LEAT_STR("detail"), &why, NULL, &err) == LEAT_OK)
        v->door.not_ready = leat_arena_cstr(v->s->arena, leat_json_unescape(&why, v->s->arena));
    struct leat_str raw = {NULL, 0};
    if (leat_json_find(answer.body, LEAT_STR("stalled"), &why, &raw, &err) == LEAT_OK)
        v->door.stalled = leat_arena_copy(v->s->arena, raw);
}

static void ask_door(struct leat_status_view *v)
{
    const struct leat_topology *t = v->s->topology;
    struct leat_address at;
    struct leat_http_answer answer = {0};
    struct leat_error err = {0};
    v->door.address = v->o->listen != NULL     ? v->o->listen
                      : t->http.listen != NULL ? t->http.listen
                                               : LEAT_LISTEN_DEFAULT;
    if (leat_address_parse(v->door.address, &at, &err) != LEAT_OK ||
        leat_http_get(&at, "/metrics", (int)v->o->timeout_ms, v->s->arena, &answer, &err) !=
            LEAT_OK) {
        v->door.unreachable = kept(v, err.msg);
        return;
    }
    v->door.metrics = answer.body;
    const char *topology = label_of(v, "leat_build_info", "topology");
    if (topology == NULL || strcmp(topology, t->name.at) != 0) {
        v->door.unreachable = leat_arena_printf(v->s->arena, "what answers at %s is not '%s'",
                                                v->door.address, t->name.at);
        v->door.metrics = (struct leat_str){NULL, 0};
        return;
    }
    ask_ready(v, &at);
    read_stopped(v);
    read_held(v);
    v->door.version = label_of(v, "leat_build_info", "version");
    (void)leat_status_metric(&v->door, "leat_uptime_seconds", NULL, &v->door.uptime_s);
}

/* ---- groups ---- */

static void read_group(struct leat_status_view *v, struct leat_probe *p,
                       struct leat_status_group *g)
{
    struct leat_error err = {0};
    int32_t partitions = v->s->topology->partitions;
    bool *owned = leat_arena_zalloc(v->s->arena, (size_t)partitions, sizeof *owned);
    if (leat_probe_group(p, g->group, v->s->arena, &g->members, (int)v->o->timeout_ms, &err) !=
        LEAT_OK) {
        g->unknown = kept(v, err.msg);
        return;
    }
    for (size_t i = 0; i < g->members.n; i++) {
        for (size_t j = 0; j < g->members.members[i].n; j++) {
            int32_t k = g->members.members[i].partitions[j];
            if (k >= 0 && k < partitions)
                owned[k] = true;
        }
    }
    for (int32_t k = 0; k < partitions; k++)
        g->unowned += !owned[k];
}

static void add_groups(struct leat_status_view *v, struct leat_probe *p)
{
    const struct leat_topology *t = v->s->topology;
    v->groups = leat_arena_zalloc(v->s->arena, t->n_processors + 1u, sizeof *v->groups);
    for (uint32_t i = 0; i < t->n_processors; i++) {
        struct leat_status_group *g = &v->groups[v->n_groups++];
        g->name = t->processors[i].name.at;
        g->group = t->processors[i].group;
        struct leat_lag_sum lanes = leat_lag_sum(&v->lag, LEAT_LAG_LANE, g->name);
        struct leat_lag_sum sources = leat_lag_sum(&v->lag, LEAT_LAG_SOURCE, g->name);
        g->lag.waiting = lanes.waiting + sources.waiting;
        g->lag.age_ms = lanes.age_ms > sources.age_ms ? lanes.age_ms : sources.age_ms;
        read_group(v, p, g);
        leat_status_kept_read(v, t->processors[i].name, &g->kept);
    }
    struct leat_status_group *relay = &v->groups[v->n_groups++];
    relay->name = "relay";
    relay->group = t->relay_group;
    relay->lag = leat_lag_sum(&v->lag, LEAT_LAG_RELAY, NULL);
    read_group(v, p, relay);
}

/* ---- read models ---- */

/* Of a model in Redis: how many rows. */
static bool rows_in_redis(struct leat_status_view *v, const struct leat_projection *p,
                          struct leat_env_figures *ret)
{
    struct leat_model *m = NULL;
    struct leat_model_read read;
    struct leat_error err = {0};
    if (leat_model_open(v->s->topology, p->name.at, v->s->data_dir, &m, &err) != LEAT_OK)
        return false;
    bool good = leat_model_begin(m, v->s->arena, &read, &err) == LEAT_OK;
    if (good) {
        good = read.version->backend->count(read.rows, &ret->rows, &err) == LEAT_OK;
        leat_model_end(&read);
    }
    leat_model_close(m);
    return good;
}

static bool model_figures(struct leat_status_view *v, const struct leat_projection *p,
                          struct leat_env_figures *ret)
{
    return p->store == LEAT_MODEL_REDIS ? rows_in_redis(v, p, ret)
                                        : leat_model_files_figures(v->s->data_dir, p->name, ret);
}

static void add_model(struct leat_status_view *v, const struct leat_projection *p,
                      struct leat_status_model *ret)
{
    struct leat_model *m = NULL;
    struct leat_error err = {0};
    int64_t seqs[LEAT_PARTITIONS_MAX], complete_ms = 0;
    LEAT_AUTO(leat_buf_done) struct leat_buf skipped;
    ret->name = p->name.at;
    ret->age_ms = LEAT_AGE_UNKNOWN;
    ret->lag = leat_lag_sum(&v->lag, LEAT_LAG_MODEL, p->name.at);
    leat_buf_init(&skipped, SKIPPED_BYTES);
    if (!model_figures(v, p, &ret->figures) ||
        leat_model_open(v->s->topology, p->name.at, v->s->data_dir, &m, &err) != LEAT_OK)
        return;
    ret->here = true;
    if (leat_model_position(m, seqs, NULL, &complete_ms, &err) == LEAT_OK && complete_ms > 0) {
        int64_t age_ms = leat_now_ms() - complete_ms;
        ret->age_ms = age_ms > 0 ? age_ms : 0;
    }
    if (leat_model_skipped(m, SKIPPED_SHOWN, &skipped, &err) == LEAT_OK && !skipped.overflow)
        ret->skipped = leat_arena_copy(v->s->arena, leat_buf_str(&skipped));
    leat_model_close(m);
}

/* ---- all of it ---- */

static leat_status ask_store(struct leat_status_view *v, struct leat_error *err)
{
    const struct leat_topology *t = v->s->topology;
    struct leat_str *names = leat_arena_zalloc(v->s->arena, t->n_processors + 1u, sizeof *names);
    for (uint32_t i = 0; i < t->n_processors; i++)
        names[i] = t->processors[i].name;
    LEAT_TRY(leat_store_server(v->s->store, v->s->arena, &v->server, err), err, "store");
    return leat_store_counters(v->s->store, names, t->n_processors, v->s->arena, &v->store, err);
}

static leat_status ask_kafka(struct leat_status_view *v, struct leat_error *err)
{
    struct leat_kafka_config c = leat_cli_kafka_config(v->s->topology, "status", v->s->arena);
    struct leat_probe *probe = NULL;
    struct leat_admin *admin = NULL;
    struct leat_error lag_err = {0};
    leat_status status = leat_probe_new(&c, &probe, err);
    if (status == LEAT_OK)
        status = leat_admin_new(&c, &admin, err);
    if (status == LEAT_OK) {
        if (leat_lag_collect(v->s, admin, &v->lag, &lag_err) != LEAT_OK)
            v->lag_unknown = kept(v, lag_err.msg);
        add_groups(v, probe);
    }
    leat_admin_free(admin);
    leat_probe_free(probe);
    return status;
}

leat_status leat_status_collect(struct leat_session *s, const struct leat_status_options *o,
                                struct leat_status_view *ret, struct leat_error *err)
{
    struct leat_status_view v = {.o = o, .s = s};
    ask_door(&v);
    LEAT_TRY(ask_store(&v, err), err, "status");
    LEAT_TRY(ask_kafka(&v, err), err, "status");
    leat_stalled_collect(&v);
    v.models = leat_arena_zalloc(s->arena, s->topology->n_projections + 1u, sizeof *v.models);
    for (uint32_t i = 0; i < s->topology->n_projections; i++)
        add_model(&v, &s->topology->projections[i], &v.models[i]);
    *ret = v;
    return LEAT_OK;
}
