#include "projection/model_filter.h"

#include <string.h>

static const struct {
    const char *text;
    leat_filter_op op;
} operators[] = {/* longer ones first */
                 {"!=", LEAT_FILTER_NE},     {"<=", LEAT_FILTER_LE},  {">=", LEAT_FILTER_GE},
                 {"^=", LEAT_FILTER_STARTS}, {"*=", LEAT_FILTER_HAS}, {"=", LEAT_FILTER_EQ},
                 {"<", LEAT_FILTER_LT},      {">", LEAT_FILTER_GT}};

/* ---- parsing ---- */

/* The operator `text` begins with; 0 = none does. */
static uint32_t operator_at(struct leat_str text, leat_filter_op *ret)
{
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        struct leat_str s = leat_str_of(operators[i].text);
        if (text.len >= s.len && memcmp(text.at, s.at, s.len) == 0) {
            *ret = operators[i].op;
            return s.len;
        }
    }
    return 0;
}

static leat_status split_test(struct leat_str *rest, struct leat_str *ret_name, leat_filter_op *ret,
                              struct leat_error *err)
{
    uint32_t n = 0, used = 0;
    while (n < rest->len && rest->at[n] != ',' && used == 0) {
        used = operator_at((struct leat_str){rest->at + n, rest->len - n}, ret);
        n += used == 0;
    }
    *ret_name = (struct leat_str){rest->at, n};
    if (used == 0 || n == 0) {
        leat_status status =
            leat_fail(err, LEAT_INVALID, "'%.*s' is no test of a field", LEAT_SHOWN(*ret_name));
        leat_error_hint(err, "write <field><operator><value>, the operator one of = != < <= > >= "
                             "^= *=");
        return status;
    }
    *rest = (struct leat_str){rest->at + n + used, rest->len - n - used};
    return LEAT_OK;
}

static struct leat_filter_value value_of(const struct leat_given *g, struct leat_arena *arena)
{
    struct leat_filter_value v = {.special = LEAT_CELL_STRING};
    v.text = (struct leat_cell){.kind = LEAT_CELL_STRING, .s = leat_arena_copy(arena, g->text)};
    if (g->quoted)
        return v;
    (void)leat_given_number(g->text, &v.number);
    v.is_true = leat_str_eq(g->text, LEAT_STR("true"));
    if (v.is_true || leat_str_eq(g->text, LEAT_STR("false")))
        v.special = LEAT_CELL_BOOL;
    if (leat_str_eq(g->text, LEAT_STR("null")))
        v.special = LEAT_CELL_NULL;
    return v;
}

static leat_status parse_values(struct leat_str *rest, struct leat_str name,
                                struct leat_arena *arena, struct leat_filter_test *t,
                                struct leat_error *err)
{
    char text[LEAT_VALUE_BYTES_MAX], end = '|';
    bool several = t->op == LEAT_FILTER_EQ || t->op == LEAT_FILTER_NE;
    struct leat_given given;
    size_t cap = 0;
    while (end == '|' && leat_given_next(rest, several ? "|," : ",", text, &given, &end)) {
        if (t->n_values == LEAT_FILTER_VALUES_MAX) {
            return leat_fail(err, LEAT_INVALID, "more than %d values for '%.*s'",
                             LEAT_FILTER_VALUES_MAX, LEAT_SHOWN(name));
        }
        t->values = leat_arena_grow(arena, t->values, sizeof *t->values, &cap, t->n_values + 1U);
        t->values[t->n_values++] = value_of(&given, arena);
    }
    bool unordered = t->values[0].special != LEAT_CELL_STRING && t->op > LEAT_FILTER_NE;
    if (unordered) {
        return leat_fail(err, LEAT_INVALID, "'%.*s' is only equal or not: use = or !=",
                         LEAT_SHOWN(t->values[0].text.s));
    }
    return LEAT_OK;
}

leat_status leat_filter_parse(const struct leat_rows_version *v, struct leat_str text,
                              struct leat_arena *arena, struct leat_filter *ret,
                              struct leat_error *err)
{
    struct leat_str rest = text, name = {NULL, 0};
    leat_status status = LEAT_OK;
    ret->n = 0;
    while (rest.len > 0 && status == LEAT_OK) {
        struct leat_filter_test *t = &ret->tests[ret->n];
        if (ret->n == LEAT_FILTER_TESTS_MAX) {
            status = leat_fail(err, LEAT_INVALID, "more than %d tests", LEAT_FILTER_TESTS_MAX);
            break;
        }
        *t = (struct leat_filter_test){.n_values = 0};
        status = split_test(&rest, &name, &t->op, err);
        if (status == LEAT_OK)
            status = leat_find_field(v, name, &t->field, err);
        if (status == LEAT_OK)
            status = parse_values(&rest, name, arena, t, err);
        ret->n += status == LEAT_OK;
    }
    if (status != LEAT_OK)
        leat_error_wrap(err, "parameter 'where'");
    return status;
}

/* ---- holding ---- */

static bool is_number(const struct leat_cell *c)
{
    return c->kind == LEAT_CELL_INT || c->kind == LEAT_CELL_DOUBLE;
}

static bool is_text(const struct leat_cell *c)
{
    return c->kind == LEAT_CELL_STRING || c->kind == LEAT_CELL_JSON || c->kind == LEAT_CELL_BYTES;
}

/* The value as what the cell is; NULL: it cannot be that. */
static const struct leat_cell *value_for(const struct leat_cell *cell,
                                         const struct leat_filter_value *v)
{
    if (is_number(cell))
        return v->number.kind == LEAT_CELL_NULL ? NULL : &v->number;
    return is_text(cell) && v->special != LEAT_CELL_NULL ? &v->text : NULL;
}

static bool equal(const struct leat_cell *cell, const struct leat_filter_value *v)
{
    if (cell->kind == LEAT_CELL_NULL)
        return v->special == LEAT_CELL_NULL;
    if (cell->kind == LEAT_CELL_BOOL)
        return v->special == LEAT_CELL_BOOL && v->is_true == cell->b;
    const struct leat_cell *right = value_for(cell, v);
    return right != NULL && leat_cell_compare(cell, right) == 0;
}

static bool ordered(leat_filter_op op, const struct leat_cell *cell,
                    const struct leat_filter_value *v)
{
    const struct leat_cell *right = value_for(cell, v);
    if (right == NULL)
        return false;
    int order = leat_cell_compare(cell, right);
    switch (op) {
    case LEAT_FILTER_LT:
        return order < 0;
    case LEAT_FILTER_LE:
        return order <= 0;
    case LEAT_FILTER_GT:
        return order > 0;
    case LEAT_FILTER_GE:
        return order >= 0;
    case LEAT_FILTER_EQ:
    case LEAT_FILTER_NE:
    case LEAT_FILTER_STARTS:
    case LEAT_FILTER_HAS:
        break;
    }
    return false;
}

static bool starts(const struct leat_cell *cell, struct leat_str with)
{
    return is_text(cell) && cell->s.len >= with.len &&
           (with.len == 0 || memcmp(cell->s.at, with.at, with.len) == 0);
}

static bool has(const struct leat_cell *cell, const struct leat_filter_value *v)
{
    struct leat_cell item;
    struct leat_str rest = cell->s, part = v->text.s;
    if (is_text(cell))
        return part.len == 0 || memmem(rest.at, rest.len, part.at, part.len) != NULL;
    bool found = false;
    while (cell->kind == LEAT_CELL_LIST && !found && leat_cell_next(&rest, &item))
        found = equal(&item, v);
    return found;
}

static bool any_equal(const struct leat_cell *cell, const struct leat_filter_test *t)
{
    for (uint32_t i = 0; i < t->n_values; i++) {
        if (equal(cell, &t->values[i]))
            return true;
    }
    return false;
}

static bool holds(const struct leat_filter_test *t, const struct leat_cell *cell)
{
    switch (t->op) {
    case LEAT_FILTER_EQ:
        return any_equal(cell, t);
    case LEAT_FILTER_NE:
        return !any_equal(cell, t);
    case LEAT_FILTER_STARTS:
        return starts(cell, t->values[0].text.s);
    case LEAT_FILTER_HAS:
        return has(cell, &t->values[0]);
    case LEAT_FILTER_LT:
    case LEAT_FILTER_LE:
    case LEAT_FILTER_GT:
    case LEAT_FILTER_GE:
        break;
    }
    return ordered(t->op, cell, &t->values[0]);
}

bool leat_filter_holds(const struct leat_filter *f, const struct leat_cell *cells)
{
    for (uint32_t i = 0; i < f->n; i++) {
        if (!holds(&f->tests[i], &cells[f->tests[i].field]))
            return false;
    }
    return true;
}
