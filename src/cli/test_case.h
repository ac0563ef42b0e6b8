/* test_case.h - one case of a *_test.yaml, run in this process: as written, a second time, then
 * once for every call in it that can fail. A handler that crashes takes the process along: see
 * test_child.h. */
#ifndef LEAT_CLI_TEST_CASE_H
#define LEAT_CLI_TEST_CASE_H

#include "base/json.h"
#include "cli/test_file.h"
#include "worker/trial.h"

#define LEAT_TEST_FAULTS_MAX 2000 /* walked per case */
#define LEAT_TEST_NOTE_BYTES 256

struct leat_test_run {
    const struct leat_topology *topology;
    struct leat_schemas *schemas;
    const struct leat_test_case *c;
    bool faults; /* walk them */
    char *note;  /* LEAT_TEST_NOTE_BYTES: what is under way, for whoever finds the process dead */
};

/* Writes the object that leat_test_result_read() reads: {"faults", "problems", "got"}. */
void leat_test_run_case(const struct leat_test_run *run, struct leat_json_writer *w);

struct leat_test_problem {
    uint32_t line, column;            /* 0: of the case */
    struct leat_str what;             /* "then[1].total_cents", or a sentence */
    struct leat_str expected, actual; /* JSON or words; both "" with a sentence */
};
struct leat_test_result {
    struct leat_test_problem *problems; /* none: passed */
    struct leat_str *got;               /* what came of it, one event, command or answer each */
    uint32_t n_problems, n_got;
    int64_t faults; /* walked */
    int64_t us;
    bool died; /* the process did not come to the end of the case */
};
LEAT_MUST_CHECK leat_status leat_test_result_read(struct leat_str json, struct leat_arena *arena,
                                                  struct leat_test_result *ret,
                                                  struct leat_error *err);

/* test_compare.c: what came of a case against its `then`. */
struct leat_test_checking {
    const struct leat_test_case *c;
    const struct leat_schemas *schemas;
    struct leat_arena *arena;
    struct leat_json_writer *w; /* in the array of problems */
    uint32_t problems;
};
void leat_test_problem_put(struct leat_test_checking *k, const struct leat_place *place,
                           struct leat_str what, struct leat_str expected, struct leat_str actual);
struct leat_test_came { /* one event, command or answer */
    leat_test_expect_kind kind;
    const struct leat_trial_made *made; /* MADE */
    struct leat_str code, text;         /* answers */
};
void leat_test_compare(struct leat_test_checking *k, const struct leat_test_came *came, size_t n);
/* "OrderPlaced: {…}", "rejected: order-exists (…)" */
struct leat_str leat_test_came_text(const struct leat_test_checking *k,
                                    const struct leat_test_came *came);

#endif
