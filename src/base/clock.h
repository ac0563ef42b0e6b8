/* clock.h - the only place that reads a clock. Any thread. Code that decides anything takes the
 * time as an argument, so that tests and the simulation run on a clock of their own. */
#ifndef LEAT_BASE_CLOCK_H
#define LEAT_BASE_CLOCK_H

#include <stdint.h>

int64_t leat_now_ms(void);  /* wall clock, ms since 1970-01-01 UTC; may step */
int64_t leat_mono_us(void); /* never goes back; only differences mean anything */

#endif
