/* base64.h - bytes as text and back (RFC 4648 section 4, with padding). Pure. */
#ifndef LEAT_BASE_BASE64_H
#define LEAT_BASE_BASE64_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "leat/str.h"

void leat_base64_put(struct leat_buf *out, struct leat_str bytes);
/* False unless it is the one text of some bytes: other characters, missing padding and bits that
 * mean nothing are refused. Bytes in the arena. */
bool leat_base64_read(struct leat_str text, struct leat_arena *arena, struct leat_str *ret);

#endif
