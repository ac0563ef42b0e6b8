/* plan_models.c - read models on this machine beside their declarations. `leat run` builds them;
 * nothing here is asked of apply. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>

#include "cli/plan.h"
#include "projection/redis_copy.h"
#include "projection/versions.h"

#define CURRENT ".current"

static void plan_model(struct leat_change_plan *p, const struct leat_projection *m)
{
    char version[LEAT_VERSION_BYTES];
    char hash[24];
    struct leat_error err = {0};
    bool in_redis = m->store == LEAT_MODEL_REDIS;
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, m->hash);
    leat_status st = in_redis ? leat_redis_current(p->s.topology, m, version, &err)
                              : leat_version_current(p->s.data_dir, m->name, version, &err);
    if (st == LEAT_ABSENT)
        leat_change_plan_add(p, LEAT_PLAN_MODELS, LEAT_PLAN_MAKE, m->name.at,
                             leat_arena_printf(p->s.arena, "not built yet in %s",
                                               in_redis ? "Redis" : p->s.data_dir));
    else if (st != LEAT_OK)
        leat_change_plan_add(p, LEAT_PLAN_MODELS, LEAT_PLAN_LEAVE, m->name.at,
                             leat_arena_printf(p->s.arena, "%s", err.msg));
    else if (strncmp(version, hash, 16) != 0)
        leat_change_plan_add(p, LEAT_PLAN_MODELS, LEAT_PLAN_CHANGE, m->name.at,
                             "its declaration changed: built from the store beside the one in use, "
                             "then switched to");
}

static void plan_undeclared(struct leat_change_plan *p, const char *file)
{
    size_t len = strlen(file);
    size_t tail = sizeof CURRENT - 1;
    if (len <= tail || strcmp(file + len - tail, CURRENT) != 0)
        return;
    struct leat_str name = {file, (uint32_t)(len - tail)};
    if (leat_topology_projection(p->s.topology, name) == NULL)
        leat_change_plan_add(p, LEAT_PLAN_MODELS, LEAT_PLAN_LEAVE,
                             leat_arena_cstr(p->s.arena, name),
                             "not declared (any more): its files stay");
}

void leat_plan_models(struct leat_change_plan *p)
{
    for (uint32_t i = 0; i < p->s.topology->n_projections; i++)
        plan_model(p, &p->s.topology->projections[i]);
    DIR *d = opendir(leat_arena_printf(p->s.arena, "%s/models", p->s.data_dir));
    const struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL)
        plan_undeclared(p, e->d_name);
    if (d != NULL)
        (void)closedir(d);
}
