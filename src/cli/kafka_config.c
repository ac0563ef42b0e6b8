#include "cli/kafka_config.h"

struct leat_kafka_config leat_cli_kafka_config(const struct leat_topology *t, const char *verb,
                                               struct leat_arena *arena)
{
    const struct leat_props *common = &t->kafka.common;
    struct leat_kafka_prop *props = leat_arena_zalloc(arena, common->n + 1u, sizeof *props);
    for (uint32_t i = 0; i < common->n; i++)
        props[i] = (struct leat_kafka_prop){common->at[i].name, common->at[i].value};
    return (struct leat_kafka_config){props, common->n,
                                      leat_arena_printf(arena, "%s.%s", t->name.at, verb)};
}
