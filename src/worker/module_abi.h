/* module_abi.h - the ABI number a module was compiled with, read from its file: nothing of the
 * module runs before it is known to fit. Any thread. */
#ifndef LEAT_WORKER_MODULE_ABI_H
#define LEAT_WORKER_MODULE_ABI_H

#include <stdint.h>

#include "base/status.h"

/* *ret is 0 for a shared object without such a note. INVALID when the file is not a shared object
 * for this kind of machine or its notes differ from each other. */
LEAT_MUST_CHECK leat_status leat_module_abi(const char *path, uint32_t *ret,
                                            struct leat_error *err);
/* INVALID, with how to mend it, unless the module has this program's number. */
LEAT_MUST_CHECK leat_status leat_module_abi_check(const char *path, struct leat_error *err);

#endif
