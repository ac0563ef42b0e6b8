/* test_report.h - what `leat test` says: text, JSON, JUnit. Pure. */
#ifndef LEAT_CLI_TEST_REPORT_H
#define LEAT_CLI_TEST_REPORT_H

#include "cli/test_case.h"

struct leat_test_done { /* a case that was run */
    const char *file;
    const struct leat_test_case *c;
    struct leat_test_result result;
};
struct leat_test_sum {
    struct leat_test_done *at;
    uint32_t n, failed;
    int64_t faults, us;
};

void leat_test_text(const struct leat_test_done *d, struct leat_buf *out);
void leat_test_summary(const struct leat_test_sum *sum, struct leat_buf *out);
void leat_test_json(const struct leat_test_sum *sum, struct leat_buf *out);
/* One <testsuite> per file, as CI servers read it. */
void leat_test_junit(const struct leat_test_sum *sum, struct leat_buf *out);

#endif
