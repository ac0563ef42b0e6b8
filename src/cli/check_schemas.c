#include "cli/check_schemas.h"

#include "base/json.h"
#include "base/suggest.h"
#include "codec/schemas.h"

#define FIELDS_MAX 1000

struct check {
    const struct leat_topology *t;
    struct leat_report *report;
    struct leat_schemas *schemas;
    struct leat_arena *arena;
};

/* Fills *ret with the names in the array `fields` of an Avro record's text. */
static leat_status read_fields(struct leat_json_reader *r, struct leat_str *names, uint32_t *ret_n,
                               struct leat_error *err)
{
    struct leat_json_token t;
    LEAT_TRY(leat_json_next(r, &t, err), err, "fields");
    if (t.kind != LEAT_JSON_ARRAY_BEGIN)
        return leat_fail(err, LEAT_INVALID, "'fields' is not a list");
    for (*ret_n = 0; *ret_n < FIELDS_MAX;) {
        struct leat_json_reader ahead = *r;
        struct leat_str field;
        LEAT_TRY(leat_json_next(&ahead, &t, err), err, "fields");
        if (t.kind == LEAT_JSON_ARRAY_END)
            break;
        LEAT_TRY(leat_json_skip(r, &field, err), err, "fields");
        LEAT_TRY(leat_json_find(field, LEAT_STR("name"), &t, NULL, err), err, "fields");
        names[(*ret_n)++] = t.text;
    }
    return LEAT_OK;
}

/* False when the type's schema is not known or not a record: nothing can be said then. */
static bool fields_of(const struct check *c, struct leat_str type, struct leat_names *ret)
{
    struct leat_json_token t;
    struct leat_str text = leat_schemas_text(c->schemas, type);
    struct leat_str raw;
    struct leat_str *names = leat_arena_zalloc(c->arena, FIELDS_MAX, sizeof *names);
    uint32_t n = 0;
    if (text.len == 0 || leat_json_find(text, LEAT_STR("fields"), &t, &raw, NULL) != LEAT_OK)
        return false;
    struct leat_json_reader r;
    leat_json_reader_init(&r, raw);
    if (read_fields(&r, names, &n, NULL) != LEAT_OK)
        return false;
    *ret = (struct leat_names){names, n};
    return true;
}

static void need_field(const struct check *c, const struct leat_place *place, struct leat_str type,
                       struct leat_str field, const char *what)
{
    struct leat_names fields;
    struct leat_suggest s;
    if (!fields_of(c, type, &fields) || leat_names_has(&fields, field))
        return;
    leat_report_add(c->report, LEAT_SEVERITY_ERROR, place, "%s: '%.*s' has no field '%.*s'", what,
                    LEAT_STR_FMT(type), LEAT_STR_FMT(field));
    leat_suggest_start(&s, field);
    for (uint32_t i = 0; i < fields.n; i++)
        leat_suggest_offer(&s, fields.at[i]);
    if (s.best.len > 0)
        leat_report_hint(c->report, "did you mean '%.*s'?", LEAT_STR_FMT(s.best));
}

static void need_expr(const struct check *c, const struct leat_place *place, struct leat_str type,
                      const struct leat_expr *e, const char *what)
{
    if (e == NULL)
        return;
    if (e->kind == LEAT_EXPR_FIELD)
        need_field(c, place, type, e->path[0], what);
    for (uint32_t i = 0; i < e->n_args; i++)
        need_expr(c, place, type, e->args[i], what);
}

static void check_processor(const struct check *c, const struct leat_processor *p)
{
    if (p->aggregate == NULL)
        return;
    for (uint32_t i = 0; i < p->commands.n; i++)
        need_field(c, &p->place, p->commands.at[i], p->aggregate->key, "the aggregate's key");
    for (uint32_t i = 0; i < p->emits.n; i++)
        need_field(c, &p->place, p->emits.at[i], p->aggregate->key, "the aggregate's key");
}

static void check_projection(const struct check *c, const struct leat_projection *p)
{
    for (uint32_t i = 0; i < p->n_from; i++) {
        const struct leat_from *f = &p->from[i];
        const char *what = leat_arena_printf(c->arena, "projections.%.*s.from.%.*s",
                                             LEAT_STR_FMT(p->name), LEAT_STR_FMT(f->event));
        for (uint32_t j = 0; j < p->n_keys; j++)
            need_expr(c, &f->place, f->event, p->keys[j], what);
        for (uint32_t j = 0; j < f->n_when; j++) {
            need_expr(c, &f->place, f->event, f->when[j].left, what);
            need_expr(c, &f->place, f->event, f->when[j].right, what);
        }
        for (uint32_t j = 0; j < f->n_ops; j++)
            need_expr(c, &f->place, f->event, f->ops[j].value, what);
    }
}

static void load_type(const struct check *c, struct leat_str type)
{
    struct leat_error err = {0};
    const char *path = leat_topology_schema_path(c->t, type, c->arena);
    if (path == NULL)
        return;
    struct leat_place place = {path, 1, 1};
    if (leat_schemas_load_file(c->schemas, c->t->schema_dirs, c->t->n_schema_dirs, type, &err) ==
        LEAT_OK)
        return;
    leat_report_add(c->report, LEAT_SEVERITY_ERROR, &place, "%s", err.msg);
    if (err.hint[0] != '\0')
        leat_report_hint(c->report, "%s", err.hint);
}

void leat_check_schemas(const struct leat_topology *t, struct leat_report *report)
{
    struct check c = {t, report, leat_schemas_new(), leat_arena_new(65536, 0)};
    struct leat_names types = leat_topology_types(t, c.arena);
    for (uint32_t i = 0; i < types.n; i++)
        load_type(&c, types.at[i]);
    for (uint32_t i = 0; i < t->n_processors; i++)
        check_processor(&c, &t->processors[i]);
    for (uint32_t i = 0; i < t->n_projections; i++)
        check_projection(&c, &t->projections[i]);
    leat_schemas_free(c.schemas);
    leat_arena_free(c.arena);
}
