/* leat apply: makes what a topology needs: topics, the store's schema, the types' Avro schemas. */
#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "kafka/kafka.h"

#define APPLY_KAFKA_MS 30000

struct apply_options {
    const char *topology;
    bool json, dry_run;
};

static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct apply_options, topology),
    LEAT_CLI_JSON(struct apply_options, json),
    {"dry-run", 0, LEAT_OPT_FLAG, offsetof(struct apply_options, dry_run), NULL, NULL, NULL, 0, 0,
     "Say what is missing, change nothing; exit code 3 when something is."},
};

static const struct leat_opt_spec spec = {
    .usage = "leat apply [options]",
    .summary =
        "Create what the topology needs: Kafka topics, the store's tables, registered schemas.",
    .details = "May be run again at any time: only what is missing is made, nothing is taken away.",
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .args_max = 0,
};

struct apply {
    struct apply_options o;
    struct leat_session s;
    struct leat_admin *admin;
    struct leat_kafka_prop *props;
    struct leat_topic_spec *topics;
    size_t topic_count;
    size_t topics_missing, topics_created, schemas_new;
};

/* ---- topics ---- */

static void add_topic(struct apply *a, const char *name, const struct leat_props *configs)
{
    struct leat_topic_spec *t = &a->topics[a->topic_count++];
    struct leat_kafka_prop *config =
        leat_arena_alloc(a->s.arena, (configs->n + 1u) * sizeof *config);
    int64_t replication = 1;
    *t = (struct leat_topic_spec){
        .name = name, .partitions = a->s.topology->partitions, .config = config};
    for (uint32_t i = 0; i < configs->n; i++) {
        const struct leat_prop *p = &configs->at[i];
        if (strcmp(p->name, "replication.factor") == 0)
            (void)leat_parse_int(leat_str_of(p->value), &replication);
        else
            config[t->config_count++] = (struct leat_kafka_prop){p->name, p->value};
    }
    t->replication = (int32_t)replication;
}

static void collect_topics(struct apply *a)
{
    const struct leat_topology *t = a->s.topology;
    size_t max = 1;
    for (uint32_t i = 0; i < t->n_processors; i++)
        max += t->processors[i].priorities.n + 1u;
    a->topics = leat_arena_zalloc(a->s.arena, max, sizeof *a->topics);
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_processor *p = &t->processors[i];
        for (uint32_t c = 0; p->topics != NULL && c < p->priorities.n; c++)
            add_topic(a, p->topics[c].at, &t->commands.configs);
        add_topic(a, p->dlq_topic.at, &t->dlq.configs);
    }
    add_topic(a, t->events_topic.at, &t->events.configs);
}

static leat_status open_kafka(struct apply *a, struct leat_error *err)
{
    const struct leat_props *common = &a->s.topology->kafka.common;
    a->props = leat_arena_zalloc(a->s.arena, common->n + 1u, sizeof *a->props);
    for (uint32_t i = 0; i < common->n; i++)
        a->props[i] = (struct leat_kafka_prop){common->at[i].name, common->at[i].value};
    struct leat_kafka_config kc = {a->props, common->n, "leat-apply"};
    return leat_admin_new(&kc, &a->admin, err);
}

static leat_status count_missing_topics(struct apply *a, struct leat_error *err)
{
    for (size_t i = 0; i < a->topic_count; i++) {
        int32_t partitions = 0;
        leat_status status =
            leat_admin_partitions(a->admin, a->topics[i].name, &partitions, APPLY_KAFKA_MS, err);
        if (status == LEAT_ABSENT)
            a->topics_missing++;
        else if (status != LEAT_OK)
            return status;
    }
    return LEAT_OK;
}

/* ---- store ---- */

static void log_line(void *arg, const char *line)
{
    const struct apply *a = arg;
    if (!a->o.json)
        (void)fprintf(stderr, "store: %s\n", line);
}

static leat_status apply_store(struct apply *a, struct leat_error *err)
{
    const struct leat_topology *t = a->s.topology;
    const char **names = leat_arena_zalloc(a->s.arena, t->n_processors + 1u, sizeof *names);
    for (uint32_t i = 0; i < t->n_processors; i++)
        names[i] = t->processors[i].name.at;
    struct leat_store_layout layout = {t->partitions, names, t->n_processors};
    LEAT_TRY(leat_store_open(&a->s.store_options, &a->s.store, err), err, "store");
    LEAT_TRY(leat_store_migrate(a->s.store, &layout, log_line, a, err), err, "store");
    struct leat_schema_row *rows = NULL;
    size_t before = 0, after = 0;
    LEAT_TRY(leat_store_schemas(a->s.store, a->s.arena, &rows, &before, err), err, "schemas");
    struct leat_names types = leat_topology_types(t, a->s.arena);
    for (uint32_t i = 0; i < types.n; i++) {
        int32_t id = 0;
        LEAT_TRY(leat_store_put_schema(a->s.store, types.at[i],
                                       leat_schemas_text(a->s.schemas, types.at[i]), &id, err),
                 err, "schema of '%s'", types.at[i].at);
    }
    LEAT_TRY(leat_store_schemas(a->s.store, a->s.arena, &rows, &after, err), err, "schemas");
    a->schemas_new = after - before;
    return LEAT_OK;
}

/* ---- the verb ---- */

static int report(const struct apply *a, bool store_ready)
{
    struct leat_buf out;
    leat_buf_init(&out, 1 << 16);
    if (a->o.dry_run && a->o.json)
        leat_buf_printf(&out, "{\"topics\":%zu,\"topics_missing\":%zu,\"store_ready\":%s}\n",
                        a->topic_count, a->topics_missing, store_ready ? "true" : "false");
    else if (a->o.dry_run)
        leat_buf_printf(&out, "%zu of %zu topics are missing; the store is %s\n", a->topics_missing,
                        a->topic_count, store_ready ? "ready" : "not ready");
    else if (a->o.json)
        leat_buf_printf(&out,
                        "{\"topics\":%zu,\"topics_created\":%zu,\"schemas_registered\":%zu}\n",
                        a->topic_count, a->topics_created, a->schemas_new);
    else
        leat_buf_printf(&out, "%s: %zu topics (%zu new), store ready, %zu schemas registered\n",
                        a->s.topology->name.at, a->topic_count, a->topics_created, a->schemas_new);
    int code = leat_cli_print(&out);
    leat_buf_done(&out);
    return code;
}

static int dry_run(struct apply *a)
{
    struct leat_error err = {0}, store_err = {0};
    if (open_kafka(a, &err) != LEAT_OK || count_missing_topics(a, &err) != LEAT_OK ||
        leat_store_open(&a->s.store_options, &a->s.store, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    bool ready = leat_store_check(a->s.store, a->s.topology->partitions, &store_err) == LEAT_OK;
    int code = report(a, ready);
    return code == LEAT_EXIT_OK && (a->topics_missing > 0 || !ready) ? LEAT_EXIT_NO : code;
}

static int apply(struct apply *a)
{
    struct leat_error err = {0};
    if (apply_store(a, &err) != LEAT_OK || open_kafka(a, &err) != LEAT_OK ||
        leat_admin_ensure_topics(a->admin, a->topics, a->topic_count, &a->topics_created,
                                 APPLY_KAFKA_MS, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    return report(a, true);
}

int leat_cmd_apply(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_apply(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct apply a = {0};
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &a.o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if ((code = leat_session_files(&a.s, a.o.topology, NULL)) != LEAT_EXIT_GO_ON)
        return code;
    collect_topics(&a);
    code = a.o.dry_run ? dry_run(&a) : apply(&a);
    leat_admin_free(a.admin);
    leat_session_close(&a.s);
    return code;
}
