/* names.h - lists of names and of properties, as the topology keeps them. Immutable. */
#ifndef LEAT_TOPOLOGY_NAMES_H
#define LEAT_TOPOLOGY_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "leat/str.h"

struct leat_prop { /* a property handed on to somebody else: Kafka, a module */
    const char *name, *value;
};
struct leat_props {
    const struct leat_prop *at;
    uint32_t n;
};
struct leat_names {
    const struct leat_str *at;
    uint32_t n;
};

bool leat_names_has(const struct leat_names *names, struct leat_str name);
/* Value of a property, or `fallback`. */
const char *leat_props_get(const struct leat_props *props, const char *name, const char *fallback);

#endif
