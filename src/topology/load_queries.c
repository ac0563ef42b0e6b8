#include "topology/loader.h"

LEAT_KEY_LOADER(leat_load_query_model)
{
    struct leat_query *q = target;
    struct leat_str name;
    struct leat_choice choice;
    if (!leat_load_word(l, n, path, &name))
        return;
    q->model = leat_topology_projection(l->t, name);
    if (q->model != NULL || leat_load_misspelt(l, LEAT_SECTION_ROOT, "projections"))
        return;
    leat_choice_start(&choice, name);
    for (uint32_t i = 0; i < l->t->n_projections; i++)
        leat_choice_offer(&choice, l->t->projections[i].name);
    leat_load_error(l, &n->place, "%s: no projection '%.*s'", path, LEAT_STR_FMT(name));
    leat_choice_hint(&choice, l->report);
}

LEAT_KEY_LOADER(leat_load_query_index)
{
    struct leat_query *q = target;
    struct leat_str name;
    struct leat_choice choice;
    if (!leat_load_word(l, n, path, &name) || q->model == NULL)
        return;
    q->index = leat_projection_index(q->model, name);
    if (q->index != NULL || leat_load_misspelt(l, LEAT_SECTION_PROJECTION, "indexes"))
        return;
    leat_choice_start(&choice, name);
    for (uint32_t i = 0; i < q->model->n_indexes; i++)
        leat_choice_offer(&choice, q->model->indexes[i].name);
    leat_load_error(l, &n->place, "%s: projection '%.*s' has no index '%.*s'", path,
                    LEAT_STR_FMT(q->model->name), LEAT_STR_FMT(name));
    leat_choice_hint(&choice, l->report);
}

static void no_field(struct leat_loader *l, const struct leat_yaml_pair *pair, const char *path,
                     const struct leat_projection *model)
{
    struct leat_choice choice;
    if (leat_load_misspelt(l, LEAT_SECTION_FROM, NULL) ||
        leat_load_misspelt(l, LEAT_SECTION_PROJECTION, "from"))
        return;
    leat_load_error(l, &pair->place, "%s: projection '%.*s' has no field '%.*s'", path,
                    LEAT_STR_FMT(model->name), LEAT_STR_FMT(pair->key));
    leat_choice_start(&choice, pair->key);
    for (uint32_t i = 0; i < model->fields.n; i++)
        leat_choice_offer(&choice, model->fields.at[i]);
    leat_choice_hint(&choice, l->report);
}

LEAT_KEY_LOADER(leat_load_query_where)
{
    struct leat_query *q = target;
    if (!leat_load_is_map(l, n, path) || q->model == NULL)
        return;
    struct leat_query_where *where = leat_arena_zalloc(l->arena, n->n, sizeof *where);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < n->n; i++) {
        const struct leat_yaml_pair *pair = &n->pairs[i];
        int32_t field = leat_projection_field(q->model, pair->key);
        if (field < 0) {
            no_field(l, pair, path, q->model);
            continue;
        }
        where[kept].field = (uint32_t)field;
        kept +=
            leat_load_expr(l, pair->value, leat_load_path(l, path, pair->key), &where[kept].value)
                ? 1
                : 0;
    }
    q->where = where;
    q->n_where = kept;
}

static bool is_where_value(const struct leat_expr *e)
{
    return e->kind == LEAT_EXPR_ROW || leat_expr_is_constant(e);
}

static void check_where(struct leat_loader *l, const struct leat_query *q, const char *path)
{
    for (uint32_t i = 0; i < q->n_where; i++) {
        const struct leat_expr *value = q->where[i].value;
        struct leat_str field = q->model->fields.at[q->where[i].field];
        if (!is_where_value(value)) {
            leat_load_error(l, &q->place, "%s.where.%.*s: there is no event here", path,
                            LEAT_STR_FMT(field));
            leat_report_hint(l->report, "a constant, or $row.<field>");
        } else if (value->kind == LEAT_EXPR_ROW &&
                   leat_projection_field(q->model, value->text) < 0) {
            leat_load_error(l, &q->place, "%s.where.%.*s: no rule sets the field of $row.%.*s",
                            path, LEAT_STR_FMT(field), LEAT_STR_FMT(value->text));
        }
    }
}

/* Without an index the key is asked for, as a whole or in its parts; with `where` no key is. */
static void check_key_params(struct leat_loader *l, const struct leat_query *q, const char *path)
{
    bool fits =
        q->n_where > 0 ? q->params.n == 0 : q->params.n <= 1 || q->params.n == q->model->n_keys;
    if (fits)
        return;
    leat_load_error(l, &q->place, "%s.params: %u values do not make the key of '%.*s'", path,
                    q->params.n, LEAT_STR_FMT(q->model->name));
    if (q->n_where > 0) {
        leat_report_hint(l->report, "with `where` and no index all rows are walked in the order "
                                    "of their keys: name an index to give values");
    } else {
        leat_report_hint(l->report, "one name for the whole key, or one for each of its %u parts",
                         q->model->n_keys);
    }
}

/* While loading, marks are not sorted yet. */
static const struct leat_place *mark_of(const struct leat_loader *l, const void *thing,
                                        const struct leat_place *otherwise)
{
    for (size_t i = l->n_marks; i > 0; i--) {
        if (l->marks[i - 1].thing == thing)
            return &l->marks[i - 1].place;
    }
    return otherwise;
}

static void hint_columns(struct leat_loader *l, const struct leat_query *q)
{
    const char *text = "";
    for (uint32_t i = 0; i < q->index->n_columns; i++)
        text = leat_arena_printf(l->arena, "%s%s%.*s", text, i == 0 ? "" : ", ",
                                 LEAT_STR_FMT(q->model->fields.at[q->index->columns[i].field]));
    leat_report_hint(l->report, "its fields are, in this order: %s", text);
}

/* What the caller gives must be the first fields of the index, or the key. */
static void check_params(struct leat_loader *l, const struct leat_query *q, const char *path)
{
    for (uint32_t i = 0; i < q->params.n; i++) {
        struct leat_str name = q->params.at[i];
        if (leat_str_eq(name, LEAT_STR("limit")) || leat_str_eq(name, LEAT_STR("cursor")))
            leat_load_error(l, &q->place, "%s.params: every query has a parameter '%.*s' already",
                            path, LEAT_STR_FMT(name));
    }
    if (q->index == NULL) {
        check_key_params(l, q, path);
        return;
    }
    for (uint32_t i = 0; i < q->params.n; i++) {
        bool fits = i < q->index->n_columns &&
                    leat_str_eq(q->model->fields.at[q->index->columns[i].field], q->params.at[i]);
        if (fits)
            continue;
        leat_load_error(l, mark_of(l, q->params.at[i].at, &q->place),
                        "%s.params: '%.*s' is not field %u of the index '%.*s'", path,
                        LEAT_STR_FMT(q->params.at[i]), i + 1, LEAT_STR_FMT(q->index->name));
        hint_columns(l, q);
        return;
    }
}

static void load_query(struct leat_loader *l, const struct leat_yaml_pair *pair, const char *path,
                       void *entry, uint32_t index)
{
    struct leat_query *q = entry;
    (void)index;
    q->place = pair->place;
    q->name = pair->key;
    size_t errors = l->report->errors;
    leat_load_section(l, LEAT_SECTION_QUERY, pair->value, path, q);
    if (q->model == NULL || l->report->errors != errors)
        return; /* what does not stand cannot be compared */
    check_params(l, q, path);
    check_where(l, q, path);
}

LEAT_KEY_LOADER(leat_load_queries)
{
    struct leat_topology *t = target;
    t->queries = leat_load_named(l, n, path, sizeof *t->queries, load_query, &t->n_queries);
}
