#include "base/env.h"

#include <stdlib.h>

const char *leat_env(const char *name)
{
    return getenv(name);
}
