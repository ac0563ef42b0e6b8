/* zone.h - local time by IANA zone name, read from the system's zone files. Immutable once loaded;
 * any thread. Kept for the process: few zones are ever named. */
#ifndef LEAT_PROJECTION_ZONE_H
#define LEAT_PROJECTION_ZONE_H

#include <stdint.h>

#include "base/status.h"

struct leat_zone;

/* "Europe/Berlin". NULL or "UTC": no file is read. INVALID when there is no such zone. */
LEAT_MUST_CHECK leat_status leat_zone_load(const char *name, const struct leat_zone **ret,
                                           struct leat_error *err);
/* Seconds east of UTC at that time. zone NULL = UTC. */
int32_t leat_zone_offset(const struct leat_zone *zone, int64_t unix_s);

#endif
