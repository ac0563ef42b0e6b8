#include "cli/poll.h"

#include <time.h>

#include "base/clock.h"

#define FIRST_MS 5
#define LAST_MS  100

struct leat_poll leat_poll_start(int64_t wait_ms)
{
    return (struct leat_poll){leat_mono_us() + wait_ms * 1000, FIRST_MS};
}

bool leat_poll_again(struct leat_poll *p)
{
    if (leat_mono_us() >= p->until_us)
        return false;
    struct timespec t = {0, p->pause_ms * 1000000L};
    (void)nanosleep(&t, NULL);
    p->pause_ms = p->pause_ms * 3 / 2 < LAST_MS ? p->pause_ms * 3 / 2 : LAST_MS;
    return true;
}
