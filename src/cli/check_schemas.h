/* check_schemas.h - what `leat check` says about schemas: each parses, and what the topology names
 * in them (an aggregate's key, `$.field` of projections) is there. */
#ifndef LEAT_CLI_CHECK_SCHEMAS_H
#define LEAT_CLI_CHECK_SCHEMAS_H

#include "topology/topology.h"

/* Findings go to *report. Nothing is said about a type without a file: the loader did. */
void leat_check_schemas(const struct leat_topology *t, struct leat_report *report);

#endif
