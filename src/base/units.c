#include "base/units.h"

#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first: formatting takes the first one that divides. */
static const struct unit durations[] = {
    {"w", 604800000}, {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1},
};

static const struct unit sizes[] = {
    {"TiB", INT64_C(1) << 40},
    {"GiB", INT64_C(1) << 30},
    {"MiB", INT64_C(1) << 20},
    {"KiB", INT64_C(1) << 10},
    {"TB", INT64_C(1000000000000)},
    {"GB", 1000000000},
    {"MB", 1000000},
    {"kB", 1000},
    {"B", 1},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits at *at (not beyond `end`); moves *at behind them. */
static leat_units read_digits(const char **at, const char *end, int64_t *ret)
{
    const char *p = *at;
    int64_t v = 0;
    if (p == end || !is_digit(*p))
        return LEAT_UNITS_MALFORMED;
    for (; p < end && is_digit(*p); p++) {
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v))
            return LEAT_UNITS_TOO_LARGE;
    }
    *at = p;
    *ret = v;
    return LEAT_UNITS_OK;
}

leat_units leat_parse_int(struct leat_str text, int64_t *ret)
{
    if (text.len == 0)
        return LEAT_UNITS_MALFORMED;
    const char *p = text.at;
    const char *end = p + text.len;
    bool negative = *p == '-';
    if (negative)
        p++;
    int64_t v = 0;
    leat_units rc = read_digits(&p, end, &v);
    if (rc != LEAT_UNITS_OK)
        return rc;
    if (p != end)
        return LEAT_UNITS_MALFORMED;
    *ret = negative ? -v : v;
    return LEAT_UNITS_OK;
}

/* One "<digits><unit>" at *at, added to *sum. */
static leat_units read_part(const char **at, const char *end, const struct unit *units, size_t n,
                            int64_t *sum)
{
    int64_t v = 0;
    leat_units rc = read_digits(at, end, &v);
    if (rc != LEAT_UNITS_OK)
        return rc;
    const char *unit = *at;
    const char *p = unit;
    while (p < end && !is_digit(*p))
        p++;
    if (p == unit)
        return LEAT_UNITS_NO_UNIT;
    *at = p;
    for (size_t i = 0; i < n; i++) {
        struct leat_str name = leat_str_of(units[i].name);
        if (!leat_str_eq(name, (struct leat_str){unit, (uint32_t)(p - unit)}))
            continue;
        if (__builtin_mul_overflow(v, units[i].factor, &v) || __builtin_add_overflow(*sum, v, sum))
            return LEAT_UNITS_TOO_LARGE;
        return LEAT_UNITS_OK;
    }
    return LEAT_UNITS_UNKNOWN;
}

leat_units leat_parse_duration(struct leat_str text, int64_t *ret_ms)
{
    if (text.len == 0)
        return LEAT_UNITS_MALFORMED;
    const char *p = text.at;
    const char *end = p + text.len;
    int64_t sum = 0;
    while (p < end) {
        leat_units rc = read_part(&p, end, durations, COUNT(durations), &sum);
        if (rc != LEAT_UNITS_OK)
            return rc;
    }
    *ret_ms = sum;
    return LEAT_UNITS_OK;
}

leat_units leat_parse_size(struct leat_str text, int64_t *ret_bytes)
{
    if (text.len == 0)
        return LEAT_UNITS_MALFORMED;
    const char *p = text.at;
    const char *end = p + text.len;
    int64_t sum = 0;
    leat_units rc = read_part(&p, end, sizes, COUNT(sizes), &sum);
    if (rc != LEAT_UNITS_OK)
        return rc;
    if (p != end)
        return LEAT_UNITS_MALFORMED;
    *ret_bytes = sum;
    return LEAT_UNITS_OK;
}

static const char *format(int64_t v, const struct unit *units, size_t n, char *text)
{
    size_t i = 0;
    while (i + 1 < n && (v == 0 || v % units[i].factor != 0))
        i++;
    (void)snprintf(text, LEAT_UNITS_TEXT, "%lld%s", (long long)(v / units[i].factor),
                   units[i].name);
    return text;
}

const char *leat_format_duration(int64_t ms, char ret_text[LEAT_UNITS_TEXT])
{
    if (ms == 0)
        return memcpy(ret_text, "0s", 3);
    return format(ms, durations, COUNT(durations), ret_text);
}

const char *leat_format_size(int64_t bytes, char ret_text[LEAT_UNITS_TEXT])
{
    return format(bytes, sizes, COUNT(sizes), ret_text);
}

struct leat_str leat_int_text(int64_t value, char room[LEAT_INT_TEXT])
{
    char *end = room + LEAT_INT_TEXT - 1, *at = end;
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    *at = 0;
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (value < 0)
        *--at = '-';
    return (struct leat_str){at, (uint32_t)(end - at)};
}
