/* leat doctor: looks for what is wrong with this installation and says what to do about it. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/log.h"
#include "cli/doctor.h"

#define OUTPUT_BYTES_MAX (1u << 20)

struct doctor_options {
    const char *topology, *data, *listen;
    int64_t timeout_ms;
    bool json;
};

#define FIELD(name) offsetof(struct doctor_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct doctor_options, topology),
    {"data", 0, LEAT_OPT_STR, FIELD(data), "DIR", NULL, "LEAT_DATA", 0, 0,
     "Folder of the read models (default: .leat/<name> beside the topology)."},
    {"listen", 0, LEAT_OPT_STR, FIELD(listen), "ADDRESS", NULL, "LEAT_LISTEN", 0, 0,
     "HTTP address instead of the topology's."},
    {"timeout", 0, LEAT_OPT_DURATION, FIELD(timeout_ms), "DURATION", "3s", NULL, 100, 60000,
     "How long each question to a server may take."},
    LEAT_CLI_JSON(struct doctor_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat doctor [options]",
    .summary = "Look for what is wrong with this installation.",
    .details =
        "Asks the servers and this machine, changes nothing. Each check is ok, warn, fail or\n"
        "skip (it could not be looked at), with what was found, why it matters and what to\n"
        "do. Exit code 1 when one failed.\n\n"
        "  leat doctor\n"
        "  leat doctor --json | jq '.checks[] | select(.level == \"fail\")'\n",
    LEAT_OPTS(options),
    .args_max = 0,
};

static const char *const level_names[] = {"ok", "warn", "fail", "skip"};

/* ---- adding checks ---- */

static struct leat_check *add(struct leat_doctor *d, leat_check_level level, const char *name)
{
    d->checks = leat_arena_grow(d->arena, d->checks, sizeof *d->checks, &d->cap, d->n + 1);
    struct leat_check *c = &d->checks[d->n++];
    *c = (struct leat_check){
        .level = level, .area = d->area, .name = leat_arena_cstr(d->arena, leat_str_of(name))};
    return c;
}

static const char *text_of(struct leat_doctor *d, const char *fmt, va_list args) LEAT_PRINTF(2, 0);

/* One line: libpq's messages are several. */
static const char *text_of(struct leat_doctor *d, const char *fmt, va_list args)
{
    char text[2048];
    (void)vsnprintf(text, sizeof text, fmt, args);
    char *to = text;
    for (const char *at = text; *at != 0; at++) {
        bool space = *at == '\n' || *at == '\t';
        if (!space || (to > text && to[-1] != ' '))
            *to++ = space ? ' ' : *at;
    }
    *to = 0;
    return leat_arena_cstr(d->arena, leat_str_of(text));
}

void leat_doctor_ok(struct leat_doctor *d, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(d, LEAT_CHECK_OK, name)->found = text_of(d, fmt, args);
    va_end(args);
}

void leat_doctor_skip(struct leat_doctor *d, const char *name, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    add(d, LEAT_CHECK_SKIP, name)->found = text_of(d, fmt, args);
    va_end(args);
}

void leat_doctor_say(struct leat_doctor *d, leat_check_level level, const char *name,
                     const char *why, const char *todo, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct leat_check *c = add(d, level, name);
    c->found = text_of(d, fmt, args);
    c->why = why;
    c->todo = leat_arena_cstr(d->arena, leat_str_of(todo));
    va_end(args);
}

void leat_doctor_error(struct leat_doctor *d, const char *name, const char *why, const char *todo,
                       const struct leat_error *err)
{
    leat_doctor_say(d, LEAT_CHECK_FAIL, name, why, err->hint[0] != 0 ? err->hint : todo, "%s",
                    err->msg);
}

/* ---- output ---- */

static size_t count(const struct leat_doctor *d, leat_check_level level)
{
    size_t n = 0;
    for (size_t i = 0; i < d->n; i++)
        n += d->checks[i].level == level;
    return n;
}

static void put_json(const struct leat_doctor *d, struct leat_buf *out)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_key(&w, LEAT_STR("checks"));
    leat_json_begin_array(&w);
    for (size_t i = 0; i < d->n; i++) {
        const struct leat_check *c = &d->checks[i];
        leat_json_begin_object(&w);
        leat_json_put_cstr(&w, "area", c->area);
        leat_json_put_cstr(&w, "check", c->name);
        leat_json_put_cstr(&w, "level", level_names[c->level]);
        leat_json_put_cstr(&w, "found", c->found);
        leat_json_put_cstr(&w, "why", c->why);
        leat_json_put_cstr(&w, "todo", c->todo);
        leat_json_end_object(&w);
    }
    leat_json_end_array(&w);
    for (int level = LEAT_CHECK_OK; level <= LEAT_CHECK_SKIP; level++)
        leat_json_put_int(&w, level_names[level], (int64_t)count(d, (leat_check_level)level));
    leat_json_end_object(&w);
    leat_buf_putc(out, '\n');
}

static void put_text(const struct leat_doctor *d, struct leat_buf *out)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct leat_check *c = &d->checks[i];
        if (i == 0 || strcmp(c->area, d->checks[i - 1].area) != 0)
            leat_buf_printf(out, "%s%s\n", i > 0 ? "\n" : "", c->area);
        leat_buf_printf(out, "  %-4s  %-16s  %s\n", level_names[c->level], c->name, c->found);
        if (c->why != NULL)
            leat_buf_printf(out, "%26s%s\n", "", c->why);
        if (c->todo != NULL && c->todo[0] != 0)
            leat_buf_printf(out, "%26s=> %s\n", "", c->todo);
    }
    leat_buf_printf(out, "\n%zu ok, %zu to look at, %zu failed, %zu not looked at\n",
                    count(d, LEAT_CHECK_OK), count(d, LEAT_CHECK_WARN), count(d, LEAT_CHECK_FAIL),
                    count(d, LEAT_CHECK_SKIP));
}

static int print(const struct leat_doctor *d, bool json)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    leat_buf_init(&out, OUTPUT_BYTES_MAX);
    if (json) {
        put_json(d, &out);
    } else {
        put_text(d, &out);
    }
    int code = leat_cli_print(&out);
    return code == LEAT_EXIT_OK && count(d, LEAT_CHECK_FAIL) > 0 ? LEAT_EXIT_FAILED : code;
}

static void look(struct leat_doctor *d)
{
    static const struct {
        const char *area;
        void (*look)(struct leat_doctor *d);
    } areas[] = {{"files", leat_doctor_files},
                 {"machine", leat_doctor_host},
                 {"Postgres", leat_doctor_store},
                 {"Kafka", leat_doctor_kafka}};
    for (size_t i = 0; i < sizeof areas / sizeof areas[0]; i++) {
        d->area = areas[i].area;
        areas[i].look(d);
    }
}

int leat_cmd_doctor(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_doctor(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct doctor_options o = {0};
    struct leat_topology *t = NULL;
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if ((code = leat_cli_topology(o.topology, false, &t)) != LEAT_EXIT_GO_ON)
        return code;
    leat_log_set_level(LEAT_LOG_ERROR); /* what is wrong is said by the checks */
    struct leat_doctor d = {.topology = t,
                            .listen = o.listen != NULL ? o.listen : t->http.listen,
                            .timeout_ms = (int)o.timeout_ms,
                            .arena = leat_arena_new(65536, 0),
                            .schemas = leat_schemas_new()};
    d.data_dir =
        o.data != NULL ? o.data : leat_arena_printf(d.arena, "%s/.leat/%s", t->dir, t->name.at);
    look(&d);
    code = print(&d, o.json);
    leat_schemas_free(d.schemas);
    leat_lineage_done(&d.lineage);
    leat_arena_free(d.arena);
    leat_topology_free(t);
    return code;
}
