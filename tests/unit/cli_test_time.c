/* uses: base topology codec kafka store guard worker relay projection query cli */
/* RFC 3339, as tests are written with it. */
#include <criterion/criterion.h>

#include "cli/test_time.h"

static int64_t ms(const char *text)
{
    int64_t found = -1;
    return leat_parse_time(leat_str_of(text), &found) ? found : -1;
}

Test(cli_test_time, times_are_read)
{
    cr_assert_eq(ms("1970-01-01T00:00:00Z"), 0);
    cr_assert_eq(ms("2026-03-01T10:00:00Z"), INT64_C(1772359200000));
    cr_assert_eq(ms("2026-03-01T10:00:00.25Z"), INT64_C(1772359200250));
    cr_assert_eq(ms("2026-03-01 10:00:00.123456789z"), INT64_C(1772359200123));
    cr_assert_eq(ms("2026-03-01T10:00:00+01:30"), INT64_C(1772353800000));
    cr_assert_eq(ms("2026-02-28T23:30:00-00:30"), INT64_C(1772323200000));
    cr_assert_eq(ms("2000-02-29T12:00:00Z"), INT64_C(951825600000));
    cr_assert_eq(ms("9999-12-31T23:59:59.999Z"), INT64_C(253402300799999));
}

Test(cli_test_time, what_is_none_is_refused)
{
    static const char *const wrong[] = {
        "",
        "2026-03-01",
        "2026-03-01T10:00Z",
        "2026-03-01T10:00:00",
        "2026-3-01T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "1900-02-29T10:00:00Z",
        "2026-13-01T10:00:00Z",
        "2026-00-01T10:00:00Z",
        "2026-01-00T10:00:00Z",
        "2026-01-32T10:00:00Z",
        "2026-01-01T24:00:00Z",
        "2026-01-01T10:60:00Z",
        "2026-01-01T10:00:61Z",
        "2026-01-01T10:00:00.Z",
        "2026-01-01T10:00:00+1",
        "2026-01-01T10:00:00+24:00",
        "2026-01-01T10:00:00Z ",
        "+026-01-01T10:00:00Z",
        "1969-12-31T23:59:59Z",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        cr_assert_eq(ms(wrong[i]), -1, "%s", wrong[i]);
}

Test(cli_test_time, dates_are_days)
{
    int64_t days = -1;
    cr_assert(leat_parse_date(LEAT_STR("1970-01-01"), &days) && days == 0);
    cr_assert(leat_parse_date(LEAT_STR("2026-03-01"), &days) && days == 20513);
    cr_assert_not(leat_parse_date(LEAT_STR("2026-02-29"), &days));
    cr_assert_not(leat_parse_date(LEAT_STR("2026-03-01T10:00:00Z"), &days));
    cr_assert_not(leat_parse_date(LEAT_STR("1969-12-31"), &days));
    cr_assert_not(leat_parse_date(LEAT_STR("1.3.2026"), &days));
    cr_assert_eq(days, 20513, "untouched");
}
