/* version.h - what this build is. */
#ifndef LEAT_BASE_VERSION_H
#define LEAT_BASE_VERSION_H

const char *leat_build_version(void); /* "0.1.0+3f2a91c" */

#endif
