#include "cli/test_file.h"

#include "base/suggest.h"
#include "topology/files.h"

#define AT_DEFAULT_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z: a time without meaning */
#define OPTIONS_DEPTH 8

#define MISTAKE(r, place, ...)                                                                     \
    leat_report_add((r)->report, LEAT_SEVERITY_ERROR, (place), __VA_ARGS__)

static const char *const case_keys[] = {"it", "processor", "given",    "when", "then",
                                        "at", "options",   "priority", "open", "unknown"};

static struct leat_yaml *get(const struct leat_yaml *map, const char *key)
{
    return leat_yaml_get(map, leat_str_of(key));
}

static bool is_extension(struct leat_str key)
{
    return key.len > 2 && key.at[0] == 'x' && key.at[1] == '-';
}

/* ---- a case ---- */

static void check_keys(struct leat_test_reading *r, const struct leat_yaml *node)
{
    for (uint32_t i = 0; i < node->n; i++) {
        const struct leat_yaml_pair *pair = &node->pairs[i];
        struct leat_suggest near;
        bool known = is_extension(pair->key);
        leat_suggest_start(&near, pair->key);
        for (size_t k = 0; k < sizeof case_keys / sizeof case_keys[0]; k++) {
            known = known || leat_str_eq(pair->key, leat_str_of(case_keys[k]));
            leat_suggest_offer_cstr(&near, case_keys[k]);
        }
        if (known)
            continue;
        MISTAKE(r, &pair->place, "a case has no key '%.*s'", LEAT_STR_FMT(pair->key));
        if (near.best.len > 0)
            leat_report_hint(r->report, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
        else
            leat_report_hint(r->report, "keys are it, processor, given, when, then, at, options, "
                                        "priority, open, unknown");
    }
}

/* The only processor that handles what is in `when`; NULL when that is not one. */
static const struct leat_processor *processor_of(const struct leat_topology *t,
                                                 const struct leat_yaml *when)
{
    const struct leat_processor *found = NULL;
    if (when != NULL && when->kind == LEAT_YAML_LIST)
        when = when->n > 0 ? when->items[0] : NULL;
    if (when == NULL || when->kind != LEAT_YAML_MAP)
        return NULL;
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_processor *p = &t->processors[i];
        bool handles = false;
        for (uint32_t j = 0; j < when->n; j++)
            handles = handles || leat_names_has(&p->commands, when->pairs[j].key) ||
                      leat_names_has(&p->events, when->pairs[j].key);
        if (handles && found != NULL)
            return NULL;
        found = handles ? p : found;
    }
    return found;
}

static const struct leat_processor *find_processor(struct leat_test_reading *r,
                                                   const struct leat_yaml *node)
{
    const struct leat_topology *t = r->env->topology;
    const struct leat_yaml *name = get(node, "processor");
    struct leat_suggest near;
    if (name == NULL) {
        const struct leat_processor *found = processor_of(t, get(node, "when"));
        if (found == NULL)
            MISTAKE(r, &node->place, "the case names no 'processor'");
        return found;
    }
    const struct leat_processor *p =
        name->kind == LEAT_YAML_SCALAR ? leat_topology_processor(t, name->text) : NULL;
    if (p != NULL)
        return p;
    if (name->kind != LEAT_YAML_SCALAR) {
        MISTAKE(r, &name->place, "'processor' takes a name");
        return NULL;
    }
    leat_suggest_start(&near, name->text);
    for (uint32_t i = 0; i < t->n_processors; i++)
        leat_suggest_offer(&near, t->processors[i].name);
    MISTAKE(r, &name->place, "topology '%s' has no processor '%s'", t->name.at, name->raw.at);
    if (near.best.len > 0)
        leat_report_hint(r->report, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return NULL;
}

/* One mapping, or a list of them; nothing and [] are none. */
static uint32_t items_of(struct leat_test_reading *r, struct leat_yaml **node, const char *what,
                         struct leat_yaml ***ret)
{
    struct leat_yaml *n = *node;
    if (n == NULL ||
        (n->kind == LEAT_YAML_SCALAR && (n->null || leat_str_eq(n->text, LEAT_STR("nothing")))))
        return 0;
    if (n->kind == LEAT_YAML_LIST) {
        *ret = n->items;
        return n->n;
    }
    if (n->kind == LEAT_YAML_MAP) {
        *ret = node;
        return 1;
    }
    MISTAKE(r, &n->place, "'%s' takes {Type: {field: value}}, or a list of them", what);
    return 0;
}

static void add_options(struct leat_test_reading *r, const struct leat_yaml *node,
                        const char *prefix, int depth, struct leat_test_case *c, size_t *cap)
{
    struct leat_arena *arena = r->env->arena;
    if (node->kind == LEAT_YAML_SCALAR) {
        struct leat_prop *at = leat_arena_grow(arena, (void *)(uintptr_t)c->options.at, sizeof *at,
                                               cap, (size_t)c->options.n + 1);
        at[c->options.n++] = (struct leat_prop){prefix, node->text.at};
        c->options.at = at;
        return;
    }
    for (uint32_t i = 0; i < node->n && depth < OPTIONS_DEPTH; i++) {
        const char *dot = prefix[0] == '\0' ? "" : ".";
        bool map = node->kind == LEAT_YAML_MAP;
        const char *name = map ? leat_arena_printf(arena, "%s%s%.*s", prefix, dot,
                                                   LEAT_STR_FMT(node->pairs[i].key))
                               : leat_arena_printf(arena, "%s%s%u", prefix, dot, i);
        add_options(r, map ? node->pairs[i].value : node->items[i], name, depth + 1, c, cap);
    }
}

static void read_options(struct leat_test_reading *r, const struct leat_yaml *node,
                         struct leat_test_case *c)
{
    size_t cap = 0;
    if (node == NULL)
        return;
    if (node->kind != LEAT_YAML_MAP) {
        MISTAKE(r, &node->place, "'options' takes {name: value}");
        return;
    }
    add_options(r, node, "", 0, c, &cap);
}

/* False after a mistake. */
static bool read_service(struct leat_test_reading *r, const struct leat_yaml *name, const char *key,
                         struct leat_str *ret)
{
    const struct leat_processor *p = r->processor;
    struct leat_suggest near;
    if (name->kind != LEAT_YAML_SCALAR) {
        MISTAKE(r, &name->place, "'%s' takes names of services", key);
        return false;
    }
    leat_suggest_start(&near, name->text);
    for (uint32_t i = 0; i < p->n_calls; i++) {
        leat_suggest_offer(&near, p->calls[i].name);
        if (leat_str_eq(p->calls[i].name, name->text)) {
            *ret = name->text;
            return true;
        }
    }
    MISTAKE(r, &name->place, "processor '%s' has no '%s' in its calls", p->name.at, name->raw.at);
    if (near.best.len > 0)
        leat_report_hint(r->report, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return false;
}

static void read_services(struct leat_test_reading *r, const struct leat_yaml *node,
                          const char *key, struct leat_names *ret)
{
    if (node == NULL)
        return;
    bool list = node->kind == LEAT_YAML_LIST;
    uint32_t n = list ? node->n : 1, kept = 0;
    struct leat_str *names = leat_arena_zalloc(r->env->arena, (size_t)n + 1, sizeof *names);
    for (uint32_t i = 0; i < n; i++)
        kept += read_service(r, list ? node->items[i] : node, key, &names[kept]) ? 1 : 0;
    *ret = (struct leat_names){names, kept};
}

static void read_unknown(struct leat_test_reading *r, const struct leat_yaml *node,
                         struct leat_test_case *c)
{
    read_services(r, node, "unknown", &c->unknown);
    for (uint32_t i = 0; i < c->processor->n_calls; i++)
        if (c->processor->calls[i].effects != LEAT_EFFECTS_CLAIM &&
            leat_names_has(&c->unknown, c->processor->calls[i].name))
            MISTAKE(r, &node->place, "'%s' of processor '%s' has no `effects: claim`",
                    c->processor->calls[i].name.at, c->processor->name.at);
}

/* A given event belongs to the stream of its key field; without one, to that of the first message.
 * One whose stream no message touches is a slip of the pen. */
static void match_keys(struct leat_test_reading *r, struct leat_test_case *c)
{
    for (uint32_t i = 0; i < c->n_given; i++) {
        struct leat_test_message *e = &c->given[i];
        bool touched = c->n_when == 0;
        if (e->key.len == 0 && c->n_when > 0)
            e->key = c->when[0].key;
        for (uint32_t j = 0; j < c->n_when; j++)
            touched = touched || leat_str_eq(c->when[j].key, e->key);
        if (!touched)
            MISTAKE(r, &e->place, "%.*s is of key '%.*s', and nothing in `when` is",
                    LEAT_STR_FMT(e->type), LEAT_STR_FMT(e->key));
    }
}

static void read_messages(struct leat_test_reading *r, struct leat_yaml *node,
                          struct leat_test_case *c)
{
    struct leat_arena *arena = r->env->arena;
    struct leat_yaml **items = NULL, *given = get(node, "given"), *when = get(node, "when"),
                     *then = get(node, "then");
    uint32_t n = items_of(r, &given, "given", &items);
    c->given = leat_arena_zalloc(arena, (size_t)n + 1, sizeof *c->given);
    for (uint32_t i = 0; i < n; i++)
        c->n_given += leat_test_given(r, items[i], &c->given[c->n_given]) ? 1 : 0;
    bool complete = c->n_given == n;

    n = items_of(r, &when, "when", &items);
    c->when = leat_arena_zalloc(arena, (size_t)n + 1, sizeof *c->when);
    for (uint32_t i = 0; i < n; i++)
        c->n_when += leat_test_when(r, items[i], &c->when[c->n_when]) ? 1 : 0;
    if (n == 0)
        MISTAKE(r, when == NULL ? &node->place : &when->place, "the case has nothing in 'when'");
    complete = complete && c->n_when == n;

    if (then == NULL) {
        MISTAKE(r, &node->place, "the case says nothing of 'then'");
        leat_report_hint(r->report, "`then: nothing` when nothing is to come of it");
    }
    n = items_of(r, &then, "then", &items);
    c->then = leat_arena_zalloc(arena, (size_t)n + 1, sizeof *c->then);
    for (uint32_t i = 0; i < n; i++)
        c->n_then += leat_test_then(r, items[i], &c->then[c->n_then]) ? 1 : 0;
    if (complete)
        match_keys(r, c);
}

static void read_case(struct leat_test_reading *r, struct leat_yaml *node, struct leat_test_case *c)
{
    const struct leat_yaml *it = get(node, "it"), *at = get(node, "at"),
                           *priority = get(node, "priority");
    struct leat_str name = {0};
    *c = (struct leat_test_case){.place = node->place};
    check_keys(r, node);
    if (it == NULL || it->kind != LEAT_YAML_SCALAR || it->text.len == 0)
        MISTAKE(r, it == NULL ? &node->place : &it->place, "a case says in 'it' what it shows");
    else
        c->it = it->text;
    r->at_ms = AT_DEFAULT_MS;
    r->processor = c->processor = find_processor(r, node);
    if (c->processor == NULL)
        return;
    if (at != NULL)
        (void)leat_test_at(r, at, &r->at_ms);
    if (priority != NULL)
        (void)leat_test_priority(r, priority, &name);
    read_options(r, get(node, "options"), c);
    read_services(r, get(node, "open"), "open", &c->open);
    read_unknown(r, get(node, "unknown"), c);
    read_messages(r, node, c);
    for (uint32_t i = 0; i < c->n_when; i++)
        if (c->when[i].priority.len == 0)
            c->when[i].priority = name;
}

/* ---- a file ---- */

/* An item with extension keys alone is a place for anchors. */
static bool is_case(const struct leat_yaml *item)
{
    for (uint32_t i = 0; item->kind == LEAT_YAML_MAP && i < item->n; i++)
        if (!is_extension(item->pairs[i].key))
            return true;
    return item->kind != LEAT_YAML_MAP;
}

static bool is_foreign(const struct leat_topology *t, const struct leat_yaml *root)
{
    for (uint32_t i = 0; i < root->n; i++) {
        const struct leat_yaml *item = root->items[i];
        const struct leat_yaml *name = get(item, "processor");
        if (!is_case(item))
            continue;
        if (name == NULL
                ? processor_of(t, get(item, "when")) != NULL
                : name->kind != LEAT_YAML_SCALAR || leat_topology_processor(t, name->text) != NULL)
            return false;
    }
    return root->n > 0;
}

leat_status leat_test_file_read(const struct leat_test_env *env, const char *path,
                                bool maybe_foreign, struct leat_report *report,
                                struct leat_test_file *ret, struct leat_error *err)
{
    struct leat_test_reading r = {.env = env, .report = report};
    struct leat_str text;
    LEAT_TRY(leat_files_read(env->arena, path, LEAT_TEST_FILE_BYTES_MAX, &text, err), err, "%s",
             path);
    *ret = (struct leat_test_file){.path = path};
    struct leat_place top = {path, 1, 1};
    size_t errors = report->errors;
    struct leat_yaml *root = leat_yaml_parse(env->arena, path, text, report);
    if (root == NULL || root->kind != LEAT_YAML_LIST) {
        if (report->errors == errors) {
            leat_report_add(report, LEAT_SEVERITY_ERROR, root == NULL ? &top : &root->place,
                            "a file of tests is a list of cases");
            leat_report_hint(report, "each begins with `- it: what it shows`");
        }
        return LEAT_OK;
    }
    if (maybe_foreign && is_foreign(env->topology, root)) {
        ret->foreign = true;
        return LEAT_OK;
    }
    ret->cases = leat_arena_zalloc(env->arena, (size_t)root->n + 1, sizeof *ret->cases);
    for (uint32_t i = 0; i < root->n; i++) {
        if (!is_case(root->items[i]))
            continue;
        if (root->items[i]->kind == LEAT_YAML_MAP)
            read_case(&r, root->items[i], &ret->cases[ret->n++]);
        else
            MISTAKE(&r, &root->items[i]->place, "a case is a mapping: it, processor, when, then");
    }
    return LEAT_OK;
}
