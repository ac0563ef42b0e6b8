/* crash_record.h - what a supervisor has found goes to the store, by a process of its own, so that
 * the supervisor needs neither topology nor database. */
#ifndef LEAT_CLI_CRASH_RECORD_H
#define LEAT_CLI_CRASH_RECORD_H

#include "cli/family.h"

/* Writes all evidence of the family that is not written, marks what is. Returns an exit code. */
int leat_crash_record(struct leat_family *f, const char *topology_path);

#endif
