#include "base/when.h"

#include <time.h>

#include "base/units.h"

struct scan {
    const char *at, *end;
};

static bool number(struct scan *s, int digits, int low, int high, int *ret)
{
    *ret = 0;
    for (int i = 0; i < digits; i++, s->at++) {
        if (s->at == s->end || *s->at < '0' || *s->at > '9')
            return false;
        *ret = *ret * 10 + (*s->at - '0');
    }
    return *ret >= low && *ret <= high;
}

static bool next_is(struct scan *s, const char *chars)
{
    if (s->at == s->end || *s->at == '\0' || strchr(chars, *s->at) == NULL)
        return false;
    s->at++;
    return true;
}

static int64_t fraction_us(struct scan *s)
{
    int64_t us = 0, unit = 100000;
    if (!next_is(s, "."))
        return 0;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++, unit /= 10)
        us += (*s->at - '0') * unit;
    return us;
}

static bool offset_s(struct scan *s, int64_t *ret)
{
    int hours = 0, minutes = 0;
    *ret = 0;
    if (s->at == s->end || next_is(s, "Zz"))
        return true;
    int64_t sign = *s->at == '-' ? -1 : 1;
    if (!next_is(s, "+-") || !number(s, 2, 0, 23, &hours) || !next_is(s, ":") ||
        !number(s, 2, 0, 59, &minutes))
        return false;
    *ret = sign * (hours * 3600 + minutes * 60);
    return true;
}

static bool moment(struct scan *s, int64_t *ret_us)
{
    struct tm tm = {0};
    int64_t us = 0, offset = 0;
    if (!number(s, 4, 1970, 9999, &tm.tm_year) || !next_is(s, "-") ||
        !number(s, 2, 1, 12, &tm.tm_mon) || !next_is(s, "-") || !number(s, 2, 1, 31, &tm.tm_mday))
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    if (s->at < s->end) {
        if (!next_is(s, "Tt ") || !number(s, 2, 0, 23, &tm.tm_hour) || !next_is(s, ":") ||
            !number(s, 2, 0, 59, &tm.tm_min) || !next_is(s, ":") ||
            !number(s, 2, 0, 60, &tm.tm_sec))
            return false;
        us = fraction_us(s);
        if (!offset_s(s, &offset))
            return false;
    }
    int month = tm.tm_mon, second = tm.tm_sec;
    tm.tm_sec = 0;          /* a leap second is the first of the next minute */
    time_t t = timegm(&tm); /* moves the 31st of a shorter month on */
    *ret_us = ((int64_t)t + second - offset) * 1000000 + us;
    return s->at == s->end && tm.tm_mon == month;
}

bool leat_when_parse(struct leat_str text, int64_t now_us, int64_t *ret_us)
{
    int64_t ms = 0, us = 0;
    struct scan s = {text.at, text.at + text.len};
    if (leat_parse_duration(text, &ms) == LEAT_UNITS_OK && ms >= 0 && ms < now_us / 1000) {
        *ret_us = now_us - ms * 1000;
        return true;
    }
    if (!moment(&s, &us))
        return false;
    *ret_us = us;
    return true;
}
