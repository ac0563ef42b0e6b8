#include "worker/registry.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "leat/leat.h"
#include "worker/dispatch_internal.h"

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

static bool try_file(const char *path, bool *ret_found, struct leat_error *err)
{
    *ret_found = access(path, R_OK) == 0;
    if (!*ret_found)
        return true;
    if (dlopen(path, RTLD_NOW | RTLD_LOCAL) != NULL)
        return true;
    (void)leat_fail(err, LEAT_INVALID, "could not load module '%s': %s", path, dlerror());
    return false;
}

static void exe_dir(char *ret, size_t room)
{
    ssize_t n = readlink("/proc/self/exe", ret, room - 1);
    ret[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(ret, '/');
    if (slash != NULL)
        *slash = '\0';
}

/* The folders looked at, in order, as one colon list. */
static void search_path(const struct leat_topology *t, char *ret, size_t room)
{
    const char *env = getenv("LEAT_MODULES");
    char exe[PATH_MAX / 2];
    exe_dir(exe, sizeof exe);
    (void)snprintf(ret, room, "%s%s%s/modules:%s/modules:%s/../lib/leat/modules",
                   env == NULL ? "" : env, env == NULL ? "" : ":", t->dir, exe, exe);
}

static leat_status load_named(const struct leat_topology *t, const char *name, bool required,
                              struct leat_error *err)
{
    char places[PATH_MAX], path[PATH_MAX + 256];
    bool found = false;
    search_path(t, places, sizeof places);
    for (const char *at = places; *at != '\0' && !found;) {
        size_t len = strcspn(at, ":");
        (void)snprintf(path, sizeof path, "%.*s/%s.so", (int)len, at, name);
        if (len > 0 && !try_file(path, &found, err))
            return LEAT_INVALID;
        at += len + (at[len] == ':');
    }
    if (found || !required)
        return LEAT_OK;
    leat_error_hint(err, "Looked in %s; set LEAT_MODULES or the key `module`.", places);
    return leat_fail(err, LEAT_INVALID, "could not find module '%s.so'", name);
}

static leat_status load_module(const struct leat_topology *t, const char *module, bool required,
                               struct leat_error *err)
{
    if (strchr(module, '/') == NULL)
        return load_named(t, module, required, err);
    char path[PATH_MAX];
    (void)snprintf(path, sizeof path, "%s%s%s", module[0] == '/' ? "" : t->dir,
                   module[0] == '/' ? "" : "/", module);
    bool found = false;
    if (!try_file(path, &found, err))
        return LEAT_INVALID;
    return found ? LEAT_OK : leat_fail(err, LEAT_INVALID, "could not find module '%s'", path);
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
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_processor *p = &t->processors[i];
        if (wanted(names, n, p->name) && leat_registry_processor(p->name) == NULL)
            LEAT_TRY(load_module(t, p->module, true, err), err, "processor '%s'", p->name.at);
    }
    /* An aggregate usually lives in a module of its processors; of its own it need not have one. */
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        const struct leat_aggregate *a = &t->aggregates[i];
        if (leat_registry_aggregate(a->name) == NULL)
            LEAT_TRY(load_module(t, a->module, false, err), err, "aggregate '%s'", a->name.at);
    }
    return LEAT_OK;
}
