/* running.h - how many handlers run at this moment, and whether two of one key do. */
#ifndef SLOW_RUNNING_H
#define SLOW_RUNNING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "slow.h"

#define WALKS   128
#define STEP_US 20000

static atomic_int running, of_walk[WALKS];

/* Takes a while; the number of handlers that ran meanwhile, -1 when another had this key. */
static int take_time(struct leat_str walk)
{
    char text[16] = {0};
    memcpy(text, walk.at, walk.len < sizeof text ? walk.len : sizeof text - 1);
    atomic_int *own = &of_walk[(unsigned)strtol(text, NULL, 10) % WALKS];
    bool alone = atomic_fetch_add(own, 1) == 0;
    int most = atomic_fetch_add(&running, 1) + 1;
    (void)usleep(STEP_US);
    atomic_fetch_sub(&running, 1);
    atomic_fetch_sub(own, 1);
    return alone ? most : -1;
}

#endif
