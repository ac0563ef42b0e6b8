/* yaml.h - a YAML text as a tree of our own: the one place that knows libfyaml. Of this folder,
 * and of src/cli/test_*, whose files are YAML too.
 *
 * Aliases share the anchored node instead of copying it and merge keys are worked in. A walk of the
 * tree is bounded all the same: what it would visit, aliases followed, is counted while parsing.
 * Keys are plain text, in the file's order, each once; variables are replaced in values. */
#ifndef LEAT_TOPOLOGY_YAML_H
#define LEAT_TOPOLOGY_YAML_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "leat/str.h"
#include "topology/report.h"

#define LEAT_YAML_BYTES_MAX  (1024 * 1024)
#define LEAT_YAML_NODES_MAX  100000
#define LEAT_YAML_DEPTH_MAX  24
#define LEAT_YAML_WEIGHT_MAX 200000 /* values, each alias counted as what it stands for */

typedef enum leat_yaml_kind {
    LEAT_YAML_SCALAR,
    LEAT_YAML_LIST,
    LEAT_YAML_MAP,
} leat_yaml_kind;

struct leat_yaml;

struct leat_yaml_pair {
    struct leat_str key;
    struct leat_place place; /* of the key */
    struct leat_yaml *value;
};

struct leat_yaml {
    leat_yaml_kind kind;
    bool plain;    /* SCALAR: unquoted */
    bool null;     /* SCALAR: empty, ~ or null, unquoted */
    bool replaced; /* SCALAR: text differs from raw and may be a secret: quote raw in messages */
    struct leat_place place;
    struct leat_str raw;     /* SCALAR, as in the file; NUL-terminated */
    struct leat_str text;    /* SCALAR, variables replaced; NUL-terminated */
    uint32_t weight, height; /* values below and including this one; levels */
    uint32_t n;
    union {
        struct leat_yaml_pair *pairs; /* MAP */
        struct leat_yaml **items;     /* LIST */
    };
};

/* Everything is in `arena`. Mistakes go to the report; NULL when there is no tree at all (syntax
 * error, empty text, a bound exceeded). */
struct leat_yaml *leat_yaml_parse(struct leat_arena *arena, const char *file, struct leat_str text,
                                  struct leat_report *report);
/* NULL when absent; n may be NULL. */
struct leat_yaml *leat_yaml_get(const struct leat_yaml *map, struct leat_str key);
/* Contents without places and comments; equal trees hash equal. */
uint64_t leat_yaml_hash(const struct leat_yaml *n, uint64_t seed);
/* The including map keeps what it has; nested maps are merged, anything else is taken whole. */
struct leat_yaml *leat_yaml_merge(struct leat_arena *arena, const struct leat_yaml *into,
                                  const struct leat_yaml *from);

#endif
