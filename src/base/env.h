/* env.h - the one place that reads the environment. The result is the process's own; any thread,
 * as long as nobody changes the environment. */
#ifndef LEAT_BASE_ENV_H
#define LEAT_BASE_ENV_H

const char *leat_env(const char *name); /* NULL when not set */

#endif
