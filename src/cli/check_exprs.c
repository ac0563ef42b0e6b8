#include "cli/check_exprs.h"

#include <stdio.h>
#include <string.h>

#include "codec/fields.h"
#include "projection/zone.h"

#define ZONE_NAMES "/usr/share/zoneinfo/tzdata.zi"

struct check {
    const struct leat_topology *t;
    const struct leat_schemas *schemas;
    struct leat_report *report;
    struct leat_arena *arena;
};

struct use {              /* where an expression stands */
    struct leat_str type; /* of the event or command */
    const struct leat_place *place;
    const char *path; /* "projections.orders.from.OrderPlaced.set.total" */
    bool foreign;     /* of a record of somebody else, who may give more than the type has */
};

struct kind { /* of a value, as far as it is known before there is one */
    bool known;
    leat_field_class class;
    const char *type; /* "long"; for messages */
    const struct leat_str *symbols;
    uint32_t symbol_count;
};

static struct kind simple(leat_field_class class, const char *type)
{
    return (struct kind){true, class, type, NULL, 0};
}

static void wrong(const struct check *c, const struct use *u, const char *fmt, ...)
    LEAT_PRINTF(3, 4);

static void wrong(const struct check *c, const struct use *u, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    leat_report_add(c->report, LEAT_SEVERITY_ERROR, u->place, "%s: %s", u->path, text);
}

/* As it was written, more or less: for messages. */
static const char *show(const struct check *c, const struct leat_expr *e)
{
    switch (e->kind) {
    case LEAT_EXPR_FIELD:
        return leat_arena_printf(c->arena, "$.%.*s", LEAT_STR_FMT(e->text));
    case LEAT_EXPR_META:
        return leat_arena_printf(c->arena, "$meta.%.*s", LEAT_STR_FMT(e->text));
    case LEAT_EXPR_HEADER:
        return leat_arena_printf(c->arena, "$meta.header.%.*s", LEAT_STR_FMT(e->text));
    case LEAT_EXPR_ROW:
        return leat_arena_printf(c->arena, "$row.%.*s", LEAT_STR_FMT(e->text));
    case LEAT_EXPR_CALL:
        return leat_arena_printf(c->arena, "%s(…)", leat_fn_name(e->fn));
    case LEAT_EXPR_STRING:
    case LEAT_EXPR_INT:
    case LEAT_EXPR_DOUBLE:
    case LEAT_EXPR_BOOL:
    case LEAT_EXPR_NULL:
        break;
    }
    return leat_arena_printf(c->arena, "%.*s", LEAT_STR_FMT(e->text));
}

/* --- fields --- */

void leat_check_no_field(struct leat_report *report, leat_severity severity,
                         const struct leat_place *place, const struct leat_schema *s,
                         const struct leat_check_path *at)
{
    const struct leat_str type = at->type, *path = at->path;
    const uint32_t known = at->known;
    struct leat_choice choice;
    struct leat_str name;
    struct leat_field_info outer;
    uint32_t ignored = 0;
    if (known > 0 && leat_schema_field(s, path, known, &outer, &ignored) &&
        outer.kind != LEAT_FIELD_RECORD) {
        leat_report_add(report, severity, place,
                        "'%.*s': field '%.*s' is of type %s, it has no fields such as '%.*s'",
                        LEAT_STR_FMT(type), LEAT_STR_FMT(path[known - 1]), outer.type,
                        LEAT_STR_FMT(path[known]));
        return;
    }
    leat_report_add(report, severity, place, "'%.*s' has no field '%.*s'%s%.*s", LEAT_STR_FMT(type),
                    LEAT_STR_FMT(path[known]), known == 0 ? "" : " in ",
                    known == 0 ? 0 : (int)path[known - 1].len,
                    known == 0 ? "" : path[known - 1].at);
    leat_choice_start(&choice, path[known]);
    for (uint32_t i = 0; leat_schema_field_name(s, path, known, i, &name); i++)
        leat_choice_offer(&choice, name);
    leat_choice_hint(&choice, report);
}

static struct kind kind_of_field(const struct check *c, const struct use *u,
                                 const struct leat_expr *e)
{
    const struct leat_schema *s = leat_schemas_current(c->schemas, u->type);
    struct leat_field_info f;
    uint32_t known = 0;
    struct kind nothing = {.known = false};
    if (s == NULL)
        return nothing;
    if (!leat_schema_field(s, e->path, e->n_path, &f, &known)) {
        leat_check_no_field(c->report, u->foreign ? LEAT_SEVERITY_WARNING : LEAT_SEVERITY_ERROR,
                            u->place, s, &(struct leat_check_path){u->type, e->path, known});
        return nothing;
    }
    return (struct kind){true, f.kind, f.type, f.symbols, f.symbol_count};
}

/* --- calls --- */

static struct kind kind_of(const struct check *c, const struct use *u, const struct leat_expr *e);

static bool is_scalar(const struct kind *k)
{
    return k->class != LEAT_FIELD_RECORD && k->class != LEAT_FIELD_LIST &&
           k->class != LEAT_FIELD_MAP;
}

static bool is_number(const struct kind *k)
{
    return k->class == LEAT_FIELD_INT || k->class == LEAT_FIELD_DOUBLE;
}

static void check_zone(const struct check *c, const struct use *u, const char *zone)
{
    const struct leat_zone *z = NULL;
    struct leat_choice choice;
    char line[256];
    if (leat_zone_load(zone, &z, NULL) == LEAT_OK)
        return;
    wrong(c, u, "there is no time zone '%s' on this machine", zone);
    leat_choice_start(&choice, leat_str_of(zone));
    FILE *f = fopen(ZONE_NAMES, "re"); /* "Z Europe/Berlin …" and links "L from to" */
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        const char *name = line[0] == 'Z' ? line + 2 : strrchr(line, ' ');
        if ((line[0] != 'Z' && line[0] != 'L') || line[1] != ' ' || name == NULL)
            continue;
        name += line[0] == 'L' ? 1 : 0;
        leat_suggest_offer(
            &choice.near,
            leat_arena_copy(c->arena, (struct leat_str){name, (uint32_t)strcspn(name, " \n")}));
    }
    if (f != NULL)
        (void)fclose(f);
    leat_choice_hint(&choice, c->report);
}

static struct kind kind_of_call(const struct check *c, const struct use *u,
                                const struct leat_expr *e)
{
    bool time = e->fn == LEAT_FN_DAY || e->fn == LEAT_FN_HOUR;
    for (uint32_t i = 0; i < e->n_args; i++) {
        struct kind k = kind_of(c, u, e->args[i]);
        const char *want = NULL;
        if (k.known && time && k.class != LEAT_FIELD_INT)
            want = "takes a time: $meta.time, or a long in milliseconds";
        else if (k.known && e->fn == LEAT_FN_LOWER && k.class != LEAT_FIELD_TEXT)
            want = "takes a text";
        else if (k.known && !is_scalar(&k))
            want = "takes texts, numbers and booleans";
        if (want == NULL)
            continue;
        wrong(c, u, "%s() of '%s', which is of type %s", leat_fn_name(e->fn), show(c, e->args[i]),
              k.type);
        leat_report_hint(c->report, "%s() %s", leat_fn_name(e->fn), want);
    }
    if (time && e->zone != NULL)
        check_zone(c, u, e->zone);
    return simple(LEAT_FIELD_TEXT, "string");
}

static struct kind kind_of(const struct check *c, const struct use *u, const struct leat_expr *e)
{
    switch (e->kind) {
    case LEAT_EXPR_STRING:
    case LEAT_EXPR_HEADER:
        return simple(LEAT_FIELD_TEXT, "string");
    case LEAT_EXPR_INT:
        return simple(LEAT_FIELD_INT, "int");
    case LEAT_EXPR_DOUBLE:
        return simple(LEAT_FIELD_DOUBLE, "double");
    case LEAT_EXPR_BOOL:
        return simple(LEAT_FIELD_BOOL, "boolean");
    case LEAT_EXPR_FIELD:
        return kind_of_field(c, u, e);
    case LEAT_EXPR_META:
        return e->meta == LEAT_META_KEY || e->meta == LEAT_META_TYPE ||
                       e->meta == LEAT_META_COMMAND_ID
                   ? simple(LEAT_FIELD_TEXT, "string")
                   : simple(LEAT_FIELD_INT, "long");
    case LEAT_EXPR_CALL:
        return kind_of_call(c, u, e);
    case LEAT_EXPR_NULL:
    case LEAT_EXPR_ROW:
        break;
    }
    return (struct kind){.known = false};
}

/* --- conditions --- */

/* An enum compared with what is none of its symbols. */
static void check_symbol(const struct check *c, const struct use *u, const struct kind *k,
                         const struct leat_expr *field, const struct leat_expr *literal)
{
    struct leat_choice choice;
    if (k->symbols == NULL || literal->kind != LEAT_EXPR_STRING)
        return;
    for (uint32_t i = 0; i < k->symbol_count; i++) {
        if (leat_str_eq(k->symbols[i], literal->text))
            return;
    }
    wrong(c, u, "'%s' is never '%.*s'", show(c, field), LEAT_STR_FMT(literal->text));
    leat_choice_start(&choice, literal->text);
    for (uint32_t i = 0; i < k->symbol_count; i++)
        leat_choice_offer(&choice, k->symbols[i]);
    leat_choice_hint(&choice, c->report);
}

static void check_condition(const struct check *c, const struct use *u,
                            const struct leat_condition *w)
{
    struct kind a = kind_of(c, u, w->left);
    struct kind b = kind_of(c, u, w->right);
    if (!a.known || !b.known)
        return;
    if (a.class != b.class && !(is_number(&a) && is_number(&b))) {
        wrong(c, u, "'%s' is of type %s and '%s' of type %s", show(c, w->left), a.type,
              show(c, w->right), b.type);
        leat_report_hint(c->report, "values of different kinds are never equal, less or greater");
        return;
    }
    check_symbol(c, u, &a, w->left, w->right);
    check_symbol(c, u, &b, w->right, w->left);
}

/* --- operations --- */

static const char *const op_names[] = {"set", "add", "min", "max", "append", "collect", "delete"};

static void check_op(const struct check *c, struct use u, const struct leat_projection *p,
                     const struct leat_op *op, struct kind *ret)
{
    if (op->value == NULL)
        return;
    u.place = leat_topology_place(c->t, op->value, u.place);
    u.path = leat_arena_printf(c->arena, "%s.%s.%.*s", u.path, op_names[op->kind],
                               LEAT_STR_FMT(p->fields.at[op->field]));
    *ret = kind_of(c, &u, op->value);
    if (!ret->known)
        return;
    const char *takes = NULL;
    if (op->kind == LEAT_OP_ADD && !is_number(ret) && !leat_expr_is_constant(op->value))
        takes = "a number";
    else if ((op->kind == LEAT_OP_MIN || op->kind == LEAT_OP_MAX) &&
             (!is_scalar(ret) || ret->class == LEAT_FIELD_BYTES))
        takes = "a number, a text or a boolean";
    if (takes == NULL)
        return;
    wrong(c, &u, "'%s' is of type %s", show(c, op->value), ret->type);
    leat_report_hint(c->report, "%s takes %s%s", op_names[op->kind], takes,
                     ret->class == LEAT_FIELD_BYTES
                         ? "; of a decimal give whole units in a long, such as cents"
                         : "");
    ret->known = false; /* said; no more about this field */
}

struct field_use {     /* what the rules make of one field of the row */
    const char *first; /* the operation that decided */
    leat_field_class class;
    bool known;
};

static leat_field_class class_of_row(const struct leat_op *op, const struct kind *k)
{
    if (op->kind == LEAT_OP_APPEND || op->kind == LEAT_OP_COLLECT)
        return LEAT_FIELD_LIST;
    if (op->kind == LEAT_OP_ADD || is_number(k))
        return LEAT_FIELD_DOUBLE; /* whole or not: a number */
    return k->class;
}

static const char *row_word(leat_field_class class)
{
    static const char *const words[] = {
        [LEAT_FIELD_BOOL] = "a boolean",
        [LEAT_FIELD_INT] = "a number",
        [LEAT_FIELD_DOUBLE] = "a number",
        [LEAT_FIELD_TEXT] = "a text",
        [LEAT_FIELD_BYTES] = "bytes",
        [LEAT_FIELD_RECORD] = "a record",
        [LEAT_FIELD_LIST] = "a list",
        [LEAT_FIELD_MAP] = "a map",
        [LEAT_FIELD_OTHER] = "of several types",
    };
    return words[class];
}

/* add, append and the like go on from what is there: two rules must agree on what that is. */
static void check_agree(const struct check *c, const struct leat_projection *p,
                        const struct leat_from *from, const struct leat_op *op,
                        const struct kind *k, struct field_use *all)
{
    if (op->value == NULL || (!k->known && op->kind < LEAT_OP_APPEND))
        return;
    struct field_use *f = &all[op->field];
    leat_field_class class = class_of_row(op, k);
    if (!f->known) {
        *f = (struct field_use){leat_arena_printf(c->arena, "'%s' of %.*s", op_names[op->kind],
                                                  LEAT_STR_FMT(from->event)),
                                class, true};
        return;
    }
    if (f->class == class || op->kind == LEAT_OP_SET)
        return;
    leat_report_add(
        c->report, LEAT_SEVERITY_ERROR, leat_topology_place(c->t, op->value, &from->place),
        "projections.%.*s: '%s' makes '%.*s' %s, but %s makes it %s", LEAT_STR_FMT(p->name),
        op_names[op->kind], LEAT_STR_FMT(p->fields.at[op->field]), row_word(class), f->first,
        row_word(f->class));
    leat_report_hint(c->report, "give each a field of its own");
}

static void check_from(const struct check *c, const struct leat_projection *p,
                       const struct leat_from *from, struct field_use *fields)
{
    struct use u = {from->event, &from->place,
                    leat_arena_printf(c->arena, "projections.%.*s.from.%.*s", LEAT_STR_FMT(p->name),
                                      LEAT_STR_FMT(from->event)),
                    false};
    for (uint32_t i = 0; i < from->n_when; i++) {
        struct use w = u;
        w.place = leat_topology_place(c->t, &from->when[i], u.place);
        w.path = leat_arena_printf(c->arena, "%s.when", u.path);
        check_condition(c, &w, &from->when[i]);
    }
    for (uint32_t i = 0; i < from->n_ops; i++) {
        struct kind k = {.known = false};
        check_op(c, u, p, &from->ops[i], &k);
        if (from->ops[i].field != LEAT_FIELD_ROW)
            check_agree(c, p, from, &from->ops[i], &k, fields);
    }
}

static void check_keys(const struct check *c, const struct leat_projection *p,
                       const struct leat_from *from)
{
    for (uint32_t i = 0; i < p->n_keys; i++) {
        struct use u = {from->event, leat_topology_place(c->t, p->keys[i], &p->place),
                        leat_arena_printf(c->arena, "projections.%.*s.key", LEAT_STR_FMT(p->name)),
                        false};
        struct kind k = kind_of(c, &u, p->keys[i]);
        if (!k.known || (is_scalar(&k) && k.class != LEAT_FIELD_BYTES))
            continue;
        wrong(c, &u, "'%s' of '%.*s' is of type %s", show(c, p->keys[i]), LEAT_STR_FMT(from->event),
              k.type);
        leat_report_hint(c->report, "a key is made of texts, numbers and booleans");
    }
}

static void check_indexes(const struct check *c, const struct leat_projection *p,
                          const struct field_use *fields)
{
    for (uint32_t i = 0; i < p->n_indexes; i++) {
        const struct leat_index *x = &p->indexes[i];
        for (uint32_t j = 0; j < x->n_columns; j++) {
            const struct field_use *f = &fields[x->columns[j].field];
            if (!f->known || f->class == LEAT_FIELD_BOOL || f->class == LEAT_FIELD_DOUBLE ||
                f->class == LEAT_FIELD_TEXT)
                continue;
            leat_report_add(c->report, LEAT_SEVERITY_ERROR,
                            leat_topology_place(c->t, x->name.at, &p->place),
                            "projections.%.*s.indexes.%.*s: '%.*s' is %s", LEAT_STR_FMT(p->name),
                            LEAT_STR_FMT(x->name), LEAT_STR_FMT(p->fields.at[x->columns[j].field]),
                            row_word(f->class));
            leat_report_hint(c->report, "rows are ordered by texts, numbers and booleans");
        }
    }
}

/* In C: as declared. */
static void take_columns(const struct leat_projection *p, struct field_use *fields)
{
    for (uint32_t i = 0; i < p->n_columns; i++) {
        leat_field_class class = strcmp(p->columns[i].type, "string") == 0    ? LEAT_FIELD_TEXT
                                 : strcmp(p->columns[i].type, "boolean") == 0 ? LEAT_FIELD_BOOL
                                                                              : LEAT_FIELD_DOUBLE;
        fields[i] = (struct field_use){.class = p->columns[i].is_list ? LEAT_FIELD_LIST : class,
                                       .known = true};
    }
}

static void check_projection(const struct check *c, const struct leat_projection *p)
{
    struct field_use *fields = leat_arena_zalloc(c->arena, (size_t)p->fields.n + 1, sizeof *fields);
    take_columns(p, fields);
    for (uint32_t i = 0; i < p->n_from && !p->is_coded; i++) {
        check_keys(c, p, &p->from[i]);
        check_from(c, p, &p->from[i], fields);
    }
    check_indexes(c, p, fields);
}

static void check_source(const struct check *c, const struct leat_source *s, struct leat_str type)
{
    const struct leat_expr *const exprs[] = {s->key, s->id};
    static const char *const names[] = {"key", "id"};
    for (size_t i = 0; i < 2 && type.len > 0; i++) {
        if (exprs[i] == NULL)
            continue;
        struct use u = {
            type, leat_topology_place(c->t, exprs[i], &s->place),
            leat_arena_printf(c->arena, "sources.%.*s.%s", LEAT_STR_FMT(s->name), names[i]), true};
        struct kind k = kind_of(c, &u, exprs[i]);
        if (k.known && !is_scalar(&k))
            wrong(c, &u, "'%s' is of type %s", show(c, exprs[i]), k.type);
    }
}

void leat_check_exprs(const struct leat_topology *t, const struct leat_schemas *schemas,
                      struct leat_report *report)
{
    struct check c = {t, schemas, report, leat_arena_new(16384, 0)};
    for (uint32_t i = 0; i < t->n_projections; i++)
        check_projection(&c, &t->projections[i]);
    for (uint32_t i = 0; i < t->n_sources; i++) {
        check_source(&c, &t->sources[i], t->sources[i].type);
        for (uint32_t j = 0; j < t->sources[i].n_routes; j++)
            check_source(&c, &t->sources[i], t->sources[i].routes[j].type);
    }
    leat_arena_free(c.arena);
}
