#include "cli/check_schemas.h"

#include <dirent.h>
#include <stdio.h>

#include "cli/check_exprs.h"
#include "codec/fields.h"
#include "codec/lint.h"
#include "codec/schemas.h"

#define TYPES_MAX      4000
#define FILE_BYTES_MAX ((size_t)1 << 20)

struct check {
    const struct leat_topology *t;
    struct leat_report *report;
    struct leat_schemas *schemas;
    struct leat_arena *arena;
    struct leat_str files[TYPES_MAX]; /* types that have a file */
    size_t n_files;
    struct leat_str todo[TYPES_MAX]; /* types to look at: the topology's, then what they refer to */
    size_t n_todo, n_own;
    bool bad[TYPES_MAX]; /* of todo: mistakes were found */
    const char *path;    /* of the file being looked at */
    size_t errors;
};

/* --- the files --- */

static bool has(const struct leat_str *list, size_t n, struct leat_str name)
{
    for (size_t i = 0; i < n; i++) {
        if (leat_str_eq(list[i], name))
            return true;
    }
    return false;
}

static void list_dir(struct check *c, const char *dir)
{
    DIR *d = opendir(dir);
    const struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL) {
        size_t len = strlen(e->d_name);
        if (len <= 5 || strcmp(e->d_name + len - 5, ".avsc") != 0 || c->n_files == TYPES_MAX)
            continue;
        struct leat_str name = {leat_arena_cstr(c->arena, leat_str_of(e->d_name)),
                                (uint32_t)len - 5};
        if (!has(c->files, c->n_files, name))
            c->files[c->n_files++] = name;
    }
    if (d != NULL)
        (void)closedir(d);
}

static void add_todo(void *arg, struct leat_str type)
{
    struct check *c = arg;
    if (c->n_todo < TYPES_MAX && !has(c->todo, c->n_todo, type))
        c->todo[c->n_todo++] = leat_arena_copy(c->arena, type);
}

static void found(void *arg, const struct leat_lint_finding *f)
{
    const struct check *c = arg;
    struct leat_place place = {c->path, f->line, f->column};
    leat_report_add(c->report, f->warning ? LEAT_SEVERITY_WARNING : LEAT_SEVERITY_ERROR, &place,
                    "%s", f->message);
    if (f->hint[0] != '\0')
        leat_report_hint(c->report, "%s", f->hint);
}

static bool is_state(const struct leat_topology *t, struct leat_str type)
{
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        if (leat_str_eq(t->aggregates[i].state, type))
            return true;
    }
    return false;
}

static void lint_type(struct check *c, size_t index)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    char part[4096];
    leat_buf_init(&text, FILE_BYTES_MAX);
    struct leat_str type = c->todo[index];
    c->path = leat_topology_schema_path(c->t, type, c->arena);
    FILE *f = c->path == NULL ? NULL : fopen(c->path, "re");
    if (f == NULL)
        return; /* the loader said that there is none */
    for (size_t got; (got = fread(part, 1, sizeof part, f)) > 0;)
        leat_buf_put(&text, part, got);
    (void)fclose(f);
    const struct leat_lint lint = {
        .type = leat_arena_cstr(c->arena, type),
        .record = index < c->n_own,
        .state = is_state(c->t, type),
        .files = c->files,
        .file_count = c->n_files,
        .found = found,
        .refers = add_todo,
        .arg = c,
    };
    size_t errors = leat_schema_lint(&lint, leat_buf_str(&text));
    c->bad[index] = errors > 0;
    c->errors += errors;
}

/* What the parser has to say that no rule above has said. */
static void load_type(struct check *c, struct leat_str type)
{
    struct leat_error err = {0};
    struct leat_place place = {leat_topology_schema_path(c->t, type, c->arena), 1, 1};
    if (place.file == NULL)
        return;
    if (leat_schemas_load_file(c->schemas, c->t->schema_dirs, c->t->n_schema_dirs, type, &err) ==
            LEAT_OK ||
        c->errors > 0)
        return;
    leat_report_add(c->report, LEAT_SEVERITY_ERROR, &place, "%s", err.msg);
    if (err.hint[0] != '\0')
        leat_report_hint(c->report, "%s", err.hint);
}

static void check_files(struct check *c)
{
    struct leat_names types = leat_topology_types(c->t, c->arena);
    for (uint32_t i = 0; i < c->t->n_schema_dirs; i++)
        list_dir(c, c->t->schema_dirs[i]);
    for (uint32_t i = 0; i < types.n; i++)
        add_todo(c, types.at[i]);
    c->n_own = c->n_todo;
    for (size_t i = 0; i < c->n_todo; i++)
        lint_type(c, i);
    for (size_t i = 0; i < c->n_own; i++) {
        if (!c->bad[i])
            load_type(c, c->todo[i]);
    }
}

/* --- keys of aggregates --- */

static bool can_be_key(const struct leat_field_info *f)
{
    return f->kind == LEAT_FIELD_TEXT || f->kind == LEAT_FIELD_INT;
}

static void check_key(struct check *c, const struct leat_aggregate *a, struct leat_str type,
                      bool is_event, const struct leat_place *place)
{
    const struct leat_schema *s = leat_schemas_current(c->schemas, type);
    struct leat_field_info f;
    uint32_t known = 0;
    if (s == NULL || a->key.len == 0)
        return;
    if (is_event && leat_topology_emitter(c->t, type) != a)
        return; /* of two aggregates: said */
    place = leat_topology_place(c->t, type.at, place);
    if (!leat_schema_field(s, &a->key, 1, &f, &known)) {
        leat_check_no_field(c->report, LEAT_SEVERITY_ERROR, place, s,
                            &(struct leat_check_path){type, &a->key, 0});
        leat_report_add(
            c->report, LEAT_SEVERITY_NOTE, &a->place,
            "'%.*s' is the key of aggregate '%.*s': all its commands and events have it",
            LEAT_STR_FMT(a->key), LEAT_STR_FMT(a->name));
        return;
    }
    if (!can_be_key(&f))
        leat_report_add(c->report, LEAT_SEVERITY_ERROR, place,
                        "'%.*s': field '%.*s', the key of aggregate '%.*s', is of type %s",
                        LEAT_STR_FMT(type), LEAT_STR_FMT(a->key), LEAT_STR_FMT(a->name), f.type);
    else if (f.nullable)
        leat_report_add(c->report, LEAT_SEVERITY_ERROR, place,
                        "'%.*s': field '%.*s', the key of aggregate '%.*s', may be null",
                        LEAT_STR_FMT(type), LEAT_STR_FMT(a->key), LEAT_STR_FMT(a->name));
    else
        return;
    leat_report_hint(c->report, "a key is a string, an enum, an int or a long");
}

static void check_processor(struct check *c, const struct leat_processor *p)
{
    for (uint32_t i = 0; p->aggregate != NULL && i < p->commands.n; i++)
        check_key(c, p->aggregate, p->commands.at[i], false, &p->place);
    for (uint32_t i = 0; p->aggregate != NULL && i < p->emits.n; i++)
        check_key(c, p->aggregate, p->emits.at[i], true, &p->place);
}

void leat_check_schemas(const struct leat_topology *t, struct leat_report *report)
{
    struct leat_arena *arena = leat_arena_new(65536, 0);
    struct check *c = leat_arena_zalloc(arena, 1, sizeof *c);
    c->t = t;
    c->report = report;
    c->schemas = leat_schemas_new();
    c->arena = arena;
    check_files(c);
    for (uint32_t i = 0; i < t->n_processors; i++)
        check_processor(c, &t->processors[i]);
    leat_check_exprs(t, c->schemas, report);
    leat_schemas_free(c->schemas);
    leat_arena_free(arena);
}
