/* dead_lines.h - a dead letter as a line of JSON and back, without loss: bytes are base64, times
 * are microseconds. Beside them stands `decoded`, for people; reading skips it. Pure. */
#ifndef LEAT_QUERY_DEAD_LINES_H
#define LEAT_QUERY_DEAD_LINES_H

#include "codec/schemas.h"
#include "store/operators.h"

#define LEAT_DEAD_LINE_MAX (64U << 20)

/* Appends the line with its end. */
void leat_dead_line_put(const struct leat_schemas *schemas, const struct leat_dead_row *d,
                        struct leat_buf *out);
/* INVALID names the field. One that was being redriven is dead again, as what was under way is not
 * in the line. Memory: the arena's, and the line's own. */
LEAT_MUST_CHECK leat_status leat_dead_line_read(struct leat_str line, struct leat_arena *arena,
                                                struct leat_dead_row *ret, struct leat_error *err);

#endif
