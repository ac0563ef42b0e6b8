#include "projection/eval.h"

#include <string.h>

#include "projection/zone.h"

#define CONCAT_BYTES_MAX 4096
#define MS_PER_S         1000
#define S_PER_DAY        86400
#define S_PER_HOUR       3600

typedef enum eval_kind {
    EVAL_CONSTANT,
    EVAL_PICKED,
    EVAL_META,
    EVAL_HEADER,
    EVAL_ROW,
    EVAL_CALL,
} eval_kind;

struct leat_eval {
    eval_kind kind;
    uint32_t index; /* of the path or the row's field */
    leat_meta meta;
    leat_fn fn;
    struct leat_cell constant;
    const struct leat_zone *zone;
    const struct leat_eval **args;
    uint32_t n_args;
};

static leat_status path_index(struct leat_paths *paths, struct leat_str path, uint32_t *ret,
                              struct leat_error *err)
{
    for (uint32_t i = 0; i < paths->n; i++) {
        if (leat_str_eq(paths->at[i], path)) {
            *ret = i;
            return LEAT_OK;
        }
    }
    if (paths->n == LEAT_PATHS_MAX) {
        return leat_fail(err, LEAT_INVALID, "more than %d fields of one event are used",
                         LEAT_PATHS_MAX);
    }
    *ret = paths->n;
    paths->at[paths->n++] = path;
    return LEAT_OK;
}

static leat_status compile_call(struct leat_eval_compiler *c, const struct leat_expr *expr,
                                struct leat_eval *e, struct leat_error *err)
{
    e->kind = EVAL_CALL;
    e->fn = expr->fn;
    e->n_args = expr->n_args;
    e->args = leat_arena_zalloc(c->arena, expr->n_args, sizeof(void *));
    LEAT_TRY(leat_zone_load(expr->zone, &e->zone, err), err, "%s()", leat_fn_name(expr->fn));
    for (uint32_t i = 0; i < expr->n_args; i++) {
        LEAT_TRY(leat_eval_compile(c, expr->args[i], &e->args[i], err), err, "%s()",
                 leat_fn_name(expr->fn));
    }
    return LEAT_OK;
}

leat_status leat_eval_compile(struct leat_eval_compiler *c, const struct leat_expr *expr,
                              const struct leat_eval **ret, struct leat_error *err)
{
    struct leat_eval *e = leat_arena_zalloc(c->arena, 1, sizeof *e);
    *ret = e;
    switch (expr->kind) {
    case LEAT_EXPR_STRING:
        e->constant = (struct leat_cell){.kind = LEAT_CELL_STRING, .s = expr->text};
        return LEAT_OK;
    case LEAT_EXPR_INT:
        e->constant = (struct leat_cell){.kind = LEAT_CELL_INT, .i = expr->integer};
        return LEAT_OK;
    case LEAT_EXPR_DOUBLE:
        e->constant = (struct leat_cell){.kind = LEAT_CELL_DOUBLE, .d = expr->number};
        return LEAT_OK;
    case LEAT_EXPR_BOOL:
        e->constant = (struct leat_cell){.kind = LEAT_CELL_BOOL, .b = expr->boolean};
        return LEAT_OK;
    case LEAT_EXPR_NULL:
        return LEAT_OK;
    case LEAT_EXPR_FIELD:
        e->kind = EVAL_PICKED;
        return path_index(c->paths, expr->text, &e->index, err);
    case LEAT_EXPR_META:
        e->kind = EVAL_META;
        e->meta = expr->meta;
        return LEAT_OK;
    case LEAT_EXPR_HEADER:
        e->kind = EVAL_HEADER;
        return LEAT_OK;
    case LEAT_EXPR_ROW: {
        int32_t field = leat_projection_field(c->projection, expr->text);
        if (field < 0) {
            return leat_fail(err, LEAT_INVALID, "$row.%.*s is no field of '%.*s'",
                             LEAT_STR_FMT(expr->text), LEAT_STR_FMT(c->projection->name));
        }
        e->kind = EVAL_ROW;
        e->index = (uint32_t)field;
        return LEAT_OK;
    }
    case LEAT_EXPR_CALL:
        return compile_call(c, expr, e, err);
    }
    return leat_fail(err, LEAT_INVALID, "unknown expression");
}

static struct leat_cell cell_of_text(struct leat_str s)
{
    return (struct leat_cell){.kind = s.len == 0 ? LEAT_CELL_NULL : LEAT_CELL_STRING, .s = s};
}

static struct leat_cell cell_of_int(int64_t i)
{
    return (struct leat_cell){.kind = LEAT_CELL_INT, .i = i};
}

struct leat_cell leat_cell_of_value(const struct leat_value *v)
{
    switch (v->kind) {
    case LEAT_VALUE_NULL:
        break;
    case LEAT_VALUE_BOOL:
        return (struct leat_cell){.kind = LEAT_CELL_BOOL, .b = v->b};
    case LEAT_VALUE_INT:
        return cell_of_int(v->i);
    case LEAT_VALUE_DOUBLE:
        return (struct leat_cell){.kind = LEAT_CELL_DOUBLE, .d = v->d};
    case LEAT_VALUE_STRING:
        return (struct leat_cell){.kind = LEAT_CELL_STRING, .s = v->s};
    case LEAT_VALUE_BYTES:
        return (struct leat_cell){.kind = LEAT_CELL_BYTES, .s = v->s};
    case LEAT_VALUE_JSON:
        return (struct leat_cell){.kind = LEAT_CELL_JSON, .s = v->s};
    }
    return (struct leat_cell){.kind = LEAT_CELL_NULL};
}

static struct leat_cell meta_cell(leat_meta meta, const struct leat_event_meta *m)
{
    switch (meta) {
    case LEAT_META_TIME:
    case LEAT_META_RECORDED_AT:
        return cell_of_int(m->recorded_at_ms);
    case LEAT_META_KEY:
        return cell_of_text(m->key);
    case LEAT_META_SEQ:
        return cell_of_int(m->seq);
    case LEAT_META_TYPE:
        return cell_of_text(m->type);
    case LEAT_META_COMMAND_ID:
        return cell_of_text(m->command_id);
    }
    return (struct leat_cell){.kind = LEAT_CELL_NULL};
}

struct leat_str leat_cell_text(const struct leat_cell *cell, struct leat_arena *arena)
{
    switch (cell->kind) {
    case LEAT_CELL_BOOL:
        return cell->b ? LEAT_STR("true") : LEAT_STR("false");
    case LEAT_CELL_INT:
        return leat_str_of(leat_arena_printf(arena, "%lld", (long long)cell->i));
    case LEAT_CELL_DOUBLE:
        return leat_str_of(leat_arena_printf(arena, "%.17g", cell->d));
    case LEAT_CELL_STRING:
    case LEAT_CELL_JSON:
    case LEAT_CELL_BYTES:
        return cell->s;
    case LEAT_CELL_NULL:
    case LEAT_CELL_LIST:
        break;
    }
    return (struct leat_str){NULL, 0};
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Civil date of a day number since 1970-01-01 (proleptic Gregorian), by 400-year eras. */
static void civil_date(int64_t day, int64_t *ret_year, int *ret_month, int *ret_day)
{
    int64_t shifted = day + 719468; /* days since 0000-03-01 */
    int64_t era = floor_div(shifted, 146097);
    int64_t of_era = shifted - era * 146097;
    int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153; /* 0 = March */
    *ret_day = (int)(of_year - (153 * month + 2) / 5 + 1);
    *ret_month = (int)(month < 10 ? month + 3 : month - 9);
    *ret_year = year + era * 400 + (*ret_month <= 2);
}

static struct leat_cell day_or_hour(const struct leat_eval *e, const struct leat_cell *time,
                                    struct leat_arena *arena)
{
    if (time->kind != LEAT_CELL_INT)
        return (struct leat_cell){.kind = LEAT_CELL_NULL};
    int64_t s = floor_div(time->i, MS_PER_S);
    s += leat_zone_offset(e->zone, s);
    int64_t day = floor_div(s, S_PER_DAY);
    int64_t year = 0;
    int month = 0, of_month = 0;
    civil_date(day, &year, &month, &of_month);
    char *text = NULL;
    if (e->fn == LEAT_FN_DAY) {
        text = leat_arena_printf(arena, "%04lld-%02d-%02d", (long long)year, month, of_month);
    } else {
        text = leat_arena_printf(arena, "%04lld-%02d-%02dT%02d", (long long)year, month, of_month,
                                 (int)((s - day * S_PER_DAY) / S_PER_HOUR));
    }
    return cell_of_text(leat_str_of(text));
}

bool leat_eval_is_period(const struct leat_eval *e)
{
    return e->kind == EVAL_CALL && (e->fn == LEAT_FN_DAY || e->fn == LEAT_FN_HOUR);
}

int64_t leat_eval_period_end(const struct leat_eval *e, const struct leat_eval_scope *scope)
{
    struct leat_cell time = leat_eval(e->args[0], scope);
    int64_t unit = e->fn == LEAT_FN_DAY ? S_PER_DAY : S_PER_HOUR;
    if (time.kind != LEAT_CELL_INT)
        return 0;
    int64_t s = floor_div(time.i, MS_PER_S);
    int64_t local_end = (floor_div(s + leat_zone_offset(e->zone, s), unit) + 1) * unit;
    int64_t end = local_end - leat_zone_offset(e->zone, s);
    end = local_end - leat_zone_offset(e->zone, end); /* the clocks may change before it */
    return end * MS_PER_S;
}

/* ASCII letters only: what a domain or an e-mail address needs, the same under every locale. */
static struct leat_cell lower(const struct leat_cell *cell, struct leat_arena *arena)
{
    if (cell->kind != LEAT_CELL_STRING)
        return *cell;
    char *to = leat_arena_alloc(arena, cell->s.len);
    for (uint32_t i = 0; i < cell->s.len; i++) {
        char c = cell->s.at[i];
        to[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    return (struct leat_cell){.kind = LEAT_CELL_STRING, .s = {to, cell->s.len}};
}

static struct leat_cell concat(const struct leat_eval *e, const struct leat_eval_scope *scope)
{
    char *text = leat_arena_alloc(scope->arena, CONCAT_BYTES_MAX);
    uint32_t len = 0;
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct leat_cell cell = leat_eval(e->args[i], scope);
        struct leat_str part = leat_cell_text(&cell, scope->arena);
        uint32_t n = part.len < CONCAT_BYTES_MAX - len ? part.len : CONCAT_BYTES_MAX - len;
        if (n > 0)
            memcpy(text + len, part.at, n);
        len += n;
    }
    return (struct leat_cell){.kind = LEAT_CELL_STRING, .s = {text, len}};
}

static struct leat_cell call(const struct leat_eval *e, const struct leat_eval_scope *scope)
{
    if (e->fn == LEAT_FN_CONCAT)
        return concat(e, scope);
    struct leat_cell first = {.kind = LEAT_CELL_NULL};
    if (e->n_args > 0)
        first = leat_eval(e->args[0], scope);
    if (e->fn == LEAT_FN_LOWER)
        return lower(&first, scope->arena);
    return day_or_hour(e, &first, scope->arena);
}

struct leat_cell leat_eval(const struct leat_eval *e, const struct leat_eval_scope *scope)
{
    switch (e->kind) {
    case EVAL_CONSTANT:
        return e->constant;
    case EVAL_PICKED:
        return leat_cell_of_value(&scope->picked[e->index]);
    case EVAL_META:
        return meta_cell(e->meta, scope->meta);
    case EVAL_HEADER: /* the store's reading does not give headers: the same answer everywhere */
        break;
    case EVAL_ROW:
        return scope->row[e->index];
    case EVAL_CALL:
        return call(e, scope);
    }
    return (struct leat_cell){.kind = LEAT_CELL_NULL};
}

bool leat_eval_condition(leat_compare compare, const struct leat_cell *left,
                         const struct leat_cell *right)
{
    int order = leat_cell_compare(left, right);
    if (compare == LEAT_COMPARE_EQ)
        return order == 0;
    if (compare == LEAT_COMPARE_NE)
        return order != 0;
    if (left->kind == LEAT_CELL_NULL || right->kind == LEAT_CELL_NULL)
        return false;
    switch (compare) {
    case LEAT_COMPARE_LT:
        return order < 0;
    case LEAT_COMPARE_LE:
        return order <= 0;
    case LEAT_COMPARE_GT:
        return order > 0;
    case LEAT_COMPARE_GE:
        return order >= 0;
    case LEAT_COMPARE_EQ:
    case LEAT_COMPARE_NE:
        break;
    }
    return false;
}
