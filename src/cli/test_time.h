/* test_time.h - RFC 3339 text to unix milliseconds or days. Pure. */
#ifndef LEAT_CLI_TEST_TIME_H
#define LEAT_CLI_TEST_TIME_H

#include <stdbool.h>
#include <stdint.h>

#include "leat/str.h"

/* "2026-03-01T10:00:00Z", with a fraction of a second (cut to ms) or an offset as RFC 3339 has
 * them; years 1970 to 9999. */
bool leat_parse_time(struct leat_str text, int64_t *ret_unix_ms);
/* "2026-03-01", as days since 1970-01-01; the same years. */
bool leat_parse_date(struct leat_str text, int64_t *ret_days);

#endif
