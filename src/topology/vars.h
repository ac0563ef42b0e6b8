/* vars.h - variables inside scalars: ${V} ${V:-default} ${V:?message} ${file:path} and
 * ${file:path:-default} ($$ is a dollar sign). Any other `$` stays as it is: `$.field` is an
 * expression. A variable never makes YAML structure. Private to this folder. */
#ifndef LEAT_TOPOLOGY_VARS_H
#define LEAT_TOPOLOGY_VARS_H

#include "base/arena.h"
#include "leat/str.h"
#include "topology/report.h"

/* The text itself (same pointer) when there is nothing to replace, else a NUL-terminated copy.
 * Files are looked for beside the file of `place`. Mistakes go to the report. */
struct leat_str leat_vars_replace(struct leat_arena *arena, struct leat_str text,
                                  const struct leat_place *place, struct leat_report *report);

#endif
