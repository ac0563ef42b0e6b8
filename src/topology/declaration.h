/* declaration.h - one projection as a topology of its own, as text: kept beside the rows it made,
 * so that they can be kept up to date when the topology's file says something else by now. Holds
 * what decides rows and nothing of servers. */
#ifndef LEAT_TOPOLOGY_DECLARATION_H
#define LEAT_TOPOLOGY_DECLARATION_H

#include "base/buf.h"
#include "topology/topology.h"

#define LEAT_DECLARATION_BYTES_MAX ((size_t)1 << 20)

void leat_declaration_text(const struct leat_topology *t, const struct leat_projection *p,
                           struct leat_buf *out);
/* Its only projection is that one; its hash is still of the declaration alone. INVALID: the text is
 * not understood (any more). Free with leat_topology_free(). */
LEAT_MUST_CHECK leat_status leat_declaration_load(struct leat_str text, struct leat_topology **ret,
                                                  struct leat_error *err);

#endif
