/* check_schemas.h - what `leat check` says about schemas: the files themselves, and that what the
 * topology names in them (an aggregate's key, `$.field`) is there and of a kind that fits. */
#ifndef LEAT_CLI_CHECK_SCHEMAS_H
#define LEAT_CLI_CHECK_SCHEMAS_H

#include "topology/topology.h"

/* Findings go to *report. Nothing is said about a type without a file: the loader did. The topology
 * may be one with mistakes (leat_topology_inspect()). */
void leat_check_schemas(const struct leat_topology *t, struct leat_report *report);

#endif
