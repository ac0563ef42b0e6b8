#include <criterion/criterion.h>

#include "base/when.h"

#define NOW 1795352400000000 /* 2026-11-22T13:00:00Z */

static int64_t when(const char *text)
{
    int64_t us = -1;
    return leat_when_parse(leat_str_of(text), NOW, &us) ? us : -1;
}

Test(base_when, a_duration_is_so_long_ago)
{
    cr_expect_eq(when("15m"), NOW - (int64_t)15 * 60 * 1000000);
    cr_expect_eq(when("1d"), NOW - (int64_t)86400 * 1000000);
    cr_expect_eq(when("0s"), NOW);
    cr_expect_eq(when("100000d"), -1, "before 1970");
}

Test(base_when, a_date_is_its_start_in_utc)
{
    cr_expect_eq(when("1970-01-01"), 0);
    cr_expect_eq(when("2026-11-22"), NOW - (int64_t)13 * 3600 * 1000000);
    cr_expect_eq(when("2024-02-29"), 1709164800000000);
}

Test(base_when, a_moment_has_a_fraction_and_an_offset_or_not)
{
    cr_expect_eq(when("2026-11-22T13:00:00Z"), NOW);
    cr_expect_eq(when("2026-11-22 13:00:00"), NOW);
    cr_expect_eq(when("2026-11-22T14:30:00+01:30"), NOW);
    cr_expect_eq(when("2026-11-22T08:00:00-05:00"), NOW);
    cr_expect_eq(when("2026-11-22T13:00:00.25Z"), NOW + 250000);
    cr_expect_eq(when("2026-11-22T13:00:00.123456789Z"), NOW + 123456);
    cr_expect_eq(when("2016-12-31T23:59:60Z"), 1483228800000000, "a leap second");
}

Test(base_when, anything_else_is_no_time)
{
    static const char *const wrong[] = {"",
                                        "now",
                                        "15",
                                        "-15m",
                                        "yesterday",
                                        "2026",
                                        "2026-11",
                                        "2026-13-01",
                                        "2026-11-31",
                                        "2026-02-29",
                                        "2026-11-22T",
                                        "2026-11-22T25:00:00Z",
                                        "2026-11-22T13:00Z",
                                        "2026-11-22T13:00:00+1",
                                        "2026-11-22T13:00:00Zx",
                                        "2026-11-22x",
                                        "1969-12-31",
                                        "2026-11-22T13:00:00+24:00"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(when(wrong[i]), -1, "%s", wrong[i]);
}
