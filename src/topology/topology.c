#include "topology/topology.h"

#include <string.h>

#include "base/hash.h"
#include "topology/files.h"
#include "topology/loader.h"

#define ARENA_BLOCK_BYTES 65536
#define INCLUDES_MAX      32
#define INCLUDE_DEPTH_MAX 8

struct reading {
    struct leat_arena *arena;
    struct leat_report *report;
    uint64_t hash;
    uint32_t files, depth;
    const char *open[INCLUDE_DEPTH_MAX + 1]; /* files being read, outermost first */
};

static struct leat_yaml *read_file(struct reading *r, const char *path,
                                   const struct leat_place *from);

static struct leat_yaml *include_one(struct reading *r, struct leat_yaml *root,
                                     const struct leat_yaml *item)
{
    if (item->kind != LEAT_YAML_SCALAR || item->text.len == 0) {
        leat_report_add(r->report, LEAT_SEVERITY_ERROR, &item->place,
                        "include takes a file or a list of files");
        return root;
    }
    const char *path = leat_files_beside(r->arena, item->place.file, item->text);
    const struct leat_yaml *other = read_file(r, path, &item->place);
    return other == NULL ? root : leat_yaml_merge(r->arena, root, other);
}

/* The file's own keys win over what it includes; an earlier include wins over a later one. */
static struct leat_yaml *work_in_includes(struct reading *r, struct leat_yaml *root)
{
    const struct leat_yaml *include = leat_yaml_get(root, LEAT_STR("include"));
    const struct leat_yaml *const *items;
    const struct leat_yaml *single;
    if (include == NULL)
        return root;
    uint32_t n = leat_load_items(include, &items, &single);
    for (uint32_t i = 0; i < n; i++)
        root = include_one(r, root, items[i]);
    return root;
}

static struct leat_yaml *read_text(struct reading *r, const char *path, struct leat_str text)
{
    r->hash = leat_hash64(text.at, text.len, r->hash);
    struct leat_yaml *root = leat_yaml_parse(r->arena, path, text, r->report);
    if (root == NULL)
        return NULL;
    if (root->kind != LEAT_YAML_MAP) {
        leat_report_add(r->report, LEAT_SEVERITY_ERROR, &root->place,
                        "the file must hold keys and values (key: value)");
        return NULL;
    }
    r->open[r->depth++] = path; /* read_file() bounds the depth */
    root = work_in_includes(r, root);
    r->depth--;
    return root;
}

/* A file that includes one it is included by. */
static bool is_circle(struct reading *r, const char *path, const struct leat_place *from)
{
    uint32_t i = 0;
    while (i < r->depth && !leat_files_same(r->open[i], path))
        i++;
    if (i == r->depth)
        return false;
    const char *text = "";
    for (; i < r->depth; i++)
        text = leat_arena_printf(r->arena, "%s%s -> ", text, r->open[i]);
    leat_report_add(r->report, LEAT_SEVERITY_ERROR, from, "includes go round: %s%s", text, path);
    return true;
}

static struct leat_yaml *read_file(struct reading *r, const char *path,
                                   const struct leat_place *from)
{
    struct leat_str text;
    struct leat_error err = {0};
    if (is_circle(r, path, from))
        return NULL;
    if (r->depth > INCLUDE_DEPTH_MAX || ++r->files > INCLUDES_MAX) {
        leat_report_add(r->report, LEAT_SEVERITY_ERROR, from,
                        "includes go more than %d deep, or are more than %d files",
                        INCLUDE_DEPTH_MAX, INCLUDES_MAX);
        return NULL;
    }
    if (leat_files_read(r->arena, path, LEAT_YAML_BYTES_MAX, &text, &err) != LEAT_OK) {
        leat_report_add(r->report, LEAT_SEVERITY_ERROR, from, "%s", err.msg);
        return NULL;
    }
    return read_text(r, path, text);
}

static void prepare(struct leat_loader *l)
{
    static const int64_t delays[] = {1000, 5000, 30000, 120000, 600000};
    struct leat_processor *p = &l->processor_defaults;
    *p = (struct leat_processor){0};
    leat_load_defaults(l, LEAT_SECTION_PROCESSOR, p);
    leat_load_defaults(l, LEAT_SECTION_RETRY, &p->retry);
    p->retry.delays_ms = delays;
    p->retry.n_delays = sizeof delays / sizeof *delays;
    leat_load_default_priorities(l);
    leat_load_defaults(l, LEAT_SECTION_LIMITS, l->t);
    leat_load_defaults(l, LEAT_SECTION_STORE, &l->t->store);
    leat_load_defaults(l, LEAT_SECTION_REDIS, &l->t->redis);
    leat_load_defaults(l, LEAT_SECTION_HTTP, &l->t->http); /* of `leat run --listen`, too */
    l->t->http.listen = NULL;
    l->t->name = (struct leat_str){"", 0};
    l->t->partitions = 1;
}

static void build(struct leat_loader *l, const struct leat_yaml *root)
{
    prepare(l);
    leat_load_overlay(l, LEAT_SECTION_ROOT, root, "", l->t);
    leat_load_required(l, LEAT_SECTION_ROOT, root, "");
    if (l->t->store.schema == NULL)
        l->t->store.schema = l->t->name.at;
    leat_load_marks_done(l);
    leat_load_processor_names(l);
    leat_check_topology(l);
    leat_check_projections(l);
    leat_check_files(l);
    l->t->used = l->used;
    l->t->n_used = (uint32_t)l->n_used;
    for (size_t i = 0; i < l->n_used; i++)
        leat_report_add(l->report, LEAT_SEVERITY_WARNING, &l->used[i].place, "%s: %s",
                        l->used[i].what, l->used[i].why);
}

static leat_status summarise(const struct leat_report *report, const char *path,
                             struct leat_error *err)
{
    const struct leat_finding *first = NULL;
    for (size_t i = 0; i < report->n && first == NULL; i++)
        first = report->findings[i].severity == LEAT_SEVERITY_ERROR ? &report->findings[i] : NULL;
    if (first == NULL)
        return leat_fail(err, LEAT_INVALID, "could not load '%s'", path);
    leat_status status = LEAT_INVALID;
    if (first->place.file == NULL)
        status = leat_fail(err, LEAT_INVALID, "%s", first->message);
    else
        status = leat_fail(err, LEAT_INVALID, "%s:%u:%u: %s", first->place.file, first->place.line,
                           first->place.column, first->message);
    if (report->errors > 1)
        leat_error_hint(err, "%zu mistakes in all; `leat check` lists them.", report->errors);
    return status;
}

static struct leat_topology *start(const char *path)
{
    struct leat_arena *arena = leat_arena_new(ARENA_BLOCK_BYTES, 0);
    struct leat_topology *t = leat_arena_zalloc(arena, 1, sizeof *t);
    t->arena = arena;
    t->path = leat_arena_cstr(arena, leat_str_of(path));
    t->dir = leat_files_dir(arena, t->path);
    return t;
}

/* False when there was nothing to build from. */
static bool finish(struct leat_topology *t, const struct reading *r, const struct leat_yaml *root,
                   bool check_files)
{
    if (root == NULL)
        return false;
    struct leat_loader l = {
        .arena = t->arena, .report = r->report, .t = t, .check_files = check_files};
    t->hash = r->hash;
    build(&l, root);
    return true;
}

static leat_status give(struct leat_topology *t, bool built, const struct leat_report *report,
                        struct leat_topology **ret, struct leat_error *err)
{
    if (built && report->errors == 0) {
        *ret = t;
        return LEAT_OK;
    }
    leat_status status = summarise(report, t->path, err);
    leat_topology_free(t);
    return status;
}

struct leat_topology *leat_topology_inspect(const char *path, struct leat_report *report)
{
    struct leat_topology *t = start(path);
    struct reading r = {.arena = t->arena, .report = report};
    if (finish(t, &r, read_file(&r, t->path, NULL), true))
        return t;
    leat_topology_free(t);
    return NULL;
}

leat_status leat_topology_load(const char *path, struct leat_topology **ret,
                               struct leat_report *report, struct leat_error *err)
{
    struct leat_topology *t = start(path);
    struct reading r = {.arena = t->arena, .report = report};
    bool built = finish(t, &r, read_file(&r, t->path, NULL), true);
    return give(t, built, report, ret, err);
}

leat_status leat_topology_load_text(const char *path, struct leat_str text, bool check_files,
                                    struct leat_topology **ret, struct leat_report *report,
                                    struct leat_error *err)
{
    struct leat_topology *t = start(path);
    struct reading r = {.arena = t->arena, .report = report};
    bool built = finish(t, &r, read_text(&r, t->path, text), check_files);
    return give(t, built, report, ret, err);
}

void leat_topology_free(struct leat_topology *t)
{
    if (t != NULL)
        leat_arena_free(t->arena); /* t itself is in it */
}

size_t leat_topology_unsupported(const struct leat_topology *t, struct leat_report *report)
{
    size_t refused = 0;
    for (uint32_t i = 0; i < t->n_used; i++) {
        const struct leat_unsupported *u = &t->used[i];
        refused += u->refused ? 1 : 0;
        leat_report_add(report, u->refused ? LEAT_SEVERITY_ERROR : LEAT_SEVERITY_WARNING, &u->place,
                        "%s: %s", u->what, u->why);
    }
    return refused;
}
