/* units.h - numbers as people write them: "15", "30s", "1MiB". Pure. A unit is compulsory for
 * durations and sizes, so that nobody has to guess what a bare 30 means. */
#ifndef LEAT_BASE_UNITS_H
#define LEAT_BASE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

#include "leat/str.h"

typedef enum leat_units {
    LEAT_UNITS_OK = 0,
    LEAT_UNITS_MALFORMED, /* not a number */
    LEAT_UNITS_NO_UNIT,   /* a bare number where a unit belongs */
    LEAT_UNITS_UNKNOWN,   /* a unit, but none of ours */
    LEAT_UNITS_TOO_LARGE, /* does not fit int64 */
} leat_units;

leat_units leat_parse_int(struct leat_str text, int64_t *ret); /* -12, 0, 1_000 is malformed */
leat_units leat_parse_duration(struct leat_str text, int64_t *ret_ms); /* ms s m h d w; 1h30m */
leat_units leat_parse_size(struct leat_str text,
                           int64_t *ret_bytes); /* B KiB MiB GiB TiB kB MB … */

#define LEAT_UNITS_TEXT 32
/* The shortest exact form: 90000 ms is "90s", 1048576 bytes is "1MiB". */
const char *leat_format_duration(int64_t ms, char ret_text[LEAT_UNITS_TEXT]);
const char *leat_format_size(int64_t bytes, char ret_text[LEAT_UNITS_TEXT]);

#define LEAT_INT_TEXT 24
/* Decimal digits, written to the end of `room` and ended by a NUL. */
struct leat_str leat_int_text(int64_t value, char room[LEAT_INT_TEXT]);

#endif
