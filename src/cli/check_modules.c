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

/* Said once, and only when nothing else is wrong: they are usually built last. */
static void note_missing(const struct leat_topology *t, struct leat_report *report)
{
    struct leat_arena *arena = leat_arena_new(4096, 0);
    const struct leat_place *first = NULL;
    const char *names = "";
    for (uint32_t i = 0; i < t->n_processors && report->errors == 0; i++) {
        const struct leat_processor *p = &t->processors[i];
        bool seen = false;
        for (uint32_t j = 0; j < i && !seen; j++)
            seen = strcmp(t->processors[j].module, p->module) == 0;
        if (seen || leat_module_path(t, p->module, arena) != NULL)
            continue;
        if (p->aggregate != NULL && leat_module_path(t, p->aggregate->module, arena) != NULL)
            continue; /* which may hold the processor too */
        names = leat_arena_printf(arena, "%s%s%s", names, first == NULL ? "" : ", ", p->module);
        first = first == NULL ? &p->place : first;
    }
    for (uint32_t i = 0; i < t->n_projections && report->errors == 0; i++) {
        const struct leat_projection *p = &t->projections[i];
        if (!p->is_coded || leat_module_path(t, p->module, arena) != NULL)
            continue;
        names = leat_arena_printf(arena, "%s%s%s", names, first == NULL ? "" : ", ", p->module);
        first = first == NULL ? &p->place : first;
    }
    if (first != NULL) {
        leat_report_add(report, LEAT_SEVERITY_NOTE, first, "no module yet: %s", names);
        leat_report_hint(report, "looked for in $LEAT_MODULES, in modules beside this file, and "
                                 "beside the program");
    }
    leat_arena_free(arena);
}

void leat_check_modules(const struct leat_topology *t, struct leat_report *report)
{
    note_missing(t, report);
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
    for (uint32_t i = 0; i < t->n_projections; i++) {
        if (t->projections[i].is_coded)
            check_module(t, &t->projections[i].place, t->projections[i].module, report);
    }
}
