/* test_find.h - which files hold tests. */
#ifndef LEAT_CLI_TEST_FIND_H
#define LEAT_CLI_TEST_FIND_H

#include "topology/topology.h"

#define LEAT_TEST_FILES_MAX 1000

struct leat_test_paths { /* memory of the arena; each path once, a folder's in order of name */
    const char **at;
    uint32_t n;
    size_t cap;
};
/* A file as it is, a folder with everything below it that ends in _test.yaml, except in folders
 * with a leat.yaml of their own. INVALID when there is no such file or folder, or nothing in it. */
LEAT_MUST_CHECK leat_status leat_test_find(const char *path, struct leat_arena *arena,
                                           struct leat_test_paths *to, struct leat_error *err);
/* Where tests of a topology are when none are named: its folder, and `processors`, `tests` and the
 * topology's name in it and beside it; none of these has to exist. */
void leat_test_find_beside(const struct leat_topology *t, struct leat_arena *arena,
                           struct leat_test_paths *to);

#endif
