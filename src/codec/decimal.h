/* decimal.h - Avro's decimals (two's complement, big-endian, `scale` digits behind the point) as
 * text like -12.50, which is their form in JSON. Private to codec. */
#ifndef LEAT_CODEC_DECIMAL_H
#define LEAT_CODEC_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "leat/str.h"

#define LEAT_DECIMAL_BYTES_MAX 112 /* 255 digits take 107 */
#define LEAT_DECIMAL_TEXT_MAX  300

/* False: more bytes than that. No bytes are 0. Writes no NUL. */
bool leat_decimal_text(struct leat_str bytes, uint32_t scale, char text[LEAT_DECIMAL_TEXT_MAX],
                       uint32_t *ret_len);
/* The least bytes that hold the number, at the end of `room`; *ret points there. NULL when fine,
 * else what was expected: digits, one point, at most `precision` digits, `scale` of them behind the
 * point. */
const char *leat_decimal_bytes(struct leat_str text, uint32_t precision, uint32_t scale,
                               uint8_t room[LEAT_DECIMAL_BYTES_MAX], struct leat_str *ret);
/* The same number in exactly `size` bytes; false when it does not fit. */
bool leat_decimal_widen(struct leat_str bytes, uint8_t *to, uint32_t size);

#endif
