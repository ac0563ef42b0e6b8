#include "query/reads.h"

#include "projection/model_values.h"
#include "query/queries.h"

#define BOUND_BYTES 4096
#define TOP_DEFAULT 10

const char *const leat_read_names[LEAT_READ_KINDS] = {"row",       "rows", "list", "count",
                                                      "aggregate", "top",  "query"};

static const char *const params[LEAT_READ_KINDS] = {
    "fields",
    "fields",
    "index,from,to,prefix,order,where,fields,limit,cursor",
    "index,from,to,prefix,where",
    "group,values,order,limit,index,from,to,prefix,where",
    "by,limit,index,from,to,prefix,where,fields",
    NULL,
};

const char *leat_read_params(leat_read_kind kind, const struct leat_query *q,
                             struct leat_arena *arena)
{
    return kind == LEAT_READ_QUERY ? leat_query_params(q, arena) : params[kind];
}

struct leat_str leat_read_cursor(const struct leat_read *r)
{
    struct leat_str cursor = {NULL, 0};
    if (r->kind == LEAT_READ_LIST || r->kind == LEAT_READ_QUERY)
        (void)leat_target_param(r->given, "cursor", &cursor);
    return cursor;
}

bool leat_read_is_heavy(const struct leat_read *r)
{
    return r->kind == LEAT_READ_COUNT || r->kind == LEAT_READ_SUMS || r->kind == LEAT_READ_TOP;
}

leat_status leat_read_split_keys(struct leat_str text, struct leat_arena *arena,
                                 const struct leat_str **ret, uint32_t *ret_n,
                                 struct leat_error *err)
{
    char room[LEAT_VALUE_BYTES_MAX], end = 0;
    struct leat_given given;
    struct leat_str *keys = NULL;
    size_t cap = 0;
    uint32_t n = 0;
    while (leat_given_next(&text, ",", room, &given, &end)) {
        if (n == LEAT_MODEL_KEYS_MAX) {
            return leat_fail(err, LEAT_INVALID, "parameter 'keys' must be 1 to %d keys",
                             LEAT_MODEL_KEYS_MAX);
        }
        keys = leat_arena_grow(arena, keys, sizeof *keys, &cap, n + (size_t)1);
        keys[n++] = leat_arena_copy(arena, given.text);
    }
    *ret = keys;
    *ret_n = n;
    return LEAT_OK;
}

/* ---- parameters ---- */

static leat_status bounded(const struct leat_target *t, const char *name, struct leat_str *ret,
                           struct leat_error *err)
{
    (void)leat_target_param(t, name, ret);
    if (ret->len <= BOUND_BYTES)
        return LEAT_OK;
    return leat_fail(err, LEAT_INVALID, "parameter '%s' must be at most %d bytes", name,
                     BOUND_BYTES);
}

static leat_status read_order(const struct leat_target *t, bool *ret_descending,
                              struct leat_error *err)
{
    struct leat_str order = {NULL, 0};
    if (!leat_target_param(t, "order", &order))
        return LEAT_OK;
    *ret_descending = leat_str_eq(order, LEAT_STR("desc"));
    if (*ret_descending || leat_str_eq(order, LEAT_STR("asc")))
        return LEAT_OK;
    leat_status status = leat_fail(err, LEAT_INVALID, "parameter 'order' must be asc or desc");
    leat_error_hint(err, "the order itself is that of the index, or of the keys without one");
    return status;
}

static leat_status read_range(const struct leat_read *r, struct leat_arena *arena,
                              struct leat_model_range *ret, struct leat_error *err)
{
    struct leat_str index = {NULL, 0};
    struct {
        const char *name;
        struct leat_str *to;
    } texts[] = {{"from", &ret->from},    {"to", &ret->to},         {"prefix", &ret->prefix},
                 {"where", &ret->filter}, {"fields", &ret->fields}, {"cursor", &ret->cursor},
                 {"index", &index}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        leat_status status = bounded(r->given, texts[i].name, texts[i].to, err);
        if (status != LEAT_OK)
            return status;
    }
    if (index.at != NULL)
        ret->index = leat_arena_cstr(arena, index);
    return LEAT_OK;
}

static leat_status read_limit(const struct leat_read *r, int64_t otherwise, int64_t max,
                              struct leat_model_range *ret, struct leat_error *err)
{
    int64_t limit = otherwise;
    leat_status status = leat_target_int(r->given, "limit", 1, max, &limit, err);
    ret->limit = (int32_t)limit;
    return status;
}

/* ---- the kinds ---- */

static leat_status list(const struct leat_read *r, struct leat_model_read *m,
                        struct leat_model_range *range, struct leat_buf *out,
                        struct leat_error *err)
{
    leat_status status = read_limit(r, LEAT_READ_LIMIT_DEFAULT, LEAT_READ_LIMIT_MAX, range, err);
    if (status == LEAT_OK)
        status = read_order(r->given, &range->descending, err);
    return status == LEAT_OK ? leat_read_list(m, range, out, err) : status;
}

static leat_status sums(const struct leat_read *r, struct leat_model_read *m,
                        const struct leat_model_range *range, struct leat_buf *out,
                        struct leat_error *err)
{
    struct leat_model_sums q = {.range = *range};
    leat_status status =
        read_limit(r, LEAT_READ_LIMIT_DEFAULT, LEAT_MODEL_GROUPS_MAX, &q.range, err);
    if (status == LEAT_OK)
        status = bounded(r->given, "group", &q.group, err);
    if (status == LEAT_OK)
        status = bounded(r->given, "values", &q.values, err);
    if (status == LEAT_OK)
        status = bounded(r->given, "order", &q.order, err);
    return status == LEAT_OK ? leat_read_sums(m, &q, out, err) : status;
}

static leat_status top(const struct leat_read *r, struct leat_model_read *m,
                       struct leat_model_range *range, struct leat_buf *out, struct leat_error *err)
{
    struct leat_str by = {NULL, 0};
    leat_status status = read_limit(r, TOP_DEFAULT, LEAT_MODEL_TOP_MAX, range, err);
    if (status == LEAT_OK)
        status = bounded(r->given, "by", &by, err);
    return status == LEAT_OK ? leat_read_top(m, range, by, out, err) : status;
}

static leat_status rows(const struct leat_read *r, struct leat_model_read *m, struct leat_buf *out,
                        struct leat_error *err)
{
    struct leat_str fields = {NULL, 0};
    leat_status status = bounded(r->given, "fields", &fields, err);
    if (status != LEAT_OK)
        return status;
    return r->kind == LEAT_READ_ROW ? leat_read_get(m, r->key, fields, out, err)
                                    : leat_read_keys(m, r->keys, r->n_keys, fields, out, err);
}

leat_status leat_read_run(const struct leat_read *r, struct leat_model_read *m,
                          struct leat_buf *out, struct leat_error *err)
{
    struct leat_model_range range = {.limit = 1};
    if (r->kind == LEAT_READ_ROW || r->kind == LEAT_READ_ROWS)
        return rows(r, m, out, err);
    if (r->kind == LEAT_READ_QUERY)
        return leat_query_run(r->query, m, r->given, out, err);
    leat_status status = read_range(r, m->arena, &range, err);
    if (status != LEAT_OK)
        return status;
    switch (r->kind) {
    case LEAT_READ_LIST:
        return list(r, m, &range, out, err);
    case LEAT_READ_COUNT:
        return leat_read_count(m, &range, out, err);
    case LEAT_READ_SUMS:
        return sums(r, m, &range, out, err);
    case LEAT_READ_TOP:
        return top(r, m, &range, out, err);
    case LEAT_READ_ROW:
    case LEAT_READ_ROWS:
    case LEAT_READ_QUERY:
    case LEAT_READ_KINDS:
        break;
    }
    return leat_fail(err, LEAT_INVALID, "not a question");
}
