/* switches.h - how readers see that a model was switched without asking the file system for each
 * read: a counter that they have mapped, <data_dir>/models/<name>.switches.
 *
 * Whoever switches makes it odd, replaces <name>.current, makes it even again. So who reads an even
 * count, then what is current, has what is current for as long as the count stays. One that died in
 * between leaves it odd: readers look at the file until somebody switches again. Any process. */
#ifndef LEAT_PROJECTION_SWITCHES_H
#define LEAT_PROJECTION_SWITCHES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "leat/str.h"

struct leat_switches;

/* NULL: there is none and none can be made here; look at the file each time. */
struct leat_switches *leat_switches_watch(const char *data_dir, struct leat_str model);
void leat_switches_free(struct leat_switches *s); /* NULL allowed */
/* Any thread. Odd: being switched. NULL allowed: odd. */
uint64_t leat_switches_count(const struct leat_switches *s);

/* One at a time, other processes too. End with leat_switches_end(). */
LEAT_MUST_CHECK leat_status leat_switches_begin(const char *data_dir, struct leat_str model,
                                                struct leat_switches **ret, struct leat_error *err);
void leat_switches_end(struct leat_switches *s);

#endif
