/* counters_wide.c - the same folding into a wider state. */
#define COUNTER_VERSION 2
#define COUNTER_WIDE
#include "../snap/counters.c"
