/* leader.h - one projector per data folder works, the others stand by: a matter of cost, not of
 * correctness, which the checkpoint in the file sees to. The leader holds a file lock, which dies
 * with its process, and beats; when the beat stops (it is paused), others work beside it. */
#ifndef LEAT_PROJECTION_LEADER_H
#define LEAT_PROJECTION_LEADER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct leat_leader {
    int fd; /* -1: closed */
    bool locked;
    int64_t beat_us; /* of the last beat written */
};

/* `<data_dir>/models/projector.lock`; the folder exists. */
LEAT_MUST_CHECK leat_status leat_leader_open(struct leat_leader *l, const char *data_dir,
                                             struct leat_error *err);
void leat_leader_close(struct leat_leader *l);
/* Call at least every few hundred ms. True: work. */
bool leat_leader_works(struct leat_leader *l, int64_t mono_us);

#endif
