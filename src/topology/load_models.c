#include <string.h>

#include "topology/loader.h"

#define KEY_PARTS_MAX 8
#define FIELDS_MAX    256
#define COLUMNS_MAX   4 /* what an index key has room for */
#define INDEXES_MAX   32
#define TTL_HASH      UINT64_C(0x74746c3174746c31)

/* --- rules --- */

static bool is_field_name(struct leat_str s)
{
    return leat_load_is_word(s) && memchr(s.at, '.', s.len) == NULL &&
           memchr(s.at, '-', s.len) == NULL;
}

/* Index of a field, new ones at the end; false with a finding when it cannot be one. */
bool leat_load_field_index(struct leat_loader *l, struct leat_str name,
                           const struct leat_place *place, const char *path, uint32_t *ret)
{
    struct leat_names have = {l->fields, (uint32_t)l->n_fields};
    for (uint32_t i = 0; i < have.n; i++) {
        if (leat_str_eq(have.at[i], name)) {
            *ret = i;
            return true;
        }
    }
    if (!is_field_name(name)) {
        leat_load_error(l, place, "%s: '%.*s' is not a field's name", path, LEAT_STR_FMT(name));
        leat_report_hint(l->report, "letters, digits and '_', a letter first");
        return false;
    }
    if (l->n_fields == FIELDS_MAX) {
        leat_load_error(l, place, "%s: more than %d fields in one projection", path, FIELDS_MAX);
        return false;
    }
    l->fields =
        leat_arena_grow(l->arena, l->fields, sizeof *l->fields, &l->cap_fields, l->n_fields + 1);
    *ret = (uint32_t)l->n_fields;
    l->fields[l->n_fields++] = name;
    return true;
}

static void add_op(struct leat_loader *l, struct leat_op op)
{
    l->ops = leat_arena_grow(l->arena, l->ops, sizeof *l->ops, &l->cap_ops, l->n_ops + 1);
    l->ops[l->n_ops++] = op;
}

static bool is_number_op(leat_op_kind kind)
{
    return kind == LEAT_OP_ADD;
}

/* `{value: $.x, max: 20}`: what goes into the list, and how much stays there. */
static const struct leat_yaml *load_bound(struct leat_loader *l, const struct leat_yaml *n,
                                          const char *path, struct leat_op *op)
{
    const struct leat_yaml *value = leat_yaml_get(n, LEAT_STR("value"));
    const struct leat_yaml *max = leat_yaml_get(n, LEAT_STR("max"));
    if (value == NULL || n->n != (max == NULL ? 1u : 2u)) {
        leat_load_error(l, &n->place, "%s takes a value, or {value, max}", path);
        return NULL;
    }
    int64_t bound = op->bound;
    if (max != NULL &&
        !leat_load_int(l, max, leat_load_path(l, path, LEAT_STR("max")), 1, LEAT_BOUND_MAX, &bound))
        return NULL;
    op->bound = (uint32_t)bound;
    return value;
}

/* Which items stay must not depend on which event came last. */
static void check_bound(struct leat_loader *l, const struct leat_op *op,
                        const struct leat_place *place, const char *path)
{
    struct leat_bound *b = &l->bounds[op->field];
    if (b->bound != 0 && (b->bound != op->bound || b->kind != op->kind)) {
        leat_load_error(l, place, "%s: another rule keeps %u items of it", path, b->bound);
        leat_report_hint(l->report, "one operation and one `max` per field");
    }
    *b = (struct leat_bound){op->kind, op->bound};
}

void leat_load_ops(struct leat_loader *l, const struct leat_key *key, const struct leat_yaml *n,
                   const char *path, void *target)
{
    (void)target;
    if (!leat_load_is_map(l, n, path))
        return;
    for (uint32_t i = 0; i < n->n; i++) {
        const struct leat_yaml_pair *pair = &n->pairs[i];
        struct leat_op op = {.kind = (leat_op_kind)key->min};
        const char *at = leat_load_path(l, path, pair->key);
        const struct leat_yaml *value = pair->value;
        bool bounded = op.kind == LEAT_OP_APPEND || op.kind == LEAT_OP_COLLECT;
        op.bound = op.kind == LEAT_OP_COLLECT ? LEAT_COLLECT_BOUND : LEAT_APPEND_BOUND;
        if (bounded && value->kind == LEAT_YAML_MAP)
            value = load_bound(l, value, at, &op);
        if (value == NULL || !leat_load_field_index(l, pair->key, &pair->place, path, &op.field) ||
            !leat_load_expr(l, value, at, &op.value))
            continue;
        if (bounded)
            check_bound(l, &op, &pair->place, at);
        if (is_number_op(op.kind) &&
            (op.value->kind == LEAT_EXPR_STRING || op.value->kind == LEAT_EXPR_BOOL ||
             op.value->kind == LEAT_EXPR_NULL))
            leat_load_error(l, &pair->value->place, "%s: '%.*s' is not a number", at,
                            LEAT_STR_FMT(leat_load_quote(pair->value)));
        add_op(l, op);
    }
}

LEAT_KEY_LOADER(leat_load_delete)
{
    (void)target;
    const struct leat_yaml *const *items;
    const struct leat_yaml *single;
    if (n->kind == LEAT_YAML_SCALAR && n->plain && leat_str_eq(n->text, LEAT_STR("true"))) {
        add_op(l, (struct leat_op){LEAT_OP_DELETE, LEAT_FIELD_ROW, 0, NULL});
        return;
    }
    uint32_t count = leat_load_items(n, &items, &single);
    for (uint32_t i = 0; i < count; i++) {
        struct leat_op op = {.kind = LEAT_OP_DELETE};
        struct leat_str name;
        if (leat_load_word(l, items[i], path, &name) &&
            leat_load_field_index(l, name, &items[i]->place, path, &op.field))
            add_op(l, op);
    }
}

LEAT_KEY_LOADER(leat_load_when)
{
    struct leat_from *from = target;
    const struct leat_yaml *const *items;
    const struct leat_yaml *single;
    uint32_t count = leat_load_items(n, &items, &single);
    struct leat_condition *when = leat_arena_zalloc(l->arena, count, sizeof *when);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct leat_error err = {0};
        struct leat_str text;
        if (!leat_load_text(l, items[i], path, &text))
            continue;
        if (leat_condition_parse(l->arena, text, &when[kept], &err) == LEAT_OK) {
            leat_load_mark(l, &when[kept], &items[i]->place);
            kept++;
            continue;
        }
        leat_load_error(l, &items[i]->place, "%s: '%.*s': %s", path,
                        LEAT_STR_FMT(leat_load_quote(items[i])), err.msg);
        if (err.hint[0] != '\0')
            leat_report_hint(l->report, "%s", err.hint);
    }
    from->when = when;
    from->n_when = kept;
}

static void load_rule(struct leat_loader *l, const struct leat_yaml_pair *pair, const char *path,
                      void *entry, uint32_t index)
{
    struct leat_from *from = entry;
    (void)index;
    from->place = pair->place;
    from->event = pair->key;
    l->ops = NULL;
    l->n_ops = l->cap_ops = 0;
    size_t errors = l->report->errors;
    leat_load_section(l, LEAT_SECTION_FROM, pair->value, path, from);
    from->ops = l->ops;
    from->n_ops = (uint32_t)l->n_ops;
    if (from->n_ops == 0 && errors == l->report->errors)
        leat_load_error(l, &pair->place, "%s does nothing", path);
}

LEAT_KEY_LOADER(leat_load_from)
{
    struct leat_projection *p = target;
    p->from = leat_load_named(l, n, path, sizeof *p->from, load_rule, &p->n_from);
    bool all_known = !leat_load_misspelt(l, LEAT_SECTION_FROM, NULL);
    p->fields = (struct leat_names){l->fields, (uint32_t)l->n_fields};
    for (uint32_t i = 0; i < p->n_from; i++) { /* $row.f must be a field of the row */
        for (uint32_t j = 0; j < p->from[i].n_ops; j++) {
            const struct leat_expr *e = p->from[i].ops[j].value;
            if (all_known && e != NULL && e->kind == LEAT_EXPR_ROW &&
                !leat_names_has(&p->fields, e->text))
                leat_load_error(l, &p->from[i].place, "%s: no rule sets the field of $row.%.*s",
                                path, LEAT_STR_FMT(e->text));
        }
    }
}

/* --- key and indexes --- */

LEAT_KEY_LOADER(leat_load_row_key)
{
    struct leat_projection *p = target;
    const struct leat_yaml *const *items;
    const struct leat_yaml *single;
    if (p->n_columns > 0) {
        leat_load_coded_key(l, n, path, p);
        return;
    }
    uint32_t count = leat_load_items(n, &items, &single);
    if (count == 0 || count > KEY_PARTS_MAX) {
        leat_load_error(l, &n->place, "%s takes 1 to %d values", path, KEY_PARTS_MAX);
        return;
    }
    const struct leat_expr **keys = leat_arena_zalloc(l->arena, count, sizeof *keys);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (!leat_load_expr(l, items[i], path, &keys[kept]))
            continue;
        if (keys[kept]->kind == LEAT_EXPR_ROW)
            leat_load_error(l, &items[i]->place, "%s: the row is found by it, so $row is not known",
                            path);
        else if (leat_expr_is_constant(keys[kept]) && count == 1)
            leat_load_warning(l, &items[i]->place, "%s: '%.*s' is the same for all events: one row",
                              path, LEAT_STR_FMT(leat_load_quote(items[i])));
        kept++;
    }
    p->keys = keys;
    p->n_keys = kept;
}

static bool load_column(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                        struct leat_index_column *ret)
{
    struct leat_str s;
    struct leat_choice choice;
    if (!leat_load_text(l, n, path, &s))
        return false;
    ret->descending = s.at[0] == '-';
    if (ret->descending)
        s = (struct leat_str){s.at + 1, s.len - 1};
    for (uint32_t i = 0; i < l->n_fields; i++) {
        if (leat_str_eq(l->fields[i], s)) {
            ret->field = i;
            return true;
        }
    }
    if (leat_load_misspelt(l, LEAT_SECTION_FROM, NULL) ||
        leat_load_misspelt(l, LEAT_SECTION_PROJECTION, "from"))
        return false;
    leat_load_error(l, &n->place, "%s: %s a field '%.*s'", path,
                    l->coded ? "`row` has not" : "no rule sets", LEAT_STR_FMT(s));
    leat_choice_start(&choice, s);
    for (uint32_t i = 0; i < l->n_fields; i++)
        leat_choice_offer(&choice, l->fields[i]);
    leat_choice_hint(&choice, l->report);
    return false;
}

static void load_index(struct leat_loader *l, const struct leat_yaml_pair *pair, const char *path,
                       void *entry, uint32_t index)
{
    struct leat_index *x = entry;
    const struct leat_yaml *const *items;
    const struct leat_yaml *single;
    (void)index;
    x->name = pair->key;
    uint32_t count = leat_load_items(pair->value, &items, &single);
    if (count == 0 || count > COLUMNS_MAX) {
        leat_load_error(l, &pair->place, "%s takes 1 to %d fields", path, COLUMNS_MAX);
        return;
    }
    struct leat_index_column *columns = leat_arena_zalloc(l->arena, count, sizeof *columns);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        kept += load_column(l, items[i], path, &columns[kept]) ? 1 : 0;
    x->columns = columns;
    x->n_columns = kept;
}

LEAT_KEY_LOADER(leat_load_indexes)
{
    struct leat_projection *p = target;
    if (n->kind == LEAT_YAML_MAP && n->n > INDEXES_MAX) {
        leat_load_error(l, &n->place, "%s: more than %d indexes", path, INDEXES_MAX);
        return;
    }
    p->indexes = leat_load_named(l, n, path, sizeof *p->indexes, load_index, &p->n_indexes);
}

static void load_projection(struct leat_loader *l, const struct leat_yaml_pair *pair,
                            const char *path, void *entry, uint32_t index)
{
    struct leat_projection *p = entry;
    p->place = pair->place;
    p->index = index;
    p->name = pair->key;
    p->hash = leat_yaml_hash(pair->value, 0);
    p->source = pair->value;
    l->fields = NULL;
    l->n_fields = l->cap_fields = 0;
    l->bounds = leat_arena_zalloc(l->arena, FIELDS_MAX, sizeof *l->bounds);
    l->coded = leat_yaml_get(pair->value, LEAT_STR("row")) != NULL;
    leat_load_section(l, LEAT_SECTION_PROJECTION, pair->value, path, p);
    if (pair->value->kind == LEAT_YAML_MAP)
        leat_load_coded_check(l, pair->value, path, p);
    if (p->ttl_ms > 0)
        p->hash ^= TTL_HASH; /* versions made while it was not run yet have nothing to go by */
}

LEAT_KEY_LOADER(leat_load_projections)
{
    struct leat_topology *t = target;
    l->projections =
        leat_load_named(l, n, path, sizeof *l->projections, load_projection, &t->n_projections);
    t->projections = l->projections;
}
