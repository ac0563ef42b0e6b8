/* leat apply: does what `leat plan` shows, or nothing when any of it is refused. */
#include <stdio.h>

#include "cli/cli.h"
#include "cli/plan.h"

#define APPLY_KAFKA_MS 30000
#define TEXT_BYTES_MAX ((size_t)4 << 20)

struct apply_options {
    const char *topology;
    bool json, dry_run;
};

static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct apply_options, topology),
    LEAT_CLI_JSON(struct apply_options, json),
    {"dry-run", 0, LEAT_OPT_FLAG, offsetof(struct apply_options, dry_run), NULL, NULL, NULL, 0, 0,
     "Show what would be done, change nothing; exit code 3 when there is something."},
};

static const struct leat_opt_spec spec = {
    .usage = "leat apply [options]",
    .summary =
        "Create what the topology needs: Kafka topics, the store's tables, registered schemas.",
    .details =
        "Does what `leat plan` shows; may be run again at any time. Nothing is ever dropped. When\n"
        "a part is refused because data would be lost, nothing at all is done: exit code 1.\n"
        "Topics of `sources` belong to somebody else: the rest is done without them, exit code 1.",
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .args_max = 0,
};

struct apply {
    struct apply_options o;
    struct leat_change_plan plan;
    size_t topics_created, schemas_new;
};

/* ---- doing ---- */

static void log_line(void *arg, const char *line)
{
    const struct apply *a = arg;
    if (!a->o.json)
        (void)fprintf(stderr, "store: %s\n", line);
}

static leat_status count_schemas(struct apply *a, size_t *ret, struct leat_error *err)
{
    struct leat_schema_row *rows = NULL;
    LEAT_TRY(leat_store_schemas(a->plan.s.store, a->plan.s.arena, &rows, ret, err), err, "schemas");
    return LEAT_OK;
}

static leat_status apply_store(struct apply *a, struct leat_error *err)
{
    struct leat_session *s = &a->plan.s;
    const struct leat_topology *t = s->topology;
    const char **names = leat_arena_zalloc(s->arena, t->n_processors + 1u, sizeof *names);
    for (uint32_t i = 0; i < t->n_processors; i++)
        names[i] = t->processors[i].name.at;
    struct leat_store_layout layout = {t->partitions, names, t->n_processors};
    size_t before = 0, after = 0;
    LEAT_TRY(leat_store_migrate(s->store, &layout, log_line, a, err), err, "store");
    LEAT_TRY(count_schemas(a, &before, err), err, "store");
    struct leat_names types = leat_topology_types(t, s->arena);
    for (uint32_t i = 0; i < types.n; i++) {
        int32_t id = 0;
        LEAT_TRY(leat_store_put_schema(s->store, types.at[i],
                                       leat_schemas_text(s->schemas, types.at[i]), &id, err),
                 err, "schema of '%s'", types.at[i].at);
    }
    LEAT_TRY(count_schemas(a, &after, err), err, "store");
    a->schemas_new = after - before;
    return LEAT_OK;
}

static leat_status apply_topics(struct apply *a, struct leat_error *err)
{
    const struct leat_change_plan *p = &a->plan;
    leat_status st = leat_admin_ensure_topics(p->admin, p->topics, p->topic_count,
                                              &a->topics_created, APPLY_KAFKA_MS, err);
    for (size_t i = 0; i < p->alter_count && st == LEAT_OK; i++)
        st = leat_admin_alter(p->admin, p->alters[i].topic, p->alters[i].changes, p->alters[i].n,
                              APPLY_KAFKA_MS, err);
    return st;
}

/* ---- saying ---- */

static void put_json(const struct apply *a, struct leat_buf *out)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_cstr(&w, "topology", a->plan.s.topology->name.at);
    leat_json_put_bool(&w, "applied", !a->o.dry_run && a->plan.refused == 0);
    leat_json_put_int(&w, "topics", (int64_t)a->plan.topic_count);
    leat_json_put_int(&w, "topics_created", (int64_t)a->topics_created);
    leat_json_put_int(&w, "schemas_registered", (int64_t)a->schemas_new);
    leat_change_plan_json(&a->plan, false, &w);
    leat_json_end_object(&w);
    leat_buf_putc(out, '\n');
}

static int report(const struct apply *a)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    leat_buf_init(&out, TEXT_BYTES_MAX);
    if (a->o.json) {
        put_json(a, &out);
    } else if (a->o.dry_run || a->plan.refused > 0) {
        leat_change_plan_text(&a->plan, false, &out);
        leat_change_plan_summary(&a->plan, &out);
    } else {
        if (a->plan.todo + a->plan.foreign > 0)
            leat_change_plan_text(&a->plan, false, &out);
        leat_buf_printf(&out, "%s: %zu topics (%zu new), store ready, %zu schemas registered\n",
                        a->plan.s.topology->name.at, a->plan.topic_count, a->topics_created,
                        a->schemas_new);
    }
    return leat_cli_print(&out);
}

static int refused(const struct apply *a)
{
    int code = report(a);
    for (size_t i = 0; i < a->plan.n; i++) {
        const struct leat_plan_item *item = &a->plan.items[i];
        if (item->mark == LEAT_PLAN_REFUSE)
            (void)fprintf(stderr, "leat: refused: %s: %s\n", item->what, item->detail);
    }
    (void)fprintf(stderr, "leat: nothing was done\n");
    return code == LEAT_EXIT_OK ? LEAT_EXIT_FAILED : code;
}

/* All that could be done is done; processors of these sources have nothing to read yet. */
static int report_rest(const struct apply *a)
{
    int code = report(a);
    for (size_t i = 0; i < a->plan.n; i++) {
        const struct leat_plan_item *item = &a->plan.items[i];
        if (item->mark == LEAT_PLAN_FOREIGN)
            (void)fprintf(stderr, "leat: not done: topic %s %s\n", item->what, item->detail);
    }
    return code == LEAT_EXIT_OK && a->plan.foreign > 0 ? LEAT_EXIT_FAILED : code;
}

static int apply(struct apply *a)
{
    struct leat_error err = {0};
    if (leat_change_plan_make(&a->plan, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    if (a->o.dry_run) {
        int code = report(a);
        return code == LEAT_EXIT_OK && a->plan.todo + a->plan.refused + a->plan.foreign > 0
                   ? LEAT_EXIT_NO
                   : code;
    }
    if (a->plan.refused > 0)
        return refused(a);
    if (apply_store(a, &err) != LEAT_OK || apply_topics(a, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    return report_rest(a);
}

int leat_cmd_apply(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_apply(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct apply a = {0};
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &a.o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if ((code = leat_change_plan_open(&a.plan, a.o.topology)) != LEAT_EXIT_GO_ON)
        return code;
    code = apply(&a);
    leat_change_plan_close(&a.plan);
    return code;
}
