/* uses: base */
#include <criterion/criterion.h>

#include "../../processors/lib/valid.c"

static bool all(bool (*ok)(struct leat_str), bool want, const char *const *texts)
{
    for (; *texts != NULL; texts++)
        cr_expect_eq(ok(leat_str_of(*texts)), want, "'%s'", *texts);
    return true;
}

#define GOOD(ok, ...) all(ok, true, (const char *const[]){__VA_ARGS__, NULL})
#define BAD(ok, ...)  all(ok, false, (const char *const[]){__VA_ARGS__, NULL})

Test(leads_valid, domains)
{
    GOOD(lead_domain_ok, "example.com", "a.b.co", "x-y.example.org", "1.example.com",
         "xn--bcher-kva.example", "example.xn--p1ai");
    BAD(lead_domain_ok, "", ".", "..", "localhost", ".com", "example.", "-a.com", "a-.com",
        "a..com", "a_b.com", "1.2.3.4", "example.c0m", "a b.com", "m\xc3\xbcnchen.de", "example.x",
        "example.xn--", "0123456789012345678901234567890123456789012345678901234567890123.com");
}

Test(leads_valid, domains_as_people_write_them)
{
    static const char *const same[] = {"example.com", "www.example.com", "http://example.com",
                                       "https://www.example.com/a/b?c", "example.com."};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct leat_str bare = lead_domain_bare(leat_str_of(same[i]));
        cr_expect(leat_str_eq(bare, LEAT_STR("example.com")), "'%s'", same[i]);
    }
    cr_expect_eq(lead_domain_bare(LEAT_STR("http://")).len, 0);
}

Test(leads_valid, email_addresses)
{
    GOOD(lead_email_ok, "a@example.com", "first.last+tag@example.co", "o'hara@x.org",
         "a!#$%&'*+/=?^_`{|}~-z@example.com");
    BAD(lead_email_ok, "", "a", "@example.com", "a@", "a@b", "a@@example.com", "a@b@example.com",
        ".a@example.com", "a.@example.com", "a..b@example.com", "a b@example.com",
        "a\"b\"@example.com", "A@example.com", "\xd0\xb0@example.com", "a@-example.com",
        "01234567890123456789012345678901234567890123456789012345678901234@example.com");
    cr_expect(leat_str_eq(lead_email_domain(LEAT_STR("a@b.c")), LEAT_STR("b.c")));
    cr_expect_eq(lead_email_domain(LEAT_STR("a")).len, 0);
}

static void phone(const char *text, const char *want)
{
    char got[LEAD_PHONE_BYTES] = "";
    bool ok = lead_phone_e164(leat_str_of(text), got);
    cr_expect_eq(ok, want != NULL, "'%s'", text);
    if (ok && want != NULL)
        cr_expect_arr_eq(got, want, LEAD_PHONE_BYTES, "'%s'", text);
}

Test(leads_valid, phone_numbers)
{
    static const char *const same[] = {"2125550123",      "12125550123",         "(212) 555-0123",
                                       "+1 212 555 0123", "212.555.0123",        "1-212-555-0123",
                                       "212-555-0123x7",  "212-555-0123 Ext. 12"};
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        phone(same[i], "+12125550123");
    static const char *const bad[] = {"",           "555-0123",    "+44 20 7946 0958",
                                      "1125550123", "2121550123",  "9115550123",
                                      "2129110123", "22125550123", "212555012345678901234567890",
                                      "call me",    "2125550123+", "+2125550123",
                                      "212/5550123"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        phone(bad[i], NULL);
}

Test(leads_valid, states_and_sources)
{
    cr_expect_str_eq(lead_region(LEAT_STR("NY")), "northeast");
    cr_expect_str_eq(lead_region(LEAT_STR("WA")), "west");
    cr_expect_str_eq(lead_region(LEAT_STR("PR")), "south");
    cr_expect_null(lead_region(LEAT_STR("ny")));
    cr_expect_null(lead_region(LEAT_STR("T ")));
    cr_expect_null(lead_region(LEAT_STR(" N")));
    cr_expect_null(lead_region(LEAT_STR("NYC")));
    cr_expect_null(lead_region(LEAT_STR("")));
    cr_expect_str_eq(lead_source_priority(LEAT_STR("web")), "hot");
    cr_expect_str_eq(lead_source_priority(LEAT_STR("csv")), "cold");
    cr_expect_null(lead_source_priority(LEAT_STR("")));
}

Test(leads_valid, white_space_around_a_text_goes)
{
    cr_expect(leat_str_eq(lead_trim(LEAT_STR(" \t\r\na b\v\f ")), LEAT_STR("a b")));
    cr_expect_eq(lead_trim(LEAT_STR("  ")).len, 0);
    cr_expect_eq(lead_trim(LEAT_STR("")).len, 0);
}
