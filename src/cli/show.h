/* show.h - JSON answers as text for people: an object as lines, rows as a table. Pure. */
#ifndef LEAT_CLI_SHOW_H
#define LEAT_CLI_SHOW_H

#include "base/buf.h"
#include "base/status.h"
#include "leat/str.h"

/* "name  value" per member; values that are objects or arrays stay JSON. */
LEAT_MUST_CHECK leat_status leat_show_object(struct leat_str json, struct leat_buf *out,
                                             struct leat_error *err);
/* An array of objects: a header of the first one's members, one line each, columns cut at a bound.
 * An empty array writes nothing. */
LEAT_MUST_CHECK leat_status leat_show_rows(struct leat_str json, struct leat_buf *out,
                                           struct leat_error *err);
/* Unix ms as "2026-11-22 06:59:03.123Z". */
void leat_show_time(int64_t unix_ms, struct leat_buf *out);

#endif
