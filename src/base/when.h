/* when.h - a moment as a person gives it: "15m" (ago), "2026-11-22", "2026-11-22T10:00:00Z", with a
 * fraction of a second or an offset as RFC 3339 has them. Pure. */
#ifndef LEAT_BASE_WHEN_H
#define LEAT_BASE_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#include "leat/str.h"

#define LEAT_WHEN_FORMS "15m (ago), 2026-11-22 or 2026-11-22T10:00:00Z"

/* Unix microseconds; UTC where no offset is given. */
bool leat_when_parse(struct leat_str text, int64_t now_us, int64_t *ret_us);

#endif
