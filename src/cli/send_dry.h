/* send_dry.h - `leat send --dry-run`: what would come of a command on the state as it is. */
#ifndef LEAT_CLI_SEND_DRY_H
#define LEAT_CLI_SEND_DRY_H

#include "cli/session.h"
#include "query/query.h"

/* Loads the processor's module, reads the stream as a worker would, runs the handler, prints. Only
 * reads. Exit code: 0 it would be accepted, 3 not, else as errors have it. */
int leat_send_dry(struct leat_session *s, const struct leat_command_in *in, bool json);

#endif
