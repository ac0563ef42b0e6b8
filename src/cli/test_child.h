/* test_child.h - a case in a process of its own, so that a handler that crashes or never ends is
 * that case's failure. Main thread; no other thread may run. */
#ifndef LEAT_CLI_TEST_CHILD_H
#define LEAT_CLI_TEST_CHILD_H

#include "cli/test_case.h"

/* `run->note` is not used: the child has one of its own. What handlers write to standard output
 * goes to standard error. RETRY: no process could be made. */
LEAT_MUST_CHECK leat_status leat_test_in_child(const struct leat_test_run *run, int64_t timeout_ms,
                                               struct leat_arena *arena,
                                               struct leat_test_result *ret,
                                               struct leat_error *err);
/* The same in this process, for debuggers: a crash is then this process's. */
LEAT_MUST_CHECK leat_status leat_test_right_here(const struct leat_test_run *run,
                                                 struct leat_arena *arena,
                                                 struct leat_test_result *ret,
                                                 struct leat_error *err);

#endif
