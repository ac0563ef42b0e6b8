#include "cli/check_modules.h"

#include "worker/module_abi.h"
#include "worker/registry.h"

static void check_module(const struct leat_topology *t, const struct leat_place *place,
                         const char *module, struct leat_report *report)
{
    struct leat_error err = {0};
    struct leat_arena *arena = leat_arena_new(4096, 0);
    const char *path = leat_module_path(t, module, arena);
    if (path != NULL && leat_module_abi_check(path, &err) != LEAT_OK) {
        leat_report_add(report, LEAT_SEVERITY_ERROR, place, "%s", err.msg);
        leat_report_hint(report, "%s", err.hint);
    }
    leat_arena_free(arena);
}

void leat_check_modules(const struct leat_topology *t, struct leat_report *report)
{
    for (uint32_t i = 0; i < t->n_processors; i++)
        check_module(t, &t->processors[i].place, t->processors[i].module, report);
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        const struct leat_aggregate *a = &t->aggregates[i];
        bool seen = false; /* its module is often a processor's too */
        for (uint32_t j = 0; j < t->n_processors && !seen; j++)
            seen = strcmp(t->processors[j].module, a->module) == 0;
        if (!seen)
            check_module(t, &a->place, a->module, report);
    }
}
