/* run_only.h - `leat run --dev --only-key K`: one partition of the topology under a debugger. */
#ifndef LEAT_CLI_RUN_ONLY_H
#define LEAT_CLI_RUN_ONLY_H

#include "cli/session.h"

/* The partition of `key`. INVALID when a group of the processors has members: this process would be
 * given partitions of theirs and leave them lying. */
LEAT_MUST_CHECK leat_status leat_run_only(struct leat_session *s, const char *key,
                                          const struct leat_str *processors, size_t n,
                                          int32_t *ret_k, struct leat_error *err);

#endif
