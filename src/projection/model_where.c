#include "projection/model_where.h"

#include "projection/eval.h"

static leat_status find_field(const struct leat_shape *shape, struct leat_str name, uint32_t *ret,
                              struct leat_error *err)
{
    for (uint32_t i = 0; i < shape->n_fields; i++) {
        if (leat_str_eq(shape->fields[i], name)) {
            *ret = i;
            return LEAT_OK;
        }
    }
    return leat_fail(err, LEAT_RETRY,
                     "the version of the model that is served does not have the field '%.*s' yet",
                     LEAT_STR_FMT(name));
}

static leat_status resolve(const struct leat_query *q, const struct leat_query_where *where,
                           const struct leat_shape *shape, struct leat_arena *arena,
                           struct leat_where_test *ret, struct leat_error *err)
{
    struct leat_paths paths = {.n = 0};
    struct leat_eval_compiler c = {.arena = arena, .projection = q->model, .paths = &paths};
    struct leat_event_meta meta = {.seq = 0};
    struct leat_eval_scope scope = {.meta = &meta, .arena = arena};
    const struct leat_eval *compiled = NULL;
    uint32_t other = 0;
    leat_status status = find_field(shape, q->model->fields.at[where->field], &ret->field, err);
    ret->other = -1;
    if (status != LEAT_OK)
        return status;
    if (where->value->kind == LEAT_EXPR_ROW) {
        status = find_field(shape, where->value->text, &other, err);
        ret->other = (int32_t)other;
        return status;
    }
    if (!leat_expr_is_constant(where->value)) {
        return leat_fail(err, LEAT_INVALID,
                         "query '%.*s': where takes a constant or $row.<field>, not a field of an "
                         "event",
                         LEAT_STR_FMT(q->name));
    }
    LEAT_TRY(leat_eval_compile(&c, where->value, &compiled, err), err, "where");
    ret->value = leat_eval(compiled, &scope);
    return LEAT_OK;
}

leat_status leat_where_of(const struct leat_query *q, const struct leat_shape *shape,
                          struct leat_arena *arena, struct leat_where *ret, struct leat_error *err)
{
    ret->tests = leat_arena_zalloc(arena, q->n_where + (size_t)1, sizeof *ret->tests);
    ret->n = q->n_where;
    for (uint32_t i = 0; i < q->n_where; i++) {
        leat_status status = resolve(q, &q->where[i], shape, arena, &ret->tests[i], err);
        if (status != LEAT_OK)
            return status;
    }
    return LEAT_OK;
}

bool leat_where_holds(const struct leat_where *w, const struct leat_cell *cells)
{
    bool holds = true;
    for (uint32_t i = 0; i < w->n && holds; i++) {
        const struct leat_where_test *t = &w->tests[i];
        const struct leat_cell *right = t->other >= 0 ? &cells[t->other] : &t->value;
        holds = leat_eval_condition(LEAT_COMPARE_EQ, &cells[t->field], right);
    }
    return holds;
}
