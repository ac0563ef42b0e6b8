/* leat list: rows of a read model, by key or by an index, their number, groups of them, or what a
 * named query of the topology answers. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/query_view.h"
#include "cli/session.h"
#include "query/queries.h"

#define LIMIT_DEFAULT 20

struct list_options {
    const char *topology, *data, *query, *index, *from, *to, *prefix, *where, *fields, *cursor;
    const char *group, *values, *order, *top;
    struct leat_at_least at_least;
    int64_t limit; /* 0 = not given */
    bool desc, count, json;
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
    {"prefix", 0, LEAT_OPT_STR, FIELD(prefix), "VALUES", NULL, NULL, 0, 0,
     "Rows whose key, or whose leading column values, start so."},
    {"desc", 0, LEAT_OPT_FLAG, FIELD(desc), NULL, NULL, NULL, 0, 0, "The last row first."},
    {"where", 'w', LEAT_OPT_STR, FIELD(where), "TESTS", NULL, NULL, 0, 0,
     "Only rows for which all hold: 'status=placed|paid,total>=5,name^=Ann'."},
    {"fields", 0, LEAT_OPT_STR, FIELD(fields), "NAMES", NULL, NULL, 0, 0,
     "Only these fields, with commas between; the key comes always."},
    {"count", 0, LEAT_OPT_FLAG, FIELD(count), NULL, NULL, NULL, 0, 0, "How many rows there are."},
    {"group", 0, LEAT_OPT_STR, FIELD(group), "NAMES", NULL, NULL, 0, 0,
     "Groups of rows that are alike in these fields."},
    {"values", 0, LEAT_OPT_STR, FIELD(values), "LIST", NULL, NULL, 0, 0,
     "What to show of groups: 'count,sum(total),min(f),max(f),avg(f)'."},
    {"order", 0, LEAT_OPT_STR, FIELD(order), "NAME", NULL, NULL, 0, 0,
     "Groups by this field or value; '-count': the greatest first."},
    {"top", 0, LEAT_OPT_STR, FIELD(top), "NAMES", NULL, NULL, 0, 0,
     "The first rows by any fields: '-total,name'."},
    {"limit", 'n', LEAT_OPT_INT, FIELD(limit), "N", NULL, NULL, 1, 1000,
     "Rows or groups at most (default: 20, or the query's own limit)."},
    {"cursor", 0, LEAT_OPT_STR, FIELD(cursor), "CURSOR", NULL, NULL, 0, 0,
     "Go on where a former list ended."},
    LEAT_CLI_AT_LEAST(struct list_options, at_least),
    LEAT_CLI_WAIT(struct list_options, at_least),
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
        "  leat list leads --where 'tier=hot,score>=90' --count\n"
        "  leat list leads --group tier --values 'count,avg(score)' --order -count\n"
        "  leat list --query OpenOrders customer=c-17\n",
    LEAT_OPTS(options),
    .args_min = 0,
    .args_max = -1,
};

static leat_status give(struct leat_target *t, struct leat_str name, struct leat_str value,
                        struct leat_error *err)
{
    if (t->n_params == LEAT_PARAMS_MAX)
        return leat_fail(err, LEAT_INVALID, "more than %d parameters", LEAT_PARAMS_MAX);
    t->params[t->n_params++] = (struct leat_param){name, value};
    return LEAT_OK;
}

static const char *limit_text(const struct list_options *o, struct leat_arena *arena)
{
    if (o->limit == 0)
        return NULL;
    return leat_arena_printf(arena, "%lld", (long long)o->limit);
}

/* ---- named queries ---- */

struct words { /* param=value … */
    char **at;
    int n;
};

static leat_status read_given(struct leat_arena *arena, const struct list_options *o,
                              const struct words *words, const struct leat_query *q,
                              struct leat_target *to, struct leat_error *err)
{
    leat_status status = LEAT_OK;
    for (int i = 0; i < words->n && status == LEAT_OK; i++) {
        const char *word = words->at[i], *equals = strchr(word, '=');
        if (equals == NULL) {
            return leat_fail(err, LEAT_INVALID, "'%.100s' is not <parameter>=<value>", word);
        }
        struct leat_str name = {word, (uint32_t)(equals - word)};
        status = give(to, name, leat_str_of(equals + 1), err);
    }
    struct {
        const char *name, *value;
    } more[] = {{"limit", limit_text(o, arena)},
                {"cursor", o->cursor},
                {"fields", o->fields},
                {"order", o->desc ? "desc" : NULL}};
    for (size_t i = 0; i < sizeof more / sizeof *more && status == LEAT_OK; i++) {
        if (more[i].value != NULL)
            status = give(to, leat_str_of(more[i].name), leat_str_of(more[i].value), err);
    }
    if (status != LEAT_OK)
        return status;
    return leat_target_allow(to, leat_query_params(q, arena), err);
}

static int run_query(const struct leat_session *s, const struct list_options *o, char **args, int n)
{
    struct leat_target given = {.n_params = 0};
    struct leat_read read = {.kind = LEAT_READ_QUERY, .given = &given};
    const struct words words = {args, n};
    struct leat_error err = {0};
    leat_status status = leat_query_find(s->topology, leat_str_of(o->query), &read.query, &err);
    if (status == LEAT_ABSENT)
        err.status = LEAT_INVALID; /* a wrong call, as with the name of a model */
    if (status == LEAT_OK)
        status = read_given(s->arena, o, &words, read.query, &given, &err);
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    return leat_view_read(s, read.query->model, &read, &o->at_least, o->json);
}

/* ---- rows, counts, groups ---- */

static leat_read_kind kind_of(const struct list_options *o)
{
    if (o->count)
        return LEAT_READ_COUNT;
    if (o->group != NULL || o->values != NULL)
        return LEAT_READ_SUMS;
    return o->top != NULL ? LEAT_READ_TOP : LEAT_READ_LIST;
}

static leat_status read_rows(const struct leat_session *s, const struct list_options *o,
                             leat_read_kind kind, struct leat_target *to, struct leat_error *err)
{
    const char *limit = limit_text(o, s->arena);
    if (limit == NULL && kind != LEAT_READ_COUNT)
        limit = leat_arena_printf(s->arena, "%d", LIMIT_DEFAULT);
    struct {
        const char *name, *value;
    } all[] = {{"index", o->index},
               {"from", o->from},
               {"to", o->to},
               {"prefix", o->prefix},
               {"where", o->where},
               {"fields", o->fields},
               {"cursor", o->cursor},
               {"group", o->group},
               {"values", o->values},
               {"by", o->top},
               {"order", o->order},
               {"limit", limit},
               {"order", o->desc && o->order == NULL ? "desc" : NULL}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].value == NULL)
            continue;
        leat_status status = give(to, leat_str_of(all[i].name), leat_str_of(all[i].value), err);
        if (status != LEAT_OK)
            return status;
    }
    return leat_target_allow(to, leat_read_params(kind, NULL, s->arena), err);
}

static int run_rows(const struct leat_session *s, const struct list_options *o, const char *model)
{
    struct leat_target given = {.n_params = 0};
    struct leat_read read = {.kind = kind_of(o), .given = &given};
    struct leat_error err = {0};
    const struct leat_projection *p = leat_view_find(s, model);
    if (p == NULL)
        return LEAT_EXIT_USAGE;
    if (read_rows(s, o, read.kind, &given, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    return leat_view_read(s, p, &read, &o->at_least, o->json);
}

static int wrong_call(const struct list_options *o, int args)
{
    struct leat_error err = {0};
    bool own = o->index != NULL || o->from != NULL || o->to != NULL || o->prefix != NULL ||
               o->where != NULL || kind_of(o) != LEAT_READ_LIST;
    if (o->query != NULL && own) {
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
    struct leat_error err = {0};
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code == LEAT_EXIT_GO_ON)
        code = wrong_call(&o, args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if ((code = leat_session_files(&s, o.topology, o.data)) != LEAT_EXIT_GO_ON)
        return code;
    if (leat_at_least_read(&s, &o.at_least, &err) != LEAT_OK)
        code = leat_cli_fail(&err);
    else
        code = o.query != NULL ? run_query(&s, &o, argv + 1, args) : run_rows(&s, &o, argv[1]);
    leat_session_close(&s);
    return code;
}
