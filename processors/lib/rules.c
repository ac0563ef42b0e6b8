#include "rules.h"

#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CONDITIONS_MAX 8
#define VALUES_MAX     64
#define TIERS_MAX      8

enum test {
    TEST_IS,
    TEST_ONE_OF,
    TEST_AT_LEAST,
    TEST_BELOW,
    TEST_GIVEN,
    TESTS,
};

static const char *const test_names[TESTS] = {"is", "one_of", "at_least", "below", "given"};
static const char *const fact_names[FACTS] = {"email",     "email_domain", "phone",    "domain",
                                              "website",   "state",        "category", "source",
                                              "employees", "budget"};

struct condition {
    enum fact fact;
    enum test test;
    int64_t number; /* at_least, below; given: 1 or 0 */
    struct leat_str values[VALUES_MAX];
    size_t value_count;
};

struct rule {
    int32_t points;
    char reason[160];
    struct condition conditions[CONDITIONS_MAX];
    size_t condition_count;
};

struct tier {
    char name[32];
    int32_t from;
};

struct rules {
    struct fy_document *document; /* texts of conditions point into it */
    int32_t version, base;
    struct tier tiers[TIERS_MAX];
    size_t tier_count;
    struct rule rules[RULES_MAX];
    size_t rule_count;
};

/* Where a mistake is told: the first one wins. */
struct reader {
    const char *path;
    size_t rule; /* from 1; 0 = outside the rules */
    char *error;
    size_t error_bytes;
};

static bool wrong(const struct reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static bool wrong(const struct reader *r, const char *fmt, ...)
{
    char what[200];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    if (r->rule > 0) {
        (void)snprintf(r->error, r->error_bytes, "%s: rule %zu: %s", r->path, r->rule, what);
    } else {
        (void)snprintf(r->error, r->error_bytes, "%s: %s", r->path, what);
    }
    return false;
}

static struct leat_str text_of(struct fy_node *node)
{
    size_t n = 0;
    const char *at = node == NULL ? NULL : fy_node_get_scalar(node, &n);
    return (struct leat_str){at, (uint32_t)n};
}

static int name_index(const char *const *names, int n, struct leat_str name)
{
    for (int i = 0; i < n; i++) {
        if (leat_str_eq(name, leat_str_of(names[i])))
            return i;
    }
    return -1;
}

static bool number_of(const struct reader *r, struct fy_node *node, const char *what, int64_t *ret)
{
    struct leat_str s = text_of(node);
    char digits[24] = "";
    char *end = digits;
    if (s.len > 0 && s.len < sizeof digits) {
        memcpy(digits, s.at, s.len);
        *ret = strtoll(digits, &end, 10);
    }
    if (end == digits || *end != '\0')
        return wrong(r, "%s must be a whole number", what);
    return true;
}

static bool small_number(const struct reader *r, struct fy_node *node, const char *what,
                         int32_t *ret)
{
    int64_t n = 0;
    if (!number_of(r, node, what, &n))
        return false;
    if (n < -1000000 || n > 1000000)
        return wrong(r, "%s is out of range", what);
    *ret = (int32_t)n;
    return true;
}

static bool read_values(const struct reader *r, struct fy_node *node, struct condition *c)
{
    if (c->test == TEST_IS) {
        c->values[0] = text_of(node);
        c->value_count = 1;
        return c->values[0].len > 0 || wrong(r, "'is' wants a word");
    }
    if (node == NULL || !fy_node_is_sequence(node))
        return wrong(r, "'one_of' wants a list");
    void *cursor = NULL;
    for (struct fy_node *item; (item = fy_node_sequence_iterate(node, &cursor)) != NULL;) {
        if (c->value_count == VALUES_MAX)
            return wrong(r, "more than %d values", VALUES_MAX);
        c->values[c->value_count++] = text_of(item);
    }
    return true;
}

static bool read_condition(const struct reader *r, enum fact fact, struct fy_node_pair *pair,
                           struct condition *c)
{
    struct leat_str name = text_of(fy_node_pair_key(pair));
    struct fy_node *value = fy_node_pair_value(pair);
    int test = name_index(test_names, TESTS, name);
    if (test < 0) {
        return wrong(r, "unknown condition '%.*s' (is, one_of, at_least, below, given)",
                     LEAT_STR_FMT(name));
    }
    bool wants_number = test == TEST_AT_LEAST || test == TEST_BELOW;
    if (test != TEST_GIVEN && wants_number != (fact >= FACT_EMPLOYEES))
        return wrong(r, "'%s' does not fit the field '%s'", test_names[test], fact_names[fact]);
    c->fact = fact;
    c->test = (enum test)test;
    if (wants_number)
        return number_of(r, value, test_names[test], &c->number);
    if (test != TEST_GIVEN)
        return read_values(r, value, c);
    struct leat_str yes = text_of(value);
    c->number = leat_str_eq(yes, LEAT_STR("true"));
    return c->number || leat_str_eq(yes, LEAT_STR("false")) || wrong(r, "'given' is true or false");
}

static bool read_field(const struct reader *r, struct fy_node_pair *field, struct rule *rule)
{
    struct leat_str name = text_of(fy_node_pair_key(field));
    struct fy_node *tests = fy_node_pair_value(field);
    int fact = name_index(fact_names, FACTS, name);
    if (fact < 0)
        return wrong(r, "unknown field '%.*s'", LEAT_STR_FMT(name));
    if (tests == NULL || !fy_node_is_mapping(tests))
        return wrong(r, "'%s' wants a condition, such as {given: true}", fact_names[fact]);
    void *cursor = NULL;
    for (struct fy_node_pair *p; (p = fy_node_mapping_iterate(tests, &cursor)) != NULL;) {
        if (rule->condition_count == CONDITIONS_MAX)
            return wrong(r, "more than %d conditions", CONDITIONS_MAX);
        if (!read_condition(r, (enum fact)fact, p, &rule->conditions[rule->condition_count++]))
            return false;
    }
    return true;
}

static bool read_rule(const struct reader *r, struct fy_node *node, struct rule *rule)
{
    if (!fy_node_is_mapping(node))
        return wrong(r, "wants points, because and when");
    struct leat_str because = text_of(fy_node_mapping_lookup_by_string(node, "because", SIZE_MAX));
    struct fy_node *when = fy_node_mapping_lookup_by_string(node, "when", SIZE_MAX);
    if (!small_number(r, fy_node_mapping_lookup_by_string(node, "points", SIZE_MAX), "points",
                      &rule->points))
        return false;
    if (because.len == 0 || because.len > 120)
        return wrong(r, "'because' wants a reason of at most 120 bytes");
    if (when == NULL || !fy_node_is_mapping(when))
        return wrong(r, "'when' wants conditions by field");
    (void)snprintf(rule->reason, sizeof rule->reason, "%+d %.*s", (int)rule->points,
                   LEAT_STR_FMT(because));
    void *cursor = NULL;
    for (struct fy_node_pair *p; (p = fy_node_mapping_iterate(when, &cursor)) != NULL;) {
        if (!read_field(r, p, rule))
            return false;
    }
    return true;
}

static bool read_tiers(const struct reader *r, struct fy_node *node, struct rules *rules)
{
    if (node == NULL || !fy_node_is_mapping(node))
        return wrong(r, "'tiers' wants names with the score each begins at");
    void *cursor = NULL;
    int32_t lowest = 1;
    for (struct fy_node_pair *p; (p = fy_node_mapping_iterate(node, &cursor)) != NULL;) {
        if (rules->tier_count == TIERS_MAX)
            return wrong(r, "more than %d tiers", TIERS_MAX);
        struct tier *tier = &rules->tiers[rules->tier_count++];
        struct leat_str name = text_of(fy_node_pair_key(p));
        if (name.len == 0 || name.len >= sizeof tier->name)
            return wrong(r, "a tier's name has 1 to %zu bytes", sizeof tier->name - 1);
        memcpy(tier->name, name.at, name.len);
        if (!small_number(r, fy_node_pair_value(p), "a tier's threshold", &tier->from))
            return false;
        lowest = tier->from < lowest ? tier->from : lowest;
    }
    return lowest <= 0 || wrong(r, "one tier must begin at 0");
}

static bool read_rules(struct reader *r, struct rules *rules)
{
    struct fy_node *root = fy_document_root(rules->document);
    if (root == NULL || !fy_node_is_mapping(root))
        return wrong(r, "wants version, base, tiers and rules");
    struct fy_node *list = fy_node_mapping_lookup_by_string(root, "rules", SIZE_MAX);
    if (!small_number(r, fy_node_mapping_lookup_by_string(root, "version", SIZE_MAX), "version",
                      &rules->version) ||
        !small_number(r, fy_node_mapping_lookup_by_string(root, "base", SIZE_MAX), "base",
                      &rules->base) ||
        !read_tiers(r, fy_node_mapping_lookup_by_string(root, "tiers", SIZE_MAX), rules))
        return false;
    if (list == NULL || !fy_node_is_sequence(list))
        return wrong(r, "'rules' wants a list");
    void *cursor = NULL;
    for (struct fy_node *item; (item = fy_node_sequence_iterate(list, &cursor)) != NULL;) {
        r->rule++;
        if (rules->rule_count == RULES_MAX)
            return wrong(r, "more than %d rules", RULES_MAX);
        if (!read_rule(r, item, &rules->rules[rules->rule_count++]))
            return false;
    }
    return true;
}

/* libfyaml tells "file:line:column: what" here, where it would print it; the first telling is kept.
 */
static void told(struct fy_diag *diag, void *user, const char *text, size_t n)
{
    (void)diag;
    const struct reader *r = user;
    static const char plain[] = "[ERR]: "; /* of a message without a place */
    if (n > 0 && strncmp(text, plain, sizeof plain - 1) == 0)
        text += sizeof plain - 1;
    if (r->error[0] == '\0' && n > 0)
        (void)snprintf(r->error, r->error_bytes, "%.*s", (int)strcspn(text, "\n"), text);
}

static struct fy_document *read_yaml(struct reader *r)
{
    struct fy_diag_cfg how;
    fy_diag_cfg_default(&how);
    how.fp = NULL;
    how.output_fn = told;
    how.user = r;
    how.colorize = false;
    struct fy_diag *diag = fy_diag_create(&how);
    const struct fy_parse_cfg cfg = {.diag = diag};
    struct fy_document *document = diag == NULL ? NULL : fy_document_build_from_file(&cfg, r->path);
    fy_diag_destroy(diag);
    return document;
}

struct rules *rules_load(const char *path, char *error, size_t error_bytes)
{
    struct reader r = {.path = path, .error = error, .error_bytes = error_bytes};
    error[0] = '\0';
    struct rules *rules = calloc(1, sizeof *rules);
    if (rules != NULL)
        rules->document = read_yaml(&r);
    bool good = rules != NULL && rules->document != NULL && read_rules(&r, rules);
    if (good)
        return rules;
    if (error[0] == '\0')
        (void)wrong(&r, "cannot be read");
    rules_free(rules);
    return NULL;
}

void rules_free(struct rules *rules)
{
    if (rules == NULL)
        return;
    fy_document_destroy(rules->document);
    free(rules);
}

static bool holds(const struct condition *c, const struct facts *facts)
{
    struct leat_str text = facts->text[c->fact];
    bool known = c->fact >= FACT_EMPLOYEES ? facts->known[c->fact] : text.len > 0;
    switch (c->test) {
    case TEST_GIVEN:
        return known == (c->number != 0);
    case TEST_AT_LEAST:
        return known && facts->number[c->fact] >= c->number;
    case TEST_BELOW:
        return known && facts->number[c->fact] < c->number;
    case TEST_IS:
    case TEST_ONE_OF:
        for (size_t i = 0; i < c->value_count; i++) {
            if (leat_str_eq(text, c->values[i]))
                return true;
        }
        return false;
    case TESTS:
        break;
    }
    return false;
}

static bool meets(const struct rule *rule, const struct facts *facts)
{
    for (size_t i = 0; i < rule->condition_count; i++) {
        if (!holds(&rule->conditions[i], facts))
            return false;
    }
    return true;
}

void rules_apply(const struct rules *rules, const struct facts *facts, struct score *ret)
{
    int32_t points = rules->base;
    ret->reason_count = 0;
    for (size_t i = 0; i < rules->rule_count; i++) {
        if (!meets(&rules->rules[i], facts))
            continue;
        points += rules->rules[i].points;
        ret->reasons[ret->reason_count++] = leat_str_of(rules->rules[i].reason);
    }
    points = points < 0 ? 0 : points > 100 ? 100 : points;
    const struct tier *best = NULL;
    for (size_t i = 0; i < rules->tier_count; i++) {
        if (points >= rules->tiers[i].from && (best == NULL || rules->tiers[i].from > best->from))
            best = &rules->tiers[i];
    }
    ret->points = points;
    ret->tier = best->name; /* one begins at 0: checked when loaded */
    ret->rules_version = rules->version;
}
