/* check_exprs.h - the expressions of projections, queries and sources against the schemas of their
 * types: fields exist, kinds fit what is done with them, time zones are installed. */
#ifndef LEAT_CLI_CHECK_EXPRS_H
#define LEAT_CLI_CHECK_EXPRS_H

#include "codec/schemas.h"
#include "topology/topology.h"

void leat_check_exprs(const struct leat_topology *t, const struct leat_schemas *schemas,
                      struct leat_report *report);
struct leat_check_path { /* of a field of `type`, wrong from step `known` on */
    struct leat_str type;
    const struct leat_str *path;
    uint32_t known;
};
/* "'OrderPlaced' has no field 'totl_cents'" with the nearest. */
void leat_check_no_field(struct leat_report *report, leat_severity severity,
                         const struct leat_place *place, const struct leat_schema *s,
                         const struct leat_check_path *at);

#endif
