/* check_modules.h - what `leat check` says about built modules: each that is there was compiled for
 * this program's ABI. One that is not there is no mistake, only worth a note: it may be built
 * later. */
#ifndef LEAT_CLI_CHECK_MODULES_H
#define LEAT_CLI_CHECK_MODULES_H

#include "topology/topology.h"

/* Findings go to *report. No module is loaded. */
void leat_check_modules(const struct leat_topology *t, struct leat_report *report);

#endif
