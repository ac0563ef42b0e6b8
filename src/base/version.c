#include "base/version.h"

#ifndef LEAT_VERSION_STRING
#define LEAT_VERSION_STRING "0.0.0"
#endif

const char *leat_build_version(void)
{
    return LEAT_VERSION_STRING;
}
