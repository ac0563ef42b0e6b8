#include "query/queries.h"

#include "base/suggest.h"
#include "projection/rules.h"

#define VALUES_MAX 8

leat_status leat_query_find(const struct leat_topology *t, struct leat_str name,
                            const struct leat_query **ret, struct leat_error *err)
{
    struct leat_suggest near;
    *ret = leat_topology_query(t, name);
    if (*ret != NULL)
        return LEAT_OK;
    leat_suggest_start(&near, name);
    for (uint32_t i = 0; i < t->n_queries; i++)
        leat_suggest_offer(&near, t->queries[i].name);
    leat_status status = leat_fail(err, LEAT_ABSENT, "there is no query '%.*s'",
                                   (int)(name.len < 100 ? name.len : 100), name.at);
    if (near.best.len > 0)
        leat_error_hint(err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return status;
}

bool leat_query_is_row(const struct leat_query *q)
{
    return q->index == NULL && q->n_where == 0;
}

struct leat_names leat_query_needs(const struct leat_query *q)
{
    static const struct leat_str key = {"key", 3};
    if (leat_query_is_row(q) && q->params.n == 0)
        return (struct leat_names){&key, 1};
    return q->params;
}

const char *leat_query_params(const struct leat_query *q, struct leat_arena *arena)
{
    static const struct leat_str more[] = {
        {"fields", 6}, {"order", 5}, {"limit", 5}, {"cursor", 6}};
    struct leat_names needs = leat_query_needs(q);
    const char *text = "";
    for (uint32_t i = 0; i < needs.n; i++) {
        text =
            leat_arena_printf(arena, "%s%s%.*s", text, i > 0 ? "," : "", LEAT_STR_FMT(needs.at[i]));
    }
    for (uint32_t i = 0; i < (leat_query_is_row(q) ? 1 : sizeof more / sizeof *more); i++) {
        if (!leat_names_has(&needs, more[i]))
            text = leat_arena_printf(arena, "%s%s%s", text, text[0] != 0 ? "," : "", more[i].at);
    }
    return text;
}

static leat_status read_values(const struct leat_query *q, const struct leat_target *given,
                               struct leat_str values[VALUES_MAX], uint32_t *ret_n,
                               struct leat_error *err)
{
    struct leat_names needs = leat_query_needs(q);
    if (needs.n > VALUES_MAX)
        return leat_fail(err, LEAT_INVALID, "more than %d parameters", VALUES_MAX);
    for (uint32_t i = 0; i < needs.n; i++) {
        if (!leat_target_param(given, needs.at[i].at, &values[i])) {
            return leat_fail(err, LEAT_INVALID, "query '%.*s' needs the parameter '%.*s'",
                             LEAT_STR_FMT(q->name), LEAT_STR_FMT(needs.at[i]));
        }
        if (values[i].len > LEAT_KEY_BYTES_MAX) {
            return leat_fail(err, LEAT_INVALID, "parameter '%.*s' is longer than %d bytes",
                             LEAT_STR_FMT(needs.at[i]), LEAT_KEY_BYTES_MAX);
        }
    }
    *ret_n = needs.n;
    return LEAT_OK;
}

/* What every query takes, unless it has a parameter of that name. */
static bool option(const struct leat_query *q, const struct leat_target *given,
                   struct leat_str name, struct leat_str *ret)
{
    struct leat_names needs = leat_query_needs(q);
    return !leat_names_has(&needs, name) && leat_target_param(given, name.at, ret);
}

static leat_status read_order(const struct leat_query *q, const struct leat_target *given,
                              bool *ret_descending, struct leat_error *err)
{
    struct leat_str order = {NULL, 0};
    if (!option(q, given, LEAT_STR("order"), &order))
        return LEAT_OK;
    *ret_descending = leat_str_eq(order, LEAT_STR("desc"));
    if (*ret_descending || leat_str_eq(order, LEAT_STR("asc")))
        return LEAT_OK;
    return leat_fail(err, LEAT_INVALID, "parameter 'order' must be asc or desc");
}

leat_status leat_query_run(const struct leat_query *q, struct leat_model_read *m,
                           const struct leat_target *given, struct leat_buf *out,
                           struct leat_error *err)
{
    struct leat_str values[VALUES_MAX], fields = {NULL, 0};
    uint32_t n = 0;
    int64_t limit = q->limit;
    leat_status status = read_values(q, given, values, &n, err);
    if (status != LEAT_OK)
        return status;
    (void)option(q, given, LEAT_STR("fields"), &fields);
    if (leat_query_is_row(q))
        return leat_read_get(m, leat_key_join(values, n, m->arena), fields, out, err);
    struct leat_model_range r = {
        .index = q->index == NULL ? NULL : q->index->name.at,
        .equal = values,
        .n_equal = n,
        .where = q->n_where > 0 ? q : NULL,
        .fields = fields,
    };
    status = leat_target_int(given, "limit", 1, q->limit, &limit, err);
    r.limit = (int32_t)limit;
    if (status == LEAT_OK)
        status = read_order(q, given, &r.descending, err);
    (void)leat_target_param(given, "cursor", &r.cursor);
    return status == LEAT_OK ? leat_read_list(m, &r, out, err) : status;
}
