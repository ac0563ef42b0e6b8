#include "codec/decimal.h"

#include <string.h>

/* Divides the magnitude by ten in place; the remainder. */
static uint32_t divide(uint8_t *at, uint32_t len)
{
    uint32_t rest = 0;
    for (uint32_t i = 0; i < len; i++) {
        uint32_t v = rest << 8 | at[i];
        at[i] = (uint8_t)(v / 10);
        rest = v % 10;
    }
    return rest;
}

static void negate(uint8_t *at, uint32_t len)
{
    uint32_t carry = 1;
    for (uint32_t i = len; i-- > 0;) {
        carry += (uint8_t)~at[i];
        at[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

static bool is_zero(const uint8_t *at, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++) {
        if (at[i] != 0)
            return false;
    }
    return true;
}

bool leat_decimal_text(struct leat_str bytes, uint32_t scale, char text[LEAT_DECIMAL_TEXT_MAX],
                       uint32_t *ret_len)
{
    uint8_t magnitude[LEAT_DECIMAL_BYTES_MAX] = {0};
    char digits[LEAT_DECIMAL_TEXT_MAX];
    uint32_t n = 0;
    uint32_t len = 0;
    if (bytes.len > sizeof magnitude || scale > 254)
        return false;
    if (bytes.len > 0)
        memcpy(magnitude, bytes.at, bytes.len);
    bool negative = bytes.len > 0 && (magnitude[0] & 0x80) != 0;
    if (negative)
        negate(magnitude, bytes.len);
    while (n <= scale || !is_zero(magnitude, bytes.len))
        digits[n++] = (char)('0' + divide(magnitude, bytes.len));
    if (negative)
        text[len++] = '-';
    while (n > 0) {
        if (n == scale)
            text[len++] = '.';
        text[len++] = digits[--n];
    }
    *ret_len = len;
    return true;
}

static bool add_digit(uint8_t room[LEAT_DECIMAL_BYTES_MAX], uint32_t digit)
{
    for (uint32_t i = LEAT_DECIMAL_BYTES_MAX; i-- > 0;) {
        digit += room[i] * 10u;
        room[i] = (uint8_t)digit;
        digit >>= 8;
    }
    return digit == 0 && (room[0] & 0x80) == 0;
}

const char *leat_decimal_bytes(struct leat_str text, uint32_t precision, uint32_t scale,
                               uint8_t room[LEAT_DECIMAL_BYTES_MAX], struct leat_str *ret)
{
    uint32_t i = text.len > 0 && (text.at[0] == '-' || text.at[0] == '+') ? 1 : 0;
    bool negative = i == 1 && text.at[0] == '-';
    bool point = false;
    uint32_t digits = 0;
    uint32_t used = 0; /* from the first that is not 0 */
    uint32_t behind = 0;
    memset(room, 0, LEAT_DECIMAL_BYTES_MAX);
    for (; i < text.len; i++) {
        char c = text.at[i];
        if (c == '.' && !point && digits > 0) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            return "a decimal like \"-12.50\"";
        digits++;
        if (point && behind == scale && c != '0')
            return "a decimal with fewer digits behind the point";
        if (point && behind == scale)
            continue;
        behind += point;
        used += used > 0 || c != '0';
        if (used > precision || !add_digit(room, (uint32_t)(c - '0')))
            return "a decimal with fewer digits";
    }
    if (digits == 0 || text.at[text.len - 1] == '.')
        return "a decimal like \"-12.50\"";
    for (; behind < scale; behind++) {
        used += used > 0;
        if (used > precision || !add_digit(room, 0))
            return "a decimal with fewer digits";
    }
    if (negative)
        negate(room, LEAT_DECIMAL_BYTES_MAX);
    uint32_t at = 0;
    while (at + 1 < LEAT_DECIMAL_BYTES_MAX &&
           ((room[at] == 0 && room[at + 1] < 0x80) || (room[at] == 0xff && room[at + 1] >= 0x80)))
        at++;
    *ret = (struct leat_str){(const char *)room + at, LEAT_DECIMAL_BYTES_MAX - at};
    return NULL;
}

bool leat_decimal_widen(struct leat_str bytes, uint8_t *to, uint32_t size)
{
    if (bytes.len == 0 || bytes.len > size)
        return false;
    memset(to, ((uint8_t)bytes.at[0] & 0x80) != 0 ? 0xff : 0, size);
    memcpy(to + (size - bytes.len), bytes.at, bytes.len);
    return true;
}
