#include "projection/model_guard.h"

#include <inttypes.h>
#include <stdio.h>

struct leat_model_guard {
    bool none;
    uint32_t n_where;
    uint32_t *fields; /* of where, numbers in the shape */
    const struct leat_guard_field *where;
    bool *masked; /* per field of the shape */
    uint32_t n_fields;
};

static int field_of(const struct leat_shape *s, struct leat_str name)
{
    for (uint32_t i = 0; i < s->n_fields; i++)
        if (leat_str_eq(s->fields[i], name))
            return (int)i;
    return -1;
}

/* A field that the version being served does not have yet fits no row. */
void leat_model_guard(struct leat_model_read *r, const struct leat_guard_rules *rules)
{
    const struct leat_shape *shape = r->version->shape;
    struct leat_model_guard *g = leat_arena_zalloc(r->arena, 1, sizeof *g);
    *g = (struct leat_model_guard){.none = rules->none,
                                   .n_where = rules->n_where,
                                   .where = rules->where,
                                   .n_fields = shape->n_fields};
    g->fields = leat_arena_zalloc(r->arena, rules->n_where + (size_t)1, sizeof *g->fields);
    g->masked = leat_arena_zalloc(r->arena, shape->n_fields + (size_t)1, sizeof *g->masked);
    for (uint32_t i = 0; i < rules->n_where; i++) {
        int field = field_of(shape, rules->where[i].field);
        g->none |= field < 0;
        g->fields[i] = field < 0 ? 0 : (uint32_t)field;
    }
    for (uint32_t i = 0; i < rules->n_mask; i++) {
        int field = field_of(shape, rules->mask[i]);
        if (field >= 0)
            g->masked[field] = true;
    }
    r->guard = g;
}

/* As leat_cell_text() reads it, without a copy. */
static bool reads_as(const struct leat_cell *cell, struct leat_str wanted)
{
    char text[32];
    switch (cell->kind) {
    case LEAT_CELL_BOOL:
        return leat_str_eq(wanted, leat_str_of(cell->b ? "true" : "false"));
    case LEAT_CELL_INT:
        (void)snprintf(text, sizeof text, "%" PRId64, cell->i);
        return leat_str_eq(wanted, leat_str_of(text));
    case LEAT_CELL_DOUBLE:
        (void)snprintf(text, sizeof text, "%.17g", cell->d);
        return leat_str_eq(wanted, leat_str_of(text));
    case LEAT_CELL_STRING:
        return leat_str_eq(wanted, cell->s);
    case LEAT_CELL_NULL:
    case LEAT_CELL_JSON:
    case LEAT_CELL_BYTES:
    case LEAT_CELL_LIST:
        break;
    }
    return false;
}

bool leat_guard_row(const struct leat_model_guard *g, struct leat_model_row *row)
{
    if (g == NULL || row->cells == NULL)
        return g == NULL || !leat_guard_hides_rows(g);
    if (g->none)
        return false;
    for (uint32_t i = 0; i < g->n_where; i++) {
        if (!reads_as(&row->cells[g->fields[i]], g->where[i].value))
            return false;
    }
    for (uint32_t i = 0; i < g->n_fields; i++)
        if (g->masked[i])
            row->cells[i] = (struct leat_cell){.kind = LEAT_CELL_NULL};
    return true;
}

bool leat_guard_hides_rows(const struct leat_model_guard *g)
{
    return g != NULL && (g->none || g->n_where > 0);
}

leat_status leat_guard_index(const struct leat_model_guard *g, const struct leat_shape *shape,
                             int index, struct leat_error *err)
{
    if (g == NULL || index < 0)
        return LEAT_OK;
    const struct leat_shape_index *ix = &shape->indexes[index];
    for (uint32_t i = 0; i < ix->n_columns; i++) {
        if (g->masked[ix->columns[i].field])
            return leat_fail(err, LEAT_INVALID,
                             "parameter 'index': '%.*s' orders by a field you may not see",
                             LEAT_STR_FMT(ix->name));
    }
    return LEAT_OK;
}
