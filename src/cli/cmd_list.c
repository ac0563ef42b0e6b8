/* leat list: rows of a read model, by key or by an index, or what a named query of the topology
 * answers. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/query_view.h"
#include "cli/session.h"
#include "query/queries.h"

#define LIMIT_DEFAULT 20

struct list_options {
    const char *topology, *data, *query, *index, *from, *to, *cursor;
    int64_t limit; /* 0 = not given */
    bool json;
};

#define FIELD(name) offsetof(struct list_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct list_options, topology),
    LEAT_CLI_DATA(struct list_options, data),
    {"query", 'q', LEAT_OPT_STR, FIELD(query), "NAME", NULL, NULL, 0, 0,
     "Run this query of the topology; its parameters follow as name=value."},
    {"index", 0, LEAT_OPT_STR, FIELD(index), "NAME", NULL, NULL, 0, 0,
     "Order and range by this index instead of the key."},
    {"from", 0, LEAT_OPT_STR, FIELD(from), "VALUES", NULL, NULL, 0, 0,
     "First row: a key, or values of the index's leading columns with commas."},
    {"to", 0, LEAT_OPT_STR, FIELD(to), "VALUES", NULL, NULL, 0, 0,
     "Last row, in the same form; rows that start with it belong to the range."},
    {"limit", 'n', LEAT_OPT_INT, FIELD(limit), "N", NULL, NULL, 1, 1000,
     "Rows at most (default: 20, or the query's own limit)."},
    {"cursor", 0, LEAT_OPT_STR, FIELD(cursor), "CURSOR", NULL, NULL, 0, 0,
     "Go on where a former list ended."},
    LEAT_CLI_JSON(struct list_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat list [options] <model> | --query <name> [param=value …]",
    .summary = "Show rows of a read model.",
    .details =
        "Reads the model's files: no server of leat need run. --json is what HTTP answers.\n"
        "A query with `where` looks at 10,000 rows per answer: fewer rows than the limit and "
        "a\ncursor mean that there is more to look at.\n\n"
        "  leat list leads --index by_tier --from hot --to hot\n"
        "  leat list leads --index by_tier --from hot,90 --limit 100 --json\n"
        "  leat list --query OpenOrders customer=c-17\n",
    LEAT_OPTS(options),
    .args_min = 0,
    .args_max = -1,
};

static leat_status ask_rows(struct leat_model *m, void *arg, struct leat_buf *out,
                            struct leat_error *err)
{
    const struct list_options *o = arg;
    struct leat_model_range range = {
        .index = o->index,
        .from = leat_str_of(o->from),
        .to = leat_str_of(o->to),
        .cursor = leat_str_of(o->cursor),
        .limit = o->limit > 0 ? (int32_t)o->limit : LIMIT_DEFAULT,
    };
    return leat_model_list(m, &range, out, err);
}

/* ---- named queries ---- */

struct ask {
    const struct leat_query *query;
    struct leat_target given;
    struct leat_arena *arena;
};

static leat_status ask_query(struct leat_model *m, void *arg, struct leat_buf *out,
                             struct leat_error *err)
{
    struct ask *a = arg;
    return leat_query_run(a->query, m, &a->given, a->arena, out, err);
}

static leat_status give(struct leat_target *t, struct leat_str name, struct leat_str value,
                        struct leat_error *err)
{
    if (t->n_params == LEAT_PARAMS_MAX)
        return leat_fail(err, LEAT_INVALID, "more than %d parameters", LEAT_PARAMS_MAX);
    t->params[t->n_params++] = (struct leat_param){name, value};
    return LEAT_OK;
}

static leat_status read_given(const struct list_options *o, char **args, int n, struct ask *a,
                              struct leat_error *err)
{
    leat_status status = LEAT_OK;
    for (int i = 0; i < n && status == LEAT_OK; i++) {
        const char *equals = strchr(args[i], '=');
        if (equals == NULL) {
            return leat_fail(err, LEAT_INVALID, "'%.100s' is not <parameter>=<value>", args[i]);
        }
        struct leat_str name = {args[i], (uint32_t)(equals - args[i])};
        status = give(&a->given, name, leat_str_of(equals + 1), err);
    }
    if (status == LEAT_OK && o->limit > 0) {
        status = give(&a->given, LEAT_STR("limit"),
                      leat_str_of(leat_arena_printf(a->arena, "%lld", (long long)o->limit)), err);
    }
    if (status == LEAT_OK && o->cursor != NULL)
        status = give(&a->given, LEAT_STR("cursor"), leat_str_of(o->cursor), err);
    if (status != LEAT_OK)
        return status;
    return leat_target_allow(&a->given, leat_query_params(a->query, a->arena), err);
}

static int run_query(const struct leat_session *s, struct list_options *o, char **args, int n)
{
    struct ask a = {.arena = s->arena};
    struct leat_error err = {0};
    leat_status status = leat_query_find(s->topology, leat_str_of(o->query), &a.query, &err);
    if (status == LEAT_ABSENT)
        err.status = LEAT_INVALID; /* a wrong call, as with the name of a model */
    if (status == LEAT_OK)
        status = read_given(o, args, n, &a, &err);
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    return leat_view_model(s, a.query->model->name.at, ask_query, &a, o->json);
}

static int wrong_call(const struct list_options *o, int args)
{
    struct leat_error err = {0};
    bool range = o->index != NULL || o->from != NULL || o->to != NULL;
    if (o->query != NULL && range) {
        (void)leat_fail(&err, LEAT_INVALID, "a query has its own index and range");
        leat_error_hint(&err, "leat list --query <name> [param=value …]");
        return leat_cli_fail(&err);
    }
    if (o->query != NULL || args == 1)
        return LEAT_EXIT_GO_ON;
    (void)leat_fail(&err, LEAT_INVALID, args == 0 ? "missing argument" : "more than one model");
    leat_error_hint(&err, "Usage: %s", spec.usage);
    return leat_cli_fail(&err);
}

int leat_cmd_list(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_list(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct list_options o = {0};
    struct leat_session s;
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code == LEAT_EXIT_GO_ON)
        code = wrong_call(&o, args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if ((code = leat_session_files(&s, o.topology, o.data)) != LEAT_EXIT_GO_ON)
        return code;
    code = o.query != NULL ? run_query(&s, &o, argv + 1, args)
                           : leat_view_model(&s, argv[1], ask_rows, &o, o.json);
    leat_session_close(&s);
    return code;
}
