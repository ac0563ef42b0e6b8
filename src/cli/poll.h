/* poll.h - waiting for what gives no sign but that it is there. */
#ifndef LEAT_CLI_POLL_H
#define LEAT_CLI_POLL_H

#include <stdbool.h>
#include <stdint.h>

struct leat_poll {
    int64_t until_us;
    int pause_ms;
};
struct leat_poll leat_poll_start(int64_t wait_ms);
/* Pauses, each time somewhat longer, up to 100 ms. False: the time is up. */
bool leat_poll_again(struct leat_poll *p);

#endif
