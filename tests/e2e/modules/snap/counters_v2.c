/* counters_v2.c - the aggregate folds differently, so its version is another. */
#define COUNTER_VERSION 2
#include "counters.c"
