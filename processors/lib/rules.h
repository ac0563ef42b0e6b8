/* rules.h - scoring rules out of a YAML file (rules/score.yaml says what it may hold). Loaded once,
 * then only read: any thread. */
#ifndef LEADS_RULES_H
#define LEADS_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/str.h"

#define RULES_MAX 64 /* per file */

enum fact {
    FACT_EMAIL,
    FACT_EMAIL_DOMAIN,
    FACT_PHONE,
    FACT_DOMAIN,
    FACT_WEBSITE,
    FACT_STATE,
    FACT_CATEGORY,
    FACT_SOURCE,
    FACT_EMPLOYEES, /* from here on numbers */
    FACT_BUDGET,
    FACTS,
};

struct facts {
    struct leat_str text[FACTS]; /* "" = not given */
    int64_t number[FACTS];
    bool known[FACTS]; /* of numbers */
};

struct score {
    int32_t points; /* 0 to 100 */
    int32_t rules_version;
    const char *tier;                   /* lives as the rules do */
    struct leat_str reasons[RULES_MAX]; /* "+25 a domain without a website"; likewise */
    size_t reason_count;
};

struct rules;

/* NULL with a text in `error` (file, rule, what is wrong) when the file cannot be used. */
struct rules *rules_load(const char *path, char *error, size_t error_bytes);
void rules_free(struct rules *rules); /* NULL is allowed */
void rules_apply(const struct rules *rules, const struct facts *facts, struct score *ret);

#endif
