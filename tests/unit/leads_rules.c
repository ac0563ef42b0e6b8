/* uses: base topology */
#include <criterion/criterion.h>
#include <unistd.h>

#include "../../processors/lib/rules.c"

/* The rules of a YAML text, or NULL with the error. */
static struct rules *load(const char *yaml, char error[256])
{
    char path[] = "/tmp/leat-rules-XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, yaml, strlen(yaml)) == (ssize_t)strlen(yaml));
    (void)close(fd);
    struct rules *rules = rules_load(path, error, 256);
    (void)unlink(path);
    return rules;
}

#define HEAD               "version: 7\nbase: 10\ntiers: {hot: 50, cold: 0}\nrules:\n"
#define RULE(points, when) "  - {points: " points ", because: why, when: {" when "}}\n"

Test(leads_rules, conditions_points_reasons_and_tier)
{
    char error[256] = "";
    struct rules *rules = load(
        HEAD RULE("25", "domain: {given: true}, website: {given: false}")
            RULE("10", "employees: {at_least: 50, below: 100}") RULE("-5", "budget: {below: 10}")
                RULE("20", "source: {one_of: [web, api]}") RULE("1", "state: {is: NY}"),
        error);
    cr_assert_not_null(rules, "%s", error);
    struct facts facts = {
        .text = {[FACT_DOMAIN] = LEAT_STR("a.com"), [FACT_SOURCE] = LEAT_STR("api")},
        .number = {[FACT_EMPLOYEES] = 50},
        .known = {[FACT_EMPLOYEES] = true}};
    struct score s;
    rules_apply(rules, &facts, &s);
    cr_expect_eq(s.points, 65);
    cr_expect_eq(s.rules_version, 7);
    cr_expect_str_eq(s.tier, "hot");
    cr_assert_eq(s.reason_count, 3);
    cr_expect(leat_str_eq(s.reasons[0], LEAT_STR("+25 why")));
    rules_free(rules);
}

Test(leads_rules, the_score_stays_within_0_and_100)
{
    char error[256] = "";
    struct rules *rules =
        load(HEAD RULE("500", "state: {is: NY}") RULE("-500", "state: {is: CA}"), error);
    cr_assert_not_null(rules, "%s", error);
    struct score s;
    rules_apply(rules, &(struct facts){.text = {[FACT_STATE] = LEAT_STR("NY")}}, &s);
    cr_expect_eq(s.points, 100);
    rules_apply(rules, &(struct facts){.text = {[FACT_STATE] = LEAT_STR("CA")}}, &s);
    cr_expect_eq(s.points, 0);
    cr_expect_str_eq(s.tier, "cold");
    rules_free(rules);
}

static void refused(const char *yaml, const char *why)
{
    char error[256] = "";
    cr_expect_null(load(yaml, error));
    const char *at = strstr(error, why);
    cr_assert(at != NULL && at[strlen(why)] == '\0', "'%s' is not '%s'", error, why);
}

Test(leads_rules, mistakes_are_named_with_their_rule)
{
    refused("{", "2:1: error: did not find expected node content");
    refused("[]", "wants version, base, tiers and rules");
    refused("version: x\n", "version must be a whole number");
    refused("version: 1\nbase: 0\ntiers: {hot: 5}\nrules: []\n", "one tier must begin at 0");
    refused(HEAD RULE("1", "state: {is: NY}") RULE("1", "size: {is: 1}"),
            "rule 2: unknown field 'size'");
    refused(HEAD RULE("1", "state: {like: 1}"),
            "rule 1: unknown condition 'like' (is, one_of, at_least, below, given)");
    refused(HEAD RULE("1", "state: {below: 1}"), "rule 1: 'below' does not fit the field 'state'");
    refused(HEAD RULE("1", "budget: {is: 1}"), "rule 1: 'is' does not fit the field 'budget'");
    refused(HEAD RULE("1", "budget: {below: lots}"), "rule 1: below must be a whole number");
    refused(HEAD RULE("1", "phone: {given: maybe}"), "rule 1: 'given' is true or false");
    refused(HEAD "  - {points: 1, when: {}}\n",
            "rule 1: 'because' wants a reason of at most 120 bytes");
}

Test(leads_rules, the_shipped_rules_load)
{
    char error[256] = "";
    struct rules *rules = rules_load(LEAT_SOURCE_DIR "/rules/score.yaml", error, sizeof error);
    cr_assert_not_null(rules, "%s", error);
    cr_expect_gt(rules->rule_count, 10);
    rules_free(rules);
}
