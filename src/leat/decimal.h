/* decimal.h - Avro's decimals in C: a field of logical type decimal(p, s) is a struct leat_str of
 * bytes (or a fixed array), two's complement, big-endian; its number is the integer they are,
 * divided by 10^s. In JSON it is text: "12.50". */
#ifndef LEAT_DECIMAL_H
#define LEAT_DECIMAL_H

#include <stdbool.h>
#include <stdint.h>

#include "leat/str.h"

/* The integer; false when it does not fit 64 bits. 1250 for 12.50 with scale 2. */
static inline bool leat_decimal_get(struct leat_str bytes, int64_t *ret)
{
    int64_t v = bytes.len > 0 && (bytes.at[0] & 0x80) != 0 ? -1 : 0;
    int64_t fill = v;
    for (uint32_t i = 0; i < bytes.len; i++) {
        if (bytes.len - i > 8 && (uint8_t)bytes.at[i] != (uint8_t)fill)
            return false;
        v = (int64_t)((uint64_t)v << 8 | (uint8_t)bytes.at[i]);
    }
    *ret = v;
    return (v < 0) == (fill < 0);
}

/* The bytes of `v`, least in number, in `room`. */
static inline struct leat_str leat_decimal_put(int64_t v, uint8_t room[8])
{
    uint32_t from = 0;
    for (uint32_t i = 0; i < 8; i++)
        room[i] = (uint8_t)((uint64_t)v >> (56 - 8 * i));
    while (from < 7 && ((room[from] == 0 && room[from + 1] < 0x80) ||
                        (room[from] == 0xff && room[from + 1] >= 0x80)))
        from++;
    return (struct leat_str){(const char *)room + from, 8 - from};
}

#endif
