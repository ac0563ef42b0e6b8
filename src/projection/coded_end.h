/* coded_end.h - tells an end that a projection's code has brought about (a crash, abort(), exit())
 * from one that came from outside (kill -9, no memory, no power): only the first leaves a mark. */
#ifndef LEAT_PROJECTION_CODED_END_H
#define LEAT_PROJECTION_CODED_END_H

#include <stdatomic.h>

/* Handles SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT from now on: what was set before goes on
 * after the mark. Once per process, whoever calls it. */
void leat_coded_ends_watch(void);
/* Calling thread: it runs the code now, and its end is to be marked there; NULL: no longer. */
void leat_coded_ends_mark(_Atomic int *at);

#endif
