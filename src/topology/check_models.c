#include "topology/loader.h"

static const char *const op_names[] = {"set", "add", "min", "max", "append", "collect", "delete"};

/* `$.order_id` of an event of the aggregate keyed by order_id, or `$meta.key`: the stream's key. */
static bool is_stream_key(const struct leat_topology *t, const struct leat_expr *e,
                          struct leat_str event)
{
    const struct leat_aggregate *a = leat_topology_emitter(t, event);
    if (a == NULL || a->key.len == 0) /* of nobody, or no key: told; judged when it is mended */
        return a != NULL || !leat_load_is_event(t, event);
    if (e->kind == LEAT_EXPR_META)
        return e->meta == LEAT_META_KEY;
    return e->kind == LEAT_EXPR_FIELD && leat_str_eq(e->text, a->key);
}

/* Rows are fed by one stream each when one and the same part of their key is the stream's key for
 * every event. Events of several aggregates may meet in a row: equal keys share a partition. */
static bool follows_streams(const struct leat_topology *t, const struct leat_projection *p,
                            uint32_t *ret_part)
{
    for (uint32_t j = 0; j < p->n_keys && p->n_from > 0; j++) {
        uint32_t i = 0;
        while (i < p->n_from && is_stream_key(t, p->keys[j], p->from[i].event))
            i++;
        *ret_part = j;
        if (i == p->n_from)
            return true;
    }
    return false;
}

static bool is_key_part(const struct leat_projection *p, const struct leat_expr *e)
{
    for (uint32_t i = 0; e != NULL && i < p->n_keys; i++) {
        if (leat_expr_equal(p->keys[i], e))
            return true;
    }
    return false;
}

static bool reads_row(const struct leat_expr *e)
{
    if (e == NULL)
        return false;
    if (e->kind == LEAT_EXPR_ROW)
        return true;
    for (uint32_t i = 0; i < e->n_args; i++) {
        if (reads_row(e->args[i]))
            return true;
    }
    return false;
}

static bool commutes(const struct leat_projection *p, const struct leat_op *op)
{
    if (reads_row(op->value))
        return false;
    switch (op->kind) {
    case LEAT_OP_ADD:
    case LEAT_OP_MIN:
    case LEAT_OP_MAX:
    case LEAT_OP_COLLECT:
        return true;
    case LEAT_OP_SET:
        return is_key_part(p, op->value); /* every event of the row sets the same */
    case LEAT_OP_APPEND:
    case LEAT_OP_DELETE:
        break;
    }
    return false;
}

static void check_rule(struct leat_loader *l, const struct leat_projection *p,
                       const struct leat_from *from)
{
    for (uint32_t i = 0; i < from->n_when; i++) {
        if (reads_row(from->when[i].left) || reads_row(from->when[i].right))
            leat_load_error(l, &from->place,
                            "projections.%.*s.from.%.*s.when: $row depends on the order of events "
                            "of several partitions",
                            LEAT_STR_FMT(p->name), LEAT_STR_FMT(from->event));
    }
    for (uint32_t i = 0; i < from->n_ops; i++) {
        const struct leat_op *op = &from->ops[i];
        if (commutes(p, op))
            continue;
        struct leat_str field =
            op->field == LEAT_FIELD_ROW ? LEAT_STR("the row") : p->fields.at[op->field];
        leat_load_error(l, leat_topology_place(l->t, op->value, &from->place),
                        "projections.%.*s.from.%.*s: '%s' of '%.*s' depends on the order of events",
                        LEAT_STR_FMT(p->name), LEAT_STR_FMT(from->event), op_names[op->kind],
                        LEAT_STR_FMT(field));
        leat_report_hint(l->report, "its rows are not keyed by the aggregate's key, so several "
                                    "partitions feed them: only add, min, max and collect, and set "
                                    "of a part of the key, give the same row in any order");
    }
}

static bool has_period(const struct leat_projection *p)
{
    for (uint32_t i = 0; i < p->n_keys; i++) {
        const struct leat_expr *e = p->keys[i];
        if (e->kind == LEAT_EXPR_CALL && (e->fn == LEAT_FN_DAY || e->fn == LEAT_FN_HOUR))
            return true;
    }
    return false;
}

/* What was touched last depends on which partition was read first. */
static void check_ttl(struct leat_loader *l, const struct leat_projection *p)
{
    if (p->ttl_ms == 0 || p->keyed_by_stream || has_period(p))
        return;
    leat_load_error(l, &p->place, "projections.%.*s.ttl: its rows are fed by several partitions",
                    LEAT_STR_FMT(p->name));
    leat_report_hint(l->report, "such a row goes with a period in its key: day() or hour()");
}

void leat_check_projections(struct leat_loader *l)
{
    for (uint32_t i = 0; i < l->t->n_projections; i++) {
        struct leat_projection *p = &l->projections[i];
        if (p->is_coded) { /* by construction: see leat/rows.h */
            p->keyed_by_stream = true;
            p->stream_part = 0;
            continue;
        }
        p->keyed_by_stream = follows_streams(l->t, p, &p->stream_part);
        check_ttl(l, p);
        for (uint32_t j = 0; !p->keyed_by_stream && j < p->n_from; j++) {
            if (leat_load_is_event(l->t, p->from[j].event))
                check_rule(l, p, &p->from[j]);
        }
    }
}
