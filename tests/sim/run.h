/* run.h - one history from its options, options as text, and the smallest history that still
 * breaks. */
#ifndef SIM_RUN_H
#define SIM_RUN_H

#include <stdio.h>

#include "world.h"

struct sim_result {
    uint64_t steps, hash, crashes, pauses, conflicts, fenced, commands, events;
    uint32_t faults;               /* drawn */
    int64_t virtual_us, waited_us; /* waited: the longest of a class with max_wait */
    bool failed;
    char invariant[64], why[512];
};

void sim_options_init(struct sim_options *o);
/* The same options and seed give the same result. */
void sim_run_once(const struct sim_options *o, struct sim_result *ret);

/* What --name value means here; false = not a valid value, or none of ours. */
bool sim_option_take(struct sim_options *o, const char *name, const char *value);
/* As a command line, without the program's name and without a newline. */
void sim_options_print(FILE *to, const struct sim_options *o);
/* A line of a seed file, changed in place; false = not understood. Empty lines and comments are the
 * caller's to skip. */
bool sim_options_parse(struct sim_options *o, char *line);

/* Fewer commands, faults and seconds under which the same invariant breaks. *o must fail. Its sets
 * are static memory: one at a time. */
void sim_minimise(struct sim_options *o, struct sim_result *r, double seconds_max);

double sim_seconds(void); /* of a clock that only goes forward */

#endif
