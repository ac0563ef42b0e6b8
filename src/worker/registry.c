#include "worker/registry.h"

#include <dlfcn.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/env.h"
#include "leat/leat.h"
#include "worker/dispatch_internal.h"
#include "worker/module_abi.h"

/* Filled by constructors while dlopen runs, on the main thread, before any other thread exists. */
static struct leat_processor_def *processors;
static struct leat_aggregate_def *aggregates;

void leat_register_processor(struct leat_processor_def *def)
{
    def->next = processors;
    processors = def;
}

void leat_register_aggregate(struct leat_aggregate_def *def)
{
    def->next = aggregates;
    aggregates = def;
}

const struct leat_processor_def *leat_registry_processor(struct leat_str name)
{
    for (const struct leat_processor_def *d = processors; d != NULL; d = d->next)
        if (leat_str_eq(leat_str_of(d->name), name))
            return d;
    return NULL;
}

const struct leat_aggregate_def *leat_registry_aggregate(struct leat_str name)
{
    for (const struct leat_aggregate_def *d = aggregates; d != NULL; d = d->next)
        if (leat_str_eq(leat_str_of(d->name), name))
            return d;
    return NULL;
}

static leat_status load_file(const char *path, struct leat_error *err)
{
    leat_status status = leat_module_abi_check(path, err);
    if (status == LEAT_OK && dlopen(path, RTLD_NOW | RTLD_LOCAL) == NULL)
        status = leat_fail(err, LEAT_INVALID, "could not load module '%s': %s", path, dlerror());
    return status;
}

static struct leat_str exe_dir(struct leat_arena *arena)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    return leat_arena_copy(arena,
                           (struct leat_str){path, slash == NULL ? 0 : (uint32_t)(slash - path)});
}

/* The folders looked at, in order, as one colon list. */
static const char *search_path(const struct leat_topology *t, struct leat_arena *arena)
{
    const char *env = leat_env("LEAT_MODULES");
    struct leat_str exe = exe_dir(arena);
    return leat_arena_printf(arena,
                             "%s:%s/modules:%.*s/modules/%s:%.*s/modules:"
                             "%.*s/../lib/leat/modules",
                             env == NULL ? "" : env, t->dir, LEAT_STR_FMT(exe), t->name.at,
                             LEAT_STR_FMT(exe), LEAT_STR_FMT(exe));
}

/* Of the first folder that has it, or NULL. */
static const char *find_named(const char *places, const char *name, struct leat_arena *arena)
{
    for (const char *at = places; *at != '\0';) {
        size_t len = strcspn(at, ":");
        const char *path = leat_arena_printf(arena, "%.*s/%s.so", (int)len, at, name);
        if (len > 0 && access(path, R_OK) == 0)
            return path;
        at += len + (at[len] == ':');
    }
    return NULL;
}

const char *leat_module_path(const struct leat_topology *t, const char *module,
                             struct leat_arena *arena)
{
    if (strchr(module, '/') == NULL)
        return find_named(search_path(t, arena), module, arena);
    const char *path =
        module[0] == '/' ? module : leat_arena_printf(arena, "%s/%s", t->dir, module);
    return access(path, R_OK) == 0 ? path : NULL;
}

static leat_status fail_missing(const struct leat_topology *t, const char *module,
                                struct leat_arena *arena, struct leat_error *err)
{
    if (strchr(module, '/') != NULL)
        return leat_fail(err, LEAT_INVALID, "could not find module '%s'", module);
    (void)leat_fail(err, LEAT_INVALID, "could not find module '%s.so'", module);
    leat_error_hint(err, "Looked in %s; set LEAT_MODULES or the key `module`.",
                    search_path(t, arena));
    return LEAT_INVALID;
}

static leat_status load_module(const struct leat_topology *t, const char *module, bool required,
                               struct leat_error *err)
{
    struct leat_arena *arena = leat_arena_new(16 * 1024, 0);
    const char *path = leat_module_path(t, module, arena);
    leat_status status = LEAT_OK;
    if (path != NULL)
        status = load_file(path, err);
    else if (required || strchr(module, '/') != NULL)
        status = fail_missing(t, module, arena, err);
    leat_arena_free(arena);
    return status;
}

static bool wanted(const struct leat_str *names, size_t n, struct leat_str name)
{
    for (size_t i = 0; i < n; i++)
        if (leat_str_eq(names[i], name))
            return true;
    return n == 0;
}

leat_status leat_modules_load(const struct leat_topology *t, const struct leat_str *names, size_t n,
                              struct leat_error *err)
{
    /* An aggregate's module often holds its processors too, and theirs may hold the aggregate. */
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        const struct leat_aggregate *a = &t->aggregates[i];
        if (leat_registry_aggregate(a->name) == NULL)
            LEAT_TRY(load_module(t, a->module, false, err), err, "aggregate '%s'", a->name.at);
    }
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_processor *p = &t->processors[i];
        if (wanted(names, n, p->name) && leat_registry_processor(p->name) == NULL)
            LEAT_TRY(load_module(t, p->module, true, err), err, "processor '%s'", p->name.at);
    }
    return LEAT_OK;
}

leat_status leat_modules_load_projections(const struct leat_topology *t, struct leat_error *err)
{
    for (uint32_t i = 0; i < t->n_projections; i++) {
        const struct leat_projection *p = &t->projections[i];
        if (p->is_coded)
            LEAT_TRY(load_module(t, p->module, false, err), err, "projection '%s'", p->name.at);
    }
    return LEAT_OK;
}
