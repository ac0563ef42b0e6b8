#include "cli/test_time.h"

struct scan {
    const char *at, *end;
};

static bool digits(struct scan *s, int n, int64_t *ret)
{
    *ret = 0;
    for (int i = 0; i < n; i++, s->at++) {
        if (s->at == s->end || *s->at < '0' || *s->at > '9')
            return false;
        *ret = *ret * 10 + (*s->at - '0');
    }
    return true;
}

static bool one_of(struct scan *s, const char *chars, char *ret)
{
    if (s->at == s->end || *s->at == '\0' || strchr(chars, *s->at) == NULL)
        return false;
    *ret = *s->at++;
    return true;
}

static int64_t days_in(int64_t year, int64_t month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/* Days from 1970-01-01. */
static int64_t day_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = year - 1, days = (y * 365 + y / 4 - y / 100 + y / 400) - 719162;
    for (int64_t m = 1; m < month; m++)
        days += days_in(year, m);
    return days + day - 1;
}

static bool fraction_ms(struct scan *s, int64_t *ret)
{
    int64_t unit = 100;
    *ret = 0;
    if (s->at == s->end || *s->at != '.')
        return true;
    const char *first = ++s->at;
    for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++, unit /= 10)
        *ret += (*s->at - '0') * unit;
    return s->at > first;
}

static bool offset_minutes(struct scan *s, int64_t *ret)
{
    char sign, colon;
    int64_t hours, minutes;
    *ret = 0;
    if (!one_of(s, "Zz+-", &sign))
        return false;
    if (sign == 'Z' || sign == 'z')
        return true;
    if (!digits(s, 2, &hours) || !one_of(s, ":", &colon) || !digits(s, 2, &minutes))
        return false;
    *ret = (hours * 60 + minutes) * (sign == '-' ? -1 : 1);
    return hours < 24 && minutes < 60;
}

static bool date(struct scan *s, int64_t *ret_days)
{
    int64_t year, month, day;
    char c;
    if (!digits(s, 4, &year) || !one_of(s, "-", &c) || !digits(s, 2, &month) ||
        !one_of(s, "-", &c) || !digits(s, 2, &day))
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in(year, month))
        return false;
    *ret_days = day_of(year, month, day);
    return true;
}

bool leat_parse_date(struct leat_str text, int64_t *ret_days)
{
    struct scan s = {text.at, text.at + text.len};
    int64_t days;
    if (!date(&s, &days) || s.at != s.end)
        return false;
    *ret_days = days;
    return true;
}

bool leat_parse_time(struct leat_str text, int64_t *ret_unix_ms)
{
    struct scan s = {text.at, text.at + text.len};
    int64_t days, hour, minute, second, ms, offset;
    char c;
    if (!date(&s, &days) || !one_of(&s, "Tt ", &c) || !digits(&s, 2, &hour) ||
        !one_of(&s, ":", &c) || !digits(&s, 2, &minute) || !one_of(&s, ":", &c) ||
        !digits(&s, 2, &second) || !fraction_ms(&s, &ms) || !offset_minutes(&s, &offset) ||
        s.at != s.end)
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    int64_t minutes = days * 1440 + hour * 60 + minute - offset;
    *ret_unix_ms = (minutes * 60 + second) * 1000 + ms;
    return true;
}
